//! What a session makes of what it hears, without any connection.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::compile;
use crate::distribution::follow::Broken;
use crate::distribution::intake::Accepted;
use crate::distribution::protocol::{Admitted, Bundle as Sent, Vouched, Welcome};
use crate::distribution::{Bundle, Order, Shelf, Signer, publish};
use crate::rules::Workload;

const AGE: Duration = Duration::from_mins(40);

#[derive(Default)]
struct Notes(Vec<String>);

impl Keeper for Notes {
    fn put_in_force(&mut self, accepted: &Accepted) -> Result<(), &'static str> {
        self.0.push(format!("in force {}", accepted.bundle.order.sequence));
        Ok(())
    }

    fn hear(&mut self, news: News<'_>) {
        self.0.push(match news {
            News::Kept(Ok(())) => "kept".to_owned(),
            News::Refused(refusal) => refusal.code().to_owned(),
            News::FreshUntil(until) => format!("until {}", until.as_secs()),
            News::NotRenewed(unproven) => format!("not renewed: {unproven}"),
            other => format!("{other:?}"),
        });
    }
}

fn signer(seed: u8) -> Signer {
    Signer::new(SigningKey::of_seed(seed))
}

fn bytes(sequence: u64) -> Vec<u8> {
    let workload = Workload { namespace: "models".to_owned(), name: "llama".to_owned(), labels: BTreeMap::new() };
    let bundle = Bundle {
        order: Order { epoch: 1, sequence },
        revision: compile::compile(&[], &workload).unwrap().rule_set.revision(),
        uid: "workload".to_owned(),
        workload,
        age_max: AGE,
        documents: Vec::new(),
    };
    publish(&bundle, &signer(1)).unwrap()
}

struct Stage {
    session: Session,
    intake: Intake,
    notes: Notes,
    random: Random,
}

impl Stage {
    fn new(folder: &Path) -> Self {
        let mut drawn = 100;
        Self {
            session: Session::begin(Nonce::of([1; 32]), Digest::of(b"certificate"), "pod").0,
            intake: Intake::new(SigningKey::of_seed(1).public(), "workload".to_owned(), Shelf::at(folder)),
            notes: Notes::default(),
            random: Box::new(move || {
                drawn += 1;
                Some([drawn; 32])
            }),
        }
    }

    fn hears(&mut self, message: from_operator::Message, now: Duration) -> Result<Option<FromGate>, Broken> {
        let message = FromOperator { message: Some(message) };
        match self.session.hears(message, &mut self.intake, &mut self.notes, now)? {
            Heard::Answer(answer) => Ok(Some(answer)),
            Heard::Nothing => Ok(None),
        }
    }

    fn bundle(&mut self, bytes: Vec<u8>, now: Duration) -> FromGate {
        self.hears(from_operator::Message::Bundle(Sent { bytes: bytes.into() }), now).unwrap().expect("an answer")
    }

    fn asks(&mut self, now: Duration) -> Option<[u8; 32]> {
        let question = self.session.asks(&self.intake, now, &mut self.random).unwrap()?;
        match question.message {
            Some(from_gate::Message::Vouch(vouch)) => Some(vouch.nonce.try_into().unwrap()),
            other => panic!("{other:?}"),
        }
    }

    fn vouched(&mut self, signer: &Signer, nonce: [u8; 32], bundle: &[u8]) -> Result<Option<FromGate>, Broken> {
        let order = Order { epoch: 1, sequence: 1 };
        let statement = signer.vouch(&Nonce::of(nonce), "workload", order, &Digest::of(bundle)).unwrap();
        self.hears(from_operator::Message::Vouched(Vouched { statement }), Duration::from_hours(1))
    }
}

const fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

