//! One pass over a query: everything its texts hold of what a lexicon looks for.
//!
//! The automaton reads one buffer of all layers, ASCII case folded by the automaton and runs of white space folded into
//! one space here; patterns then run only in windows round the literals that were found.
//!
//! Guarantees: each finding names parts and bytes of their texts. Work per text is bounded by what the lexicon's budget
//! allows. Knows nothing of rules and verdicts.

use std::collections::BTreeMap;
use std::ops::Range;

use super::buffer::Buffer;
use super::layer::{Layer, Layers, Pieces};
use super::lexicon::{Boundary, Lexicon, Owner, Unit};
use super::pattern::Overlaps;
use crate::base::limits::REDACTIONS_MAX;
use crate::query::{PartId, Query, RoleSet};

/// Findings inside a part that are compared with one across its seam: matches overlap few others of the same pattern.
const NEIGHBOURS: usize = 8;
/// Bytes looked at together for a digit.
const LANE: usize = 32;

/// One finding of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Where, in order; several parts when the finding crosses a seam.
    pub(super) at: Pieces,
    roles: u8,
}

/// What one unit found.
#[derive(Debug, Default, Clone)]
struct UnitFound {
    found: Vec<Found>,
    /// How many there are of each mixture of roles.
    counts: BTreeMap<u8, usize>,
}

impl UnitFound {
    /// Drops findings across a seam that begin or end in a finding inside one part: `a@example.com` followed by a part that
    /// begins with `to` reads as `a@example.comto` when joined. The finding inside counts wherever the other would have,
    /// since its role is one of the other's; only the neighbour is left alone.
    fn drop_accidents(&mut self) {
        if self.found.iter().all(|found| found.at.len() == 1) {
            return;
        }
        let mut inside: BTreeMap<PartId, Vec<Range<usize>>> = BTreeMap::new();
        for found in self.found.iter().filter(|found| found.at.len() == 1) {
            for (part, range) in &found.at {
                inside.entry(*part).or_default().push(range.clone());
            }
        }
        for ranges in inside.values_mut() {
            ranges.sort_by_key(|range| (range.start, range.end));
        }
        let known = |(part, range): &(PartId, Range<usize>)| {
            inside.get(part).is_some_and(|ranges| {
                let after = ranges.partition_point(|one| one.start < range.end);
                ranges.iter().take(after).rev().take(NEIGHBOURS).any(|one| one.end > range.start)
            })
        };
        self.found.retain(|found| found.at.len() == 1 || !found.at.iter().any(known));
    }
}

/// What a query holds.
#[derive(Debug)]
pub(super) struct Scan {
    units: Vec<UnitFound>,
    /// Parts whose encoded runs were not all looked into.
    pub(super) beyond: Vec<PartId>,
}

impl Scan {
    /// The findings of a unit whose parts all have one of the roles.
    pub(super) fn found(&self, unit: Unit, roles: RoleSet) -> impl Iterator<Item = &Found> {
        let found = self.units.get(unit.index()).map_or(&[][..], |unit| &unit.found);
        found.iter().filter(move |found| found.within(roles))
    }
}

impl Scan {
    /// Everything found, whatever the roles.
    pub(super) fn all(&self) -> impl Iterator<Item = (Unit, &Found)> {
        self.units.iter().enumerate().flat_map(|(index, unit)| unit.found.iter().map(move |f| (Unit::at(index), f)))
    }
}

impl Found {
    fn within(&self, roles: RoleSet) -> bool {
        crate::query::Role::ALL.iter().all(|role| self.roles & (1 << *role as u8) == 0 || roles.holds(*role))
    }
}

