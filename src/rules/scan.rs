//! One pass over a query: everything its texts hold of what a lexicon looks for.
//!
//! One automaton reads every layer; patterns then run only where what they need was found: before or round a literal, at
//! runs of letters and digits, near digits.
//!
//! Guarantees: each finding names parts and bytes of their texts. Work per text is bounded by what the lexicon's budget
//! allows. Knows nothing of rules and verdicts.

use std::collections::BTreeMap;
use std::ops::Range;

use super::atoms::Offset;
use super::layer::{Layer, Layers, Pieces};
use super::lexicon::{Boundary, Lexicon, Near, Owner, Slot, Starters, Unit};
use super::numbers::{self, Numbers};
use super::pattern::{Overlaps, Search, Way};
use crate::base::limits::REDACTIONS_MAX;
use crate::query::{PartId, Query, RoleSet};

/// Findings inside a part that are compared with one across its seam: matches overlap few others of the same pattern.
const NEIGHBOURS: usize = 8;

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
    /// What was dropped although it lies in parts of one role: no finding, but no less new when a part is.
    accidents: Vec<Found>,
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
        let accident = |found: &Found| found.at.len() > 1 && found.at.iter().any(known);
        let (accidents, kept) = std::mem::take(&mut self.found).into_iter().partition(accident);
        (self.accidents, self.found) = (accidents, kept);
    }
}

/// What a query holds.
#[derive(Debug)]
pub(super) struct Scan {
    /// By unit, those that found something.
    units: BTreeMap<Unit, UnitFound>,
    /// Parts whose encoded runs were not all looked into.
    pub(super) beyond: Vec<PartId>,
}

impl Scan {
    /// The findings of a unit whose parts all have one of the roles.
    pub(super) fn found(&self, unit: Unit, roles: RoleSet) -> impl Iterator<Item = &Found> {
        let found = self.units.get(&unit).map_or(&[][..], |unit| &unit.found);
        found.iter().filter(move |found| found.within(roles))
    }

    /// Findings across a seam within one role that were dropped because a finding inside a part says as much. Parts of
    /// different roles are parted by what the model server writes between them.
    pub(super) fn accidents(&self, unit: Unit, roles: RoleSet) -> impl Iterator<Item = &Found> {
        let dropped = self.units.get(&unit).map_or(&[][..], |unit| &unit.accidents);
        dropped.iter().filter(move |found| found.of_one_role() && found.within(roles))
    }

    /// Whether a unit found more than is kept.
    pub(super) fn overflowed(&self, unit: Unit) -> bool {
        let over = |unit: &UnitFound| unit.counts.values().any(|count| *count > REDACTIONS_MAX);
        self.units.get(&unit).is_some_and(over)
    }

    /// The units that found something, in order.
    pub(super) fn units(&self) -> impl Iterator<Item = Unit> {
        self.units.keys().copied()
    }

    /// Everything found, whatever the roles.
    pub(super) fn all(&self) -> impl Iterator<Item = (Unit, &Found)> {
        self.units.iter().flat_map(|(unit, found)| found.found.iter().map(move |f| (*unit, f)))
    }
}

impl Found {
    fn of_one_role(&self) -> bool {
        self.roles.is_power_of_two()
    }

    fn within(&self, roles: RoleSet) -> bool {
        // Most rules are for all roles.
        roles == RoleSet::ALL
            || crate::query::Role::ALL.iter().all(|role| self.roles & (1 << *role as u8) == 0 || roles.holds(*role))
    }
}

/// Looks for everything at once.
pub(super) fn scan(lexicon: &Lexicon, query: &Query) -> Scan {
    let mut units = BTreeMap::new();
    if lexicon.units == 0 {
        return Scan { units, beyond: Vec::new() };
    }
    let layers = Layers::of(query, lexicon);
    let mut scanner = Scanner { lexicon, layers: &layers, units: &mut units, numbers: Vec::new() };
    scanner.literals();
    for (index, layer) in layers.all.iter().enumerate() {
        scanner.digits(index, layer);
        for slot in &lexicon.always {
            scanner.window(*slot, index, 0..layer.text().len());
        }
    }
    for unit in units.values_mut() {
        unit.drop_accidents();
        unit.found.sort_by(|a, b| order(a).next().cmp(&order(b).next()).then_with(|| order(a).cmp(order(b))));
        unit.found.dedup_by(|a, b| a.at == b.at);
    }
    units.retain(|_, unit| !unit.found.is_empty());
    Scan { units, beyond: layers.beyond }
}

