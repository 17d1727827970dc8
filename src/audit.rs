//! The record: an entry per event, chained by hashes, in an append-only file that anyone can verify.
//!
//! # Flow
//! The gate appends [`Event::QueryJudged`] before it forwards, and [`Event::QueryCompleted`] soon after the answer ends.
//! [`Log`] writes, [`read`] reads back, [`verify`] checks.
//!
//! # The file
//! A data folder holds `audit.jsonl`, then `audit-000001.jsonl` and so on, each begun when the one before has reached
//! its size. Every line is one entry, JSON, ended by a line feed:
//!
//! ```text
//! {"seq":2,"time":"2026-11-23T06:44:34.120934Z","prev":"sha256:…","event":{"type":"…",…},"hash":"sha256:…"}
//! ```
//!
//! * `hash` is the SHA-256 of the line's bytes before `,"hash":`, exactly as they stand: the line without its line feed
//!   and without its last 82 bytes.
//! * `prev` is the `hash` of the line before, over the bounds of files; sixty-four zeros in the first entry.
//! * `seq` counts from 1 without holes. Entry 1 is `log-started` and carries a random id, so that no two logs share an entry.
//!
//! Hence the whole check, for a stranger without this program:
//!
//! ```text
//! import glob, hashlib, json
//! prev, seq = "sha256:" + "0" * 64, 0
//! for name in ["audit.jsonl"] + sorted(glob.glob("audit-*.jsonl")):
//!     for line in open(name, "rb"):
//!         entry, seq = json.loads(line), seq + 1
//!         assert entry["hash"] == "sha256:" + hashlib.sha256(line[:-83]).hexdigest(), f"entry {seq} was changed"
//!         assert (entry["seq"], entry["prev"]) == (seq, prev), f"something is missing before entry {seq}"
//!         prev = entry["hash"]
//! print(seq, prev)
//! ```
//!
//! One entry: `sed -n 7p audit.jsonl | head -c -83 | sha256sum` against `sed -n 7p audit.jsonl | jq -r .hash`.
//!
//! # Guarantees
//! * Any single edit, removal, duplication or reordering is found by [`verify`]. Entries cut off the end are found against
//!   a [`Head`] that somebody kept; who can rewrite the whole file can only be caught that way, too.
//! * When [`Log::append`] returns, the entry is in the kernel: it outlives `kill -9`. It is on the disk within
//!   [`SYNC_EVERY`], or before the return with [`Durability::Synced`].
//! * An entry of [`Log::append_soon`] is in the kernel before any entry appended after it, within [`SYNC_EVERY`] at the
//!   latest; with it go the ends of answers, which nothing waits for.
//! * A torn tail (power loss, a full disk) is set aside at start, never lost, and the repair is itself an entry. A break
//!   elsewhere is never repaired.
//! * Two gates never write the same log.
//! * No entry holds text of a query but in the field `content`, and there only as the policy allows.
//!
//! # Errors
//! [`OpenFailure`], [`AppendFailure`] and [`ReadFailure`]; what `verify` finds is a [`Fault`] in its [`Report`].
//!
//! Knows nothing of HTTP, policies' internals or where time comes from.

mod chain;
mod encode;
mod entry;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod log;
pub mod read;
mod sync;
mod tail;
mod verify;
mod writer;

pub use chain::{Head, HeadParse};
pub use entry::{
    AnswerEnd, Caller, Event, ExceptionRecord, FindingRecord, GapRecord, GrantUsed, Outcome, QueryCompleted,
    QueryJudged,
};
pub use log::{Log, OpenFailure, Opened, Options, in_use};
pub use read::{Entry, ReadFailure};
pub use sync::{Durability, SYNC_EVERY};
pub use verify::{Fault, FaultKind, Report, verify, verify_parts};
pub use writer::AppendFailure;
