//! Documents -> what a gate loads: every object is checked, those that apply are built into one rule set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::action::Scope;
use super::limits::DIAGNOSTICS_MAX;
use super::matcher::Trail;
use super::path::FieldPath;
use super::report::Report;
use super::{Diagnostic, Document, Severity, chain, exception, names, policy, selector};
use crate::api::policy::{ApprovalPolicy, LabelSelector};
use crate::api::{Metadata, Object};
use crate::approvals::Chain;
use crate::base::{apart, discard};
use crate::detect;
use crate::rules::{Action, BuildFailure, ChainRef, Disposition, Policy, PolicyRef, RuleSet, Workload};

/// The namespace of namespaced objects that name none.
const NAMESPACE_DEFAULT: &str = "default";

/// What a gate loads.
#[derive(Debug)]
pub struct Compilation {
    /// The policies that apply.
    pub rule_set: Arc<RuleSet>,
    /// Every chain there is.
    pub chains: BTreeMap<ChainRef, Chain>,
    /// What is surely not meant, but can be loaded.
    pub warnings: Vec<Diagnostic>,
    /// How many policies apply.
    pub policies: usize,
    /// How many exceptions from them do, whether or not they have ended.
    pub exceptions: usize,
    /// Empty for gates, which never ask.
    trails: BTreeMap<PolicyRef, Trail>,
}

/// Whether fields as people wrote them are to be found behind paths that the engine names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trails {
    Kept,
    Dropped,
}

impl Compilation {
    /// The field as people wrote it, `spec.rules[2].match.regex[1]`, behind a path that the engine names,
    /// `rules[2].match.anyOf[1].regex`.
    #[must_use]
    pub fn written(&self, policy: &PolicyRef, path: &str) -> String {
        let written = self.trails.get(policy).and_then(|trail| trail.find(path));
        written.map_or_else(|| format!("spec.{path}"), |written| written.field.as_str().to_owned())
    }
}

/// Compiles what applies to one workload. Every object is checked, also those that do not apply.
pub fn compile(documents: &[Document], workload: &Workload) -> Result<Compilation, Vec<Diagnostic>> {
    build(documents, Some(workload), Trails::Kept)
}

/// The same for a gate, which keeps it for long: without what only [`Compilation::written`] needs, and apart in memory from
/// what compiling leaves behind.
pub fn load(documents: &[Document], workload: &Workload) -> Result<Compilation, Vec<Diagnostic>> {
    build(documents, Some(workload), Trails::Dropped)
}

/// Compiles all objects, whichever workload they are for: what can be said of them without knowing it.
pub fn check(documents: &[Document]) -> Result<Compilation, Vec<Diagnostic>> {
    build(documents, None, Trails::Kept)
}

fn build(documents: &[Document], workload: Option<&Workload>, kept: Trails) -> Result<Compilation, Vec<Diagnostic>> {
    // Its table is made when it is first asked, and stays.
    detect::names().next();
    // INVARIANT: what is made apart is copied where it stays.
    let (chains, prepared, exceptions, mut found) = apart(|| {
        let mut found = Vec::new();
        let chains = chains(documents, &mut found);
        let prepared = policies(documents, &chains, workload, &mut found);
        let applying = prepared.iter().filter(|p| p.applies).map(|p| &p.strict.name).collect();
        let exceptions = exception::all(documents, &applying, workload, &mut found);
        (chains, prepared, exceptions, found)
    });
    if found.iter().any(|d| d.severity == Severity::Error) {
        return Err(worst_first(found));
    }
    unused_chains(documents, &prepared, &mut found);
    let applying = || prepared.iter().filter(|p| p.applies);
    let rule_set = match RuleSet::excepting(applying().map(|p| &p.strict), &exceptions) {
        Ok(rule_set) => Arc::new(rule_set),
        Err(failures) => {
            found.extend(failures.into_iter().map(|failure| explain(failure, &prepared)));
            return Err(worst_first(found));
        }
    };
    let mut compilation = Compilation {
        rule_set,
        chains: chains.clone(),
        warnings: found.clone(),
        policies: applying().count(),
        exceptions: exceptions.len(),
        trails: BTreeMap::new(),
    };
    match kept {
        Trails::Kept => {
            let origins = prepared.into_iter().filter(|p| p.applies).map(|p| (p.origin.name, p.origin.trail));
            compilation.trails = origins.collect();
        }
        Trails::Dropped => discard((chains, prepared, exceptions, found)),
    }
    Ok(compilation)
}

/// Errors before warnings, otherwise as they stand in the files.
fn worst_first(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    found.sort_by_key(|d| d.severity);
    found.truncate(DIAGNOSTICS_MAX);
    found
}

