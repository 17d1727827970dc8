//! Tells text from noise in what a run of digits spells, base64 or hexadecimal.
//!
//! Most runs are hashes, keys and numbers, and most of the ways to read a run give noise. A stretch of text worth keeping
//! is long enough to hold some digits whose place is known beforehand, so a look at those few rules out most of a run
//! before anything is written out.
//!
//! Guarantees: finds the very stretches that [`plausible`] finds in the whole of what is spelled. Knows nothing of views
//! and budgets.

use std::ops::Range;

/// Shortest decoded text from base64. Twelve random bytes are all printable once in 150,000.
pub(super) const BASE64_TEXT_MIN: usize = 12;
/// Shortest decoded text from hexadecimal digits.
pub(super) const HEX_TEXT_MIN: usize = 8;
/// Groups of four digits that the shortest text fills, wherever it begins in the first of them.
const WHOLE_GROUPS: usize = (BASE64_TEXT_MIN - 2) / 3;

/// A byte that people write, of ASCII.
const WRITTEN: u8 = 1;
/// A byte that begins a character beyond ASCII.
const LEADS: u8 = 2;
/// A byte that goes on with one.
const FOLLOWS: u8 = 4;

/// What a byte can be in text; nothing for those that never stand in it.
static KINDS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = match byte {
            b'\t' | b'\n' | b'\r' | b' '..=b'~' => WRITTEN,
            0x80..=0xbf => FOLLOWS,
            0xc2..=0xf4 => LEADS,
            _ => 0,
        };
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

fn kind(byte: u8) -> u8 {
    KINDS.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Whether a byte of the second kind can stand behind one of the first. What it says yes to may be noise all the same.
const fn goes_on(first: u8, second: u8) -> bool {
    let next = match first {
        WRITTEN => WRITTEN | LEADS,
        LEADS => FOLLOWS,
        FOLLOWS => WRITTEN | LEADS | FOLLOWS,
        _ => 0,
    };
    second & next != 0
}

/// The bytes that four digits of base64 spell.
const fn three(first: u8, second: u8, third: u8, fourth: u8) -> [u8; 3] {
    [(first << 2) | (second >> 4), (second << 4) | (third >> 2), (third << 6) | fourth]
}

/// The bytes that digits of base64 spell; a last one alone spells none.
pub(super) fn base64_bytes(digits: &[u8]) -> Vec<u8> {
    let mut raw = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    let mut groups = digits.chunks_exact(4);
    for group in groups.by_ref() {
        if let [a, b, c, d] = group {
            raw.extend_from_slice(&three(*a, *b, *c, *d));
        }
    }
    match groups.remainder() {
        [a, b] => raw.extend(three(*a, *b, 0, 0).into_iter().take(1)),
        [a, b, c] => raw.extend(three(*a, *b, *c, 0).into_iter().take(2)),
        _ => {}
    }
    raw
}

/// How many bytes so many digits of base64 spell.
pub(super) const fn base64_length(digits: usize) -> usize {
    digits / 4 * 3 + (digits % 4).saturating_sub(1)
}

/// The bytes that hexadecimal digits spell; a last one alone spells none.
pub(super) fn hex_bytes(digits: &[u8]) -> Vec<u8> {
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some((high << 4) | low),
        _ => None,
    };
    digits.chunks_exact(2).filter_map(byte).collect()
}

/// A stretch of text: where it begins among the bytes that are spelled, and what it says.
pub(super) type Said = (usize, String);

/// The stretches of text in what digits of base64 spell, each of [`BASE64_TEXT_MIN`] bytes or more.
///
/// Wherever such a stretch begins, it fills [`WHOLE_GROUPS`] groups in a row, and one of so many groups in a row is looked
/// at. What is round a group that could be text is written out and read byte by byte.
pub(super) fn base64_texts(digits: &[u8]) -> Vec<Said> {
    let group = |at: usize| digits.get(4 * at..4 * at + 4);
    let could_be = |at: usize| match group(at) {
        Some([a, b, c, d]) => {
            let [first, second, third] = three(*a, *b, *c, *d).map(kind);
            goes_on(first, second) && goes_on(second, third)
        }
        _ => false,
    };
    let mut texts = Vec::new();
    let mut at = WHOLE_GROUPS - 1;
    while at < digits.len() / 4 {
        if !could_be(at) {
            at += WHOLE_GROUPS;
            continue;
        }
        let (mut first, mut behind) = (at, at + 1);
        while first > 0 && could_be(first - 1) {
            first -= 1;
        }
        while could_be(behind) {
            behind += 1;
        }
        if behind - first >= WHOLE_GROUPS {
            // A stretch may begin and end inside the groups on both sides, no further.
            let first = first.saturating_sub(1);
            let raw = base64_bytes(digits.get(4 * first..(4 * behind + 4).min(digits.len())).unwrap_or_default());
            said(&raw, BASE64_TEXT_MIN, 3 * first, &mut texts);
        }
        at = behind + WHOLE_GROUPS;
    }
    texts
}

