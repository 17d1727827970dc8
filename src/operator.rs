//! Policies of a cluster -> a rule set per enrolled workload, given to its gates, and what became of each object in its own
//! status.
//!
//! # Flow
//! Watches bring objects, workloads, Pods and ModelGates into a ledger; when nothing has come for a moment, the ledger is settled:
//! each object that changed is read and checked, each workload that it can touch gets what applies to it, compiled with the
//! `compile` that the gate and the command line use. The leader records in the workload's ModelGate what is to be in force, and
//! how new that is; every replica serves it at its desk, where gates come, and writes down whose they are and what they have.
//! From that the leader makes the statuses of policies. Nothing is read from the API server in between, and an idle operator
//! writes nothing.
//!
//! # Guarantees
//! * One bad object never stops the others: what was last good of it stays, and its own status says what is wrong.
//! * An object that was bad when this process started may have been good before it: no workload that it could apply to gets
//!   another rule set until it is repaired or deleted.
//! * A status speaks of the generation that it names, and of nothing newer. A policy is `Propagated` when every gate that it
//!   selects has acknowledged something that was made of that generation.
//! * What is given out is newer than all that was given out before it, by what is on record; an operator that starts again gives
//!   out nothing.
//! * A Pod belongs to the key that its gate came forward with first, written down before anything is given to it.
//! * Several replicas do the same; the one that leads gives sequences and writes statuses. Every write is of what was seen, and
//!   fails where somebody else has written since.
//!
//! # Limits
//! A thousand Pods with gates in one workload. Enrolment by label only; nothing is injected.
//!
//! Knows nothing of queries, nor of how messages reach gates.

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
