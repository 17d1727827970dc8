//! Everything that is tested against a real API server: one control plane, started by the first test that asks for it and
//! ended with this process. Each test has namespaces of its own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by stopping")]

#[path = "cluster/agreement.rs"]
mod agreement;
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
use std::process::Output;
use std::sync::LazyLock;

use cluster::Cluster;

/// The control plane, with our custom resources.
fn cluster() -> &'static Cluster {
    static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
        let cluster = Cluster::start();
        done(&cluster.kubectl(&["apply", "--server-side", "-f", root().join("crds").to_str().unwrap()], ""));
        done(&cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"], ""));
        cluster
    });
    &CLUSTER
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a command printed, which must have succeeded.
#[track_caller]
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", told(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a command complained of.
fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
