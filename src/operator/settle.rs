//! Settling the ledger: what is fresh is read and checked, and every workload that it can touch gets what applies to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::kinds::{Key, Kind};
use super::ledger::{Entry, Ledger, within};
use super::problems::own_problems;
use super::selection::{Good, Selection};
use super::workloads::WorkloadKey;
use crate::base::Digest;
use crate::compile;
use crate::rules::Workload;

/// Policies that have changed, and what of each is in force now.
type ChangedPolicies = Vec<(Key, Option<Arc<Good>>)>;

/// What was made for one workload serves all that had the same and to which the same of what has changed applies.
type Made = HashMap<(Digest, Vec<bool>), Arc<Selection>>;

impl Ledger {
    /// Makes of everything that is known what is to be in force. Costs nothing for what has not changed.
    pub(super) fn settle(&mut self) {
        let fresh = |chains: bool, objects: &mut BTreeSet<Key>| -> Vec<Key> {
            objects.extract_if(.., |key| key.kind.is_chain() == chains).collect()
        };
        for key in fresh(true, &mut self.unsettled.objects) {
            if self.settle_object(&key) {
                self.look_again_at_policies_naming(&key);
            }
        }
        for key in fresh(false, &mut self.unsettled.objects) {
            if self.settle_object(&key) {
                self.unsettled.policies.insert(key);
            }
        }
        self.settle_workloads();
        self.forget_retired_chains();
        self.selections.tidy();
    }

    /// Looks at one object; whether something else of it is in force now.
    fn settle_object(&mut self, key: &Key) -> bool {
        let Some(entry) = self.objects.get(key) else { return false };
        let read = self.read(key, entry);
        let Some(entry) = self.objects.get_mut(key) else { return false };
        self.touched.objects.insert(key.clone());
        let changed = match read {
            Ok(good) => {
                entry.wrong = None;
                let changed = entry.good.as_ref().is_none_or(|before| before.digest != good.digest);
                entry.good = Some(Arc::new(good));
                changed
            }
            Err(wrong) => {
                entry.wrong = Some(wrong);
                key.kind.is_exception() && entry.good.take().is_some()
            }
        };
        let turned = if entry.is_unknown() && !key.kind.is_exception() {
            self.unknown.insert(key.clone())
        } else {
            self.unknown.remove(key)
        };
        if turned {
            self.unsettled.scopes.insert(key.namespace.clone());
        }
        changed
    }

    /// Reads an object, and checks it with the chains that it may name.
    fn read(&self, key: &Key, entry: &Entry) -> Result<Good, String> {
        let title = key.to_string();
        let mut documents = compile::read(&title, &entry.stored.text).map_err(own_problems)?;
        let (Some(document), true) = (documents.pop(), documents.is_empty()) else {
            return Err("expected one object".to_owned());
        };
        let mut all = vec![document];
        if !key.kind.is_chain() && !key.kind.is_exception() {
            let kind = if key.namespace.is_some() { Kind::ApprovalChain } else { Kind::ClusterApprovalChain };
            let chains = within(&self.objects, kind, key.namespace.as_deref());
            all.extend(chains.filter_map(|(_, chain)| Some(chain.good.as_ref()?.document.clone())));
        }
        compile::check(&all).map_err(own_problems)?;
        Ok(Good::of(key.clone(), all.swap_remove(0), &entry.stored.text))
    }

    fn settle_workloads(&mut self) {
        let policies = std::mem::take(&mut self.unsettled.policies);
        let scopes = std::mem::take(&mut self.unsettled.scopes);
        let fresh = std::mem::take(&mut self.unsettled.workloads);
        let changed: ChangedPolicies = policies.into_iter().map(|key| (key.clone(), self.good(&key))).collect();
        let touched = self.workloads_in(changed.iter().map(|(key, _)| &key.namespace).chain(&scopes));
        let mut made = Made::new();
        for key in touched.union(&fresh) {
            let Some(enrolled) = self.workloads.get(key) else { continue };
            let (before, workload) = (enrolled.latest.clone(), enrolled.owned.workload.clone());
            let latest = match before {
                Some(before) if !fresh.contains(key) => self.renew(before, &changed, &workload, &mut made),
                _ => {
                    let policies = self.applying(&workload);
                    self.select(policies, &workload)
                }
            };
            self.put_in_force(key, latest);
        }
    }

