//! Opens a hold for a query, or finds the one it belongs to.
//!
//! Guarantees that a named approval counts only for the caller and the very query it was opened for. Knows nothing of
//! waiting.

use super::refused;
use crate::approvals::{Ask, Chain, Hold, Requester, join_key};
use crate::base::{Digest, HoldId};
use crate::rules::Held;
use crate::sidecar::refusal::{APPROVAL_ID, Refusal};
use crate::sidecar::status::of_caller;
use crate::sidecar::visit::Visit;

/// A hold that this query waits for.
pub(super) struct Opened {
    pub(super) hold: Hold,
    pub(super) join: Digest,
}

/// Opens a hold, or joins one.
pub(super) async fn open(visit: &mut Visit, held: &Held) -> Result<Opened, Refusal> {
    let route = format!("{} {}", visit.head.method, visit.head.uri.path());
    let body = Digest::of(held.query().body());
    let user = visit.caller.user.clone();
    if let Some(id) = named(visit)? {
        let hold = of_caller(visit, id).await?;
        let join = join_key(user.as_deref(), &route, body, id);
        let same = hold.ask().join == join && hold.first_digest() == held.digest();
        return if same { Ok(Opened { hold, join }) } else { Err(Refusal::NotReleased(id)) };
    }
    let callback = visit.shared.settings.callbacks.asked(&visit.head.headers)?;
    let now = visit.shared.ports.clock.now();
    let id = HoldId::fresh(now);
    let join = join_key(user.as_deref(), &route, body, id);
    let ask = Ask {
        id,
        query: visit.id,
        join,
        digest: held.digest(),
        revision: held.revision(),
        requester: Requester { user, groups: visit.caller.groups.clone() },
        namespace: namespace(visit),
        route,
        model: held.query().model.clone(),
        chains: chains(visit, held)?,
        reasons: std::mem::take(&mut visit.reasons),
        excerpt: std::mem::take(&mut visit.excerpt.text),
        unseen: std::mem::take(&mut visit.excerpt.unseen),
        similar: held.similar(),
        opened_at: now,
        ahead: None,
        callback,
    };
    let holds = &visit.shared.ports.holds;
    let id = holds.open(ask).await.map_err(refused)?;
    let hold = holds.look_up(id).await.map_err(refused)?;
    Ok(Opened { hold, join })
}

/// The namespace of the workload that is asked.
fn namespace(visit: &Visit) -> String {
    let settings = &visit.shared.settings.workload;
    visit.in_force.as_ref().map_or(settings, |in_force| in_force.workload(settings)).namespace.clone()
}

/// The approval that the caller says the query has.
fn named(visit: &Visit) -> Result<Option<HoldId>, Refusal> {
    let mut values = visit.head.headers.get_all(APPROVAL_ID).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    match (id, values.next()) {
        (Some(id), None) => Ok(Some(id)),
        (None | Some(_), _) => Err(Refusal::ApprovalUnknown),
    }
}

/// Every chain that must be satisfied, as it stands now.
pub(super) fn chains(visit: &Visit, held: &Held) -> Result<Vec<Chain>, Refusal> {
    let in_force = visit.in_force.as_ref().ok_or(Refusal::NotReady)?;
    let find = |name| in_force.chains.get(name).cloned().ok_or_else(|| Refusal::UnknownChain(name.to_string()));
    held.chains().iter().map(find).collect()
}
