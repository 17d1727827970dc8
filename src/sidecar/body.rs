//! Reads a query's body whole: within a size, a time and a rate, and within what the gate holds at once.
//!
//! Guarantees that nothing is decided on a prefix: a body is whole or it is refused. Under posture `Observe` what was
//! not read can still be passed on, so the source keeps both. Knows nothing of what a body says.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::deadline::{Deadline, Deadlines};
use super::framing::Violation;
use super::judging::BESIDE_BYTES_MIN;
use super::permit::Rest;
use super::refusal::Refusal;
use super::settings::Limits;
use crate::telemetry::Metrics;

/// Large bodies that are read or judged at once. More would only lie in memory while they wait to be judged; what is not
/// read yet waits in the client's own socket.
const LARGE_MAX: usize = 4;
/// How long a large body waits for its turn at most: then it is read all the same, so that nobody can keep others out.
const TURN_WITHIN: Duration = Duration::from_secs(1);
/// A body that stands still for so long lets another have its turn.
const STILL: Duration = Duration::from_millis(50);

/// Bytes of bodies held by the gate.
#[derive(Debug)]
pub(super) struct InFlight {
    bytes: AtomicUsize,
    large: Arc<Semaphore>,
    deadlines: Deadlines,
    metrics: Metrics,
}

impl InFlight {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            large: Arc::new(Semaphore::new(LARGE_MAX)),
            deadlines: Deadlines::default(),
            metrics,
        }
    }
}

/// A share of them, given back when dropped.
#[derive(Debug)]
pub(super) struct Reserved {
    all: Arc<InFlight>,
    bytes: usize,
    turn: Option<OwnedSemaphorePermit>,
}

impl Reserved {
    pub(super) const fn none(all: Arc<InFlight>) -> Self {
        Self { all, bytes: 0, turn: None }
    }

    /// Waits until it is this body's turn, for a large one.
    async fn take_turn(&mut self, bytes: usize) {
        if bytes >= BESIDE_BYTES_MIN && self.turn.is_none() {
            let turn = timeout(TURN_WITHIN, Arc::clone(&self.all.large).acquire_owned()).await;
            self.turn = turn.ok().and_then(Result::ok);
        }
    }

    /// Lets the next large body have its turn: this one is judged, or stands still.
    pub(super) fn end_turn(&mut self) {
        self.turn = None;
    }

    /// Makes the share at least `bytes` large.
    pub(super) fn grow(&mut self, bytes: usize, max: usize) -> Result<(), Refusal> {
        let more = bytes.saturating_sub(self.bytes);
        let before = self.all.bytes.fetch_add(more, Ordering::Relaxed);
        self.all.metrics.bytes_taken(more);
        self.bytes += more;
        if before.saturating_add(more) > max { Err(Refusal::Overloaded) } else { Ok(()) }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.all.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.all.metrics.bytes_freed(self.bytes);
    }
}

/// A body that arrives.
pub(super) struct Source {
    incoming: Option<Incoming>,
    length: Option<u64>,
    read: BytesMut,
    whole: Option<Bytes>,
}

impl Source {
    pub(super) fn new(incoming: Incoming) -> Self {
        let length = incoming.size_hint().exact();
        Self { incoming: Some(incoming), length, read: BytesMut::new(), whole: None }
    }

    /// Reads to the end. What was read so far stays here whatever happens.
    pub(super) async fn read(&mut self, limits: &Limits, reserved: &mut Reserved) -> Result<Bytes, Refusal> {
        let bytes_max = limits.body_bytes_max;
        let too_large = Refusal::BodyTooLarge { bytes_max };
        let announced = self.length.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if announced.is_some_and(|length| length > bytes_max) {
            return Err(too_large);
        }
        reserved.take_turn(announced.unwrap_or(0)).await;
        reserved.grow(announced.unwrap_or(0), limits.bytes_in_flight_max)?;
        self.read.reserve(announced.unwrap_or(0));
        let start = Instant::now();
        let mut deadline = reserved.all.deadlines.at(start);
        while let Some(incoming) = &mut self.incoming {
            deadline.move_to(start + patience(limits, self.read.len()));
            let frame = next(incoming, &mut deadline, reserved).await.ok_or(Refusal::BodyTimeout)?;
            let Some(frame) = frame else {
                self.incoming = None;
                break;
            };
            let data = frame.map_err(|error| broken(&error))?.into_data();
            let data = data.map_err(|_trailers| Refusal::Framing(Violation::Trailer))?;
            self.read.extend_from_slice(&data);
            if self.read.len() > bytes_max {
                return Err(too_large);
            }
            reserved.grow(self.read.len(), limits.bytes_in_flight_max)?;
        }
        let whole = self.whole.get_or_insert_with(|| self.read.split().freeze());
        Ok(whole.clone())
    }

    /// What was read, and what was not.
    pub(super) fn into_parts(self) -> (Bytes, Option<Rest>) {
        let read = self.whole.unwrap_or_else(|| self.read.freeze());
        (read, self.incoming.map(|incoming| Rest { incoming, length: self.length }))
    }
}

/// The next piece of a body; `None` when it does not come in time. A large body that stands still ends its turn.
async fn next(
    incoming: &mut Incoming,
    deadline: &mut Deadline,
    reserved: &mut Reserved,
) -> Option<Option<hyper::Result<Frame<Bytes>>>> {
    if reserved.turn.is_some() {
        if let Ok(frame) = timeout(STILL, incoming.frame()).await {
            return Some(frame);
        }
        reserved.end_turn();
    }
    deadline.limit(incoming.frame()).await
}

/// How long a body may have taken when so many bytes of it are here.
fn patience(limits: &Limits, read: usize) -> Duration {
    let rate = u32::try_from(limits.body_bytes_per_second_min.max(1)).unwrap_or(u32::MAX);
    let earned = Duration::from_secs(read as u64) / rate;
    limits.body_grace.saturating_add(earned).min(limits.body_timeout)
}

/// What a failed read means: our own guard's word, or a client that left.
fn broken(error: &hyper::Error) -> Refusal {
    let mut cause = error.source();
    while let Some(one) = cause {
        let violation = one.downcast_ref::<Violation>().copied().or_else(|| {
            let io = one.downcast_ref::<io::Error>()?;
            io.get_ref()?.downcast_ref::<Violation>().copied()
        });
        if let Some(violation) = violation {
            return Refusal::Framing(violation);
        }
        cause = one.source();
    }
    Refusal::BodyIncomplete
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn large_bodies_take_turns_and_none_is_kept_out() {
        let all = Arc::new(InFlight::new(Metrics::new()));
        let another = || Reserved::none(Arc::clone(&all));
        let mut first = Vec::new();
        for _ in 0..LARGE_MAX {
            let mut large = another();
            large.take_turn(BESIDE_BYTES_MIN).await;
            assert!(large.turn.is_some());
            first.push(large);
        }
        let start = Instant::now();
        another().take_turn(BESIDE_BYTES_MIN - 1).await;
        assert_eq!(start.elapsed(), Duration::ZERO, "a small body waits for nobody");
        let mut late = another();
        late.take_turn(BESIDE_BYTES_MIN).await;
        assert!(late.turn.is_none() && start.elapsed() >= TURN_WITHIN, "it is read without a turn in the end");
        first.iter_mut().for_each(Reserved::end_turn);
        late.take_turn(BESIDE_BYTES_MIN).await;
        assert!(late.turn.is_some());
    }
}
