//! The gate in front of one model: accept -> decode -> judge -> forward | hold | refuse -> record.
//!
//! # Guarantees
//! * `forward` takes a permit by value, and a permit comes from a [`crate::rules::Clearance`] or an
//!   [`crate::approvals::Release`] only.
//! * An entry is written before a query is forwarded.
//!
//! Knows nothing of Kubernetes, SQL, files of policies or the command line.

mod ports;

pub use ports::{Alerts, HoldFailure, Holds, RecordFailure, Recorder, Wait};
