//! Calls clients back when their hold has ended: a signed message to an address that the gate allows.
//!
//! # Guarantees
//! * Messages are signed as those of alerts are. Redirects are not followed, answers are not read, attempts are bounded in
//!   number and time, and outlive a restart.
//! * No text of a query and nobody's name is in a message.
//!
//! Knows nothing of who may be called: the gate checks that before it takes the address.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use super::SqliteHolds;
use super::alerts::{Receivers, Secret, SendFailure, Sender, SettingsFailure};
use super::holds::{Attempt, Due, Next};
use crate::approvals::Phase;
use crate::base::{Clock, Digest, HoldId, QueryId};
use crate::telemetry::{Metrics, Webhook};

/// How often it is looked whether somebody is to be called: nobody notices half a second.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Most messages under way at once: receivers that hang must not pile up connections.
const SENDING_MAX: usize = 16;

/// How messages are signed.
#[derive(Debug, Clone)]
pub struct CallbackSettings {
    secret: Secret,
}

impl CallbackSettings {
    /// Reads the secret from a file.
    pub fn load(path: &Path) -> Result<Self, SettingsFailure> {
        Secret::load(path).map(|secret| Self { secret })
    }
}

/// What a receiver gets.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    /// The same in every attempt to deliver it.
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    approval: HoldId,
    query: QueryId,
    phase: Phase,
    ended_at: Option<String>,
}

fn body(due: &Due) -> Bytes {
    let hold = &due.hold;
    let named = format!("{}\n{}", hold.id(), due.url);
    let message = Message {
        id: hex::encode(Digest::of(named.as_bytes()).as_bytes()).split_off(32),
        kind: "approval",
        approval: hold.id(),
        query: hold.ask().query,
        phase: hold.phase(),
        ended_at: hold.ending().map(|(_, at)| at.to_string()),
    };
    serde_json::to_vec(&message).expect("texts and times are JSON").into()
}

/// The task that calls; it ends when it is aborted.
pub(super) fn start(
    settings: CallbackSettings,
    holds: Arc<SqliteHolds>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
) -> Result<JoinHandle<()>, SettingsFailure> {
    let sender = Sender::once(Receivers::SomeTls, clock)?;
    let caller = Arc::new(Caller { sender, secret: settings.secret, holds, metrics });
    Ok(tokio::spawn(async move {
        let (mut every, slots) = (tokio::time::interval(LOOK_EVERY), Arc::new(Semaphore::new(SENDING_MAX)));
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut under_way = JoinSet::new();
        loop {
            every.tick().await;
            while under_way.try_join_next().is_some() {}
            // What cannot be read now is read at the next look; the store says why it fails.
            for due in caller.holds.callbacks_due().await.unwrap_or_default() {
                let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
                let caller = Arc::clone(&caller);
                under_way.spawn(async move {
                    caller.call(&due).await;
                    drop(slot);
                });
            }
        }
    }))
}

struct Caller {
    sender: Sender,
    secret: Secret,
    holds: Arc<SqliteHolds>,
    metrics: Metrics,
}

impl Caller {
    async fn call(&self, due: &Due) {
        let attempt = match due.url.parse() {
            Ok(url) => match self.sender.attempt(&url, &self.secret, body(due)).await {
                Ok(()) => Attempt::Delivered,
                Err(SendFailure::Refused(_)) => Attempt::Refused,
                Err(SendFailure::Failed(_) | SendFailure::Unreachable | SendFailure::Timeout) => Attempt::Failed,
            },
            Err(_) => Attempt::Refused,
        };
        let hold = due.hold.id();
        match (attempt, self.holds.called_back(due, attempt).await) {
            (Attempt::Delivered, _) => self.metrics.callback(Webhook::Delivered),
            (Attempt::Refused | Attempt::Failed, Ok(Next::Never)) => {
                self.metrics.callback(Webhook::Failed);
                tracing::warn!(%hold, "the client of a hold could not be called back");
            }
            (Attempt::Refused | Attempt::Failed, Ok(Next::Again)) => {}
            (_, Err(failure)) => tracing::warn!(%hold, %failure, "what became of a callback could not be stored"),
        }
    }
}
