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
#[expect(clippy::struct_excessive_bools, reason = "independent answers")]
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
        let mut marks = Self { words: Bits::from_elem(0, count), digits: Bits::from_elem(0, count), ..Self::default() };
        let (blocks, rest) = text.as_chunks::<BLOCK>();
        // One block more than is full, so that what ends with the text is followed by something.
        let mut last = [b' '; BLOCK];
        if let Some(there) = last.get_mut(..rest.len()) {
            there.copy_from_slice(rest);
        }
        let (mut shapes, mut found, mut plain) = (Shapes::default(), Found::default(), true);
        let rows = marks.words.iter_mut().zip(&mut marks.digits);
        for (block, (words, digits)) in blocks.iter().chain([&last]).zip(rows) {
            let kinds = Kinds::of(block);
            (*words, *digits) = (kinds.words, kinds.digits);
            shapes.look(&kinds, &mut found);
            plain &= kinds.printable || block.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~'));
        }
        Self {
            encoded_runs: found.encoded != 0,
            may_be_spelled: found.spelled != 0,
            may_hold_pairs: found.pairs != 0,
            plain,
            ..marks
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

    /// The places of a range that are not inside words: all but letters, digits and underscores behind another one. Of those
    /// the ones with a digit so far behind them, at one of the places of `digits_at`, if there are such.
    pub(super) fn outside_words(&self, range: Range<usize>, digits_at: &[u32], mut each: impl FnMut(usize)) {
        let blocks = range.start / BLOCK..range.end.div_ceil(BLOCK);
        let before = blocks.start.checked_sub(1).and_then(|last| self.words.get(last));
        let mut behind = Moved::<1>::default();
        behind.on(before.copied().unwrap_or_default());
        let digits = pairs(self.digits.get(blocks.start..).unwrap_or_default());
        for ((block, bits), digits) in blocks.clone().zip(self.words.get(blocks).unwrap_or_default()).zip(digits) {
            let first = block * BLOCK;
            let mut places = !(bits & behind.on(*bits)) & digits.any(digits_at);
            if places == 0 {
                continue;
            }
            places &= u64::MAX << range.start.saturating_sub(first);
            places &= u64::MAX >> (first + BLOCK).saturating_sub(range.end);
            while places != 0 {
                each(first + places.trailing_zeros() as usize);
                places &= places - 1;
            }
        }
    }

    /// Where words begin that are as `wanted`.
    pub(super) fn words(&self, wanted: &Words, mut begins: impl FnMut(usize)) {
        let mut behind = Moved::<1>::default();
        let blocks = (0..).step_by(BLOCK).zip(pairs(&self.words)).zip(pairs(&self.digits));
        for ((first, words), digits) in blocks {
            let mut starts = !behind.on(words.here) & digits.any(&wanted.digits_at);
            if wanted.first == First::NoDigit {
                starts &= !digits.here;
            }
            if starts != 0 {
                starts &= words.all(&wanted.letters);
            }
            while starts != 0 {
                begins(first + starts.trailing_zeros() as usize);
                starts &= starts - 1;
            }
        }
    }
}

/// The length of a run, as a power of two.
type Power = u32;
/// Powers that are looked for: longer runs are several of those.
const POWERS: Power = 3;

/// What a word may begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// A letter or an underscore.
    NoDigit,
    /// A digit as well.
    Any,
}

/// What a word has to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    /// So far behind its beginning stand as many letters, digits and underscores as two to the power of this.
    letters: Vec<(u32, Power)>,
    /// So far behind it stands a digit, at one of these places; empty for anywhere or nowhere.
    digits_at: Vec<u32>,
    first: First,
}

impl Words {
    /// Words with a letter, digit or underscore at each place of `letters`, which are bits, and a digit at one of `digits_at`.
    pub(super) fn of(letters: u64, digits_at: &[u32], first: First) -> Self {
        let (mut runs, mut left) = (Vec::new(), letters);
        while left != 0 {
            let start = left.trailing_zeros();
            let length = (left >> start).trailing_ones();
            // Two that overlap are as good as one of any length; longer ones take more.
            let power = length.ilog2().min(POWERS - 1);
            let step = 1 << power;
            runs.extend((start..start + length - step).step_by(step as usize).map(|at| (at, power)));
            runs.push((start + length - step, power));
            left &= left.checked_shl(start + length).map_or(0, |_| u64::MAX << (start + length));
        }
        Self { letters: runs, digits_at: digits_at.to_vec(), first }
    }
}

