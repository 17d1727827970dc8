//! The ledger without an API server: what is in force of whom after which news.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::kinds::{Key, Kind};
use super::ledger::{Ledger, Stored, Told};
use super::listing::Change;
use super::status::{self, Urgency};
use super::workloads::{Owned, Owner, WorkloadKey};
use crate::api::policy::LabelSelector;
use crate::api::status::{Condition, Truth};
use crate::base::Digest;
use crate::rules::Workload;

const DENY: &str = "rules: [{name: a, match: {keywords: [merger]}, action: {type: Deny}}]";
const DENY_MORE: &str = "rules: [{name: a, match: {keywords: [merger, contract]}, action: {type: Deny}}]";
const BAD: &str = "rules: [{name: a, match: {regex: ['(']}, action: {type: Deny}}]";
const HOLD: &str = "rules: [{name: a, match: {keywords: [merger]}, action: {type: Hold, chain: legal}}]";
const EXCEPTION: &str = "policy: {kind: ApprovalPolicy, name: p}, rules: [a], namespaces: [models], \
                         expiresAt: \"2026-12-31T23:59:59Z\", reason: why, approver: ada";
const CHAIN: &str = "stages: [{name: legal, approvers: [{group: legal}]}]";

/// An owner that asks for gates.
fn owned(name: &str, uid: &str) -> Owned {
    let labels = BTreeMap::from([("app".to_owned(), name.to_owned())]);
    let workload = Workload { namespace: "models".to_owned(), name: name.to_owned(), labels };
    Owned { uid: uid.to_owned(), asks: true, selector: LabelSelector::default(), workload }
}

/// A ledger that has read all lists, of which the news are told as they would come.
struct Scene {
    ledger: Ledger,
    generation: i64,
}

impl Scene {
    /// What was there before, then one workload of the namespace `models`.
    fn with(inherited: &[(Kind, &str, &str)]) -> Self {
        let mut scene = Self { ledger: Ledger::default(), generation: 0 };
        for kind in Kind::ALL {
            scene.ledger.object(kind, Change::ListBegins);
            for (_, name, spec) in inherited.iter().filter(|(of, ..)| *of == kind) {
                scene.apply(kind, name, spec);
            }
            scene.ledger.object(kind, Change::ListEnds);
        }
        scene.ledger.owner(Owner::Deployment, Change::ListBegins);
        scene.ledger.owner(Owner::Deployment, Change::There(Self::llama(), owned("llama", "llama-uid")));
        scene.ledger.owner(Owner::Deployment, Change::ListEnds);
        scene.ledger.owner(Owner::StatefulSet, Change::ListBegins);
        scene.ledger.owner(Owner::StatefulSet, Change::ListEnds);
        scene.ledger.pod(Change::ListEnds);
        scene.ledger.replica_set(Change::ListEnds);
        assert!(!scene.ledger.is_complete(), "one list is missing");
        scene.ledger.gate(Change::ListEnds);
        assert!(scene.ledger.is_complete());
        scene.ledger.settle();
        scene
    }

    fn llama() -> WorkloadKey {
        WorkloadKey { owner: Owner::Deployment, namespace: "models".to_owned(), name: "llama".to_owned() }
    }

    fn key(kind: Kind, name: &str) -> Key {
        let cluster =
            matches!(kind, Kind::ClusterApprovalChain | Kind::ClusterApprovalPolicy | Kind::ApprovalException);
        let (namespace, name) = name.split_once('/').unwrap_or(("models", name));
        Key { kind, namespace: (!cluster).then(|| namespace.to_owned()), name: name.to_owned() }
    }

    fn apply(&mut self, kind: Kind, name: &str, spec: &str) {
        self.generation += 1;
        let key = Self::key(kind, name);
        let namespace = key.namespace.as_ref().map(|namespace| format!(", namespace: {namespace}")).unwrap_or_default();
        let text = format!(
            "apiVersion: countersign.dev/v1alpha1\nkind: {}\nmetadata: {{name: {}{namespace}}}\nspec: {{{spec}}}\n",
            kind.name(),
            key.name
        );
        let (uid, generation, status) = (key.to_string(), self.generation, Told::default());
        let stored = Stored { uid, version: None, generation, text, status };
        self.ledger.object(kind, Change::There(key, stored));
    }

