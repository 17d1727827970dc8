//! One control plane with our custom resources for a whole test program, ended with it, and what its tests do with it.

use std::path::Path;
use std::process::Output;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use super::cluster::Cluster;

/// How often a condition is looked at, and how often at most: a minute.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 1_200;

/// The control plane, with our custom resources.
pub(crate) fn cluster() -> &'static Cluster {
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
pub(crate) fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", told(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a command complained of.
pub(crate) fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Looks until there is something to see.
#[track_caller]
pub(crate) fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    for _ in 0..LOOKS_MAX {
        if let Some(found) = look() {
            return found;
        }
        thread::sleep(LOOK_EVERY);
    }
    panic!("not {what} in time")
}
