//! Patterns that begin with a digit at the edge of a word, read together: one automaton tells at each such digit which of
//! them could match from there, and where they would end.
//!
//! Texts full of digits would otherwise make dozens of patterns read the same digits one after another. To keep the states
//! of the one automaton few, it tells digits apart at the first place only; what it says yes to is looked at by the check
//! of the detector, and then by the pattern itself.
//!
//! Guarantees: a place where a pattern matches is never passed over. Knows nothing of rules.

use std::sync::{Mutex, OnceLock, PoisonError};

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, ClassUnicodeRange, Hir, HirKind, Repetition};

use super::ascii::parse;
use super::guard::{Guard, Guards, TOGETHER};
use super::limits::{NUMBERS_CACHE_BYTES_MAX, NUMBERS_NFA_BYTES_MAX};
use super::pattern::{Alone, Shared};

/// What every digit but the first is read as. It belongs to words, as digits do; a pattern that takes it and no digit
/// seems to match where it does not, which costs a reading.
const DIGIT: u8 = b'_';

/// Up to 64 patterns that are tried together.
#[derive(Debug)]
pub(super) struct Numbers {
    pub(super) slots: Vec<usize>,
    sources: Vec<Box<str>>,
    guards: Guards,
    /// Those that are nothing without a sign between their digits, or a word before them.
    grouped: u64,
    engine: OnceLock<Option<Engine>>,
}

/// A pattern that may match: its place among the slots, and where it would end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    pub(super) at: usize,
    pub(super) end: usize,
}

#[derive(Debug)]
struct Engine {
    dfa: DFA,
    scratch: Mutex<Option<Box<Cache>>>,
}

/// One reading of a text.
pub(super) struct Reading<'n> {
    numbers: &'n Numbers,
    engine: Option<&'n Engine>,
    cache: Option<Box<Cache>>,
}

impl Numbers {
    /// Whether a pattern is one of those, whatever it needs besides.
    pub(super) fn takes(pattern: &Shared) -> bool {
        pattern.guard.begins_words_with_digits() && !pattern.anchored
    }

    /// Gathers patterns by their slots; those that are never what they say when they begin with a digit are left out.
    pub(super) fn of(patterns: &[(usize, &Shared)]) -> Vec<Self> {
        let wanted: Vec<_> = patterns.iter().filter(|(_, pattern)| pattern.alone() != Alone::Never).collect();
        let together = |patterns: &[&(usize, &Shared)]| {
            let guards: Vec<&Guard> = patterns.iter().map(|(_, pattern)| &pattern.guard).collect();
            let grouped = (0..).zip(patterns).filter(|(_, (_, pattern))| pattern.alone() == Alone::InGroups);
            Some(Self {
                slots: patterns.iter().map(|(slot, _)| *slot).collect(),
                sources: patterns.iter().map(|(_, pattern)| pattern.source().into()).collect(),
                guards: Guards::of(&guards).into_iter().next()?,
                grouped: grouped.fold(0, |bits, (bit, _): (u32, _)| bits | 1 << bit),
                engine: OnceLock::new(),
            })
        };
        wanted.chunks(TOGETHER).filter_map(together).collect()
    }

    /// Begins to read a text.
    pub(super) fn reading(&self) -> Reading<'_> {
        Reading { numbers: self, engine: None, cache: None }
    }

    fn engine(&self) -> Option<&Engine> {
        self.engine.get_or_init(|| Engine::of(&self.sources)).as_ref()
    }
}

impl Engine {
    fn of(sources: &[Box<str>]) -> Option<Self> {
        let shapes: Vec<Hir> =
            sources.iter().map(|source| Some(shape(&parse(source).ok()?, true))).collect::<Option<_>>()?;
        let config =
            thompson::Config::new().which_captures(WhichCaptures::None).nfa_size_limit(Some(NUMBERS_NFA_BYTES_MAX));
        let nfa = thompson::Compiler::new().configure(config).build_many_from_hir(&shapes).ok()?;
        let config = DFA::config()
            .match_kind(MatchKind::All)
            .cache_capacity(NUMBERS_CACHE_BYTES_MAX)
            .skip_cache_capacity_check(true);
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa).ok()?;
        Some(Self { dfa, scratch: Mutex::default() })
    }
}

