//! Who waits for which hold, or for the end of which grant: a map from ids to wake-up calls.
//!
//! Must not know what was decided; whoever is woken looks for itself. Guarantees: an entry lives only as long as somebody
//! waits, so the map is bounded by the requests in flight.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::base::HoldId;

#[derive(Debug)]
pub(super) struct Waiters<K = HoldId>(Mutex<HashMap<K, Entry>>);

impl<K> Default for Waiters<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[derive(Debug, Default)]
struct Entry {
    bell: Arc<Notify>,
    count: usize,
}

/// One who waits; dropping it is leaving.
#[derive(Debug)]
pub(super) struct Waiting<'a, K: Copy + Eq + Hash = HoldId> {
    all: &'a Waiters<K>,
    id: K,
    pub(super) bell: Arc<Notify>,
}

impl<K: Copy + Eq + Hash> Waiters<K> {
    pub(super) fn join(&self, id: K) -> Waiting<'_, K> {
        let mut map = self.lock();
        let entry = map.entry(id).or_default();
        entry.count += 1;
        Waiting { all: self, id, bell: Arc::clone(&entry.bell) }
    }

    /// Wakes all who wait for these holds.
    pub(super) fn wake(&self, mut which: impl FnMut(K) -> bool) {
        for (_, entry) in self.lock().iter().filter(|(id, _)| which(**id)) {
            entry.bell.notify_waiters();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash> Drop for Waiting<'_, K> {
    fn drop(&mut self) {
        let mut map = self.all.lock();
        if let Some(entry) = map.get_mut(&self.id) {
            entry.count -= 1;
            if entry.count == 0 {
                map.remove(&self.id);
            }
        }
    }
}
