//! One gate's stream, from its hello to its end.
//!
//! Guarantees: what was sent and not answered yet is one bundle; nothing is acknowledged that was not sent, or said to be held.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tonic::{Status, Streaming};

use super::accept::{Hooks, Server};
use super::admit::{admit, status};
use super::frame::bundle_head;
use super::ports::{Offer, PodIdentity, Rejection};
use super::seats::Seat;
use crate::base::Digest;
use crate::distribution::Order;
use crate::distribution::protocol::{
    self, Admitted, Claim, FromGate, FromOperator, Holding, Rejected, Vouched, Welcome, from_gate, from_operator,
};
use crate::distribution::statement::Nonce;
use crate::distribution::stream::{Closed, Outgoing};

/// Longest word for why a bundle is refused.
const CODE_BYTES_MAX: usize = 64;
/// Longest sentence.
const MESSAGE_BYTES_MAX: usize = 1_024;
/// Longest name of a version.
const VERSION_BYTES_MAX: usize = 64;
/// A moment that never comes, as far as one stream goes.
const NEVER: Duration = Duration::from_hours(24 * 365);

/// Serves the stream to its end, and says how it ended.
pub(super) async fn run(
    server: Arc<Server>,
    incoming: Streaming<FromGate>,
    outgoing: Outgoing,
    certificate: Digest,
    hooks: Hooks,
) {
    let Hooks { until, claimed, believed, ended } = hooks;
    let mut wire = Wire { incoming, outgoing, wait: server.settings.answer_within };
    let status = match serve(&server, &mut wire, certificate, until, (claimed, believed)).await {
        Ok(()) => Status::ok(""),
        Err(status) => status,
    };
    if status.code() != tonic::Code::Ok {
        tracing::debug!(code = ?status.code(), message = status.message(), "the stream of a gate ended");
    }
    let _ = timeout(server.settings.answer_within, wire.outgoing.end(&status)).await;
    drop(ended);
}

async fn serve(
    server: &Arc<Server>,
    wire: &mut Wire,
    certificate: Digest,
    until: Instant,
    (claimed, believed): (oneshot::Sender<()>, oneshot::Sender<()>),
) -> Result<(), Status> {
    let greeted = timeout_at(until, greet(server, wire, certificate)).await;
    let (nonce, claim, holding) =
        greeted.map_err(|_| Status::deadline_exceeded("the claim did not come in time"))??;
    let _ = claimed.send(());
    let admitted = timeout(server.settings.admit_within, admit(server, &claim, &nonce, &certificate)).await;
    let pod = admitted.map_err(|_| Status::unavailable("the Pod could not be looked up in time"))??;
    let offers = server.registry.follow(&pod).map_err(|denied| status(&denied))?;
    let (seat, superseded) = server.seats.take(&server.registry, pod);
    let _ = believed.send(());
    wire.say(from_operator::Message::Admitted(Admitted {})).await?;
    let held = held(&holding)?;
    let version: String = claim.version.chars().filter(char::is_ascii_graphic).take(VERSION_BYTES_MAX).collect();
    seat.tell(|registry, pod| registry.holding(pod, &version, held));
    Following::new(server, seat, offers, held).follow(wire, superseded).await
}

/// Up to what the gate holds.
async fn greet(server: &Server, wire: &mut Wire, certificate: Digest) -> Result<(Nonce, Claim, Holding), Status> {
    let Some(from_gate::Message::Hello(hello)) = wire.hear().await? else {
        return Err(Status::invalid_argument("a stream begins with a hello"));
    };
    let theirs = Nonce::read(&hello.nonce).ok_or_else(|| Status::invalid_argument("a nonce has 32 bytes"))?;
    let signer = server.registry.signer().ok_or_else(|| Status::unavailable("the signing key is not there yet"))?;
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|_| Status::unavailable("the operator has no randomness"))?;
    let nonce = Nonce::of(random);
    let statement = signer.welcome(&theirs, &certificate);
    let statement = statement.map_err(|_| Status::unavailable("the signing key cannot be used"))?;
    wire.say(from_operator::Message::Welcome(Welcome { nonce: random.to_vec(), statement })).await?;
    let Some(from_gate::Message::Claim(claim)) = wire.hear().await? else {
        return Err(Status::invalid_argument("a welcome is answered by a claim"));
    };
    let Some(from_gate::Message::Holding(holding)) = wire.hear().await? else {
        return Err(Status::invalid_argument("a claim is followed by what the gate holds"));
    };
    Ok((nonce, claim, holding))
}

fn held(holding: &Holding) -> Result<Option<(Order, Digest)>, Status> {
    let Some(order) = holding.order else { return Ok(None) };
    Ok(Some((Order { epoch: order.epoch, sequence: order.sequence }, digest(&holding.digest)?)))
}

