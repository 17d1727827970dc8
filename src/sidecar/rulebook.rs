//! What is in force: one rule set and its chains, replaced as a whole; a query uses one from start to end.
//!
//! Knows nothing of where policies come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::approvals::Chain;
use crate::rules::{ChainRef, RuleSet};

/// A rule set with the chains that its rules name.
#[derive(Debug)]
pub struct InForce {
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// The chains, by name.
    pub chains: BTreeMap<ChainRef, Chain>,
}

/// The current [`InForce`]; none until the first has been loaded.
#[derive(Debug, Default)]
pub struct Rulebook(ArcSwapOption<InForce>);

impl Rulebook {
    /// Puts another rule set in force, for queries that begin from now on.
    pub fn replace(&self, in_force: InForce) {
        self.0.store(Some(Arc::new(in_force)));
    }

    /// What is in force now.
    #[must_use]
    pub fn current(&self) -> Option<Arc<InForce>> {
        self.0.load_full()
    }
}
