//! Keeps a query waiting while people decide, in the way its client can stand: a stream is kept alive, a plain query is
//! held for a slice and told to come again.
//!
//! # Guarantees
//! * Nothing is forwarded but through a release of exactly the bytes that were held, recorded first.
//! * A retry joins its hold; anonymous callers share one only by naming it.
//! * A client that leaves, a shutdown and an expiry each end in an entry or in the retry answer, never in silence.
//!
//! Knows nothing of how people are asked.

mod edit;
mod open;
mod queries;
mod recall;
mod releasing;
mod room;
mod shape;
mod stream;
mod texts;
mod wait;

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, LINK, LOCATION, RETRY_AFTER};
use http::{Response, StatusCode};
use tokio::time::Instant;

use super::gate::judge_query;
use super::outgoing::Outgoing;
use super::permit::Permit;
use super::ports::HoldFailure;
use super::prefer::{Answering, Prefer};
use super::refusal::{Refusal, link};
use super::status::{self, attend};
use super::visit::Visit;
use crate::approvals::{Chain, Hold, Phase, Release};
use crate::audit::Outcome;
use crate::base::{Digest, HoldId};
use crate::query::Query;
use crate::rules::{Held, Ruling};
use crate::telemetry::Metrics;
use open::{Opened, chains, open};
use recall::Asked;
use room::Place;
use texts::Kept;

pub use edit::{EditFailure, JudgedEdit};
pub use queries::{HeldQueries, HeldText};
pub(super) use releasing::{Releases, Releasing};
pub(super) use room::Room;
pub(super) use shape::Framing;
pub(super) use stream::HeldStream;
pub use texts::HELD_TEXT_BYTES_MAX;
pub(super) use texts::Texts;

/// A query that waits.
pub(super) struct Waiting {
    visit: Visit,
    held: Held,
    /// As it was when this query came.
    hold: Hold,
    id: HoldId,
    join: Digest,
    since: Instant,
    slot: Slot,
}

/// Counts those who wait; without a place nobody does, for lack of room.
struct Slot {
    metrics: Metrics,
    ended: Phase,
    place: Option<Place>,
}

impl Slot {
    fn taken(visit: &Visit, held: &Held) -> Self {
        let bytes = usize::try_from(visit.entry.body_bytes).unwrap_or(usize::MAX).saturating_add(held.body().len());
        let place = visit.shared.room.take(visit.caller.user.as_deref(), bytes);
        let metrics = visit.shared.ports.metrics.clone();
        metrics.hold_opened();
        Self { metrics, ended: Phase::Cancelled, place }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.metrics.hold_settled(self.ended);
    }
}

/// How the client of a held query waits.
#[derive(Debug, Clone, Copy)]
enum Manner {
    /// Its stream is kept alive.
    Streaming(Framing),
    /// In silence for a slice, then it is told to come again.
    Sliced,
    /// It asked for a place to ask at.
    Async(Prefer),
}

impl Manner {
    fn of(visit: &Visit, query: &Query) -> Self {
        let prefer = Prefer::of(&visit.head.headers);
        match (prefer.answer, Framing::of(visit, query)) {
            (Answering::Async, _) => Self::Async(prefer),
            (Answering::InLine, Some(framing)) => Self::Streaming(framing),
            (Answering::InLine, None) => Self::Sliced,
        }
    }
}

/// Asks people, and answers when they have decided or when the client cannot wait longer.
pub(super) async fn hold(visit: Visit, held: Held) -> Response<Outgoing> {
    let manner = Manner::of(&visit, held.query());
    let since = Instant::now();
    let (mut visit, held) = match Box::pin(recall::recall(visit, held)).await {
        Asked::People(visit, held) => (visit, held),
        Asked::Answered(response) => return response,
    };
    let Opened { hold, join } = match open(&mut visit, &held).await {
        Ok(opened) => opened,
        Err(refusal) => return visit.refuse(&refusal),
    };
    let id = hold.id();
    let slot = Slot::taken(&visit, &held);
    visit.entry.hold = Some(id);
    if let Err(refusal) = visit.record(Outcome::Held) {
        return visit.refuse(&refusal);
    }
    visit.waiting_for = Some(id);
    visit.shared.texts.keep(id, Kept::of(&visit, &held));
    let waiting = Waiting { visit, held, hold, id, join, since, slot };
    let patience = waiting.patience(manner);
    match (waiting.settled_within(patience).await, manner) {
        (wait::Settled::Phase(phase), _) => waiting.settle(phase).await,
        (wait::Settled::Failed(failure), _) => {
            let refusal = refused(failure);
            waiting.visit.refuse(&refusal)
        }
        (wait::Settled::NotYet | wait::Settled::Draining, Manner::Async(prefer)) => waiting.accepted(prefer).await,
        (wait::Settled::NotYet, Manner::Streaming(framing)) if waiting.slot.place.is_some() => {
            stream::respond(waiting, framing)
        }
        (wait::Settled::NotYet | wait::Settled::Draining, _) => waiting.sent_away().await,
    }
}

