//! Keeps a query waiting while people decide, in the way its client can stand: a stream is kept alive, a plain query is
//! held for a slice and told to come again.
//!
//! # Guarantees
//! * Nothing is forwarded but through a release of exactly the bytes that were held, recorded first.
//! * A retry joins its hold; anonymous callers share one only by naming it.
//! * A client that leaves, a shutdown and an expiry each end in an entry or in the retry answer, never in silence.
//!
//! Knows nothing of how people are asked.

mod shape;
mod stream;
mod wait;

use std::sync::Arc;

use http::Response;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::gate::judge_query;
use super::outgoing::Outgoing;
use super::permit::Permit;
use super::ports::HoldFailure;
use super::refusal::{APPROVAL_ID, Refusal};
use super::visit::Visit;
use crate::approvals::{Ask, Chain, Phase, Reason, Release, Requester};
use crate::audit::Outcome;
use crate::base::{Digest, Hasher, HoldId};
use crate::rules::{Held, Ruling, Verdict};
use crate::telemetry::Metrics;

pub(super) use shape::Framing;
pub(super) use stream::HeldStream;

/// Most reasons shown to people.
const REASONS_MAX: usize = 64;

/// A query that waits.
pub(super) struct Waiting {
    visit: Visit,
    held: Held,
    id: HoldId,
    join: Digest,
    since: Instant,
    slot: Slot,
}

/// A place among those who wait; counts them.
struct Slot {
    metrics: Metrics,
    ended: Phase,
    _permit: OwnedSemaphorePermit,
}

impl Slot {
    fn taken(visit: &Visit) -> Result<Self, Refusal> {
        let permit = Arc::clone(&visit.shared.waiting).try_acquire_owned().map_err(|_| Refusal::TooManyHeld)?;
        let metrics = visit.shared.ports.metrics.clone();
        metrics.hold_opened();
        Ok(Self { metrics, ended: Phase::Cancelled, _permit: permit })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.metrics.hold_settled(self.ended);
    }
}

/// Asks people, and answers when they have decided or when the client cannot wait longer.
pub(super) async fn hold(mut visit: Visit, held: Held) -> Response<Outgoing> {
    let framing = Framing::of(&visit, held.query());
    let since = Instant::now();
    let (id, join, slot) = match open(&mut visit, &held).await {
        Ok(opened) => opened,
        Err(refusal) => return visit.refuse(&refusal),
    };
    visit.entry.hold = Some(id);
    if let Err(refusal) = visit.record(Outcome::Held) {
        return visit.refuse(&refusal);
    }
    visit.waiting_for = Some(id);
    let waiting = Waiting { visit, held, id, join, since, slot };
    let patience = waiting.patience(framing);
    match (waiting.settled_within(patience).await, framing) {
        (wait::Settled::Phase(phase), _) => waiting.settle(phase).await,
        (wait::Settled::Failed(failure), _) => {
            let refusal = refused(failure);
            waiting.visit.refuse(&refusal)
        }
        (wait::Settled::NotYet, Some(framing)) => stream::respond(waiting, framing),
        (wait::Settled::NotYet, None) | (wait::Settled::Draining, _) => {
            let refusal = waiting.pending();
            waiting.visit.refuse(&refusal)
        }
    }
}

/// Opens a hold, or joins one.
async fn open(visit: &mut Visit, held: &Held) -> Result<(HoldId, Digest, Slot), Refusal> {
    let slot = Slot::taken(visit)?;
    let route = format!("{} {}", visit.entry.method, visit.entry.path);
    if let Some(id) = named_by_anonymous(visit) {
        // Knowing the id is all an anonymous caller can show; the claim checks that it is for these very bytes.
        return Ok((id, join(visit, held, &route, id), slot));
    }
    let now = visit.shared.ports.clock.now();
    let id = HoldId::fresh(now);
    let join = join(visit, held, &route, id);
    let ask = Ask {
        id,
        query: visit.id,
        join,
        digest: held.digest(),
        revision: held.revision(),
        requester: Requester { user: visit.caller.user.clone(), groups: visit.caller.groups.clone() },
        route,
        model: held.query().model.clone(),
        chains: chains(visit, held)?,
        reasons: reasons(visit),
        excerpt: std::mem::take(&mut visit.excerpt),
        opened_at: now,
    };
    let id = visit.shared.ports.holds.open(ask).await.map_err(refused)?;
    Ok((id, join, slot))
}