    fn delete(&mut self, kind: Kind, name: &str) {
        self.ledger.object(kind, Change::Gone(Self::key(kind, name)));
    }

    /// The revision in force after what was told.
    fn revision(&mut self) -> Option<Digest> {
        self.ledger.settle();
        self.ledger.workloads[&Self::llama()].in_force.as_ref().map(|selection| selection.revision.clone().unwrap())
    }

    fn wrong(&self, kind: Kind, name: &str) -> Option<&str> {
        self.ledger.objects[&Self::key(kind, name)].wrong.as_deref()
    }
}

#[test]
fn what_was_last_good_of_an_object_stays_in_force() {
    let mut scene = Scene::with(&[]);
    scene.apply(Kind::ApprovalPolicy, "p", DENY);
    let good = scene.revision();
    scene.apply(Kind::ApprovalPolicy, "p", BAD);
    assert_eq!(scene.revision(), good);
    let wrong = scene.wrong(Kind::ApprovalPolicy, "p").unwrap();
    assert!(wrong.contains("`spec.rules[0].match.regex[0]`") && wrong.contains("unclosed group"), "{wrong}");
    scene.apply(Kind::ApprovalPolicy, "q", DENY_MORE);
    let other = scene.revision();
    assert_ne!(other, good, "a bad object stops no other");
    scene.apply(Kind::ApprovalPolicy, "p", DENY_MORE);
    assert_ne!(scene.revision(), other);
    assert_eq!(scene.wrong(Kind::ApprovalPolicy, "p"), None);
}

#[test]
fn a_policy_that_is_reverted_or_deleted_gives_the_older_revision_again() {
    let mut scene = Scene::with(&[]);
    let none = scene.revision();
    scene.apply(Kind::ApprovalPolicy, "p", DENY);
    let first = scene.revision();
    scene.apply(Kind::ApprovalPolicy, "p", DENY_MORE);
    assert_ne!(scene.revision(), first);
    scene.apply(Kind::ApprovalPolicy, "p", DENY);
    assert_eq!(scene.revision(), first);
    scene.delete(Kind::ApprovalPolicy, "p");
    assert_eq!(scene.revision(), none);
}

#[test]
fn an_object_that_was_bad_before_withholds_the_rule_sets_that_it_could_be_part_of() {
    let mut scene = Scene::with(&[(Kind::ApprovalPolicy, "p", BAD), (Kind::ApprovalPolicy, "q", DENY)]);
    assert_eq!(scene.revision(), None);
    let withheld = scene.ledger.workloads[&Scene::llama()].withheld.clone().unwrap();
    assert!(withheld.starts_with("ApprovalPolicy models/p does not compile"), "{withheld}");
    scene.apply(Kind::ApprovalPolicy, "p", DENY_MORE);
    assert!(scene.revision().is_some());
    assert_eq!(scene.ledger.workloads[&Scene::llama()].withheld, None);

    let mut elsewhere = Scene::with(&[(Kind::ApprovalPolicy, "other/p", BAD)]);
    assert!(elsewhere.revision().is_some(), "another namespace's");
    elsewhere.apply(Kind::ClusterApprovalPolicy, "floor", BAD);
    assert!(elsewhere.revision().is_some(), "it was never in force");
}

#[test]
fn a_chain_that_is_deleted_stays_for_the_policies_in_force_that_name_it() {
    let mut scene = Scene::with(&[]);
    scene.apply(Kind::ApprovalPolicy, "p", HOLD);
    let none = scene.revision();
    assert!(scene.wrong(Kind::ApprovalPolicy, "p").unwrap().contains("there is no ApprovalChain `legal`"));
    scene.apply(Kind::ApprovalChain, "legal", CHAIN);
    let held = scene.revision();
    assert_ne!(held, none);
    assert_eq!(scene.wrong(Kind::ApprovalPolicy, "p"), None);

    scene.delete(Kind::ApprovalChain, "legal");
    assert_eq!(scene.revision(), held);
    assert!(scene.wrong(Kind::ApprovalPolicy, "p").is_some());
    assert_eq!(scene.ledger.retired.len(), 1);
    scene.apply(Kind::ApprovalChain, "legal", CHAIN);
    assert_eq!(scene.revision(), held);
    assert_eq!((scene.wrong(Kind::ApprovalPolicy, "p"), scene.ledger.retired.len()), (None, 0));

    scene.delete(Kind::ApprovalChain, "legal");
    scene.delete(Kind::ApprovalPolicy, "p");
    assert_eq!(scene.revision(), none);
    assert_eq!(scene.ledger.retired.len(), 0);
}

