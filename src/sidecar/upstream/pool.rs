//! Idle connections: last in, first out, each kept for a short time only, because model servers close theirs after a few
//! seconds and a request on a closing connection is lost.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;

use super::relay::ForwardBody;

#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<Vec<Idle>>,
    connections_max: usize,
    age_max: Duration,
}

#[derive(Debug)]
struct Idle {
    sender: SendRequest<ForwardBody>,
    since: Instant,
}

impl Pool {
    pub(super) const fn new(connections_max: usize, age_max: Duration) -> Self {
        Self { idle: Mutex::new(Vec::new()), connections_max, age_max }
    }

    /// The connection that was used last, if one is alive and has nothing under way.
    pub(super) fn take(&self) -> Option<SendRequest<ForwardBody>> {
        let mut idle = self.lock();
        idle.retain(|one| !one.sender.is_closed() && one.since.elapsed() < self.age_max);
        let at = idle.iter().rposition(|one| one.sender.is_ready())?;
        Some(idle.remove(at).sender)
    }

    /// Keeps a connection whose answer has ended.
    pub(super) fn put(&self, sender: SendRequest<ForwardBody>) {
        let mut idle = self.lock();
        if !sender.is_closed() && idle.len() < self.connections_max {
            idle.push(Idle { sender, since: Instant::now() });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
