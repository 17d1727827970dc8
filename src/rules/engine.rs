//! The engine of one pattern: an automaton built as texts are read, forwards, and backwards where that is asked for.
//!
//! Guarantees: searching never fails; what is remembered from text to text is bounded. Knows nothing of rules.

use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::backtrack::{self, BoundedBacktracker};
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::captures::Captures;
use regex_automata::util::start;
use regex_automata::{Anchored, Input, MatchKind, PatternID};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::ascii::parse;
use super::guard::Guard;
use super::limits::DFA_CACHE_BYTES_MAX;

/// Most bytes of states kept from one search to the next: a little less than the engine has room for, since texts full of
/// digits use most of it and would have to meet them again each time.
const STATES_KEPT_BYTES_MAX: usize = DFA_CACHE_BYTES_MAX / 8 * 7;

/// A pattern that can be searched for.
#[derive(Debug)]
pub(super) struct Engine {
    forwards: DFA,
    /// Finds the beginning of a match by its end.
    backwards: OnceLock<Option<DFA>>,
    secret: Secret,
    scratch: Mutex<Option<Box<Scratch>>>,
}

/// Which part of a match is the finding.
#[derive(Debug)]
enum Secret {
    /// All of it.
    Whole,
    /// From its first digit on: a number behind a word that may name it.
    FromDigit,
    /// The group named `secret`. The first engine is the faster one, for matches that are not too long.
    Group(Box<(Option<BoundedBacktracker>, PikeVM)>, usize),
}

/// What an engine remembers of the texts before.
#[derive(Debug)]
pub(super) struct Scratch {
    forwards: Cache,
    backwards: Option<Cache>,
    secret: Option<Groups>,
    /// What it took before the first text.
    fresh_bytes: usize,
}

/// What finding a group takes.
#[derive(Debug)]
struct Groups {
    short: Option<backtrack::Cache>,
    any: Option<pikevm::Cache>,
    captures: Captures,
}

impl Scratch {
    fn bytes(&self) -> usize {
        self.forwards.memory_usage() + self.backwards.as_ref().map_or(0, Cache::memory_usage)
    }
}

impl Engine {
    /// Builds what reads forwards; it may take so many bytes.
    pub(super) fn new(hir: &Hir, nfa_bytes_max: usize) -> Result<Self, String> {
        let named = hir.properties().explicit_captures_len() > 0;
        let captures = if named { WhichCaptures::All } else { WhichCaptures::None };
        let config = thompson::Config::new().which_captures(captures).nfa_size_limit(Some(nfa_bytes_max));
        let forwards = automaton(hir, config, MatchKind::LeftmostFirst)?;
        let nfa = forwards.get_nfa();
        let group = nfa.group_info().to_index(PatternID::ZERO, "secret");
        let secret = match group {
            Some(_) if is_from_digit(hir) => Secret::FromDigit,
            Some(group) => {
                let short = BoundedBacktracker::new_from_nfa(nfa.clone()).ok();
                let any = PikeVM::new_from_nfa(nfa.clone()).map_err(|error| error.to_string())?;
                Secret::Group(Box::new((short, any)), group)
            }
            None => Secret::Whole,
        };
        Ok(Self { forwards, backwards: OnceLock::new(), secret, scratch: Mutex::default() })
    }

    /// The states met so far, for this search alone.
    pub(super) fn scratch(&self) -> Box<Scratch> {
        let kept = self.scratch.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.unwrap_or_else(|| {
            let forwards = self.forwards.create_cache();
            Box::new(Scratch { fresh_bytes: forwards.memory_usage(), forwards, backwards: None, secret: None })
        })
    }

    /// Keeps the states for the next search, unless there are so many that there would soon be no room for more.
    pub(super) fn keep(&self, scratch: Box<Scratch>) {
        if scratch.bytes() <= scratch.fresh_bytes + STATES_KEPT_BYTES_MAX {
            *self.scratch.lock().unwrap_or_else(PoisonError::into_inner) = Some(scratch);
        }
    }

    /// The end of the match that begins at `start`, if one does, and how many bytes it took to know.
    pub(super) fn end(&self, scratch: &mut Scratch, text: &[u8], start: usize) -> (Option<usize>, usize) {
        let (dfa, cache) = (&self.forwards, &mut scratch.forwards);
        let before = start.checked_sub(1).and_then(|at| text.get(at)).copied();
        let config = start::Config::new().anchored(Anchored::Yes).look_behind(before);
        // INVARIANT: without bytes to quit at and without a least number of clearings, a search never gives up.
        let Ok(mut state) = dfa.start_state(cache, &config) else { return (None, 0) };
        let mut end = None;
        let rest = text.get(start..).unwrap_or_default();
        for (read, byte) in rest.iter().enumerate() {
            let Ok(next) = dfa.next_state(cache, state, *byte) else { return (end, read) };
            state = next;
            // A match is told by the state behind its last byte.
            if state.is_match() {
                end = Some(start + read);
            } else if state.is_dead() {
                return (end, read);
            }
        }
        if dfa.next_eoi_state(cache, state).is_ok_and(|state| state.is_match()) {
            end = Some(text.len());
        }
        (end, rest.len())
    }

