//! ModelGates without an API server: what is made, told and deleted after which news, against a store that is as strict as one.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::gate_status::{Deed, Memory, Now, Role};
use super::gates::{GateKey, Seen};
use super::kinds::{Key, Kind};
use super::ledger::{Ledger, Stored, Told};
use super::listing::Change;
use super::pods::Pod;
use super::report::Report;
use super::status;
use super::terms::Terms;
use super::workloads::{Owned, Owner, WorkloadKey};
use crate::api::gate::{GatedPod, Given, ModelGateStatus};
use crate::api::policy::LabelSelector;
use crate::api::status::{GateCounts, Truth};
use crate::distribution::Order;
use crate::rules::Workload;

const DENY: &str = "rules: [{name: a, match: {keywords: [merger]}, action: {type: Deny}}]";
const DENY_MORE: &str = "rules: [{name: a, match: {keywords: [merger, contract]}, action: {type: Deny}}]";
const BAD: &str = "rules: [{name: a, match: {regex: ['(']}, action: {type: Deny}}]";

/// A ledger, what it remembers, and a store of ModelGates.
struct Stage {
    ledger: Ledger,
    memory: Memory,
    store: BTreeMap<GateKey, Seen>,
    version: u64,
    monotonic: Duration,
}

impl Stage {
    /// Everything was read, and there is a Deployment `llama`.
    fn new() -> Self {
        let mut stage = Self::empty();
        stage.deploy("llama", "llama-1");
        stage
    }

    fn empty() -> Self {
        let mut ledger = Ledger::default();
        for kind in Kind::ALL {
            ledger.object(kind, Change::ListEnds);
        }
        for owner in Owner::ALL {
            ledger.owner(owner, Change::ListEnds);
        }
        ledger.pod(Change::ListEnds);
        ledger.replica_set(Change::ListEnds);
        ledger.gate(Change::ListEnds);
        ledger.terms = Some(Terms { epoch: 1, age_max: Duration::from_hours(24) });
        let (memory, store) = (Memory::default(), BTreeMap::new());
        Self { ledger, memory, store, version: 0, monotonic: Duration::ZERO }
    }

    /// Another process, which has read everything again.
    fn restart(&mut self) {
        let mut next = Self::empty();
        for (key, entry) in &self.ledger.objects {
            next.ledger.object(key.kind, Change::There(key.clone(), entry.stored.clone()));
        }
        for (key, owned) in &self.ledger.owners {
            next.ledger.owner(key.owner, Change::There(key.clone(), owned.clone()));
        }
        for uid in self.ledger.keys.keys() {
            for (pod, known) in self.ledger.pods.of(uid) {
                next.ledger.pod(Change::There(pod.to_owned(), known.clone()));
            }
        }
        for (key, seen) in &self.store {
            next.ledger.gate(Change::There(key.clone(), Box::new(seen.clone())));
        }
        self.ledger = next.ledger;
        self.memory = Memory::default();
    }

    fn owned(owner: Owner, name: &str, uid: &str) -> (WorkloadKey, Owned) {
        let labels = BTreeMap::from([("app".to_owned(), name.to_owned())]);
        let workload = Workload { namespace: "models".to_owned(), name: name.to_owned(), labels };
        let key = WorkloadKey { namespace: "models".to_owned(), owner, name: name.to_owned() };
        (key, Owned { uid: uid.to_owned(), asks: true, selector: LabelSelector::default(), workload })
    }

    fn deploy(&mut self, name: &str, uid: &str) {
        let (key, owned) = Self::owned(Owner::Deployment, name, uid);
        self.ledger.owner(Owner::Deployment, Change::There(key, owned));
    }

    fn pod(&mut self, uid: &str, name: &str, controller: &str, runs: bool) {
        let (namespace, name, controller) = ("models".to_owned(), name.to_owned(), controller.to_owned());
        self.ledger.pod(Change::There(uid.to_owned(), Pod { namespace, name, controller, runs }));
    }

    fn key(name: &str) -> Key {
        Key { kind: Kind::ApprovalPolicy, namespace: Some("models".to_owned()), name: name.to_owned() }
    }

