//! How an approval stands, for the client that waits for it: `GET /countersign/v1/approvals/{id}` on the query port.
//!
//! # Guarantees
//! * Nothing under `/countersign/` ever reaches the model server, whatever the posture: no server has routes there.
//! * Only the identity that asked sees its approval; of anonymous callers, whoever knows the id, which cannot be guessed.
//!   To everybody else an approval that is not theirs does not exist.
//! * No text of a query, and nobody's name, is shown.
//!
//! Knows nothing of how people are asked.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Response};
use serde_json::json;
use tokio::time::timeout;

use super::gate::caller;
use super::outgoing::Outgoing;
use super::ports::HoldFailure;
use super::prefer::Prefer;
use super::read;
use super::refusal::{APPROVAL_ID, Refusal};
use super::visit::Visit;
use crate::approvals::{Ending, Hold, Phase, later};
use crate::base::HoldId;
use crate::wire::RouteRefusal;

/// Where the gate's own routes are.
const OWN: &str = "/countersign";
/// Where approvals are.
const APPROVALS: &str = "/countersign/v1/approvals/";
/// What a client is given to come back beyond what it is told to wait: a slow network, a busy machine.
pub(super) const RETURN_MARGIN: Duration = Duration::from_secs(10);

/// Whether the gate answers this path itself.
pub(super) fn is_own(path: &str) -> bool {
    path.strip_prefix(OWN).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where an approval's status is.
pub(super) fn path(hold: HoldId) -> String {
    format!("{APPROVALS}{hold}")
}

/// Answers a path of the gate's own. What was asked is no query, so only refusals are recorded.
pub(super) async fn answer(mut visit: Visit) -> Response<Outgoing> {
    match asked(&mut visit).await {
        Ok(hold) => shown(&visit, &hold),
        Err(refusal) => visit.refuse(&refusal),
    }
}

async fn asked(visit: &mut Visit) -> Result<Hold, Refusal> {
    read::head(visit)?;
    caller(visit)?;
    let id = visit.head.uri.path().strip_prefix(APPROVALS).ok_or(Refusal::Route(RouteRefusal::Unknown))?;
    let id: HoldId = id.parse().map_err(|_| Refusal::ApprovalUnknown)?;
    if !matches!(visit.head.method, Method::GET | Method::HEAD) {
        return Err(Refusal::Route(RouteRefusal::Method));
    }
    if visit.head.uri.query().is_some() {
        return Err(Refusal::Route(RouteRefusal::Parameter));
    }
    let hold = of_caller(visit, id).await?;
    if hold.phase() != Phase::Pending {
        return Ok(hold);
    }
    attend(visit, &hold, visit.shared.settings.hold.poll_after).await;
    let wait = Prefer::of(&visit.head.headers).wait.unwrap_or_default().min(visit.shared.settings.hold.slice);
    if wait.is_zero() {
        return Ok(hold);
    }
    let settled = visit.shared.ports.holds.settled(id);
    tokio::select! {
        _ = timeout(wait, settled) => {}
        () = visit.shared.drain.draining() => {}
    }
    of_caller(visit, id).await
}

/// The hold, if this caller asked for it.
pub(super) async fn of_caller(visit: &Visit, id: HoldId) -> Result<Hold, Refusal> {
    let hold = visit.shared.ports.holds.look_up(id).await.map_err(|failure| match failure {
        HoldFailure::Unavailable => Refusal::ApprovalUnavailable,
        HoldFailure::NobodyToAsk
        | HoldFailure::Overloaded
        | HoldFailure::UnknownChain(_)
        | HoldFailure::Unknown(_)
        | HoldFailure::NotReleased(_) => Refusal::ApprovalUnknown,
    })?;
    if hold.ask().requester.user == visit.caller.user { Ok(hold) } else { Err(Refusal::ApprovalUnknown) }
}

/// Notes that the client of a hold waits, or is to be back after so long.
pub(super) async fn attend(visit: &Visit, hold: &Hold, after: Duration) {
    if hold.attended_until().is_none() {
        return;
    }
    let ports = &visit.shared.ports;
    let until = later(ports.clock.now(), after.saturating_add(RETURN_MARGIN));
    if let Err(failure) = ports.holds.attend(hold.id(), until).await {
        tracing::warn!(hold = %hold.id(), %failure, "that a client waits could not be stored");
    }
}

fn shown(visit: &Visit, hold: &Hold) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::whole(document(hold)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&hold.id().to_string()) {
        headers.insert(APPROVAL_ID, id);
    }
    if hold.phase() == Phase::Pending {
        headers.insert(RETRY_AFTER, visit.shared.settings.hold.poll_after.as_secs().clamp(1, 60).into());
    }
    visit.signed(response)
}

/// The `ApprovalRequest` as its client may see it: no reasons, no people, no text.
pub(super) fn document(hold: &Hold) -> Bytes {
    let ask = hold.ask();
    let mut document = json!({
        "apiVersion": "countersign.dev/v1alpha1",
        "kind": "ApprovalRequest",
        "metadata": {"name": ask.id, "creationTimestamp": ask.opened_at.to_string()},
        "spec": {"query": ask.query},
        "status": {"phase": hold.phase().name(), "message": message(hold)},
    });
    let dates = [
        ("/spec", "deadline", hold.deadline()),
        ("/status", "endedAt", hold.ending().map(|(_, at)| at)),
        ("/status", "deliveredAt", hold.delivered_at()),
    ];
    for (place, name, at) in dates {
        if let (Some(object), Some(at)) = (document.pointer_mut(place).and_then(|v| v.as_object_mut()), at) {
            object.insert(name.to_owned(), json!(at.to_string()));
        }
    }
    Bytes::from(document.to_string())
}

/// What to do next, in a sentence.
fn message(hold: &Hold) -> String {
    let id = hold.id();
    match hold.ending() {
        None => "waiting for people to decide".to_owned(),
        Some((Ending::Approved, _)) if hold.delivered_at().is_some() => "its answer was delivered".to_owned(),
        Some((Ending::Approved, _)) => {
            format!("approved: send the same query again with the header `{APPROVAL_ID}: {id}`")
        }
        Some((Ending::Denied(_), _)) => "denied".to_owned(),
        Some((Ending::NeverApprovable(obstacle), _)) => format!("nobody could approve it: {obstacle}"),
        Some((Ending::Expired(_), _)) => "nobody decided in time".to_owned(),
        Some((Ending::ClientGone, _)) => "cancelled: nobody waited for it any more".to_owned(),
        Some((Ending::Withdrawn { .. }, _)) => "withdrawn".to_owned(),
    }
}
