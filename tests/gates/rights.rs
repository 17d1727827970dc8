//! The operator with the rights of `config/rbac/` and no others, through everything that it does.
//!
//! It looks at one namespace, as all operators here, and has its rights in all of them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::bed::{DENY, Space};
use super::gate::Gate;
use super::operator::Operator;
use super::{cluster, done, told, until};

const HOLD: &str = "rules: [{name: a, match: {keywords: [merger]}, action: {type: Hold, chain: legal}}]";
const BAD: &str = "rules: [{name: a, match: {regex: ['(']}, action: {type: Deny}}]";
const LIFT: &str = "policy: {kind: ClusterApprovalPolicy, name: rights}, rules: [a], namespaces: [nowhere], \
                    expiresAt: \"2099-01-01T00:00:00Z\", reason: why, approver: admin";
const CHAIN: &str = "stages: [{name: legal, approvers: [{group: legal}]}]";
/// Where the operator of `config/rbac/` is.
const HOME: &str = "countersign-system";

/// A kubeconfig of the operator's own account.
fn account() -> PathBuf {
    let token = done(&cluster().kubectl(&["create", "token", "-n", HOME, "countersign-operator"], ""));
    let mut config: Value = serde_json::from_slice(&std::fs::read(cluster().admin()).unwrap()).unwrap();
    config["users"][0]["user"] = json!({"token": token.trim()});
    let path = cluster().admin().with_file_name("operator.kubeconfig");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

/// Waits, as long as nothing was refused.
#[track_caller]
fn until_seen<T>(operator: &Operator, what: &str, look: impl Fn() -> Option<T>) -> T {
    until(what, || {
        // What an API server refuses for want of a right has this reason.
        let refused = operator.said().into_iter().find(|line| line.to_string().contains("orbidden"));
        assert_eq!(refused, None);
        look()
    })
}

fn object(kind: &str, name: &str, spec: &str) -> String {
    format!("apiVersion: countersign.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")
}

/// A field of an object of the operator's own, or of the cluster.
fn field(resource: &str, path: &str) -> String {
    done(&cluster().kubectl(&["get", "-n", HOME, resource, "-o", &format!("jsonpath={path}")], ""))
}

/// Breaks a field of such an object.
fn damage(resource: &str, path: &str) {
    let patch = json!([{"op": "replace", "path": path, "value": ""}]).to_string();
    done(&cluster().kubectl(&["patch", "-n", HOME, resource, "--type=json", "-p", &patch], ""));
}

/// Policies and chains of all kinds have a status, and the webhook is asked.
fn is_judged(space: &Space, operator: &Operator) {
    let objects = [
        object("ApprovalPolicy", "p", HOLD),
        object("ApprovalChain", "legal", CHAIN),
        object("ClusterApprovalChain", "rights", CHAIN),
        object("ClusterApprovalPolicy", "rights", DENY),
        object("ApprovalException", "rights", LIFT),
    ];
    done(&space.kubectl(&["apply", "-f", "-"], &objects.join("---\n")));
    for resource in ["apol/p", "achain/legal", "cachain/rights", "capol/rights", "aex/rights"] {
        until_seen(operator, "accepted", || {
            space.condition(resource, "Accepted").filter(|(status, ..)| status == "True")
        });
    }
    until_seen(operator, "asked", || {
        let tried = space.kubectl(&["create", "--dry-run=server", "-f", "-"], &object("ApprovalPolicy", "q", BAD));
        told(&tried).contains("not a regular expression").then_some(())
    });
}

/// What others break is mended.
fn is_mended(operator: &Operator) {
    let configuration = format!("validatingwebhookconfiguration/countersign.{HOME}");
    damage(&configuration, "/webhooks/0/clientConfig/caBundle");
    damage("secret/countersign-certificates", "/data/ca.crt");
    until_seen(operator, "mended", || {
        let told = field(&configuration, "{.webhooks[0].clientConfig.caBundle}");
        (!told.is_empty() && told == field("secret/countersign-certificates", "{.data.ca\\.crt}")).then_some(())
    });
}

/// A gate has what it is to have, a second claimant of its Pod is refused, and what a gate refuses is told.
fn is_followed(space: &Space, operator: &Operator) {
    let pods = space.deploy("llama", 1);
    let anchor = field("secret/countersign-signing", "{.data.anchor}");
    let anchor = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, anchor).unwrap();
    let anchor = String::from_utf8(anchor).unwrap().parse().unwrap();
    let token = space.token(&pods[0], "countersign.dev/gate");
    let gate = Gate::with(token.clone(), anchor, &pods[0], operator);
    until_seen(operator, "in force", || gate.has("merger").then_some(()));
    until_seen(operator, "propagated", || {
        space.condition("apol/p", "Propagated").filter(|(status, ..)| status == "True")
    });
    // Another claims the Pod, and yet another: what happens again is said in the Event that is there.
    for said in ["\"SecondClaimant\"", "\"series\": {"] {
        let second = Gate::with(token.clone(), anchor, &pods[0], operator);
        until_seen(operator, said, || {
            let events = done(&space.kubectl(&["get", "events.events.k8s.io", "-o", "json"], ""));
            events.contains(said).then_some(())
        });
        assert!(second.in_force().is_none());
    }
    drop(gate);
    done(&space.kubectl(&["delete", "deployment/llama"], ""));
    until_seen(operator, "gone", || space.get("mgate/llama").is_none().then_some(()));
}

#[test]
fn the_operator_needs_no_rights_but_those_that_are_written_down() {
    let space = Space::new("rights");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/rbac");
    for file in ["own.yaml", "cluster.yaml", "everywhere.yaml"] {
        done(&cluster().kubectl(&["apply", "-f", folder.join(file).to_str().unwrap()], ""));
    }
    let start = || Operator::start_asked_as(&account(), HOME, &["--watch-namespaces", &space.0]);
    let ready = |operator: &Operator| {
        until_seen(operator, "ready", || operator.get("/readyz").starts_with("HTTP/1.1 200").then_some(()));
    };
    let mut first = start();
    until_seen(&first, "a leader", || first.leads().then_some(()));
    ready(&first);
    is_judged(&space, &first);
    is_mended(&first);
    is_followed(&space, &first);
    // Another takes over.
    let second = start();
    ready(&second);
    first.signal("TERM");
    first.ended();
    until_seen(&second, "a leader", || second.leads().then_some(()));
    until_seen(&first, "nothing refused", || Some(()));
}
