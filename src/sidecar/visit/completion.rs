//! The end of an answer: counted and hashed as it passes, written once, however it ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::Visit;
use crate::audit::{AnswerEnd, Event, QueryCompleted};
use crate::base::{Hasher, QueryId};
use crate::rules::Retention;
use crate::sidecar::accept::Shared;
use crate::sidecar::hold::Releasing;
use crate::sidecar::upstream::{End, Witness};

/// What is known of an answer so far. Dropped before its end, it says that the client left, or that the gate was shut
/// down.
pub(in crate::sidecar) struct Completion {
    shared: Arc<Shared>,
    query: QueryId,
    /// What people released, until it is known whether its answer was delivered.
    releasing: Option<Releasing>,
    forwarded_at: Duration,
    first_byte: Duration,
    status: u16,
    bytes: u64,
    hasher: Option<Hasher>,
    written: bool,
}

impl Completion {
    pub(super) fn begin(visit: &Visit, releasing: Option<Releasing>) -> Self {
        let keeps_digests = visit.entry.retention > Retention::None;
        Self {
            shared: Arc::clone(&visit.shared),
            query: visit.id,
            releasing,
            forwarded_at: visit.monotonic(),
            first_byte: Duration::ZERO,
            status: 0,
            bytes: 0,
            hasher: keeps_digests.then(Hasher::default),
            written: false,
        }
    }

    /// The head of the answer is there.
    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = status.as_u16();
        self.first_byte = self.since_forwarded();
        self.shared.ports.metrics.first_byte_in(self.first_byte);
    }

    /// There will be no answer.
    pub(super) fn failed(mut self) {
        self.hasher = None;
        self.write(AnswerEnd::UpstreamFailed);
    }

    /// There will be none, because the grant was revoked.
    pub(super) fn revoked(mut self) {
        self.hasher = None;
        self.write(AnswerEnd::Revoked);
    }

    fn since_forwarded(&self) -> Duration {
        self.shared.ports.clock.monotonic().saturating_sub(self.forwarded_at)
    }

    fn write(&mut self, end: AnswerEnd) {
        if std::mem::replace(&mut self.written, true) {
            return;
        }
        let completed = QueryCompleted {
            query: self.query,
            end,
            status: self.status,
            answer_digest: self.hasher.take().map(Hasher::finish),
            answer_bytes: self.bytes,
            first_byte_micros: micros(self.first_byte),
            duration_micros: micros(self.since_forwarded()),
        };
        if let Err(failure) = self.shared.ports.recorder.append_soon(Event::QueryCompleted(completed)) {
            tracing::error!(query = %self.query, %failure, "the end of an answer could not be recorded");
        }
    }

    /// Whether the model server took the query: one that is overloaded, loading or broken says so whole, and people must
    /// not be asked again for that.
    fn is_an_answer(&self) -> bool {
        let status = StatusCode::from_u16(self.status).unwrap_or_default();
        let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
        !status.is_server_error() && !passing.contains(&status)
    }

    /// A released query whose answer arrived whole cannot be claimed again.
    fn delivered(&mut self) {
        let Some(releasing) = self.releasing.take() else { return };
        let holds = Arc::clone(&self.shared.ports.holds);
        tokio::spawn(async move {
            let hold = releasing.hold();
            if let Err(failure) = holds.delivered(hold).await {
                tracing::warn!(%hold, %failure, "the delivery of a released query could not be stored");
            }
            drop(releasing);
        });
    }
}

impl Witness for Completion {
    fn chunk(&mut self, chunk: &Bytes) {
        self.bytes += chunk.len() as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(chunk);
        }
    }

    fn end(&mut self, end: End) {
        match end {
            End::Complete => {
                if !self.written && self.is_an_answer() {
                    self.delivered();
                }
                self.write(AnswerEnd::Complete);
            }
            End::Broke => self.write(AnswerEnd::UpstreamFailed),
            End::Revoked => self.write(AnswerEnd::Revoked),
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        let end = if self.shared.drain.is_cut() { AnswerEnd::Shutdown } else { AnswerEnd::ClientGone };
        self.write(end);
    }
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
