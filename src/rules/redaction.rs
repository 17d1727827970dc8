//! Marks in place of what is redacted: `[EMAIL_1]`, numbered per name in order of first appearance, the same text with
//! the same number within a query.
//!
//! Guarantees: all redactions of all rules apply together, overlaps merged; what cannot be redacted is an error that
//! names the place. Knows nothing of verdicts.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::ops::Range;

use bytes::Bytes;

use super::layer::Pieces;
use super::lexicon::Lexicon;
use super::scan::Scan;
use crate::base::limits::REDACTIONS_MAX;
use crate::query::{Origin, Part, PartId, PartKind, Query};
use crate::wire::{self, Mark};

/// One thing to redact.
#[derive(Debug, Clone)]
pub(super) struct Redaction {
    /// Where.
    pub(super) at: Pieces,
    /// The name of its marks, without number.
    pub(super) name: &'static str,
}

/// Why a query cannot be redacted, for the client.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unredactable {
    #[error("`{place}` holds text that must be redacted but cannot be, because it is not free text")]
    Fixed { place: String },
    #[error("more than {REDACTIONS_MAX} pieces of text would have to be redacted")]
    TooMany,
    #[error("the text that must be redacted could not be replaced")]
    Unwritable,
    #[error("a rule asks for a redaction but names no text to redact")]
    NoText,
    #[error("redaction left text that must not pass")]
    Remains,
}

/// The body with everything redacted.
pub(super) fn apply(query: &Query, redactions: &[Redaction]) -> Result<Bytes, Unredactable> {
    wire::redact(query, &marks(query, redactions)?).map_err(|_| Unredactable::Unwritable)
}

/// What stands where, without overlaps, in order.
fn marks(query: &Query, redactions: &[Redaction]) -> Result<Vec<Mark>, Unredactable> {
    let mut places: Vec<(PartId, Range<usize>, &'static str)> = Vec::new();
    for redaction in redactions {
        places.extend(redaction.at.iter().map(|(part, range)| (*part, range.clone(), redaction.name)));
        if places.len() > 2 * REDACTIONS_MAX {
            return Err(Unredactable::TooMany);
        }
    }
    let places = without_covered(query, merged(places));
    if places.len() > REDACTIONS_MAX {
        return Err(Unredactable::TooMany);
    }
    let mut numbers = Numbers::default();
    let mut marks = Vec::with_capacity(places.len());
    for (id, range, name) in places {
        let Some(part) = query.part(id) else { return Err(Unredactable::Unwritable) };
        if !redactable(part) {
            return Err(Unredactable::Fixed { place: query.place(part.place) });
        }
        let text = query.text(part).get(range.clone()).ok_or(Unredactable::Unwritable)?;
        marks.push(Mark { part: id, range, text: numbers.mark(name, text) });
    }
    Ok(marks)
}

const fn redactable(part: &Part) -> bool {
    match part.kind {
        PartKind::Text | PartKind::Key => true,
        PartKind::Number | PartKind::Word => false,
    }
}

/// In order, overlapping ranges joined under the name of the one that begins first, or of the longest of those.
fn merged(mut places: Vec<(PartId, Range<usize>, &'static str)>) -> Vec<(PartId, Range<usize>, &'static str)> {
    places.sort_by(|a, b| (a.0, a.1.start, b.1.end, a.2).cmp(&(b.0, b.1.start, a.1.end, b.2)));
    let mut out: Vec<(PartId, Range<usize>, &'static str)> = Vec::with_capacity(places.len());
    for (part, range, name) in places {
        match out.last_mut() {
            Some((last, open, _)) if *last == part && range.start < open.end => open.end = open.end.max(range.end),
            _ => out.push((part, range, name)),
        }
    }
    out
}

/// Nested JSON is a part and, leaf by leaf, parts inside it: where a leaf is redacted, the same text of the outer part
/// is not redacted again.
fn without_covered(
    query: &Query,
    places: Vec<(PartId, Range<usize>, &'static str)>,
) -> Vec<(PartId, Range<usize>, &'static str)> {
    let mut inner: HashMap<PartId, Vec<Range<usize>>> = HashMap::new();
    for (id, _, _) in &places {
        let mut at = *id;
        while let Some(Part { origin: Origin::Nested { outer, raw }, .. }) = query.part(at) {
            inner.entry(*outer).or_default().push(raw.range());
            at = *outer;
        }
    }
    let covered = |part: PartId, range: &Range<usize>| {
        inner.get(&part).is_some_and(|leaves| leaves.iter().any(|l| l.start <= range.start && range.end <= l.end))
    };
    places.into_iter().filter(|(part, range, _)| !covered(*part, range)).collect()
}

/// Numbers of marks within one query.
#[derive(Default)]
struct Numbers<'q> {
    /// By the place of the name in `next`, and the text.
    known: HashMap<(usize, &'q str), usize>,
    /// Names, and how many numbers of each are given.
    next: Vec<(&'static str, usize)>,
}

impl<'q> Numbers<'q> {
    fn mark(&mut self, name: &'static str, text: &'q str) -> String {
        // A query has marks of a few names only.
        let at = self.next.iter().position(|(known, _)| *known == name).unwrap_or(self.next.len());
        if at == self.next.len() {
            self.next.push((name, 0));
        }
        let next = self.next.get_mut(at);
        let number = *self.known.entry((at, text)).or_insert_with(|| {
            next.map_or(0, |(_, next)| {
                *next += 1;
                *next
            })
        });
        let mut mark = String::with_capacity(name.len() + 6);
        let _ = write!(mark, "[{name}_{number}]");
        mark
    }
}

/// The texts of a query with everything masked that a rule looks for, for records that keep no more. Taken from the scan,
/// because a judgement keeps a limited number of findings and this must not. Parts that are read leaf by leaf are written
/// leaf by leaf.
pub(super) fn masked(lexicon: &Lexicon, scan: &Scan, query: &Query) -> String {
    let mut places = Vec::new();
    for (unit, found) in scan.all() {
        let name = lexicon.mark(unit);
        places.extend(found.at.iter().map(|(part, range)| (*part, range.clone(), name)));
    }
    let places = merged(places);
    let outer = |part: &Part| match part.origin {
        Origin::Nested { outer, .. } => Some(outer),
        Origin::Body(_) => None,
    };
    let read_by_leaf: HashSet<PartId> = query.parts().iter().filter_map(outer).collect();
    let mut numbers = Numbers::default();
    let mut out = String::new();
    for (index, part) in query.parts().iter().enumerate() {
        let id = PartId::at(index);
        if read_by_leaf.contains(&id) {
            continue;
        }
        let text = query.text(part);
        let mut at = 0;
        let _ = write!(out, "{}: ", query.place(part.place));
        let start = places.partition_point(|(part, _, _)| *part < id);
        for (_, range, name) in places.iter().skip(start).take_while(|(part, _, _)| *part == id) {
            out.push_str(text.get(at..range.start).unwrap_or_default());
            out.push_str(&numbers.mark(name, text.get(range.clone()).unwrap_or_default()));
            at = range.end;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        out.push('\n');
    }
    out
}
