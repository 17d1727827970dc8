//! The room's promises: what is taken, what is refused and how, and what a restart finds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::bytes::{Malformed, Writer};
use super::key::Purpose;
use super::limits::{AGE_MAX_MAX, SUCCESSIONS_MAX};
use super::*;
use crate::base::{Clock as _, Digest, ManualClock};
use crate::compile;
use crate::rules::Workload;

mod proving;

const UID: &str = "3f0c1a52-7f5e-4a3e-9a2b-6d0f2c1e8b44";
const CHAIN: &str = "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalChain\nmetadata: {name: legal, namespace: models}\n\
                     spec: {stages: [{name: legal, approvers: [{group: legal}]}]}\n";
const DENY: &str = "{type: Deny}";
const HOLD: &str = "{type: Hold, chain: legal}";
const NOW: Duration = Duration::from_secs(100);

fn policy(word: &str, action: &str) -> String {
    format!(
        "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {{name: p, namespace: models}}\n\
         spec: {{rules: [{{name: a, match: {{keywords: [{word}]}}, action: {action}}}]}}\n"
    )
}

fn workload() -> Workload {
    let labels = BTreeMap::from([("app".to_owned(), "llama".to_owned())]);
    Workload { namespace: "models".to_owned(), name: "llama".to_owned(), labels }
}

/// A bundle of these documents, with the revision that they have.
fn bundle(sequence: u64, documents: &[String]) -> Bundle {
    let read: Vec<_> = documents.iter().flat_map(|text| compile::read("test", text).unwrap()).collect();
    let revision = compile::compile(&read, &workload()).unwrap().rule_set.revision();
    Bundle {
        order: Order { epoch: 1, sequence },
        revision,
        uid: UID.to_owned(),
        workload: workload(),
        age_max: Duration::from_mins(10),
        documents: documents.to_vec(),
    }
}

fn deny(sequence: u64, word: &str) -> Bundle {
    bundle(sequence, &[policy(word, DENY)])
}

fn key(seed: u8) -> SigningKey {
    SigningKey::of_seed(seed)
}

fn sealed(bundle: &Bundle) -> Vec<u8> {
    publish(bundle, &Signer::new(key(1))).unwrap()
}

struct Gate {
    intake: Intake,
    folder: tempfile::TempDir,
}

