//! What loosens rules for a time: by name, with an end, a reason and somebody who answers for it.
//!
//! Guarantees: an exception lifts the rules that it names and nothing else, and only while a query is judged before its end:
//! nobody has to bring the news that it has ended. Knows nothing of namespaces and selectors: whether one concerns a workload
//! is known before a rule set is built.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{PolicyRef, Verdict};

/// Rules of one policy that ask for nothing until a moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exception {
    /// The object's name.
    pub name: String,
    /// From which policy.
    pub policy: PolicyRef,
    /// From which of its rules and coverage entries, by name.
    pub rules: Vec<String>,
    /// When it ends: from this moment on it loosens nothing.
    pub until: Timestamp,
    /// Why, for those who read the record.
    pub reason: String,
    /// Who answers for it.
    pub approver: String,
}

/// A rule or coverage entry that would have counted, had an exception not lifted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excepted {
    /// What lifted it: of several the first by name.
    pub exception: Arc<Exception>,
    /// Whose rule.
    pub policy: Arc<PolicyRef>,
    /// The rule's name.
    pub rule: Arc<str>,
    /// What the rule wants.
    pub verdict: Verdict,
}

/// All exceptions of a rule set, by what they lift: a rule and a coverage entry of one policy never share a name.
#[derive(Debug, Default)]
pub(super) struct Exceptions(BTreeMap<PolicyRef, BTreeMap<String, Vec<Arc<Exception>>>>);

impl Exceptions {
    /// Of exceptions in canonical order.
    pub(super) fn of(exceptions: &[&Exception]) -> Self {
        let mut lifted = Self::default();
        for exception in exceptions {
            let shared = Arc::new(Exception::clone(exception));
            let of_policy = lifted.0.entry(exception.policy.clone()).or_default();
            for rule in &exception.rules {
                of_policy.entry(rule.clone()).or_default().push(Arc::clone(&shared));
            }
        }
        lifted
    }

    /// What lifts a rule at a moment: the first that has not ended.
    pub(super) fn from(&self, policy: &PolicyRef, rule: &str, now: Timestamp) -> Option<&Arc<Exception>> {
        self.0.get(policy)?.get(rule)?.iter().find(|exception| now < exception.until)
    }
}
