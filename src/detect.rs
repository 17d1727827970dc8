//! Personal data and secrets: a table of detectors, each a pattern, its required literals and a check.
//!
//! # Flow
//! `rules` compiles the patterns of the detectors that policies name into its one-pass matcher and calls
//! [`Detector::confirms`] on each candidate; [`find`] does the same for a single text, for tests and tools.
//!
//! # Guarantees
//! * Patterns are plain ASCII regular expressions without look-around, of bounded length; what they cannot say (check
//!   digits, entropy, ranges) the check says.
//! * A detector never panics on any text, and reads each candidate once.
//!
//! # Limits
//! A match is at most 4 KB long, a private key 8 KB: of a longer one, the first 5,600 bytes of the body are found.
//!
//! Knows nothing of queries, rules or policies.

mod check;
mod contact;
mod find;
mod identity;
mod payment;
mod secret;
mod table;
mod template;

pub use find::{Hit, find};
pub use table::{Alone, Detector, Group, by_name, group, groups, named, names};

#[cfg(test)]
mod tests;
