//! What becomes of the ModelGate of a workload: made, deleted, or told how its gates stand. Pure.
//!
//! Guarantees: only the leader makes, deletes, and gives sequences; any replica writes what gates of its own said. Nothing is
//! written that is there already. A gate's key is never forgotten while its Pod may live.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::conditions::{Said, condition};
use super::gates::{GateKey, Seen};
use super::ledger::Ledger;
use super::terms::Terms;
use super::workloads::{Enrolled, Summary, WorkloadKey, order};
use crate::api::gate::{Distribution, GatedPod, Given, ModelGateSpec, ModelGateStatus, WorkloadRef};
use crate::api::limits::{LIST_MAX, PODS_MAX};
use crate::api::status::{GateCounts, Truth};
use crate::distribution::Order;

/// A line of a Pod of which nothing was ever heard is kept for so long: the watch of Pods may lag behind the one of ModelGates.
const DOUBT: Duration = Duration::from_mins(1);
/// The conditions that are written here; others may write others.
const OWN: [&str; 3] = ["Accepted", "Propagated", "Ready"];

/// When it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// By the calendar.
    pub(super) at: Timestamp,
    /// By the clock that never jumps.
    pub(super) monotonic: Duration,
}

/// What this replica may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Everything.
    Leader,
    /// Tell what its own gates said.
    Follower,
}

/// What is to be done about a ModelGate.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Deed {
    /// It is to be made.
    Create(GateKey, Box<ModelGateSpec>),
    /// It is to be deleted: this very one.
    Delete(GateKey, String),
    /// Its status is to say this, if nobody has changed it since.
    Tell(GateKey, Value),
}

/// What is remembered of Pods from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Claims that are to be written down: the UIDs of Pods, and the keys of their gates as people write them.
    pub(super) claims: HashMap<String, String>,
    /// Since when lines are there whose Pods are not.
    doubts: HashMap<String, Duration>,
}

impl Ledger {
    /// What is to be done about the ModelGate of a workload, by the workload's UID; and when to look again.
    pub(super) fn deed(
        &mut self,
        uid: &str,
        role: Role,
        memory: &mut Memory,
        now: Now,
    ) -> (Option<Deed>, Option<Duration>) {
        let seen = self.gates.of(uid).map(|(key, seen)| (key.clone(), seen.clone()));
        let workload = self.keys.get(uid).filter(|key| self.workloads.contains_key(*key)).cloned();
        match (workload, seen) {
            (None, None) => (None, None),
            (None, Some((key, seen))) => {
                let delete = role == Role::Leader && !seen.goes;
                (delete.then_some(Deed::Delete(key, seen.uid)), None)
            }
            (Some(workload), None) => (self.creation(&workload).filter(|_| role == Role::Leader), None),
            (Some(_), Some((_, seen))) if seen.goes => (None, None),
            (Some(workload), Some((key, seen))) => self.telling(&workload, key, &seen, role, memory, now),
        }
    }

    /// Whether a workload is to be given something that is not on record yet.
    pub(super) fn is_to_be_given(&self, uid: &str) -> bool {
        let enrolled = self.keys.get(uid).and_then(|key| self.workloads.get(key));
        let new = |(enrolled, terms): (&Enrolled, &Terms)| terms.distribution(enrolled) != enrolled.recorded;
        enrolled.zip(self.terms.as_ref()).is_some_and(new)
    }

    /// Counts the gates of a workload, whether or not it has a ModelGate yet. To be asked before anything is said of policies.
    pub(super) fn summarise(&mut self, uid: &str, memory: &mut Memory, now: Now) {
        let Some(enrolled) = self.keys.get(uid).and_then(|key| self.workloads.get(key)) else { return };
        let before = self.gates.of(uid).map(|(_, seen)| seen.status.pods.as_slice()).unwrap_or_default();
        let (lines, _) = self.lines(enrolled, before, memory, now.monotonic);
        let summary = summary(&lines);
        if let Some(enrolled) = self.keys.get(uid).and_then(|key| self.workloads.get_mut(key)) {
            enrolled.summary = summary;
        }
    }

