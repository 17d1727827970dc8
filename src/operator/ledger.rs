//! Everything the operator knows, and what was made of it. A pure state: no client, no clock, no task.
//!
//! An object is kept as the text that the API server gave, and read by `compile` as a file is: there is one reader, and an
//! object that does not fit stops nothing. What a change may touch is noted as it comes, so that nothing else is looked at.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::gates::{GateKey, Gates, Seen};
use super::kinds::{Key, Kind};
use super::listing::{Change, Listing};
use super::pods::{Pod, Pods};
use super::report::Report;
use super::selection::{Good, Selections};
use super::terms::Terms;
use super::workloads::{Enrolled, Owned, Owner, WorkloadKey};
use crate::api::status::{Condition, GateCounts};
use crate::distribution::Order;

/// An object as the API server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    /// Another object of the same name has another one.
    pub(super) uid: String,
    /// What a write must find unchanged; nothing where that is not known.
    pub(super) version: Option<String>,
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
    /// How many gates have it; of policies only.
    pub(super) gates: Option<GateCounts>,
}

/// What is known of one object.
#[derive(Debug)]
pub(super) struct Entry {
    /// As it is stored.
    pub(super) stored: Stored,
    /// What of it is in force: the last that was good.
    pub(super) good: Option<Arc<Good>>,
    /// What is wrong with it as it is stored.
    pub(super) wrong: Option<String>,
    /// It was there when this process began to watch: what was in force of it then, nobody here knows.
    pub(super) inherited: bool,
}

/// What has to be looked at when the ledger is settled.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    /// Objects that are to be read again.
    pub(super) objects: BTreeSet<Key>,
    /// Policies of which, or of whose chains, something else is in force now, or nothing.
    pub(super) policies: BTreeSet<Key>,
    /// Scopes in which objects have become known or unknown.
    pub(super) scopes: BTreeSet<Option<String>>,
    /// Workloads that are new or have other labels.
    pub(super) workloads: BTreeSet<WorkloadKey>,
}

/// What others are to be told of.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Workloads by their UIDs, also those that are gone.
    pub(super) workloads: BTreeSet<String>,
    /// Policies and chains.
    pub(super) objects: BTreeSet<Key>,
    /// Namespaces of workloads that are gone.
    pub(super) namespaces: BTreeSet<String>,
}

/// Everything that is known.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) objects: BTreeMap<Key, Entry>,
    /// Everything that owns Pods, enrolled or not.
    pub(super) owners: BTreeMap<WorkloadKey, Owned>,
    /// The keys of owners, by their UIDs.
    pub(super) keys: HashMap<String, WorkloadKey>,
    pub(super) workloads: BTreeMap<WorkloadKey, Enrolled>,
    pub(super) pods: Pods,
    pub(super) gates: Gates,
    /// What gates of this replica said and no ModelGate says yet, by the UIDs of their Pods.
    pub(super) reports: HashMap<String, Report>,
    /// Chains that are gone, as long as a policy in force names them.
    pub(super) retired: BTreeMap<Key, Arc<Good>>,
    /// Objects of which nobody here knows what was in force.
    pub(super) unknown: BTreeSet<Key>,
    pub(super) selections: Selections,
    /// On what things are given out; nothing is before they are known.
    pub(super) terms: Option<Terms>,
    pub(super) unsettled: Unsettled,
    pub(super) touched: Touched,
    lists: BTreeMap<Kind, Listing<Key>>,
    owner_lists: BTreeMap<Owner, Listing<WorkloadKey>>,
}

impl Ledger {
    /// Whether every list was read once: before that, what is missing may only not have come yet.
    pub(super) fn is_complete(&self) -> bool {
        let kinds = Kind::ALL.iter().all(|kind| self.lists.get(kind).is_some_and(Listing::is_whole));
        let owners = Owner::ALL.iter().all(|owner| self.owner_lists.get(owner).is_some_and(Listing::is_whole));
        kinds && owners && self.pods.is_complete() && self.gates.is_complete()
    }

