//! ModelGates as the API server has them, found by the workload that they stand for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::listing::{Change, Listing};
use super::workloads::WorkloadKey;
use crate::api::gate::{ModelGateSpec, ModelGateStatus, WorkloadRef};
use crate::base::Digest;

/// The namespace and the name of a ModelGate.
pub(super) type GateKey = (String, String);

/// Longest name of an object.
const NAME_CHARS_MAX: usize = 253;

/// A ModelGate as it was last seen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    /// Another of the same name has another one.
    pub(super) uid: String,
    /// What a write must find unchanged.
    pub(super) version: String,
    /// Counts the changes of its specification.
    pub(super) generation: i64,
    /// Whether it is being deleted.
    pub(super) goes: bool,
    /// What it stands for.
    pub(super) spec: ModelGateSpec,
    /// What it says.
    pub(super) status: ModelGateStatus,
}

/// All ModelGates.
#[derive(Debug, Default)]
pub(super) struct Gates {
    seen: BTreeMap<GateKey, Seen>,
    by_workload: HashMap<String, BTreeSet<GateKey>>,
    list: Listing<GateKey>,
}

impl Gates {
    /// Whether all were read once.
    pub(super) const fn is_complete(&self) -> bool {
        self.list.is_whole()
    }

    /// The ModelGate of a workload, by the workload's UID.
    pub(super) fn of(&self, workload: &str) -> Option<(&GateKey, &Seen)> {
        // Two leaders in a row may have named one workload differently; all read the same one.
        let key = self.by_workload.get(workload)?.first()?;
        Some((key, self.seen.get(key)?))
    }

    /// One by its name.
    pub(super) fn get(&self, key: &GateKey) -> Option<&Seen> {
        self.seen.get(key)
    }

    /// Whether any is so.
    pub(super) fn any(&self, is_so: impl Fn(&Seen) -> bool) -> bool {
        self.seen.values().any(is_so)
    }

    /// The UIDs of all workloads that have one.
    pub(super) fn workloads(&self) -> impl Iterator<Item = &String> {
        self.by_workload.keys()
    }

    /// Takes what the watch brought; the workloads that it touches.
    pub(super) fn take(&mut self, change: Change<GateKey, Box<Seen>>) -> Vec<String> {
        match change {
            Change::ListBegins => {
                self.list.begin();
                Vec::new()
            }
            Change::There(key, seen) => {
                self.list.name(&key);
                self.there(key, *seen)
            }
            Change::Gone(key) => self.gone(&key),
            Change::ListEnds => {
                let named = self.list.end();
                let gone: Vec<_> = self.seen.keys().filter(|key| !named.contains(*key)).cloned().collect();
                gone.iter().flat_map(|key| self.gone(key)).collect()
            }
        }
    }

    fn there(&mut self, key: GateKey, seen: Seen) -> Vec<String> {
        // What a write brought back may be newer than what the watch tells next.
        let known = self.seen.get(&key).filter(|known| known.uid == seen.uid);
        if known.is_some_and(|known| known == &seen || is_newer(&known.version, &seen.version)) {
            return Vec::new();
        }
        let mut touched = self.gone(&key);
        let workload = seen.spec.workload.uid.clone();
        self.by_workload.entry(workload.clone()).or_default().insert(key.clone());
        self.seen.insert(key, seen);
        touched.push(workload);
        touched
    }

    fn gone(&mut self, key: &GateKey) -> Vec<String> {
        let Some(seen) = self.seen.remove(key) else { return Vec::new() };
        let workload = seen.spec.workload.uid;
        if let Some(keys) = self.by_workload.get_mut(&workload) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_workload.remove(&workload);
            }
        }
        vec![workload]
    }

    /// How the ModelGate of a workload is to be called: as the workload, with its kind where a workload of another kind has
    /// that name already. `None` as long as the one of a workload that is gone is in the way.
    pub(super) fn name_for(&self, workload: &WorkloadKey) -> Option<String> {
        let kind = workload.owner.kind();
        let long = format!("{}-{}", workload.name, kind.to_ascii_lowercase());
        let short = Digest::of(long.as_bytes()).to_string().chars().skip("sha256:".len()).take(16).collect();
        let long = if long.len() > NAME_CHARS_MAX { short } else { long };
        for name in [workload.name.clone(), long] {
            let Some(seen) = self.seen.get(&(workload.namespace.clone(), name.clone())) else { return Some(name) };
            let WorkloadRef { kind: of, name: called, .. } = &seen.spec.workload;
            if of == kind && *called == workload.name {
                return None;
            }
        }
        None
    }
}

/// Whether one version is newer than another: they are counted by one counter (KEP-5504).
fn is_newer(one: &str, other: &str) -> bool {
    match (one.parse::<u64>(), other.parse::<u64>()) {
        (Ok(one), Ok(other)) => one > other,
        _ => false,
    }
}
