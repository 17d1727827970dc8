//! What gates are sent, what they take, and what is said of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use countersign::base::Digest;
use countersign::distribution::serve::{Offer, Settings};
use countersign::distribution::{BUNDLE_BYTES_MAX, Bundle, Order, Signer, SigningKey};

use super::bed::{Cluster, Heard, Making, Replica, Told, deny};

#[tokio::test]
async fn a_gate_has_in_force_what_is_published_and_says_so_afterwards() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let folder = tempfile::tempdir().unwrap();
    let mut making = Making::of("a", "token-a", anchor);
    let asked = Arc::clone(&cluster);
    // When it is put in force nobody has heard of it yet.
    making.check = Box::new(move |accepted| {
        assert!(!asked.heard_of("a").contains(&Heard::Acknowledged(accepted.bundle.order.sequence)));
        Ok(())
    });
    let gate = making.start(replica.address, folder.path());
    cluster.hears("a", Heard::Holding(None)).await;
    cluster.publish(&deny(1, "merger"));
    cluster.hears("a", Heard::Acknowledged(1)).await;
    cluster.publish(&deny(2, "contract"));
    cluster.hears("a", Heard::Acknowledged(2)).await;
    let told: Vec<_> = gate.story.told().into_iter().filter(|told| !matches!(told, Told::Fresh(_))).collect();
    assert_eq!(told, [Told::Admitted, Told::InForce(1), Told::Kept, Told::InForce(2), Told::Kept]);
    drop(gate);
    cluster.hears("a", Heard::Gone).await;
}

#[tokio::test]
async fn what_is_refused_is_told_with_its_reason_and_changes_nothing() {
    let (cluster, anchor) = Cluster::new();
    let settings = Settings { lag_within: Duration::ZERO, ..Settings::default() };
    let replica = Replica::start_with(&cluster, settings).await;
    let folder = tempfile::tempdir().unwrap();
    let gate = Making::of("a", "token-a", anchor).start(replica.address, folder.path());
    let good = cluster.publish(&deny(5, "merger"));
    cluster.hears("a", Heard::Acknowledged(5)).await;

    cluster.publish(&deny(4, "contract"));
    cluster.hears("a", Heard::Rejected(4, "replayed".to_owned())).await;
    cluster.publish(&deny(5, "contract"));
    cluster.hears("a", Heard::Rejected(5, "contradiction".to_owned())).await;
    let mut bytes = Offer::sign(&deny(6, "contract"), &cluster.signer_now()).unwrap().bytes.to_vec();
    let at = bytes.len() - 70;
    bytes[at] ^= 1;
    let tampered = Offer { digest: Digest::of(&bytes), bytes: Bytes::from(bytes), order: order(6), ..(*good).clone() };
    cluster.offer(&Arc::new(tampered));
    cluster.hears("a", Heard::Rejected(6, "wrong_signature".to_owned())).await;
    let stranger = Signer::new(SigningKey::generate().unwrap());
    cluster.offer(&Arc::new(Offer::sign(&deny(7, "contract"), &stranger).unwrap()));
    cluster.hears("a", Heard::Rejected(7, "unknown_key".to_owned())).await;
    cluster.publish(&Bundle { uid: "another".to_owned(), ..deny(8, "contract") });
    cluster.hears("a", Heard::Rejected(8, "other_workload".to_owned())).await;

    // The same stream goes on, and what was refused stands in the way of nothing.
    cluster.publish(&deny(9, "contract"));
    cluster.hears("a", Heard::Acknowledged(9)).await;
    let in_force: Vec<_> = gate.story.told().into_iter().filter(|told| matches!(told, Told::InForce(_))).collect();
    assert_eq!(in_force, [Told::InForce(5), Told::InForce(9)]);
    assert_eq!(cluster.reviews.load(Ordering::SeqCst), 1);
}

fn order(sequence: u64) -> Order {
    Order { epoch: 1, sequence }
}

#[tokio::test]
async fn what_the_gate_cannot_put_in_force_is_not_acknowledged() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let folder = tempfile::tempdir().unwrap();
    let mut making = Making::of("a", "token-a", anchor);
    making.check = Box::new(|accepted| match accepted.bundle.order.sequence {
        1 => Err("the record cannot be written"),
        _ => Ok(()),
    });
    let _gate = making.start(replica.address, folder.path());
    cluster.publish(&deny(1, "merger"));
    cluster.hears("a", Heard::Rejected(1, "not_in_force".to_owned())).await;
    assert!(!folder.path().join("bundle").exists());
    cluster.publish(&deny(2, "merger"));
    cluster.hears("a", Heard::Acknowledged(2)).await;
}

