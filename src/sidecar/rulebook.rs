//! What is in force: one rule set and its chains, replaced as a whole; a query uses one from start to end.
//!
//! Knows nothing of where policies come from, nor what becomes of a query whose rule set is stale.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::approvals::Chain;
use crate::rules::{ChainRef, RuleSet, Workload};

/// A moment that never comes.
const NEVER: u64 = u64::MAX;

/// A rule set with the chains that its rules name.
#[derive(Debug)]
pub struct InForce {
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// The chains, by name.
    pub chains: BTreeMap<ChainRef, Chain>,
    /// The workload that they were made for; that of the settings when left out.
    pub workload: Option<Workload>,
}

impl InForce {
    /// What is asked, as selectors and expressions see it.
    pub(super) fn workload<'a>(&'a self, otherwise: &'a Workload) -> &'a Workload {
        self.workload.as_ref().unwrap_or(otherwise)
    }
}

/// The current [`InForce`]; none until the first has been loaded.
#[derive(Debug)]
pub struct Rulebook {
    in_force: ArcSwapOption<InForce>,
    /// Until when it may be judged by, in nanoseconds of the monotonic clock.
    fresh_until: AtomicU64,
}

impl Default for Rulebook {
    fn default() -> Self {
        Self { in_force: ArcSwapOption::default(), fresh_until: AtomicU64::new(NEVER) }
    }
}

impl Rulebook {
    /// Puts another rule set in force, for queries that begin from now on.
    pub fn replace(&self, in_force: InForce) {
        self.in_force.store(Some(Arc::new(in_force)));
    }

    /// What is in force now.
    #[must_use]
    pub fn current(&self) -> Option<Arc<InForce>> {
        self.in_force.load_full()
    }

    /// It is stale after this moment of the monotonic clock; never, unless this is called.
    pub fn fresh_until(&self, moment: Duration) {
        self.fresh_until.store(u64::try_from(moment.as_nanos()).unwrap_or(NEVER), Ordering::Release);
    }

    /// Whether it is stale; `now` is the monotonic clock.
    #[must_use]
    pub fn is_stale(&self, now: Duration) -> bool {
        now.as_nanos() > u128::from(self.fresh_until.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_set_is_stale_after_its_moment_and_never_without_one() {
        let rulebook = Rulebook::default();
        assert!(!rulebook.is_stale(Duration::from_secs(u64::from(u32::MAX))));
        rulebook.fresh_until(Duration::from_secs(5));
        assert!(!rulebook.is_stale(Duration::from_secs(5)));
        assert!(rulebook.is_stale(Duration::from_secs(5) + Duration::from_nanos(1)));
        rulebook.fresh_until(Duration::from_secs(6));
        assert!(!rulebook.is_stale(Duration::from_secs(6)));
    }
}