    fn apply(&mut self, name: &str, spec: &str) {
        let key = Self::key(name);
        let before = self.ledger.objects.get(&key).map(|entry| entry.stored.clone());
        let text = format!(
            "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {{name: {name}, namespace: models}}\nspec: {{{spec}}}\n"
        );
        let generation = before.as_ref().map_or(1, |stored| stored.generation + 1);
        let status = before.map_or_else(Told::default, |stored| stored.status);
        let stored = Stored { uid: name.to_owned(), version: None, generation, text, status };
        self.ledger.object(Kind::ApprovalPolicy, Change::There(key, stored));
    }

    /// Settles, and does all there is to do; how many writes it took.
    fn run(&mut self, role: Role) -> usize {
        self.ledger.settle();
        for writes in 0..1_000 {
            let touched = std::mem::take(&mut self.ledger.touched.workloads);
            let all: Vec<_> = self.ledger.keys.keys().chain(self.ledger.gates.workloads()).cloned().collect();
            for uid in touched.iter().chain(&all) {
                let _ = self.ledger.give(uid);
            }
            let at = Now { at: Timestamp::UNIX_EPOCH, monotonic: self.monotonic };
            for uid in &all {
                self.ledger.summarise(uid, &mut self.memory, at);
            }
            let found = all.iter().find_map(|uid| self.ledger.deed(uid, role, &mut self.memory, at).0);
            let Some(deed) = found else { return writes };
            self.execute(deed).unwrap();
        }
        panic!("it never ends")
    }

    /// Does as an API server does.
    fn execute(&mut self, deed: Deed) -> Result<(), &'static str> {
        self.version += 1;
        match deed {
            Deed::Create(key, spec) => {
                assert!(!self.store.contains_key(&key), "{key:?} is there");
                let (uid, version) = (format!("gate-{}", self.version), self.version.to_string());
                let status = ModelGateStatus::default();
                let seen = Seen { uid, version, generation: 1, goes: false, spec: *spec, status };
                self.store.insert(key.clone(), seen.clone());
                self.ledger.gate(Change::There(key, Box::new(seen)));
            }
            Deed::Delete(key, uid) => {
                assert_eq!(self.store.remove(&key).unwrap().uid, uid);
                self.ledger.gate(Change::Gone(key));
            }
            Deed::Tell(key, patch) => {
                let seen = self.store.get_mut(&key).unwrap();
                assert_eq!(patch["metadata"]["uid"], json!(seen.uid));
                if patch["metadata"]["resourceVersion"] != json!(seen.version) {
                    return Err("changed");
                }
                let mut status = serde_json::to_value(&seen.status).unwrap();
                for (field, value) in patch["status"].as_object().unwrap() {
                    status[field] = value.clone();
                }
                status.as_object_mut().unwrap().retain(|_, value| *value != Value::Null);
                seen.status = serde_json::from_value(status).unwrap();
                seen.version = self.version.to_string();
                let seen = seen.clone();
                self.ledger.gate(Change::There(key, Box::new(seen)));
            }
        }
        Ok(())
    }

    fn gate(&self, name: &str) -> &Seen {
        &self.store[&("models".to_owned(), name.to_owned())]
    }

    /// The order of what is given out, and the reason of `Propagated`.
    fn given(&self, name: &str) -> (Order, &str) {
        let status = &self.gate(name).status;
        let given = status.distribution.as_ref().unwrap();
        let propagated = status.conditions.iter().find(|one| one.kind == "Propagated").unwrap();
        (Order { epoch: given.epoch, sequence: given.sequence }, &propagated.reason)
    }

    fn line(&self, pod: &str) -> Option<&GatedPod> {
        self.gate("llama").status.pods.iter().find(|line| line.uid == pod)
    }

    fn claim(&mut self, pod: &str, key: &str) {
        self.memory.claims.insert(pod.to_owned(), key.to_owned());
    }

    fn report(&mut self, pod: &str, report: Report) {
        self.ledger.reports.entry(pod.to_owned()).or_default().then(report);
    }

    /// What the status of a policy says: of `Propagated` the reason, and the counts.
    fn policy(&mut self, name: &str) -> (Truth, String, GateCounts) {
        let key = Self::key(name);
        if let Some((told, _)) = status::wanted(&self.ledger, &key, Timestamp::UNIX_EPOCH) {
            self.ledger.objects.get_mut(&key).unwrap().stored.status = told;
        }
        let told = self.ledger.objects[&key].stored.status.clone();
        let propagated = told.conditions.into_iter().find(|one| one.kind == "Propagated").unwrap();
        (propagated.status, propagated.reason, told.gates.unwrap())
    }
}