    fn creation(&self, key: &WorkloadKey) -> Option<Deed> {
        let owned = &self.workloads.get(key)?.owned;
        let name = self.gates.name_for(key)?;
        let workload = WorkloadRef {
            api_version: "apps/v1".to_owned(),
            kind: key.owner.kind().to_owned(),
            name: key.name.clone(),
            uid: owned.uid.clone(),
        };
        let spec = ModelGateSpec { workload, selector: owned.selector.clone() };
        Some(Deed::Create((key.namespace.clone(), name), Box::new(spec)))
    }

    fn telling(
        &mut self,
        workload: &WorkloadKey,
        key: GateKey,
        seen: &Seen,
        role: Role,
        memory: &mut Memory,
        now: Now,
    ) -> (Option<Deed>, Option<Duration>) {
        let Some(enrolled) = self.workloads.get(workload) else { return (None, None) };
        let (pods, again) = match role {
            Role::Leader => self.lines(enrolled, &seen.status.pods, memory, now.monotonic),
            Role::Follower => (self.own_lines(enrolled, &seen.status.pods, memory), None),
        };
        let wanted = match role {
            Role::Follower => ModelGateStatus { pods, ..seen.status.clone() },
            Role::Leader => {
                let distribution = self.terms.as_ref().and_then(|terms| terms.distribution(enrolled));
                whole_status(enrolled, seen, distribution.or_else(|| enrolled.recorded.clone()), pods, now.at)
            }
        };
        // Before it is known who signs, nothing can be given out: what would be said now would not be so in a moment.
        let known = role == Role::Follower || self.terms.is_some();
        let patch = (known && wanted != seen.status).then(|| patch(seen, &wanted, role));
        (patch.map(|patch| Deed::Tell(key, patch)), again)
    }

    /// A line for every gate that counts: those of live Pods that run or were claimed. When to look again, if some Pod is in
    /// doubt.
    fn lines(
        &self,
        enrolled: &Enrolled,
        before: &[GatedPod],
        memory: &mut Memory,
        now: Duration,
    ) -> (Vec<GatedPod>, Option<Duration>) {
        let (mut lines, mut again) = (BTreeMap::new(), None);
        let known = by_uid(before);
        for line in before {
            if self.pods.get(&line.uid).is_some() || line.key.is_none() || self.pods.is_gone(&line.uid) {
                memory.doubts.remove(&line.uid);
            } else {
                let until = *memory.doubts.entry(line.uid.clone()).or_insert(now) + DOUBT;
                if now < until {
                    again = again.max(Some(until));
                    lines.insert(line.name.clone(), line.clone());
                }
            }
        }
        for (uid, pod) in self.pods.of(&enrolled.owned.uid) {
            let line = self.line(enrolled, uid, &pod.name, &known, memory);
            if (pod.runs || line.key.is_some()) && !lines.contains_key(&pod.name) {
                lines.insert(pod.name.clone(), line);
            }
        }
        let mut lines: Vec<_> = lines.into_values().collect();
        if lines.len() > PODS_MAX {
            // Keys are not forgotten for the sake of Pods that have none.
            lines.sort_by_key(|line| line.key.is_none());
            lines.truncate(PODS_MAX);
            lines.sort_by(|one, other| one.name.cmp(&other.name));
        }
        (lines, again)
    }

    /// What is there, with what gates of this replica said.
    fn own_lines(&self, enrolled: &Enrolled, before: &[GatedPod], memory: &Memory) -> Vec<GatedPod> {
        let mut lines: BTreeMap<_, _> = before.iter().map(|line| (line.name.clone(), line.clone())).collect();
        let known = by_uid(before);
        for (uid, pod) in self.pods.of(&enrolled.owned.uid) {
            if memory.claims.contains_key(uid) || self.reports.contains_key(uid) {
                let line = self.line(enrolled, uid, &pod.name, &known, memory);
                if line.key.is_some() {
                    lines.insert(pod.name.clone(), line);
                }
            }
        }
        lines.into_values().collect()
    }

