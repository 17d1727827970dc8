//! The desk without an API server: who may follow what, what is signed when, and what becomes of claims.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::state::{Claimed, Publication, Standing, State};
use crate::base::Digest;
use crate::distribution::serve::{Denied, PodIdentity};
use crate::distribution::{Order, PublicKey, Signer, SigningKey};
use crate::operator::report::Report;
use crate::operator::selection::Selections;
use crate::rules::Workload;

fn pod(uid: &str) -> PodIdentity {
    PodIdentity { namespace: "models".to_owned(), name: format!("pod-{uid}"), uid: uid.to_owned() }
}

fn key(byte: u8) -> PublicKey {
    PublicKey::from_bytes([byte; 32])
}

fn standing(uid: &str, key: Option<PublicKey>) -> Standing {
    Standing { pod: pod(uid), key }
}

fn publication(sequence: u64) -> Publication {
    let workload = Workload { namespace: "models".to_owned(), name: "llama".to_owned(), labels: BTreeMap::new() };
    let selection = Selections::default().of(BTreeMap::new(), &workload);
    let order = Order { epoch: 1, sequence };
    let revision = *selection.revision.as_ref().unwrap();
    Publication { order, revision, workload, age_max: Duration::from_hours(1), selection }
}

fn signer() -> Arc<Signer> {
    Arc::new(Signer::new(SigningKey::generate().unwrap()))
}

/// A desk with one workload of two Pods, of which one is pinned.
fn state() -> State {
    let mut state = State::default();
    state.sign_with(signer());
    state.complete();
    state.stand("llama-1", vec![standing("a", Some(key(1))), standing("b", None)]);
    state.publish("llama-1", publication(1), Instant::now());
    state
}

#[test]
fn a_pod_follows_what_its_workload_is_given_until_it_ends() {
    let mut state = state();
    let mut offers = state.follow(&pod("a")).unwrap();
    let first = offers.borrow_and_update().clone().unwrap();
    assert_eq!(first.order, Order { epoch: 1, sequence: 1 });
    assert!(state.is_current(&pod("a"), &first));
    state.publish("llama-1", publication(1), Instant::now());
    assert!(!offers.has_changed().unwrap(), "nothing is new");
    state.publish("llama-1", publication(2), Instant::now());
    let second = offers.borrow_and_update().clone().unwrap();
    assert_eq!(second.order.sequence, 2);
    assert!(!state.is_current(&pod("a"), &first) && state.is_current(&pod("a"), &second));
    state.doubt("llama-1");
    assert!(!state.is_current(&pod("a"), &second), "something newer may be on record");
    state.stand("llama-1", vec![standing("b", None)]);
    assert!(offers.has_changed().is_err(), "its stream ends");
    assert_eq!(state.follow(&pod("a")).err(), Some(Denied::NotEnrolled));
}

#[test]
fn nobody_follows_before_everything_was_read_nor_as_another_pod_or_of_another_workload() {
    let mut unread = State::default();
    assert!(matches!(unread.follow(&pod("a")), Err(Denied::Unavailable(_))));
    let mut state = state();
    let other = PodIdentity { namespace: "elsewhere".to_owned(), ..pod("a") };
    assert_eq!(state.follow(&other).err(), Some(Denied::NotEnrolled));
    state.withdraw("llama-1");
    assert_eq!(state.follow(&pod("b")).err(), Some(Denied::NotEnrolled));
}

#[test]
fn what_nobody_listens_to_is_not_signed() {
    let mut state = state();
    assert_eq!(state.offered("a"), None);
    let offers = state.follow(&pod("a")).unwrap();
    assert!(state.offered("b").is_some(), "one offer for all Pods of a workload");
    drop(offers);
    state.gone("a");
    assert_eq!(state.offered("a"), None);
}

#[test]
fn all_is_signed_again_by_a_key_that_was_handed_over_to() {
    let mut state = state();
    let mut offers = state.follow(&pod("a")).unwrap();
    let before = offers.borrow_and_update().clone().unwrap();
    state.sign_with(signer());
    let after = offers.borrow_and_update().clone().unwrap();
    assert_eq!(before.order, after.order);
    assert_ne!(before.digest, after.digest);
}

