//! Looks at the states of a pattern's lazily built automaton before any prompt can: all of them where they are few, those
//! that texts made to be hard lead to where not.
//!
//! Guarantees: no clock and no chance; the same pattern is always judged the same. Knows nothing of rules and queries.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex_automata::hybrid::dfa::DFA;
use regex_automata::nfa::thompson::{self, State, WhichCaptures};
use regex_automata::util::alphabet::Unit;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Hir, HirKind};

use super::limits::{DFA_CACHE_BYTES_MAX, DFA_GROWTH_BYTES_MAX, NFA_BYTES_MAX, PROBE_BYTES};

/// How many of the signs that a pattern tells apart are tried in pairs.
const NARROW_SIGNS: usize = 5;
/// How many inner starts of a pattern are tried.
const INNER_PROBES_MAX: usize = 2;
/// Most steps from state to state until counting all of them would take longer than reading the probe texts.
const STEPS_MAX: usize = 4_000;
/// Most looks at a state and a class of bytes to find out which classes are alike; each takes a hundredth of a step.
const ALIKE_STEPS_MAX: usize = 16_000;

/// Reads probe texts with the lazily built automaton of the pattern, whole and from some of its repetitions on, where a
/// text that begins as it wants would lead it; refuses it when its states are without end. A pattern that is known to have
/// few states needs no reading.
pub(super) fn probe(hir: &Hir) -> Result<(), String> {
    let dfa = automaton(hir)?;
    if is_small(&dfa) {
        return Ok(());
    }
    grows(&dfa)?;
    if let HirKind::Concat(subs) = hir.kind() {
        let repeats = subs.iter().enumerate().skip(1).filter(|(_, sub)| matches!(sub.kind(), HirKind::Repetition(_)));
        for (at, _) in repeats.take(INNER_PROBES_MAX) {
            grows(&automaton(&Hir::concat(subs.get(at..).unwrap_or_default().to_vec()))?)?;
        }
    }
    Ok(())
}

fn refused() -> String {
    "needs more memory than a prompt may cost; shorten its counted repetitions, or make them less ambiguous".to_owned()
}

fn automaton(hir: &Hir) -> Result<DFA, String> {
    let config = thompson::Config::new().which_captures(WhichCaptures::None).nfa_size_limit(Some(NFA_BYTES_MAX));
    let nfa = thompson::Compiler::new().configure(config).build_from_hir(hir).map_err(|_| refused())?;
    let config = DFA::config().cache_capacity(DFA_CACHE_BYTES_MAX);
    DFA::builder().configure(config).build_from_nfa(nfa).map_err(|_| refused())
}

/// Whether all states that any text can lead to take no more than a probe text may add. Every state is left by every kind of
/// byte, so it holds for texts that nobody thought of; where there are too many steps, nothing is known.
fn is_small(dfa: &DFA) -> bool {
    let states = dfa.get_nfa().states().len();
    if states.saturating_mul(dfa.byte_classes().alphabet_len()) > ALIKE_STEPS_MAX {
        return false;
    }
    let bytes = kinds(dfa);
    if states.saturating_mul(bytes.len()) > STEPS_MAX {
        return false;
    }
    let mut cache = dfa.create_cache();
    let fresh = cache.memory_usage();
    let (mut seen, mut open, mut steps) = (BTreeSet::new(), Vec::new(), 0_usize);
    // At the beginning of a text, and behind each kind of byte that an assertion can tell apart.
    for before in [None, Some(b'\n'), Some(b'\r'), Some(b'a'), Some(b' ')] {
        let config = start::Config::new().anchored(Anchored::No).look_behind(before);
        let Ok(state) = dfa.start_state(&mut cache, &config) else { return false };
        open.push(state);
    }
    while let Some(state) = open.pop() {
        if state.is_dead() || !seen.insert(state) {
            continue;
        }
        steps += bytes.len();
        let small = cache.memory_usage().saturating_sub(fresh) <= DFA_GROWTH_BYTES_MAX;
        if steps > STEPS_MAX || !small || dfa.next_eoi_state(&mut cache, state).is_err() {
            return false;
        }
        for byte in &bytes {
            let Ok(next) = dfa.next_state(&mut cache, state, *byte) else { return false };
            open.push(next);
        }
    }
    cache.clear_count() == 0 && cache.memory_usage().saturating_sub(fresh) <= DFA_GROWTH_BYTES_MAX
}

/// One byte of each kind that the pattern's states tell apart. Case makes two classes of a letter where it does not matter;
/// here they are one kind.
fn kinds(dfa: &DFA) -> Vec<u8> {
    let classes = dfa.byte_classes();
    let mut known = BTreeSet::new();
    let mut bytes: Vec<u8> = classes.representatives(..).filter_map(Unit::as_u8).collect();
    bytes.retain(|byte| {
        // What assertions look at, and where each state goes.
        let looks = [*byte == b'\n', *byte == b'\r', is_word_byte(*byte)];
        let goes: Vec<_> = dfa.get_nfa().states().iter().map(|state| next(state, *byte)).collect();
        known.insert((looks, goes))
    });
    bytes
}

/// Where a state of a pattern goes by a byte.
fn next(state: &State, byte: u8) -> Option<StateID> {
    match state {
        State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
        State::Sparse(sparse) => sparse.matches_byte(byte),
        State::Dense(dense) => dense.matches_byte(byte),
        State::Look { .. }
        | State::Union { .. }
        | State::BinaryUnion { .. }
        | State::Capture { .. }
        | State::Fail
        | State::Match { .. } => None,
    }
}

const fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn grows(dfa: &DFA) -> Result<(), String> {
    let mut cache = dfa.create_cache();
    for text in probe_texts(dfa) {
        dfa.reset_cache(&mut cache);
        let mut half = None;
        let mut at = 0;
        // Each match ends a search; the next begins there, as a scan of a whole text would.
        while at < text.len() {
            // The first half by itself, then the second.
            let end = if at < text.len() / 2 { text.len() / 2 } else { text.len() };
            let input = Input::new(&*text).range(at..end).anchored(Anchored::No);
            match dfa.try_search_fwd(&mut cache, &input) {
                Ok(Some(found)) => at = found.offset().max(at + 1),
                Ok(None) => at = input.end(),
                Err(_) => return Err(refused()),
            }
            if half.is_none() && at >= text.len() / 2 {
                half = Some(cache.memory_usage());
            }
        }
        let grown = cache.memory_usage().saturating_sub(half.unwrap_or(0));
        if cache.clear_count() > 0 || grown > DFA_GROWTH_BYTES_MAX {
            return Err(refused());
        }
    }
    Ok(())
}

/// Texts of many scripts, of digits, and of the very bytes that the pattern tells apart, in an order without pattern.
fn probe_texts(dfa: &DFA) -> impl Iterator<Item = Cow<'static, [u8]>> {
    let classes = dfa.byte_classes();
    let own: Vec<u8> = classes.representatives(..).filter_map(Unit::as_u8).filter(u8::is_ascii).collect();
    // Two signs at a time keep a pattern such as `(a|b)*a(a|b){20}` inside itself.
    let narrow: Vec<u8> = own.iter().copied().filter(u8::is_ascii_graphic).take(NARROW_SIGNS).collect();
    let pairs: Vec<Vec<u8>> = narrow.windows(2).map(<[u8]>::to_vec).collect();
    let own_texts = std::iter::once(own).chain(pairs).zip(SHARED.draws.chunks(PROBE_BYTES));
    let own_texts = own_texts.map(|(signs, draws)| Cow::Owned(spelled(draws, &signs)));
    [Cow::Borrowed(SHARED.mixed.as_slice()), Cow::Borrowed(SHARED.digits.as_slice())].into_iter().chain(own_texts)
}

fn spelled(draws: &[u32], signs: &[u8]) -> Vec<u8> {
    let count = u64::try_from(signs.len()).unwrap_or(1);
    // A pattern without signs of its own has a text of none.
    let draws = if signs.is_empty() { &[] } else { draws };
    let sign = |draw: &u32| usize::try_from((u64::from(*draw) * count) >> 31).unwrap_or_default();
    draws.iter().map(|draw| signs.get(sign(draw)).copied().unwrap_or_default()).collect()
}

/// What the probes of all patterns have in common, made once: making it costs more than reading it.
struct Common {
    mixed: Vec<u8>,
    digits: Vec<u8>,
    /// For the texts of a pattern's own signs, one after another.
    draws: Vec<u32>,
}

/// Makes what all probes have in common now, on this thread.
pub(super) fn make_ready() {
    LazyLock::force(&SHARED);
}

static SHARED: LazyLock<Common> = LazyLock::new(|| {
    let mut random = Scramble(0x9e37_79b9_7f4a_7c15);
    let mut mixed = String::new();
    while mixed.len() < PROBE_BYTES {
        let c = match random.below(4) {
            0 => char::from(b' ' + u8::try_from(random.below(95)).unwrap_or(0)),
            1 => char::from_u32(0xc0 + random.below(0x200)).unwrap_or('\u{e9}'),
            2 => char::from_u32(0x400 + random.below(0x100)).unwrap_or('\u{436}'),
            _ => char::from_u32(0x4e00 + random.below(0x1000)).unwrap_or('\u{4e2d}'),
        };
        mixed.push(c);
    }
    let digits: Vec<u32> = (0..PROBE_BYTES).map(|_| random.draw()).collect();
    let draws = (0..PROBE_BYTES * NARROW_SIGNS).map(|_| random.draw()).collect();
    Common { mixed: mixed.into_bytes(), digits: spelled(&digits, b"0123456789 -."), draws }
});

/// A fixed sequence without pattern (xorshift), so that the same rule set is always judged the same.
struct Scramble(u64);

impl Scramble {
    fn draw(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 >> 33).unwrap_or(0)
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.draw() % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ascii::parse;
    use super::*;

    fn small(source: &str) -> bool {
        is_small(&automaton(&parse(source).unwrap()).unwrap())
    }

    #[test]
    fn what_is_small_is_told_without_reading_and_nothing_else_is_called_small() {
        for source in
            [r"\bNG-[0-9]{4,8}\b", r"\bbriol_[a-f0-9]{16}\b", r"riotar(?:-prod)?\.internal\.example\.com", "a"]
        {
            assert!(small(source), "{source}");
        }
        for source in ["(?:a|b)*a(?:a|b){18}c", "[ab]?a[ab]{18}", r"x(?:a|b)*a(?:a|b){18}c"] {
            assert!(!small(source), "{source}");
        }
    }

    #[test]
    fn whatever_is_small_reads_the_probe_texts_within_bounds() {
        for source in
            [r"\bNG-[0-9]{4,8}\b", r"[0-9]{3}-?[0-9]{2}", r"(?m)^key=\w{1,8}$", r"(?i)\btoken[ :]?[a-z0-9]{4,6}"]
        {
            let dfa = automaton(&parse(source).unwrap()).unwrap();
            assert!(!is_small(&dfa) || grows(&dfa).is_ok(), "{source}");
        }
    }
}