    /// The line of one Pod: as it was, with what is new.
    fn line(&self, enrolled: &Enrolled, uid: &str, name: &str, known: &Lines<'_>, memory: &Memory) -> GatedPod {
        let known = known.get(uid).map(|line| GatedPod::clone(line));
        let fresh = || GatedPod { name: name.to_owned(), uid: uid.to_owned(), ..GatedPod::default() };
        let mut line = known.unwrap_or_else(fresh);
        if line.key.is_none() {
            line.key = memory.claims.get(uid).cloned();
        }
        if let Some(report) = self.reports.get(uid) {
            let before = line.acknowledged;
            report.write(&mut line);
            let known = line.acknowledged.filter(|_| report.is_known());
            let selection = known.and_then(|given| enrolled.given(given.into()));
            let revision = selection.and_then(|selection| Some(selection.revision.as_ref().ok()?.to_string()));
            if before != line.acknowledged || revision.is_some() {
                line.revision = revision;
            }
        }
        line
    }
}

/// Lines by the UIDs of their Pods.
type Lines<'a> = HashMap<&'a str, &'a GatedPod>;

fn by_uid(lines: &[GatedPod]) -> Lines<'_> {
    lines.iter().map(|line| (line.uid.as_str(), line)).collect()
}

impl From<Given> for Order {
    fn from(given: Given) -> Self {
        Self { epoch: given.epoch, sequence: given.sequence }
    }
}

impl From<Order> for Given {
    fn from(order: Order) -> Self {
        Self { epoch: order.epoch, sequence: order.sequence }
    }
}

fn summary(lines: &[GatedPod]) -> Summary {
    let mut acknowledged: BTreeMap<Order, u32> = BTreeMap::new();
    // INVARIANT: a line without a revision is of something that was never given out here, as after a backup: it may come to have
    // the order of something else.
    for given in lines.iter().filter(|line| line.revision.is_some()).filter_map(|line| line.acknowledged) {
        *acknowledged.entry(given.into()).or_default() += 1;
    }
    let rejected = lines.iter().filter_map(|line| {
        let rejected = line.rejected.as_ref()?;
        let refused = Order { epoch: rejected.epoch, sequence: rejected.sequence };
        let message = format!("the gate of Pod `{}` refused it: {}", line.name, rejected.message);
        let known = line.acknowledged.filter(|_| line.revision.is_some());
        Some((refused, known.map(Order::from), message))
    });
    Summary {
        total: u32::try_from(lines.len()).unwrap_or(u32::MAX),
        acknowledged: acknowledged.into_iter().collect(),
        rejected: rejected.collect(),
    }
}

fn whole_status(
    enrolled: &Enrolled,
    seen: &Seen,
    distribution: Option<Distribution>,
    pods: Vec<GatedPod>,
    now: Timestamp,
) -> ModelGateStatus {
    let latest = enrolled.latest.as_ref();
    let names = latest.into_iter().flat_map(|selection| selection.policies()).map(|good| &good.key);
    let names: Vec<_> = names.filter(|key| !key.kind.is_exception()).collect();
    let accepted = accepted(enrolled, names.len());
    let (counts, propagated) = propagated(distribution.as_ref(), &pods);
    let ready = match (accepted.0, propagated.0) {
        (Truth::True, Truth::True) => (Truth::True, "Ready", "all gates judge by what applies".to_owned()),
        (Truth::True, status) => (status, propagated.1, propagated.2.clone()),
        (status, _) => (status, accepted.1, accepted.2.clone()),
    };
    let before = &seen.status.conditions;
    let others = before.iter().filter(|one| !OWN.contains(&one.kind.as_str())).cloned();
    let own = OWN.into_iter().zip([accepted, propagated, ready]);
    let own = own.map(|(kind, said)| condition(before, kind, seen.generation, said, now));
    ModelGateStatus {
        observed_generation: Some(seen.generation),
        conditions: own.chain(others).collect(),
        revision: distribution.as_ref().map(|given| given.revision.clone()),
        policies: names.iter().take(LIST_MAX).map(|key| key.path()).collect(),
        gates: Some(counts),
        distribution,
        pods,
    }
}