#[test]
fn a_claim_waits_until_it_is_written_down_and_another_key_is_refused_and_told_of_once() {
    let mut state = state();
    let Ok(Claimed::Waits(mut waits)) = state.claim(&pod("b"), key(2)) else { panic!("it has no key yet") };
    assert_eq!(state.said().claims, [("b".to_owned(), key(2))].into());
    assert_eq!(state.said().claims.len(), 1, "until it is answered");
    assert!(matches!(state.claim(&pod("b"), key(3)), Err(Denied::OtherKey)));
    assert!(matches!(state.claim(&pod("b"), key(3)), Err(Denied::OtherKey)));
    assert_eq!(state.said().seconds, [pod("b")]);
    state.answer("b", &Ok(()));
    assert_eq!(waits.try_recv(), Ok(Ok(())));
    assert!(matches!(state.claim(&pod("b"), key(2)), Ok(Claimed::Pinned)));
    assert!(matches!(state.claim(&pod("a"), key(2)), Err(Denied::OtherKey)));
    assert_eq!(state.said().seconds, [pod("a")]);
}

#[test]
fn a_claim_that_nobody_waits_for_any_more_is_forgotten() {
    let mut state = state();
    drop(state.claim(&pod("b"), key(2)));
    assert!(state.said().claims.is_empty());
    assert!(matches!(state.claim(&pod("b"), key(3)), Ok(Claimed::Waits(_))));
}

#[test]
fn what_gates_say_is_gathered_and_taken_once() {
    let mut state = state();
    let given = |sequence| Some(Order { epoch: 1, sequence }.into());
    state.report("a", Report::holds(given(1)));
    state.report("a", Report::holds(given(2)));
    assert_eq!(state.said().reports, [("a".to_owned(), Report::holds(given(2)))].into());
    assert!(state.said().reports.is_empty());
}

#[test]
fn gates_that_are_connected_are_counted_by_what_they_have_in_force() {
    let mut state = state();
    let revision = publication(1).revision.to_string();
    let at = |sequence| Some(Order { epoch: 1, sequence });
    let _offers = state.follow(&pod("a")).unwrap();
    state.in_force("a", None);
    assert_eq!(state.counts(), Some([("other".to_owned(), 1)].into()));
    state.in_force("a", at(1));
    assert_eq!(state.counts(), Some([(revision, 1)].into()));
    assert_eq!(state.counts(), None, "nothing has changed");
    state.publish("llama-1", publication(2), Instant::now());
    state.in_force("a", at(1));
    assert_eq!(state.counts(), Some([("other".to_owned(), 1)].into()), "it is not what is given any more");
    state.stand("llama-1", vec![standing("b", None)]);
    assert_eq!(state.counts(), Some([].into()));
}

#[test]
fn how_long_a_change_was_on_its_way_is_told_once_for_each_gate_that_was_connected() {
    let mut state = state();
    let at = |sequence| Some(Order { epoch: 1, sequence });
    let _offers = state.follow(&pod("a")).unwrap();
    assert_eq!(state.in_force("a", at(1)), None, "it came later than what it was given");
    let since = Instant::now();
    state.publish("llama-1", publication(2), since);
    assert_eq!(state.in_force("a", at(1)), None, "it is still on its way");
    assert_eq!(state.in_force("a", at(2)), Some(since));
    assert_eq!(state.in_force("a", at(2)), None);
    assert_eq!(state.in_force("b", at(2)), None, "nobody is connected there");
}

#[test]
fn replicas_give_the_same_bytes() {
    let same = signer();
    let offer = |mut state: State| {
        state.sign_with(Arc::clone(&same));
        let offers = state.follow(&pod("a")).unwrap();
        let digest: Digest = offers.borrow().as_ref().unwrap().digest;
        digest
    };
    assert_eq!(offer(state()), offer(state()));
}