fn order(found: &Found) -> impl Iterator<Item = (PartId, usize, usize)> {
    found.at.iter().map(|(part, range)| (*part, range.start, range.end))
}

struct Scanner<'s, 'q> {
    lexicon: &'s Lexicon,
    layers: &'s Layers<'q>,
    units: &'s mut BTreeMap<Unit, UnitFound>,
    /// What numbers of one layer were found: their slots and where they begin.
    numbers: Vec<(usize, usize)>,
}

/// Where a pattern is to run: from one place of a layer on, or in a stretch of it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    slot: usize,
    layer: usize,
    start: usize,
    /// Where the stretch ends; `None` for a single place.
    end: Option<usize>,
}

impl Scanner<'_, '_> {
    fn literals(&mut self) {
        let (lexicon, layers) = (self.lexicon, self.layers);
        let Some(literals) = lexicon.literals() else { return };
        let (mut runs, mut open, mut hits) = (Vec::new(), Vec::new(), literals.hits());
        for (layer, text) in layers.all.iter().enumerate().map(|(index, layer)| (index, layer.text())) {
            literals.each(text.as_bytes(), &mut hits, |literal, bytes| {
                for owner in lexicon.owners(literal) {
                    match owner {
                        Owner::Keyword(unit, boundary) => self.keyword(*unit, *boundary, layer, bytes.clone()),
                        Owner::Atom(slot, offset) => self.tell(*slot, *offset, layer, &bytes, (&mut runs, &mut open)),
                    }
                }
            });
        }
        literals.keep(hits);
        self.run(runs);
    }

    fn keyword(&mut self, unit: Unit, boundary: Boundary, layer: usize, bytes: Range<usize>) {
        let Some(layer) = self.layers.all.get(layer) else { return };
        if boundary == Boundary::Anywhere || stands_alone(layer.text(), &bytes) {
            self.keep(unit, layer, bytes);
        }
    }

    /// Notes where a pattern is to run because of a literal; `open` holds the place of each slot's last stretch.
    fn tell(
        &self,
        slot: usize,
        offset: Offset,
        layer: usize,
        bytes: &Range<usize>,
        (runs, open): (&mut Vec<Run>, &mut Vec<usize>),
    ) {
        let (Some(pattern), Some(text)) =
            (self.lexicon.slots.get(slot).map(|slot| &slot.pattern), self.layers.all.get(layer).map(Layer::text))
        else {
            return;
        };
        if let (Way::FromAtoms, Some(max)) = (pattern.way, offset.max) {
            let starts = bytes.start.saturating_sub(max)..(bytes.start + 1).saturating_sub(offset.min);
            let admitted = starts.filter(|start| pattern.guard.admits(text.as_bytes(), *start));
            runs.extend(admitted.map(|start| Run { slot, layer, start, end: None }));
            return;
        }
        let reach = pattern.reach.unwrap_or(text.len());
        // Characters are made whole when the pattern runs.
        let wanted = bytes.start.saturating_sub(reach)..bytes.end.saturating_add(reach).min(text.len());
        if open.is_empty() {
            open.resize(self.lexicon.slots.len(), usize::MAX);
        }
        let Some(last) = open.get_mut(slot) else { return };
        match runs.get_mut(*last) {
            Some(Run { layer: l, start, end: Some(end), .. })
                if *l == layer && wanted.start <= *end && *start <= wanted.end =>
            {
                *start = wanted.start.min(*start);
                *end = wanted.end.max(*end);
            }
            _ => {
                *last = runs.len();
                runs.push(Run { slot, layer, start: wanted.start, end: Some(wanted.end) });
            }
        }
    }

    /// Runs patterns at places and in stretches, each stretch once.
    fn run(&mut self, mut runs: Vec<Run>) {
        // In order already but for windows of patterns that several literals tell of.
        runs.sort();
        runs.dedup();
        for same in runs.chunk_by(|a, b| (a.slot, a.layer) == (b.slot, b.layer)) {
            let Some(first) = same.first() else { continue };
            let Some(text) = self.layers.all.get(first.layer).map(Layer::text) else { continue };
            self.search(first.slot, first.layer, |search, found| {
                let mut open: Option<Range<usize>> = None;
                for run in same {
                    match (run.end.map(|end| text.ceil_char_boundary(end)), &mut open) {
                        (None, _) => search.start(run.start, found),
                        (Some(end), Some(window)) if run.start <= window.end => window.end = window.end.max(end),
                        (Some(end), _) => {
                            if let Some(window) = open.replace(text.floor_char_boundary(run.start)..end) {
                                search.window(window, found);
                            }
                        }
                    }
                }
                if let Some(window) = open {
                    search.window(window, found);
                }
            });
        }
    }

