//! Everything that is tested against a real API server: one control plane, started by the first test that asks for it and
//! ended with this process. Each test has namespaces of its own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by stopping")]

#[path = "cluster/agreement.rs"]
mod agreement;
#[path = "support/api_server.rs"]
mod api_server;
#[path = "cluster/bed.rs"]
mod bed;
#[path = "support/cluster.rs"]
mod cluster;
#[path = "cluster/exceptions.rs"]
mod exceptions;
#[path = "cluster/operator.rs"]
mod operator;
#[path = "cluster/refusals.rs"]
mod refusals;
#[path = "cluster/resources.rs"]
mod resources;

use std::path::Path;

use api_server::{cluster, done, told, until};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