#[test]
fn a_namespace_shadows_no_chain_of_the_cluster() {
    let mut scene = Scene::with(&[]);
    scene.apply(Kind::ApprovalChain, "legal", CHAIN);
    scene.apply(Kind::ClusterApprovalPolicy, "floor", HOLD);
    scene.ledger.settle();
    assert!(scene.wrong(Kind::ClusterApprovalPolicy, "floor").unwrap().contains("no ClusterApprovalChain `legal`"));
}

#[test]
fn what_a_new_list_does_not_name_is_gone() {
    let mut scene = Scene::with(&[(Kind::ApprovalPolicy, "p", DENY), (Kind::ApprovalPolicy, "q", DENY_MORE)]);
    scene.ledger.object(Kind::ApprovalPolicy, Change::ListBegins);
    scene.apply(Kind::ApprovalPolicy, "p", DENY);
    assert_eq!(scene.ledger.objects.len(), 2, "until the list is whole");
    scene.ledger.object(Kind::ApprovalPolicy, Change::ListEnds);
    assert_eq!(scene.ledger.objects.len(), 1);
    scene.ledger.owner(Owner::Deployment, Change::ListBegins);
    scene.ledger.owner(Owner::Deployment, Change::ListEnds);
    assert!(scene.ledger.workloads.is_empty());
}

#[test]
fn an_exception_is_in_force_as_long_as_it_is_there_and_good() {
    let mut scene = Scene::with(&[]);
    scene.apply(Kind::ApprovalPolicy, "p", DENY);
    let strict = scene.revision();
    scene.apply(Kind::ApprovalException, "e", EXCEPTION);
    let loosened = scene.revision();
    assert_ne!(loosened, strict);
    for without in ["namespaces: [other]", "namespaces: [models], selector: {matchLabels: {app: mistral}}"] {
        scene.apply(Kind::ApprovalException, "e", &EXCEPTION.replace("namespaces: [models]", without));
        assert_eq!((scene.revision(), scene.wrong(Kind::ApprovalException, "e")), (strict, None), "{without}");
    }
    scene.apply(Kind::ApprovalException, "e", EXCEPTION);
    assert_eq!(scene.revision(), loosened);
    // Unlike a policy's, its last good state does not stay.
    scene.apply(Kind::ApprovalException, "e", &EXCEPTION.replace("rules: [a]", "rules: []"));
    assert_eq!(scene.revision(), strict);
    assert!(scene.wrong(Kind::ApprovalException, "e").unwrap().contains("`spec.rules`: an empty list"));
    scene.apply(Kind::ApprovalException, "e", EXCEPTION);
    assert_eq!(scene.revision(), loosened);
    scene.delete(Kind::ApprovalException, "e");
    assert_eq!(scene.revision(), strict);
}

#[test]
fn an_exception_that_was_bad_before_withholds_nothing() {
    let bad = EXCEPTION.replace("rules: [a]", "rules: []");
    let mut scene = Scene::with(&[(Kind::ApprovalPolicy, "p", DENY), (Kind::ApprovalException, "e", &bad)]);
    let strict = scene.revision();
    assert!(strict.is_some() && scene.wrong(Kind::ApprovalException, "e").is_some());
    scene.delete(Kind::ApprovalException, "e");
    assert_eq!(scene.revision(), strict);
}

