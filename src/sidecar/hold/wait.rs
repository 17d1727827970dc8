//! How long a client may be kept, and waiting for people that long.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::{Instant, sleep_until};

use super::{Framing, Waiting};
use crate::approvals::Phase;
use crate::sidecar::ports::HoldFailure;
use crate::sidecar::settings::HoldSettings;

/// What is taken off a client's own deadline, so that the answer is there before it gives up.
const MARGIN: Duration = Duration::from_secs(5);
/// How SDKs tell their deadline, in seconds: Python its time between bytes, Node its time until headers.
const DEADLINES: [&str; 2] = ["x-stainless-read-timeout", "x-stainless-timeout"];

/// How a wait ended.
#[derive(Debug)]
pub(super) enum Settled {
    Phase(Phase),
    Failed(HoldFailure),
    NotYet,
    /// The gate is shutting down.
    Draining,
}

impl Waiting {
    /// How long this client is kept in silence: a stream for the grace, anything else for its slice.
    pub(super) fn patience(&self, framing: Option<Framing>) -> Duration {
        let settings = &self.visit.shared.settings.hold;
        let expiry = self.held.chains().iter();
        let chains = self.visit.in_force.as_ref().map(|in_force| &in_force.chains);
        let expiry = expiry.filter_map(|name| chains?.get(name)).map(|chain| chain.expires_after).min();
        match framing {
            Some(_) => settings.grace,
            // The store says `Expired` at the expiry; a moment more, so that its word arrives.
            None => slice(settings, &self.visit.head.headers)
                .min(expiry.map_or(Duration::MAX, |expiry| expiry.saturating_add(MARGIN))),
        }
    }

    /// Waits, at most until `patience` after the hold was asked for.
    pub(super) async fn settled_within(&self, patience: Duration) -> Settled {
        self.settled_until(self.since + patience).await
    }

    pub(super) async fn settled_until(&self, deadline: Instant) -> Settled {
        let shared = &self.visit.shared;
        tokio::select! {
            biased;
            settled = shared.ports.holds.settled(self.id) => match settled {
                Ok(phase) => Settled::Phase(phase),
                Err(failure) => Settled::Failed(failure),
            },
            () = shared.drain.draining() => Settled::Draining,
            () = sleep_until(deadline) => Settled::NotYet,
        }
    }
}

/// At most the slice, and less than the client's own deadline where it tells it.
pub(super) fn slice(settings: &HoldSettings, headers: &HeaderMap) -> Duration {
    let told = DEADLINES.iter().filter_map(|name| headers.get(*name)?.to_str().ok()?.trim().parse::<f64>().ok());
    let told = told.filter(|seconds| *seconds > 0.0).filter_map(|seconds| Duration::try_from_secs_f64(seconds).ok());
    // Of a deadline shorter than two margins, half is kept.
    let kept = told.map(|deadline| deadline.saturating_sub(MARGIN).max(deadline / 2)).min();
    settings.slice.min(kept.unwrap_or(Duration::MAX))
}
