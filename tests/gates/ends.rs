//! What ends: workloads, namespaces, keys, and the history of a cluster that comes from a backup.

use super::bed::{DENY, DENY_MORE, Space, administer};
use super::gate::Gate;
use super::until;

#[test]
fn a_workload_that_is_deleted_takes_its_model_gate_and_its_gates_streams() {
    let space = Space::new("deleted");
    let operator = space.operator();
    let pods = space.deploy("llama", 1);
    let gate = Gate::start(&space, &pods[0], &operator);
    gate.until_has("merger", false);
    super::done(&space.kubectl(&["delete", "deployment/llama"], ""));
    until("gone", || space.get("mgate/llama").is_none().then_some(()));
    gate.until_lost("not a live one of an enrolled workload");
    let again = space.deploy("llama", 1);
    assert_ne!(again[0].workload, pods[0].workload);
    let gate = Gate::start(&space, &again[0], &operator);
    gate.until_has("merger", false);
    assert_eq!(space.sequence("llama"), Some(1), "another workload of that name");
}

#[test]
fn a_namespace_that_is_deleted_is_gone_and_the_operator_complains_of_nothing() {
    let home = Space::new("ends-home");
    let space = Space::new("ends");
    let spaces = "ends-home,ends";
    let arguments = ["--watch-namespaces", spaces, "--cluster-policies", "ignore"];
    let operator = super::operator::Operator::start(&home.0, &arguments);
    space.apply("p", DENY);
    let pods = space.deploy("llama", 1);
    let token = space.token(&pods[0], "countersign.dev/gate");
    let gate = Gate::with(token, home.anchor(), &pods[0], &operator);
    gate.until_has("merger", true);
    super::done(&space.kubectl(&["delete", "namespace", &space.0, "--wait=false"], ""));
    let gone = || super::cluster().kubectl(&["get", "namespace", "ends"], "");
    until("gone", || (!gone().status.success()).then_some(()));
    let failed = operator.metric("countersign_operator_statuses_total{result=\"failed\"}");
    assert!(failed < 0.5, "{failed}");
}

#[test]
fn what_comes_from_a_backup_is_refused_by_gates_until_an_administrator_begins_a_new_epoch() {
    let space = Space::new("backup");
    let operator = space.operator();
    let pods = space.deploy("llama", 1);
    let mut gate = Gate::start(&space, &pods[0], &operator);
    space.until("mgate/llama", "Ready", "True", "Ready", "1/1/0");
    space.apply("p", DENY);
    space.propagated("p");
    let policy = space.get("apol/p").unwrap()["spec"].clone();
    let backup = space.get("mgate/llama").unwrap()["status"].clone();
    space.apply("p", DENY_MORE);
    space.propagated("p");
    gate.until_has("contract", true);
    drop(operator);
    gate.stop();
    let spec = serde_json::json!({"spec": policy}).to_string();
    super::done(&space.kubectl(&["patch", "apol/p", "--type=merge", "-p", &spec], ""));
    let status = serde_json::json!({"status": backup}).to_string();
    super::done(&space.kubectl(&["patch", "mgate/llama", "--subresource=status", "--type=merge", "-p", &status], ""));

    let operator = space.operator();
    gate.connect(&operator);
    space.until("mgate/llama", "Propagated", "False", "GatesAhead", "0/1/0");
    gate.until_refused("replayed");
    assert!(gate.has("contract"), "the newer one stays in force");
    let said = administer(&["new-epoch", "--namespace", &space.0]);
    assert!(super::done(&said).contains("follows epoch 1"), "{said:?}");
    space.propagated("p");
    gate.until_has("contract", false);
    assert!(gate.in_force().unwrap().0.epoch > 1);
    space.until("mgate/llama", "Propagated", "True", "Acknowledged", "1/1/0");
}

#[test]
fn a_key_hands_over_without_a_new_rule_set_and_gates_of_either_anchor_follow() {
    let space = Space::new("rotation");
    let operator = space.operator();
    space.apply("p", DENY);
    let pods = space.deploy("llama", 2);
    let first = Gate::start(&space, &pods[0], &operator);
    first.until_has("merger", true);
    let (anchor, times) = (space.anchor(), first.times());
    super::done(&administer(&["rotate-signing-key", "--namespace", &space.0]));
    assert_ne!(space.anchor(), anchor);
    let second = Gate::start(&space, &pods[1], &operator);
    second.until_has("merger", true);
    space.until("mgate/llama", "Ready", "True", "Ready", "2/2/0");
    assert_eq!(first.times(), times, "nothing new was put in force");
    space.apply("p", DENY_MORE);
    space.propagated("p");
    assert!(first.has("contract") && second.has("contract"));
    let lost = administer(&["rotate-signing-key", "--lost", "--namespace", &space.0]);
    assert!(super::told(&lost).contains("is there in namespace"), "{lost:?}");
}

#[test]
fn a_secret_that_is_deleted_is_made_again_with_the_same_key_while_somebody_knows_it() {
    let space = Space::new("lost-key");
    let operator = space.operator();
    let pods = space.deploy("llama", 1);
    let gate = Gate::start(&space, &pods[0], &operator);
    gate.until_has("merger", false);
    let anchor = space.anchor();
    super::done(&space.kubectl(&["delete", "secret/countersign-signing"], ""));
    assert_eq!(space.anchor(), anchor);
    drop(operator);
    super::done(&space.kubectl(&["delete", "secret/countersign-signing"], ""));
    let operator = space.operator();
    until("told", || {
        operator.said().iter().any(|line| line["message"].to_string().contains("gates trust the key")).then_some(())
    });
    assert!(space.get("secret/countersign-signing").is_none(), "another key would be followed by nobody");
    super::done(&administer(&["rotate-signing-key", "--lost", "--namespace", &space.0]));
    assert_ne!(space.anchor(), anchor);
}