fn digest(bytes: &[u8]) -> Result<Digest, Status> {
    bytes.try_into().map(Digest::from_bytes).map_err(|_| Status::invalid_argument("a digest has 32 bytes"))
}

/// Both directions.
struct Wire {
    incoming: Streaming<FromGate>,
    outgoing: Outgoing,
    /// How long a gate may leave unread what is sent to it.
    wait: Duration,
}

impl Wire {
    /// What the gate says next; nothing when a later release says what is not known here. May be dropped at any time.
    async fn hear(&mut self) -> Result<Option<from_gate::Message>, Status> {
        match self.incoming.message().await? {
            Some(message) => Ok(message.message),
            None => Err(Status::cancelled("the gate has ended the stream")),
        }
    }

    async fn say(&mut self, message: from_operator::Message) -> Result<(), Status> {
        let message = FromOperator { message: Some(message) };
        read(self.wait, self.outgoing.send(&message)).await
    }

    async fn bundle(&mut self, offer: &Offer) -> Result<(), Status> {
        read(self.wait, self.outgoing.send_framed(bundle_head(offer.bytes.len()), offer.bytes.clone())).await
    }
}

/// Waits for so long until what is sent is read.
async fn read(wait: Duration, sending: impl Future<Output = Result<(), Closed>>) -> Result<(), Status> {
    match timeout(wait, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Status::cancelled("the gate has ended the stream")),
        Err(_) => Err(Status::deadline_exceeded("the gate does not read what it is sent")),
    }
}

/// A gate that was let in.
struct Following<'a> {
    server: &'a Server,
    seat: Seat,
    offers: watch::Receiver<Option<Arc<Offer>>>,
    held: Option<(Order, Digest)>,
    /// Sent, and not answered; since when.
    sent: Option<(Arc<Offer>, Instant)>,
    /// What the gate refused last: it would again.
    refused: Option<Digest>,
    /// Since when the gate has been holding something newer than what is offered here.
    ahead_since: Option<Instant>,
    vouched_at: Option<Instant>,
}

impl<'a> Following<'a> {
    const fn new(
        server: &'a Server,
        seat: Seat,
        offers: watch::Receiver<Option<Arc<Offer>>>,
        held: Option<(Order, Digest)>,
    ) -> Self {
        Self { server, seat, offers, held, sent: None, refused: None, ahead_since: None, vouched_at: None }
    }

    async fn follow(mut self, wire: &mut Wire, mut superseded: oneshot::Receiver<()>) -> Result<(), Status> {
        self.held_already();
        let mut stopping = self.server.stopping.clone();
        loop {
            if let Some(offer) = self.next() {
                wire.bundle(&offer).await?;
                self.sent = Some((offer, Instant::now()));
            }
            let wake = self.wake();
            tokio::select! {
                biased;
                _ = &mut superseded => {
                    return Err(Status::aborted("another connection of this gate has taken the place of this one"));
                }
                () = told_to_stop(&mut stopping) => {
                    return Err(Status::unavailable("this replica of the operator stops"));
                }
                message = wire.hear() => {
                    if let Some(message) = message? {
                        self.heard(message, wire).await?;
                    }
                }
                changed = self.offers.changed() => {
                    changed.map_err(|_| Status::permission_denied("the Pod, or its workload's enrolment, has ended"))?;
                    self.held_already();
                }
                () = sleep_until(wake) => self.late()?,
            }
        }
    }

    /// The gate may hold what is offered without being sent it.
    fn held_already(&self) {
        let current = self.offers.borrow().clone();
        if let Some(offer) = current.filter(|offer| self.held.is_some_and(|(_, digest)| digest == offer.digest)) {
            self.seat.tell(|registry, pod| registry.acknowledged(pod, &offer));
        }
    }

    /// What to send now.
    fn next(&mut self) -> Option<Arc<Offer>> {
        let current = self.offers.borrow_and_update().clone()?;
        let held = self.held.is_some_and(|(_, digest)| digest == current.digest);
        if self.sent.is_some() || held || self.refused == Some(current.digest) {
            self.ahead_since = None;
            return None;
        }
        if self.held.is_none_or(|(order, _)| order <= current.order) {
            self.ahead_since = None;
            return Some(current);
        }
        // Either this replica lags, or the cluster was restored from a backup: then the gate says so.
        let since = *self.ahead_since.get_or_insert_with(Instant::now);
        (since.elapsed() >= self.server.settings.lag_within).then_some(current)
    }

    /// When to look again without being told.
    fn wake(&self) -> Instant {
        let settings = &self.server.settings;
        let answer = self.sent.as_ref().map(|(_, at)| *at + settings.answer_within);
        let lag = self.ahead_since.map(|since| since + settings.lag_within);
        answer.into_iter().chain(lag).min().unwrap_or_else(|| Instant::now() + NEVER)
    }

