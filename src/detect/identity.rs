//! Numbers that states give to people, with their check digits.
//!
//! Where a number is plain digits with a weak check, it counts when it is written in its official groups, or after a
//! word that names it, and never behind the `+` of a telephone number. Knows nothing of contact or payment data.

mod americas;
mod asia_pacific;
mod europe;

pub(super) use americas::TABLE as AMERICAS;
pub(super) use asia_pacific::TABLE as ASIA_PACIFIC;
pub(super) use europe::TABLE as EUROPE;

/// A pattern that may stand after a word that names it, at most forty characters before and without digits between.
macro_rules! named {
    ($words:literal, $number:literal) => {
        concat!(r"(?:(?i-u:", $words, r")[ -/:-~]{0,40}?)?(?-u:\b)(?<secret>", $number, r")(?-u:\b)")
    };
}
use named;

use super::Detector;

/// Whether a candidate of a `named!` pattern has its word in front or is written in groups.
fn is_told(candidate: &str) -> bool {
    follows_its_word(candidate) || candidate.contains([' ', '-', '.', '/'])
}

/// Whether a candidate of a `named!` pattern has its word in front: for numbers whose groups are those of telephone
/// numbers.
fn follows_its_word(candidate: &str) -> bool {
    candidate.starts_with(|c: char| !c.is_ascii_digit())
}

/// Whether the detector is one of these tables.
pub(super) fn holds(detector: &Detector) -> bool {
    [AMERICAS, EUROPE, ASIA_PACIFIC].into_iter().flatten().any(|row| row.name == detector.name)
}

/// Whether what begins at `start` stands behind a `+`, or a `+` and a country code: `+14155552671`, `+1 (415) 555-2671`.
pub(super) fn is_dialled(text: &str, start: usize) -> bool {
    let before = text.as_bytes().get(..start).unwrap_or_default();
    let before = strip(before, 2, |b| matches!(b, b' ' | b'-' | b'.' | b'/' | b'('));
    let spaced = before.len() < start;
    let code = strip(before, 3, |b| b.is_ascii_digit());
    code.ends_with(b"+") && (!spaced || code.len() < before.len())
}

/// Without at most `count` such bytes at the end.
fn strip(bytes: &[u8], count: usize, is_one: impl Fn(u8) -> bool) -> &[u8] {
    let ends = bytes.iter().rev().take(count).take_while(|b| is_one(**b)).count();
    bytes.get(..bytes.len() - ends).unwrap_or_default()
}
