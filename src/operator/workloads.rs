//! Workloads: what owns Pods, and what the gates of the enrolled ones are to have.

use std::collections::VecDeque;
use std::sync::Arc;

use super::selection::Selection;
use crate::api::gate::Distribution;
use crate::api::policy::LabelSelector;
use crate::distribution::Order;
use crate::rules::Workload;

/// So many of the last things given out are remembered: a gate that acknowledges an older one has to get the newest first.
const GIVEN_MAX: usize = 4;

/// Which workload. Those of a namespace stand together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WorkloadKey {
    /// Its namespace.
    pub(super) namespace: String,
    /// What owns its Pods.
    pub(super) owner: Owner,
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

impl Owner {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::Deployment, Self::StatefulSet];

    /// As an API server spells it.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
        }
    }
}

/// An owner of Pods as the API server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owned {
    /// Another of the same name has another one.
    pub(super) uid: String,
    /// It, or what it makes of Pods, asks for gates.
    pub(super) asks: bool,
    /// How its Pods are found.
    pub(super) selector: LabelSelector,
    /// What policies select by: the labels of its Pods.
    pub(super) workload: Workload,
}

/// What is known of one enrolled workload.
#[derive(Debug)]
pub(super) struct Enrolled {
    /// As it was last seen.
    pub(super) owned: Owned,
    /// Everything that applies now, whether or not it compiles together.
    pub(super) latest: Option<Arc<Selection>>,
    /// What its gates are to have: the last that compiled.
    pub(super) in_force: Option<Arc<Selection>>,
    /// Why that is not the newest.
    pub(super) withheld: Option<String>,
    /// What its ModelGate says was last given out, as long as nothing newer is known to have been.
    pub(super) recorded: Option<Distribution>,
    /// What was in what was given out last, the newest at the end.
    given: VecDeque<(Order, Arc<Selection>)>,
    /// How its gates stand.
    pub(super) summary: Summary,
}

/// How many gates have acknowledged what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// Gates that count.
    pub(super) total: u32,
    /// How many have acknowledged this very order.
    pub(super) acknowledged: Vec<(Order, u32)>,
    /// Gates that have refused an order, the order that they have acknowledged, and the reason.
    pub(super) rejected: Vec<(Order, Option<Order>, String)>,
}

impl Enrolled {
    pub(super) fn new(owned: Owned) -> Self {
        Self {
            owned,
            latest: None,
            in_force: None,
            withheld: None,
            recorded: None,
            given: VecDeque::new(),
            summary: Summary::default(),
        }
    }

    /// Takes what a ModelGate says was given out. What is older than what is known comes from a backup or from a lagging
    /// watch, and is no reason to give out the same sequences again.
    pub(super) fn record(&mut self, distribution: &Distribution) {
        let older = |known: &Distribution| order(known) > order(distribution);
        if !self.recorded.as_ref().is_some_and(older) {
            self.recorded = Some(distribution.clone());
        }
    }

    /// Remembers what was in something that is given out.
    pub(super) fn give(&mut self, order: Order, selection: Arc<Selection>) {
        self.given.retain(|(given, _)| *given != order);
        self.given.push_back((order, selection));
        if self.given.len() > GIVEN_MAX {
            self.given.pop_front();
        }
    }

    /// The newest that was given out with its contents known here.
    pub(super) fn last_given(&self) -> Option<Order> {
        self.given.back().map(|(order, _)| *order)
    }

    /// What was in something that was given out.
    pub(super) fn given(&self, order: Order) -> Option<&Arc<Selection>> {
        self.given.iter().find(|(given, _)| *given == order).map(|(_, selection)| selection)
    }
}

/// How new something is that was given out.
pub(super) const fn order(distribution: &Distribution) -> Order {
    Order { epoch: distribution.epoch, sequence: distribution.sequence }
}
