//! Pods that may have gates, and whose they are. A pure state: events may come in any order.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::listing::{Change, Listing};

/// So many Pods that have ended are remembered, until their lines have gone from ModelGates.
const GONE_MAX: usize = 1_000;

/// A live Pod: one that has not ended and is not being deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pod {
    /// Its namespace.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
    /// The UID of what controls it: a StatefulSet, or a ReplicaSet of a Deployment.
    pub(super) controller: String,
    /// Its containers have been started.
    pub(super) runs: bool,
}

/// All live Pods, and the ReplicaSets between them and Deployments.
#[derive(Debug, Default)]
pub(super) struct Pods {
    live: HashMap<String, Pod>,
    by_controller: HashMap<String, BTreeSet<String>>,
    /// The Deployment of a ReplicaSet.
    deployments: HashMap<String, String>,
    replica_sets: HashMap<String, BTreeSet<String>>,
    /// Pods that were there and are not any more, the newest at the end.
    gone: VecDeque<String>,
    pod_list: Listing<String>,
    set_list: Listing<String>,
}

impl Pods {
    /// Whether both lists were read once.
    pub(super) const fn is_complete(&self) -> bool {
        self.pod_list.is_whole() && self.set_list.is_whole()
    }

    /// A live Pod by its UID.
    pub(super) fn get(&self, uid: &str) -> Option<&Pod> {
        self.live.get(uid)
    }

    /// Whether a Pod was there, and ended.
    pub(super) fn is_gone(&self, uid: &str) -> bool {
        !self.live.contains_key(uid) && self.gone.iter().any(|gone| gone == uid)
    }

    /// The UID of the workload that a Pod is of.
    pub(super) fn workload_of<'a>(&'a self, pod: &'a Pod) -> &'a str {
        self.deployments.get(&pod.controller).unwrap_or(&pod.controller)
    }

    /// The live Pods of a workload, by their UIDs.
    pub(super) fn of<'a>(&'a self, workload: &'a str) -> impl Iterator<Item = (&'a str, &'a Pod)> {
        let sets = self.replica_sets.get(workload).into_iter().flatten().map(String::as_str);
        let uids = std::iter::once(workload).chain(sets).filter_map(|one| self.by_controller.get(one)).flatten();
        uids.filter_map(|uid| Some((uid.as_str(), self.live.get(uid)?)))
    }

    /// Takes what the watch of Pods brought, by UID; the workloads that it touches.
    pub(super) fn pod(&mut self, change: Change<String, Pod>) -> Vec<String> {
        match change {
            Change::ListBegins => {
                self.pod_list.begin();
                Vec::new()
            }
            Change::There(uid, pod) => {
                self.pod_list.name(&uid);
                if self.live.get(&uid) == Some(&pod) {
                    return Vec::new();
                }
                let mut touched: Vec<_> = self.unlink(&uid).into_iter().collect();
                touched.push(self.workload_of(&pod).to_owned());
                self.by_controller.entry(pod.controller.clone()).or_default().insert(uid.clone());
                self.live.insert(uid, pod);
                touched
            }
            Change::Gone(uid) => self.pod_gone(&uid),
            Change::ListEnds => {
                let named = self.pod_list.end();
                let gone: Vec<_> = self.live.keys().filter(|uid| !named.contains(*uid)).cloned().collect();
                gone.iter().flat_map(|uid| self.pod_gone(uid)).collect()
            }
        }
    }

    /// Takes what the watch of ReplicaSets brought: the UID of each and of its Deployment; the workloads that it touches.
    pub(super) fn replica_set(&mut self, change: Change<String, String>) -> Vec<String> {
        match change {
            Change::ListBegins => {
                self.set_list.begin();
                Vec::new()
            }
            Change::There(uid, deployment) => {
                self.set_list.name(&uid);
                if self.deployments.get(&uid) == Some(&deployment) {
                    return Vec::new();
                }
                let mut touched = self.set_gone(&uid);
                self.replica_sets.entry(deployment.clone()).or_default().insert(uid.clone());
                self.deployments.insert(uid, deployment.clone());
                touched.push(deployment);
                touched
            }
            Change::Gone(uid) => self.set_gone(&uid),
            Change::ListEnds => {
                let named = self.set_list.end();
                let gone: Vec<_> = self.deployments.keys().filter(|uid| !named.contains(*uid)).cloned().collect();
                gone.iter().flat_map(|uid| self.set_gone(uid)).collect()
            }
        }
    }

    fn pod_gone(&mut self, uid: &str) -> Vec<String> {
        let touched = self.unlink(uid);
        if touched.is_some() {
            self.gone.push_back(uid.to_owned());
            if self.gone.len() > GONE_MAX {
                self.gone.pop_front();
            }
        }
        touched.into_iter().collect()
    }

    fn unlink(&mut self, uid: &str) -> Option<String> {
        let pod = self.live.remove(uid)?;
        take(&mut self.by_controller, &pod.controller, uid);
        Some(self.workload_of(&pod).to_owned())
    }

    fn set_gone(&mut self, uid: &str) -> Vec<String> {
        let Some(deployment) = self.deployments.remove(uid) else { return Vec::new() };
        take(&mut self.replica_sets, &deployment, uid);
        vec![deployment]
    }
}

/// Takes one out of a set, and the set with its last.
fn take(sets: &mut HashMap<String, BTreeSet<String>>, of: &str, one: &str) {
    if let Some(set) = sets.get_mut(of) {
        set.remove(one);
        if set.is_empty() {
            sets.remove(of);
        }
    }
}
