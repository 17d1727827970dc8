//! The one text that the automaton reads: all layers of a query one after another, runs of white space folded into one
//! space, so that a phrase matches across line breaks.
//!
//! Guarantees: every range of the buffer maps back to one layer and the bytes of its text. Knows nothing of what is
//! looked for.

use std::ops::Range;

use super::layer::Layers;

/// Stands between the layers in the buffer; no keyword or literal holds it.
const BETWEEN: u8 = 0;
/// Bytes copied at once when none of them is to be folded.
const LANE: usize = 32;

/// All layers one after another, runs of white space folded into one space.
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    segments: Vec<Segment>,
    /// From this offset of the buffer on, the layer's text goes on at that offset.
    steps: Vec<(usize, usize)>,
}

/// One layer in the buffer.
struct Segment {
    start: usize,
    end: usize,
    /// Its part of `steps`.
    steps: Range<usize>,
}

impl Buffer {
    pub(super) fn of(layers: &Layers<'_>) -> Self {
        let size: usize = layers.all.iter().map(|layer| layer.text().len() + 1).sum();
        let mut buffer =
            Self { bytes: Vec::with_capacity(size), segments: Vec::with_capacity(layers.all.len()), steps: Vec::new() };
        for layer in &layers.all {
            let (start, first) = (buffer.bytes.len(), buffer.steps.len());
            buffer.fold_space(layer.text().as_bytes());
            buffer.segments.push(Segment { start, end: buffer.bytes.len(), steps: first..buffer.steps.len() });
            buffer.bytes.push(BETWEEN);
        }
        buffer
    }

    fn fold_space(&mut self, text: &[u8]) {
        self.steps.push((self.bytes.len(), 0));
        let mut at = 0;
        let mut spaced = false;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let (lane, _) = rest.split_at(LANE.min(rest.len()));
            if !spaced && is_plain(lane) {
                self.bytes.extend_from_slice(lane);
                spaced = lane.last() == Some(&b' ');
            } else {
                for (offset, byte) in lane.iter().enumerate() {
                    let space = is_space(*byte);
                    if !(space && spaced) {
                        if spaced && self.resumes_elsewhere(at + offset) {
                            self.steps.push((self.bytes.len(), at + offset));
                        }
                        self.bytes.push(if space { b' ' } else { *byte });
                    }
                    spaced = space;
                }
            }
            at += lane.len();
        }
    }

    /// Whether the byte at `offset` of the text is not where the last step says it is.
    fn resumes_elsewhere(&self, offset: usize) -> bool {
        self.steps.last().is_none_or(|(at, from)| from + (self.bytes.len() - at) != offset)
    }

    /// The layer and the bytes of its text behind a range of the buffer.
    pub(super) fn original(&self, range: Range<usize>) -> Option<(usize, Range<usize>)> {
        let segment = self.segments.partition_point(|segment| segment.end < range.end);
        let found = self.segments.get(segment)?;
        let steps = self.steps.get(found.steps.clone())?;
        let place = |at: usize| {
            let step = steps.get(steps.partition_point(|(from, _)| *from <= at).checked_sub(1)?)?;
            Some(step.1 + (at - step.0))
        };
        let last = range.end.checked_sub(1)?;
        (range.start >= found.start && last < found.end).then_some(())?;
        Some((segment, place(range.start)?..place(last)? + 1))
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Whether a stretch holds no white space but single spaces.
fn is_plain(lane: &[u8]) -> bool {
    let odd = lane.iter().fold(false, |any, b| any | matches!(*b, b'\t'..=b'\r'));
    let double = lane.windows(2).fold(false, |any, pair| any | matches!(pair, [b' ', b' ']));
    !odd && !double
}
