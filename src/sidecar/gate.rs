//! The hot path: one query from its head to its answer, phase by phase.
//!
//! Knows nothing of connections. Guarantees the order: nothing is decoded before it is whole, judged before it is
//! decoded, recorded before it is judged, or forwarded before it is recorded.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;

use super::accept::Shared;
use super::body::Source;
use super::headers::BodyKind;
use super::identity::identify;
use super::outgoing::Outgoing;
use super::permit::Permit;
use super::refusal::Refusal;
use super::visit::Visit;
use super::{hold, read};
use crate::audit::Outcome;
use crate::query::Query;
use crate::rules::{self, Basis, Context, Judgement, Posture, Ruling};
use crate::wire::{self, Format, Route, Server};

/// Answers one query.
pub(super) async fn gate(shared: Arc<Shared>, peer: IpAddr, request: Request<Incoming>) -> Response<Outgoing> {
    let (head, incoming) = request.into_parts();
    let mut source = Source::new(incoming);
    let mut visit = Visit::open(&shared, peer, head);
    match judged(&mut visit, &mut source).await {
        Ok(Ruling::Clear(clearance)) => {
            let outcome = outcome(clearance.basis());
            visit.forward(outcome, Permit::from(clearance), None).await
        }
        Ok(Ruling::Hold(held)) => hold::hold(visit, *held).await,
        Ok(Ruling::Deny(denial)) => visit.refuse(Refusal::Denied(denial)),
        Err(refusal) if visit.posture() == Posture::Observe => visit.observe(refusal, source).await,
        Err(refusal) => visit.refuse(refusal),
    }
}

/// From a head to a ruling. Whatever ends this early is a refusal.
async fn judged(visit: &mut Visit, source: &mut Source) -> Result<Ruling, Refusal> {
    read::head(visit)?;
    caller(visit)?;
    match route(visit) {
        Route::Refuse(refusal) => Err(Refusal::Route(refusal)),
        Route::Pass => {
            let body = read::body(visit, source).await?;
            pass(visit, body)
        }
        Route::Judge(format) => {
            read::content_type(&visit.head.headers)?;
            let body = read::body(visit, source).await?;
            judge(visit, format, body)
        }
    }
}

/// Who asks.
fn caller(visit: &mut Visit) -> Result<(), Refusal> {
    let now = visit.shared.ports.clock.now();
    let settings = &visit.shared.settings.identity;
    let identity = identify(settings, visit.peer, &mut visit.head.headers, now)?;
    visit.identified(identity);
    Ok(())
}

/// What the request line means.
fn route(visit: &Visit) -> Route {
    let uri = &visit.head.uri;
    wire::route(visit.shared.settings.server, visit.head.method.as_str(), uri.path(), uri.query())
}

/// A route without a query passes, if it really has none.
fn pass(visit: &Visit, body: Bytes) -> Result<Ruling, Refusal> {
    if !body.is_empty() {
        return Err(Refusal::BodyNotExpected);
    }
    let in_force = visit.in_force.as_ref().ok_or(Refusal::NotReady)?;
    Ok(Ruling::Clear(rules::pass(&in_force.rules, body)))
}

/// What the rules say.
fn judge(visit: &mut Visit, format: Format, body: Bytes) -> Result<Ruling, Refusal> {
    let start = visit.monotonic();
    let in_force = visit.in_force.clone().ok_or(Refusal::NotReady)?;
    let query = wire::decode(format, body).map_err(|error| {
        let form = read::is_form(&visit.head.headers);
        if form { Refusal::ContentType("form bodies cannot be judged") } else { Refusal::Unreadable(error) }
    })?;
    visit.body_kind = BodyKind::Json;
    visit.format = Some(format);
    visit.entry.model.clone_from(&query.model);
    offered(visit, &query)?;
    let settings = &visit.shared.settings;
    let context = Context {
        format,
        server: settings.server,
        method: visit.head.method.as_str(),
        path: visit.head.uri.path(),
        caller: &visit.caller,
        workload: &settings.workload,
        posture: settings.posture,
        now: visit.shared.ports.clock.now(),
        rates: &visit.shared.rates,
    };
    let judgement = rules::judge(&in_force.rules, query, &context);
    visit.timed(start);
    visit.judged(&judgement);
    alert(visit, &judgement);
    Ok(judgement.ruling)
}

/// The model must be one that the workload offers, where that is known.
fn offered(visit: &Visit, query: &Query) -> Result<(), Refusal> {
    let settings = &visit.shared.settings;
    let canonical = |name: &str| match settings.server {
        Server::Ollama => {
            let name = name.to_ascii_lowercase();
            name.strip_suffix(":latest").map_or_else(|| name.clone(), str::to_owned)
        }
        Server::Vllm | Server::Llamacpp | Server::Tgi | Server::Sglang | Server::Kserve | Server::Openai => {
            name.to_owned()
        }
    };
    let allowed = match &query.model {
        _ if settings.models.is_empty() => true,
        Some(model) => settings.models.iter().any(|offered| canonical(offered) == canonical(model)),
        // Without a name the server takes its only model.
        None => settings.models.len() == 1,
    };
    if allowed { Ok(()) } else { Err(Refusal::ModelNotOffered) }
}

fn alert(visit: &Visit, judgement: &Judgement) {
    for (route, index) in &judgement.alerts {
        if let Some(finding) = judgement.findings.get(*index) {
            visit.shared.ports.alerts.raise(visit.id, route.as_deref(), finding);
        }
    }
}

const fn outcome(basis: Basis) -> Outcome {
    match basis {
        Basis::Allowed => Outcome::Allowed,
        Basis::Redacted => Outcome::Redacted,
        Basis::AllowedByFailure => Outcome::AllowedByFailure,
        Basis::WouldRefuse => Outcome::WouldRefuse,
        Basis::Carried => Outcome::Carried,
        Basis::Passed => Outcome::Passed,
    }
}