/// The hold that an anonymous caller says it waits for.
fn named_by_anonymous(visit: &Visit) -> Option<HoldId> {
    let named = visit.head.headers.get(APPROVAL_ID).filter(|_| visit.caller.user.is_none())?;
    named.to_str().ok()?.parse().ok()
}

/// What makes a retry the same query: identity, route and the body as it came. Anonymous callers have no identity; each
/// hold of theirs has a key of its own, which only the approval's id leads to.
fn join(visit: &Visit, held: &Held, route: &str, id: HoldId) -> Digest {
    let mut hasher = Hasher::default();
    match &visit.caller.user {
        Some(user) => hasher.field(format!("user {user}").as_bytes()),
        None => hasher.field(format!("anonymous {id}").as_bytes()),
    }
    hasher.field(route.as_bytes());
    hasher.field(Digest::of(held.query().body()).as_bytes());
    hasher.finish()
}

fn chains(visit: &Visit, held: &Held) -> Result<Vec<Chain>, Refusal> {
    let in_force = visit.in_force.as_ref().ok_or(Refusal::NotReady)?;
    let find = |name| in_force.chains.get(name).cloned().ok_or_else(|| Refusal::UnknownChain(name.to_string()));
    held.chains().iter().map(find).collect()
}

fn reasons(visit: &Visit) -> Vec<Reason> {
    let holding = visit.entry.findings.iter().filter(|finding| !finding.audit_only);
    let holding = holding.filter(|finding| finding.verdict == Verdict::Hold).take(REASONS_MAX);
    holding
        .map(|finding| Reason {
            policy: finding.policy.clone(),
            rule: finding.rule.clone(),
            matcher: finding.matcher.clone(),
            place: finding.place.clone(),
        })
        .collect()
}

fn refused(failure: HoldFailure) -> Refusal {
    match failure {
        HoldFailure::Unavailable => Refusal::ApprovalUnavailable,
        HoldFailure::Overloaded => Refusal::TooManyHeld,
        HoldFailure::UnknownChain(chain) => Refusal::UnknownChain(chain),
        HoldFailure::NotReleased(hold) | HoldFailure::Unknown(hold) => Refusal::NotReleased(hold),
    }
}

impl Waiting {
    fn pending(&self) -> Refusal {
        Refusal::ApprovalPending { hold: self.id, retry_after: self.visit.shared.settings.hold.retry_after }
    }

    /// Acts on what people decided: the release is claimed, recorded and forwarded, or the query is refused.
    async fn settle(self, phase: Phase) -> Response<Outgoing> {
        let Self { mut visit, held, id, join, mut slot, .. } = self;
        slot.ended = phase;
        drop(slot);
        let refusal = match phase {
            Phase::Approved => match release(&mut visit, held, id, join).await {
                Ok(release) => return visit.forward(Outcome::Released, Permit::from(release), Some(id)).await,
                Err(refusal) => refusal,
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

/// Claims what people approved. A rule set that changed while they decided has its say first: it can refuse, and a hold
/// by other chains is another question, which this approval does not answer; a looser one changes nothing.
async fn release(visit: &mut Visit, held: Held, id: HoldId, join: Digest) -> Result<Release, Refusal> {
    let held = match judge_again(visit, &held).await? {
        Some(Ruling::Deny(denial)) => return Err(Refusal::Denied(denial)),
        Some(Ruling::Hold(again)) => *again,
        Some(Ruling::Clear(_)) | None => held,
    };
    visit.shared.ports.holds.claim(id, held, join).await.map_err(refused)
}

async fn judge_again(visit: &mut Visit, held: &Held) -> Result<Option<Ruling>, Refusal> {
    let current = visit.shared.ports.rulebook.current().ok_or(Refusal::NotReady)?;
    if current.rules.revision() == held.revision() {
        return Ok(None);
    }
    visit.in_force = Some(current);
    judge_query(visit, held.query().clone()).await.map(Some)
}
