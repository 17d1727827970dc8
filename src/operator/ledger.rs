//! Everything the operator knows, and what was made of it. A pure state: no client, no clock, no task.
//!
//! An object is kept as the text that the API server gave, and read by `compile` as a file is: there is one reader, and an
//! object that does not fit stops nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::kinds::{Key, Kind};
use crate::api::status::Condition;
use crate::compile::Document;
use crate::rules::{RuleSet, Workload};

/// An object as the API server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    /// Another object of the same name has another one.
    pub(super) uid: String,
    /// Counts the changes of its specification.
    pub(super) generation: i64,
    /// The object as JSON, its status left out.
    pub(super) text: String,
    /// What its status says now.
    pub(super) status: Told,
}

/// What a status says, as far as the operator writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Of which generation it speaks.
    pub(super) observed_generation: Option<i64>,
    /// What it says.
    pub(super) conditions: Vec<Condition>,
}

/// What is known of one object.
#[derive(Debug)]
pub(super) struct Entry {
    /// As it is stored.
    pub(super) stored: Stored,
    /// Changed since it was looked at.
    pub(super) fresh: bool,
    /// What of it is in force: the last that was good.
    pub(super) good: Option<Document>,
    /// What is wrong with it as it is stored.
    pub(super) wrong: Option<String>,
    /// It was there when this process began to watch: what was in force of it then, nobody here knows.
    pub(super) inherited: bool,
}

/// Which workload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WorkloadKey {
    /// What owns its Pods.
    pub(super) owner: Owner,
    /// Its namespace.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
}

/// What owns Pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
}

/// What is known of one workload.
#[derive(Debug)]
pub(super) struct Enrolled {
    /// What policies select by.
    pub(super) workload: Workload,
    /// What its gates are to have: the last that compiled.
    pub(super) rule_set: Option<std::sync::Arc<RuleSet>>,
    /// Why that is not the newest.
    pub(super) withheld: Option<String>,
}

/// What a watch brings: one object, or the beginning and the end of a list of all there are.
#[derive(Debug)]
pub(super) enum Change<K, V> {
    /// A list begins: what it does not name is gone.
    ListBegins,
    /// This is there.
    There(K, V),
    /// This is gone.
    Gone(K),
    /// The list is whole.
    ListEnds,
}

/// What one watch has told.
#[derive(Debug)]
struct Listing<K> {
    /// Named by the list that is being read.
    named: BTreeSet<K>,
    reading: bool,
    whole: bool,
}

/// Everything that is known.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) objects: BTreeMap<Key, Entry>,
    pub(super) workloads: BTreeMap<WorkloadKey, Enrolled>,
    /// Chains that are gone, as long as a policy in force names them.
    pub(super) retired: Vec<Document>,
    lists: BTreeMap<Kind, Listing<Key>>,
    owners: BTreeMap<Owner, Listing<WorkloadKey>>,
}

impl Ledger {
    /// Whether every list was read once: before that, what is missing may only not have come yet.
    pub(super) fn is_complete(&self) -> bool {
        let kinds = Kind::ALL.iter().all(|kind| self.lists.get(kind).is_some_and(|list| list.whole));
        let owners = [Owner::Deployment, Owner::StatefulSet];
        kinds && owners.iter().all(|owner| self.owners.get(owner).is_some_and(|list| list.whole))
    }

    /// Takes what the watch of one kind brought.
    pub(super) fn object(&mut self, kind: Kind, change: Change<Key, Stored>) {
        let list = self.lists.entry(kind).or_default();
        match change {
            Change::ListBegins => list.begin(),
            Change::There(key, stored) => {
                list.name(&key);
                let inherited = !list.whole;
                self.there(key, stored, inherited);
            }
            Change::Gone(key) => self.gone(&key),
            Change::ListEnds => {
                let named = list.end();
                let gone = self.objects.keys().filter(|key| key.kind == kind && !named.contains(*key));
                for key in gone.cloned().collect::<Vec<_>>() {
                    self.gone(&key);
                }
            }
        }
    }

    /// Takes what the watch of one kind of owner brought: workloads that are enrolled. One that is not is gone.
    pub(super) fn owner(&mut self, owner: Owner, change: Change<WorkloadKey, Workload>) {
        let list = self.owners.entry(owner).or_default();
        match change {
            Change::ListBegins => list.begin(),
            Change::There(key, workload) => {
                list.name(&key);
                self.workloads
                    .entry(key)
                    .and_modify(|known| known.workload.clone_from(&workload))
                    .or_insert(Enrolled { workload, rule_set: None, withheld: None });
            }
            Change::Gone(key) => {
                self.workloads.remove(&key);
            }
            Change::ListEnds => {
                let named = list.end();
                self.workloads.retain(|key, _| key.owner != owner || named.contains(key));
            }
        }
    }

    fn there(&mut self, key: Key, stored: Stored, inherited: bool) {
        if let Some(entry) = self.objects.get_mut(&key).filter(|entry| entry.stored.uid == stored.uid) {
            entry.fresh |= entry.stored.text != stored.text;
            entry.stored = stored;
        } else {
            self.gone(&key);
            let entry = Entry { stored, fresh: true, good: None, wrong: None, inherited };
            self.objects.insert(key, entry);
        }
    }

    fn gone(&mut self, key: &Key) {
        let Some(entry) = self.objects.remove(key) else { return };
        if key.kind.is_chain() {
            self.retired.extend(entry.good);
        }
        // Whatever named it is looked at again.
        self.look_again_at_policies();
    }

    /// Chains have changed: policies name them.
    pub(super) fn look_again_at_policies(&mut self) {
        let policies = self.objects.iter_mut().filter(|(key, _)| !key.kind.is_chain());
        policies.for_each(|(_, entry)| entry.fresh = true);
    }
}

impl<K> Default for Listing<K> {
    fn default() -> Self {
        Self { named: BTreeSet::new(), reading: false, whole: false }
    }
}

impl<K: Ord + Clone> Listing<K> {
    fn begin(&mut self) {
        self.named.clear();
        self.reading = true;
    }

    fn name(&mut self, key: &K) {
        if self.reading {
            self.named.insert(key.clone());
        }
    }

    fn end(&mut self) -> BTreeSet<K> {
        self.reading = false;
        self.whole = true;
        std::mem::take(&mut self.named)
    }
}
