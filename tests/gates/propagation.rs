//! A policy on its way to every gate that it selects, and what its status says meanwhile.

use super::bed::{DENY, DENY_MORE, Space};
use super::gate::Gate;
use super::operator::Operator;
use super::until;

#[test]
fn a_policy_is_propagated_when_every_gate_has_it_in_force_and_not_before() {
    let space = Space::new("propagation");
    let operator = space.operator();
    let pods = space.deploy("llama", 2);
    let gates: Vec<_> = pods.iter().map(|pod| Gate::start(&space, pod, &operator)).collect();
    for gate in &gates {
        gate.until_has("merger", false);
    }
    space.until("mgate/llama", "Ready", "True", "Ready", "2/2/0");

    space.apply("p", DENY);
    space.propagated("p");
    assert!(gates.iter().all(|gate| gate.has("merger")));
    space.until("apol/p", "Ready", "True", "Acknowledged", "2/2/0");

    gates[1].hold();
    space.apply("p", DENY_MORE);
    gates[0].until_has("contract", true);
    space.until("mgate/llama", "Propagated", "False", "Propagating", "1/2/0");
    space.until("apol/p", "Propagated", "False", "Propagating", "1/2/0");
    gates[1].release();
    space.propagated("p");
    assert!(gates[1].has("contract"));

    let newest = space.sequence("llama").unwrap();
    space.apply("p", DENY);
    space.propagated("p");
    assert!(gates.iter().all(|gate| !gate.has("contract")), "what is reverted to arrives");
    assert_eq!(space.sequence("llama"), Some(newest + 1));
    super::done(&space.kubectl(&["delete", "apol/p"], ""));
    for gate in &gates {
        gate.until_has("merger", false);
    }
}

#[test]
fn an_exception_reaches_every_gate_that_it_names_and_is_gone_at_once_when_it_is_bad_or_deleted() {
    let space = Space::new("excepting");
    let operator = Operator::start(&space.0, &["--watch-namespaces", &space.0]);
    let pods = [space.deploy("llama", 1), space.deploy("mistral", 1)].concat();
    let gates: Vec<_> = pods.iter().map(|pod| Gate::start(&space, pod, &operator)).collect();
    space.apply("p", DENY);
    space.propagated("p");
    let except = |approver: &str, end: &str| {
        let object = format!(
            "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalException\nmetadata: {{name: reaching}}\nspec: {{policy: \
             {{kind: ApprovalPolicy, name: p}}, rules: [a], namespaces: [{}], expiresAt: \"{end}\", \
             selector: {{matchLabels: {{app: llama}}}}, reason: a migration, approver: \"{approver}\"}}\n",
            space.0
        );
        super::done(&space.kubectl(&["apply", "-f", "-"], &object));
    };
    except("admin", "2099-01-01T00:00:00Z");
    space.until("aex/reaching", "Propagated", "True", "Acknowledged", "1/1/0");
    space.until("aex/reaching", "Ready", "True", "Acknowledged", "1/1/0");
    assert!(gates[0].has("a migration") && gates[0].has("merger") && !gates[1].has("a migration"));
    let policies = space.get("mgate/llama").unwrap()["status"]["policies"].clone();
    assert_eq!(policies, serde_json::json!(["excepting/p"]), "an exception is no policy");
    // A policy that does not compile any more would stay in force as it was.
    except("ad\\tmin", "2099-01-01T00:00:00Z");
    gates[0].until_has("a migration", false);
    space.until("aex/reaching", "Accepted", "False", "Invalid", "null/null/null");
    except("admin", "2020-01-01T00:00:00Z");
    space.until("aex/reaching", "Accepted", "False", "Expired", "1/1/0");
    except("admin", "2099-01-01T00:00:00Z");
    space.until("aex/reaching", "Ready", "True", "Acknowledged", "1/1/0");
    super::done(&space.kubectl(&["delete", "aex/reaching"], ""));
    gates[0].until_has("a migration", false);
    assert!(gates[0].has("merger"));
}

#[test]
fn a_policy_that_selects_no_gate_keeps_nobody_waiting() {
    let space = Space::new("no-gates");
    let _operator = space.operator();
    space.apply("p", DENY);
    space.until("apol/p", "Propagated", "True", "NoGates", "0/0/0");
    space.until("apol/p", "Ready", "True", "NoGates", "0/0/0");
    let pods = space.deploy("llama", 1);
    space.until("mgate/llama", "Propagated", "False", "GateMissing", "0/1/0");
    space.until("apol/p", "Propagated", "False", "Propagating", "0/1/0");
    super::done(&space.kubectl(&["delete", "deployment/llama"], ""));
    until("gone", || space.get(&format!("pod/{}", pods[0].name)).is_none().then_some(()));
    space.until("apol/p", "Propagated", "True", "NoGates", "0/0/0");
}

#[test]
fn a_policy_that_a_gate_refuses_says_so_and_what_was_in_force_stays() {
    let space = Space::new("refused");
    let operator = space.operator();
    let pods = space.deploy("llama", 1);
    let gate = Gate::start(&space, &pods[0], &operator);
    space.apply("p", DENY);
    gate.until_has("merger", true);
    gate.refuse(true);
    space.apply("q", DENY_MORE);
    space.until("apol/q", "Propagated", "False", "Rejected", "0/1/1");
    space.until("apol/q", "Ready", "False", "Rejected", "0/1/1");
    space.until("apol/p", "Propagated", "True", "Acknowledged", "1/1/0");
    space.until("mgate/llama", "Propagated", "False", "Rejected", "0/1/1");
    assert!(!gate.has("contract"));
    until("an Event", || {
        let events = super::done(&space.kubectl(&["get", "events", "-o", "json"], ""));
        (events.contains("\"Rejected\"") && events.contains("this gate takes nothing")).then_some(())
    });
    gate.refuse(false);
    space.apply("q", DENY);
    space.propagated("q");
}