impl Reading<'_> {
    /// Adds which patterns could match from the digit at `start` on, which stands at the edge of a word, in the order of
    /// their ends. `digits_end` is where its digits end.
    pub(super) fn at(&mut self, text: &[u8], start: usize, digits_end: usize, hits: &mut Vec<Hit>) {
        if self.engine.is_none() {
            self.engine = self.numbers.engine();
        }
        let Some(engine) = self.engine else { return self.all(text, start, hits) };
        let cache = self.cache.get_or_insert_with(|| {
            let kept = engine.scratch.lock().unwrap_or_else(PoisonError::into_inner).take();
            kept.unwrap_or_else(|| Box::new(engine.dfa.create_cache()))
        });
        let first = hits.len();
        if engine.read(cache, text, start, |at, end| hits.push(Hit { at, end })).is_none() {
            hits.truncate(first);
            return self.all(text, start, hits);
        }
        let is_grouped = |at: usize| self.numbers.grouped >> at & 1 == 1;
        let mut admitted = None;
        let mut kept = first;
        for index in first..hits.len() {
            let Some(hit) = hits.get(index).copied() else { break };
            if hit.end <= digits_end && is_grouped(hit.at) {
                continue;
            }
            let admitted = *admitted.get_or_insert_with(|| self.numbers.guards.admitted(text, start));
            if admitted >> hit.at & 1 == 1
                && let Some(place) = hits.get_mut(kept)
            {
                *place = hit;
                kept += 1;
            }
        }
        hits.truncate(kept);
    }

    /// Every pattern, by its guard alone, with an end that nobody knows.
    fn all(&self, text: &[u8], start: usize, hits: &mut Vec<Hit>) {
        let admitted = self.numbers.guards.admitted(text, start);
        let bits = (0..self.numbers.slots.len()).filter(|at| admitted >> at & 1 == 1);
        hits.extend(bits.map(|at| Hit { at, end: usize::MAX }));
    }
}

impl Engine {
    /// Calls `found` with each pattern and end; nothing when it cannot be said.
    fn read(&self, cache: &mut Cache, text: &[u8], start: usize, mut found: impl FnMut(usize, usize)) -> Option<()> {
        let (first, rest) = text.get(start..)?.split_first()?;
        let config = start::Config::new().anchored(Anchored::Yes);
        let state = self.dfa.start_state(cache, &config).ok()?;
        let mut state = self.dfa.next_state(cache, state, *first).ok()?;
        let matched = |cache: &Cache, state, end, found: &mut dyn FnMut(usize, usize)| {
            for index in 0..self.dfa.match_len(cache, state) {
                found(self.dfa.match_pattern(cache, state, index).as_usize(), end);
            }
        };
        for (byte, end) in rest.iter().zip(start + 1..) {
            let byte = if byte.is_ascii_digit() { DIGIT } else { *byte };
            state = self.dfa.next_state(cache, state, byte).ok()?;
            // A match is told by the state behind its last byte.
            if state.is_match() {
                matched(&*cache, state, end, &mut found);
            } else if state.is_dead() {
                return Some(());
            }
        }
        let state = self.dfa.next_eoi_state(cache, state).ok()?;
        if state.is_match() {
            matched(&*cache, state, text.len(), &mut found);
        }
        Some(())
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if let (Some(engine), Some(cache)) = (self.engine, self.cache.take()) {
            *engine.scratch.lock().unwrap_or_else(PoisonError::into_inner) = Some(cache);
        }
    }
}

/// The pattern with every digit as good as any other, but the first of a match; `first` says whether a match may begin
/// here. What cannot begin with a digit is left out there.
fn shape(hir: &Hir, first: bool) -> Hir {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => hir.clone(),
        HirKind::Literal(literal) => Hir::concat(literal.0.iter().map(|byte| digit_or(*byte)).collect()),
        HirKind::Class(Class::Unicode(class)) => {
            let mut class = class.clone();
            if class.ranges().iter().any(|range| range.start() <= '9' && '0' <= range.end()) {
                class.push(ClassUnicodeRange::new(DIGIT.into(), DIGIT.into()));
            }
            Hir::class(Class::Unicode(class))
        }
        HirKind::Class(Class::Bytes(class)) => {
            let mut class = class.clone();
            if class.ranges().iter().any(|range| range.start() <= b'9' && b'0' <= range.end()) {
                class.push(ClassBytesRange::new(DIGIT, DIGIT));
            }
            Hir::class(Class::Bytes(class))
        }
        HirKind::Repetition(repetition) => {
            if first && repetition.min == 0 && !Guard::of(&repetition.sub).may_begin_with_digit() {
                return Hir::empty();
            }
            Hir::repetition(Repetition { sub: Box::new(shape(&repetition.sub, first)), ..repetition.clone() })
        }
        HirKind::Capture(capture) => shape(&capture.sub, first),
        HirKind::Concat(subs) => {
            let mut first = first;
            let shaped = subs.iter().map(|sub| {
                let shaped = shape(sub, first);
                first = first && sub.properties().minimum_len() == Some(0);
                shaped
            });
            Hir::concat(shaped.collect())
        }
        HirKind::Alternation(subs) => {
            let may_be = |sub: &&Hir| !first || Guard::of(sub).may_begin_with_digit();
            Hir::alternation(subs.iter().filter(may_be).map(|sub| shape(sub, first)).collect())
        }
    }
}

fn digit_or(byte: u8) -> Hir {
    if !byte.is_ascii_digit() {
        return Hir::literal([byte]);
    }
    let ranges = [ClassBytesRange::new(byte, byte), ClassBytesRange::new(DIGIT, DIGIT)];
    Hir::class(Class::Bytes(ClassBytes::new(ranges)))
}
