//! Secrets: one table of kinds per theme.
//!
//! Most kinds are a telling prefix and a length; a kind without a prefix of its own needs a word that names it and a
//! value that looks random. Facts from the issuers' documentation and their entries in secret-scanning programmes.
//!
//! Knows nothing of personal data.

mod ai;
mod cloud;
mod code;
mod commerce;
mod generic;
mod messaging;
mod services;

pub(super) use ai::TABLE as AI;
pub(super) use cloud::TABLE as CLOUD;
pub(super) use code::TABLE as CODE;
pub(super) use commerce::TABLE as COMMERCE;
pub(super) use generic::TABLE as GENERIC;
pub(super) use messaging::TABLE as MESSAGING;
pub(super) use services::TABLE as SERVICES;

use super::Detector;
use super::check::varied;

/// What stands for a redacted key or token.
const KEY: &str = "SECRET";

/// A kind told by its own shape: the pattern, and literals of which one is in every match.
const fn key(
    name: &'static str,
    about: &'static str,
    pattern: &'static str,
    keywords: &'static [&'static str],
) -> Detector {
    Detector::new(name, KEY, about, pattern, varied).with(keywords)
}

/// A kind told by the word in front of it: `WORD ... = value`, with at most twenty characters of name between.
macro_rules! assigned {
    ($word:literal, $value:literal) => {
        concat!(
            r"(?i-u:",
            $word,
            r#")[A-Za-z0-9_.\- ]{0,20}["'`]?[ \t]{0,8}(?:=>?|:=?|is)[ \t]{0,8}(?:\\?["'`])?(?<secret>"#,
            $value,
            r")(?-u:\b)"
        )
    };
}
use assigned;
