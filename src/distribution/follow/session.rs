//! The gate's half of one stream, without the stream: what may be said when, and what becomes of what is heard.
//!
//! Guarantees: nothing is taken before the operator has proved itself; what the operator may not say at a point ends the
//! session. Knows neither connections nor clocks.

use std::time::Duration;

use super::{Broken, Keeper, News, Random, said, say};
use crate::base::Digest;
use crate::distribution::intake::{Intake, Taken};
use crate::distribution::key::{KeyFailure, SigningKey};
use crate::distribution::protocol::{
    Acknowledged, Claim, FromGate, FromOperator, Hello, Holding, Order, Rejected, Vouch, from_gate, from_operator,
};
use crate::distribution::refusal::{Refusal, Unproven};
use crate::distribution::statement::Nonce;

/// A question that was not answered is asked again after this long: the operator does not answer while it cannot know.
const ASK_AGAIN: Duration = Duration::from_mins(1);

/// What to do after something was heard.
#[derive(Debug)]
pub(super) enum Heard {
    /// Nothing.
    Nothing,
    /// Say this.
    Answer(FromGate),
}

/// One stream.
#[derive(Debug)]
pub(super) struct Session {
    nonce: Nonce,
    certificate: Digest,
    pod_uid: String,
    /// The last question whether the bundle is current, and when it was asked.
    asked: Option<(Nonce, Duration)>,
}

impl Session {
    /// The first message.
    pub(super) fn begin(nonce: Nonce, certificate: Digest, pod_uid: &str) -> (Self, FromGate) {
        let hello = say(from_gate::Message::Hello(Hello { nonce: nonce.as_bytes().to_vec() }));
        (Self { nonce, certificate, pod_uid: pod_uid.to_owned(), asked: None }, hello)
    }

    /// The first answer must prove who gives it; the nonce in it is for the claim.
    pub(super) fn welcomed(&self, message: FromOperator, intake: &Intake) -> Result<Nonce, Broken> {
        let Some(from_operator::Message::Welcome(welcome)) = said(message) else {
            return Err(Broken::Protocol("it does not begin with a welcome"));
        };
        intake.believes(&welcome.statement, &self.nonce, &self.certificate).map_err(Broken::Unproven)?;
        Nonce::read(&welcome.nonce).ok_or(Broken::Protocol("its nonce is none"))
    }

    /// Who is there.
    pub(super) fn claim(
        &self,
        theirs: &Nonce,
        key: &SigningKey,
        token: String,
        version: String,
    ) -> Result<FromGate, KeyFailure> {
        let signature = key.claim(theirs, &self.certificate, &self.pod_uid)?.to_vec();
        let key = key.public().as_bytes().to_vec();
        Ok(say(from_gate::Message::Claim(Claim { pod_uid: self.pod_uid.clone(), key, signature, token, version })))
    }

    /// Anything after that; `now` is the monotonic clock.
    pub(super) fn hears<K: Keeper>(
        &mut self,
        message: FromOperator,
        intake: &mut Intake,
        keeper: &mut K,
        now: Duration,
    ) -> Result<Heard, Broken> {
        match said(message) {
            Some(from_operator::Message::Bundle(bundle)) => {
                Ok(Heard::Answer(taken(&bundle.bytes, intake, keeper, now)))
            }
            Some(from_operator::Message::Vouched(vouched)) => {
                self.vouched(&vouched.statement, intake, keeper)?;
                Ok(Heard::Nothing)
            }
            Some(from_operator::Message::Welcome(_) | from_operator::Message::Admitted(_)) => {
                Err(Broken::Protocol("it begins again"))
            }
            // A later release says more.
            None => Ok(Heard::Nothing),
        }
    }

    fn vouched<K: Keeper>(&mut self, statement: &[u8], intake: &mut Intake, keeper: &mut K) -> Result<(), Broken> {
        let (nonce, asked_at) = self.asked.take().ok_or(Broken::Protocol("it vouches without being asked"))?;
        match intake.renew(statement, &nonce, asked_at) {
            Ok(()) => fresh(intake, keeper),
            Err(unproven) => {
                keeper.hear(News::NotRenewed(unproven));
                // A newer bundle may have come while it was said. From somebody else it cannot be: the connection is proved.
                if unproven != Unproven::WrongSignature {
                    return Err(Broken::Unproven(unproven));
                }
                self.asked = Some((nonce, asked_at));
            }
        }
        Ok(())
    }

    /// When the next question is due.
    pub(super) fn due(&self, intake: &Intake) -> Option<Duration> {
        let again = self.asked.map(|(_, asked_at)| asked_at.saturating_add(ASK_AGAIN));
        intake.ask_at().map(|at| again.map_or(at, |again| at.max(again)))
    }

    /// The question whether the bundle in force is current, when it is due.
    pub(super) fn asks(
        &mut self,
        intake: &Intake,
        now: Duration,
        random: &mut Random,
    ) -> Result<Option<FromGate>, Broken> {
        if self.due(intake).is_none_or(|due| now < due) {
            return Ok(None);
        }
        let nonce = Nonce::of(random().ok_or(Broken::Randomness)?);
        self.asked = Some((nonce, now));
        Ok(Some(say(from_gate::Message::Vouch(Vouch { nonce: nonce.as_bytes().to_vec() }))))
    }
}

/// The answer to a claim.
pub(super) fn admitted(message: FromOperator) -> Result<(), Broken> {
    match said(message) {
        Some(from_operator::Message::Admitted(_)) => Ok(()),
        _ => Err(Broken::Protocol("it does not answer the claim")),
    }
}

/// What is in force.
pub(super) fn holding(intake: &Intake) -> FromGate {
    let (order, digest) = held(intake);
    say(from_gate::Message::Holding(Holding { order, digest }))
}

fn held(intake: &Intake) -> (Option<Order>, Vec<u8>) {
    let held = intake.holding();
    let order = held.map(|(order, _)| Order { epoch: order.epoch, sequence: order.sequence });
    (order, held.map_or_else(Vec::new, |(_, digest)| digest.as_bytes().to_vec()))
}

/// Offers a bundle to the intake, and says what became of it.
fn taken<K: Keeper>(bytes: &[u8], intake: &mut Intake, keeper: &mut K, now: Duration) -> FromGate {
    let taken = intake.take_if(bytes, now, |accepted| keeper.put_in_force(accepted));
    match taken {
        Ok(taken) => {
            match &taken {
                Taken::New { kept, .. } => {
                    keeper.hear(News::Kept(kept));
                    fresh(intake, keeper);
                }
                Taken::Resigned { kept } => keeper.hear(News::Kept(kept)),
                Taken::Same => {}
            }
            let (order, digest) = held(intake);
            say(from_gate::Message::Acknowledged(Acknowledged { order, digest }))
        }
        Err(refusal) => {
            keeper.hear(News::Refused(&refusal));
            say(from_gate::Message::Rejected(rejected(bytes, &refusal)))
        }
    }
}

fn rejected(bytes: &[u8], refusal: &Refusal) -> Rejected {
    let digest = Digest::of(bytes).as_bytes().to_vec();
    Rejected { digest, code: refusal.code().to_owned(), message: refusal.to_string() }
}

fn fresh<K: Keeper>(intake: &Intake, keeper: &mut K) {
    if let Some(until) = intake.stale_after() {
        keeper.hear(News::FreshUntil(until));
    }
}

#[cfg(test)]
mod tests;
