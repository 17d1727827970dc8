//! What earlier decisions say of a held query, asked before anybody is paged.
//!
//! Guarantees that a query which is carried or granted goes out through the proof of it, recorded first with the holds or
//! the grant it goes by. Knows nothing of how decisions are remembered.

use http::Response;

use super::open::chains;
use super::{Refusal, refused};
use crate::approvals::{Carried, Granted, Requester, join_key};
use crate::audit::{GrantUsed, Outcome};
use crate::base::{Digest, HoldId};
use crate::rules::Held;
use crate::sidecar::cut::Revocable;
use crate::sidecar::outgoing::Outgoing;
use crate::sidecar::permit::Permit;
use crate::sidecar::ports::{Recall, Recalled};
use crate::sidecar::refusal::APPROVAL_ID;
use crate::sidecar::visit::Visit;

/// The query goes on to people, or is answered.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub(super) enum Asked {
    /// Nothing speaks for it or against it.
    People(Visit, Held),
    /// It was forwarded or refused.
    Answered(Response<Outgoing>),
}

/// Asks those who remember. A failure refuses: while they do not answer, nobody can be asked either.
pub(super) async fn recall(mut visit: Visit, held: Held) -> Asked {
    // Whoever names an approval gets that one or none; no hold is opened.
    if visit.head.headers.contains_key(APPROVAL_ID) {
        return Asked::People(visit, held);
    }
    // Needed after the held query is used up by its proof.
    let query = held.query().clone();
    let answered = match recalled(&visit, held).await {
        Ok(Recalled::Nothing(held)) => return Asked::People(visit, *held),
        Ok(Recalled::Carried(carried)) => carry(visit, carried).await,
        Ok(Recalled::Granted(granted)) => {
            visit.revocable = Some(Revocable::of(&visit, &query, granted.terms()));
            grant(visit, *granted).await
        }
        Ok(Recalled::Muted(hold)) => visit.refuse(&Refusal::ApprovalMuted(hold)),
        Err(refusal) => visit.refuse(&refusal),
    };
    Asked::Answered(answered)
}

async fn recalled(visit: &Visit, held: Held) -> Result<Recalled, Refusal> {
    let requester = Requester { user: visit.caller.user.clone(), groups: visit.caller.groups.clone() };
    let route = format!("{} {}", visit.head.method, visit.head.uri.path());
    let body = Digest::of(held.query().body());
    let nobodys = HoldId::fresh(visit.shared.ports.clock.now());
    let join = join_key(requester.user.as_deref(), &route, body, nobodys);
    let recall = Recall { requester, chains: chains(visit, &held)?, join };
    visit.shared.ports.holds.recall(recall, Box::new(held)).await.map_err(refused)
}

/// Forwards what earlier releases carry.
async fn carry(mut visit: Visit, carried: Carried) -> Response<Outgoing> {
    visit.entry.carried_from = carried.from().to_vec();
    visit.forward(Outcome::Carried, Permit::from(carried), None).await
}

/// Forwards what a grant lets go.
async fn grant(mut visit: Visit, granted: Granted) -> Response<Outgoing> {
    let terms = granted.terms();
    let by = terms.given_by.iter().map(|giver| giver.name.clone()).collect();
    visit.entry.grant = Some(GrantUsed { grant: terms.id, hold: terms.hold, by });
    visit.forward(Outcome::Released, Permit::from(granted), None).await
}
