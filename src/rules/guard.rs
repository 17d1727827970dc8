//! Where a pattern can begin: which bytes its first places take, whatever the rest of it says.
//!
//! Most places where a pattern could begin are ruled out by a look at a few bytes, without an engine. [`Guard`] answers
//! for one pattern, [`Guards`] for many at once.
//!
//! Guarantees: a place where a match begins is never ruled out. Knows nothing of rules.

use std::ops::Range;

use regex_syntax::hir::{Class, Hir, HirKind, Look};
use regex_syntax::utf8::Utf8Sequences;

use super::marks::First;

/// How many bytes are looked at: those of a number in groups, or of a prefix and some of its key.
const PLACES: usize = 16;
/// Patterns answered for at once: the bits of a word.
pub(super) const TOGETHER: usize = 64;
/// Bytes after the first that are looked at together.
const TOGETHER_BYTES: usize = 6;
/// Set when a match would begin here only at the edge of a word; the other bits are offsets.
const AT_EDGE: u32 = 1 << 31;
const OFFSETS: u32 = (1 << PLACES) - 1;

/// A set of bytes.
type Bytes = [u64; 4];

const ALL: Bytes = [u64::MAX; 4];
const DIGITS: Bytes = [0x03ff_0000_0000_0000, 0, 0, 0];
/// Digits, letters and the underscore.
const WORD: Bytes = [0x03ff_0000_0000_0000, 0x07ff_fffe_87ff_fffe, 0, 0];

fn add(set: &mut Bytes, from: u8, to: u8) {
    for byte in from..=to {
        if let Some(word) = set.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }
}

fn holds(set: &Bytes, byte: u8) -> bool {
    set.get(usize::from(byte >> 6)).is_some_and(|word| word >> (byte & 63) & 1 == 1)
}

/// What the first bytes of a match can be.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    /// The first byte where a match may begin anywhere.
    free: Bytes,
    /// The first byte where it begins at the edge of a word only.
    edge: Bytes,
    /// The bytes after the first, as far as every match goes.
    then: Vec<Bytes>,
}

impl Guard {
    /// Reads it off a pattern.
    pub(super) fn of(hir: &Hir) -> Self {
        let mut reading = Reading { free: [0; 4], edge: [0; 4], then: vec![[0; 4]; PLACES - 1] };
        let ends = reading.walk(hir, 1);
        let shortest = if ends & (AT_EDGE | 1) != 0 { 0 } else { (ends & OFFSETS).trailing_zeros() as usize };
        let Reading { mut free, edge, mut then } = reading;
        if shortest == 0 {
            free = ALL;
        }
        then.truncate(shortest.saturating_sub(1));
        Self { free, edge, then }
    }

    /// With how many letters, digits and underscores every match begins, when it begins at the edge of a word; else 0.
    pub(super) fn run(&self) -> usize {
        if self.free != [0; 4] || !of_word(&self.edge) {
            return 0;
        }
        1 + self.then.iter().take_while(|set| of_word(set)).count()
    }

    /// How far behind its beginning every match has a digit: the nearest such place; `None` where there is none for all.
    pub(super) fn digit_at(&self) -> Option<u32> {
        let of_digits = |set: &Bytes| set.iter().zip(DIGITS).all(|(set, digits)| set & !digits == 0);
        (1..).zip(&self.then).find(|(_, set)| of_digits(set)).map(|(at, _)| at)
    }

    /// Where every match that begins with [`Guard::run`] letters, digits and underscores has such behind them, as bits.
    pub(super) fn words_at(&self) -> u64 {
        (1..).zip(&self.then).filter(|(_, set)| of_word(set)).fold(1, |bits, (at, _): (u32, _)| bits | 1 << at)
    }

    /// Length of the shortest match, as far as it is known.
    pub(super) const fn shortest(&self) -> usize {
        1 + self.then.len()
    }

    /// Whether some matches begin with a digit, and those at the edge of a word only.
    pub(super) fn begins_words_with_digits(&self) -> bool {
        let some = |set: &Bytes| set.iter().zip(DIGITS).any(|(set, digits)| set & digits != 0);
        some(&self.edge) && !some(&self.free)
    }

    /// Whether a match may begin with a digit.
    pub(super) fn may_begin_with_digit(&self) -> bool {
        [self.free, self.edge].iter().any(|set| set.iter().zip(DIGITS).any(|(set, digits)| set & digits != 0))
    }

    /// Whether every match begins with one.
    pub(super) fn begins_with_digit(&self) -> bool {
        [self.free, self.edge].iter().all(|set| set.iter().zip(DIGITS).all(|(set, digits)| set & !digits == 0))
    }

