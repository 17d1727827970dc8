//! What the status of an object is to say, and whether it says so already.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::conditions::{Said, condition};
use super::ends::EXPIRED;
use super::kinds::Key;
use super::ledger::{Entry, Ledger, Stored, Told};
use super::tally::Tally;
use crate::api::API_VERSION;
use crate::api::status::Truth;

/// The conditions that are written here; others may write others.
const OWN: [&str; 4] = ["Accepted", "Propagated", "Ready", "Stalled"];

/// How soon a status is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Somebody may wait for it.
    Now,
    /// Only counts have changed, or Pods have come for which gates are on their way: what is written at once for every Pod
    /// that starts is as many writes as there are policies.
    Later,
}

/// The status that an object is to have, and how soon; `None` where it has it.
pub(super) fn wanted(ledger: &Ledger, key: &Key, now: Timestamp) -> Option<(Told, Urgency)> {
    let entry = ledger.objects.get(key)?;
    let generation = entry.stored.generation;
    let said = &entry.stored.status;
    let tally = entry.good.as_ref().filter(|_| !key.kind.is_chain()).map(|good| ledger.tally(key, good));
    let mut conditions = Vec::new();
    for (kind, what) in conditions_of(key, entry, tally.as_ref(), now) {
        conditions.push(condition(&said.conditions, kind, generation, what, now));
    }
    let told = Told { observed_generation: Some(generation), conditions, gates: tally.map(|tally| tally.counts) };
    // Others may report conditions of their own beside these.
    let own = |told: &Told| {
        let own = told.conditions.iter().filter(|one| OWN.contains(&one.kind.as_str()));
        let mut own: Vec<_> = own.cloned().collect();
        own.sort_by(|one, other| one.kind.cmp(&other.kind));
        own
    };
    let (before, after) = (own(said), own(&told));
    if before == after && said.observed_generation == told.observed_generation && said.gates == told.gates {
        return None;
    }
    let words = |all: &[crate::api::status::Condition]| -> Vec<_> {
        all.iter().map(|one| (one.kind.clone(), one.status, one.reason.clone(), one.observed_generation)).collect()
    };
    let urgency =
        if words(&before) == words(&after) || only_fell_behind(said, &told) { Urgency::Later } else { Urgency::Now };
    Some((told, urgency))
}

/// Whether a status says of the newest generation that it is everywhere: nobody waits for it.
pub(super) fn is_everywhere(stored: &Stored) -> bool {
    let propagated = stored.status.conditions.iter().find(|one| one.kind == "Propagated");
    propagated.is_some_and(|one| one.status == Truth::True && one.observed_generation == Some(stored.generation))
}

/// Whether nothing has changed but that a policy that was everywhere is not any more: Pods have come.
fn only_fell_behind(said: &Told, told: &Told) -> bool {
    let truth = |told: &Told, kind: &str| {
        let found = told.conditions.iter().find(|one| one.kind == kind);
        found.map(|one| (one.status, one.reason.clone(), one.observed_generation))
    };
    let before = truth(said, "Propagated");
    let after = truth(told, "Propagated");
    truth(said, "Accepted") == truth(told, "Accepted")
        && before.is_some_and(|(status, _, generation)| status == Truth::True && generation == told.observed_generation)
        && after.is_some_and(|(status, reason, _)| status == Truth::False && reason == "Propagating")
}

fn conditions_of(key: &Key, entry: &Entry, tally: Option<&Tally>, now: Timestamp) -> Vec<(&'static str, Said)> {
    let see = |kind: &str| format!("see `{kind}`");
    if let Some(wrong) = &entry.wrong {
        let mut said = vec![("Accepted", (Truth::False, "Invalid", wrong.clone()))];
        if !key.kind.is_chain() {
            said.push(("Propagated", (Truth::False, "Invalid", see("Accepted"))));
        }
        said.push(("Ready", (Truth::False, "Invalid", see("Accepted"))));
        said.push(("Stalled", (Truth::True, "Invalid", wrong.clone())));
        return said;
    }
    if let Some(end) = entry.good.as_ref().and_then(|good| good.ends).filter(|end| *end <= now) {
        let told = format!("it ended at {end}: it loosens nothing any more");
        let propagated = tally.map_or_else(unseen, propagated);
        let ready = (Truth::False, EXPIRED, see("Accepted"));
        let stalled = (Truth::True, EXPIRED, see("Accepted"));
        let accepted = (Truth::False, EXPIRED, told);
        return vec![("Accepted", accepted), ("Propagated", propagated), ("Ready", ready), ("Stalled", stalled)];
    }
    let compiles = || (Truth::True, "Compiles", "it compiles".to_owned());
    if key.kind.is_chain() {
        return vec![("Accepted", compiles()), ("Ready", compiles())];
    }
    let propagated = tally.map_or_else(unseen, propagated);
    let ready = match propagated.0 {
        Truth::True => (Truth::True, propagated.1, propagated.2.clone()),
        Truth::False | Truth::Unknown => (propagated.0, propagated.1, see("Propagated")),
    };
    let stalled =
        matches!(propagated.1, "Rejected" | "Withheld").then(|| (Truth::True, propagated.1, propagated.2.clone()));
    let mut said = vec![("Accepted", compiles()), ("Propagated", propagated), ("Ready", ready)];
    said.extend(stalled.map(|stalled| ("Stalled", stalled)));
    said
}

fn unseen() -> Said {
    (Truth::Unknown, "Unseen", "it was not looked at yet".to_owned())
}

/// Whether every gate that a policy selects has it.
fn propagated(tally: &Tally) -> Said {
    let counts = tally.counts;
    match (&tally.rejected, &tally.withheld) {
        (Some(why), _) => (Truth::False, "Rejected", why.clone()),
        (None, _) if counts.total == 0 => (Truth::True, "NoGates", "no gate is selected".to_owned()),
        (None, _) if counts.current == counts.total => {
            (Truth::True, "Acknowledged", "every gate that is selected has it in force".to_owned())
        }
        (None, Some(why)) => (Truth::False, "Withheld", why.clone()),
        (None, None) => (Truth::False, "Propagating", "not every gate that is selected has it in force yet".to_owned()),
    }
}

/// The patch that writes a status: of this very object, and of nothing but these fields.
pub(super) fn patch(key: &Key, entry: &Entry, told: &Told) -> Value {
    let mut status = json!({"observedGeneration": told.observed_generation, "conditions": told.conditions});
    if let (Some(gates), Some(fields)) = (told.gates, status.as_object_mut()) {
        fields.insert("gates".to_owned(), json!(gates));
    }
    json!({
        "apiVersion": API_VERSION,
        "kind": key.kind.name(),
        "metadata": {"name": key.name, "uid": entry.stored.uid, "resourceVersion": entry.stored.version},
        "status": status,
    })
}