fn order(epoch: u64, sequence: u64) -> Order {
    Order { epoch, sequence }
}

fn holds(sequence: u64) -> Report {
    Report::holds(Some(Given { epoch: 1, sequence }))
}

fn counts(current: u32, total: u32, rejected: u32) -> GateCounts {
    GateCounts { current, total, rejected }
}

#[test]
fn an_enrolled_workload_gets_a_model_gate_and_an_idle_leader_writes_nothing() {
    let mut stage = Stage::new();
    assert_eq!(stage.run(Role::Follower), 0, "only a leader makes one");
    assert_eq!(stage.run(Role::Leader), 2, "it is made and told");
    let gate = stage.gate("llama");
    assert_eq!((gate.spec.workload.kind.as_str(), gate.spec.workload.uid.as_str()), ("Deployment", "llama-1"));
    let accepted = &gate.status.conditions[0];
    assert_eq!((accepted.kind.as_str(), accepted.reason.as_str()), ("Accepted", "NoPolicies"));
    assert_eq!(stage.given("llama"), (order(1, 1), "NoGates"));
    assert_eq!(stage.run(Role::Leader), 0);
    stage.restart();
    assert_eq!(stage.run(Role::Leader), 0, "nor does one that starts again");
}

#[test]
fn a_sequence_is_raised_by_one_exactly_when_the_content_changes() {
    let mut stage = Stage::new();
    stage.run(Role::Leader);
    stage.apply("p", DENY);
    stage.run(Role::Leader);
    assert_eq!(stage.given("llama").0, order(1, 2));
    assert_eq!(stage.gate("llama").status.policies, ["models/p"]);
    stage.apply("elsewhere", &format!("selector: {{matchLabels: {{app: other}}}}, {DENY_MORE}"));
    assert_eq!(stage.run(Role::Leader), 0, "it does not apply");
    stage.apply("p", DENY_MORE);
    stage.run(Role::Leader);
    stage.apply("p", DENY);
    stage.run(Role::Leader);
    assert_eq!(stage.given("llama").0, order(1, 4), "a policy that is reverted is news");
    stage.restart();
    assert_eq!(stage.run(Role::Leader), 0);
    stage.apply("p", BAD);
    stage.run(Role::Leader);
    assert_eq!(stage.given("llama").0, order(1, 4), "what was last good stays");
}

#[test]
fn what_is_new_is_told_from_what_gates_said_until_it_is_on_record() {
    let mut stage = Stage::new();
    stage.pod("a", "a", "llama-1", true);
    stage.apply("p", DENY);
    stage.ledger.settle();
    assert!(stage.ledger.is_to_be_given("llama-1"), "it has no ModelGate yet");
    stage.run(Role::Leader);
    stage.report("a", holds(1));
    assert!(!stage.ledger.is_to_be_given("llama-1"));
    stage.apply("p", DENY_MORE);
    stage.ledger.settle();
    assert!(stage.ledger.is_to_be_given("llama-1"));
    stage.run(Role::Leader);
    assert!(!stage.ledger.is_to_be_given("llama-1"));
    assert!(!stage.ledger.is_to_be_given("nobody"));
}

#[test]
fn a_new_epoch_begins_at_one_and_an_older_one_is_never_gone_back_to() {
    let mut stage = Stage::new();
    stage.run(Role::Leader);
    stage.apply("p", DENY);
    stage.run(Role::Leader);
    stage.ledger.terms.as_mut().unwrap().epoch = 7;
    stage.run(Role::Leader);
    assert_eq!(stage.given("llama").0, order(7, 1));
    stage.ledger.terms.as_mut().unwrap().epoch = 3;
    assert_eq!(stage.run(Role::Leader), 0);
    stage.apply("p", DENY_MORE);
    stage.run(Role::Leader);
    assert_eq!(stage.given("llama").0, order(7, 2));
}

