//! The policies and chains that apply to a workload, compiled once for all workloads to which the same ones apply.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use jiff::Timestamp;

use super::kinds::{Key, Kind};
use super::problems::problems;
use crate::api::Object;
use crate::api::policy::ActionKind;
use crate::base::{Digest, Hasher};
use crate::compile::{self, Document};
use crate::distribution::{BUNDLE_BYTES_MAX, DOCUMENTS_MAX};
use crate::rules::Workload;

/// Most text of policies and chains in a bundle: what is around them fits beside it.
const TEXT_BYTES_MAX: usize = BUNDLE_BYTES_MAX - (128 << 10);

/// An object that was good.
#[derive(Debug)]
pub(super) struct Good {
    /// Which.
    pub(super) key: Key,
    /// What it says.
    pub(super) document: Document,
    /// As gates read it.
    pub(super) text: String,
    /// The digest of that.
    pub(super) digest: Digest,
    /// The chains that it names, in its own scope.
    pub(super) names: Vec<Key>,
    /// When it ends, if it is an exception.
    pub(super) ends: Option<Timestamp>,
}

impl Good {
    /// Keeps an object without what only diagnostics need: there are thousands.
    pub(super) fn of(key: Key, document: Document, text: &str) -> Self {
        let names = chains_of(&key, &document);
        let ends = compile::end_of(&document);
        let document = Document::of(document.object);
        Self { key, document, text: text.to_owned(), digest: Digest::of(text.as_bytes()), names, ends }
    }
}

/// Everything that applies to some workloads.
#[derive(Debug)]
pub(super) struct Selection {
    /// Chains and policies, sorted by their keys.
    pub(super) documents: Vec<Arc<Good>>,
    /// The digest of all of them.
    pub(super) digest: Digest,
    /// The revision of the rule set that they compile to, or why they do not.
    pub(super) revision: Result<Digest, String>,
}

impl Selection {
    /// The document of one object.
    pub(super) fn get(&self, key: &Key) -> Option<&Arc<Good>> {
        let found = self.documents.binary_search_by(|good| good.key.cmp(key)).ok()?;
        self.documents.get(found)
    }

    /// Whether it holds an object just as it is.
    pub(super) fn holds(&self, good: &Good) -> bool {
        self.get(&good.key).is_some_and(|held| held.digest == good.digest)
    }

    /// The policies among the documents, and the exceptions from them.
    pub(super) fn policies(&self) -> impl Iterator<Item = &Arc<Good>> {
        self.documents.iter().filter(|good| !good.key.kind.is_chain())
    }
}

/// Selections that some workload has.
#[derive(Debug, Default)]
pub(super) struct Selections(HashMap<Digest, Weak<Selection>>);

impl Selections {
    /// The selection of these documents, compiled for a workload to which they apply; at most once for all of them.
    pub(super) fn of(&mut self, documents: BTreeMap<Key, Arc<Good>>, workload: &Workload) -> Arc<Selection> {
        let documents: Vec<_> = documents.into_values().collect();
        let mut hasher = Hasher::default();
        for good in &documents {
            hasher.update(good.digest.as_bytes());
        }
        let digest = hasher.finish();
        if let Some(known) = self.0.get(&digest).and_then(Weak::upgrade) {
            return known;
        }
        let revision = bounded(&documents).and_then(|()| compiled(&documents, workload));
        let selection = Arc::new(Selection { documents, digest, revision });
        self.0.insert(digest, Arc::downgrade(&selection));
        selection
    }

    /// Forgets those that nobody has any more.
    pub(super) fn tidy(&mut self) {
        self.0.retain(|_, selection| selection.strong_count() > 0);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Whether these fit into what a gate takes.
fn bounded(documents: &[Arc<Good>]) -> Result<(), String> {
    let bytes: usize = documents.iter().map(|good| good.text.len()).sum();
    if bytes > TEXT_BYTES_MAX || documents.len() > DOCUMENTS_MAX {
        let count = documents.len();
        return Err(format!(
            "{count} policies and chains of {bytes} bytes apply; a gate takes {DOCUMENTS_MAX} of {TEXT_BYTES_MAX} bytes"
        ));
    }
    Ok(())
}

fn compiled(documents: &[Arc<Good>], workload: &Workload) -> Result<Digest, String> {
    let read: Vec<_> = documents.iter().map(|good| good.document.clone()).collect();
    let made = compile::compile(&read, workload).map_err(|found| problems(&found))?;
    Ok(made.rule_set.revision())
}

/// The chains that a policy names, in its own scope.
fn chains_of(key: &Key, document: &Document) -> Vec<Key> {
    let (Object::ApprovalPolicy(policy) | Object::ClusterApprovalPolicy(policy)) = &document.object else {
        return Vec::new();
    };
    let rules = policy.spec.rules.iter().map(|rule| &rule.action);
    let actions = rules.chain(policy.spec.coverage.iter().map(|entry| &entry.action));
    let holds = actions.filter(|action| action.kind == ActionKind::Hold);
    let kind = if key.namespace.is_some() { Kind::ApprovalChain } else { Kind::ClusterApprovalChain };
    let named = |name: &String| Key { kind, namespace: key.namespace.clone(), name: name.clone() };
    let mut names: Vec<_> = holds.filter_map(|action| action.chain.as_ref().map(named)).collect();
    names.sort();
    names.dedup();
    names
}