fn refused(failure: HoldFailure) -> Refusal {
    match failure {
        HoldFailure::Unavailable => Refusal::ApprovalUnavailable,
        HoldFailure::NobodyToAsk => Refusal::NobodyToAsk,
        HoldFailure::Overloaded => Refusal::TooManyHeld,
        HoldFailure::UnknownChain(chain) => Refusal::UnknownChain(chain),
        HoldFailure::NotReleased(hold) | HoldFailure::Unknown(hold) => Refusal::NotReleased(hold),
    }
}

impl Waiting {
    fn pending(&self) -> Refusal {
        let settings = &self.visit.shared.settings.hold;
        let again = settings.again(&self.visit.head.headers);
        Refusal::ApprovalPending { hold: self.id, retry_after: settings.retry_after, again }
    }

    /// The retry answer.
    async fn sent_away(mut self) -> Response<Outgoing> {
        self.slot.ended = Phase::Pending;
        attend(&self.visit, &self.hold, self.visit.shared.settings.hold.retry_after).await;
        let refusal = self.pending();
        self.visit.refuse(&refusal)
    }

    /// The answer to a client that asked for it: where the approval is, and when to ask.
    async fn accepted(mut self, prefer: Prefer) -> Response<Outgoing> {
        self.slot.ended = Phase::Pending;
        let poll_after = self.visit.shared.settings.hold.poll_after;
        attend(&self.visit, &self.hold, poll_after).await;
        self.visit.waiting_for = None;
        self.visit.signed(accepted(&self.hold, prefer, poll_after))
    }

    /// Acts on what people decided: the release is claimed, recorded and forwarded, or the query is refused.
    async fn settle(self, phase: Phase) -> Response<Outgoing> {
        let pending = self.pending();
        let Self { mut visit, held, id, join, mut slot, .. } = self;
        slot.ended = phase;
        drop(slot);
        visit.shared.texts.forget(id);
        let refusal = match phase {
            Phase::Approved => match visit.shared.releases.begin(id) {
                Some(releasing) => match release(&mut visit, held, id, join).await {
                    Ok(release) => {
                        return visit.forward(Outcome::Released, Permit::from(release), Some(releasing)).await;
                    }
                    Err(refusal) => refusal,
                },
                None => pending,
            },
            Phase::Denied => Refusal::ApprovalDenied(id),
            Phase::Expired => Refusal::ApprovalExpired(id),
            Phase::Cancelled => Refusal::ApprovalCancelled(id),
            // `Holds::settled` promises a final phase; a store that breaks it releases nothing.
            Phase::Pending => Refusal::ApprovalUnavailable,
        };
        visit.refuse(&refusal)
    }
}

/// `202`, which only those get who asked for it.
fn accepted(hold: &Hold, prefer: Prefer, poll_after: Duration) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::whole(status::document(hold)));
    *response.status_mut() = StatusCode::ACCEPTED;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(RETRY_AFTER, HeaderValue::from(poll_after.as_secs().clamp(1, 60)));
    let applied = (HeaderName::from_static("preference-applied"), prefer.applied());
    for (name, value) in [(LOCATION, status::path(hold.id())), (LINK, link(hold.id())), applied] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}

/// Claims what people approved. A rule set that changed while they decided has its say first: it can refuse, and a hold
/// by other chains is another question, which this approval does not answer; a looser one changes nothing. What an approver
/// made of the query goes in its place.
async fn release(visit: &mut Visit, held: Held, id: HoldId, join: Digest) -> Result<Release, Refusal> {
    let hold = visit.shared.ports.holds.look_up(id).await.map_err(refused)?;
    if !hold.edits().is_empty() {
        return edit::release(visit, &hold, join).await;
    }
    let (held, asked) = match judge_again(visit, &held).await? {
        Some(Ruling::Deny(denial)) => return Err(Refusal::Denied(denial)),
        Some(Ruling::Hold(again)) => (*again, true),
        None => (held, true),
        Some(Ruling::Clear(_)) => (held, false),
    };
    if asked {
        were_asked(&chains(visit, &held)?, &hold)?;
    }
    visit.shared.ports.holds.claim(id, held, join).await.map_err(refused)
}

/// Whether those who are to be asked now are those who were: a chain that names other people is another question, also
/// while its name is the same.
fn were_asked(now: &[Chain], hold: &Hold) -> Result<(), Refusal> {
    let same = |now: &Chain| hold.ask().chains.iter().any(|asked| asked.decides_like(now));
    if now.iter().all(same) { Ok(()) } else { Err(Refusal::NotReleased(hold.id())) }
}

async fn judge_again(visit: &mut Visit, held: &Held) -> Result<Option<Ruling>, Refusal> {
    let current = visit.shared.ports.rulebook.current().ok_or(Refusal::NotReady)?;
    let unchanged = current.rules.revision() == held.revision();
    visit.in_force = Some(current);
    if unchanged {
        return Ok(None);
    }
    judge_query(visit, held.query().clone()).await.map(Some)
}