    /// Takes what the watch of one kind brought.
    pub(super) fn object(&mut self, kind: Kind, change: Change<Key, Stored>) {
        let list = self.lists.entry(kind).or_default();
        match change {
            Change::ListBegins => list.begin(),
            Change::There(key, stored) => {
                list.name(&key);
                let inherited = !list.is_whole();
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

    /// Takes what the watch of one kind of owner brought.
    pub(super) fn owner(&mut self, owner: Owner, change: Change<WorkloadKey, Owned>) {
        let list = self.owner_lists.entry(owner).or_default();
        match change {
            Change::ListBegins => list.begin(),
            Change::There(key, owned) => {
                list.name(&key);
                if self.owners.get(&key).is_some_and(|known| known.uid != owned.uid) {
                    self.owner_gone(&key);
                }
                self.keys.insert(owned.uid.clone(), key.clone());
                self.owners.insert(key.clone(), owned);
                self.enrol(&key);
            }
            Change::Gone(key) => self.owner_gone(&key),
            Change::ListEnds => {
                let named = list.end();
                let gone = self.owners.keys().filter(|key| key.owner == owner && !named.contains(*key));
                for key in gone.cloned().collect::<Vec<_>>() {
                    self.owner_gone(&key);
                }
            }
        }
    }

    /// Takes what the watch of Pods brought.
    pub(super) fn pod(&mut self, change: Change<String, Pod>) {
        if let Change::Gone(uid) = &change {
            self.reports.remove(uid);
        }
        self.touched.workloads.extend(self.pods.pod(change));
    }

    /// Takes what the watch of ReplicaSets brought.
    pub(super) fn replica_set(&mut self, change: Change<String, String>) {
        self.touched.workloads.extend(self.pods.replica_set(change));
    }

    /// Takes what the watch of ModelGates, or a write, brought.
    pub(super) fn gate(&mut self, change: Change<GateKey, Box<Seen>>) {
        for uid in self.gates.take(change) {
            if let Some(key) = self.keys.get(&uid).cloned() {
                self.enrol(&key);
            }
            self.touched.workloads.insert(uid);
        }
    }

    /// Notes what a workload is given, once what is recorded as given out is what is in force here; what that is, if it is
    /// newer than what was given before.
    pub(super) fn give(&mut self, uid: &str) -> Option<Order> {
        let enrolled = self.workloads.get_mut(self.keys.get(uid)?)?;
        let order = self.terms.as_ref()?.given(enrolled)?;
        let selection = enrolled.in_force.clone()?;
        if enrolled.last_given() == Some(order) {
            return None;
        }
        enrolled.give(order, selection);
        Some(order)
    }

    /// What the ModelGate of a workload says need not be reported any more.
    pub(super) fn forget_reports(&mut self, uid: &str) {
        if self.reports.is_empty() {
            return;
        }
        for (pod, _) in self.pods.of(uid) {
            self.reports.remove(pod);
        }
    }

    /// Sees whether an owner is enrolled. It is when it asks for gates, and stays so as long as it has a ModelGate: dropping a
    /// label takes no policy away.
    fn enrol(&mut self, key: &WorkloadKey) {
        let Some(owned) = self.owners.get(key) else { return };
        let gate = self.gates.of(&owned.uid);
        self.touched.workloads.insert(owned.uid.clone());
        if !owned.asks && gate.is_none() {
            self.workloads.remove(key);
            return;
        }
        let enrolled = self.workloads.entry(key.clone()).or_insert_with(|| {
            self.unsettled.workloads.insert(key.clone());
            Enrolled::new(owned.clone())
        });
        if enrolled.owned.workload != owned.workload {
            self.unsettled.workloads.insert(key.clone());
        }
        enrolled.owned.clone_from(owned);
        if let Some(distribution) = gate.and_then(|(_, seen)| seen.status.distribution.as_ref()) {
            enrolled.record(distribution);
        }
    }

    fn owner_gone(&mut self, key: &WorkloadKey) {
        let Some(owned) = self.owners.remove(key) else { return };
        self.keys.remove(&owned.uid);
        self.workloads.remove(key);
        self.touched.namespaces.insert(key.namespace.clone());
        self.touched.workloads.insert(owned.uid);
    }

    fn there(&mut self, key: Key, stored: Stored, inherited: bool) {
        self.touched.objects.insert(key.clone());
        if let Some(entry) = self.objects.get_mut(&key).filter(|entry| entry.stored.uid == stored.uid) {
            if entry.stored.text != stored.text {
                self.unsettled.objects.insert(key);
            }
            entry.stored = stored;
        } else {
            self.gone(&key);
            self.unsettled.objects.insert(key.clone());
            self.objects.insert(key, Entry { stored, good: None, wrong: None, inherited });
        }
    }

    fn gone(&mut self, key: &Key) {
        let Some(entry) = self.objects.remove(key) else { return };
        self.touched.objects.remove(key);
        if self.unknown.remove(key) {
            self.unsettled.scopes.insert(key.namespace.clone());
        }
        if key.kind.is_chain() {
            self.retired.extend(entry.good.map(|good| (key.clone(), good)));
            self.look_again_at_policies_naming(key);
        } else {
            self.unsettled.policies.insert(key.clone());
        }
    }

    /// A chain has changed: policies name it, or wait for it.
    pub(super) fn look_again_at_policies_naming(&mut self, chain: &Key) {
        let kind = if chain.namespace.is_some() { Kind::ApprovalPolicy } else { Kind::ClusterApprovalPolicy };
        for (key, entry) in within(&self.objects, kind, chain.namespace.as_deref()) {
            let names = entry.good.as_ref().is_some_and(|good| good.names.contains(chain));
            if names {
                self.unsettled.policies.insert(key.clone());
            }
            if names || entry.wrong.is_some() {
                self.unsettled.objects.insert(key.clone());
            }
        }
    }
}

/// The objects of one kind in one scope.
pub(super) fn within<'a>(
    objects: &'a BTreeMap<Key, Entry>,
    kind: Kind,
    namespace: Option<&str>,
) -> impl Iterator<Item = (&'a Key, &'a Entry)> {
    let first = Key { kind, namespace: namespace.map(str::to_owned), name: String::new() };
    let scope = first.namespace.clone();
    objects.range(first..).take_while(move |(key, _)| key.kind == kind && key.namespace == scope)
}
