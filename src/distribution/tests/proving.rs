//! What is said around bundles: who is believed, and what makes a bundle younger.

use super::*;
use crate::distribution::refusal::Unproven;

const AGE: Duration = Duration::from_mins(10);

fn nonce(seed: u8) -> Nonce {
    Nonce::of([seed; 32])
}

fn certificate(seed: u8) -> Digest {
    Digest::of(&[seed])
}

fn signer(seed: u8) -> Signer {
    Signer::new(key(seed))
}

/// A gate that took a bundle at the beginning, and the digest of that.
fn gate_with(bundle: &Bundle) -> (Gate, Digest) {
    let mut gate = Gate::new();
    let bytes = sealed(bundle);
    gate.intake.take(&bytes, Duration::ZERO).unwrap();
    (gate, Digest::of(&bytes))
}

#[test]
fn an_operator_is_believed_for_this_nonce_and_this_certificate_only() {
    let gate = Gate::new();
    let said = signer(1).welcome(&nonce(1), &certificate(1)).unwrap();
    assert_eq!(gate.intake.believes(&said, &nonce(1), &certificate(1)), Ok(()));
    assert_eq!(gate.intake.believes(&said, &nonce(2), &certificate(1)), Err(Unproven::WrongSignature));
    assert_eq!(gate.intake.believes(&said, &nonce(1), &certificate(2)), Err(Unproven::WrongSignature));
    // Nonce and certificate in each other's place are another thing.
    let swapped = signer(1).welcome(&Nonce::of(*certificate(1).as_bytes()), &Digest::from_bytes([1; 32])).unwrap();
    assert_eq!(gate.intake.believes(&swapped, &nonce(1), &certificate(1)), Err(Unproven::WrongSignature));
}

#[test]
fn an_operator_with_another_key_is_not_believed() {
    let gate = Gate::new();
    let stranger = signer(9).welcome(&nonce(1), &certificate(1)).unwrap();
    let expected = Err(Unproven::UnknownKey(key(9).public().id()));
    assert_eq!(gate.intake.believes(&stranger, &nonce(1), &certificate(1)), expected);
    // Nor one that only says that it is the anchor.
    let forged = Signer::of(key(9), vec![Succession { from: key(1).public().id(), ..forged_succession() }]);
    let said = forged.welcome(&nonce(1), &certificate(1)).unwrap();
    assert_eq!(gate.intake.believes(&said, &nonce(1), &certificate(1)), Err(Unproven::WrongSignature));
}

fn forged_succession() -> Succession {
    Succession::sign(&key(7), key(9).public()).unwrap()
}

#[test]
fn a_key_that_handed_over_is_believed_no_more_once_its_successor_signed_a_bundle() {
    let (mut gate, _) = gate_with(&deny(1, "merger"));
    let next = signer(1).hand_over(key(2)).unwrap();
    let (old, new) = (signer(1).welcome(&nonce(1), &certificate(1)), next.welcome(&nonce(1), &certificate(1)));
    let (old, new) = (old.unwrap(), new.unwrap());
    assert_eq!(gate.intake.believes(&old, &nonce(1), &certificate(1)), Ok(()));
    assert_eq!(gate.intake.believes(&new, &nonce(1), &certificate(1)), Ok(()));
    gate.takes(&publish(&deny(2, "merger"), &next).unwrap());
    let retired = Err(Unproven::RetiredKey(key(1).public().id()));
    assert_eq!(gate.intake.believes(&old, &nonce(1), &certificate(1)), retired);
    assert_eq!(gate.intake.believes(&new, &nonce(1), &certificate(1)), Ok(()));
}

#[test]
fn no_changed_bit_of_a_statement_is_believed() {
    let gate = Gate::new();
    let good = signer(1).hand_over(key(2)).unwrap().welcome(&nonce(1), &certificate(1)).unwrap();
    let mut changed = good.clone();
    for at in 0..good.len() {
        for bit in 0..8 {
            changed[at] ^= 1 << bit;
            assert!(gate.intake.believes(&changed, &nonce(1), &certificate(1)).is_err(), "byte {at}, bit {bit}");
            changed[at] = good[at];
        }
        assert!(gate.intake.believes(&good[..at], &nonce(1), &certificate(1)).is_err());
    }
    assert!(gate.intake.believes(&[&good[..], b"x"].concat(), &nonce(1), &certificate(1)).is_err());
    assert_eq!(gate.intake.believes(&good, &nonce(1), &certificate(1)), Ok(()));
}

