//! What the status of an object is to say, and whether it says so already.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kinds::{Key, Kind};
use super::ledger::{Entry, Told};
use crate::api::API_VERSION;
use crate::api::status::{Condition, Truth};

/// Longest message of a condition in characters: enough for the first problems, little enough for a table.
const MESSAGE_CHARS_MAX: usize = 2_048;

/// The status that an object is to have; `None` where it has it.
pub(super) fn wanted(key: &Key, entry: &Entry, now: Timestamp) -> Option<Told> {
    let generation = entry.stored.generation;
    let (accepted, ready) = match &entry.wrong {
        Some(wrong) => {
            let message: String = wrong.chars().take(MESSAGE_CHARS_MAX).collect();
            ((Truth::False, "Invalid", message), (Truth::False, "Invalid", "see `Accepted`".to_owned()))
        }
        None => ((Truth::True, "Compiles", "it compiles".to_owned()), ready(key.kind)),
    };
    let said = &entry.stored.status;
    let condition = |kind: &str, (status, reason, message): (Truth, &str, String)| {
        let before = said.conditions.iter().find(|one| one.kind == kind && one.status == status);
        Condition {
            kind: kind.to_owned(),
            status,
            observed_generation: Some(generation),
            last_transition_time: before.map_or_else(|| seconds(now), |one| one.last_transition_time.clone()),
            reason: reason.to_owned(),
            message,
        }
    };
    let told = Told {
        observed_generation: Some(generation),
        conditions: vec![condition("Accepted", accepted), condition("Ready", ready)],
    };
    // Others may report conditions of their own beside these.
    let same = |one: &Condition| said.conditions.contains(one);
    let said_already = said.observed_generation == told.observed_generation && told.conditions.iter().all(same);
    (!said_already).then_some(told)
}

/// Times in statuses have no fractions of seconds, as everywhere in Kubernetes.
fn seconds(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Chains are ready when they compile; policies when gates have them, which nobody knows yet.
fn ready(kind: Kind) -> (Truth, &'static str, String) {
    if kind.is_chain() {
        (Truth::True, "Compiles", "it compiles".to_owned())
    } else {
        (Truth::Unknown, "NotPropagated", "no gate has acknowledged it yet".to_owned())
    }
}

/// The patch that writes a status: of this very object, and of nothing but these fields.
pub(super) fn patch(key: &Key, entry: &Entry, told: &Told) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": key.kind.name(),
        "metadata": {"name": key.name, "uid": entry.stored.uid},
        "status": {"observedGeneration": told.observed_generation, "conditions": told.conditions},
    })
}