/// The stretches of text in what hexadecimal digits spell, each of [`HEX_TEXT_MIN`] bytes or more: one byte of so many in a
/// row is looked at, and what is round it as far as it could be text.
pub(super) fn hex_texts(digits: &[u8]) -> Vec<Said> {
    let at_byte = |at: usize| match digits.get(2 * at..2 * at + 2) {
        Some([high, low]) => kind((high << 4) | low),
        _ => 0,
    };
    let mut texts = Vec::new();
    let mut at = HEX_TEXT_MIN - 1;
    while at < digits.len() / 2 {
        let here = at_byte(at);
        let (mut first, mut kind) = (at, here);
        while first > 0 && goes_on(at_byte(first - 1), kind) {
            first -= 1;
            kind = at_byte(first);
        }
        let (mut behind, mut kind) = (at + usize::from(here != 0), here);
        while goes_on(kind, at_byte(behind)) {
            kind = at_byte(behind);
            behind += 1;
        }
        if behind - first >= HEX_TEXT_MIN {
            let raw = hex_bytes(digits.get(2 * first..2 * behind).unwrap_or_default());
            said(&raw, HEX_TEXT_MIN, first, &mut texts);
        }
        at = behind + usize::from(here == 0) + HEX_TEXT_MIN - 1;
    }
    texts
}

fn said(raw: &[u8], text_bytes_min: usize, from: usize, texts: &mut Vec<Said>) {
    let text = |stretch: Range<usize>| {
        let text = std::str::from_utf8(raw.get(stretch.clone())?).ok()?;
        Some((from + stretch.start, text.to_owned()))
    };
    texts.extend(plausible(raw, text_bytes_min).into_iter().filter_map(text));
}

/// The stretches of text in bytes.
pub(super) fn texts(raw: &[u8], text_bytes_min: usize) -> Vec<Said> {
    let mut texts = Vec::new();
    said(raw, text_bytes_min, 0, &mut texts);
    texts
}

/// How many digits are zero.
pub(super) fn zeros(digits: &[u8]) -> usize {
    digits.iter().map(|digit| usize::from(*digit == 0)).sum()
}

/// Whether so many digits of base64 could spell so many zeros that [`wide`] takes them for text. A quarter of all bytes
/// would be zero, every other one; of those, two of three need an `A` each, so there is one for twelve bytes, half a one
/// less at the ends.
pub(super) const fn base64_may_be_wide(zeros: usize, digits: usize) -> bool {
    12 * zeros + 7 >= base64_length(digits)
}

/// The same for hexadecimal digits: each zero is two of them.
pub(super) const fn hex_may_be_wide(zeros: usize, digits: usize) -> bool {
    zeros >= digits / 4
}

/// Whether bytes are UTF-16 of Latin letters, as `powershell -EncodedCommand` takes: every other byte, for the most part, is
/// zero. Says which of the first two bytes begins the text.
pub(super) fn wide(raw: &[u8]) -> Option<usize> {
    let zeros = |skip: usize| raw.iter().skip(skip).step_by(2).filter(|b| **b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let most = raw.len() / 4 + 1;
    match (even, odd) {
        _ if odd >= most && even * 4 < odd => Some(0),
        _ if even >= most && odd * 4 < even => Some(1),
        _ => None,
    }
}

/// The stretches of at least `bytes_min` bytes that are UTF-8 and nothing but what people write.
pub(super) fn plausible(raw: &[u8], bytes_min: usize) -> Vec<Range<usize>> {
    let mut stretches = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
        let plain = rest.iter().take_while(|byte| kind(**byte) == WRITTEN).count();
        at += plain;
        let Some(rest) = rest.get(plain..).filter(|rest| !rest.is_empty()) else { break };
        let first = rest.get(..4).unwrap_or(rest).utf8_chunks().next();
        match first.and_then(|chunk| chunk.valid().chars().next()) {
            Some(c) if is_written(c) => at += c.len_utf8(),
            other => {
                if at - start >= bytes_min {
                    stretches.push(start..at);
                }
                at += other.map_or(1, char::len_utf8);
                start = at;
            }
        }
    }
    if raw.len() - start >= bytes_min {
        stretches.push(start..raw.len());
    }
    stretches
}

