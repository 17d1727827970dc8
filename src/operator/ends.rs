//! When exceptions end. Gates know it by themselves; their statuses have to be told, and nothing comes that says so.

use std::time::Duration;

use jiff::Timestamp;

use super::kinds::{Key, Kind};
use super::ledger::{Ledger, Stored, within};

/// Clocks are set: an end that is further away than this is looked at again then.
const LOOK_AGAIN: Duration = Duration::from_hours(1);

/// The reason of a condition that says so.
pub(super) const EXPIRED: &str = "Expired";

impl Ledger {
    /// Exceptions that have ended without their status saying so, and how long it is until this is to be asked again.
    pub(super) fn ended(&self, now: Timestamp) -> (Vec<Key>, Option<Duration>) {
        let (mut ended, mut next) = (Vec::new(), None);
        for (key, entry) in within(&self.objects, Kind::ApprovalException, None) {
            let Some(end) = entry.good.as_ref().and_then(|good| good.ends) else { continue };
            match Duration::try_from(end.duration_since(now)) {
                Ok(left) if !left.is_zero() => {
                    next = Some(next.map_or(left, |next: Duration| next.min(left)).min(LOOK_AGAIN));
                }
                Ok(_) | Err(_) if says_so(&entry.stored) => {}
                Ok(_) | Err(_) => ended.push(key.clone()),
            }
        }
        (ended, next)
    }
}

fn says_so(stored: &Stored) -> bool {
    stored.status.conditions.iter().any(|one| one.kind == "Accepted" && one.reason == EXPIRED)
}
