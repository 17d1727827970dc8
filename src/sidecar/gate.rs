//! The hot path: one query from its head to its answer, phase by phase.
//!
//! Knows nothing of connections. Guarantees the order: nothing is decoded before it is whole, judged before it is
//! decoded, recorded before it is judged, or forwarded before it is recorded.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;

use super::accept::Shared;
use super::body::Source;
use super::headers::BodyKind;
use super::identity::identify;
use super::offered::{self, Named};
use super::outgoing::Outgoing;
use super::permit::Permit;
use super::refusal::Refusal;
use super::rulebook::InForce;
use super::visit::{Peer, Visit, model_kept};
use super::{hold, judging, read, status};
use crate::approvals::{excerpt, reasons};
use crate::audit::Outcome;
use crate::query::{Operation, Query};
use crate::rules::{self, Basis, Failure, Judgement, Posture, Ruling};
use crate::telemetry::RouteClass;
use crate::wire::{self, Format, Route, RouteRefusal};

/// Answers one query.
pub(super) async fn gate(
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, Infallible> {
    let (head, incoming) = request.into_parts();
    let mut source = Source::new(incoming);
    let mut visit = Visit::open(&shared, peer, head);
    if status::is_own(visit.head.uri.path()) {
        return Ok(Box::pin(status::answer(visit)).await);
    }
    Ok(match judged(&mut visit, &mut source).await {
        Ok(Ruling::Clear(clearance)) => {
            let outcome = outcome(clearance.basis(), visit.stale);
            visit.forward(outcome, Permit::from(clearance), None).await
        }
        // What is rare is kept elsewhere: the state of a usual query is moved about several times.
        Ok(Ruling::Hold(held)) => Box::pin(hold::hold(visit, *held)).await,
        Ok(Ruling::Deny(denial)) => visit.refuse(&Refusal::Denied(denial)),
        Err(refusal) if visit.posture() == Posture::Observe => Box::pin(visit.observe(refusal, source)).await,
        Err(refusal) => visit.refuse(&refusal),
    })
}

/// From a head to a ruling. Whatever ends this early is a refusal.
async fn judged(visit: &mut Visit, source: &mut Source) -> Result<Ruling, Refusal> {
    read::head(visit)?;
    caller(visit)?;
    match route(visit) {
        Route::Refuse(refusal) if allowed_by_name(visit, refusal) => {
            let body = read::body(visit, source).await?;
            pass(visit, body)
        }
        Route::Refuse(refusal) => Err(Refusal::Route(refusal)),
        Route::Pass => {
            let body = read::body(visit, source).await?;
            if body.is_empty() { pass(visit, body) } else { Err(Refusal::BodyNotExpected) }
        }
        Route::Judge(format) => {
            read::content_type(&visit.head.headers)?;
            let body = read::body(visit, source).await?;
            judge(visit, format, body).await
        }
    }
}

/// Who asks.
pub(super) fn caller(visit: &mut Visit) -> Result<(), Refusal> {
    let now = visit.shared.ports.clock.now();
    let settings = &visit.shared.settings.identity;
    let identity = identify(settings, visit.peer.address, &mut visit.head.headers, now)?;
    visit.identified(identity);
    Ok(())
}

/// What the request line means.
fn route(visit: &Visit) -> Route {
    let uri = &visit.head.uri;
    let route = wire::route(visit.shared.settings.server, visit.head.method.as_str(), uri.path(), uri.query());
    visit.shared.ports.metrics.routed(match route {
        Route::Judge(_) => RouteClass::Judge,
        Route::Pass => RouteClass::Pass,
        Route::Refuse(_) => RouteClass::Refuse,
    });
    route
}

/// Whether a policy lets this route of administration or state pass by its name.
fn allowed_by_name(visit: &mut Visit, refusal: RouteRefusal) -> bool {
    let named = matches!(refusal, RouteRefusal::Administration | RouteRefusal::State) && fresh(visit).is_ok();
    let allows =
        |in_force: &Arc<InForce>| in_force.rules.allows_route(visit.head.method.as_str(), visit.head.uri.path());
    named && visit.in_force.as_ref().is_some_and(allows)
}

/// Whether the rule set in force may still be judged by; what is recorded says so when it may only because of the settings.
fn fresh(visit: &mut Visit) -> Result<(), Refusal> {
    visit.stale = visit.shared.ports.rulebook.is_stale(visit.monotonic());
    match visit.shared.settings.on_stale {
        Failure::Deny if visit.stale => Err(Refusal::Stale),
        Failure::Deny | Failure::Allow => Ok(()),
    }
}

/// A route without a query.
fn pass(visit: &Visit, body: Bytes) -> Result<Ruling, Refusal> {
    let in_force = visit.in_force.as_ref().ok_or(Refusal::NotReady)?;
    Ok(Ruling::Clear(rules::pass(&in_force.rules, body)))
}

/// What the rules say.
async fn judge(visit: &mut Visit, format: Format, body: Bytes) -> Result<Ruling, Refusal> {
    let start = visit.monotonic();
    let query = wire::decode(format, body).map_err(|error| {
        let form = read::is_form(&visit.head.headers);
        if form { Refusal::ContentType("form bodies cannot be judged") } else { Refusal::Unreadable(error) }
    })?;
    visit.body_kind = BodyKind::Json;
    visit.format = Some(format);
    visit.entry.model = query.model.as_deref().map(model_kept);
    offered(visit, &query)?;
    let ruling = judge_query(visit, query).await;
    visit.timed(start);
    ruling
}

/// What the rules in force say of a query that was read.
pub(super) async fn judge_query(visit: &mut Visit, query: Query) -> Result<Ruling, Refusal> {
    let in_force = visit.in_force.clone().ok_or(Refusal::NotReady)?;
    fresh(visit)?;
    let format = visit.format.ok_or(Refusal::NotReady)?;
    let operation = query.operation;
    let judgement = judging::judge(visit, &in_force, format, query).await.map_err(Refusal::Denied)?;
    visit.reserved.end_turn();
    visit.judged(&judgement);
    count(visit, &judgement, operation);
    alert(visit, &judgement);
    if let Ruling::Hold(held) = &judgement.ruling {
        visit.excerpt = excerpt(held.query(), &judgement.findings, judgement.retention);
        visit.reasons = reasons(&judgement.findings);
    }
    Ok(judgement.ruling)
}

/// Model and adapter must be ones that the workload offers.
fn offered(visit: &Visit, query: &Query) -> Result<(), Refusal> {
    let settings = &visit.shared.settings;
    let in_path = || wire::path_model(settings.server, visit.head.uri.path());
    let named = Named { model: query.model.as_deref().or_else(in_path), adapter: query.adapter.as_deref() };
    offered::check(settings, named).map_err(Refusal::NotOffered)
}

fn count(visit: &Visit, judgement: &Judgement, operation: Operation) {
    let metrics = &visit.shared.ports.metrics;
    metrics.operation(operation);
    judgement.findings.iter().for_each(|finding| metrics.finding(finding.verdict));
    visit.entry.coverage.iter().for_each(|gap| metrics.gap(gap.kind));
}

fn alert(visit: &Visit, judgement: &Judgement) {
    for (route, index) in &judgement.alerts {
        if let Some(finding) = judgement.findings.get(*index) {
            visit.shared.ports.alerts.raise(visit.id, &visit.caller.rate_key, route.as_deref(), finding);
        }
    }
}

const fn outcome(basis: Basis, stale: bool) -> Outcome {
    match basis {
        Basis::Allowed | Basis::Redacted if stale => Outcome::AllowedByFailure,
        Basis::Allowed => Outcome::Allowed,
        Basis::Redacted => Outcome::Redacted,
        Basis::AllowedByFailure => Outcome::AllowedByFailure,
        Basis::WouldRefuse => Outcome::WouldRefuse,
        Basis::Passed => Outcome::Passed,
    }
}