#[test]
fn sequences_go_on_when_a_model_gate_is_lost_or_comes_from_a_backup() {
    let mut stage = Stage::new();
    stage.run(Role::Leader);
    let backup = stage.gate("llama").clone();
    stage.apply("p", DENY_MORE);
    stage.run(Role::Leader);
    stage.apply("p", DENY);
    stage.run(Role::Leader);
    assert_eq!(stage.given("llama").0, order(1, 3));
    let key = ("models".to_owned(), "llama".to_owned());
    stage.store.clear();
    stage.ledger.gate(Change::Gone(key.clone()));
    stage.run(Role::Leader);
    assert_eq!(stage.given("llama").0, order(1, 3), "the same content keeps its order");
    stage.store.insert(key.clone(), backup.clone());
    stage.ledger.gate(Change::Gone(key.clone()));
    stage.ledger.gate(Change::There(key, Box::new(backup)));
    stage.run(Role::Leader);
    assert_eq!(stage.given("llama").0, order(1, 3), "gates have had what came after the backup");
}

#[test]
fn a_model_gate_is_called_like_its_workload_and_by_its_kind_where_that_name_is_taken() {
    let mut stage = Stage::new();
    stage.run(Role::Leader);
    let (key, owned) = Stage::owned(Owner::StatefulSet, "llama", "set-1");
    stage.ledger.owner(Owner::StatefulSet, Change::There(key, owned));
    stage.run(Role::Leader);
    assert_eq!(stage.gate("llama").spec.workload.kind, "Deployment");
    assert_eq!(stage.gate("llama-statefulset").spec.workload.uid, "set-1");
}

#[test]
fn an_owner_of_the_same_name_with_another_uid_is_another_workload() {
    let mut stage = Stage::new();
    stage.pod("pod-1", "llama-a", "llama-1", true);
    stage.claim("pod-1", "ed25519:1");
    stage.run(Role::Leader);
    assert!(stage.line("pod-1").is_some());
    stage.deploy("llama", "llama-2");
    stage.run(Role::Leader);
    assert_eq!(stage.gate("llama").spec.workload.uid, "llama-2");
    assert_eq!(stage.gate("llama").status.pods, []);
    assert_eq!(stage.store.len(), 1);
}

#[test]
fn dropping_the_label_takes_no_policy_away_and_deleting_the_workload_takes_its_model_gate() {
    let mut stage = Stage::new();
    stage.apply("p", DENY);
    stage.run(Role::Leader);
    let (key, owned) = Stage::owned(Owner::Deployment, "llama", "llama-1");
    stage.ledger.owner(Owner::Deployment, Change::There(key.clone(), Owned { asks: false, ..owned }));
    assert_eq!(stage.run(Role::Leader), 0);
    stage.restart();
    stage.apply("p", DENY_MORE);
    stage.run(Role::Leader);
    assert_eq!(stage.given("llama").0, order(1, 2));
    stage.ledger.owner(Owner::Deployment, Change::Gone(key));
    assert_eq!(stage.run(Role::Follower), 0);
    stage.run(Role::Leader);
    assert!(stage.store.is_empty());
}

#[test]
fn pods_are_found_through_their_controllers_in_whatever_order_they_come() {
    let mut stage = Stage::new();
    stage.pod("pod-1", "llama-a", "rs-1", true);
    stage.pod("pod-2", "llama-b", "rs-1", false);
    stage.run(Role::Leader);
    assert_eq!(stage.gate("llama").status.gates, Some(counts(0, 0, 0)), "nobody knows whose they are");
    stage.ledger.replica_set(Change::There("rs-1".to_owned(), "llama-1".to_owned()));
    stage.run(Role::Leader);
    assert_eq!(stage.gate("llama").status.gates, Some(counts(0, 1, 0)), "one runs");
    assert_eq!(stage.given("llama").1, "GateMissing");
    stage.claim("pod-2", "ed25519:2");
    stage.run(Role::Leader);
    assert_eq!(stage.gate("llama").status.gates, Some(counts(0, 2, 0)), "the other has a gate");

    stage.ledger.pod(Change::ListBegins);
    stage.pod("pod-2", "llama-b", "rs-1", true);
    stage.ledger.pod(Change::ListEnds);
    assert!(stage.ledger.touched.workloads.contains("llama-1"));
    stage.run(Role::Leader);
    assert_eq!(stage.gate("llama").status.gates, Some(counts(0, 1, 0)), "what a new list does not name is gone");
    stage.ledger.replica_set(Change::Gone("rs-1".to_owned()));
    stage.ledger.pod(Change::Gone("pod-2".to_owned()));
    stage.run(Role::Leader);
    assert_eq!(stage.gate("llama").status.pods, []);
}

