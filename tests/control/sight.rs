//! An operator that is told which namespaces it is for.

use super::operator::Operator;
use super::{DENY, accepted, apply, cluster, object, until};

fn deployment(name: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, labels: {{countersign.dev/inject: enabled}}}}\nspec:\n  \
         selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    \
         spec: {{containers: [{{name: model, image: model}}]}}\n"
    )
}

/// A kubeconfig of somebody who may read and write everything in these namespaces, and nothing else.
fn tenant(name: &str, namespaces: &[&str]) -> std::path::PathBuf {
    let person = cluster().person(name, &[]);
    for namespace in namespaces {
        let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: all}\n\
                    rules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]\n";
        super::done(&cluster().kubectl(&["apply", "-n", namespace, "-f", "-"], role));
        let binding = ["create", "rolebinding", "all", "-n", namespace, "--role=all", &format!("--user={name}")];
        super::done(&cluster().kubectl(&binding, ""));
    }
    person
}

#[test]
fn an_operator_for_some_namespaces_needs_no_others_and_sees_no_others() {
    let spaces = ["sight-a", "sight-b", "sight-c"].map(|name| cluster().namespace(name));
    for space in &spaces {
        apply(space, "ApprovalPolicy", "p", DENY);
        super::done(&cluster().kubectl(&["create", "-n", space, "-f", "-"], &deployment("llama")));
    }
    let person = tenant("sight-tenant", &["sight-a", "sight-b"]);
    let arguments = ["--watch-namespaces", "sight-a,sight-b", "--cluster-policies", "ignore"];
    let operator = Operator::start_as(person, "sight-a", &arguments);
    operator.ready();
    until("accepted", || accepted("sight-a", "apol/p").and(accepted("sight-b", "apol/p")));
    assert!((operator.metric("countersign_operator_objects{state=\"accepted\"}") - 2.0).abs() < 0.1);
    assert!((operator.metric("countersign_operator_workloads{state=\"current\"}") - 2.0).abs() < 0.1);
    apply("sight-a", "ApprovalPolicy", "q", DENY);
    until("accepted", || accepted("sight-a", "apol/q"));
    assert_eq!(object("sight-c", "apol/p").unwrap()["status"]["conditions"].as_array().map(Vec::len), None);
}

#[test]
fn an_operator_that_may_not_read_the_floor_is_not_ready_unless_it_is_told_to_do_without() {
    let space = cluster().namespace("sight-floor");
    let person = tenant("floor-tenant", &["sight-floor"]);
    let operator = Operator::start_as(person, &space, &["--watch-namespaces", "sight-floor"]);
    until("told", || {
        // Whichever of the watches on what the cluster has was refused first.
        let refused = |line: &serde_json::Value| {
            let error = line["error"].to_string();
            error.contains("forbidden") && error.contains("clusterapproval")
        };
        operator.said().iter().any(refused).then_some(())
    });
    assert!(operator.get("/readyz").starts_with("HTTP/1.1 503"));
}
