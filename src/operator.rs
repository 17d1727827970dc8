//! Policies of a cluster -> a rule set per enrolled workload, and what became of each object in its own status.
//!
//! # Flow
//! Watches bring objects and workloads into a ledger; when nothing has come for a moment, the ledger is settled: each object is
//! read and checked, each workload's policies are compiled with the `compile` that the gate and the command line use, and
//! statuses that changed are written. Nothing is read from the API server in between, and an idle operator writes nothing.
//!
//! # Guarantees
//! * One bad object never stops the others: what was last good of it stays, and its own status says what is wrong.
//! * An object that was bad when this process started may have been good before it: no workload that it could apply to gets
//!   another rule set until it is repaired or deleted.
//! * A status speaks of the generation that it names, and of nothing newer.
//!
//! * Several replicas do the same; the one that leads writes statuses.
//!
//! # Limits
//! Rule sets stay in this process.
//!
//! Knows nothing of queries, nor of how gates are reached.

mod administer;
mod arguments;
mod bulletin;
mod certificates;
mod conditions;
mod desk;
mod ends;
mod exchange;
mod gate_status;
#[cfg(test)]
mod gate_tests;
mod gates;
mod health;
mod kinds;
mod leader;
mod ledger;
mod listing;
mod pods;
mod problems;
mod report;
mod review;
mod rights;
mod run;
mod scope;
mod selection;
mod serving;
mod settle;
mod sighting;
mod signing;
mod status;
mod tally;
mod terms;
#[cfg(test)]
mod tests;
mod watch;
mod webhook;
mod work;
mod workloads;
mod write;

pub use administer::{Administration, NotDone, Whereabouts, administer};
pub use arguments::Arguments;
pub use rights::manifests;
pub use run::{Failure, run};
