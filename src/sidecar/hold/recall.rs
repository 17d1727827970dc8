//! What earlier decisions say of a held query, asked before anybody is paged.
//!
//! Guarantees that a query which is carried goes out through the proof of it, recorded first with the holds it is carried
//! from. Knows nothing of how decisions are remembered.

use http::Response;

use super::open::chains;
use super::{Refusal, refused};
use crate::approvals::{Carried, Requester};
use crate::audit::Outcome;
use crate::rules::Held;
use crate::sidecar::outgoing::Outgoing;
use crate::sidecar::permit::Permit;
use crate::sidecar::ports::{Recall, Recalled};
use crate::sidecar::visit::Visit;

/// Asks those who remember. A failure refuses: while they do not answer, nobody can be asked either.
pub(super) async fn recall(visit: &Visit, held: Held) -> Result<Recalled, Refusal> {
    let requester = Requester { user: visit.caller.user.clone(), groups: visit.caller.groups.clone() };
    let recall = Recall { requester, chains: chains(visit, &held)? };
    visit.shared.ports.holds.recall(recall, Box::new(held)).await.map_err(refused)
}

/// Forwards what earlier releases carry.
pub(super) async fn carried(mut visit: Visit, carried: Carried) -> Response<Outgoing> {
    visit.entry.carried_from = carried.from().to_vec();
    visit.forward(Outcome::Carried, Permit::from(carried), None).await
}
