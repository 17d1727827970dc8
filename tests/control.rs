//! The operator as processes, against a real API server: which of several leads, what it looks at, what it serves and with which
//! certificate. One control plane for all of it, ended with this process; each test has namespaces, and operators, of its own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by stopping")]

#[path = "support/api_server.rs"]
mod api_server;
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

use api_server::{LOOK_EVERY, cluster, done, told, until};
use serde_json::Value;

const DENY: &str = "rules: [{name: a, match: {keywords: [merger]}, action: {type: Deny}}]";
const HOLD: &str = "rules: [{name: a, match: {keywords: [merger]}, action: {type: Hold, chain: legal}}]";
const CHAIN: &str = "stages: [{name: legal, approvers: [{group: legal}]}]";

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
