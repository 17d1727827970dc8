//! Escapes of JSON strings: their text, and the way back from a range of the text to the bytes as written.
//!
//! Takes what the reader accepted, so every escape is well formed; anything else would be kept as it is.

use std::ops::Range;

/// Appends the text of a string as written between its quotes.
pub(in crate::wire) fn unescape(raw: &str, out: &mut String) {
    out.reserve(raw.len());
    let mut rest = raw;
    while let Some(at) = backslash(rest.as_bytes()) {
        let (text, len) = escaped(rest.as_bytes().get(at..).unwrap_or_default());
        out.push_str(rest.get(..at).unwrap_or_default());
        out.extend(text);
        rest = rest.get(at + len..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// The first backslash. Escapes often stand close together, so a few bytes are looked at one by one before the search
/// that is fast over long runs.
fn backslash(bytes: &[u8]) -> Option<usize> {
    const CLOSE: usize = 16;
    let near = bytes.get(..CLOSE).unwrap_or(bytes);
    let found = near.iter().position(|byte| *byte == b'\\');
    found.or_else(|| memchr::memchr(b'\\', bytes.get(CLOSE..)?).map(|at| CLOSE + at))
}

/// Finds, for ranges of a string's text asked for in ascending order of their starts, the bytes as written. One pass for
/// all of them.
pub(in crate::wire) struct Ranges<'a> {
    units: Units<'a>,
    /// The unit that was read last, and where its text starts.
    current: Unit,
    text_start: usize,
}

impl<'a> Ranges<'a> {
    /// For the string written as `raw`.
    pub(in crate::wire) fn new(raw: &'a str) -> Self {
        Self { units: Units { raw, at: 0 }, current: Unit { raw: 0..0, text: None }, text_start: 0 }
    }

    /// The bytes that `range` of the text was written as; an escape that is cut counts whole. Ranges must not overlap.
    pub(in crate::wire) fn raw(&mut self, range: Range<usize>) -> Option<Range<usize>> {
        let start = self.seek(range.start, Edge::Start)?;
        let end = if range.is_empty() { start } else { self.seek(range.end, Edge::End)? };
        Some(start..end)
    }

    fn seek(&mut self, offset: usize, edge: Edge) -> Option<usize> {
        loop {
            let text_end = self.text_start + self.current.text_len();
            let inside = match edge {
                Edge::Start => offset < text_end,
                Edge::End => offset <= text_end,
            };
            if inside {
                let skipped = offset.checked_sub(self.text_start)?;
                return Some(match (self.current.text, edge) {
                    (None, _) => self.current.raw.start + skipped,
                    (Some(_), Edge::Start) => self.current.raw.start,
                    (Some(_), Edge::End) => self.current.raw.end,
                });
            }
            let Some(unit) = self.units.next() else {
                return (offset == text_end).then_some(self.current.raw.end);
            };
            self.text_start = text_end;
            self.current = unit;
        }
    }
}

#[derive(Clone, Copy)]
enum Edge {
    Start,
    End,
}

/// A run of plain characters, or one escaped character.
#[derive(Debug, Clone)]
struct Unit {
    raw: Range<usize>,
    text: Option<char>,
}

impl Unit {
    fn text_len(&self) -> usize {
        self.text.map_or(self.raw.len(), char::len_utf8)
    }
}

struct Units<'a> {
    raw: &'a str,
    at: usize,
}

impl Iterator for Units<'_> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        let start = self.at;
        let rest = self.raw.as_bytes().get(start..)?;
        let text = match memchr::memchr(b'\\', rest) {
            _ if rest.is_empty() => return None,
            Some(0) => {
                let (text, len) = escaped(rest);
                self.at += len;
                text
            }
            plain => {
                self.at += plain.unwrap_or(rest.len());
                None
            }
        };
        Some(Unit { raw: start..self.at, text })
    }
}

/// The character of the escape at the start of `rest`, and how many bytes it is written in.
fn escaped(rest: &[u8]) -> (Option<char>, usize) {
    let simple = match rest.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(rest),
        Some(&other) => char::from(other),
        None => return (None, 1),
    };
    (Some(simple), 2)
}

fn unicode(rest: &[u8]) -> (Option<char>, usize) {
    let high = unit(rest, 2);
    if !matches!(high, 0xd800..=0xdbff) {
        return (char::from_u32(high), 6);
    }
    let low = unit(rest, 8);
    (char::from_u32(0x1_0000 + ((high & 0x3ff) << 10 | low & 0x3ff)), 12)
}

fn unit(rest: &[u8], at: usize) -> u32 {
    let digits = rest.get(at..at + 4).unwrap_or_default();
    digits.iter().fold(0, |unit, digit| unit << 4 | char::from(*digit).to_digit(16).unwrap_or(0))
}
