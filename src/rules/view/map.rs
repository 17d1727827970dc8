//! Maps offsets of a derived text back to the text it was made from, in segments of constant stride.
//!
//! Knows nothing of characters. Guarantees: monotone, in bounds, one segment per change of stride or gap, not per byte.

use std::ops::Range;

/// How the bytes of a segment correspond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stride {
    /// So many derived bytes for so many original ones, indivisible.
    Step {
        /// Derived bytes per step.
        derived: u8,
        /// Original bytes per step.
        original: u8,
    },
    /// Base64: each byte came from two of four characters. The phase is which byte of its group of three comes first.
    Sextets {
        /// 0, 1 or 2.
        phase: u8,
    },
    /// Every byte stands for the whole original range.
    Block,
}

/// Derived bytes from `derived` on came, step by step, from original bytes from `original` on.
#[derive(Debug, Clone, Copy)]
struct Segment {
    derived: u32,
    original: u32,
    stride: Stride,
}

impl Segment {
    /// The two characters behind the derived byte at `offset` of a segment of base64.
    fn sextet(self, offset: u32, phase: u8) -> Range<usize> {
        let byte = (offset.saturating_sub(self.derived) + u32::from(phase)) as usize;
        let start = self.original as usize + byte / 3 * 4 + byte % 3 - usize::from(phase);
        start..start + 2
    }
}

/// A map from a derived text to its original.
#[derive(Debug, Clone, Default)]
pub(super) struct Map {
    segments: Vec<Segment>,
    /// Length of the derived text so far.
    derived: u32,
    /// End of the last original range.
    original: u32,
}

/// Bodies end far below `u32::MAX`, and expansion is bounded; saturating keeps a map total all the same.
fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Map {
    /// `bytes` derived bytes that are the original bytes from `original` on, unchanged.
    pub(super) fn copy(&mut self, bytes: usize, original: usize) {
        self.push(bytes, original..original + bytes, Stride::Step { derived: 1, original: 1 });
    }

    /// `bytes` derived bytes that stand, indivisibly, for the original bytes of `original`.
    pub(super) fn replace(&mut self, bytes: usize, original: Range<usize>) {
        let (Ok(derived), Ok(length)) = (u8::try_from(bytes), u8::try_from(original.len())) else {
            return self.block(bytes, original);
        };
        self.push(bytes, original, Stride::Step { derived, original: length });
    }

    /// One byte of base64, the given one of its group of three, made from two characters that stand at `original`; further
    /// apart than two bytes when a line break parts them.
    pub(super) fn sextets(&mut self, original: Range<usize>, of_three: usize) {
        let expected = self.segments.last().and_then(|last| match last.stride {
            Stride::Sextets { phase } => Some(last.sextet(self.derived, phase)),
            Stride::Step { .. } | Stride::Block => None,
        });
        let goes_on = expected.is_some_and(|expected| expected == original);
        let Some(phase) = u8::try_from(of_three).ok().filter(|_| goes_on || original.len() == 2) else {
            return self.replace(1, original);
        };
        if !goes_on {
            let stride = Stride::Sextets { phase };
            self.segments.push(Segment { derived: self.derived, original: narrow(original.start), stride });
        }
        self.derived = self.derived.saturating_add(1);
        self.original = narrow(original.end);
    }

    /// So many bytes of base64, the first of them the given one of its group of three, made from characters that stand one
    /// beside the other from `original` on.
    pub(super) fn straight_sextets(&mut self, bytes: usize, original: usize, of_three: usize) {
        if bytes == 0 {
            return;
        }
        let phase = u8::try_from(of_three).unwrap_or(0);
        let segment = Segment { derived: self.derived, original: narrow(original), stride: Stride::Sextets { phase } };
        self.segments.push(segment);
        self.derived = self.derived.saturating_add(narrow(bytes));
        self.original = narrow(segment.sextet(self.derived.saturating_sub(1), phase).end);
    }

    /// A replacement too long for a stride: every derived byte stands for the whole original range.
    fn block(&mut self, bytes: usize, original: Range<usize>) {
        self.segments.push(Segment { derived: self.derived, original: narrow(original.start), stride: Stride::Block });
        self.derived = self.derived.saturating_add(narrow(bytes));
        self.original = narrow(original.end);
    }

    fn push(&mut self, bytes: usize, original: Range<usize>, stride: Stride) {
        if bytes == 0 {
            return;
        }
        let goes_on =
            narrow(original.start) == self.original && self.segments.last().is_some_and(|last| last.stride == stride);
        if !goes_on {
            self.segments.push(Segment { derived: self.derived, original: narrow(original.start), stride });
        }
        self.derived = self.derived.saturating_add(narrow(bytes));
        self.original = narrow(original.end);
    }

    /// The smallest original range that the derived range came from.
    pub(super) fn back(&self, range: Range<usize>) -> Range<usize> {
        let start = self.at(range.start).start;
        if range.is_empty() {
            return start..start;
        }
        start..self.at(range.end - 1).end.max(start)
    }

    /// The original bytes of the derived byte at `offset`; the end of the original for an offset past the end.
    fn at(&self, offset: usize) -> Range<usize> {
        let offset = narrow(offset);
        let index = self.segments.partition_point(|s| s.derived <= offset);
        let Some(segment) = index.checked_sub(1).and_then(|i| self.segments.get(i)) else { return 0..0 };
        if offset >= self.derived {
            return self.original as usize..self.original as usize;
        }
        let start = segment.original as usize;
        match segment.stride {
            Stride::Step { derived, original } => {
                let step = (offset - segment.derived).checked_div(u32::from(derived)).unwrap_or_default();
                let start = start + step as usize * usize::from(original);
                start..start + usize::from(original)
            }
            Stride::Sextets { phase } => segment.sextet(offset, phase),
            Stride::Block => {
                let end = self.segments.get(index).map_or(self.original, |next| next.original);
                start..end as usize
            }
        }
    }
}
