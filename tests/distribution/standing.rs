//! What stays when connections, replicas, certificates and processes do not.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use countersign::base::Digest;
use countersign::distribution::protocol::{Acknowledged, from_gate, from_operator};
use countersign::distribution::serve::{Offer, Settings};
use countersign::distribution::{PublicKey, SigningKey};
use tonic::Code;

use super::bed::{Cluster, Heard, Making, Replica, Told, certificate, deny};
use super::raw::Raw;

#[tokio::test]
async fn a_gate_comes_back_by_itself_and_is_sent_nothing_that_it_has() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let address = replica.address;
    let folder = tempfile::tempdir().unwrap();
    let gate = Making::of("a", "token-a", anchor).start(address, folder.path());
    cluster.publish(&deny(1, "merger"));
    cluster.hears("a", Heard::Acknowledged(1)).await;
    replica.stop().await;
    cluster.hears("a", Heard::Gone).await;
    assert!(gate.story.lost().await.contains("this replica of the operator stops"));
    let _again = Replica::start_at(&cluster, Settings::default(), address).await;
    cluster.hears("a", Heard::Holding(Some(1))).await;
    cluster.hears_times("a", Heard::Acknowledged(1), 2).await;
    let in_force = gate.story.told().into_iter().filter(|told| matches!(told, Told::InForce(_))).count();
    assert_eq!(in_force, 1);
    // Its key is known: its token was looked at once.
    assert_eq!(cluster.reviews.load(Ordering::SeqCst), 1);
    cluster.publish(&deny(2, "contract"));
    cluster.hears("a", Heard::Acknowledged(2)).await;
}

#[tokio::test]
async fn a_gate_starts_from_its_folder_without_an_operator() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let address = replica.address;
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    let stored = key.to_pkcs8().unwrap();
    let gate = Making { key, ..Making::of("a", "token-a", anchor) }.start(address, folder.path());
    cluster.publish(&deny(1, "merger"));
    cluster.hears("a", Heard::Acknowledged(1)).await;
    drop(gate);
    replica.stop().await;
    let key = SigningKey::from_pkcs8(&stored).unwrap();
    let gate = Making { key, ..Making::of("a", "token-a", anchor) }.start(address, folder.path());
    assert!(gate.story.lost().await.contains("cannot be reached"));
    assert_eq!(gate.story.told()[0], Told::InForce(1));
    let _again = Replica::start_at(&cluster, Settings::default(), address).await;
    cluster.hears("a", Heard::Holding(Some(1))).await;
}

#[tokio::test]
async fn the_later_connection_of_a_gate_takes_the_place_of_the_earlier() {
    let (cluster, _) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let key = SigningKey::generate().unwrap();
    let mut earlier = Raw::join(replica.address, &key, "a").await.unwrap();
    let mut later = Raw::join(replica.address, &key, "a").await.unwrap();
    assert_eq!(earlier.ends().await.code(), Code::Aborted);
    cluster.publish(&deny(1, "merger"));
    assert!(matches!(later.hear().await.unwrap(), from_operator::Message::Bundle(_)));
    assert!(!cluster.heard_of("a").contains(&Heard::Gone));
    drop(later);
    cluster.hears("a", Heard::Gone).await;
    assert_eq!(cluster.heard_of("a").iter().filter(|heard| **heard == Heard::Gone).count(), 1);
}

#[tokio::test]
async fn a_gate_that_reads_nothing_keeps_no_other_waiting() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let slow = Raw::join(replica.address, &SigningKey::generate().unwrap(), "b").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let gate = Making::of("a", "token-a", anchor).start(replica.address, folder.path());
    cluster.hears("a", Heard::Holding(None)).await;
    // More than any window: it cannot be sent to who does not read.
    let good = Offer::sign(&deny(1, "merger"), &cluster.signer_now()).unwrap();
    let bytes = Bytes::from(vec![b'C'; 4 << 20]);
    cluster.offer(&Arc::new(Offer { digest: Digest::of(&bytes), bytes, ..good }));
    cluster.hears("a", Heard::Rejected(1, "not_a_bundle".to_owned())).await;
    cluster.publish(&deny(2, "contract"));
    cluster.hears("a", Heard::Acknowledged(2)).await;
    assert_eq!(cluster.heard_of("b"), [Heard::Holding(None)]);
    drop((slow, gate));
}

#[tokio::test]
async fn a_gate_that_never_says_what_became_of_a_bundle_is_let_go() {
    let (cluster, _) = Cluster::new();
    let settings = Settings { answer_within: Duration::from_millis(100), ..Settings::default() };
    let replica = Replica::start_with(&cluster, settings).await;
    let mut mute = Raw::join(replica.address, &SigningKey::generate().unwrap(), "b").await.unwrap();
    cluster.publish(&deny(1, "merger"));
    assert_eq!(mute.ends().await.code(), Code::DeadlineExceeded);
    cluster.hears("b", Heard::Gone).await;
}

