//! What the bytes of a text are, a bit each: one reading that most later ones go by, since most texts hold nothing for them.
//!
//! Guarantees: bits and answers are as a reading byte by byte would give them; where an answer says `may`, a yes may be
//! wrong, a no never is. Knows nothing of what is looked for.

use std::ops::Range;

use smallvec::SmallVec;
use wide::u8x16;

/// Bytes of a block.
const BLOCK: usize = 64;
/// Bytes of a block that are looked at together.
pub(super) const LANE: usize = 16;

/// The bits of short texts, which are many, need no memory of their own.
type Bits = SmallVec<[u64; 4]>;

/// The bits of a text. Bit 0 of a block is its first byte.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// ASCII letters, digits and underscores.
    words: Bits,
    /// ASCII digits.
    digits: Bits,
    /// Whether 16 characters of base64 in a row stand somewhere.
    pub(super) encoded_runs: bool,
    /// Whether eight bytes in hexadecimal may be written with one sign between them.
    pub(super) may_hold_pairs: bool,
    /// Whether four letters may be written with one sign between them.
    pub(super) may_be_spelled: bool,
    /// Whether all is printable ASCII, tabs and line breaks.
    pub(super) plain: bool,
}

impl Marks {
    /// Reads a text.
    pub(super) fn of(text: &[u8]) -> Self {
        let count = text.len() / BLOCK + 1;
        let mut reading = Reading {
            marks: Self { words: Bits::with_capacity(count), digits: Bits::with_capacity(count), ..Self::default() },
            before: Shapes::default(),
            encoded: 0,
            spelled: 0,
            pairs: 0,
            plain: true,
        };
        let (blocks, rest) = text.as_chunks::<BLOCK>();
        for block in blocks {
            reading.block(block);
        }
        // One block more than is full, so that what ends with the text is followed by something.
        let mut last = [b' '; BLOCK];
        if let Some(there) = last.get_mut(..rest.len()) {
            there.copy_from_slice(rest);
        }
        reading.block(&last);
        Self {
            encoded_runs: reading.encoded != 0,
            may_be_spelled: reading.spelled != 0,
            may_hold_pairs: reading.pairs != 0,
            plain: reading.plain,
            ..reading.marks
        }
    }

    /// How many ASCII digits there are.
    pub(super) fn digits(&self) -> usize {
        self.digits.iter().map(|bits| bits.count_ones() as usize).sum()
    }

    /// Runs of ASCII digits.
    pub(super) fn digit_runs(&self) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for (first, bits) in (0..).step_by(BLOCK).zip(&self.digits).filter(|(_, bits)| **bits != 0) {
            let mut left = *bits;
            while left != 0 {
                let skipped = left.trailing_zeros();
                let length = (left >> skipped).trailing_ones();
                let start = first + skipped as usize;
                let end = start + length as usize;
                match runs.last_mut() {
                    Some(run) if run.end == start => run.end = end,
                    _ => runs.push(start..end),
                }
                left &= left.checked_shl(skipped + length).map_or(0, |_| u64::MAX << (skipped + length));
            }
        }
        runs
    }

    /// The places of a range that are not inside words: all but letters, digits and underscores behind another one.
    pub(super) fn outside_words(&self, range: Range<usize>, mut each: impl FnMut(usize)) {
        let blocks = range.start / BLOCK..range.end.div_ceil(BLOCK);
        let mut before = blocks.start.checked_sub(1).and_then(|last| self.words.get(last)).copied().unwrap_or_default();
        for (block, bits) in blocks.clone().zip(self.words.get(blocks).unwrap_or_default()) {
            let first = block * BLOCK;
            let mut places = !(bits & follows(before, *bits, 1));
            places &= u64::MAX << range.start.saturating_sub(first);
            places &= u64::MAX >> (first + BLOCK).saturating_sub(range.end);
            before = *bits;
            while places != 0 {
                each(first + places.trailing_zeros() as usize);
                places &= places - 1;
            }
        }
    }

    /// Where runs of at least `length` letters, digits and underscores begin; a run longer than a block is as good as one
    /// of that length.
    pub(super) fn runs(&self, length: usize, mut begins: impl FnMut(usize)) {
        let length = length.clamp(1, BLOCK);
        let mut before = 0;
        let next = self.words.iter().skip(1).chain([&0]);
        for ((first, bits), next) in (0..).step_by(BLOCK).zip(&self.words).zip(next) {
            let mut runs = u128::from(*next) << BLOCK | u128::from(*bits);
            let mut long = 1;
            while long < length {
                let more = long.min(length - long);
                runs &= runs >> more;
                long += more;
            }
            #[expect(clippy::cast_possible_truncation, reason = "the other half is the next block's")]
            let mut starts = runs as u64 & !follows(before, *bits, 1);
            before = *bits;
            while starts != 0 {
                begins(first + starts.trailing_zeros() as usize);
                starts &= starts - 1;
            }
        }
    }
}

