//! The bytes of held queries, in memory and nowhere else, so that people can be shown all of what they are asked about.
//!
//! Must not know who looks. Guarantees that what is kept is bounded, that the caller who has most kept makes room first,
//! and that what was kept is gone when its hold ends.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::base::HoldId;
use crate::rules::Caller;
use crate::wire::Format;

/// Most bytes of held queries kept between the slices of their clients: four of the largest, eighty of 400 KB. While a
/// client waits its query is in memory anyway, and keeping it costs nothing more.
pub const HELD_TEXT_BYTES_MAX: usize = 32 << 20;

/// A held query as far as it is needed to show it, and to judge an edit of it as the same caller's.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// As it would be forwarded.
    pub(super) body: Bytes,
    pub(super) format: Format,
    pub(super) stream: bool,
    pub(super) caller: Caller,
    pub(super) method: String,
    pub(super) path: String,
    /// Counts up: the oldest makes room first.
    pub(super) number: u64,
}

#[derive(Debug, Default)]
struct State {
    kept: HashMap<HoldId, Kept>,
    bytes: usize,
    next: u64,
}

/// The texts that are kept.
#[derive(Debug, Default)]
pub(in crate::sidecar) struct Texts(Mutex<State>);

impl Texts {
    /// Keeps the query that waits for a hold.
    pub(super) fn keep(&self, id: HoldId, kept: Option<Kept>) {
        if let Some(kept) = kept {
            self.insert(id, kept);
        }
    }

    fn insert(&self, id: HoldId, mut kept: Kept) {
        let mut state = self.lock();
        state.forget(id);
        kept.number = state.next;
        state.next += 1;
        while state.bytes + kept.body.len() > HELD_TEXT_BYTES_MAX {
            let Some(id) = state.first_to_go() else { return };
            state.forget(id);
        }
        state.bytes += kept.body.len();
        state.kept.insert(id, kept);
    }

    pub(super) fn get(&self, id: HoldId) -> Option<Kept> {
        self.lock().kept.get(&id).cloned()
    }

    /// The hold has ended.
    pub(super) fn forget(&self, id: HoldId) {
        self.lock().forget(id);
    }

    /// The holds whose texts are kept.
    pub(super) fn ids(&self) -> Vec<HoldId> {
        self.lock().kept.keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self, id: HoldId) {
        if let Some(gone) = self.kept.remove(&id) {
            self.bytes -= gone.body.len();
        }
    }

    /// The oldest text of whoever has most bytes here.
    fn first_to_go(&self) -> Option<HoldId> {
        let mut shares: HashMap<&str, usize> = HashMap::new();
        for kept in self.kept.values() {
            *shares.entry(&kept.caller.rate_key).or_default() += kept.body.len();
        }
        let share = |kept: &Kept| shares.get(kept.caller.rate_key.as_str()).copied().unwrap_or_default();
        let most = self.kept.iter().max_by_key(|(_, kept)| (share(kept), std::cmp::Reverse(kept.number)));
        most.map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn id(number: u8) -> HoldId {
        HoldId::of(Timestamp::UNIX_EPOCH, [number; 10])
    }

    fn kept(who: &str, bytes: usize) -> Kept {
        Kept {
            body: Bytes::from(vec![b'x'; bytes]),
            format: Format::OpenaiChat,
            stream: false,
            caller: Caller { rate_key: who.to_owned(), ..Caller::default() },
            method: "POST".to_owned(),
            path: "/".to_owned(),
            number: 0,
        }
    }

    #[test]
    fn whoever_keeps_most_makes_room_with_the_oldest() {
        let texts = Texts::default();
        let third = HELD_TEXT_BYTES_MAX / 3;
        texts.insert(id(1), kept("otto", 10));
        texts.insert(id(2), kept("rita", third));
        texts.insert(id(3), kept("rita", third));
        texts.insert(id(4), kept("rita", third));
        let mut ids = texts.ids();
        ids.sort();
        assert_eq!(ids, [id(1), id(3), id(4)]);
        texts.insert(id(5), kept("mallory", HELD_TEXT_BYTES_MAX + 1));
        assert!(texts.get(id(5)).is_none(), "what can never fit is not kept");
    }

    #[test]
    fn a_query_that_comes_again_takes_its_own_place() {
        let texts = Texts::default();
        for _ in 0..10 {
            texts.insert(id(1), kept("rita", HELD_TEXT_BYTES_MAX / 2));
        }
        texts.insert(id(2), kept("rita", HELD_TEXT_BYTES_MAX / 2));
        assert!(texts.get(id(1)).is_some() && texts.get(id(2)).is_some());
        texts.forget(id(1));
        texts.forget(id(1));
        assert_eq!((texts.ids(), texts.lock().bytes), (vec![id(2)], HELD_TEXT_BYTES_MAX / 2));
    }
}
