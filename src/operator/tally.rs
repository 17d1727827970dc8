//! How many gates have a policy just as it is now.

use super::kinds::Key;
use super::ledger::Ledger;
use super::selection::Good;
use super::settle::of_namespace;
use super::workloads::Enrolled;
use crate::api::status::GateCounts;

/// How a policy stands among the gates that it selects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// How many gates have it.
    pub(super) counts: GateCounts,
    /// Why one of them refused it.
    pub(super) rejected: Option<String>,
    /// Why a workload that it selects gets nothing new.
    pub(super) withheld: Option<String>,
}

impl Ledger {
    /// Counts the gates that have acknowledged something that was made with this very policy. What was given out before it
    /// was seen here counts for nothing.
    pub(super) fn tally(&self, key: &Key, good: &Good) -> Tally {
        let mut tally = Tally::default();
        match &key.namespace {
            None => self.workloads.values().for_each(|enrolled| tally.add(enrolled, good)),
            Some(namespace) => {
                let own = of_namespace(&self.workloads, namespace).filter_map(|key| self.workloads.get(key));
                own.for_each(|enrolled| tally.add(enrolled, good));
            }
        }
        tally
    }
}

impl Tally {
    fn add(&mut self, enrolled: &Enrolled, good: &Good) {
        if !enrolled.latest.as_ref().is_some_and(|latest| latest.holds(good)) {
            return;
        }
        let has = |order| enrolled.given(order).is_some_and(|selection| selection.holds(good));
        let summary = &enrolled.summary;
        self.counts.total += summary.total;
        let current = summary.acknowledged.iter().filter(|(order, _)| has(*order));
        self.counts.current += current.map(|(_, gates)| gates).sum::<u32>();
        for (refused, acknowledged, why) in &summary.rejected {
            // Who refused something newer for the sake of another policy still has this one.
            if has(*refused) && !acknowledged.is_some_and(has) {
                self.counts.rejected += 1;
                self.rejected.get_or_insert_with(|| why.clone());
            }
        }
        if summary.total > 0
            && let Some(withheld) = &enrolled.withheld
        {
            let workload = &enrolled.owned.workload;
            let message = format!("workload `{}/{}`: {withheld}", workload.namespace, workload.name);
            self.withheld.get_or_insert(message);
        }
    }
}
