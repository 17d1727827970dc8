//! Personal data and secrets: a table of detectors, each a pattern, its required literals and a check.
//!
//! # Flow
//! `rules` compiles the patterns of the detectors that policies name into its one-pass matcher and calls
//! [`Detector::confirms`] on each candidate; [`find`] does the same for a single text, for tests and tools.
//!
//! # Guarantees
//! * Patterns are plain ASCII regular expressions without look-around; what they cannot say (check digits, entropy,
//!   context) the check says.
//! * A detector never panics on any text, and reads each candidate once.
//!
//! Knows nothing of queries, rules or policies.

mod table;

pub use table::{Detector, by_name, names};
