//! Who may be a gate: Pods of enrolled workloads, with their own tokens, each with one key.

use super::bed::{DENY, Pod, Space};
use super::gate::Gate;
use super::{told, until};

const NOT_OURS: &str = "https://kubernetes.default.svc.cluster.local";

#[test]
fn a_gate_needs_the_token_of_its_own_pod_for_our_audience() {
    let space = Space::new("tokens");
    let operator = space.operator();
    space.apply("p", DENY);
    let pods = space.deploy("llama", 2);
    let anchor = space.anchor();
    let other = Gate::with(space.token(&pods[1], "countersign.dev/gate"), anchor, &pods[0], &operator);
    other.until_lost("the token is one of another Pod than the claim");
    let audience = Gate::with(space.token(&pods[0], NOT_OURS), anchor, &pods[0], &operator);
    audience.until_lost("the token is not one of a Pod");
    let unbound = super::done(&space.kubectl(&["create", "token", "default", "--audience=countersign.dev/gate"], ""));
    let unbound = Gate::with(unbound.trim().to_owned(), anchor, &pods[0], &operator);
    unbound.until_lost("it is bound to no Pod");
    let none = Gate::with("nothing".to_owned(), anchor, &pods[0], &operator);
    none.until_lost("the token is not one of a Pod");
    let gates = [other, audience, unbound, none];
    assert!(gates.iter().all(|gate| gate.in_force().is_none() && gate.admitted() == 0));
}

#[test]
fn a_pod_that_is_of_no_enrolled_workload_is_no_gate() {
    let space = Space::new("strangers");
    let operator = space.operator();
    let plain = "apiVersion: v1\nkind: Pod\nmetadata: {name: plain, labels: {countersign.dev/inject: enabled}}\n\
                 spec: {containers: [{name: model, image: model}]}\n";
    until("an account", || space.get("serviceaccount/default"));
    super::done(&space.kubectl(&["create", "-f", "-"], plain));
    let uid = space.get("pod/plain").unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
    let pod = Pod { name: "plain".to_owned(), uid, workload: "none".to_owned() };
    Gate::start(&space, &pod, &operator).until_lost("not a live one of an enrolled workload");
}

#[test]
fn a_second_claimant_of_a_pod_is_refused_and_people_are_told() {
    let space = Space::new("claimants");
    let operator = space.operator();
    space.apply("p", DENY);
    let pods = space.deploy("llama", 1);
    let first = Gate::start(&space, &pods[0], &operator);
    first.until_has("merger", true);
    let second = Gate::start(&space, &pods[0], &operator);
    second.until_lost("already claimed by another key");
    until("an Event", || {
        let events = super::done(&space.kubectl(&["get", "events", "-o", "json"], ""));
        (events.contains("\"SecondClaimant\"") && events.contains(&pods[0].name)).then_some(())
    });
    assert!(second.in_force().is_none() && second.admitted() == 0);
    let pinned = space.get("mgate/llama").unwrap()["status"]["pods"][0]["key"].clone();
    drop(operator);
    let again = space.operator();
    let mut second = second;
    second.connect(&again);
    second.until_lost("already claimed by another key");
    assert_eq!(space.get("mgate/llama").unwrap()["status"]["pods"][0]["key"], pinned, "also after a restart");
}

// Here, where no operator looks at the namespace: a ModelGate without its workload would be taken away.
#[test]
fn the_selector_of_a_gate_never_changes() {
    let space = Space::new("selectors");
    let gate = |app: &str| {
        format!(
            "apiVersion: countersign.dev/v1alpha1\nkind: ModelGate\nmetadata: {{name: llama}}\nspec:\n  \
             workload: {{apiVersion: apps/v1, kind: Deployment, name: llama, uid: 1a}}\n  \
             selector: {{matchLabels: {{app: {app}}}}}\n"
        )
    };
    let apply = |text: &str| space.kubectl(&["apply", "--server-side", "-f", "-"], text);
    assert!(apply(&gate("llama")).status.success());
    let refused = apply(&gate("mistral"));
    assert!(told(&refused).contains("the selector of a workload never changes"), "{}", told(&refused));
}