/// Looks for everything at once.
pub(super) fn scan(lexicon: &Lexicon, query: &Query) -> Scan {
    let mut units = vec![UnitFound::default(); lexicon.units];
    if lexicon.units == 0 {
        return Scan { units, beyond: Vec::new() };
    }
    let layers = Layers::of(query, lexicon.seam);
    let mut scanner = Scanner { lexicon, layers: &layers, units: &mut units };
    scanner.literals();
    for (index, layer) in layers.all.iter().enumerate() {
        scanner.by_digits(index, layer);
        for slot in &lexicon.always {
            scanner.run(*slot, index, 0..layer.text().len());
        }
    }
    for unit in &mut units {
        unit.drop_accidents();
        unit.found.sort_by(|a, b| order(a).cmp(order(b)));
        unit.found.dedup_by(|a, b| a.at == b.at);
    }
    Scan { units, beyond: layers.beyond }
}

fn order(found: &Found) -> impl Iterator<Item = (PartId, usize, usize)> {
    found.at.iter().map(|(part, range)| (*part, range.start, range.end))
}

struct Scanner<'s, 'q> {
    lexicon: &'s Lexicon,
    layers: &'s Layers<'q>,
    units: &'s mut [UnitFound],
}

/// Where a pattern is to run next: merged windows of one layer.
#[derive(Debug, Clone)]
struct Window {
    layer: usize,
    bytes: Range<usize>,
}

impl Scanner<'_, '_> {
    fn literals(&mut self) {
        let Some(automaton) = self.lexicon.automaton() else { return };
        let buffer = Buffer::of(self.layers);
        let mut windows: Vec<Option<Window>> = vec![None; self.lexicon.slots.len()];
        let mut segment = 0;
        for hit in automaton.find_overlapping_iter(&buffer.bytes) {
            segment = buffer.segment(segment, hit.start());
            let Some((layer, bytes)) = buffer.original(segment, hit.range()) else { continue };
            for owner in self.lexicon.owners(hit.pattern()) {
                match owner {
                    Owner::Keyword(unit, boundary) => self.keyword(*unit, *boundary, layer, bytes.clone()),
                    Owner::Atom(slot) => self.widen(&mut windows, *slot, layer, &bytes),
                }
            }
        }
        for (slot, window) in windows.into_iter().enumerate() {
            if let Some(window) = window {
                self.run(slot, window.layer, window.bytes);
            }
        }
    }

    fn keyword(&mut self, unit: Unit, boundary: Boundary, layer: usize, bytes: Range<usize>) {
        let Some(layer) = self.layers.all.get(layer) else { return };
        if boundary == Boundary::Anywhere || stands_alone(layer.text(), &bytes) {
            self.keep(unit, layer, bytes);
        }
    }

    /// Adds a literal's surroundings to the window of its pattern; runs the pattern on the one before when they do not
    /// touch.
    fn widen(&mut self, windows: &mut [Option<Window>], slot: usize, layer: usize, bytes: &Range<usize>) {
        let (Some(Some(pattern)), Some(text)) =
            (self.lexicon.slots.get(slot).map(|s| Some(&s.pattern)), self.layers.all.get(layer).map(Layer::text))
        else {
            return;
        };
        let wanted = around(text, bytes, pattern.reach);
        let Some(open) = windows.get_mut(slot) else { return };
        match open {
            // INVARIANT: literals arrive in order of their ends, so what does not touch the window lies after it.
            Some(window) if window.layer == layer && wanted.start <= window.bytes.end => {
                window.bytes.start = window.bytes.start.min(wanted.start);
                window.bytes.end = window.bytes.end.max(wanted.end);
            }
            Some(_) | None => {
                if let Some(done) = open.replace(Window { layer, bytes: wanted }) {
                    self.run(slot, done.layer, done.bytes);
                }
            }
        }
    }

    /// Runs the patterns that need digits wherever a layer holds enough of them close together.
    fn by_digits(&mut self, index: usize, layer: &Layer<'_>) {
        let Some(least) = self.lexicon.by_digits.iter().map(|(_, count)| *count).min() else { return };
        let runs = digit_runs(layer.text().as_bytes());
        if runs.iter().map(Range::len).sum::<usize>() < least {
            return;
        }
        for (slot, count) in &self.lexicon.by_digits {
            let reach = self.lexicon.slots.get(*slot).and_then(|s| s.pattern.reach);
            for cluster in clusters(&runs, reach.unwrap_or(usize::MAX), *count) {
                self.run(*slot, index, around(layer.text(), &cluster, reach));
            }
        }
    }

