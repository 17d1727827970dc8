//! Fuzz target: any bytes as what an operator says, to a gate whose key they cannot know. Panics where it finds a fault.

use std::time::Duration;

use prost::Message as _;

use super::session::{self, Session};
use super::{Keeper, News};
use crate::base::Digest;
use crate::distribution::intake::{Accepted, Intake};
use crate::distribution::key::SigningKey;
use crate::distribution::protocol::{Admitted, Bundle, FromOperator, Vouched, Welcome, from_operator};
use crate::distribution::shelf::Shelf;
use crate::distribution::statement::{Nonce, Statement};
use crate::distribution::{Order, Signer, fuzzing};

/// The seed of a key that is not the anchor's.
const STRANGER: u8 = 1;
const ANCHOR: u8 = 3;

/// Whoever is asked to put something in force has been deceived.
struct Undeceived;

impl Keeper for Undeceived {
    fn put_in_force(&mut self, _: &Accepted) -> Result<(), &'static str> {
        unreachable!("a stranger's bundle was taken")
    }

    fn hear(&mut self, news: News<'_>) {
        assert!(matches!(news, News::Refused(_) | News::NotRenewed(_)), "a stranger was believed: {news:?}");
    }
}

const NONCE: Nonce = Nonce::of([7; 32]);

fn certificate() -> Digest {
    Digest::of(b"certificate")
}

/// One of each, all signed by somebody whom the gate does not know.
#[must_use]
pub fn messages() -> Vec<Vec<u8>> {
    let stranger = Signer::new(SigningKey::of_seed(STRANGER));
    let bytes = fuzzing::bundles().swap_remove(0);
    let order = Order { epoch: 1, sequence: 2 };
    let welcome = stranger.welcome(&NONCE, &certificate()).unwrap_or_default();
    let vouched = stranger.vouch(&NONCE, "0f6e", order, &Digest::of(&bytes)).unwrap_or_default();
    let said = [
        from_operator::Message::Welcome(Welcome { nonce: vec![7; 32], statement: welcome.clone() }),
        from_operator::Message::Admitted(Admitted {}),
        from_operator::Message::Bundle(Bundle { bytes: bytes.into() }),
        from_operator::Message::Vouched(Vouched { statement: vouched.clone() }),
    ];
    let mut seeds: Vec<_> =
        said.into_iter().map(|message| FromOperator { message: Some(message) }.encode_to_vec()).collect();
    seeds.extend([welcome, vouched]);
    seeds
}

/// Hears bytes as a message, at each point at which one may come, and as a statement.
pub fn hear(data: &[u8]) {
    let shelf = Shelf::at("no such folder");
    let mut intake = Intake::new(SigningKey::of_seed(ANCHOR).public(), "0f6e".to_owned(), shelf);
    let _ = Statement::open(data);
    assert!(intake.believes(data, &NONCE, &certificate()).is_err(), "a stranger's statement holds");
    let Ok(message) = FromOperator::decode(data) else { return };
    let (mut session, _) = Session::begin(NONCE, certificate(), "pod");
    assert!(session.welcomed(message.clone(), &intake).is_err(), "a stranger is welcome");
    let _ = session::admitted(message.clone());
    let _ = session.hears(message, &mut intake, &mut Undeceived, Duration::ZERO);
    assert!(intake.holding().is_none());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fuzzing::drive;

    #[test]
    fn any_bytes_are_heard_and_no_stranger_is_believed() {
        let seeds = messages();
        assert!(seeds.iter().all(|seed| !seed.is_empty()));
        drive(&seeds, hear);
    }
}