/// The bits of a block, and those of the next.
#[derive(Clone, Copy)]
struct Pair {
    here: u64,
    next: u64,
}

fn pairs(bits: &[u64]) -> impl Iterator<Item = Pair> {
    let next = bits.iter().skip(1).chain([&0]);
    bits.iter().zip(next).map(|(here, next)| Pair { here: *here, next: *next })
}

impl Pair {
    /// The bits so far behind each place.
    #[inline]
    const fn behind(self, by: u32) -> Self {
        let by = by % u64::BITS;
        Self { here: self.here >> by | (self.next << 1) << (u64::BITS - 1 - by), next: self.next >> by }
    }

    /// Which places have a bit so far behind them, at one of these; all where there are none.
    #[inline]
    fn any(self, places: &[u32]) -> u64 {
        if places.is_empty() {
            return u64::MAX;
        }
        if self.here | self.next == 0 {
            return 0;
        }
        places.iter().fold(0, |any, place| any | self.behind(*place).here)
    }

    /// Which places have so many bits in a row so far behind them, for each of these.
    #[inline]
    fn all(self, runs: &[(u32, Power)]) -> u64 {
        let twice = |run: Self, length: u32| {
            let moved = run.behind(length);
            Self { here: run.here & moved.here, next: run.next & moved.next }
        };
        let two = twice(self, 1);
        let four = twice(two, 2);
        let run = |power: &Power| match power {
            0 => self,
            1 => two,
            _ => four,
        };
        runs.iter().fold(u64::MAX, |all, (place, power)| all & run(power).behind(*place).here)
    }
}

/// Bits on their way from one block into the next, moved so far.
#[derive(Clone, Copy, Default)]
struct Moved<const BY: u32>(u64);

impl<const BY: u32> Moved<BY> {
    /// The bits moved towards the end, with those of the block before. What is left for the next block is kept as it will
    /// be wanted, since a shift through two words is slow.
    #[inline]
    const fn on(&mut self, bits: u64) -> u64 {
        let moved = bits << BY | self.0;
        self.0 = bits >> (u64::BITS - BY);
        moved
    }
}

/// What the shapes of a block leave to the next.
#[derive(Default)]
struct Shapes {
    letters: (Moved<1>, Moved<2>),
    first: Moved<1>,
    encoded: (Moved<1>, Moved<2>, Moved<4>, Moved<8>),
    lone: (Moved<2>, Moved<4>),
    pairs: (Moved<3>, Moved<6>, Moved<9>),
}

/// Which bytes lie between two, both included.
#[inline]
fn within(bytes: u8x16, first: u8, last: u8) -> u8x16 {
    let from = bytes - u8x16::splat(first);
    from.min(u8x16::splat(last - first)).simd_eq(from)
}

/// Which bytes are no printable ASCII, a bit each.
#[inline]
pub(super) fn unprintable(bytes: &[u8; LANE]) -> u32 {
    !within(u8x16::new(*bytes), b' ', b'~').to_bitmask() & 0xffff
}

#[inline]
fn bits(mask: u8x16) -> u64 {
    u64::from(mask.to_bitmask())
}

/// Where shapes end that are looked for.
#[derive(Default)]
struct Found {
    encoded: u64,
    spelled: u64,
    pairs: u64,
}

/// What the bytes of a block are.
struct Kinds {
    letters: u64,
    digits: u64,
    words: u64,
    encoding: u64,
    /// Whether all are.
    printable: bool,
}

