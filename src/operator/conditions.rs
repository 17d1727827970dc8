//! Conditions, as all of Kubernetes writes them.

use jiff::Timestamp;

use crate::api::status::{Condition, Truth};

/// Longest message of a condition in characters: enough for the first problems, little enough for a table.
const MESSAGE_CHARS_MAX: usize = 2_048;

/// What a condition says: whether it is so, why in a word, and why in a sentence.
pub(super) type Said = (Truth, &'static str, String);

/// A condition, which remembers since when it is so.
pub(super) fn condition(before: &[Condition], kind: &str, generation: i64, said: Said, now: Timestamp) -> Condition {
    let (status, reason, message) = said;
    let same = before.iter().find(|one| one.kind == kind && one.status == status);
    Condition {
        kind: kind.to_owned(),
        status,
        observed_generation: Some(generation),
        last_transition_time: same.map_or_else(|| seconds(now), |one| one.last_transition_time.clone()),
        reason: reason.to_owned(),
        message: message.chars().take(MESSAGE_CHARS_MAX).collect(),
    }
}

/// Times in statuses have no fractions of seconds, as everywhere in Kubernetes.
fn seconds(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