impl Gate {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { intake: Self::intake(folder.path()), folder }
    }

    fn intake(folder: &Path) -> Intake {
        Intake::new(key(1).public(), UID.to_owned(), Shelf::at(folder))
    }

    /// Whether what is in force is within its maximum age, if anything is.
    fn is_fresh(&self, now: Duration) -> Option<bool> {
        self.intake.stale_after().map(|until| now <= until)
    }

    /// The revision that is taken.
    #[track_caller]
    fn takes(&mut self, bytes: &[u8]) -> Digest {
        match self.intake.take(bytes, NOW) {
            Ok(Taken::New { accepted, kept: Ok(()) }) => accepted.compilation.rule_set.revision(),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn refuses(&mut self, bytes: &[u8]) -> Refusal {
        let before = self.intake.holding().map(|(order, _)| order);
        let on_disk = std::fs::read(self.file()).ok();
        let refusal = self.intake.take(bytes, NOW).expect_err("refused");
        assert_eq!(
            (self.intake.holding().map(|(order, _)| order), std::fs::read(self.file()).ok()),
            (before, on_disk),
            "a refusal leaves no trace"
        );
        refusal
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("bundle")
    }

    /// Another process of the same gate.
    fn restarted(self) -> Self {
        Self { intake: Self::intake(self.folder.path()), folder: self.folder }
    }
}

#[test]
fn a_bundle_arrives_as_it_was_published() {
    let sent = bundle(1, &[policy("merger", HOLD), CHAIN.to_owned()]);
    let mut gate = Gate::new();
    let Ok(Taken::New { accepted, kept: Ok(()) }) = gate.intake.take(&sealed(&sent), NOW) else { panic!("taken") };
    assert_eq!(accepted.bundle, sent);
    assert_eq!(accepted.compilation.rule_set.revision(), sent.revision);
    assert_eq!(accepted.compilation.chains.len(), 1);
    assert_eq!(gate.intake.holding().map(|(order, _)| order), Some(sent.order));
}

#[test]
fn gates_that_share_compile_a_bundle_once_and_check_it_each() {
    let shared = std::sync::Arc::new(Compilations::keeping(1));
    let gates = [Gate::new(), Gate::new()].map(|gate| Gate { intake: gate.intake.sharing(shared.clone()), ..gate });
    let [mut one, mut two] = gates;
    let bytes = sealed(&deny(1, "merger"));
    let compiled = |gate: &mut Gate| match gate.intake.take(&bytes, NOW) {
        Ok(Taken::New { accepted, .. }) => accepted.compilation,
        other => panic!("{other:?}"),
    };
    assert!(std::sync::Arc::ptr_eq(&compiled(&mut one), &compiled(&mut two)));
    let stranger = publish(&deny(1, "merger"), &Signer::new(key(9))).unwrap();
    assert!(matches!(two.refuses(&stranger), Refusal::UnknownKey(_)));
    assert_ne!(one.takes(&sealed(&deny(2, "contract"))), two.takes(&sealed(&deny(2, "secret"))));
    let wrong = sealed(&Bundle { revision: Digest::of(b"x"), ..deny(3, "merger") });
    for gate in [&mut one, &mut two] {
        assert!(matches!(gate.refuses(&wrong), Refusal::OtherRevision { .. }));
    }
}

#[test]
fn a_workload_without_policies_has_a_bundle_too() {
    let sent = bundle(1, &[]);
    assert_eq!(Gate::new().takes(&sealed(&sent)), sent.revision);
}

/// Everything that is refused, each with its own refusal.
#[test]
fn what_does_not_fit_is_refused_by_name() {
    let mut gate = Gate::new();
    gate.takes(&sealed(&deny(5, "merger")));
    let order = |sequence| Order { epoch: 1, sequence };
    let good = sealed(&deny(6, "merger"));
    let flip = |at: usize| good.iter().enumerate().map(|(i, byte)| byte ^ u8::from(i == at)).collect::<Vec<u8>>();
    let other_uid = Bundle { uid: "another".to_owned(), ..deny(6, "merger") };
    let other_revision = Bundle { revision: Digest::of(b"x"), ..deny(6, "merger") };
    let uncompilable = Bundle { documents: vec![policy("merger", HOLD)], ..deny(6, "merger") };
    let twice = format!("{}---\n{CHAIN}", policy("merger", DENY));
    let two_in_one = Bundle { documents: vec![twice], ..deny(6, "merger") };
    let stranger = publish(&deny(6, "merger"), &Signer::new(key(9))).unwrap();
    let said = deny(6, "merger").revision;
    let two = "document 0 is not one object".to_owned();
    let rows: Vec<(&str, Vec<u8>, Refusal)> = vec![
        ("too large", vec![b'C'; BUNDLE_BYTES_MAX + 1], Refusal::TooLarge),
        ("empty", Vec::new(), Refusal::NotABundle),
        ("another file", b"apiVersion: v1\n".to_vec(), Refusal::NotABundle),
        ("a newer format", flip(9), Refusal::UnknownVersion { found: 0, known: 1 }),
        ("torn", good[..good.len() - 1].to_vec(), Refusal::Malformed { field: "signature" }),
        ("more behind it", [&good[..], b"x"].concat(), Refusal::Malformed { field: "end" }),
        ("a stranger's", stranger, Refusal::UnknownKey(key(9).public().id())),
        ("a changed signature", flip(good.len() - 1), Refusal::WrongSignature),
        ("a changed policy", flip(good.len() - 70), Refusal::WrongSignature),
        (
            "another workload's",
            sealed(&other_uid),
            Refusal::OtherWorkload { own: UID.to_owned(), offered: "another".to_owned() },
        ),
        ("older", sealed(&deny(4, "merger")), Refusal::Replayed { held: order(5), offered: order(4) }),
        ("a second of this order", sealed(&deny(5, "contract")), Refusal::Contradiction(order(5))),
        ("another revision", sealed(&other_revision), Refusal::OtherRevision { said: Digest::of(b"x"), found: said }),
        ("two objects in one", sealed(&two_in_one), Refusal::Uncompilable(two)),
    ];
    for (what, bytes, expected) in rows {
        assert_eq!(gate.refuses(&bytes), expected, "{what}");
    }
    // A policy that holds, and no chain.
    let Refusal::Uncompilable(why) = gate.refuses(&sealed(&uncompilable)) else { panic!("does not compile") };
    assert!(why.contains("chain"), "{why}");
    // What was refused stands in the way of nothing.
    gate.takes(&good);
}

#[test]
fn a_refused_format_says_what_to_do() {
    let told = Refusal::UnknownVersion { found: 2, known: 1 }.to_string();
    assert_eq!(told, "the bundle has format 2, and this gate reads format 1; update gates before their operator");
}

#[test]
fn no_changed_bit_is_taken() {
    let signer = Signer::new(key(1)).hand_over(key(2)).unwrap();
    let good = publish(&deny(1, "merger"), &signer).unwrap();
    let mut gate = Gate::new();
    let mut changed = good.clone();
    for at in 0..good.len() {
        for bit in 0..8 {
            changed[at] ^= 1 << bit;
            gate.refuses(&changed);
            changed[at] = good[at];
        }
        gate.refuses(&good[..at]);
    }
    gate.takes(&good);
}

proptest! {
    // Each case compiles policies; every single bit is tried above.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_changed_byte_is_taken(at in any::<prop::sample::Index>(), change in 1_u8..=255) {
        let mut bytes = sealed(&deny(1, "merger"));
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        Gate::new().refuses(&bytes);
    }

    #[test]
    fn newer_is_said_by_epoch_then_sequence(orders in prop::collection::vec((0_u64..3, 0_u64..4), 1..8)) {
        let mut gate = Gate::new();
        let mut held = None;
        for (epoch, sequence) in orders {
            let order = Order { epoch, sequence };
            let taken = gate.intake.take(&sealed(&Bundle { order, ..deny(0, "merger") }), NOW);
            match held {
                Some(now) if order < now => prop_assert_eq!(taken.err(), Some(Refusal::Replayed { held: now, offered: order })),
                Some(now) if order == now => prop_assert!(matches!(taken, Ok(Taken::Same))),
                Some(_) | None => {
                    let is_new = matches!(taken, Ok(Taken::New { .. }));
                    prop_assert!(is_new);
                    held = Some(order);
                }
            }
            prop_assert_eq!(gate.intake.holding().map(|(order, _)| order), held);
        }
    }
}

