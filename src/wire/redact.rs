//! Writes a body again with nothing but the redacted characters changed: key order, number spelling, white space and
//! escapes elsewhere stay as the client wrote them.
//!
//! # Flow
//! Marks are gathered per part; the parts are gone through from the last to the first, so that marks inside nested JSON
//! become marks of the string that holds it, and those of strings in the body become ranges of the body.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use super::json::Ranges;
use crate::query::{Origin, PartId, PartKind, Query};

/// One replacement: these bytes of a part's text become `text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Which part.
    pub part: PartId,
    /// Which bytes of its text.
    pub range: Range<usize>,
    /// What stands there instead: printable ASCII without quotes and backslashes.
    pub text: String,
}

/// Why a body cannot be redacted; the query is refused then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedactError {
    /// The part is a number or a word with meaning to the server.
    #[error("`{place}` cannot be redacted")]
    NotRedactable {
        /// Where.
        place: String,
    },
    /// The mark has characters that would need escapes, or the range cuts a character.
    #[error("the redaction of `{place}` is not possible as asked")]
    BadMark {
        /// Where.
        place: String,
    },
}

/// Bytes to replace, and the mark whose text replaces them.
#[derive(Debug, Clone)]
struct Cut {
    range: Range<usize>,
    /// The mark's position in the list; of merged cuts the lowest.
    mark: usize,
}

/// The body with the marks in place of what they cover. Overlapping marks are merged, the first one's text wins.
pub fn redact(query: &Query, marks: &[Mark]) -> Result<Bytes, RedactError> {
    if marks.is_empty() {
        return Ok(query.body().clone());
    }
    let mut by_part: BTreeMap<PartId, Vec<Cut>> = BTreeMap::new();
    for (index, mark) in marks.iter().enumerate() {
        check(query, mark)?;
        by_part.entry(mark.part).or_default().push(Cut { range: mark.range.clone(), mark: index });
    }
    let mut body = Vec::new();
    // INVARIANT: a nested part comes after the part that holds it, so popping the last one visits it first.
    while let Some((part, cuts)) = by_part.pop_last() {
        let (raw_cuts, holder) = raw_cuts(query, part, cuts)?;
        match holder {
            Some(holder) => by_part.entry(holder).or_default().extend(raw_cuts),
            None => body.extend(raw_cuts),
        }
    }
    Ok(spliced(query.body(), merged(body), marks))
}

fn check(query: &Query, mark: &Mark) -> Result<(), RedactError> {
    let bad = |place| Err(RedactError::BadMark { place });
    let Some(part) = query.part(mark.part) else { return bad("body".to_owned()) };
    if matches!(part.kind, PartKind::Number | PartKind::Word) {
        return Err(RedactError::NotRedactable { place: query.place(part.place) });
    }
    let plain = mark.text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\');
    let covers = query.text(part).get(mark.range.clone()).is_some_and(|covered| !covered.is_empty());
    if plain && covers { Ok(()) } else { bad(query.place(part.place)) }
}

/// The cuts of a part's text as cuts of the text its leaf was written in: another part's, or, without one, the body.
fn raw_cuts(query: &Query, id: PartId, cuts: Vec<Cut>) -> Result<(Vec<Cut>, Option<PartId>), RedactError> {
    let lost =
        || RedactError::BadMark { place: query.part(id).map(|part| query.place(part.place)).unwrap_or_default() };
    let part = query.part(id).ok_or_else(lost)?;
    let (written, raw, holder) = match part.origin {
        Origin::Body(raw) => (query.body().get(raw.range()), raw, None),
        Origin::Nested { outer, raw } => {
            let text = query.text(query.part(outer).ok_or_else(lost)?);
            (text.as_bytes().get(raw.range()), raw, Some(outer))
        }
    };
    let written = written.and_then(|written| std::str::from_utf8(written).ok()).ok_or_else(lost)?;
    let mut ranges = Ranges::new(written);
    let base = raw.range().start;
    let mut raw_cuts = Vec::with_capacity(cuts.len());
    for cut in merged(cuts) {
        let range = ranges.raw(cut.range).ok_or_else(lost)?;
        raw_cuts.push(Cut { range: base + range.start..base + range.end, mark: cut.mark });
    }
    Ok((raw_cuts, holder))
}

/// In order, overlapping cuts joined.
fn merged(mut cuts: Vec<Cut>) -> Vec<Cut> {
    cuts.sort_by_key(|cut| (cut.range.start, cut.mark));
    let mut out: Vec<Cut> = Vec::with_capacity(cuts.len());
    for cut in cuts {
        match out.last_mut() {
            Some(last) if cut.range.start < last.range.end => {
                last.range.end = last.range.end.max(cut.range.end);
                last.mark = last.mark.min(cut.mark);
            }
            _ => out.push(cut),
        }
    }
    out
}

fn spliced(body: &Bytes, cuts: Vec<Cut>, marks: &[Mark]) -> Bytes {
    let mut out = Vec::with_capacity(body.len());
    let mut kept = 0;
    for cut in cuts {
        out.extend_from_slice(body.get(kept..cut.range.start).unwrap_or_default());
        out.extend_from_slice(marks.get(cut.mark).map(|mark| mark.text.as_bytes()).unwrap_or_default());
        kept = cut.range.end;
    }
    out.extend_from_slice(body.get(kept..).unwrap_or_default());
    out.into()
}