#[tokio::test]
async fn only_one_bundle_is_on_its_way_and_the_newest_comes_next() {
    let (cluster, _) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let mut raw = Raw::join(replica.address, &SigningKey::generate().unwrap(), "a").await.unwrap();
    let first = cluster.publish(&deny(1, "merger"));
    let from_operator::Message::Bundle(bundle) = raw.hear().await.unwrap() else { panic!("a bundle") };
    assert_eq!(bundle.bytes, first.bytes);
    for sequence in 2..8 {
        cluster.publish(&deny(sequence, "contract"));
    }
    let newest = cluster.publish(&deny(8, "contract"));
    let digest = first.digest.as_bytes().to_vec();
    raw.say(from_gate::Message::Acknowledged(Acknowledged { order: None, digest })).await;
    let from_operator::Message::Bundle(bundle) = raw.hear().await.unwrap() else { panic!("a bundle") };
    assert_eq!(bundle.bytes, newest.bytes);
}

#[tokio::test]
async fn a_workload_that_is_not_enrolled_any_more_is_followed_by_nobody() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let folder = tempfile::tempdir().unwrap();
    let gate = Making::of("a", "token-a", anchor).start(replica.address, folder.path());
    cluster.publish(&deny(1, "merger"));
    cluster.hears("a", Heard::Acknowledged(1)).await;
    cluster.unenrol();
    let lost = gate.story.lost().await;
    assert!(lost.contains("enrolment, has ended"), "{lost}");
    gate.story
        .until(|told| told.iter().any(|told| matches!(told, Told::Lost(why) if why.contains("not a live one"))))
        .await;
}

#[tokio::test]
async fn certificates_change_while_gates_follow() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let _first = Making::of("a", "token-a", anchor).start(replica.address, folders[0].path());
    cluster.publish(&deny(1, "merger"));
    cluster.hears("a", Heard::Acknowledged(1)).await;
    let before = Raw::open(replica.address).await.certificate;
    *replica.certificate.lock().unwrap() = certificate();
    assert_ne!(Raw::open(replica.address).await.certificate, before);
    let _second = Making::of("b", "token-b", anchor).start(replica.address, folders[1].path());
    cluster.publish(&deny(2, "contract"));
    cluster.hears("a", Heard::Acknowledged(2)).await;
    cluster.hears("b", Heard::Acknowledged(2)).await;
    assert!(!cluster.heard_of("a").contains(&Heard::Gone));
}

#[tokio::test]
async fn two_replicas_give_a_gate_the_same_bytes() {
    let (cluster, anchor) = Cluster::new();
    let (one, two) = (Replica::start(&cluster).await, Replica::start(&cluster).await);
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    let stored = key.to_pkcs8().unwrap();
    let gate = Making { key, ..Making::of("a", "token-a", anchor) }.start(one.address, folder.path());
    let first = cluster.publish(&deny(1, "merger"));
    cluster.hears("a", Heard::Acknowledged(1)).await;
    drop(gate);
    assert_eq!(cluster.publish(&deny(1, "merger")), first);
    let key = SigningKey::from_pkcs8(&stored).unwrap();
    let _gate = Making { key, ..Making::of("a", "token-a", anchor) }.start(two.address, folder.path());
    cluster.hears("a", Heard::Holding(Some(1))).await;
    cluster.hears_times("a", Heard::Acknowledged(1), 2).await;
}

#[tokio::test]
async fn many_gates_come_at_once_and_all_are_let_in() {
    let (cluster, anchor) = Cluster::new();
    let settings = Settings { strangers_max: 4, admissions_max: 2, ..Settings::default() };
    all_are_let_in(&cluster, anchor, settings).await;
}

#[tokio::test]
async fn pods_that_are_looked_up_one_by_one_wait_together_until_they_are_pinned() {
    let (cluster, anchor) = Cluster::new();
    cluster.pins_together.store(3, Ordering::SeqCst);
    all_are_let_in(&cluster, anchor, Settings { admissions_max: 1, ..Settings::default() }).await;
}

async fn all_are_let_in(cluster: &Arc<Cluster>, anchor: PublicKey, settings: Settings) {
    let replica = Replica::start_with(cluster, settings).await;
    cluster.publish(&deny(1, "merger"));
    let folders: Vec<_> = (0..3).map(|_| Arc::new(tempfile::tempdir().unwrap())).collect();
    let names = [("a", "token-a"), ("b", "token-b"), ("c", "token-c")];
    let gates: Vec<_> = names
        .iter()
        .zip(&folders)
        .map(|((name, token), folder)| Making::of(name, token, anchor).start(replica.address, folder.path()))
        .collect();
    for (name, _) in names {
        cluster.hears(name, Heard::Acknowledged(1)).await;
    }
    drop(gates);
}