#[test]
fn the_same_bundle_again_changes_nothing() {
    let mut gate = Gate::new();
    let bytes = sealed(&deny(1, "merger"));
    gate.takes(&bytes);
    assert!(matches!(gate.intake.take(&bytes, NOW), Ok(Taken::Same)));
}

#[test]
fn a_reverted_policy_arrives_and_its_old_bundle_does_not() {
    let mut gate = Gate::new();
    let old = sealed(&deny(1, "merger"));
    let first = gate.takes(&old);
    assert_ne!(gate.takes(&sealed(&deny(2, "contract"))), first);
    assert!(matches!(gate.refuses(&old), Refusal::Replayed { .. }));
    assert_eq!(gate.takes(&sealed(&deny(3, "merger"))), first);
}

#[test]
fn a_deleted_policy_is_gone_from_the_gate() {
    let mut gate = Gate::new();
    gate.takes(&sealed(&deny(1, "merger")));
    let Ok(Taken::New { accepted, .. }) = gate.intake.take(&sealed(&bundle(2, &[])), NOW) else { panic!("taken") };
    assert_eq!(accepted.compilation.rule_set.policies(), 0);
}

#[test]
fn a_new_epoch_begins_again_with_small_numbers() {
    let mut gate = Gate::new();
    gate.takes(&sealed(&deny(1_000, "merger")));
    gate.takes(&sealed(&Bundle { order: Order { epoch: 2, sequence: 1 }, ..deny(0, "merger") }));
    assert!(matches!(gate.refuses(&sealed(&deny(1_001, "merger"))), Refusal::Replayed { .. }));
}

