//! The gate in a Pod, in front of the model beside it: rule sets come from the operator and stay on disk.
//!
//! # Flow
//! [`parse`] reads arguments and environment; [`serve`] puts in force what the folder holds, opens the record, and serves queries
//! on one thread, while another follows the operator.
//!
//! # Guarantees
//! * It starts, and goes on judging, without an operator: by the last rule set that it took, which is checked again.
//! * Before it has a rule set it is not ready and lets nothing through.
//! * A rule set that the record does not name judges nothing.
//! * Past the maximum age of its rule set it refuses every query, unless it was told otherwise; then the record says so.
//! * A query that a policy holds is refused: approvals do not reach gates of a cluster yet.
//!
//! # Limits
//! Alerts are log lines. Everything it is told stays the same for as long as it runs: what changes comes from the operator.
//!
//! # Errors
//! [`Wrong`] says which argument, [`ServeFailure`] why it cannot serve.
//!
//! Knows nothing of Kubernetes but the UIDs and the token that it is given.

mod arguments;
mod keeper;
mod nobody;
mod serve;

pub use arguments::{Arguments, Asked, Wrong, help, parse};
pub use serve::{Resident, ServeFailure, serve};