/// The bits moved `by` places towards the end, with those of the block before.
const fn follows(before: u64, bits: u64, by: u32) -> u64 {
    bits << by | before >> (BLOCK as u32 - by)
}

/// The bits that a block leaves to the next.
#[derive(Clone, Copy, Default)]
struct Shapes {
    /// Letters and digits.
    letters: u64,
    /// Letters and digits behind none.
    first: u64,
    /// Encoding characters that end as many in a row: 1, 2, 4, 8.
    encoded: [u64; 4],
    /// What follows one letter, and the second of two such.
    spelled: [u64; 2],
    /// What follows two letters, and the second of two and the fourth of four such.
    pairs: [u64; 3],
}

/// Which bytes lie between two, both included.
#[inline(always)]
fn within(bytes: u8x16, first: u8, last: u8) -> u8x16 {
    let from = bytes - u8x16::splat(first);
    from.min(u8x16::splat(last - first)).simd_eq(from)
}

/// Whether all bytes are printable ASCII.
#[inline]
pub(super) fn all_printable(bytes: &[u8; LANE]) -> bool {
    within(u8x16::new(*bytes), b' ', b'~').to_bitmask() == 0xffff
}

#[inline(always)]
fn bits(mask: u8x16) -> u64 {
    u64::from(mask.to_bitmask())
}

struct Reading {
    marks: Marks,
    before: Shapes,
    encoded: u64,
    spelled: u64,
    pairs: u64,
    plain: bool,
}

impl Reading {
    fn block(&mut self, block: &[u8; BLOCK]) {
        let (mut letters, mut digits, mut lines, mut signs, mut printable) = (0, 0, 0, 0, 0);
        for (at, bytes) in (0..).step_by(LANE).zip(block.as_chunks::<LANE>().0) {
            let bytes = u8x16::new(*bytes);
            let low = bytes | u8x16::splat(0x20);
            let letter = within(low, b'a', b'z');
            let digit = within(bytes, b'0', b'9');
            let line = bytes.simd_eq(u8x16::splat(b'_'));
            // `+` and `/` differ in one bit.
            let sign = (bytes | u8x16::splat(4)).simd_eq(u8x16::splat(b'/')) | bytes.simd_eq(u8x16::splat(b'-'));
            letters |= bits(letter | digit) << at;
            digits |= bits(digit) << at;
            lines |= bits(line) << at;
            signs |= bits(sign) << at;
            printable |= bits(within(bytes, b' ', b'~')) << at;
        }
        if printable != u64::MAX {
            let odd = |(byte, at): (&u8, u32)| printable >> at & 1 == 0 && !matches!(byte, b'\t' | b'\n' | b'\r');
            self.plain &= !block.iter().zip(0..).any(odd);
        }
        self.marks.words.push(letters | lines);
        self.marks.digits.push(digits);
        self.shapes(letters, letters | lines | signs);
    }

