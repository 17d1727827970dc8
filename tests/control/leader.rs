//! Two operators and one Lease: whoever leads writes, and nobody else.

use super::operator::Operator;
use super::relay::Relay;
use super::{DENY, accepted, apply, cluster, object, until};

fn holder(namespace: &str) -> String {
    let lease = object(namespace, "lease/countersign-operator").unwrap_or_default();
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

/// A namespace, and a leader and a follower of it alone.
fn pair(namespace: &str, arguments: &[&str]) -> (String, Operator, Operator) {
    let space = cluster().namespace(namespace);
    let arguments = [&["--watch-namespaces", namespace], arguments].concat();
    let first = Operator::start(&space, &arguments);
    first.until_leads();
    let second = Operator::start(&space, &arguments);
    (space, first, second)
}

#[test]
fn a_leader_that_is_asked_to_stop_is_replaced_at_once() {
    // Nobody waits as long here as it would take until somebody took what is not given up.
    let (space, mut first, second) = pair("handed-over", &["--lease-duration", "5m"]);
    assert!(!second.leads());
    let before = holder(&space);
    first.signal("TERM");
    first.ended();
    second.until_leads();
    assert_ne!(holder(&space), before);
    apply(&space, "ApprovalPolicy", "p", DENY);
    until("accepted", || accepted(&space, "apol/p"));
    let object = object(&space, "lease/countersign-operator").unwrap();
    assert_eq!(object["spec"]["leaseTransitions"], 2);
}

#[test]
fn a_leader_that_is_killed_is_replaced_when_its_lease_is_over() {
    let (space, first, second) = pair("killed", &[]);
    drop(first);
    second.until_leads();
    apply(&space, "ApprovalPolicy", "p", DENY);
    until("accepted", || accepted(&space, "apol/p"));
}

#[test]
fn a_follower_writes_nothing() {
    let (space, first, second) = pair("followed", &[]);
    apply(&space, "ApprovalPolicy", "p", DENY);
    until("accepted", || accepted(&space, "apol/p"));
    until("known", || (second.metric("countersign_operator_objects{state=\"accepted\"}") > 0.5).then_some(()));
    let written = |operator: &Operator| operator.metric("countersign_operator_statuses_total{result=\"written\"}");
    assert!(written(&first) > 0.5 && written(&second) < 0.5, "{} {}", written(&first), written(&second));
}

#[test]
fn a_leader_that_stood_still_writes_nothing_after_it_was_succeeded() {
    let (space, first, second) = pair("stood-still", &[]);
    let led = holder(&space);
    first.signal("STOP");
    second.until_leads();
    let leads = holder(&space);
    assert_ne!(led, leads);
    // Nobody writes the status of this: what the first still believes shows in who holds the Lease when it is written.
    second.signal("STOP");
    apply(&space, "ApprovalPolicy", "p", DENY);
    first.signal("CONT");
    until("accepted", || accepted(&space, "apol/p"));
    assert_eq!(holder(&space), led, "it wrote without the Lease");
    second.signal("CONT");
    until("a follower", || (!second.leads()).then_some(()));
}

#[test]
fn a_leader_that_the_api_server_does_not_answer_is_replaced_and_follows_when_it_does_again() {
    let space = cluster().namespace("cut-off");
    let relay = Relay::to(&cluster().admin());
    let arguments = ["--watch-namespaces", "cut-off", "--lease-duration", "2s"];
    let first = Operator::start_as(relay.kubeconfig(), &space, &arguments);
    first.ready();
    first.until_leads();
    let second = Operator::start(&space, &arguments);
    // Nothing is said any more, and nothing is closed either.
    relay.cut();
    second.until_leads();
    until("an end", || (!first.leads()).then_some(()));
    apply(&space, "ApprovalPolicy", "p", DENY);
    until("accepted", || accepted(&space, "apol/p"));
    let leads = holder(&space);
    relay.restore();
    until("known", || (first.metric("countersign_operator_objects{state=\"accepted\"}") > 0.5).then_some(()));
    assert!(!first.leads() && second.leads());
    assert_eq!(holder(&space), leads);
    drop(second);
    first.until_leads();
    apply(&space, "ApprovalPolicy", "q", DENY);
    until("accepted", || accepted(&space, "apol/q"));
}