    /// The same for matches that begin with no digit; `None` where there are none.
    pub(super) fn without_digits(&self) -> Option<Self> {
        let without = |set: &Bytes| {
            let mut set = *set;
            set.iter_mut().zip(DIGITS).for_each(|(set, digits)| *set &= !digits);
            set
        };
        let guard = Self { free: without(&self.free), edge: without(&self.edge), then: self.then.clone() };
        (guard.free != [0; 4] || guard.edge != [0; 4]).then_some(guard)
    }

    /// Whether a match could begin at `start`.
    pub(super) fn admits(&self, text: &[u8], start: usize) -> bool {
        let Some((first, rest)) = text.get(start..).and_then(<[u8]>::split_first) else { return false };
        let begins = holds(&self.free, *first) || (holds(&self.edge, *first) && is_edge(text, start));
        begins && rest.len() >= self.then.len() && self.then.iter().zip(rest).all(|(set, byte)| holds(set, *byte))
    }
}

/// Whether all of a set belong to words.
fn of_word(set: &Bytes) -> bool {
    set.iter().zip(WORD).all(|(set, word)| set & !word == 0)
}

/// Whether one of the bytes before and at a place belongs to a word and the other does not.
#[inline]
fn is_edge(text: &[u8], at: usize) -> bool {
    let word = |at: usize| text.get(at).is_some_and(|byte| is_word(*byte));
    at.checked_sub(1).is_some_and(word) != word(at)
}

/// Which bytes belong to a word, as a table: every text is asked.
static WORDS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = byte.is_ascii_alphanumeric() || byte == b'_';
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

