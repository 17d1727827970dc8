//! Room for queries that wait: how many, and how many bytes of them, in memory, and how much of it one caller may take.
//!
//! Guarantees that what finds no room is not lost: its hold is open in the store, which keeps digests only, and its client
//! is told to come again. Knows nothing of people.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sidecar::settings::HoldSettings;

/// One caller may take a part of the room as large as this: four who wait with all they may leave nothing over, and
/// nobody keeps everybody else out.
const SHARES: usize = 4;

/// All the room there is.
#[derive(Debug)]
pub(in crate::sidecar) struct Room {
    waiting_max: usize,
    bytes_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: Share,
    by_caller: HashMap<String, Share>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Share {
    waiting: usize,
    bytes: usize,
}

impl Share {
    const fn with(self, bytes: usize) -> Self {
        Self { waiting: self.waiting + 1, bytes: self.bytes.saturating_add(bytes) }
    }

    const fn without(self, bytes: usize) -> Self {
        Self { waiting: self.waiting.saturating_sub(1), bytes: self.bytes.saturating_sub(bytes) }
    }

    const fn fits(self, waiting_max: usize, bytes_max: usize) -> bool {
        self.waiting <= waiting_max && self.bytes <= bytes_max
    }
}

/// A place of one query; dropping it makes room.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    caller: String,
    bytes: usize,
}

impl Room {
    pub(in crate::sidecar) fn new(settings: &HoldSettings) -> Self {
        Self { waiting_max: settings.waiting_max, bytes_max: settings.bytes_max, taken: Mutex::default() }
    }

    /// A place for a query of so many bytes; `None` when there is no room for it. All anonymous callers are one.
    pub(super) fn take(self: &Arc<Self>, user: Option<&str>, bytes: usize) -> Option<Place> {
        let caller = user.map(|user| format!("user {user}")).unwrap_or_default();
        let mut taken = self.lock();
        let all = taken.all.with(bytes);
        let own = taken.by_caller.get(&caller).copied().unwrap_or_default().with(bytes);
        // A single query that is larger than a share may still wait, where there is nothing else of its caller.
        let bytes_share = if own.waiting == 1 { self.bytes_max } else { self.bytes_max / SHARES };
        if !all.fits(self.waiting_max, self.bytes_max) || !own.fits((self.waiting_max / SHARES).max(1), bytes_share) {
            return None;
        }
        taken.all = all;
        taken.by_caller.insert(caller.clone(), own);
        Some(Place { room: Arc::clone(self), caller, bytes })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.lock();
        taken.all = taken.all.without(self.bytes);
        if let Some(own) = taken.by_caller.get_mut(&self.caller) {
            *own = own.without(self.bytes);
            if own.waiting == 0 {
                taken.by_caller.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(waiting_max: usize, bytes_max: usize) -> Arc<Room> {
        Arc::new(Room::new(&HoldSettings { waiting_max, bytes_max, ..HoldSettings::default() }))
    }

    #[test]
    fn nobody_takes_more_than_a_share_of_the_places_or_of_the_bytes() {
        let room = room(8, 100);
        let bob = || room.take(Some("bob"), 5);
        let (first, second) = (bob().unwrap(), bob().unwrap());
        assert!(bob().is_none(), "two of eight places are a quarter");
        assert!(room.take(None, 5).is_some() && room.take(Some(""), 5).is_some());
        drop((first, second));
        let _first = room.take(Some("bob"), 80).expect("a large one alone may wait");
        assert!(room.take(Some("bob"), 1).is_none(), "and nothing beside it");
        assert!(room.take(Some("eve"), 21).is_none() && room.take(Some("eve"), 20).is_some());
    }

    #[test]
    fn whoever_leaves_makes_room_again() {
        let room = room(4, 100);
        let users = ["a", "b", "c", "d"];
        let places: Vec<_> = users.iter().map(|user| room.take(Some(user), 25).unwrap()).collect();
        assert!(room.take(Some("e"), 0).is_none());
        drop(places);
        assert_eq!(room.lock().all, Share::default());
        assert!(room.lock().by_caller.is_empty());
        assert!(room.take(Some("e"), 100).is_some());
    }
}