fn accepted(enrolled: &Enrolled, policies: usize) -> Said {
    match (&enrolled.withheld, &enrolled.latest) {
        (Some(withheld), _) => (Truth::False, "Withheld", format!("what was last good stays in force: {withheld}")),
        (None, None) => (Truth::Unknown, "NotCompiled", "nothing was compiled yet".to_owned()),
        (None, Some(_)) if policies == 0 => {
            (Truth::True, "NoPolicies", "no policy applies: every query is refused".to_owned())
        }
        (None, Some(_)) if policies == 1 => (Truth::True, "Compiles", "1 policy applies".to_owned()),
        (None, Some(_)) => (Truth::True, "Compiles", format!("{policies} policies apply")),
    }
}

fn propagated(distribution: Option<&Distribution>, pods: &[GatedPod]) -> (GateCounts, Said) {
    let newest = distribution.map(order);
    let revision = distribution.map(|given| &given.revision);
    let holds = |line: &&GatedPod| {
        newest.is_some() && line.acknowledged.map(Order::from) == newest && line.revision.as_ref() == revision
    };
    let refuses = |line: &&GatedPod| {
        let refused = line.rejected.as_ref().map(|one| Order { epoch: one.epoch, sequence: one.sequence });
        newest.is_some() && refused == newest
    };
    let count = |lines: usize| u32::try_from(lines).unwrap_or(u32::MAX);
    let rejected = pods.iter().filter(refuses).count();
    let counts = GateCounts {
        current: count(pods.iter().filter(holds).count()),
        total: count(pods.len()),
        rejected: count(rejected),
    };
    let ahead = pods.iter().find(|line| line.acknowledged.map(Order::from) > newest);
    let said = match (newest, pods.iter().find(refuses), ahead) {
        (None, ..) => (Truth::Unknown, "NothingGiven", "nothing was given out yet".to_owned()),
        (Some(_), _, Some(line)) => {
            let message = "has in force what is newer than anything on record here; was etcd restored from a backup? \
                           `countersign-operator new-epoch` makes gates take what there is now";
            (Truth::False, "GatesAhead", format!("the gate of Pod `{}` {message}", line.name))
        }
        (Some(_), Some(line), None) => {
            let why = line.rejected.as_ref().map_or("", |rejected| rejected.message.as_str());
            (Truth::False, "Rejected", format!("the gate of Pod `{}` refused it: {why}", line.name))
        }
        (Some(_), None, None) if pods.is_empty() => (Truth::True, "NoGates", "no Pod with a gate runs".to_owned()),
        (Some(_), None, None) if counts.current == counts.total => {
            (Truth::True, "Acknowledged", "every gate has the newest in force".to_owned())
        }
        (Some(_), None, None) => match pods.iter().find(|line| line.key.is_none()) {
            Some(line) => {
                let message = format!("Pod `{}` runs, and no gate has come forward for it", line.name);
                (Truth::False, "GateMissing", message)
            }
            None => (Truth::False, "Propagating", "not every gate has acknowledged the newest yet".to_owned()),
        },
    };
    (counts, said)
}

/// The patch that makes one status of another, if nobody has changed it since. Lists go as a whole; a follower touches lines
/// of Pods only.
fn patch(seen: &Seen, wanted: &ModelGateStatus, role: Role) -> Value {
    let status = match role {
        Role::Follower => json!({"pods": wanted.pods}),
        Role::Leader => json!({
            "observedGeneration": wanted.observed_generation,
            "conditions": wanted.conditions,
            "revision": wanted.revision,
            "distribution": wanted.distribution,
            "policies": wanted.policies,
            "gates": wanted.gates,
            "pods": wanted.pods,
        }),
    };
    json!({"metadata": {"uid": seen.uid, "resourceVersion": seen.version}, "status": status})
}
