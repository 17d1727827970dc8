//! Countersign: query-level approval in front of open-source language models.
//!
//! This file is the map. Each module is a room with one question it answers; the arrows say who may
//! use whom, and `tests/architecture.rs` holds the code to them.
//!
//! ```text
//! base                      clock, ids, digests, limits, redacted text
//! query      -> base        what was asked: parts, coverage, places
//! wire       -> query       bytes <-> query; route tables per model server
//! detect     -> base        personal data and secrets: patterns with checks
//! rules      -> query, detect        rule set x query -> judgement
//! api        -> base        the resources people write, as they write them
//! compile    -> api, rules, approvals, wire   resources -> rule set and chains, with diagnostics
//! approvals  -> base, rules          hold, chain, vote, timers, release: a pure state machine
//! audit      -> base        entry, hash chain, file, verify
//! telemetry  -> base        metrics and logs, names as closed enums
//! sidecar    -> all above but api    accept, decode, judge, forward | hold | refuse, record
//! standalone -> sidecar ..  the gate without a cluster: policy folder, SQLite, alerts
//! cli        -> standalone ..        one file per verb
//! ```
//!
//! # Invariants
//!
//! * Nothing reaches a model before it has been judged: the only way upstream takes a `Permit` by
//!   value, and a permit is made from a [`rules::Clearance`] or an [`approvals::Release`] only.
//! * What goes upstream is the very bytes that were judged, redactions excepted.
//! * The core rooms (all above `telemetry`) are synchronous and pure: no runtime, no environment,
//!   no clock but the one passed in.

pub mod api;
pub mod approvals;
pub mod audit;
pub mod base;
pub mod compile;
pub mod detect;
pub mod query;
pub mod rules;
#[cfg(feature = "sidecar")]
pub mod sidecar;
#[cfg(feature = "sidecar")]
pub mod telemetry;
pub mod wire;

#[cfg(feature = "standalone")]
pub mod cli;
#[cfg(feature = "standalone")]
pub mod standalone;
