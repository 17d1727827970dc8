//! The record: an entry per event, chained by hashes, in an append-only file that anyone can verify.
//!
//! # Flow
//! The gate appends [`Event::QueryJudged`] before it forwards and [`Event::QueryCompleted`] when the answer ends.
//!
//! # Guarantees
//! * Any single edit, removal or reordering is found by `verify`.
//! * A torn tail (power loss, `kill -9`) is cut at start and the cut is itself an entry.
//! * No entry holds text of a query but in the field `content`, and there only as the policy allows.
//!
//! Knows nothing of HTTP, policies' internals or where time comes from.

mod entry;

pub use entry::{AnswerEnd, Caller, Event, FindingRecord, GapRecord, Outcome, QueryCompleted, QueryJudged};
