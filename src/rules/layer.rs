//! The texts of a query as rules look at them: every part as written and as its views, and the seams where parts meet.
//!
//! A word split over two parts reads as one to a model. So consecutive texts are also joined, once directly and once
//! with a space; joined texts hold only what lies near a seam, and count only for what crosses one.
//!
//! Guarantees: every range of a layer maps back to parts and bytes of their texts; all layers together are at most a
//! small multiple of the query. Knows nothing of rules.

use std::borrow::Cow;
use std::ops::Range;

use smallvec::{SmallVec, smallvec};

use super::lexicon::Lexicon;
use super::marks::Marks;
use super::view::{self, DecodeBudget, View};
use crate::query::{Part, PartId, PartKind, Query, Role};

/// The pieces of a finding, parts and bytes of their texts: nearly always one, for which no memory is asked.
pub(super) type Pieces = SmallVec<[(PartId, Range<usize>); 1]>;

/// What a layer was read from.
#[derive(Debug)]
enum Source {
    Part(PartId, Role),
    /// Parts joined near their seams.
    Chain(usize),
}

/// A text to look into.
#[derive(Debug)]
pub(super) struct Layer<'q> {
    text: Cow<'q, str>,
    view: Option<View>,
    source: Source,
    marks: Marks,
}

impl<'q> Layer<'q> {
    fn of_view(view: View, source: Source) -> Self {
        let marks = Marks::of(view.text.as_bytes());
        Self { text: Cow::Borrowed(""), view: Some(view), source, marks }
    }

    fn of_text(text: Cow<'q, str>, source: Source) -> Self {
        let marks = Marks::of(text.as_bytes());
        Self { text, view: None, source, marks }
    }

    pub(super) fn text(&self) -> &str {
        match &self.view {
            Some(view) => &view.text,
            None => &self.text,
        }
    }

    pub(super) const fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Whether it joins parts, and counts only for what crosses a seam.
    pub(super) const fn joins(&self) -> bool {
        matches!(self.source, Source::Chain(_))
    }
}

/// A stretch of a part inside a joined text.
#[derive(Debug, Clone)]
struct Link {
    /// Where it begins in the joined text.
    at: usize,
    part: PartId,
    role: Role,
    /// Which bytes of the part's text.
    bytes: Range<usize>,
}

/// All layers of a query.
#[derive(Debug)]
pub(super) struct Layers<'q> {
    pub(super) all: Vec<Layer<'q>>,
    chains: Vec<Vec<Link>>,
    /// Parts whose encoded runs were not all looked into.
    pub(super) beyond: Vec<PartId>,
}

impl<'q> Layers<'q> {
    /// Reads a query for what a lexicon looks for.
    pub(super) fn of(query: &'q Query, lexicon: &Lexicon) -> Self {
        let mut layers =
            Self { all: Vec::with_capacity(query.parts().len() + 8), chains: Vec::new(), beyond: Vec::new() };
        let mut budget = DecodeBudget::default();
        for (index, part) in query.parts().iter().enumerate() {
            let text = query.text(part);
            if !text.is_empty() && !is_too_short(text, lexicon.shortest) {
                layers.part(PartId::at(index), part, text, &mut budget);
            }
        }
        if lexicon.seam > 0 {
            layers.seams(query, lexicon.seam);
        }
        layers
    }

    fn part(&mut self, id: PartId, part: &Part, text: &'q str, budget: &mut DecodeBudget) {
        let source = || Source::Part(id, part.role);
        let layer = Layer::of_text(Cow::Borrowed(text), source());
        if matches!(part.kind, PartKind::Number) {
            return self.all.push(layer);
        }
        let folded = if layer.marks.plain { None } else { view::folded(text) };
        let mut views = view::decoded_by(text, &layer.marks, budget);
        self.all.push(layer);
        let folded = folded.map(|folded| Layer::of_view(folded, source()));
        if let Some(Layer { view: Some(folded), marks, .. }) = &folded {
            views.extend(folded.decoded_anew(marks, text, budget));
        }
        for view in &views {
            self.all.extend(view.folded().map(|folded| Layer::of_view(folded, source())));
        }
        self.all.extend(folded);
        self.all.extend(views.into_iter().map(|view| Layer::of_view(view, source())));
        if std::mem::take(&mut budget.exceeded) {
            self.beyond.push(id);
        }
    }

    fn seams(&mut self, query: &'q Query, seam: usize) {
        let mut open: Option<Chain> = None;
        let mut last: Option<(PartId, &Part, &str)> = None;
        for (index, part) in query.parts().iter().enumerate() {
            let text = query.text(part);
            if part.kind != PartKind::Text
                || text.is_empty()
                || matches!(part.origin, crate::query::Origin::Nested { .. })
            {
                continue;
            }
            let here = (PartId::at(index), part, text);
            if let Some(before) = last {
                let mut chain = open.take().unwrap_or_else(|| {
                    let mut chain = Chain::default();
                    chain.link(before, tail(before.2, seam)..before.2.len());
                    chain
                });
                let (head, rest) = (head(text, seam), tail(text, seam));
                if rest <= head {
                    // Short: the whole of it belongs to this seam and the next.
                    chain.link(here, 0..text.len());
                    open = Some(chain);
                } else {
                    chain.link(here, 0..head);
                    self.close(&chain);
                }
            }
            last = Some(here);
        }
        if let Some(chain) = open {
            self.close(&chain);
        }
    }