#[test]
fn a_voucher_makes_the_bundle_in_force_as_young_as_the_question_is() {
    let clock = ManualClock::at(jiff::Timestamp::UNIX_EPOCH);
    let (mut gate, digest) = gate_with(&deny(1, "merger"));
    assert_eq!(gate.intake.ask_at(), Some(AGE / 4));
    clock.advance(Duration::from_mins(9));
    let (asked_at, order) = (clock.monotonic(), Order { epoch: 1, sequence: 1 });
    let said = signer(1).vouch(&nonce(1), UID, order, &digest).unwrap();
    // Whoever keeps the answer back wins nothing.
    clock.advance(Duration::from_mins(5));
    assert_eq!(gate.is_fresh(clock.monotonic()), Some(false));
    assert_eq!(gate.intake.renew(&said, &nonce(1), asked_at), Ok(()));
    assert_eq!(gate.is_fresh(clock.monotonic()), Some(true));
    assert_eq!(gate.intake.stale_after(), Some(Duration::from_mins(19)));
    assert_eq!(gate.intake.ask_at(), Some(asked_at + AGE / 4));
    clock.advance(Duration::from_mins(5));
    assert_eq!(gate.is_fresh(clock.monotonic()), Some(true));
    clock.advance(Duration::from_nanos(1));
    assert_eq!(gate.is_fresh(clock.monotonic()), Some(false));
}

#[test]
fn a_voucher_never_makes_a_bundle_older() {
    let (mut gate, digest) = gate_with(&deny(1, "merger"));
    let order = Order { epoch: 1, sequence: 1 };
    for (seed, asked_at) in [(1, Duration::from_mins(5)), (2, Duration::from_mins(3))] {
        let said = signer(1).vouch(&nonce(seed), UID, order, &digest).unwrap();
        assert_eq!(gate.intake.renew(&said, &nonce(seed), asked_at), Ok(()));
        assert_eq!(gate.intake.stale_after(), Some(Duration::from_mins(15)));
    }
}

/// Everything that does not renew, each by a hair's breadth.
#[test]
fn a_voucher_holds_for_one_question_one_workload_and_one_bundle() {
    let order = |epoch, sequence| Order { epoch, sequence };
    let (mut gate, digest) = gate_with(&deny(1, "merger"));
    let other = Digest::of(&sealed(&deny(1, "contract")));
    let vouch = |signer: &Signer, seed, uid, order, digest| signer.vouch(&nonce(seed), uid, order, digest).unwrap();
    let rows = [
        ("an answer to an older question", vouch(&signer(1), 2, UID, order(1, 1), &digest)),
        ("for another workload", vouch(&signer(1), 1, "another", order(1, 1), &digest)),
        ("for a newer sequence", vouch(&signer(1), 1, UID, order(1, 2), &digest)),
        ("for another epoch", vouch(&signer(1), 1, UID, order(2, 1), &digest)),
        ("for another bundle", vouch(&signer(1), 1, UID, order(1, 1), &other)),
        ("a welcome", signer(1).welcome(&nonce(1), &digest).unwrap()),
        ("a stranger's", vouch(&signer(9), 1, UID, order(1, 1), &digest)),
        ("nothing", Vec::new()),
    ];
    for (what, said) in rows {
        let refused = gate.intake.renew(&said, &nonce(1), Duration::from_mins(5));
        assert!(refused.is_err(), "{what}");
        assert_eq!(gate.intake.stale_after(), Some(AGE), "{what}");
    }
    let good = vouch(&signer(1), 1, UID, order(1, 1), &digest);
    assert_eq!(gate.intake.renew(&good, &nonce(1), Duration::from_mins(5)), Ok(()));
}

#[test]
fn a_gate_that_holds_nothing_has_nothing_renewed() {
    let mut gate = Gate::new();
    let said = signer(1).vouch(&nonce(1), UID, Order { epoch: 1, sequence: 1 }, &Digest::of(b"x")).unwrap();
    assert_eq!(gate.intake.renew(&said, &nonce(1), NOW), Err(Unproven::NothingHeld));
    assert_eq!((gate.intake.ask_at(), gate.intake.stale_after()), (None, None));
}