    /// The first match in a stretch; `source` is the pattern's own, to build what reads backwards.
    pub(super) fn first(
        &self,
        scratch: &mut Scratch,
        source: &str,
        text: &str,
        span: Range<usize>,
    ) -> Option<Range<usize>> {
        let input = Input::new(text).span(span.clone());
        let end = self.forwards.try_search_fwd(&mut scratch.forwards, &input).ok().flatten()?.offset();
        let backwards = self.backwards.get_or_init(|| backwards(&parse(source).ok()?));
        let start = backwards.as_ref().and_then(|backwards| {
            let cache = scratch.backwards.get_or_insert_with(|| {
                let cache = backwards.create_cache();
                scratch.fresh_bytes += cache.memory_usage();
                cache
            });
            let input = Input::new(text).span(span.start..end).anchored(Anchored::Yes);
            backwards.try_search_rev(cache, &input).ok().flatten().map(|found| found.offset())
        });
        // INVARIANT: what matches forwards matches backwards; were it not so, all before the end would be the finding.
        Some(start.unwrap_or(span.start)..end)
    }

    /// Builds what reads backwards now rather than at the first need.
    pub(super) fn read_backwards(&self, hir: &Hir) {
        self.backwards.get_or_init(|| backwards(hir));
    }

    /// The part of a match that is the finding.
    pub(super) fn finding(&self, scratch: &mut Scratch, text: &str, whole: &Range<usize>) -> Range<usize> {
        let (engines, group) = match &self.secret {
            Secret::Whole => return whole.clone(),
            Secret::FromDigit => {
                let found = text.as_bytes().get(whole.clone()).unwrap_or_default();
                let digit = found.iter().position(u8::is_ascii_digit).unwrap_or(0);
                return whole.start + digit..whole.end;
            }
            Secret::Group(engines, group) => (engines, group),
        };
        let (short, any) = &**engines;
        let input = Input::new(text).span(whole.clone()).anchored(Anchored::Yes);
        let kept = scratch.secret.get_or_insert_with(|| Groups {
            short: short.as_ref().map(BoundedBacktracker::create_cache),
            any: None,
            captures: any.create_captures(),
        });
        let shortly = short.as_ref().zip(kept.short.as_mut());
        let found =
            shortly.and_then(|(short, cache)| short.try_captures(cache, input.clone(), &mut kept.captures).ok());
        if found.is_none() {
            let cache = kept.any.get_or_insert_with(|| any.create_cache());
            any.captures(cache, input, &mut kept.captures);
        }
        kept.captures.get_group(*group).map_or_else(|| whole.clone(), |span| span.range())
    }
}

/// Whether the group `secret` begins with a digit, ends where the match does, and has no digit before it.
fn is_from_digit(hir: &Hir) -> bool {
    let HirKind::Concat(subs) = hir.kind() else { return false };
    let is_secret =
        |sub: &Hir| matches!(sub.kind(), HirKind::Capture(group) if group.name.as_deref() == Some("secret"));
    let Some(at) = subs.iter().position(is_secret) else { return false };
    let (before, behind) = (subs.get(..at).unwrap_or_default(), subs.get(at + 1..).unwrap_or_default());
    subs.get(at).is_some_and(|secret| Guard::of(secret).begins_with_digit())
        && before.iter().all(|sub| !may_hold_digit(sub))
        && behind.iter().all(|sub| matches!(sub.kind(), HirKind::Look(_)))
}

fn may_hold_digit(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.iter().any(u8::is_ascii_digit),
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().any(|range| range.start() <= '9' && '0' <= range.end())
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().any(|range| range.start() <= b'9' && b'0' <= range.end())
        }
        HirKind::Repetition(repetition) => may_hold_digit(&repetition.sub),
        HirKind::Capture(capture) => may_hold_digit(&capture.sub),
        HirKind::Concat(subs) | HirKind::Alternation(subs) => subs.iter().any(may_hold_digit),
    }
}

fn backwards(hir: &Hir) -> Option<DFA> {
    let config = thompson::Config::new().which_captures(WhichCaptures::None).reverse(true);
    // Of all matches that end there the longest: where the match begins that was found forwards.
    automaton(hir, config, MatchKind::All).ok()
}

fn automaton(hir: &Hir, config: thompson::Config, kind: MatchKind) -> Result<DFA, String> {
    let too_large = || "is too large once compiled; shorten its counted repetitions or its Unicode classes".to_owned();
    let nfa = thompson::Compiler::new().configure(config).build_from_hir(hir).map_err(|_| too_large())?;
    let config = DFA::config().match_kind(kind).cache_capacity(DFA_CACHE_BYTES_MAX).skip_cache_capacity_check(true);
    DFA::builder().configure(config).build_from_nfa(nfa).map_err(|_| too_large())
}

#[cfg(test)]
mod tests {
    use regex_automata::meta::Regex;

    use super::*;

    #[test]
    fn matches_begin_and_end_where_another_engine_says() {
        let text = "aab abab xxkey=abkey=1 a.b@c.de aaaa <<b>> 12-34-56 caab";
        for source in [
            "(?:b|ab|aab)",
            "a+?b",
            "(?:a|ab)(?:c|bab)?",
            "[a-z]+@[a-z.]+",
            "(?:key=)?[a-z]*key=[0-9]",
            "b>{1,2}?",
            "[0-9-]+",
        ] {
            let hir = parse(source).unwrap();
            let engine = Engine::new(&hir, 1 << 20).unwrap();
            let mut scratch = engine.scratch();
            let (mut at, mut found) = (0, Vec::new());
            while let Some(range) = engine.first(&mut scratch, source, text, at..text.len()) {
                assert_eq!(engine.end(&mut scratch, text.as_bytes(), range.start).0, Some(range.end), "{source}");
                at = range.end;
                found.push(range);
            }
            let expected: Vec<_> = Regex::new(source).unwrap().find_iter(text).map(|found| found.range()).collect();
            assert_eq!(found, expected, "{source}");
        }
    }
}
