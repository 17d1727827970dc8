//! Where gates meet what is known: what the server of rule sets asks for, answered from what the work at the ledger has left
//! here, and what gates say, left for the work to take.
//!
//! Guarantees: nobody waits here but for the API server's word on a token or on a pin; a key that is pinned is given to nobody
//! else, and who tries is told of once. Must not know how statuses are written.

mod pinning;
mod state;
#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use self::state::State;
use super::report::Report;
use super::review::Reviewer;
use super::watch::Lost;
use crate::api::gate::Given;
use crate::base::Digest;
use crate::distribution::serve::{Denied, Offer, PodIdentity, Registry, Rejection, Wait};
use crate::distribution::{Order, PublicKey, Signer};
use crate::telemetry::OperatorMetrics;

pub(super) use self::state::{Publication, Said, Standing};

/// The desk.
pub(super) struct Desk {
    reviewer: Reviewer,
    state: Mutex<State>,
    stir: Notify,
    /// Watches that see nothing.
    lost: Lost,
    metrics: OperatorMetrics,
}

impl Desk {
    pub(super) fn new(reviewer: Reviewer, lost: Lost, metrics: OperatorMetrics) -> Self {
        Self { reviewer, state: Mutex::default(), stir: Notify::new(), lost, metrics }
    }

    /// What the work leaves here.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a gate has said something.
    pub(super) async fn stirred(&self) {
        self.stir.notified().await;
    }

    fn report(&self, pod: &PodIdentity, report: Report) {
        self.state().report(&pod.uid, report);
        self.stir.notify_one();
    }
}

impl Registry for Desk {
    fn identify<'a>(&'a self, token: &'a str) -> Wait<'a, Result<PodIdentity, Denied>> {
        Box::pin(self.reviewer.review(token))
    }

    fn pinned(&self, pod_uid: &str) -> Option<(PodIdentity, PublicKey)> {
        let state = self.state();
        let standing = state.standing(pod_uid)?;
        Some((standing.pod.clone(), standing.key?))
    }

    fn pin<'a>(&'a self, pod: &'a PodIdentity, key: PublicKey) -> Wait<'a, Result<(), Denied>> {
        Box::pin(self.pin_within(pod, key))
    }

    fn follow(&self, pod: &PodIdentity) -> Result<watch::Receiver<Option<Arc<Offer>>>, Denied> {
        self.state().follow(pod)
    }

    fn is_current(&self, pod: &PodIdentity, offer: &Offer) -> bool {
        // A watch that sees nothing may miss that there is something newer.
        self.lost.load(Ordering::Acquire) == 0 && self.state().is_current(pod, offer)
    }

    fn signer(&self) -> Option<Arc<Signer>> {
        self.state().signer()
    }

    fn holding(&self, pod: &PodIdentity, version: &str, held: Option<(Order, Digest)>) {
        tracing::debug!(namespace = pod.namespace, pod = pod.name, version, "a gate has come");
        let offered = self.state().offered(&pod.uid);
        let given = held.map(|(order, _)| order.into());
        let same = held.filter(|held| offered == Some(*held));
        self.state().in_force(&pod.uid, same.map(|(order, _)| order));
        match (held, offered) {
            (Some(held), Some(offered)) if held == offered => self.report(pod, Report::holds(given)),
            // The same order with other bytes: what the gate says of what it is sent will tell.
            (Some((order, _)), Some((at, _))) if order == at => {}
            _ => self.report(pod, Report::claims(given)),
        }
    }

    fn acknowledged(&self, pod: &PodIdentity, offer: &Arc<Offer>) {
        if let Some(since) = self.state().in_force(&pod.uid, Some(offer.order)) {
            self.metrics.propagated(since.elapsed());
        }
        self.report(pod, Report::holds(Some(offer.order.into())));
    }

    fn rejected(&self, pod: &PodIdentity, offer: &Arc<Offer>, rejection: Rejection) {
        let order: Given = offer.order.into();
        let Rejection { code, message } = rejection;
        tracing::warn!(namespace = pod.namespace, pod = pod.name, order = %offer.order, code, message, "a gate refused a bundle");
        self.report(pod, Report::refuses(order, &message));
    }

    fn gone(&self, pod: &PodIdentity) {
        self.state().gone(&pod.uid);
        self.stir.notify_one();
    }
}
