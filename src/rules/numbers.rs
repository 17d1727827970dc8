//! Patterns that begin with a digit at the edge of a word, read together: one automaton tells at each such digit which of
//! them could match from there, and where they would end.
//!
//! Texts full of digits would otherwise make dozens of patterns read the same digits one after another. To keep the states
//! of the one automaton few, it tells digits apart at the first place only; what it says yes to is looked at by the check
//! of the detector, and then by the pattern itself.
//!
//! Guarantees: a place where a pattern matches is never passed over. Knows nothing of rules.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::alphabet::Unit;
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
    /// The shortest text that any of them matches.
    pub(super) shortest: usize,
    engine: OnceLock<Option<Engine>>,
}

/// Patterns that may match: their places among the slots, as bits, and where they would end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) patterns: u64,
    /// `None` when nobody knows.
    pub(super) end: Option<usize>,
}

/// An automaton, read through a table of the steps that were made.
#[derive(Debug)]
struct Engine {
    dfa: DFA,
    /// What a byte is to the automaton, by place: the first one, or one behind it.
    kinds: [[u8; 256]; 2],
    /// A byte of each kind.
    bytes: Vec<u8>,
    scratch: Mutex<Option<Box<Scratch>>>,
}

/// What an engine remembers of the texts before.
#[derive(Debug)]
struct Scratch {
    cache: Cache,
    /// By state and kind of byte: the state behind it, [`UNKNOWN`] before it is asked for.
    steps: Vec<u32>,
    /// By state and number of digits: the state behind so many, [`UNKNOWN`] before it is asked for.
    jumps: Vec<u32>,
    /// By state: the automaton's own name, and which patterns end there.
    states: Vec<(LazyStateID, u64)>,
    known: BTreeMap<LazyStateID, u32>,
}

/// A step that nobody has made yet.
const UNKNOWN: u32 = u32::MAX;
/// The state that nothing leads out of.
const DEAD: u32 = u32::MAX >> 1;
/// A jump over digits behind some of which a pattern ends: they are read one by one.
const ON_FOOT: u32 = UNKNOWN - 1;
/// Digits that are jumped over at once.
const JUMP_MAX: usize = 16;
/// Marks states where patterns end.
const ENDS: u32 = 1 << 30;

/// One reading of a text.
pub(super) struct Reading<'n> {
    numbers: &'n Numbers,
    engine: Option<&'n Engine>,
    scratch: Option<Box<Scratch>>,
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
                shortest: guards.iter().map(|guard| guard.shortest()).min()?,
                engine: OnceLock::new(),
            })
        };
        wanted.chunks(TOGETHER).filter_map(together).collect()
    }

    /// Begins to read a text.
    pub(super) const fn reading(&self) -> Reading<'_> {
        Reading { numbers: self, engine: None, scratch: None }
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
            .skip_cache_capacity_check(true)
            // There is no more room then; what reads by the table begins anew.
            .minimum_cache_clear_count(Some(0));
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa).ok()?;
        let classes = *dfa.byte_classes();
        let behind = |byte: u8| if byte.is_ascii_digit() { DIGIT } else { byte };
        let kinds = [
            std::array::from_fn(|byte| u8::try_from(byte).map_or(0, |byte| classes.get(byte))),
            std::array::from_fn(|byte| u8::try_from(byte).map_or(0, |byte| classes.get(behind(byte)))),
        ];
        let bytes = classes.representatives(..).filter_map(Unit::as_u8).collect();
        Some(Self { dfa, kinds, bytes, scratch: Mutex::default() })
    }
}

impl Reading<'_> {
    /// Adds which patterns could match from the beginning of the first of these runs of digits, which stands at the edge
    /// of a word, in the order of their ends. No digits are between the runs.
    pub(super) fn at(&mut self, text: &[u8], runs: &[Range<usize>], hits: &mut Vec<Hit>) {
        let numbers = self.numbers;
        let Some(Range { start, end: digits_end }) = runs.first().cloned() else { return };
        if self.engine.is_none() {
            self.engine = numbers.engine();
        }
        let mut admitted = None;
        let mut admitted = || *admitted.get_or_insert_with(|| numbers.guards.admitted(text, start));
        let Some(engine) = self.engine else { return hits.push(Hit { patterns: admitted(), end: None }) };
        let scratch = self.scratch.get_or_insert_with(|| engine.scratch());
        let before = hits.len();
        let read = engine.read(scratch, text, runs, |patterns, end| {
            let patterns = if end <= digits_end { patterns & !numbers.grouped } else { patterns };
            if patterns == 0 {
                return;
            }
            let patterns = patterns & admitted();
            if patterns != 0 {
                hits.push(Hit { patterns, end: Some(end) });
            }
        });
        if read.is_none() {
            hits.truncate(before);
            hits.push(Hit { patterns: admitted(), end: None });
        }
    }
}

impl Engine {
    /// The states met so far, for one reading alone.
    fn scratch(&self) -> Box<Scratch> {
        let kept = self.scratch.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.unwrap_or_else(|| Box::new(Scratch::new(self.dfa.create_cache())))
    }

    /// Calls `found` with patterns and their end; nothing when it cannot be said.
    fn read(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        runs: &[Range<usize>],
        found: impl FnMut(u64, usize),
    ) -> Option<()> {
        let read = self.steps(scratch, text, runs, found);
        if read.is_none() {
            self.dfa.reset_cache(&mut scratch.cache);
            scratch.steps.clear();
            scratch.jumps.clear();
            scratch.states.clear();
            scratch.known.clear();
        }
        read
    }