    #[inline(always)]
    fn shapes(&mut self, letters: u64, encoding: u64) {
        let before = self.before;
        let mut encoded = [encoding; 4];
        for (of, by) in [1, 2, 4].into_iter().enumerate() {
            encoded[of + 1] = encoded[of] & follows(before.encoded[of], encoded[of], by);
        }
        self.encoded |= encoded[3] & follows(before.encoded[3], encoded[3], 8);

        let after_letter = follows(before.letters, letters, 1);
        let first = letters & !after_letter;
        let lone = !letters & follows(before.first, first, 1);
        let two_lone = lone & follows(before.spelled[0], lone, 2);
        self.spelled |= two_lone & follows(before.spelled[1], two_lone, 4);

        let pair = !letters & after_letter & follows(before.letters, letters, 2);
        let two = pair & follows(before.pairs[0], pair, 3);
        let four = two & follows(before.pairs[1], two, 6);
        self.pairs |= four & follows(before.pairs[2], four, 9);
        self.before = Shapes { letters, first, encoded, spelled: [lone, two_lone], pairs: [pair, two, four] };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Where words of at least `length` bytes begin, byte by byte.
    fn runs(text: &[u8], length: usize) -> Vec<usize> {
        let word = |at: usize| text.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let begins = |at: &usize| (*at == 0 || !word(at - 1)) && (*at..at + length).all(word);
        (0..text.len()).filter(begins).collect()
    }

    /// Whether a shape stands somewhere: `l` for a letter or digit, `.` for anything else and the end. A shape of lone letters
    /// begins behind no other.
    fn shaped(text: &[u8], shape: &str) -> bool {
        let is = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphanumeric);
        (0..=text.len()).any(|start| {
            shape.bytes().enumerate().all(|(i, wanted)| match wanted {
                b'l' => is(start + i),
                _ => !is(start + i),
            }) && !(shape.starts_with("l.l") && start > 0 && is(start - 1))
        })
    }

    fn check(text: &[u8]) {
        let marks = Marks::of(text);
        let encoding = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-/_".contains(byte);
        assert_eq!(marks.encoded_runs, text.windows(16).any(|run| run.iter().all(encoding)), "{text:?}");
        assert_eq!(marks.may_be_spelled, shaped(text, "l.l.l.l."), "{text:?}");
        assert_eq!(marks.may_hold_pairs, shaped(text, "ll.ll.ll.ll.ll.ll.ll."), "{text:?}");
        assert_eq!(marks.plain, text.iter().all(|b| matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~')), "{text:?}");
        assert_eq!(marks.digits(), text.iter().filter(|b| b.is_ascii_digit()).count(), "{text:?}");
        let mut digits = Vec::new();
        for run in marks.digit_runs() {
            assert!(digits.last().is_none_or(|last| *last + 1 < run.start), "{text:?}");
            digits.extend(run);
        }
        let expected: Vec<usize> = (0..text.len()).filter(|at| text[*at].is_ascii_digit()).collect();
        assert_eq!(digits, expected, "{text:?}");
        for length in [1, 2, 3, 6, 8, 11, 16, 33, 64] {
            let mut found = Vec::new();
            marks.runs(length, |at| found.push(at));
            assert_eq!(found, runs(text, length), "{length} in {text:?}");
        }
        for range in [0..text.len(), text.len() / 3..text.len() / 2, text.len() / 2..text.len(), 0..0] {
            let (mut found, mut expected) = (Vec::new(), Vec::new());
            marks.outside_words(range.clone(), |at| found.push(at));
            let word = |at: usize| text[at].is_ascii_alphanumeric() || text[at] == b'_';
            expected.extend(range.filter(|at| *at == 0 || !word(*at) || !word(*at - 1)));
            assert_eq!(found, expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn marks_say_what_a_reading_byte_by_byte_says(
            pieces in prop::collection::vec("[a-z0-9_]{0,40}|([0-9a-f]{2}[ :-]){5,9}|([a-z][. ]){2,6}|[ -~\t\né\u{0}\u{7f}]{0,9}", 0..12),
            skip in 0_usize..20,
        ) {
            let text = pieces.concat();
            check(text.as_bytes().get(skip..).unwrap_or_default());
        }
    }

    #[test]
    fn shapes_are_found_wherever_blocks_end() {
        for shape in ["abcdefgh+/-_1234", "a.b.c.d", "70 72 6f 6a 65 63 74 73", "1234567890", "\u{7f}", "ab_cdefghijkl"]
        {
            for before in 0..150 {
                for after in ["", " ", "   x"] {
                    check(format!("{}{shape}{after}", " ".repeat(before)).as_bytes());
                }
            }
        }
    }
}