/// A checked policy.
struct Prepared<'a> {
    strict: Policy,
    origin: Origin<'a>,
    applies: bool,
}

/// Where a policy came from, to show what building finds.
struct Origin<'a> {
    name: PolicyRef,
    document: &'a Document,
    title: String,
    trail: Trail,
}

fn explain(failure: BuildFailure, prepared: &[Prepared<'_>]) -> Diagnostic {
    let origin = prepared.iter().filter(|p| p.applies).map(|p| &p.origin).find(|o| o.name == failure.policy);
    let written = origin.and_then(|o| o.trail.find(&failure.path));
    let path = written.map_or_else(|| format!("spec.{}", failure.path), |w| w.field.as_str().to_owned());
    // The engine does not know what it is called that "is too large".
    let message = match (written.and_then(|w| w.detector), failure.why.starts_with("is ")) {
        (Some(detector), true) => format!("detector `{detector}` {}", failure.why),
        (Some(detector), false) => format!("detector `{detector}`: {}", failure.why),
        (None, true) => format!("this {}", failure.why),
        (None, false) => failure.why,
    };
    Diagnostic {
        severity: Severity::Error,
        object: Some(origin.map_or_else(|| failure.policy.to_string(), |o| o.title.clone())),
        at: origin.and_then(|o| o.document.locate(&path)),
        path,
        message,
        help: None,
    }
}

fn chains(documents: &[Document], found: &mut Vec<Diagnostic>) -> BTreeMap<ChainRef, Chain> {
    let mut chains = BTreeMap::new();
    for document in documents {
        let (kind, loose, namespaced) = match &document.object {
            Object::ApprovalChain(chain) => ("ApprovalChain", chain, Scoped::Namespace),
            Object::ClusterApprovalChain(chain) => ("ClusterApprovalChain", chain, Scoped::Cluster),
            Object::ApprovalPolicy(_) | Object::ClusterApprovalPolicy(_) | Object::ApprovalException(_) => continue,
        };
        let name = name(&loose.metadata, namespaced);
        let mut report = Report::new(document, format!("{kind} {name}"));
        metadata(&loose.metadata, namespaced, &mut report);
        let strict = chain::strict(name.clone(), &loose.spec, &mut report);
        if chains.insert(name.clone(), strict).is_some() {
            twice(kind, &name, &mut report);
        }
        found.extend(report.finish());
    }
    chains
}

fn policies<'a>(
    documents: &'a [Document],
    chains: &BTreeMap<ChainRef, Chain>,
    workload: Option<&Workload>,
    found: &mut Vec<Diagnostic>,
) -> Vec<Prepared<'a>> {
    let mut prepared = Vec::new();
    let mut seen = BTreeSet::new();
    for document in documents {
        let (kind, loose, scoped) = match &document.object {
            Object::ApprovalPolicy(policy) => ("ApprovalPolicy", policy, Scoped::Namespace),
            Object::ClusterApprovalPolicy(policy) => ("ClusterApprovalPolicy", policy, Scoped::Cluster),
            Object::ApprovalChain(_) | Object::ClusterApprovalChain(_) | Object::ApprovalException(_) => continue,
        };
        let name = name(&loose.metadata, scoped);
        let title = format!("{kind} {name}");
        let mut report = Report::new(document, title.clone());
        for (key, at) in document.boolean_keys() {
            let help = if key == "on" { "the field is called `subject`" } else { "write the key in quotes" };
            report.warning_at(at, format!("kubectl takes the key `{key}` without quotes for a boolean")).help(help);
        }
        metadata(&loose.metadata, scoped, &mut report);
        if !seen.insert(name.clone()) {
            twice(kind, &name, &mut report);
        }
        let mut trail = Trail::default();
        let scope = Scope { namespace: name.namespace.as_deref(), chains };
        let strict = policy::strict(name.clone(), &loose.spec, &scope, &mut trail, &mut report);
        let applies = workload.is_none_or(|workload| applies(&name, loose, workload, &mut report));
        found.extend(report.finish());
        prepared.push(Prepared { strict, origin: Origin { name, document, title, trail }, applies });
    }
    if workload.is_some() && !prepared.iter().any(|p| p.applies) {
        found.push(Diagnostic {
            severity: Severity::Warning,
            object: None,
            path: String::new(),
            message: "no policy applies to this workload: every query will be refused".to_owned(),
            help: None,
            at: None,
        });
    }
    prepared
}