#[test]
fn a_pod_of_the_same_name_is_another_pod() {
    let mut stage = Stage::new();
    stage.pod("pod-1", "llama-0", "llama-1", true);
    stage.claim("pod-1", "ed25519:1");
    stage.report("pod-1", holds(1));
    stage.run(Role::Leader);
    assert_eq!(stage.given("llama"), (order(1, 1), "Acknowledged"));
    stage.pod("pod-2", "llama-0", "llama-1", true);
    stage.ledger.pod(Change::Gone("pod-1".to_owned()));
    stage.run(Role::Leader);
    let line = stage.line("pod-2").unwrap();
    assert_eq!((line.key.as_ref(), line.acknowledged), (None, None));
    assert_eq!(stage.gate("llama").status.pods.len(), 1);
}

#[test]
fn a_pod_keeps_the_key_that_came_first() {
    let mut stage = Stage::new();
    stage.pod("pod-1", "llama-a", "llama-1", true);
    stage.claim("pod-1", "ed25519:1");
    stage.run(Role::Leader);
    stage.claim("pod-1", "ed25519:2");
    assert_eq!(stage.run(Role::Leader) + stage.run(Role::Follower), 0);
    assert_eq!(stage.line("pod-1").unwrap().key.as_deref(), Some("ed25519:1"));
}

#[test]
fn a_key_is_kept_until_its_pod_is_known_to_be_gone() {
    let mut stage = Stage::new();
    stage.pod("pod-1", "llama-a", "llama-1", true);
    stage.claim("pod-1", "ed25519:1");
    stage.run(Role::Leader);
    stage.ledger.pods = super::pods::Pods::default();
    stage.pod("other", "llama-a", "llama-1", true);
    assert_eq!(stage.run(Role::Leader), 0, "this watch of Pods may lag");
    stage.monotonic += Duration::from_secs(61);
    stage.run(Role::Leader);
    assert!(stage.line("pod-1").is_none() && stage.line("other").is_some());
}

#[test]
fn a_follower_writes_what_its_gates_said_and_nothing_else() {
    let mut stage = Stage::new();
    stage.pod("pod-1", "llama-a", "llama-1", true);
    stage.pod("pod-2", "llama-b", "llama-1", true);
    stage.run(Role::Leader);
    stage.claim("pod-1", "ed25519:1");
    stage.report("pod-1", holds(1));
    stage.apply("p", DENY);
    assert_eq!(stage.run(Role::Follower), 1);
    assert_eq!(stage.line("pod-1").unwrap().acknowledged, Some(Given { epoch: 1, sequence: 1 }));
    assert_eq!(stage.given("llama").0, order(1, 1));
    assert_eq!(stage.run(Role::Follower), 0);
}

#[test]
fn a_policy_is_propagated_when_every_gate_has_acknowledged_what_was_made_of_this_generation() {
    let mut stage = Stage::new();
    stage.pod("pod-1", "llama-a", "llama-1", true);
    stage.pod("pod-2", "llama-b", "llama-1", true);
    stage.claim("pod-1", "ed25519:1");
    stage.claim("pod-2", "ed25519:2");
    stage.apply("p", DENY);
    stage.run(Role::Leader);
    assert_eq!(stage.policy("p"), (Truth::False, "Propagating".to_owned(), counts(0, 2, 0)));
    stage.report("pod-1", holds(1));
    stage.run(Role::Leader);
    assert_eq!(stage.policy("p"), (Truth::False, "Propagating".to_owned(), counts(1, 2, 0)));
    stage.report("pod-2", holds(1));
    stage.run(Role::Leader);
    assert_eq!(stage.policy("p"), (Truth::True, "Acknowledged".to_owned(), counts(2, 2, 0)));

    stage.apply("p", DENY_MORE);
    stage.run(Role::Leader);
    assert_eq!(stage.policy("p"), (Truth::False, "Propagating".to_owned(), counts(0, 2, 0)));
    stage.apply("q", DENY);
    stage.run(Role::Leader);
    assert_eq!(stage.given("llama").0, order(1, 3));
    stage.report("pod-1", holds(2));
    stage.report("pod-2", holds(2));
    stage.run(Role::Leader);
    assert_eq!(stage.policy("p").1, "Acknowledged", "it is in both");
    assert_eq!(stage.policy("q"), (Truth::False, "Propagating".to_owned(), counts(0, 2, 0)));
    assert_eq!(stage.given("llama").1, "Propagating");
}

