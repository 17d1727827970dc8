//! Words that are spelled out, `p.r.o.j.e.c.t` or `4 1 1 1`: single letters or digits with one and the same sign between
//! them, read together.
//!
//! Like escapes, spelled words of one neighbourhood share a view with the plain text between and around them. Does not
//! know where one word ends and the next begins when the sign between them is the same.

use std::ops::Range;

use super::decode::DecodeBudget;
use super::map::Map;
use super::{View, ViewKind};

/// Fewest letters that are a spelled word: `e.g. a b c` is none.
const LETTERS_MIN: usize = 4;
/// Bytes from one look to the next: wherever a spelled word stands, one look has two letters and two signs before it.
const STRIDE: usize = 2 * LETTERS_MIN - 4;
/// How far apart spelled words may stand to share a view, and how much plain text around them belongs to it: a phrase.
const NEAR_BYTES: usize = 96;

/// Adds the views of spelled words.
pub(super) fn views(text: &str, budget: &mut DecodeBudget, views: &mut Vec<View>) {
    let mut near: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while let Some(run) = next_run(text.as_bytes(), at) {
        at = run.end;
        if near.last().is_some_and(|last| run.start - last.end > NEAR_BYTES) {
            view(text, &near, budget, views);
            near.clear();
        }
        near.push(run);
    }
    view(text, &near, budget, views);
}

fn view(text: &str, near: &[Range<usize>], budget: &mut DecodeBudget, views: &mut Vec<View>) {
    let (Some(first), Some(last)) = (near.first(), near.last()) else { return };
    let start = text.floor_char_boundary(first.start.saturating_sub(NEAR_BYTES));
    let end = text.ceil_char_boundary(last.end.saturating_add(NEAR_BYTES).min(text.len()));
    if !budget.take_bytes(end - start) {
        return;
    }
    let (mut said, mut map) = (String::with_capacity(end - start), Map::default());
    let plain = |range: Range<usize>, said: &mut String, map: &mut Map| {
        map.copy(range.len(), range.start);
        said.push_str(text.get(range).unwrap_or_default());
    };
    let mut at = start;
    for run in near {
        plain(at..run.start, &mut said, &mut map);
        for letter in run.clone().step_by(2) {
            said.push_str(text.get(letter..=letter).unwrap_or_default());
            map.replace(1, letter..(letter + 2).min(run.end));
        }
        at = run.end;
    }
    plain(at..end, &mut said, &mut map);
    views.push(View::new(ViewKind::Spelled, said, map));
}

/// The next spelled word that begins at `from` or later: from its first letter to its last.
fn next_run(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let mut look = from;
    loop {
        let window = bytes.get(look..look + 4)?;
        let sign = match window {
            [a, s, b, t] if s == t && is_sign(*s) && is_letter(*a) && is_letter(*b) => Some(look + 1),
            [s, a, t, b] if s == t && is_sign(*s) && is_letter(*a) && is_letter(*b) => Some(look),
            _ => None,
        };
        let run = sign.map(|sign| around(bytes, from, sign));
        match run {
            Some(run) if run.len() >= 2 * LETTERS_MIN - 1 => return Some(run),
            Some(run) => look = run.end.max(look + STRIDE),
            None => look += STRIDE,
        }
    }
}

/// The spelled word round a sign, which may be too short to be one.
fn around(bytes: &[u8], from: usize, sign: usize) -> Range<usize> {
    let says = bytes.get(sign).copied();
    let at = |index: usize| bytes.get(index).copied();
    let lone = |index: usize| {
        let before = index.checked_sub(1).and_then(at);
        at(index).is_some_and(is_letter) && !before.is_some_and(is_word) && !at(index + 1).is_some_and(is_word)
    };
    let mut start = sign + 1;
    while start >= from + 2 && at(start - 1) == says && lone(start - 2) {
        start -= 2;
    }
    let mut end = sign;
    while at(end) == says && lone(end + 1) {
        end += 2;
    }
    start..end.max(start)
}

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// Letters and digits of any script.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// What stands between letters. Commas and semicolons are left out: they stand between the numbers of lists.
const fn is_sign(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n') || (byte.is_ascii_punctuation() && !matches!(byte, b',' | b';'))
}