#[tokio::test]
async fn a_replica_that_lags_sends_nothing_older_until_it_has_caught_up() {
    let (cluster, anchor) = Cluster::new();
    let folder = tempfile::tempdir().unwrap();
    let replica =
        Replica::start_with(&cluster, Settings { lag_within: Duration::from_hours(1), ..Settings::default() }).await;
    let key = SigningKey::generate().unwrap();
    let stored = key.to_pkcs8().unwrap();
    let first = Making { key, ..Making::of("a", "token-a", anchor) }.start(replica.address, folder.path());
    cluster.publish(&deny(5, "merger"));
    cluster.hears("a", Heard::Acknowledged(5)).await;
    drop(first);
    cluster.hears("a", Heard::Gone).await;
    cluster.publish(&deny(4, "contract"));
    let key = SigningKey::from_pkcs8(&stored).unwrap();
    let gate = Making { key, ..Making::of("a", "token-a", anchor) }.start(replica.address, folder.path());
    cluster.hears("a", Heard::Holding(Some(5))).await;
    cluster.publish(&deny(6, "contract"));
    cluster.hears("a", Heard::Acknowledged(6)).await;
    assert!(!gate.story.told().iter().any(|told| matches!(told, Told::Refused(_))), "{:?}", gate.story.told());
}

#[tokio::test]
async fn a_key_that_hands_over_makes_no_gate_load_anything_again() {
    let (cluster, _) = Cluster::new();
    let first = SigningKey::generate().unwrap();
    let (stored, anchor) = (first.to_pkcs8().unwrap(), first.public());
    *cluster.signer.lock().unwrap() = Some(Arc::new(Signer::new(first)));
    let replica = Replica::start(&cluster).await;
    let folder = tempfile::tempdir().unwrap();
    let gate = Making::of("a", "token-a", anchor).start(replica.address, folder.path());
    cluster.publish(&deny(1, "merger"));
    cluster.hears("a", Heard::Acknowledged(1)).await;
    let next = Signer::new(SigningKey::from_pkcs8(&stored).unwrap()).hand_over(SigningKey::generate().unwrap());
    *cluster.signer.lock().unwrap() = Some(Arc::new(next.unwrap()));
    cluster.publish(&deny(1, "merger"));
    cluster.hears_times("a", Heard::Acknowledged(1), 2).await;
    cluster.publish(&deny(2, "contract"));
    cluster.hears("a", Heard::Acknowledged(2)).await;
    let in_force: Vec<_> = gate.story.told().into_iter().filter(|told| matches!(told, Told::InForce(_))).collect();
    assert_eq!(in_force, [Told::InForce(1), Told::InForce(2)]);
}

#[tokio::test]
async fn the_operator_vouches_for_what_grows_old_and_the_gate_grows_younger() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start_with(&cluster, Settings { vouch_every: Duration::ZERO, ..Settings::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let gate = Making::of("a", "token-a", anchor).start(replica.address, folder.path());
    cluster.publish(&Bundle { age_max: Duration::from_secs(1), ..deny(1, "merger") });
    let fresh = |told: &[Told]| told.iter().filter(|told| matches!(told, Told::Fresh(_))).count();
    gate.story.until(|told| fresh(told) >= 4).await;
    let until: Vec<_> = gate
        .story
        .told()
        .into_iter()
        .filter_map(|told| if let Told::Fresh(at) = told { Some(at) } else { None })
        .collect();
    assert!(until.windows(2).all(|pair| pair[1] > pair[0]), "{until:?}");
    assert_eq!(cluster.heard_of("a"), [Heard::Holding(None), Heard::Acknowledged(1)]);
}

#[tokio::test]
async fn a_bundle_that_is_too_large_ends_the_stream_and_is_not_read() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let folder = tempfile::tempdir().unwrap();
    let gate = Making::of("a", "token-a", anchor).start(replica.address, folder.path());
    let good = Offer::sign(&deny(1, "merger"), &cluster.signer_now()).unwrap();
    let bytes = Bytes::from(vec![b'C'; BUNDLE_BYTES_MAX + 100]);
    cluster.offer(&Arc::new(Offer { digest: Digest::of(&bytes), bytes, ..good }));
    let lost = gate.story.lost().await;
    assert!(lost.contains("too large") || lost.contains("OutOfRange"), "{lost}");
    cluster.publish(&deny(2, "merger"));
    cluster.hears("a", Heard::Acknowledged(2)).await;
}

#[tokio::test]
async fn the_largest_bundle_arrives() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let folder = tempfile::tempdir().unwrap();
    let _gate = Making::of("a", "token-a", anchor).start(replica.address, folder.path());
    let mut bundle = deny(1, "merger");
    let comment = format!("# {}\n", "x".repeat(200_000));
    let text = bundle.documents[0].clone();
    bundle.documents = vec![comment + &text];
    cluster.publish(&bundle);
    cluster.hears("a", Heard::Acknowledged(1)).await;
    let good = Offer::sign(&deny(2, "merger"), &cluster.signer_now()).unwrap();
    let bytes = Bytes::from(vec![b'C'; BUNDLE_BYTES_MAX]);
    cluster.offer(&Arc::new(Offer { digest: Digest::of(&bytes), bytes, ..good }));
    cluster.hears("a", Heard::Rejected(2, "not_a_bundle".to_owned())).await;
}