    fn window(&mut self, slot: usize, layer: usize, window: Range<usize>) {
        self.search(slot, layer, |search, found| search.window(window.clone(), found));
    }

    /// Opens a search of a pattern through a layer, and keeps what it finds.
    fn search(
        &mut self,
        slot: usize,
        layer: usize,
        mut look: impl FnMut(&mut Search<'_, '_>, &mut dyn FnMut(Range<usize>)),
    ) {
        let (Some(slot), Some(layer)) = (self.lexicon.slots.get(slot), self.layers.all.get(layer)) else { return };
        let Some(mut search) = opened(slot, layer) else { return };
        look(&mut search, &mut |bytes| self.keep(slot.unit, layer, bytes));
    }

    /// Runs what begins anywhere, and near digits what holds some.
    fn digits(&mut self, index: usize, layer: &Layer<'_>) {
        let text = layer.text();
        let lexicon = self.lexicon;
        let is_long = |numbers: &&Numbers| text.len() >= numbers.shortest;
        let wanted = lexicon.numbers.iter().map(|numbers| numbers.shortest).chain(lexicon.digits_min).min();
        let runs =
            if wanted.is_some_and(|least| text.len() >= least) { layer.marks().digit_runs() } else { Vec::new() };
        self.numbers.clear();
        if !runs.is_empty() {
            let digits = runs.iter().filter_map(|run| text.as_bytes().get(run.clone())).flatten();
            let digits: Vec<u8> = digits.map(|digit| digit - b'0').collect();
            for numbers in lexicon.numbers.iter().filter(is_long) {
                self.numbers(numbers, layer, &runs, &digits);
            }
        }
        self.numbers.sort_unstable();
        for starters in &lexicon.starters {
            match &starters.near {
                Near::Anything => Starting::new(starters, layer).all(self, 0..text.len()),
                Near::Words(words) => {
                    let mut starting = Starting::new(starters, layer);
                    layer.marks().words(words, |start| starting.at(self, start));
                }
                Near::Digits { .. } => {}
            }
        }
        if lexicon.digits_min.is_none_or(|least| text.len() < least) {
            return;
        }
        if layer.marks().digits() < lexicon.digits_min.unwrap_or(0) {
            return;
        }
        for starters in &lexicon.starters {
            let Near::Digits { least, reach } = starters.near else { continue };
            let mut starting = Starting::new(starters, layer);
            for cluster in clusters(&runs, reach, least) {
                // A match begins before the last of its digits.
                starting.all(self, around(text, &cluster, Some(reach)).start..cluster.end);
            }
        }
        for (slot, count) in &lexicon.by_digits {
            let reach = lexicon.slots.get(*slot).and_then(|s| s.pattern.reach);
            for cluster in clusters(&runs, reach.unwrap_or(usize::MAX), *count) {
                self.window(*slot, index, around(text, &cluster, reach));
            }
        }
    }

    /// Runs what begins with a digit at the digits that begin words.
    fn numbers(&mut self, numbers: &Numbers, layer: &Layer<'_>, runs: &[Range<usize>], digits: &[u8]) {
        let text = layer.text();
        let mut reading = numbers.reading();
        let mut searches: Vec<(u32, Search<'_, '_>)> = Vec::new();
        let mut hits: Vec<numbers::Hit> = Vec::new();
        let mut first_digit = 0;
        for (at, run) in runs.iter().enumerate() {
            let first = first_digit;
            first_digit += run.len();
            if !numbers::begins_word(text.as_bytes(), run.start) {
                continue;
            }
            hits.clear();
            reading.at(text.as_bytes(), runs.get(at..).unwrap_or_default(), &mut hits);
            let mut tried = 0;
            for hit in &hits {
                let number = hit.end.and_then(|end| {
                    let spanned = || runs.iter().skip(at).take_while(|run| run.start < end);
                    let whole = spanned().all(|run| run.end <= end);
                    digits.get(first..first + spanned().map(Range::len).sum::<usize>()).filter(|_| whole)
                });
                let mut left = hit.patterns & !tried;
                while left != 0 {
                    let bit = left.trailing_zeros();
                    left &= left - 1;
                    let index = numbers.slots.get(bit as usize).copied().unwrap_or_default();
                    let Some(slot) = self.lexicon.slots.get(index) else { continue };
                    let candidate = hit.end.and_then(|end| text.get(run.start..end));
                    if !slot.pattern.may_be(candidate, number) {
                        continue;
                    }
                    tried |= 1 << bit;
                    let known = searches.iter().position(|(known, _)| *known == bit).or_else(|| {
                        searches.push((bit, opened(slot, layer)?));
                        Some(searches.len() - 1)
                    });
                    let Some((_, search)) = known.and_then(|at| searches.get_mut(at)) else { continue };
                    search.start(run.start, &mut |bytes| {
                        self.numbers.push((index, bytes.start));
                        self.keep(slot.unit, layer, bytes);
                    });
                }
            }
        }
    }