    /// All workloads of these scopes.
    fn workloads_in<'a>(&self, scopes: impl Iterator<Item = &'a Option<String>>) -> BTreeSet<WorkloadKey> {
        let scopes: BTreeSet<_> = scopes.collect();
        let (cluster, mut keys) = (scopes.contains(&None), BTreeSet::new());
        if cluster {
            return self.workloads.keys().cloned().collect();
        }
        for namespace in scopes.into_iter().flatten() {
            keys.extend(of_namespace(&self.workloads, namespace).cloned());
        }
        keys
    }

    /// What a workload had, with what has changed.
    fn renew(
        &mut self,
        before: Arc<Selection>,
        changed: &ChangedPolicies,
        workload: &Workload,
        made: &mut Made,
    ) -> Arc<Selection> {
        let selects = |good: &Arc<Good>| compile::selects(&good.document, workload);
        let apply: Vec<_> = changed.iter().map(|(_, good)| good.as_ref().is_some_and(selects)).collect();
        let had = |(key, _): &(Key, _)| before.get(key).is_some();
        if !apply.contains(&true) && !changed.iter().any(had) {
            return before;
        }
        let known = (before.digest, apply);
        if let Some(made) = made.get(&known) {
            return made.clone();
        }
        let stays = |good: &&Arc<Good>| !changed.iter().any(|(key, _)| *key == good.key);
        let mut policies: Vec<_> = before.policies().filter(stays).cloned().collect();
        let now = changed.iter().zip(&known.1).filter(|(_, applies)| **applies);
        policies.extend(now.filter_map(|((_, good), _)| good.clone()));
        let selection = self.select(policies, workload);
        made.insert(known, selection.clone());
        selection
    }

    /// All policies that apply to a workload, and all exceptions.
    fn applying(&self, workload: &Workload) -> Vec<Arc<Good>> {
        let cluster = within(&self.objects, Kind::ClusterApprovalPolicy, None);
        let own = within(&self.objects, Kind::ApprovalPolicy, Some(&workload.namespace));
        let exceptions = within(&self.objects, Kind::ApprovalException, None);
        let good = cluster.chain(own).chain(exceptions).filter_map(|(_, entry)| entry.good.as_ref());
        good.filter(|good| compile::selects(&good.document, workload)).cloned().collect()
    }

    /// Policies with the chains that they name, compiled.
    fn select(&mut self, policies: Vec<Arc<Good>>, workload: &Workload) -> Arc<Selection> {
        let named = policies.iter().flat_map(|policy| &policy.names);
        let chains: Vec<_> =
            named.filter_map(|key| self.good(key).or_else(|| self.retired.get(key).cloned())).collect();
        let documents: BTreeMap<_, _> =
            chains.into_iter().chain(policies).map(|good| (good.key.clone(), good)).collect();
        self.selections.of(documents, workload)
    }

    /// Gives a workload what applies to it now, if that is known and compiles.
    fn put_in_force(&mut self, key: &WorkloadKey, latest: Arc<Selection>) {
        let unknown = self.unknown.iter().find(|one| one.namespace.as_ref().is_none_or(|of| *of == key.namespace));
        let withheld = match (unknown, &latest.revision) {
            (Some(unknown), _) => Some(format!("{unknown} does not compile, and may have been in force before")),
            (None, Err(problems)) => Some(problems.clone()),
            (None, Ok(_)) => None,
        };
        let Some(enrolled) = self.workloads.get_mut(key) else { return };
        let same = enrolled.latest.as_ref().is_some_and(|before| before.digest == latest.digest);
        if same && enrolled.withheld == withheld {
            return;
        }
        if withheld.is_none() {
            enrolled.in_force = Some(latest.clone());
        }
        enrolled.latest = Some(latest);
        enrolled.withheld = withheld;
        self.touched.workloads.insert(enrolled.owned.uid.clone());
    }

    fn good(&self, key: &Key) -> Option<Arc<Good>> {
        self.objects.get(key)?.good.clone()
    }

    /// A chain that is gone stays for the policies in force that name it, until they name another or it comes again.
    fn forget_retired_chains(&mut self) {
        if self.retired.is_empty() {
            return;
        }
        let good = self.objects.values().filter_map(|entry| entry.good.as_ref());
        let named: BTreeSet<_> = good.flat_map(|good| &good.names).cloned().collect();
        let there: BTreeSet<_> = self.retired.keys().filter(|key| self.good(key).is_some()).cloned().collect();
        self.retired.retain(|key, _| named.contains(key) && !there.contains(key));
    }
}

impl Entry {
    /// Nobody here knows what of it was in force before this process began.
    fn is_unknown(&self) -> bool {
        self.inherited && self.good.is_none() && self.wrong.is_some()
    }
}

/// The workloads of a namespace.
pub(super) fn of_namespace<'a, V>(
    workloads: &'a BTreeMap<WorkloadKey, V>,
    namespace: &'a str,
) -> impl Iterator<Item = &'a WorkloadKey> {
    let first = WorkloadKey {
        namespace: namespace.to_owned(),
        owner: super::workloads::Owner::Deployment,
        name: String::new(),
    };
    workloads.range(first..).map(|(key, _)| key).take_while(move |key| key.namespace == namespace)
}
