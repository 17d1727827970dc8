//! Rates per caller: a bounded map of counters in two windows each, shared by all queries of a gate.
//!
//! The count of a sliding window is that of the current window and the part of the one before that it still covers,
//! rounded up. Guarantees: memory is bounded; where there is no room for another caller, the caller counts as over its
//! rate. Knows nothing of policies but a key.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::Rate;
use crate::base::{Digest, Hasher};

/// Shards of the map, so that queries of different callers rarely wait for each other.
const SHARDS: usize = 16;
/// Most counters kept, about 100 bytes each: 100,000 callers of one rule, or fewer of more.
const ENTRIES_MAX: usize = 100_000;

/// A counter's key: the rule's and the caller's, hashed so that a long name costs no memory.
type Key = [u8; 16];

#[derive(Debug, Clone, Copy, Default)]
struct Counter {
    /// Which window since 1970, counted in lengths of the window.
    window: u64,
    count: u64,
    before: u64,
    /// When the counter stops to matter, in milliseconds.
    stale_at: u64,
}

/// Counters of rates per caller, shared by all queries of a gate.
#[derive(Debug, Default)]
pub struct Rates {
    shards: [Mutex<HashMap<Key, Counter>>; SHARDS],
}

/// What counting one query said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Within the rate; the query was counted.
    Within,
    /// Over it; the query was not counted.
    Over,
}

impl Rates {
    /// Counts `amount` for a caller under a rule's key, unless that would be over the rate.
    pub(super) fn count(&self, rule: Digest, caller: &str, rate: &Rate, amount: u64, now: Timestamp) -> Reading {
        let key = key(rule, caller);
        let now = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let length = u64::try_from(rate.window.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut shard = self.shard(key);
        if !shard.contains_key(&key) && shard.len() >= ENTRIES_MAX / SHARDS {
            shard.retain(|_, counter| counter.stale_at > now);
            if shard.len() >= ENTRIES_MAX / SHARDS {
                return Reading::Over;
            }
        }
        let counter = shard.entry(key).or_default();
        counter.advance(now / length);
        let covered = length - now % length;
        let before = u128::from(counter.before) * u128::from(covered);
        let before = u64::try_from(before.div_ceil(u128::from(length))).unwrap_or(u64::MAX);
        let total = before.saturating_add(counter.count).saturating_add(amount);
        if total > rate.count_max {
            return Reading::Over;
        }
        counter.count = counter.count.saturating_add(amount);
        counter.stale_at = (now / length).saturating_add(2).saturating_mul(length);
        Reading::Within
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, HashMap<Key, Counter>> {
        let [first, ..] = key;
        let [fallback, ..] = &self.shards;
        let shard = self.shards.get(usize::from(first) % SHARDS).unwrap_or(fallback);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counter {
    fn advance(&mut self, window: u64) {
        // A clock that goes back counts on in the window it was in.
        match window.checked_sub(self.window) {
            None | Some(0) => {}
            Some(1) => (self.before, self.count, self.window) = (self.count, 0, window),
            Some(_) => (self.before, self.count, self.window) = (0, 0, window),
        }
    }
}

fn key(rule: Digest, caller: &str) -> Key {
    let mut hasher = Hasher::default();
    hasher.update(rule.as_bytes());
    hasher.update(caller.as_bytes());
    let digest = hasher.finish();
    let mut key = Key::default();
    key.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
    key
}
