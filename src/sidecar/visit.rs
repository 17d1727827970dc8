//! One query's way through the gate: what is known of it so far, its record, and how it leaves.
//!
//! Guarantees that nothing is forwarded whose entry was not written first, and that a query that is dropped while it is
//! held leaves an entry. Knows nothing of how a verdict comes about.

mod completion;
mod entry;

use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use http::header::{HeaderName, HeaderValue};
use http::request::Parts;

use super::accept::Shared;
use super::body::{Reserved, Source};
use super::cut::{Cut, Revocable};
use super::headers::{self, BodyKind};
use super::hold::Releasing;
use super::outgoing::Outgoing;
use super::permit::Permit;
use super::refusal::{APPROVAL_ID, QUERY_ID, Refusal};
use super::rulebook::InForce;
use super::upstream::{Outbound, Relay, UpstreamFailure};
use crate::approvals::{Excerpt, Reason};
use crate::audit::{Event, Outcome, QueryJudged};
use crate::base::{HoldId, QueryId};
use crate::rules::{self, Caller, Failure, Posture};
use crate::wire::{self, ErrorStyle, Format};

pub(super) use completion::Completion;
pub(super) use entry::model as model_kept;

/// Headers of every answer. Made once: a name is looked at letter by letter.
const QUERY_ID_NAME: HeaderName = HeaderName::from_static(QUERY_ID);
const APPROVAL_ID_NAME: HeaderName = HeaderName::from_static(APPROVAL_ID);

/// The other side of a connection: its address, and as records write it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: IpAddr,
    pub(super) text: String,
}

impl Peer {
    pub(super) fn at(address: IpAddr) -> Self {
        Self { address, text: address.to_string() }
    }
}

/// One query on its way.
pub(super) struct Visit {
    pub(super) shared: Arc<Shared>,
    pub(super) id: QueryId,
    pub(super) peer: Arc<Peer>,
    pub(super) head: Parts,
    pub(super) style: ErrorStyle,
    pub(super) caller: Caller,
    /// The rule set that this query uses from start to end; `None` only before the first one was loaded.
    pub(super) in_force: Option<Arc<InForce>>,
    /// Judged by a rule set that is stale, because the settings allow that.
    pub(super) stale: bool,
    /// The entry as far as it is known.
    pub(super) entry: Box<QueryJudged>,
    pub(super) reserved: Reserved,
    /// What of the body is judged as, and so goes out as.
    pub(super) body_kind: BodyKind,
    /// When the body was whole.
    pub(super) read_at: Option<Duration>,
    /// Whether a content encoding was undone.
    pub(super) decoded: bool,
    /// What the body was judged as.
    pub(super) format: Option<Format>,
    /// What people are shown, should they be asked.
    pub(super) excerpt: Excerpt,
    /// Why they are asked.
    pub(super) reasons: Vec<Reason>,
    /// Set while people are asked: a visit that is dropped then was left by its client.
    pub(super) waiting_for: Option<HoldId>,
    /// Set when a grant lets the query go: its revocation ends the answer.
    pub(super) revocable: Option<Revocable>,
}

impl Visit {
    pub(super) fn open(shared: &Arc<Shared>, peer: Arc<Peer>, head: Parts) -> Self {
        let in_force = shared.ports.rulebook.current().or_else(|| shared.unruled.clone());
        let id = QueryId::fresh(shared.ports.clock.now());
        let entry = Box::new(entry::draft(id, &peer, &head, in_force.as_ref().map(|in_force| &*in_force.rules)));
        Self {
            id,
            peer,
            style: wire::error_style(shared.settings.server, head.uri.path()),
            caller: Caller::default(),
            in_force,
            stale: false,
            entry,
            reserved: Reserved::none(Arc::clone(&shared.in_flight)),
            body_kind: BodyKind::AsNamed,
            read_at: None,
            decoded: false,
            format: None,
            excerpt: Excerpt::default(),
            reasons: Vec::new(),
            waiting_for: None,
            revocable: None,
            head,
            shared: Arc::clone(shared),
        }
    }

    pub(super) fn posture(&self) -> Posture {
        self.shared.settings.posture
    }

    /// Writes the entry with this outcome, and says what a failure to do so means.
    pub(super) fn record(&mut self, outcome: Outcome) -> Result<(), Refusal> {
        let entry = self.entry.clone();
        self.write(entry, outcome)
    }

    /// The same for the last entry of a query, of which only what answering needs is kept.
    fn record_last(&mut self, outcome: Outcome) -> Result<(), Refusal> {
        let (hold, retention) = (self.entry.hold, self.entry.retention);
        let entry = std::mem::replace(&mut self.entry, Box::new(entry::emptied(self.id, hold, retention)));
        self.write(entry, outcome)
    }

    fn write(&mut self, mut entry: Box<QueryJudged>, outcome: Outcome) -> Result<(), Refusal> {
        entry.outcome = outcome;
        self.shared.ports.metrics.query(outcome, self.format);
        let written = self.shared.ports.recorder.append(Event::QueryJudged(entry));
        let Err(failure) = written else { return Ok(()) };
        tracing::error!(query = %self.id, %failure, "the entry of a query could not be written");
        match self.in_force.as_ref().map(|in_force| in_force.rules.on_audit_unavailable()) {
            Some(Failure::Allow) => Ok(()),
            Some(Failure::Deny) if self.posture() == Posture::Observe => Ok(()),
            Some(Failure::Deny) | None => Err(Refusal::AuditUnavailable),
        }
    }