#[test]
fn a_changed_chain_arrives_though_the_revision_stays() {
    let mut gate = Gate::new();
    let before = bundle(1, &[policy("merger", HOLD), CHAIN.to_owned()]);
    let after = bundle(2, &[policy("merger", HOLD), CHAIN.replace("group: legal", "group: board")]);
    assert_eq!(gate.takes(&sealed(&before)), gate.takes(&sealed(&after)));
    assert_eq!(gate.intake.holding().map(|(order, _)| order), Some(after.order));
}

#[test]
fn a_key_hands_over_and_is_followed_no_more() {
    let mut gate = Gate::new();
    gate.takes(&sealed(&deny(1, "merger")));
    let signer = Signer::new(key(1)).hand_over(key(2)).unwrap().hand_over(key(3)).unwrap();
    gate.takes(&publish(&deny(2, "merger"), &signer).unwrap());
    assert_eq!(gate.refuses(&sealed(&deny(3, "merger"))), Refusal::RetiredKey(key(1).public().id()));
    // Nor is another successor, which a stolen key may name.
    let thief = Signer::new(key(1)).hand_over(key(7)).unwrap();
    let stolen = publish(&deny(3, "merger"), &thief).unwrap();
    assert_eq!(gate.refuses(&stolen), Refusal::RetiredKey(key(7).public().id()));
    // A restart forgets none of it.
    let mut gate = gate.restarted();
    assert!(gate.intake.resume(NOW).unwrap().is_some());
    assert_eq!(gate.refuses(&stolen), Refusal::RetiredKey(key(7).public().id()));
    gate.takes(&publish(&deny(3, "merger"), &signer).unwrap());
}

#[test]
fn a_succession_counts_only_if_the_key_before_signed_it() {
    let forged = Succession { from: key(1).public().id(), ..Succession::sign(&key(7), key(8).public()).unwrap() };
    let signer = Signer::of(key(8), vec![forged]);
    assert_eq!(Gate::new().refuses(&publish(&deny(1, "merger"), &signer).unwrap()), Refusal::WrongSignature);
    // A chain with a gap leads nowhere.
    let gap = Succession::sign(&key(7), key(8).public()).unwrap();
    let signer = Signer::of(key(8), vec![Succession::sign(&key(1), key(2).public()).unwrap(), gap]);
    let refusal = Gate::new().refuses(&publish(&deny(1, "merger"), &signer).unwrap());
    assert_eq!(refusal, Refusal::UnknownKey(key(7).public().id()));
}

#[test]
fn a_gate_with_a_later_anchor_reads_bundles_of_the_same_signer() {
    let signer = Signer::new(key(1)).hand_over(key(2)).unwrap();
    assert_eq!(signer.anchor(), key(2).public());
    let folder = tempfile::tempdir().unwrap();
    let mut late = Intake::new(signer.anchor(), UID.to_owned(), Shelf::at(folder.path()));
    let taken = late.take(&publish(&deny(1, "merger"), &signer).unwrap(), NOW);
    assert!(matches!(taken, Ok(Taken::New { .. })));
}

#[test]
fn the_oldest_successions_make_room_for_new_ones() {
    let mut signer = Signer::new(key(1));
    for seed in 2..=u8::try_from(SUCCESSIONS_MAX).unwrap() + 2 {
        signer = signer.hand_over(key(seed)).unwrap();
    }
    let bytes = publish(&deny(1, "merger"), &signer).unwrap();
    assert!(matches!(Gate::new().refuses(&bytes), Refusal::UnknownKey(_)), "its anchor is too far back");
    let folder = tempfile::tempdir().unwrap();
    let mut next = Intake::new(key(2).public(), UID.to_owned(), Shelf::at(folder.path()));
    assert!(next.take(&bytes, NOW).is_ok());
}