fn is_written(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' | ' '..='~' => true,
        '\0'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}' => false,
        _ => c < '\u{20000}' || matches!(c, '\u{e0000}'..='\u{e01ef}'),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The plain way: character by character.
    fn plainly(raw: &[u8], bytes_min: usize) -> Vec<Range<usize>> {
        let mut stretches = Vec::new();
        let (mut start, mut end) = (0, 0);
        let mut close = |start: usize, end: usize| {
            if end - start >= bytes_min {
                stretches.push(start..end);
            }
        };
        for chunk in raw.utf8_chunks() {
            for c in chunk.valid().chars() {
                if !is_written(c) {
                    close(start, end);
                    start = end + c.len_utf8();
                }
                end += c.len_utf8();
            }
            if !chunk.invalid().is_empty() {
                close(start, end);
                end += chunk.invalid().len();
                start = end;
            }
        }
        close(start, end);
        stretches
    }

    fn all(raw: &[u8], bytes_min: usize) -> Vec<Said> {
        let text = |stretch: Range<usize>| (stretch.start, String::from_utf8(raw[stretch].to_vec()).unwrap());
        plainly(raw, bytes_min).into_iter().map(text).collect()
    }

    /// The digits, of so many bits each, that spell these bytes, and the bits left over.
    fn digits(raw: &[u8], bits: usize) -> Vec<u8> {
        let bit = |at: usize| raw.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
        (0..(8 * raw.len()).div_ceil(bits)).map(|at| (0..bits).fold(0, |n, b| n << 1 | bit(at * bits + b))).collect()
    }

    /// Bytes in which text, pieces of characters and noise stand next to each other.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => "[ -~\\n]{0,9}".prop_map(String::into_bytes),
            2 => "[\u{e9}\u{85}\u{2014}\u{4e2d}\u{e001}\u{1f600}\u{20001}\u{e0041}]{1,3}".prop_map(String::into_bytes),
            2 => prop::collection::vec(any::<u8>(), 1..3),
            1 => prop::collection::vec(0x80_u8..0xc8, 1..4),
            1 => prop::sample::select(vec![vec![0xe2, 0x82], vec![0xf0, 0x9f, 0x98], vec![0xc2], vec![0], vec![0xff]]),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn the_stretches_are_those_of_a_plain_reading(raw in bytes()) {
            for least in [1, 4, 8, 12] {
                prop_assert_eq!(plausible(&raw, least), plainly(&raw, least));
            }
        }

        #[test]
        fn a_look_at_a_few_digits_misses_no_text(raw in bytes(), cut in 0_usize..4) {
            let sextets = digits(&raw, 6);
            for digits in [&sextets[..], sextets.get(cut..).unwrap_or_default()] {
                let spelled = base64_bytes(digits);
                prop_assert_eq!(spelled.len(), base64_length(digits.len()));
                prop_assert_eq!(base64_texts(digits), all(&spelled, BASE64_TEXT_MIN));
                prop_assert!(wide(&spelled).is_none() || base64_may_be_wide(zeros(digits), digits.len()));
            }
            let nibbles = digits(&raw, 4);
            for digits in [&nibbles[..], nibbles.get(cut..).unwrap_or_default()] {
                let spelled = hex_bytes(digits);
                prop_assert_eq!(hex_texts(digits), all(&spelled, HEX_TEXT_MIN));
                prop_assert!(wide(&spelled).is_none() || hex_may_be_wide(zeros(digits), digits.len()));
            }
        }

        #[test]
        fn bytes_that_may_be_wide_are_told(zeros in prop::collection::vec(any::<bool>(), 0..80), odd in any::<bool>()) {
            let byte = |(at, zero): (usize, &bool)| if *zero && (at % 2 == 1) == odd { 0 } else { 0xff };
            let raw: Vec<u8> = zeros.iter().enumerate().map(byte).collect();
            for cut in 0..4 {
                let sextets = digits(&raw, 6);
                let digits = sextets.get(cut..).unwrap_or_default();
                let may_be = base64_may_be_wide(super::zeros(digits), digits.len());
                prop_assert!(wide(&base64_bytes(digits)).is_none() || may_be);
            }
            let nibbles = digits(&raw, 4);
            prop_assert!(wide(&raw).is_none() || hex_may_be_wide(super::zeros(&nibbles), nibbles.len()));
        }
    }
}