    fn steps(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        runs: &[Range<usize>],
        mut found: impl FnMut(u64, usize),
    ) -> Option<()> {
        let [first_kinds, kinds] = &self.kinds;
        if scratch.states.is_empty() {
            let config = start::Config::new().anchored(Anchored::Yes);
            let begin = self.dfa.start_state(&mut scratch.cache, &config).ok()?;
            self.state(scratch, begin);
        }
        let mut runs = runs.iter();
        let mut run = runs.next()?.clone();
        let mut state = self.step(scratch, 0, usize::from(*first_kinds.get(usize::from(*text.get(run.start)?))?))?;
        run.start += 1;
        let mut at = run.start;
        if run.is_empty() {
            run = runs.next().cloned().unwrap_or(text.len()..text.len());
        }
        while let Some(byte) = text.get(at) {
            let length = run.end.saturating_sub(at);
            if at == run.start && (1..=JUMP_MAX).contains(&length) {
                let next = self.jump(scratch, state, length)?;
                if next == DEAD {
                    return Some(());
                }
                if next != ON_FOOT {
                    (state, at) = (next, run.end);
                    run = runs.next().cloned().unwrap_or(text.len()..text.len());
                    continue;
                }
            }
            state = self.step(scratch, state, usize::from(*kinds.get(usize::from(*byte))?))?;
            // A match is told by the state behind its last byte.
            if state >= ENDS {
                if state == DEAD {
                    return Some(());
                }
                found(scratch.states.get((state & !ENDS) as usize)?.1, at);
            }
            at += 1;
            if at == run.end {
                run = runs.next().cloned().unwrap_or(text.len()..text.len());
            }
        }
        let state = self.step(scratch, state, self.bytes.len())?;
        if state >= ENDS && state != DEAD {
            found(scratch.states.get((state & !ENDS) as usize)?.1, text.len());
        }
        Some(())
    }

    /// The state behind so many digits that are none of them the first.
    #[inline]
    fn jump(&self, scratch: &mut Scratch, state: u32, digits: usize) -> Option<u32> {
        let at = (state & !ENDS) as usize * JUMP_MAX + digits - 1;
        let known = scratch.jumps.get(at).copied()?;
        if known != UNKNOWN {
            return Some(known);
        }
        let [_, kinds] = &self.kinds;
        let digit = usize::from(*kinds.get(usize::from(DIGIT))?);
        let mut next = state;
        for _ in 0..digits {
            next = self.step(scratch, next, digit)?;
            if next >= ENDS {
                next = if next == DEAD { DEAD } else { ON_FOOT };
                break;
            }
        }
        *scratch.jumps.get_mut(at)? = next;
        Some(next)
    }

    /// The state behind a kind of byte, or behind the text for the kind past the last.
    #[inline]
    fn step(&self, scratch: &mut Scratch, state: u32, kind: usize) -> Option<u32> {
        let at = (state & !ENDS) as usize * (self.bytes.len() + 1) + kind;
        match scratch.steps.get(at).copied()? {
            UNKNOWN => self.learn(scratch, state, kind, at),
            next => Some(next),
        }
    }

    #[cold]
    fn learn(&self, scratch: &mut Scratch, state: u32, kind: usize, at: usize) -> Option<u32> {
        let (from, _) = *scratch.states.get((state & !ENDS) as usize)?;
        let next = match self.bytes.get(kind) {
            Some(byte) => self.dfa.next_state(&mut scratch.cache, from, *byte),
            None => self.dfa.next_eoi_state(&mut scratch.cache, from),
        };
        let next = next.ok()?;
        let next = if next.is_dead() { DEAD } else { self.state(scratch, next) };
        *scratch.steps.get_mut(at)? = next;
        Some(next)
    }

    /// The number of a state of the automaton.
    fn state(&self, scratch: &mut Scratch, state: LazyStateID) -> u32 {
        if let Some(known) = scratch.known.get(&state) {
            return *known;
        }
        let ending = if state.is_match() { self.dfa.match_len(&scratch.cache, state) } else { 0 };
        let pattern = |at: usize| self.dfa.match_pattern(&scratch.cache, state, at).as_usize();
        let ends = (0..ending).map(pattern).fold(0, |bits, pattern| bits | 1 << pattern);
        let number = u32::try_from(scratch.states.len()).unwrap_or(DEAD) | if ending > 0 { ENDS } else { 0 };
        scratch.states.push((state, ends));
        scratch.steps.resize(scratch.states.len() * (self.bytes.len() + 1), UNKNOWN);
        scratch.jumps.resize(scratch.states.len() * JUMP_MAX, UNKNOWN);
        scratch.known.insert(state, number);
        number
    }
}

impl Scratch {
    const fn new(cache: Cache) -> Self {
        Self { cache, steps: Vec::new(), jumps: Vec::new(), states: Vec::new(), known: BTreeMap::new() }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if let (Some(engine), Some(scratch)) = (self.engine, self.scratch.take()) {
            *engine.scratch.lock().unwrap_or_else(PoisonError::into_inner) = Some(scratch);
        }
    }
}

/// Whether a letter or digit of ASCII that stands there is the first of its word.
pub(super) fn begins_word(text: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| text.get(at));
    !before.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
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
            // The second time is not the first place.
            let first = first && repetition.max == Some(1);
            Hir::repetition(Repetition { sub: Box::new(shape(&repetition.sub, first)), ..repetition.clone() })
        }
        HirKind::Capture(capture) => shape(&capture.sub, first),
        HirKind::Concat(subs) => {
            let mut first = first;
            let shaped = subs.iter().map(|sub| {
                let shaped = shape(sub, first);
                first = first && sub.properties().maximum_len() == Some(0);
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