    /// Keeps a finding, at most [`REDACTIONS_MAX`] and one of each mixture of roles: more of the same changes no
    /// verdict but that of a redaction, which is refused past that number.
    fn keep(&mut self, unit: Unit, layer: &Layer<'_>, bytes: Range<usize>) {
        let Some((at, roles)) = self.layers.original(layer, bytes) else { return };
        let unit = self.units.entry(unit).or_default();
        let count = unit.counts.entry(roles).or_insert(0);
        if *count <= REDACTIONS_MAX {
            *count += 1;
            unit.found.push(Found { at, roles });
        }
    }
}

/// Patterns that are tried together on one layer.
struct Starting<'s, 't> {
    starters: &'s Starters,
    layer: &'t Layer<'t>,
    /// Those that were let begin somewhere, by their bit.
    searches: Vec<(usize, Unit, Search<'s, 't>)>,
}

impl<'s, 't> Starting<'s, 't> {
    const fn new(starters: &'s Starters, layer: &'t Layer<'t>) -> Self {
        Self { starters, layer, searches: Vec::new() }
    }

    fn all(&mut self, scanner: &mut Scanner<'s, '_>, window: Range<usize>) {
        let guards = &self.starters.guards;
        if guards.outside_words {
            let marks = self.layer.marks();
            return marks.outside_words(window, &guards.digits_at, |start| self.at(scanner, start));
        }
        guards.each(self.layer.text().as_bytes(), window, |start, admitted| self.each(scanner, start, admitted));
    }

    #[inline]
    fn at(&mut self, scanner: &mut Scanner<'s, '_>, start: usize) {
        let admitted = self.starters.guards.admitted(self.layer.text().as_bytes(), start);
        self.each(scanner, start, admitted);
    }

    #[inline]
    fn each(&mut self, scanner: &mut Scanner<'s, '_>, start: usize, mut admitted: u64) {
        while admitted != 0 {
            let bit = admitted.trailing_zeros() as usize;
            admitted &= admitted - 1;
            self.one(scanner, bit, start);
        }
    }

    fn one(&mut self, scanner: &mut Scanner<'s, '_>, bit: usize, start: usize) {
        let at = self.searches.iter().position(|(known, ..)| *known == bit).or_else(|| {
            let slot = scanner.lexicon.slots.get(*self.starters.slots.get(bit)?)?;
            self.searches.push((bit, slot.unit, opened(slot, self.layer)?));
            Some(self.searches.len() - 1)
        });
        let Some((_, unit, search)) = at.and_then(|at| self.searches.get_mut(at)) else { return };
        let slot = self.starters.slots.get(bit).copied().unwrap_or_default();
        search.start(start, &mut |bytes| {
            // A number behind its word may have been found by itself.
            if scanner.numbers.binary_search(&(slot, bytes.start)).is_err() {
                scanner.keep(*unit, self.layer, bytes);
            }
        });
    }
}

/// A search of a slot's pattern through a layer; none where the pattern means nothing.
fn opened<'p, 't>(slot: &'p Slot, layer: &'t Layer<'_>) -> Option<Search<'p, 't>> {
    if layer.joins() && slot.pattern.anchored {
        return None;
    }
    // In joined texts a match of other parts may begin inside one.
    let overlaps = if layer.joins() { Overlaps::Counted } else { Overlaps::Skipped };
    slot.pattern.search(layer.text(), overlaps)
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
