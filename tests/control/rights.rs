//! The operator with the rights of `config/rbac/` and no others, in a cluster of its own, because it looks at all namespaces.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::operator::Operator;
use super::{CHAIN, DENY, HOLD, done, told, until, yaml};

/// A kubeconfig of the operator's own account.
fn account(cluster: &Cluster) -> PathBuf {
    let token = done(&cluster.kubectl(&["create", "token", "-n", "countersign-system", "countersign-operator"], ""));
    let mut config: Value = serde_json::from_slice(&std::fs::read(cluster.admin()).unwrap()).unwrap();
    config["users"][0]["user"] = json!({"token": token.trim()});
    let path = cluster.admin().with_file_name("operator.kubeconfig");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

fn deployment() -> &'static str {
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: llama, labels: {countersign.dev/inject: enabled}}\nspec:\n  \
     selector: {matchLabels: {app: llama}}\n  template:\n    metadata: {labels: {app: llama}}\n    \
     spec: {containers: [{name: model, image: model}]}\n"
}

/// Waits, as long as nothing was refused.
#[track_caller]
fn until_seen<T>(operator: &Operator, what: &str, look: impl Fn() -> Option<T>) -> T {
    until(what, || {
        let refused = operator.said().into_iter().find(|line| line.to_string().contains("forbidden"));
        assert_eq!(refused, None);
        look()
    })
}

#[test]
fn the_operator_needs_no_rights_but_those_that_are_written_down() {
    let cluster = Cluster::start();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    done(&cluster.kubectl(&["apply", "--server-side", "-f", root.join("crds").to_str().unwrap()], ""));
    done(&cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"], ""));
    for file in ["own.yaml", "cluster.yaml", "everywhere.yaml"] {
        done(&cluster.kubectl(&["apply", "-f", root.join("config/rbac").join(file).to_str().unwrap()], ""));
    }
    let space = cluster.namespace("models");
    let start = || Operator::start_asked_as(&account(&cluster), "countersign-system", &[]);

    let mut first = start();
    until_seen(&first, "a leader", || first.leads().then_some(()));
    until_seen(&first, "ready", || first.get("/readyz").starts_with("HTTP/1.1 200").then_some(()));
    let apply = |kind: &str, name: &str, spec: &str| {
        done(&cluster.kubectl(&["apply", "-n", &space, "-f", "-"], &yaml(kind, name, spec)));
    };
    apply("ApprovalPolicy", "p", HOLD);
    apply("ApprovalChain", "legal", CHAIN);
    apply("ClusterApprovalChain", "legal", CHAIN);
    apply("ClusterApprovalPolicy", "floor", DENY);
    let except = "policy: {kind: ClusterApprovalPolicy, name: floor}, rules: [a], namespaces: [models], \
                  expiresAt: \"2099-01-01T00:00:00Z\", reason: why, approver: admin";
    apply("ApprovalException", "e", except);
    done(&cluster.kubectl(&["create", "-n", &space, "-f", "-"], deployment()));
    for resource in ["apol/p", "achain/legal", "cachain/legal", "capol/floor", "aex/e"] {
        let accepted = ["wait", "-n", &space, "--for=condition=Accepted", "--timeout=0", resource];
        until_seen(&first, "accepted", || cluster.kubectl(&accepted, "").status.success().then_some(()));
    }
    until_seen(&first, "known", || {
        (first.metric("countersign_operator_workloads{state=\"current\"}") > 0.5).then_some(())
    });
    until_seen(&first, "asked", || {
        let bad = "rules: [{name: a, match: {regex: ['(']}, action: {type: Deny}}]";
        let bad = yaml("ApprovalPolicy", "q", bad);
        let tried = cluster.kubectl(&["create", "--dry-run=server", "-n", &space, "-f", "-"], &bad);
        told(&tried).contains("not a regular expression").then_some(())
    });
    // Everything that is mended and replaced.
    let configuration = "validatingwebhookconfiguration/countersign.countersign-system";
    let patch = r#"[{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": ""}]"#;
    done(&cluster.kubectl(&["patch", configuration, "--type=json", "-p", patch], ""));
    let secret = ["-n", "countersign-system", "secret/countersign-certificates"];
    let patch = r#"[{"op": "replace", "path": "/data/ca.crt", "value": ""}]"#;
    done(&cluster.kubectl(&[&["patch"], &secret[..], &["--type=json", "-p", patch]].concat(), ""));
    let field = |object: &[&str], path: &str| {
        let path = format!("jsonpath={path}");
        done(&cluster.kubectl(&[&["get"], object, &["-o", &path]].concat(), ""))
    };
    until_seen(&first, "mended", || {
        let told = field(&[configuration], "{.webhooks[0].clientConfig.caBundle}");
        (!told.is_empty() && told == field(&secret, "{.data.ca\\.crt}")).then_some(())
    });
    // Another takes over.
    let second = start();
    until_seen(&second, "ready", || second.get("/readyz").starts_with("HTTP/1.1 200").then_some(()));
    first.signal("TERM");
    first.ended();
    until_seen(&second, "a leader", || second.leads().then_some(()));
    until_seen(&first, "nothing refused", || Some(()));
}
