//! The operator as processes, against a real API server: which of several leads, what it looks at, what it serves and with which
//! certificate. One control plane for all of it, ended with this process; each test has namespaces, and operators, of its own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by stopping")]

#[path = "support/cluster.rs"]
mod cluster;
#[path = "control/leader.rs"]
mod leader;
#[path = "control/operator.rs"]
mod operator;
#[path = "control/relay.rs"]
mod relay;
#[path = "control/sight.rs"]
mod sight;
#[path = "control/webhook.rs"]
mod webhook;

use std::path::Path;
use std::process::Output;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use cluster::Cluster;
use serde_json::Value;

/// How often a condition is looked at, and how often at most: a minute.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 1_200;

const DENY: &str = "rules: [{name: a, match: {keywords: [merger]}, action: {type: Deny}}]";
const HOLD: &str = "rules: [{name: a, match: {keywords: [merger]}, action: {type: Hold, chain: legal}}]";
const CHAIN: &str = "stages: [{name: legal, approvers: [{group: legal}]}]";

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

/// An object of ours as YAML.
fn yaml(kind: &str, name: &str, spec: &str) -> String {
    format!("apiVersion: countersign.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")
}

fn apply(namespace: &str, kind: &str, name: &str, spec: &str) {
    done(&cluster().kubectl(&["apply", "-n", namespace, "-f", "-"], &yaml(kind, name, spec)));
}

/// An object, if it is there.
fn object(namespace: &str, resource: &str) -> Option<Value> {
    let got = cluster().kubectl(&["get", "-n", namespace, resource, "-o", "json"], "");
    got.status.success().then(|| serde_json::from_slice(&got.stdout).unwrap())
}

/// What the condition `Accepted` of an object's present generation says.
fn accepted(namespace: &str, resource: &str) -> Option<(String, String)> {
    let object = object(namespace, resource)?;
    let conditions = object["status"]["conditions"].as_array()?.clone();
    let accepted = conditions.into_iter().find(|one| one["type"] == "Accepted")?;
    let text = |field: &str| accepted[field].as_str().unwrap_or_default().to_owned();
    (accepted["observedGeneration"] == object["metadata"]["generation"]).then(|| (text("status"), text("message")))
}