#[test]
fn the_same_bundle_under_a_later_key_takes_its_place_and_is_no_younger() {
    let (mut gate, _) = gate_with(&deny(1, "merger"));
    let next = signer(1).hand_over(key(2)).unwrap();
    let resigned = publish(&deny(1, "merger"), &next).unwrap();
    let taken = gate.intake.take(&resigned, Duration::from_mins(9));
    assert!(matches!(taken, Ok(Taken::Resigned { kept: Ok(()) })), "{taken:?}");
    assert_eq!(gate.intake.stale_after(), Some(AGE));
    assert_eq!(gate.intake.holding().unwrap().1, Digest::of(&resigned));
    assert!(matches!(gate.intake.take(&resigned, NOW), Ok(Taken::Same)));
    // The key before is past, for this gate and for the next process of it.
    let mut gate = gate.restarted();
    gate.intake.resume(NOW).unwrap().expect("on the shelf");
    assert_eq!(gate.refuses(&sealed(&deny(2, "merger"))), Refusal::RetiredKey(key(1).public().id()));
    // Another bundle of the same order is a contradiction under any key.
    let other = publish(&deny(1, "contract"), &next).unwrap();
    assert_eq!(gate.refuses(&other), Refusal::Contradiction(Order { epoch: 1, sequence: 1 }));
}

#[test]
fn what_cannot_be_put_in_force_is_not_taken() {
    let mut gate = Gate::new();
    let bytes = sealed(&deny(1, "merger"));
    let refused = gate.intake.take_if(&bytes, NOW, |_| Err("the record cannot be written"));
    assert_eq!(refused.unwrap_err(), Refusal::NotInForce("the record cannot be written"));
    assert_eq!((gate.intake.holding().map(|(order, _)| order), gate.file().exists()), (None, false));
    gate.takes(&bytes);
}

#[test]
fn a_claim_holds_for_this_connection_and_this_pod_only() {
    let gate = key(5);
    let signature = gate.claim(&nonce(1), &certificate(1), "pod").unwrap();
    assert!(gate.public().claimed(&nonce(1), &certificate(1), "pod", &signature));
    assert!(!gate.public().claimed(&nonce(2), &certificate(1), "pod", &signature));
    assert!(!gate.public().claimed(&nonce(1), &certificate(2), "pod", &signature));
    assert!(!gate.public().claimed(&nonce(1), &certificate(1), "pod2", &signature));
    assert!(!key(6).public().claimed(&nonce(1), &certificate(1), "pod", &signature));
    // The operator's word over the same bytes is none of a gate's.
    let welcome = Signer::new(key(5)).welcome(&nonce(1), &certificate(1)).unwrap();
    assert!(!gate.public().claimed(&nonce(1), &certificate(1), "pod", &welcome[welcome.len() - 64..]));
}

#[test]
fn every_purpose_has_a_domain_of_its_own() {
    let purposes = [Purpose::Bundle, Purpose::Succession, Purpose::Welcome, Purpose::Claim, Purpose::Voucher];
    for signed in purposes {
        let signature = key(1).sign(signed, b"some bytes").unwrap();
        for checked in purposes {
            assert_eq!(key(1).public().holds(checked, b"some bytes", &signature), signed == checked);
        }
    }
}

#[test]
fn content_is_everything_but_the_order() {
    let one = deny(1, "merger");
    assert_eq!(deny(9, "merger").content(), one.content());
    assert_eq!(Bundle { order: Order { epoch: 7, sequence: 1 }, ..one.clone() }.content(), one.content());
    let others = [
        deny(1, "contract"),
        Bundle { uid: "another".to_owned(), ..one.clone() },
        Bundle { age_max: Duration::from_mins(11), ..one.clone() },
        Bundle { revision: Digest::of(b"x"), ..one.clone() },
        Bundle { workload: Workload { name: "other".to_owned(), ..workload() }, ..one.clone() },
        bundle(1, &[policy("merger", DENY), CHAIN.to_owned()]),
    ];
    for other in others {
        assert_ne!(other.content(), one.content(), "{other:?}");
    }
}

/// A gate of a later release believes what an operator of this one said, and the other way round.
#[test]
fn statements_stay_what_they_are() {
    let signer = signer(1).hand_over(key(2)).unwrap();
    let order = Order { epoch: 3, sequence: 7 };
    let rows = [
        ("welcome-1", signer.welcome(&nonce(1), &certificate(1)).unwrap()),
        ("voucher-1", signer.vouch(&nonce(1), UID, order, &certificate(2)).unwrap()),
        ("claim-1", key(5).claim(&nonce(1), &certificate(1), UID).unwrap().to_vec()),
    ];
    for (name, written) in rows {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/distribution").join(name);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &written).unwrap();
        }
        let stored = std::fs::read(&path).unwrap_or_default();
        assert!(stored == written, "{} is written in another way; raise the format", path.display());
    }
}
