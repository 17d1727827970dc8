//! Operators that come and go.

use super::bed::{DENY, DENY_MORE, Space};
use super::gate::Gate;
use super::until;

#[test]
fn an_operator_that_starts_again_gives_no_sequence_and_writes_nothing() {
    let space = Space::new("restart");
    let operator = space.operator();
    space.apply("p", DENY);
    let pods = space.deploy("llama", 2);
    let mut gates: Vec<_> = pods.iter().map(|pod| Gate::start(&space, pod, &operator)).collect();
    for gate in &gates {
        gate.until_has("merger", true);
    }
    space.until("mgate/llama", "Ready", "True", "Ready", "2/2/0");
    space.until("apol/p", "Ready", "True", "Acknowledged", "2/2/0");
    let versions = || ["mgate/llama", "apol/p", "secret/countersign-signing"].map(|one| space.version(one));
    let (before, times) = (versions(), gates[0].times());
    let mut operator = operator;
    operator.signal("TERM");
    operator.ended();
    let operator = space.operator();
    operator.until_leads();
    for gate in &mut gates {
        gate.connect(&operator);
    }
    for gate in &gates {
        gate.until_admitted(2);
    }
    let written = || operator.metric("countersign_operator_statuses_total{result=\"written\"}");
    // Whoever wrote something would have done it before what comes after it.
    space.apply("other", "selector: {matchLabels: {app: nobody}}, rules: []");
    space.until("apol/other", "Propagated", "True", "NoGates", "0/0/0");
    assert_eq!(versions(), before);
    assert!(written() < 1.5, "{}", written());
    assert_eq!(gates[0].times(), times);
}

#[test]
fn gates_of_two_replicas_have_the_same_and_either_may_go() {
    let space = Space::new("replicas");
    let mut replicas = vec![space.operator(), space.operator()];
    until("a leader", || replicas.iter().any(super::operator::Operator::leads).then_some(()));
    let pods = space.deploy("llama", 2);
    let mut gates: Vec<_> =
        pods.iter().zip(&replicas).map(|(pod, replica)| Gate::start(&space, pod, replica)).collect();
    space.apply("p", DENY);
    space.propagated("p");
    assert!(gates.iter().all(|gate| gate.has("merger")));
    assert_eq!(gates[0].in_force(), gates[1].in_force());

    let leader = replicas.iter().position(super::operator::Operator::leads).unwrap();
    drop(replicas.remove(leader));
    gates[leader].connect(&replicas[0]);
    space.apply("p", DENY_MORE);
    space.propagated("p");
    assert!(gates.iter().all(|gate| gate.has("contract")));
}