impl Kinds {
    #[inline]
    fn of(block: &[u8; BLOCK]) -> Self {
        let mut kinds = Self { letters: 0, digits: 0, words: 0, encoding: 0, printable: true };
        let mut printable = u8x16::splat(u8::MAX);
        for (at, bytes) in (0..).step_by(LANE).zip(block.as_chunks::<LANE>().0) {
            let bytes = u8x16::new(*bytes);
            let digit = within(bytes, b'0', b'9');
            let letter = within(bytes | u8x16::splat(0x20), b'a', b'z') | digit;
            let word = letter | bytes.simd_eq(u8x16::splat(b'_'));
            // `+` and `/` differ in one bit.
            let sign = (bytes | u8x16::splat(4)).simd_eq(u8x16::splat(b'/')) | bytes.simd_eq(u8x16::splat(b'-'));
            kinds.letters |= bits(letter) << at;
            kinds.digits |= bits(digit) << at;
            kinds.words |= bits(word) << at;
            kinds.encoding |= bits(word | sign) << at;
            printable &= within(bytes, b' ', b'~');
        }
        kinds.printable = printable.to_bitmask() == 0xffff;
        kinds
    }
}

impl Shapes {
    /// Looks for shapes in the next block.
    #[inline]
    fn look(&mut self, kinds: &Kinds, found: &mut Found) {
        let two = kinds.encoding & self.encoded.0.on(kinds.encoding);
        let four = two & self.encoded.1.on(two);
        let eight = four & self.encoded.2.on(four);
        found.encoded |= eight & self.encoded.3.on(eight);

        let letters = kinds.letters;
        let after_letter = self.letters.0.on(letters);
        let lone = !letters & self.first.on(letters & !after_letter);
        let two = lone & self.lone.0.on(lone);
        found.spelled |= two & self.lone.1.on(two);

        let pair = !letters & after_letter & self.letters.1.on(letters);
        let two = pair & self.pairs.0.on(pair);
        let four = two & self.pairs.1.on(two);
        found.pairs |= four & self.pairs.2.on(four);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Where words begin that have letters and one of the digits at these places, byte by byte.
    fn words(text: &[u8], letters: u64, digits_at: &[u32]) -> Vec<usize> {
        let word = |at: usize| text.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let lettered = |at: usize| (0..64).all(|place| letters >> place & 1 == 0 || word(at + place));
        let begins = |at: &usize| (*at == 0 || !word(at - 1)) && lettered(*at) && numbered(text, *at, digits_at);
        (0..text.len()).filter(begins).collect()
    }

    fn numbered(text: &[u8], at: usize, digits_at: &[u32]) -> bool {
        let digit = |place: &u32| text.get(at + *place as usize).is_some_and(u8::is_ascii_digit);
        digits_at.is_empty() || digits_at.iter().any(digit)
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
        let lettered = [1, 0b11, 0b111, 0b11_1111, 0b111_1101, 0xf7bf, 0xffff, 0x1_ffff_ffff, u64::MAX, 1 | 1 << 63];
        for letters in lettered {
            for digits_at in [&[][..], &[1], &[2, 5], &[15, 63]] {
                let (mut any, mut lettered) = (Vec::new(), Vec::new());
                marks.words(&Words::of(letters, digits_at, First::Any), |at| any.push(at));
                let mut expected = words(text, letters, digits_at);
                assert_eq!(any, expected, "{letters:b} {digits_at:?} in {text:?}");
                marks.words(&Words::of(letters, digits_at, First::NoDigit), |at| lettered.push(at));
                expected.retain(|at| !text[*at].is_ascii_digit());
                assert_eq!(lettered, expected, "{letters:b} {digits_at:?} in {text:?}");
            }
        }
        for range in [0..text.len(), text.len() / 3..text.len() / 2, text.len() / 2..text.len(), 0..0] {
            for digits_at in [&[][..], &[1], &[2, 15]] {
                let mut found = Vec::new();
                marks.outside_words(range.clone(), digits_at, |at| found.push(at));
                let word = |at: usize| text[at].is_ascii_alphanumeric() || text[at] == b'_';
                let outside = |at: &usize| *at == 0 || !word(*at) || !word(*at - 1);
                let expected: Vec<usize> =
                    range.clone().filter(|at| outside(at) && numbered(text, *at, digits_at)).collect();
                assert_eq!(found, expected, "{text:?}");
            }
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
