//! The operator's half: gates come, prove who they are, and follow what is published for their workload.
//!
//! [`Registry`] is what the server needs from whoever knows the cluster.

mod ports;

pub use ports::{Denied, Offer, PodIdentity, Registry, Rejection, Wait};
