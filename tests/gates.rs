//! Rule sets on their way to gates through a real API server: operators as processes, gates as the protocol's own client with
//! tokens of real Pods. Each test has a namespace and operators for nothing but that namespace.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by stopping")]

#[path = "support/api_server.rs"]
mod api_server;
#[path = "gates/bed.rs"]
mod bed;
#[path = "gates/claims.rs"]
mod claims;
#[path = "support/cluster.rs"]
mod cluster;
#[path = "gates/ends.rs"]
mod ends;
#[path = "gates/gate.rs"]
mod gate;
#[path = "control/operator.rs"]
mod operator;
#[path = "gates/propagation.rs"]
mod propagation;
#[path = "gates/restarts.rs"]
mod restarts;
#[path = "gates/rights.rs"]
mod rights;
#[path = "gates/whole.rs"]
mod whole;

use api_server::{LOOK_EVERY, cluster, done, told, until};
