//! Maps offsets of a derived text back to the text it was made from, in segments of constant stride.
//!
//! Knows nothing of characters. Guarantees: monotone, in bounds, one segment per change of stride or gap, not per byte.

use std::ops::Range;

/// How the bytes of a segment correspond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stride {
    /// Derived bytes per step.
    derived: u8,
    /// Original bytes per step.
    original: u8,
}

/// Derived bytes from `derived` on came, step by step, from original bytes from `original` on.
#[derive(Debug, Clone, Copy)]
struct Segment {
    derived: u32,
    original: u32,
    stride: Stride,
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
        self.push(bytes, original..original + bytes, Stride { derived: 1, original: 1 });
    }

    /// `bytes` derived bytes that stand, indivisibly, for the original bytes of `original`.
    pub(super) fn replace(&mut self, bytes: usize, original: Range<usize>) {
        let (Ok(derived), Ok(length)) = (u8::try_from(bytes), u8::try_from(original.len())) else {
            return self.block(bytes, original);
        };
        self.push(bytes, original, Stride { derived, original: length });
    }

    /// A replacement too long for a stride: every derived byte stands for the whole original range.
    fn block(&mut self, bytes: usize, original: Range<usize>) {
        let wide = Stride { derived: 0, original: 0 };
        self.segments.push(Segment { derived: self.derived, original: narrow(original.start), stride: wide });
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
        let Some(step) = (offset - segment.derived).checked_div(u32::from(segment.stride.derived)) else {
            let end = self.segments.get(index).map_or(self.original, |next| next.original);
            return start..end as usize;
        };
        let width = usize::from(segment.stride.original);
        let start = start + step as usize * width;
        start..start + width
    }
}