    /// Records the query, then forwards it. The only way out towards the model server.
    pub(super) async fn forward(
        &mut self,
        outcome: Outcome,
        permit: Permit,
        releasing: Option<Releasing>,
    ) -> Response<Outgoing> {
        let granted = self.entry.grant.as_ref().map(|used| used.hold);
        self.waiting_for = None;
        let hold = releasing.as_ref().map(Releasing::hold);
        self.entry.hold = hold.or(self.entry.hold);
        if let Err(refusal) = self.record_last(outcome) {
            return self.answer(&refusal);
        }
        if let Some(read_at) = self.read_at.filter(|_| hold.is_none()) {
            self.shared.ports.metrics.added(self.monotonic().saturating_sub(read_at));
        }
        let mut completion = Completion::begin(self, releasing);
        let outbound = match self.outbound() {
            Ok(outbound) => outbound,
            Err(refusal) => return self.answer(&refusal),
        };
        let mut cut = self.revocable.take().map(|revocable| Cut::armed(&self.shared, revocable));
        let shared = Arc::clone(&self.shared);
        let forwarding = pin!(shared.upstream.forward(permit, outbound));
        let Some(forwarded) = unless_cut(cut.as_mut(), forwarding).await else {
            completion.revoked();
            return self.answer(&granted.map_or(Refusal::ApprovalUnavailable, Refusal::ApprovalRevoked));
        };
        match forwarded {
            Ok(response) => {
                let (mut head, answer) = response.into_parts();
                completion.answered(head.status);
                headers::inbound(&mut head.headers);
                let response = Response::from_parts(head, Outgoing::Relay(Relay::new(answer, completion, cut)));
                self.signed(response)
            }
            Err(failure) => {
                tracing::warn!(query = %self.id, error = &failure as &dyn std::error::Error, "not forwarded");
                completion.failed();
                let timeout = matches!(failure, UpstreamFailure::Timeout);
                self.answer(if timeout { &Refusal::UpstreamTimeout } else { &Refusal::UpstreamFailed })
            }
        }
    }

    /// Lets a query through that was not judged, under posture `Observe`; `None` when it may not be.
    pub(super) async fn observe(mut self, refusal: Refusal, source: Source) -> Response<Outgoing> {
        let (read, rest) = source.into_parts();
        let permit = match &self.in_force {
            Some(in_force) if refusal.may_be_observed() => rules::observe(&in_force.rules, self.posture(), read),
            _ => None,
        };
        let Some(clearance) = permit else { return self.refuse(&refusal) };
        self.entry.code = Some(refusal.code().to_owned());
        self.decoded = false;
        self.forward(Outcome::WouldRefuse, Permit::from(clearance).followed_by(rest), None).await
    }

    /// What is sent on of the head, which is used up.
    fn outbound(&mut self) -> Result<Outbound, Refusal> {
        let target = self.head.uri.path_and_query().cloned().ok_or(Refusal::UpstreamFailed)?;
        let came = std::mem::take(&mut self.head.headers);
        let mut headers = match self.posture() {
            Posture::Enforce => headers::outbound(self.shared.settings.server, came, self.body_kind),
            Posture::Observe => headers::observed(came),
        };
        if self.decoded {
            headers.remove(http::header::CONTENT_ENCODING);
        }
        Ok(Outbound { method: self.head.method.clone(), target, headers })
    }

    /// Records a refusal and answers it.
    pub(super) fn refuse(mut self, refusal: &Refusal) -> Response<Outgoing> {
        self.waiting_for = None;
        self.shared.ports.metrics.denied(refusal.label());
        self.entry.code = Some(refusal.code().to_owned());
        self.entry.hold = refusal.hold().or(self.entry.hold);
        if let Some(outcome) = refusal.outcome() {
            // It is refused whether or not that can be written.
            let _ = self.record_last(outcome);
        }
        self.answer(refusal)
    }

    fn answer(&self, refusal: &Refusal) -> Response<Outgoing> {
        self.signed(refusal.answer(self.style, self.id).map(Outgoing::whole))
    }

    /// Every answer names its query, and its approval if there was one.
    pub(super) fn signed(&self, mut response: Response<Outgoing>) -> Response<Outgoing> {
        let named = [
            (QUERY_ID_NAME, Some(self.id.to_string())),
            (APPROVAL_ID_NAME, self.entry.hold.map(|hold| hold.to_string())),
        ];
        for (name, value) in named {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    /// Notes how long judging took.
    pub(super) fn timed(&mut self, start: Duration) {
        let took = self.monotonic().saturating_sub(start);
        self.shared.ports.metrics.judged_in(took);
        self.entry.judged_micros = completion::micros(took);
    }

    pub(super) fn monotonic(&self) -> Duration {
        self.shared.ports.clock.monotonic()
    }
}

/// The answer's head; `None` when its grant is revoked before it comes.
async fn unless_cut<F: Future>(cut: Option<&mut Cut>, forwarding: Pin<&mut F>) -> Option<F::Output> {
    let Some(cut) = cut else { return Some(forwarding.await) };
    tokio::select! {
        biased;
        () = cut.revoked() => None,
        forwarded = forwarding => Some(forwarded),
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(hold) = self.waiting_for.take() {
            self.entry.hold = Some(hold);
            let _ = self.record(Outcome::Cancelled);
        }
    }
}