#[test]
fn a_gate_counts_before_its_workload_has_a_model_gate() {
    let mut stage = Stage::new();
    stage.pod("pod-1", "llama-a", "llama-1", true);
    stage.apply("p", DENY);
    assert_eq!(stage.run(Role::Follower), 0);
    assert_eq!(stage.policy("p"), (Truth::False, "Propagating".to_owned(), counts(0, 1, 0)));
}

#[test]
fn a_gate_that_refuses_a_policy_is_named_by_its_status_until_it_takes_it() {
    let mut stage = Stage::new();
    stage.pod("pod-1", "llama-a", "llama-1", true);
    stage.claim("pod-1", "ed25519:1");
    stage.apply("p", DENY);
    stage.run(Role::Leader);
    stage.report("pod-1", holds(1));
    stage.run(Role::Leader);
    stage.apply("q", DENY_MORE);
    stage.run(Role::Leader);
    stage.report("pod-1", Report::refuses(Given { epoch: 1, sequence: 2 }, "too new"));
    stage.run(Role::Leader);
    assert_eq!(stage.policy("q"), (Truth::False, "Rejected".to_owned(), counts(0, 1, 1)));
    assert_eq!(stage.policy("p"), (Truth::True, "Acknowledged".to_owned(), counts(1, 1, 0)), "it is still in force");
    assert_eq!(stage.given("llama"), (order(1, 2), "Rejected"));
    stage.report("pod-1", holds(2));
    stage.run(Role::Leader);
    assert_eq!(stage.policy("q").1, "Acknowledged");
    assert_eq!(stage.line("pod-1").unwrap().rejected, None);
}

#[test]
fn a_gate_that_is_ahead_of_what_is_on_record_says_that_there_was_a_backup() {
    let mut stage = Stage::new();
    stage.pod("pod-1", "llama-a", "llama-1", true);
    stage.claim("pod-1", "ed25519:1");
    stage.run(Role::Leader);
    stage.report("pod-1", Report::claims(Some(Given { epoch: 1, sequence: 9 })));
    stage.run(Role::Leader);
    assert_eq!(stage.given("llama"), (order(1, 1), "GatesAhead"));
}

#[test]
fn what_a_gate_has_from_before_a_backup_is_never_taken_for_what_comes_to_have_its_order() {
    let mut stage = Stage::new();
    stage.pod("pod-1", "llama-a", "llama-1", true);
    stage.claim("pod-1", "ed25519:1");
    stage.run(Role::Leader);
    stage.report("pod-1", Report::claims(Some(Given { epoch: 1, sequence: 2 })));
    stage.run(Role::Leader);
    stage.apply("p", DENY);
    stage.run(Role::Leader);
    assert_eq!(stage.given("llama"), (order(1, 2), "Propagating"), "another one has that order");
    assert_eq!(stage.policy("p"), (Truth::False, "Propagating".to_owned(), counts(0, 1, 0)));
    stage.report("pod-1", Report::refuses(Given { epoch: 1, sequence: 2 }, "there are two of them"));
    stage.run(Role::Leader);
    assert_eq!(stage.given("llama").1, "Rejected");
    assert_eq!(stage.policy("p").1, "Rejected");
}

#[test]
fn workloads_to_which_the_same_applies_share_one_compilation() {
    let mut stage = Stage::new();
    for number in 0..50 {
        stage.deploy(&format!("model-{number}"), &format!("uid-{number}"));
    }
    stage.apply("p", DENY);
    stage.apply("only", &format!("selector: {{matchLabels: {{app: llama}}}}, {DENY_MORE}"));
    stage.run(Role::Leader);
    assert_eq!(stage.ledger.selections.len(), 2);
    stage.apply("only", &format!("selector: {{matchLabels: {{app: llama}}}}, {DENY}"));
    stage.ledger.settle();
    assert_eq!(stage.ledger.touched.workloads.iter().collect::<Vec<_>>(), ["llama-1"], "nothing else is looked at");
}