    fn run(&mut self, slot: usize, layer: usize, window: Range<usize>) {
        let (Some(slot), Some(layer)) = (self.lexicon.slots.get(slot), self.layers.all.get(layer)) else { return };
        if layer.joins() && slot.pattern.anchored {
            return;
        }
        let mut found = Vec::new();
        // In joined texts a match of other parts may begin inside one.
        let overlaps = if layer.joins() { Overlaps::Counted } else { Overlaps::Skipped };
        slot.pattern.each(layer.text(), window, overlaps, |bytes| found.push(bytes));
        for bytes in found {
            self.keep(slot.unit, layer, bytes);
        }
    }

    /// Keeps a finding, at most [`REDACTIONS_MAX`] and one of each mixture of roles: more of the same changes no
    /// verdict but that of a redaction, which is refused past that number.
    fn keep(&mut self, unit: Unit, layer: &Layer<'_>, bytes: Range<usize>) {
        let Some((at, roles)) = self.layers.original(layer, bytes) else { return };
        let Some(unit) = self.units.get_mut(unit.index()) else { return };
        let count = unit.counts.entry(roles).or_insert(0);
        if *count <= REDACTIONS_MAX {
            *count += 1;
            unit.found.push(Found { at, roles });
        }
    }
}

/// The bytes round a literal that a match of this reach may touch, on character boundaries.
fn around(text: &str, bytes: &Range<usize>, reach: Option<usize>) -> Range<usize> {
    let Some(reach) = reach else { return 0..text.len() };
    let start = text.floor_char_boundary(bytes.start.saturating_sub(reach));
    let end = text.ceil_char_boundary(bytes.end.saturating_add(reach).min(text.len()));
    start..end
}

/// Whether no letter, digit or underscore stands next to the bytes. Scripts that are written without spaces have no
/// such thing as a word that stands alone, so their letters part nothing and bind nothing.
fn stands_alone(text: &str, bytes: &Range<usize>) -> bool {
    let binds = |c: char| c == '_' || (c.is_alphanumeric() && !is_unspaced(c));
    let bound = |inside: Option<char>, outside: Option<char>| inside.is_some_and(binds) && outside.is_some_and(binds);
    let (before, rest) = text.split_at_checked(bytes.start).unwrap_or_default();
    let (inside, after) = rest.split_at_checked(bytes.len()).unwrap_or_default();
    !bound(inside.chars().next(), before.chars().next_back())
        && !bound(inside.chars().next_back(), after.chars().next())
}

/// Letters of scripts without spaces between words: Thai, Lao, Burmese, Khmer, kana, ideographs.
const fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

/// Runs of ASCII digits.
fn digit_runs(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let skip = rest
            .chunks(LANE)
            .take_while(|lane| !lane.iter().fold(false, |any, b| any | b.is_ascii_digit()))
            .map(<[u8]>::len)
            .sum::<usize>();
        let Some(lane) = rest.get(skip..) else { break };
        let Some(first) = lane.iter().position(u8::is_ascii_digit) else { break };
        let start = at + skip + first;
        let length = lane.get(first..).map_or(0, |run| run.iter().take_while(|b| b.is_ascii_digit()).count());
        runs.push(start..start + length);
        at = start + length;
    }
    runs
}

/// Stretches from first to last digit in which runs follow each other within `reach` and hold `count` digits at least.
fn clusters(runs: &[Range<usize>], reach: usize, count: usize) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut open: Option<(Range<usize>, usize)> = None;
    for run in runs {
        match &mut open {
            Some((cluster, digits)) if run.start - cluster.end <= reach => {
                cluster.end = run.end;
                *digits += run.len();
            }
            Some(_) | None => {
                let done = open.replace((run.clone(), run.len()));
                out.extend(done.filter(|(_, digits)| *digits >= count).map(|(cluster, _)| cluster));
            }
        }
    }
    out.extend(open.filter(|(_, digits)| *digits >= count).map(|(cluster, _)| cluster));
    out
}
