//! Which connection speaks for a Pod: the last one that proved to.
//!
//! Guarantees: of two connections of one Pod, what the earlier one says does not count once the later one was let in, and the
//! registry hears that a gate has gone only when its last connection has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::ports::{PodIdentity, Registry};

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Seats(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    last: u64,
    /// By the Pod's UID: which connection, and how it learns that another came. It is dropped then.
    by_pod: HashMap<String, (u64, oneshot::Sender<()>)>,
}

/// A connection that speaks for its Pod, until another does.
pub(super) struct Seat {
    seats: Arc<Seats>,
    registry: Arc<dyn Registry>,
    pub(super) pod: PodIdentity,
    number: u64,
}

impl Seats {
    /// Speaks for this Pod from now on. The receiver is done when another connection does.
    pub(super) fn take(
        self: &Arc<Self>,
        registry: &Arc<dyn Registry>,
        pod: PodIdentity,
    ) -> (Seat, oneshot::Receiver<()>) {
        let (here, superseded) = oneshot::channel();
        let mut taken = self.lock();
        taken.last += 1;
        let number = taken.last;
        taken.by_pod.insert(pod.uid.clone(), (number, here));
        drop(taken);
        (Seat { seats: Arc::clone(self), registry: Arc::clone(registry), pod, number }, superseded)
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Tells the registry, if this connection still speaks for its Pod.
    pub(super) fn tell(&self, tell: impl FnOnce(&dyn Registry, &PodIdentity)) {
        // Told within the lock: whoever comes next is heard afterwards.
        let taken = self.seats.lock();
        if taken.by_pod.get(&self.pod.uid).is_some_and(|(number, _)| *number == self.number) {
            tell(&*self.registry, &self.pod);
        }
        drop(taken);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        if taken.by_pod.get(&self.pod.uid).is_some_and(|(number, _)| *number == self.number) {
            taken.by_pod.remove(&self.pod.uid);
            self.registry.gone(&self.pod);
        }
        drop(taken);
    }
}
