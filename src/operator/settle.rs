//! Settling the ledger: what is fresh is read and checked, and every workload gets its rule set.

use std::collections::{BTreeMap, BTreeSet};

use super::kinds::{Key, Kind};
use super::ledger::{Enrolled, Entry, Ledger};
use crate::api::Object;
use crate::api::policy::ActionKind;
use crate::compile::{self, Diagnostic, Document, Severity};

/// Most problems of one object that its status names.
const PROBLEMS_MAX: usize = 3;

impl Ledger {
    /// Makes of everything that is known what is to be in force. Costs nothing for what has not changed.
    pub(super) fn settle(&mut self) {
        let chains_changed = self.settle_kind(Kind::is_chain);
        if chains_changed {
            self.look_again_at_policies();
        }
        self.settle_kind(|kind| !kind.is_chain());
        self.forget_retired_chains();
        self.make_rule_sets();
    }

    /// Looks at fresh objects; whether anything is in force that was not before.
    fn settle_kind(&mut self, wanted: impl Fn(Kind) -> bool) -> bool {
        let fresh = self.objects.iter().filter(|(key, entry)| wanted(key.kind) && entry.fresh);
        let looked_at: Vec<_> = fresh.map(|(key, entry)| (key.clone(), self.read(key, entry))).collect();
        let mut changed = false;
        for (key, result) in looked_at {
            let Some(entry) = self.objects.get_mut(&key) else { continue };
            entry.fresh = false;
            match result {
                Ok(document) => {
                    entry.good = Some(document);
                    entry.wrong = None;
                    changed = true;
                }
                Err(wrong) => entry.wrong = Some(wrong),
            }
        }
        changed
    }

    /// Reads an object, and checks it with the chains that it may name.
    fn read(&self, key: &Key, entry: &Entry) -> Result<Document, String> {
        let title = key.to_string();
        let mut documents = compile::read(&title, &entry.stored.text).map_err(own_problems)?;
        let (Some(document), true) = (documents.pop(), documents.is_empty()) else {
            return Err("expected one object".to_owned());
        };
        let mut all = vec![document.clone()];
        if !key.kind.is_chain() {
            let chains = self.objects.iter().filter(|(other, _)| other.kind.is_chain());
            all.extend(chains.filter(|(other, _)| within(other, key.namespace.as_deref())).filter_map(good));
        }
        compile::check(&all).map(|_| document).map_err(own_problems)
    }

    /// A chain that is gone stays for the policies in force that name it, until they name another or it comes again.
    fn forget_retired_chains(&mut self) {
        let named: BTreeSet<_> =
            self.objects.values().filter_map(|entry| entry.good.as_ref()).flat_map(chains_of).collect();
        let there: BTreeSet<_> =
            self.objects.values().filter_map(|entry| entry.good.as_ref()).filter_map(chain_name).collect();
        let mut kept = BTreeMap::new();
        for document in std::mem::take(&mut self.retired) {
            if let Some(name) = chain_name(&document).filter(|name| named.contains(name) && !there.contains(name)) {
                kept.insert(name, document);
            }
        }
        self.retired = kept.into_values().collect();
    }

    fn make_rule_sets(&mut self) {
        for enrolled in self.workloads.values_mut() {
            let namespace = enrolled.workload.namespace.clone();
            let unknown = self.objects.iter().find(|(key, entry)| applies(key, &namespace) && entry.is_unknown());
            if let Some((key, _)) = unknown {
                enrolled.withheld = Some(format!("{key} does not compile, and may have been in force before"));
                continue;
            }
            let objects = self.objects.iter().filter(|(key, _)| applies(key, &namespace)).filter_map(good);
            let retired = self.retired.iter().filter(|document| scope_of(document).is_none_or(|of| of == namespace));
            let documents: Vec<_> = objects.chain(retired.cloned()).collect();
            take(enrolled, &documents);
        }
    }
}

impl Entry {
    /// Nobody here knows what of it was in force before this process began.
    fn is_unknown(&self) -> bool {
        self.inherited && self.good.is_none() && self.wrong.is_some()
    }
}

fn take(enrolled: &mut Enrolled, documents: &[Document]) {
    match compile::compile(documents, &enrolled.workload) {
        Ok(compilation) => {
            enrolled.rule_set = Some(compilation.rule_set);
            enrolled.withheld = None;
        }
        Err(found) => enrolled.withheld = Some(problems(&found)),
    }
}

fn good((_, entry): (&Key, &Entry)) -> Option<Document> {
    entry.good.clone()
}

/// Whether an object is in exactly this scope: a namespace, or the cluster.
fn within(key: &Key, namespace: Option<&str>) -> bool {
    key.namespace.as_deref() == namespace
}

/// Whether an object may concern a workload of this namespace.
fn applies(key: &Key, namespace: &str) -> bool {
    key.namespace.as_deref().is_none_or(|of| of == namespace)
}

/// The scope and the name of a chain.
type ChainName = (Option<String>, String);

/// The chains that a policy names, in its own scope.
fn chains_of(document: &Document) -> Vec<ChainName> {
    let (Object::ApprovalPolicy(policy) | Object::ClusterApprovalPolicy(policy)) = &document.object else {
        return Vec::new();
    };
    let rules = policy.spec.rules.iter().map(|rule| &rule.action);
    let actions = rules.chain(policy.spec.coverage.iter().map(|entry| &entry.action));
    let holds = actions.filter(|action| action.kind == ActionKind::Hold);
    let scope = scope_of(document);
    holds.filter_map(|action| Some((scope.clone(), action.chain.clone()?))).collect()
}

fn chain_name(document: &Document) -> Option<ChainName> {
    match &document.object {
        Object::ApprovalChain(chain) | Object::ClusterApprovalChain(chain) => {
            Some((scope_of(document), chain.metadata.name.clone()))
        }
        Object::ApprovalPolicy(_) | Object::ClusterApprovalPolicy(_) | Object::ApprovalException(_) => None,
    }
}

/// The namespace of what is in one.
fn scope_of(document: &Document) -> Option<String> {
    match &document.object {
        Object::ApprovalPolicy(policy) => policy.metadata.namespace.clone(),
        Object::ApprovalChain(chain) => chain.metadata.namespace.clone(),
        Object::ClusterApprovalPolicy(_) | Object::ClusterApprovalChain(_) | Object::ApprovalException(_) => None,
    }
}

/// The first problems of an object, for its own status: it need not be told which object.
fn own_problems(found: Vec<Diagnostic>) -> String {
    let own: Vec<_> = found.into_iter().map(|one| Diagnostic { object: None, ..one }).collect();
    problems(&own)
}

/// The first problems, with their objects and fields.
fn problems(found: &[Diagnostic]) -> String {
    let errors: Vec<_> = found.iter().filter(|one| one.severity == Severity::Error).collect();
    let mut told: Vec<String> = errors.iter().take(PROBLEMS_MAX).map(ToString::to_string).collect();
    if errors.len() > PROBLEMS_MAX {
        told.push(format!("and {} more", errors.len() - PROBLEMS_MAX));
    }
    told.join("; ")
}