#[test]
fn a_restarted_gate_has_what_it_had() {
    let mut gate = Gate::new();
    assert!(gate.intake.resume(NOW).unwrap().is_none(), "nothing yet");
    let first = sealed(&deny(1, "merger"));
    gate.takes(&first);
    let revision = gate.takes(&sealed(&deny(2, "contract")));
    let mut gate = gate.restarted();
    let accepted = gate.intake.resume(NOW).unwrap().expect("on the shelf");
    assert_eq!(accepted.compilation.rule_set.revision(), revision);
    assert!(matches!(gate.refuses(&first), Refusal::Replayed { .. }));
    assert!(matches!(gate.intake.take(&sealed(&deny(2, "contract")), NOW), Ok(Taken::Same)));
}

#[test]
fn a_torn_or_tampered_file_is_refused_and_named() {
    let good = sealed(&deny(1, "merger"));
    let mut tampered = good.clone();
    tampered[good.len() - 70] ^= 1;
    let foreign = sealed(&Bundle { uid: "another".to_owned(), ..deny(1, "merger") });
    let rows = [
        (good[..good.len() / 2].to_vec(), Refusal::Malformed { field: "length" }),
        (Vec::new(), Refusal::NotABundle),
        (tampered, Refusal::WrongSignature),
        (foreign, Refusal::OtherWorkload { own: UID.to_owned(), offered: "another".to_owned() }),
        (vec![b'C'; BUNDLE_BYTES_MAX + 10], Refusal::TooLarge),
    ];
    for (bytes, expected) in rows {
        let mut gate = Gate::new();
        std::fs::write(gate.file(), bytes).unwrap();
        match gate.intake.resume(NOW) {
            Err(ShelfFailure::Refused { path, source }) => assert_eq!((path, source), (gate.file(), expected)),
            other => panic!("{other:?}"),
        }
        assert_eq!((gate.intake.holding().map(|(order, _)| order), gate.is_fresh(NOW)), (None, None));
        // The next good one takes its place.
        gate.takes(&good);
        assert_eq!(std::fs::read(gate.file()).unwrap(), good);
    }
}

#[test]
fn what_a_power_loss_leaves_behind_stands_in_nobodys_way() {
    let mut gate = Gate::new();
    std::fs::write(gate.folder.path().join("bundle.new"), "half of").unwrap();
    assert!(gate.intake.resume(NOW).unwrap().is_none());
    gate.takes(&sealed(&deny(1, "merger")));
    assert!(!gate.folder.path().join("bundle.new").exists());
}

#[test]
fn a_shelf_that_takes_nothing_does_not_keep_old_rules_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let mut intake = Gate::intake(&folder.path().join("missing"));
    let taken = intake.take(&sealed(&deny(1, "merger")), NOW);
    assert!(matches!(taken, Ok(Taken::New { kept: Err(ShelfFailure::Unwritable { .. }), .. })), "{taken:?}");
    assert_eq!(intake.holding().map(|(order, _)| order), Some(Order { epoch: 1, sequence: 1 }));
}

#[test]
fn a_bundle_is_stale_when_nothing_newer_came_in_its_time() {
    let clock = ManualClock::at(jiff::Timestamp::UNIX_EPOCH);
    let mut gate = Gate::new();
    let first = sealed(&deny(1, "merger"));
    assert_eq!(gate.is_fresh(clock.monotonic()), None);
    gate.intake.take(&first, clock.monotonic()).unwrap();
    clock.advance(Duration::from_mins(10));
    assert_eq!(gate.is_fresh(clock.monotonic()), Some(true));
    clock.advance(Duration::from_nanos(1));
    assert_eq!(gate.is_fresh(clock.monotonic()), Some(false));
    // Whoever replays the same bundle does not make it young again; a newer one of the same content does.
    assert!(matches!(gate.intake.take(&first, clock.monotonic()), Ok(Taken::Same)));
    assert_eq!(gate.is_fresh(clock.monotonic()), Some(false));
    gate.intake.take(&sealed(&deny(2, "merger")), clock.monotonic()).unwrap();
    assert_eq!(gate.is_fresh(clock.monotonic()), Some(true));
}