    fn close(&mut self, chain: &Chain) {
        for between in ["", " "] {
            let (text, links) = chain.joined(between);
            let source = self.chains.len();
            self.chains.push(links);
            let layer = Layer::of_text(Cow::Owned(text), Source::Chain(source));
            let folded = if layer.marks.plain { None } else { view::folded(layer.text()) };
            self.all.push(layer);
            self.all.extend(folded.map(|folded| Layer::of_view(folded, Source::Chain(source))));
        }
    }

    /// Where a range of a layer comes from, and the roles of those parts as bits; nothing for a range of a joined text
    /// that crosses no seam.
    pub(super) fn original(&self, layer: &Layer<'_>, range: Range<usize>) -> Option<(Pieces, u8)> {
        let range = layer.view.as_ref().map_or(range.clone(), |view| view.original(range));
        let bit = |role: Role| 1u8 << role as u8;
        match layer.source {
            Source::Part(part, role) => Some((smallvec![(part, range)], bit(role))),
            Source::Chain(chain) => {
                let links = self.chains.get(chain)?;
                let first = links.partition_point(|link| link.at + link.bytes.len() <= range.start);
                let mut pieces = Pieces::new();
                let mut roles = 0;
                for link in links.iter().skip(first).take_while(|link| link.at < range.end) {
                    let start = range.start.saturating_sub(link.at) + link.bytes.start;
                    let end = (link.bytes.start + (range.end - link.at)).min(link.bytes.end);
                    if start < end {
                        pieces.push((link.part, start..end));
                        roles |= bit(link.role);
                    }
                }
                (pieces.len() > 1).then_some((pieces, roles))
            }
        }
    }
}

/// Shortest text that may hold anything encoded but escapes.
const ENCODED_BYTES_MIN: usize = 16;

/// Whether neither a text nor anything it could stand for is as long as the shortest finding. Queries are full of names and
/// numbers that are.
fn is_too_short(text: &str, shortest: usize) -> bool {
    // Escapes and characters beyond ASCII may say more than they are long.
    let plainly = |byte: u8| byte.is_ascii() && !matches!(byte, b'%' | b'&' | b'\\');
    text.len() < shortest.min(ENCODED_BYTES_MIN) && text.bytes().all(plainly)
}

#[derive(Default)]
struct Chain<'q> {
    links: Vec<(PartId, Role, &'q str, Range<usize>)>,
}

impl<'q> Chain<'q> {
    fn link(&mut self, (id, part, text): (PartId, &Part, &'q str), bytes: Range<usize>) {
        self.links.push((id, part.role, text, bytes));
    }

    fn joined(&self, between: &str) -> (String, Vec<Link>) {
        let mut out = String::new();
        let mut links = Vec::with_capacity(self.links.len());
        for (index, (part, role, text, bytes)) in self.links.iter().enumerate() {
            if index > 0 {
                out.push_str(between);
            }
            links.push(Link { at: out.len(), part: *part, role: *role, bytes: bytes.clone() });
            out.push_str(text.get(bytes.clone()).unwrap_or_default());
        }
        (out, links)
    }
}

/// Characters that take part in words: white space and invisible characters do not use up the reach of a seam.
fn counts(c: char) -> bool {
    c.is_ascii_graphic() || c.is_alphanumeric()
}

/// Where the last `reach` counting characters of a text begin, and one more for the character before a word.
fn tail(text: &str, reach: usize) -> usize {
    match nth_counting(text.as_bytes().iter().enumerate().rev(), reach) {
        Ok(at) => at.unwrap_or(0),
        Err(()) => text.char_indices().rev().filter(|(_, c)| counts(*c)).nth(reach).map_or(0, |(at, _)| at),
    }
}

/// Where the first `reach` counting characters of a text end, and one more for the character after a word.
fn head(text: &str, reach: usize) -> usize {
    let all = || text.char_indices().filter(|(_, c)| counts(*c)).nth(reach).map(|(at, c)| at + c.len_utf8());
    let known = nth_counting(text.as_bytes().iter().enumerate(), reach);
    known.map_or_else(|()| all(), |at| at.map(|at| at + 1)).unwrap_or(text.len())
}

/// Where the nth counting character stands, if there is one; an error where others than ASCII stand before it.
fn nth_counting<'b>(bytes: impl Iterator<Item = (usize, &'b u8)>, nth: usize) -> Result<Option<usize>, ()> {
    let mut left = nth;
    for (at, byte) in bytes {
        if !byte.is_ascii() {
            return Err(());
        }
        if byte.is_ascii_graphic() {
            let Some(rest) = left.checked_sub(1) else { return Ok(Some(at)) };
            left = rest;
        }
    }
    Ok(None)
}
