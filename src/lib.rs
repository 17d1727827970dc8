//! Countersign: query-level approval in front of open-source language models.
//!
//! This file is the map. Each module is a room with one question it answers; the arrows say who may
//! use whom, and `tests/architecture.rs` reads this map and holds the code to it.
//!
//! ```text
//! base        clock, ids, digests, limits, redacted text, work apart
//!   -> nothing
//! query       what was asked: parts, coverage, places
//!   -> base
//! wire        bytes <-> query; route tables per model server
//!   -> base, query
//! detect      personal data and secrets: patterns with checks
//!   -> base
//! rules       rule set x query -> judgement
//!   -> base, query, wire, detect
//! api         the resources people write, as they write them
//!   -> base, query
//! approvals   hold, chain, vote, timers, release: a pure state machine
//!   -> base, query, rules
//! compile     resources -> rule set and chains, with diagnostics
//!   -> base, query, wire, detect, rules, api, approvals
//! audit       entry, hash chain, file, verify
//!   -> base, query, rules
//! distribution  rule sets on their way from operator to gate: signed, ordered, checked
//!   -> base, query, wire, rules, api, compile
//! telemetry   metrics and logs, names as closed enums
//!   -> base, query, wire, rules, approvals, audit
//! sidecar     accept, decode, judge, forward | hold | refuse, record
//!   -> base, query, wire, detect, rules, approvals, audit, distribution, telemetry
//! resident    the gate in a Pod: rule sets from its operator, the last one kept on disk
//!   -> base, query, wire, rules, approvals, audit, distribution, telemetry, sidecar
//! standalone  the gate without a cluster: policy folder, SQLite, alerts
//!   -> all above
//! cli         one file per verb
//!   -> all above
//! operator    policies of a cluster -> rule sets and statuses
//!   -> base, query, rules, api, compile, distribution, telemetry
//! ```
//!
//! # Invariants
//!
//! * Nothing reaches a model before it has been judged: the only way upstream takes a `Permit` by
//!   value, and a permit is made from a [`rules::Clearance`], an [`approvals::Release`], an
//!   [`approvals::Carried`] or an [`approvals::Granted`] only.
//! * What goes upstream is the very bytes that were judged, redactions excepted.
//! * The core rooms (all above `distribution`, and what of that is not a connection: all but its
//!   `follow`, `serve` and `stream`) are synchronous and pure: no runtime, no environment, no clock
//!   but the one passed in.

pub mod api;
pub mod approvals;
pub mod audit;
pub mod base;
pub mod compile;
pub mod detect;
#[cfg(feature = "sidecar")]
pub mod distribution;
#[cfg(feature = "operator")]
pub mod operator;
pub mod query;
#[cfg(feature = "sidecar")]
pub mod resident;
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