#[test]
fn an_exception_from_a_policy_that_comes_later_is_in_force_then() {
    let mut scene = Scene::with(&[(Kind::ApprovalException, "e", EXCEPTION)]);
    assert_eq!(scene.wrong(Kind::ApprovalException, "e"), None);
    scene.apply(Kind::ApprovalPolicy, "p", DENY);
    let loosened = scene.revision();
    scene.delete(Kind::ApprovalException, "e");
    assert_ne!(scene.revision(), loosened);
}

#[test]
fn the_status_of_an_exception_says_when_it_has_ended() {
    let mut scene = Scene::with(&[(Kind::ApprovalException, "e", EXCEPTION)]);
    let key = Scene::key(Kind::ApprovalException, "e");
    let end: Timestamp = "2026-12-31T23:59:59Z".parse().unwrap();
    let before = end - SignedDuration::from_millis(1);
    for (now, accepted, ready, ended) in [
        (before, (Truth::True, "Compiles"), (Truth::True, "NoGates"), false),
        (end, (Truth::False, "Expired"), (Truth::False, "Expired"), true),
    ] {
        let (told, urgency) = status::wanted(&scene.ledger, &key, now).unwrap();
        let said = |kind: &str| {
            let condition = told.conditions.iter().find(|one| one.kind == kind).unwrap();
            (condition.status, condition.reason.clone())
        };
        assert_eq!(said("Accepted"), (accepted.0, accepted.1.to_owned()));
        assert_eq!(said("Ready"), (ready.0, ready.1.to_owned()));
        assert_eq!((said("Propagated").1.as_str(), urgency), ("NoGates", Urgency::Now));
        assert_eq!(told.conditions.iter().any(|one| one.kind == "Stalled"), ended);
        let left = (!ended).then_some(Duration::from_millis(1));
        assert_eq!(scene.ledger.ended(now), (if ended { vec![key.clone()] } else { Vec::new() }, left));
        scene.ledger.objects.get_mut(&key).unwrap().stored.status = told;
        assert_eq!(scene.ledger.ended(now), (Vec::new(), left), "it says so already");
    }
    let long_before = end - SignedDuration::from_hours(48);
    assert_eq!(scene.ledger.ended(long_before).1, Some(Duration::from_hours(1)));
}

#[test]
fn a_status_is_wanted_once_and_remembers_when_it_turned() {
    let mut scene = Scene::with(&[(Kind::ApprovalPolicy, "p", DENY)]);
    let key = Scene::key(Kind::ApprovalPolicy, "p");
    let at = |seconds: i64| Timestamp::from_second(seconds).unwrap();
    let (told, urgency) = status::wanted(&scene.ledger, &key, at(10)).unwrap();
    let said: Vec<_> = told.conditions.iter().map(|one| (one.kind.as_str(), one.status, one.reason.as_str())).collect();
    let expected = [
        ("Accepted", Truth::True, "Compiles"),
        ("Propagated", Truth::True, "NoGates"),
        ("Ready", Truth::True, "NoGates"),
    ];
    assert_eq!((said.as_slice(), urgency), (expected.as_slice(), Urgency::Now));
    let other = Condition { kind: "Audited".to_owned(), ..told.conditions[0].clone() };
    scene.ledger.objects.get_mut(&key).unwrap().stored.status = told;
    scene.ledger.objects.get_mut(&key).unwrap().stored.status.conditions.insert(0, other);
    assert_eq!(status::wanted(&scene.ledger, &key, at(20)), None);

    let before = scene.ledger.objects[&key].stored.status.clone();
    scene.apply(Kind::ApprovalPolicy, "p", BAD);
    scene.ledger.objects.get_mut(&key).unwrap().stored.status = before;
    scene.ledger.settle();
    let (told, _) = status::wanted(&scene.ledger, &key, Timestamp::new(30, 999_999_999).unwrap()).unwrap();
    let accepted = &told.conditions[0];
    assert_eq!((accepted.status, accepted.reason.as_str()), (Truth::False, "Invalid"));
    assert_eq!(accepted.last_transition_time, "1970-01-01T00:00:30Z");
    assert_eq!(told.observed_generation, Some(2));
    let stalled = told.conditions.iter().find(|one| one.kind == "Stalled").unwrap();
    assert_eq!(stalled.status, Truth::True);
}