    fn late(&self) -> Result<(), Status> {
        match &self.sent {
            Some((_, at)) if at.elapsed() >= self.server.settings.answer_within => {
                Err(Status::deadline_exceeded("the gate does not say what became of its bundle"))
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn heard(&mut self, message: from_gate::Message, wire: &mut Wire) -> Result<(), Status> {
        match message {
            from_gate::Message::Acknowledged(acknowledged) => self.acknowledged(&acknowledged),
            from_gate::Message::Rejected(rejected) => self.rejected(rejected),
            from_gate::Message::Vouch(vouch) => self.vouch(&vouch, wire).await,
            from_gate::Message::Hello(_) | from_gate::Message::Claim(_) | from_gate::Message::Holding(_) => {
                Err(Status::invalid_argument("a stream begins once"))
            }
        }
    }

    /// The bundle that is answered, which is the one that was sent.
    fn answered(&mut self, bytes: &[u8]) -> Result<Arc<Offer>, Status> {
        let digest = digest(bytes)?;
        match self.sent.take() {
            Some((offer, _)) if offer.digest == digest => Ok(offer),
            Some(_) | None => Err(Status::invalid_argument("the answer is about a bundle that was not sent")),
        }
    }

    fn acknowledged(&mut self, acknowledged: &protocol::Acknowledged) -> Result<(), Status> {
        let offer = self.answered(&acknowledged.digest)?;
        self.held = Some((offer.order, offer.digest));
        self.refused = None;
        self.seat.tell(|registry, pod| registry.acknowledged(pod, &offer));
        Ok(())
    }

    fn rejected(&mut self, rejected: Rejected) -> Result<(), Status> {
        let offer = self.answered(&rejected.digest)?;
        self.refused = Some(offer.digest);
        let rejection = rejection(rejected);
        self.seat.tell(|registry, pod| registry.rejected(pod, &offer, rejection));
        Ok(())
    }

    /// Vouches for what the gate holds if it is current; says nothing otherwise, and the gate asks again.
    async fn vouch(&mut self, vouch: &protocol::Vouch, wire: &mut Wire) -> Result<(), Status> {
        let nonce = Nonce::read(&vouch.nonce).ok_or_else(|| Status::invalid_argument("a nonce has 32 bytes"))?;
        if self.vouched_at.is_some_and(|at| at.elapsed() < self.server.settings.vouch_every) {
            return Ok(());
        }
        let Some(offer) = self.current() else { return Ok(()) };
        let Some(signer) = self.server.registry.signer() else { return Ok(()) };
        self.vouched_at = Some(Instant::now());
        let statement = signer.vouch(&nonce, &offer.uid, offer.order, &offer.digest);
        let statement = statement.map_err(|_| Status::unavailable("the signing key cannot be used"))?;
        wire.say(from_operator::Message::Vouched(Vouched { statement })).await
    }

    /// What is offered, if the gate holds it and it is known to be the newest.
    fn current(&self) -> Option<Arc<Offer>> {
        let offer = self.offers.borrow().clone()?;
        let held = self.held.is_some_and(|(_, digest)| digest == offer.digest);
        let pod: &PodIdentity = &self.seat.pod;
        (held && self.server.registry.is_current(pod, &offer)).then_some(offer)
    }
}

async fn told_to_stop(stopping: &mut watch::Receiver<bool>) {
    // The server holds the sender to its end: without one it has ended.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// What a gate says, as far as it may go on.
fn rejection(rejected: Rejected) -> Rejection {
    let word = |c: char| c.is_ascii_lowercase() || c == '_';
    let code = if rejected.code.len() <= CODE_BYTES_MAX && !rejected.code.is_empty() && rejected.code.chars().all(word)
    {
        rejected.code
    } else {
        "unknown".to_owned()
    };
    let mut message: String = rejected.message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let end = (0..=MESSAGE_BYTES_MAX.min(message.len())).rev().find(|end| message.is_char_boundary(*end));
    message.truncate(end.unwrap_or(0));
    Rejection { code, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_gate_says_of_a_refusal_is_cut_to_what_may_go_on() {
        let said = |code: &str, message: &str| {
            let rejection =
                rejection(Rejected { digest: Vec::new(), code: code.to_owned(), message: message.to_owned() });
            (rejection.code, rejection.message)
        };
        assert_eq!(said("replayed", "it is older"), ("replayed".to_owned(), "it is older".to_owned()));
        assert_eq!(said("Not A Word", "a\nb\u{1b}[31m").0, "unknown");
        assert_eq!(said("", "a\nb").1, "a b");
        let (code, message) = said(&"x".repeat(65), &"ä".repeat(1_000));
        assert_eq!((code.as_str(), message.len()), ("unknown", 1_024));
    }
}