#[test]
fn what_no_gate_would_take_is_not_published() {
    let rows = [
        (Bundle { age_max: Duration::ZERO, ..deny(1, "merger") }, "maximum age"),
        (Bundle { age_max: AGE_MAX_MAX + Duration::from_secs(1), ..deny(1, "merger") }, "maximum age"),
        (Bundle { age_max: Duration::from_millis(1_500), ..deny(1, "merger") }, "maximum age"),
        (Bundle { uid: "u".repeat(129), ..deny(1, "merger") }, "workload UID"),
        (Bundle { documents: vec![String::new(); 1_001], ..deny(1, "merger") }, "number of documents"),
    ];
    for (bundle, field) in rows {
        let expected = Unpublishable::Unacceptable(Refusal::from(Malformed(field)));
        assert_eq!(publish(&bundle, &Signer::new(key(1))), Err(expected));
    }
    let large = Bundle { documents: vec!["x".repeat(BUNDLE_BYTES_MAX)], ..deny(1, "merger") };
    let expected = Unpublishable::Unacceptable(Refusal::TooLarge);
    assert_eq!(publish(&large, &Signer::new(key(1))), Err(expected));
}

#[test]
fn keys_are_stored_and_written_and_never_shown() {
    let one = SigningKey::generate().unwrap();
    let again = SigningKey::from_pkcs8(&one.to_pkcs8().unwrap()).unwrap();
    assert_eq!(one.public(), again.public());
    assert_eq!(one.public().to_string().parse(), Ok(one.public()));
    assert_eq!("ed25519:00".parse::<PublicKey>(), Err(KeyFailure::NotPublic));
    assert_eq!(SigningKey::from_pkcs8(b"x").unwrap_err(), KeyFailure::NotSigning);
    assert_eq!(format!("{one:?}"), format!("SigningKey {{ public: {:?}, .. }}", one.public()));
}

#[test]
fn a_signature_over_a_bundle_is_none_over_a_successor() {
    let (key, bytes) = (key(1), b"some bytes");
    let signature = key.sign(Purpose::Bundle, bytes).unwrap();
    assert!(key.public().holds(Purpose::Bundle, bytes, &signature));
    assert!(!key.public().holds(Purpose::Succession, bytes, &signature));
}

#[test]
fn labels_are_written_in_order_and_once_each() {
    let labels = |keys: [&str; 2]| {
        let mut out = Writer::default();
        for text in keys.iter().flat_map(|key| [key, "llama"]) {
            out.text(text);
        }
        out.0
    };
    let mut sent = deny(1, "merger");
    sent.workload.labels.insert("tier".to_owned(), "llama".to_owned());
    let (bytes, good) = (sent.write().unwrap(), labels(["app", "tier"]));
    let at = bytes.windows(good.len()).position(|window| window == good).unwrap();
    for other in [labels(["tier", "app"]), labels(["app", "app"])] {
        let changed = [&bytes[..at], &other, &bytes[at + good.len()..]].concat();
        assert_eq!(Bundle::read(&changed), Err(Malformed("label")));
    }
    assert_eq!(Bundle::read(&bytes), Ok(sent));
}

/// A gate of a later release reads what an operator of this one wrote.
#[test]
fn the_format_stays_what_it_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/distribution/bundle-1");
    let signer = Signer::new(key(1)).hand_over(key(2)).unwrap();
    let written = publish(&bundle(7, &[policy("merger", HOLD), CHAIN.to_owned()]), &signer).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &written).unwrap();
    }
    let stored = std::fs::read(&path).unwrap_or_default();
    assert!(stored == written, "a bundle is written in another way than {}; raise the format", path.display());
    Gate::new().takes(&stored);
}
