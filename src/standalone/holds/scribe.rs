//! Copies decisions from the database to the audit trail, whose only writer is the gate.
//!
//! Guarantees: oldest first, one copy at a time, and a copy that began ends, whoever stops waiting for it. One that cannot
//! be marked afterwards is written again: twice in the trail is a nuisance, never is a hole.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::store::Store;
use super::trail::Unrecorded;
use super::unavailable;
use crate::sidecar::{HoldFailure, Recorder};

pub(super) struct Scribe {
    store: Arc<Store>,
    recorder: Arc<dyn Recorder>,
    one_at_a_time: Mutex<()>,
}

impl Scribe {
    pub(super) fn new(store: Arc<Store>, recorder: Arc<dyn Recorder>) -> Self {
        Self { store, recorder, one_at_a_time: Mutex::new(()) }
    }

    /// Returns when every decision made so far is in the audit trail.
    pub(super) async fn record(self: &Arc<Self>) -> Result<(), HoldFailure> {
        // A task of its own: a client that leaves drops whoever waits here, and must not drop half a copy.
        let scribe = Arc::clone(self);
        tokio::spawn(async move { scribe.copy().await }).await.unwrap_or(Err(HoldFailure::Unavailable))
    }

    async fn copy(&self) -> Result<(), HoldFailure> {
        let _alone = self.one_at_a_time.lock().await;
        loop {
            let batch = self.store.unrecorded().await.map_err(unavailable)?;
            let Some(last) = batch.last().map(|decision| decision.number) else { return Ok(()) };
            let recorder = Arc::clone(&self.recorder);
            // The trail is a file, and appending may wait for the disk.
            let append = tokio::task::spawn_blocking(move || append(recorder.as_ref(), batch));
            let written = append.await.map_err(|_| HoldFailure::Unavailable)?;
            if let Some(number) = written {
                self.store.recorded(number).await.map_err(unavailable)?;
            }
            if written != Some(last) {
                return Err(HoldFailure::Unavailable);
            }
        }
    }
}

/// Appends until one fails; answers with the number of the last that did not.
fn append(recorder: &dyn Recorder, batch: Vec<Unrecorded>) -> Option<i64> {
    let mut written = None;
    for Unrecorded { number, event } in batch {
        if recorder.append(event).is_err() {
            break;
        }
        written = Some(number);
    }
    written
}