#[test]
fn a_bundle_is_answered_by_what_became_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(folder.path());
    let (good, mut bad) = (bytes(1), bytes(2));
    let answer = stage.bundle(good.clone(), Duration::ZERO);
    let digest = Digest::of(&good).as_bytes().to_vec();
    let order = Some(super::Order { epoch: 1, sequence: 1 });
    assert_eq!(answer, say(from_gate::Message::Acknowledged(Acknowledged { order, digest: digest.clone() })));
    assert_eq!(holding(&stage.intake), say(from_gate::Message::Holding(Holding { order, digest })));
    // The same one again is acknowledged again, and nothing is done.
    assert_eq!(stage.bundle(good, minutes(5)), answer);
    let last = bad.len() - 1;
    bad[last] ^= 1;
    let digest = Digest::of(&bad).as_bytes().to_vec();
    let Some(from_gate::Message::Rejected(rejected)) = stage.bundle(bad, minutes(6)).message else {
        panic!("rejected")
    };
    assert_eq!((rejected.digest, rejected.code.as_str()), (digest, "wrong_signature"));
    assert_eq!(stage.notes.0, ["in force 1", "kept", "until 2400", "wrong_signature"]);
}

#[test]
fn the_question_is_due_at_a_quarter_of_the_age_and_again_after_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(folder.path());
    assert_eq!((stage.session.due(&stage.intake), stage.asks(minutes(100))), (None, None));
    let bundle = bytes(1);
    stage.bundle(bundle.clone(), Duration::ZERO);
    assert_eq!(stage.asks(minutes(9) + SOON), None);
    let first = stage.asks(minutes(10)).expect("due");
    assert_eq!(stage.asks(minutes(10) + SOON), None);
    let second = stage.asks(minutes(11)).expect("due again");
    assert_ne!(first, second);
    // An answer to the first question comes too late: the second counts.
    stage.vouched(&signer(1), first, &bundle).unwrap();
    assert_eq!(stage.intake.stale_after(), Some(AGE));
    stage.vouched(&signer(1), second, &bundle).unwrap();
    assert_eq!(stage.intake.stale_after(), Some(minutes(11) + AGE));
    assert_eq!(stage.session.due(&stage.intake), Some(minutes(21)));
    // And it counts once.
    let again = stage.vouched(&signer(1), second, &bundle);
    assert!(matches!(again, Err(Broken::Protocol("it vouches without being asked"))), "{again:?}");
}

#[test]
fn a_voucher_of_somebody_else_ends_the_session_and_one_for_an_older_bundle_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(folder.path());
    stage.bundle(bytes(1), Duration::ZERO);
    let nonce = stage.asks(minutes(10)).expect("due");
    assert!(stage.vouched(&signer(1), nonce, b"another bundle").unwrap().is_none());
    assert!(stage.notes.0.last().unwrap().starts_with("not renewed"));
    let stranger = stage.vouched(&signer(9), nonce, &bytes(1));
    assert!(matches!(stranger, Err(Broken::Unproven(Unproven::UnknownKey(_)))), "{stranger:?}");
    assert_eq!(stage.intake.stale_after(), Some(AGE));
}

#[test]
fn a_session_begins_once_and_goes_on_over_what_is_not_known_here() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(folder.path());
    for message in
        [from_operator::Message::Welcome(Welcome::default()), from_operator::Message::Admitted(Admitted::default())]
    {
        assert!(matches!(stage.hears(message, NOW), Err(Broken::Protocol(_))));
    }
    let unknown = FromOperator { message: None };
    let heard = stage.session.hears(unknown.clone(), &mut stage.intake, &mut stage.notes, NOW);
    assert!(matches!(heard, Ok(Heard::Nothing)));
    // Before the operator has proved itself nothing else will do.
    assert!(matches!(stage.session.welcomed(unknown.clone(), &stage.intake), Err(Broken::Protocol(_))));
    assert!(matches!(admitted(unknown), Err(Broken::Protocol(_))));
    let bundle = FromOperator { message: Some(from_operator::Message::Bundle(Sent { bytes: bytes(1).into() })) };
    assert!(matches!(stage.session.welcomed(bundle.clone(), &stage.intake), Err(Broken::Protocol(_))));
    assert!(matches!(admitted(bundle), Err(Broken::Protocol(_))));
}

/// A moment less than a minute.
const SOON: Duration = Duration::from_millis(59_999);
const NOW: Duration = Duration::from_secs(100);
