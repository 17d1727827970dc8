//! When a repeated query joins a hold instead of opening another one.
//!
//! Must not know stores. Guarantees: anonymous callers never join; nobody joins a hold that was opened for other bytes or
//! other chains; a client that was told to come back finds its answer, whatever was decided in between.

use std::time::Duration;

use jiff::Timestamp;

use super::hold::later;
use super::{Ask, Ending, Event, Hold, advance};
use crate::base::{Digest, Hasher, HoldId};

/// How long a denial or an expiry answers the same query without asking people again: longer than the 60 s after which a
/// waiting client comes back at the latest, short enough that nobody takes it for a ban.
pub const ANSWER_WINDOW: Duration = Duration::from_mins(2);

/// What makes a repeated query the same: identity, route (`POST /v1/chat/completions`) and the body as it came. Anonymous
/// callers have no identity; each hold of theirs has a key of its own, which only the approval's id leads to.
#[must_use]
pub fn join_key(user: Option<&str>, route: &str, body: Digest, hold: HoldId) -> Digest {
    let mut hasher = Hasher::default();
    match user {
        Some(user) => hasher.field(format!("user {user}").as_bytes()),
        None => hasher.field(format!("anonymous {hold}").as_bytes()),
    }
    hasher.field(route.as_bytes());
    hasher.field(body.as_bytes());
    hasher.finish()
}

/// Whether the query behind `ask` joins `hold`: it waits, or may still be claimed, or was refused a moment ago.
///
/// Apply [`Event::Tick`] first, so that the phase is that of `now`.
#[must_use]
pub fn joins(hold: &Hold, ask: &Ask, now: Timestamp) -> bool {
    let first = hold.ask();
    let known = ask.requester.user.is_some() && ask.requester.user == first.requester.user;
    // Redactions or chains that changed with the rule set make another question of the same body; what approvers made of it
    // answers the client's own.
    let same = ask.join == first.join && ask.digest == hold.first_digest() && ask.chains == hold.first_chains();
    if !known || !same {
        return false;
    }
    match hold.ending() {
        None => true,
        Some((Ending::Approved, _)) => {
            let claim = Event::Claimed { by: String::new(), join: ask.join, digest: first.digest };
            advance(hold, claim, now).is_ok()
        }
        Some((Ending::Denied(_) | Ending::NeverApprovable(_) | Ending::Expired(_), at)) => {
            now <= later(at, ANSWER_WINDOW)
        }
        Some((Ending::ClientGone | Ending::Withdrawn { .. }, _)) => false,
    }
}
