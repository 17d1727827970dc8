//! Numbers that states give to people, with their check digits.
//!
//! Where a number is plain digits with a weak check, it counts when it is written in its official groups, or after a
//! word that names it. Knows nothing of contact or payment data.

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

/// Whether a candidate of a `named!` pattern has its word in front or is written in groups.
fn is_told(candidate: &str) -> bool {
    candidate.starts_with(|c: char| !c.is_ascii_digit()) || candidate.contains([' ', '-', '.', '/'])
}