/// Whether a document is a policy or an exception that applies to a workload: [`compile`] makes its rule set of no others.
#[must_use]
pub fn selects(document: &Document, workload: &Workload) -> bool {
    let (policy, scoped) = match &document.object {
        Object::ApprovalPolicy(policy) => (policy, Scoped::Namespace),
        Object::ClusterApprovalPolicy(policy) => (policy, Scoped::Cluster),
        Object::ApprovalException(exception) => return exception::selects(&exception.spec, workload),
        Object::ApprovalChain(_) | Object::ClusterApprovalChain(_) => return false,
    };
    let here = name(&policy.metadata, scoped).namespace.is_none_or(|namespace| namespace == workload.namespace);
    here && selector::matches(&policy.spec.selector, &workload.labels)
}

fn applies(name: &PolicyRef, policy: &ApprovalPolicy, workload: &Workload, report: &mut Report<'_>) -> bool {
    if let Some(namespace) = &name.namespace
        && *namespace != workload.namespace
    {
        let path = FieldPath::of("metadata").field("namespace");
        let here = &workload.namespace;
        report.warning(&path, format!("does not apply here: the workload is in namespace `{here}`"));
        return false;
    }
    let selector: &LabelSelector = &policy.spec.selector;
    let selected = selector::matches(selector, &workload.labels);
    if !selected {
        let path = FieldPath::of("spec").field("selector");
        report.warning(&path, "does not apply here: the workload's labels do not match");
    }
    selected
}

/// Whether a kind lives in namespaces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scoped {
    /// It does.
    Namespace,
    /// It does not, but one of almost the same name does.
    Cluster,
    /// It does not, and no other does.
    ClusterOnly,
}

/// How an object is named.
pub(super) fn name(metadata: &Metadata, scoped: Scoped) -> PolicyRef {
    let namespace = || metadata.namespace.clone().unwrap_or_else(|| NAMESPACE_DEFAULT.to_owned());
    PolicyRef { namespace: (scoped == Scoped::Namespace).then(namespace), name: metadata.name.clone() }
}

/// Reports what Kubernetes would not take.
pub(super) fn metadata(metadata: &Metadata, scoped: Scoped, report: &mut Report<'_>) {
    let path = FieldPath::of("metadata");
    if !names::is_subdomain(&metadata.name) {
        report
            .error(&path.field("name"), format!("`{}` is not an object's name", metadata.name))
            .help("use lower-case letters, digits, `-` and `.`, at most 253");
    }
    let Some(namespace) = &metadata.namespace else { return };
    let path = path.field("namespace");
    let none = "this kind has no namespace";
    match scoped {
        Scoped::Cluster => report.error(&path, none).help("remove it, or use the kind without `Cluster`"),
        Scoped::ClusterOnly => report.error(&path, none).help("remove it"),
        Scoped::Namespace if names::is_label(namespace) => {}
        Scoped::Namespace => report
            .error(&path, format!("`{namespace}` is not a namespace's name"))
            .help("use lower-case letters, digits and `-`, at most 63"),
    }
}

/// Reports a second object of one name.
pub(super) fn twice(kind: &str, name: &PolicyRef, report: &mut Report<'_>) {
    let path = FieldPath::of("metadata").field("name");
    report.error(&path, format!("there are two of {kind} `{name}`")).help("rename or remove one of them");
}

/// A chain that no policy names is most often a misspelt one.
fn unused_chains(documents: &[Document], policies: &[Prepared<'_>], found: &mut Vec<Diagnostic>) {
    let used: BTreeSet<_> = policies.iter().flat_map(|p| named_chains(&p.strict)).collect();
    for document in documents {
        let (kind, loose, scoped) = match &document.object {
            Object::ApprovalChain(chain) => ("ApprovalChain", chain, Scoped::Namespace),
            Object::ClusterApprovalChain(chain) => ("ClusterApprovalChain", chain, Scoped::Cluster),
            Object::ApprovalPolicy(_) | Object::ClusterApprovalPolicy(_) | Object::ApprovalException(_) => continue,
        };
        let name = name(&loose.metadata, scoped);
        if !used.contains(&name) {
            let mut report = Report::new(document, format!("{kind} {name}"));
            report.warning(&FieldPath::of("metadata").field("name"), "no policy names this chain");
            found.extend(report.finish());
        }
    }
}

fn named_chains(policy: &Policy) -> impl Iterator<Item = &ChainRef> {
    let rules = policy.rules.iter().filter_map(|rule| match &rule.action {
        Action::Hold { chain } => Some(chain),
        Action::Allow | Action::Alert { .. } | Action::Redact | Action::Deny { .. } => None,
    });
    let coverage = policy.coverage.iter().filter_map(|entry| match &entry.action {
        Disposition::Hold(chain) => Some(chain),
        Disposition::Allow | Disposition::Deny => None,
    });
    rules.chain(coverage)
}