#[inline]
fn is_word(byte: u8) -> bool {
    WORDS.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Follows a pattern from its beginning; offsets at which a node may begin or end are bits.
struct Reading {
    free: Bytes,
    edge: Bytes,
    then: Vec<Bytes>,
}

impl Reading {
    /// Adds what the node takes from each offset on; answers where it may end.
    fn walk(&mut self, hir: &Hir, from: u32) -> u32 {
        if from == 0 {
            return 0;
        }
        match hir.kind() {
            HirKind::Look(Look::WordAscii | Look::WordStartAscii | Look::WordEndAscii) if from & 1 != 0 => {
                (from & !1) | AT_EDGE
            }
            HirKind::Empty | HirKind::Look(_) => from,
            HirKind::Literal(literal) => literal.0.iter().fold(from, |from, byte| self.take(from, &[(*byte, *byte)])),
            HirKind::Class(Class::Bytes(class)) => {
                let ranges: Vec<_> = class.ranges().iter().map(|range| (range.start(), range.end())).collect();
                self.take(from, &ranges)
            }
            HirKind::Class(Class::Unicode(class)) => self.characters(class, from),
            HirKind::Capture(capture) => self.walk(&capture.sub, from),
            HirKind::Concat(subs) => subs.iter().fold(from, |from, sub| self.walk(sub, from)),
            HirKind::Alternation(subs) => subs.iter().fold(0, |ends, sub| ends | self.walk(sub, from)),
            HirKind::Repetition(repetition) => {
                let most = repetition.max.unwrap_or(u32::MAX);
                let (mut ends, mut here) = (if repetition.min == 0 { from } else { 0 }, from);
                let mut times = 0;
                // Each round goes on by a byte at least, or changes nothing.
                while times < most && here != 0 {
                    let next = self.walk(&repetition.sub, here);
                    times += 1;
                    if times >= repetition.min {
                        if ends | next == ends && next == here {
                            break;
                        }
                        ends |= next;
                    } else if next == here {
                        ends |= next;
                        break;
                    }
                    here = next;
                }
                ends
            }
        }
    }

    fn characters(&mut self, class: &regex_syntax::hir::ClassUnicode, from: u32) -> u32 {
        let mut ends = 0;
        for range in class.ranges() {
            if range.end() <= '\u{7f}' {
                let byte = |c: char| u8::try_from(u32::from(c)).unwrap_or(0);
                ends |= self.take(from, &[(byte(range.start()), byte(range.end()))]);
                continue;
            }
            for sequence in Utf8Sequences::new(range.start(), range.end()) {
                ends |=
                    sequence.as_slice().iter().fold(from, |from, bytes| self.take(from, &[(bytes.start, bytes.end)]));
            }
        }
        ends
    }

    /// One byte of these ranges, from each offset on.
    fn take(&mut self, from: u32, ranges: &[(u8, u8)]) -> u32 {
        let fill = |set: &mut Bytes| ranges.iter().for_each(|(low, high)| add(set, *low, *high));
        if from & 1 != 0 {
            fill(&mut self.free);
        }
        if from & AT_EDGE != 0 {
            fill(&mut self.edge);
        }
        for (set, offset) in self.then.iter_mut().zip(1..) {
            if from >> offset & 1 != 0 {
                fill(set);
            }
        }
        let first = u32::from(from & AT_EDGE != 0);
        (((from & OFFSETS) | first) << 1) & OFFSETS
    }
}

/// The guards of up to 64 patterns, by byte.
#[derive(Debug)]
pub(super) struct Guards {
    /// Which patterns' first byte it can be anywhere.
    free: Box<[u64; 256]>,
    /// The same at the edge of a word.
    edge: Box<[u64; 256]>,
    then: Vec<[u64; 256]>,
    /// Whether none begins inside a word.
    pub(super) outside_words: bool,
    /// So far behind its beginning each match has a digit, at one of these places; empty where some have none.
    pub(super) digits_at: Vec<u32>,
    /// Whether one of them may begin with a digit.
    pub(super) first: First,
    /// By number of bytes after the first: which patterns have a match as short.
    fits: Vec<u64>,
}

impl Guards {
    /// One for each 64 of the guards, in their order.
    pub(super) fn of(guards: &[&Guard]) -> Vec<Self> {
        guards.chunks(TOGETHER).map(Self::together).collect()
    }

    fn together(guards: &[&Guard]) -> Self {
        let fits = |length: usize| {
            let fitting = (0..).zip(guards).filter(|(_, guard)| guard.then.len() <= length);
            fitting.fold(0, |bits, (bit, _): (u32, _)| bits | 1 << bit)
        };
        let mut digits_at: Vec<u32> =
            guards.iter().map(|guard| guard.digit_at()).collect::<Option<_>>().unwrap_or_default();
        digits_at.sort_unstable();
        digits_at.dedup();
        let digit_first = guards.iter().any(|guard| guard.may_begin_with_digit());
        let mut all = Self {
            free: Box::new([0; 256]),
            edge: Box::new([0; 256]),
            then: vec![[0; 256]; PLACES - 1],
            outside_words: guards.iter().all(|guard| guard.free.iter().zip(WORD).all(|(set, word)| set & word == 0)),
            digits_at,
            first: if digit_first { First::Any } else { First::NoDigit },
            fits: (0..PLACES - 1).map(fits).collect(),
        };
        for (byte, bit) in (0..=u8::MAX).flat_map(|byte| (0..guards.len()).map(move |bit| (byte, bit))) {
            let Some(guard) = guards.get(bit) else { continue };
            let at = usize::from(byte);
            let put = |row: &mut [u64; 256], is: bool| {
                if let Some(word) = row.get_mut(at) {
                    *word |= u64::from(is) << bit;
                }
            };
            put(&mut all.free, holds(&guard.free, byte));
            put(&mut all.edge, holds(&guard.free, byte) || holds(&guard.edge, byte));
            for (offset, row) in all.then.iter_mut().enumerate() {
                put(row, guard.then.get(offset).is_none_or(|set| holds(set, byte)));
            }
        }
        all
    }

    /// Which patterns could begin at `start`, as bits.
    #[inline]
    pub(super) fn admitted(&self, text: &[u8], start: usize) -> u64 {
        let Some((first, rest)) = text.get(start..).and_then(<[u8]>::split_first) else { return 0 };
        let row = if is_edge(text, start) { &self.edge } else { &self.free };
        self.behind(of(row, *first), rest)
    }

    /// Calls `found` with each place of a stretch where patterns could begin, and those as bits.
    pub(super) fn each(&self, text: &[u8], stretch: Range<usize>, mut found: impl FnMut(usize, u64)) {
        let mut inside = stretch.start.checked_sub(1).and_then(|at| text.get(at)).is_some_and(|byte| is_word(*byte));
        for (byte, at) in text.get(stretch.clone()).unwrap_or_default().iter().zip(stretch.start..) {
            let word = is_word(*byte);
            let possible = of(if word == inside { &self.free } else { &self.edge }, *byte);
            inside = word;
            if possible == 0 {
                continue;
            }
            let left = self.behind(possible, text.get(at + 1..).unwrap_or_default());
            if left != 0 {
                found(at, left);
            }
        }
    }

    /// Which of the patterns go on with these bytes behind their first.
    #[inline]
    fn behind(&self, mut left: u64, rest: &[u8]) -> u64 {
        if let Some(fits) = self.fits.get(rest.len()) {
            left &= fits;
        }
        let (mut rows, mut rest) = (&self.then[..], rest);
        // The first few at once: most texts end a pattern among them, at no place that could be foreseen.
        if let (Some((first, others)), Some((bytes, behind))) =
            (rows.split_first_chunk::<TOGETHER_BYTES>(), rest.split_first_chunk::<TOGETHER_BYTES>())
        {
            left &= first.iter().zip(bytes).fold(left, |left, (row, byte)| left & of(row, *byte));
            (rows, rest) = (others, behind);
        }
        for (row, byte) in rows.iter().zip(rest) {
            if left == 0 {
                break;
            }
            left &= of(row, *byte);
        }
        left
    }
}

#[inline]
fn of(row: &[u64; 256], byte: u8) -> u64 {
    row.get(usize::from(byte)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use regex_automata::meta::Regex;

    use super::super::ascii::parse;
    use super::*;
    use crate::detect;

    #[track_caller]
    fn check(pattern: &str, text: &str, start: usize, expected: bool) {
        let guard = Guard::of(&parse(pattern).unwrap());
        assert_eq!(guard.admits(text.as_bytes(), start), expected, "{pattern} in {text:?} at {start}");
        assert_eq!(Guards::of(&[&guard])[0].admitted(text.as_bytes(), start) == 1, expected, "{pattern} in {text:?}");
    }

    #[test]
    fn places_are_ruled_out_by_their_first_bytes() {
        check(r"\bAKIA[0-9A-Z]{4}", "AKIA12XY", 0, true);
        check(r"\bAKIA[0-9A-Z]{4}", "xAKIA12XY", 1, false);
        check(r"\bAKIA[0-9A-Z]{4}", "AKIA12xY", 0, false);
        check(r"[0-9]{3}-?[0-9]{2}", "123-45", 0, true);
        check(r"[0-9]{3}-?[0-9]{2}", "12345", 0, true);
        check(r"[0-9]{3}-?[0-9]{2}", "1234-", 0, false);
        check(r"[0-9]{3}-?[0-9]{2}", "12-345", 0, false);
        check(r"(?:\b1|\+)[0-9]", "a12", 1, false);
        check(r"(?:\b1|\+)[0-9]", "a+2", 1, true);
        check("(?:ab)*c", "ababc", 0, true);
        check("(?:ab)*c", "ababd", 0, true);
        check("(?:ab)*c", "b", 0, false);
        check("(?:a?)*b", "b", 0, true);
        check("\u{30de}.", "\u{30de}x", 0, true);
        check("ab", "a", 0, false);
        check("ab?", "a", 0, true);
    }

    #[test]
    fn words_that_every_match_begins_with_are_counted() {
        assert_eq!(Guard::of(&parse(r"\b[0-9]{4}[A-Z]+ x").unwrap()).run(), 5);
        assert_eq!(Guard::of(&parse(r"[0-9]{4}").unwrap()).run(), 0);
        assert_eq!(Guard::of(&parse(r"\b[0-9]{2}-?[0-9]").unwrap()).run(), 2);
    }

    #[test]
    fn places_that_every_match_fills_with_digits_or_words_are_known() {
        let known = |pattern| {
            let guard = Guard::of(&parse(pattern).unwrap());
            (guard.digit_at(), guard.words_at())
        };
        assert_eq!(known(r"\b[A-Z]{2} ?[0-9]{2} ?[0-9]"), (Some(3), 0b01011));
        assert_eq!(known(r"\b[A-Z]{1,2}[0-9]{6} ?\("), (Some(2), 0b111_1111));
        assert_eq!(known(r"\b[A-Z]{6} ?[0-9A-Z]{2}[0-9]"), (None, 0b1_1011_1111));
        assert_eq!(known(r"\b[A-Z]{3}[0-9]?"), (None, 0b111));
        assert_eq!(known(r"\+[0-9]{2}|[a-z][0-9]x?"), (Some(1), 0b11));
    }

    #[test]
    fn no_guard_rules_a_match_of_its_detector_out() {
        let text = "call +49 30 901820 or 020 7946 0958, mail a@b.example.com, card 4111 1111 1111 1111, ip 10.1.2.3, \
                    ssn 078-05-1120, AKIAIOSFODNN7EXAMPLE, DE89 3704 0044 0532 0130 00, 00:1A:2B:3C:4D:5E, RSSMRA85T10A562S, \
                    born 12.03.1980, nhs 943 476 5919, bsn: 111222333, 756.9217.0769.85, uid 2341 2341 2346";
        for name in detect::names() {
            let detector = detect::by_name(name).unwrap();
            let guard = Guard::of(&parse(detector.pattern).unwrap());
            for found in Regex::new(detector.pattern).unwrap().find_iter(text) {
                assert!(guard.admits(text.as_bytes(), found.start()), "{name} at {found:?}");
                let byte = |behind: u32| text.as_bytes()[found.start() + behind as usize];
                assert!(guard.digit_at().is_none_or(|behind| byte(behind).is_ascii_digit()), "{name} at {found:?}");
                let words = guard.words_at();
                assert!(
                    (1..u32::try_from(PLACES).unwrap()).all(|at| words >> at & 1 == 0 || is_word(byte(at))),
                    "{name} at {found:?}"
                );
            }
        }
    }
}
