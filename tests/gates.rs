//! Rule sets on their way to gates through a real API server: operators as processes, gates as the protocol's own client with
//! tokens of real Pods. Each test has a namespace and operators for nothing but that namespace.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by stopping")]

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

use std::path::Path;
use std::process::Output;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use cluster::Cluster;

/// How often a condition is looked at, and how often at most: a minute.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 1_200;

/// The control plane, with our custom resources.
fn cluster() -> &'static Cluster {
    static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
        let cluster = Cluster::start();
        let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
        done(&cluster.kubectl(&["apply", "--server-side", "-f", crds.to_str().unwrap()], ""));
        done(&cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"], ""));
        cluster
    });
    &CLUSTER
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

/// Looks until there is something to see.
#[track_caller]
fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    for _ in 0..LOOKS_MAX {
        if let Some(found) = look() {
            return found;
        }
        thread::sleep(LOOK_EVERY);
    }
    panic!("not {what} in time")
}
