//! How long a client may be kept, and waiting for people that long.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Manner, Waiting};
use crate::approvals::Phase;
use crate::sidecar::ports::HoldFailure;
use crate::sidecar::prefer::Prefer;
use crate::sidecar::settings::HoldSettings;
use crate::sidecar::status::attend;

/// What is taken off a client's own deadline, so that the answer is there before it gives up.
const MARGIN: Duration = Duration::from_secs(5);
/// How SDKs tell their deadline, in seconds: Python its time between bytes, Node its time until headers.
const DEADLINES: [&str; 2] = ["x-stainless-read-timeout", "x-stainless-timeout"];

/// How often it is noted that a client waits, where that matters: each note is a write to the store.
const ATTEND_EVERY: Duration = Duration::from_secs(10);

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
    /// How long this client is kept in silence: a stream for the grace, one that asks later as long as it says, anything
    /// else for its slice. What is decided already is answered by all of them.
    pub(super) fn patience(&self, manner: Manner) -> Duration {
        let settings = &self.visit.shared.settings.hold;
        let expiry = self.held.chains().iter();
        let chains = self.visit.in_force.as_ref().map(|in_force| &in_force.chains);
        let expiry = expiry.filter_map(|name| chains?.get(name)).map(|chain| chain.expires_after).min();
        let headers = &self.visit.head.headers;
        let decided = self.hold.phase() != Phase::Pending;
        match manner {
            // Nothing of it stays in memory: the store has its digests, and the client has the body.
            Manner::Async(_) | Manner::Streaming(_) | Manner::Sliced if !decided && self.slot.place.is_none() => {
                Duration::ZERO
            }
            Manner::Async(prefer) if !decided => prefer.wait.unwrap_or_default().min(slice(settings, headers)),
            Manner::Streaming(_) if !decided => settings.grace.min(deadline(headers) / 2),
            // The store says `Expired` at the expiry; a moment more, so that its word arrives.
            Manner::Async(_) | Manner::Streaming(_) | Manner::Sliced => slice(settings, headers)
                .min(Prefer::of(headers).wait.unwrap_or(Duration::MAX).max(settings.grace))
                .min(expiry.map_or(Duration::MAX, |expiry| expiry.saturating_add(MARGIN))),
        }
    }

    /// Waits, at most until `patience` after the hold was asked for.
    pub(super) async fn settled_within(&self, patience: Duration) -> Settled {
        self.settled_until(self.since + patience).await
    }

    /// Says again and again that somebody waits; never ends.
    pub(super) async fn keep_attended(&self) {
        loop {
            attend(&self.visit, &self.hold, ATTEND_EVERY * 2).await;
            sleep(ATTEND_EVERY).await;
        }
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
            () = self.keep_attended() => Settled::NotYet,
            () = sleep_until(deadline) => Settled::NotYet,
        }
    }
}

/// A client's own deadline, where it tells it.
pub(super) fn deadline(headers: &HeaderMap) -> Duration {
    let told = DEADLINES.iter().filter_map(|name| headers.get(*name)?.to_str().ok()?.trim().parse::<f64>().ok());
    let told = told.filter(|seconds| *seconds > 0.0).filter_map(|seconds| Duration::try_from_secs_f64(seconds).ok());
    told.min().unwrap_or(Duration::MAX)
}

/// At most the slice, and less than the client's own deadline where it tells it.
pub(super) fn slice(settings: &HoldSettings, headers: &HeaderMap) -> Duration {
    let deadline = deadline(headers);
    // Of a deadline shorter than two margins, half is kept.
    settings.slice.min(deadline.saturating_sub(MARGIN).max(deadline / 2))
}
