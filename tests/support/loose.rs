//! Policies as people write them, turned into strict ones without the compiler, for the naive evaluator: a second reading
//! of what the fields mean. Takes good policies only.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign::api::exception::PolicyKind;
use countersign::api::policy::{self as loose, Keywords, OneOrMany};
use countersign::api::{Metadata, Object};
use countersign::detect;
use countersign::query::RoleSet;
use countersign::rules::{
    Action, CelExpr, ChainRef, CoverageRule, Disposition, Exception, Failure, Fallbacks, Matcher, Mode, Policy,
    PolicyRef, Rate, RateUnit, Rule, Subject, TextMatch, Workload,
};

/// The policies of a file that apply to a workload.
pub(crate) fn policies(text: &str, workload: &Workload) -> Vec<Policy> {
    objects(text).filter_map(|object| policy(object, workload)).collect()
}

/// The exceptions of a file for a workload, also those that have ended.
pub(crate) fn exceptions(text: &str, workload: &Workload) -> Vec<Exception> {
    objects(text).filter_map(|object| exception(object, workload)).collect()
}

fn objects(text: &str) -> impl Iterator<Item = Object> {
    let documents = text.split("\n---\n").filter(|document| document.contains("kind:"));
    documents.map(|document| serde_saphyr::from_str(document).expect("is a good object"))
}

fn exception(object: Object, workload: &Workload) -> Option<Exception> {
    let Object::ApprovalException(exception) = object else { return None };
    let spec = exception.spec;
    if !spec.namespaces.contains(&workload.namespace) || !selects(&spec.selector, &workload.labels) {
        return None;
    }
    let namespace = (spec.policy.kind == PolicyKind::ApprovalPolicy).then(|| spec.namespaces[0].clone());
    Some(Exception {
        name: exception.metadata.name,
        policy: PolicyRef { namespace, name: spec.policy.name },
        rules: spec.rules,
        until: spec.expires_at.parse().expect("is a moment"),
        reason: spec.reason,
        approver: spec.approver,
    })
}

fn policy(object: Object, workload: &Workload) -> Option<Policy> {
    let (policy, namespace) = match object {
        Object::ApprovalPolicy(policy) => {
            let namespace = namespace_of(&policy.metadata);
            (policy, Some(namespace))
        }
        Object::ClusterApprovalPolicy(policy) => (policy, None),
        Object::ApprovalChain(_) | Object::ClusterApprovalChain(_) | Object::ApprovalException(_) => return None,
    };
    let here = namespace.as_ref().is_none_or(|namespace| *namespace == workload.namespace);
    let spec = policy.spec;
    if !here || !selects(&spec.selector, &workload.labels) {
        return None;
    }
    let on_error = failure(spec.on_error);
    let chain = |action: &loose::Action| ChainRef {
        namespace: namespace.clone(),
        name: action.chain.clone().expect("a hold names its chain"),
    };
    let coverage = spec.coverage.into_iter().map(|entry| CoverageRule {
        action: match entry.action.kind {
            loose::ActionKind::Hold => Disposition::Hold(chain(&entry.action)),
            loose::ActionKind::Allow => Disposition::Allow,
            _ => Disposition::Deny,
        },
        name: entry.name,
        kinds: entry.kinds,
        places: entry.places,
    });
    let rules = spec.rules.into_iter().map(|rule| Rule {
        subject: Subject::Query,
        roles: RoleSet::of(&rule.roles),
        matcher: condition(rule.matches),
        on_error: rule.on_error.map_or(on_error, failure),
        action: match rule.action.kind {
            loose::ActionKind::Allow => Action::Allow,
            loose::ActionKind::Alert => Action::Alert { route: None },
            loose::ActionKind::Redact => Action::Redact,
            loose::ActionKind::Hold => Action::Hold { chain: chain(&rule.action) },
            loose::ActionKind::Deny => Action::Deny { message: None },
        },
        name: rule.name,
    });
    Some(Policy {
        coverage: coverage.collect(),
        rules: rules.collect(),
        name: PolicyRef { namespace, name: policy.metadata.name },
        mode: if spec.mode == loose::Mode::Audit { Mode::Audit } else { Mode::Enforce },
        fallbacks: Fallbacks { on_error, on_audit_unavailable: Failure::Deny },
        retention: None,
        carry: Duration::ZERO,
        routes: spec.allow_routes,
    })
}

fn namespace_of(metadata: &Metadata) -> String {
    metadata.namespace.clone().unwrap_or_else(|| "default".to_owned())
}

fn selects(selector: &loose::LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let carries = |requirement: &loose::LabelRequirement| {
        let value = labels.get(&requirement.key);
        let listed = value.is_some_and(|value| requirement.values.contains(value));
        match requirement.operator {
            loose::LabelOperator::In => listed,
            loose::LabelOperator::NotIn => !listed,
            loose::LabelOperator::Exists => value.is_some(),
            loose::LabelOperator::DoesNotExist => value.is_none(),
        }
    };
    selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
        && selector.match_expressions.iter().all(carries)
}

fn failure(failure: loose::Failure) -> Failure {
    match failure {
        loose::Failure::Deny => Failure::Deny,
        loose::Failure::Allow => Failure::Allow,
    }
}

/// Every field that is given must hold.
fn condition(m: loose::Match) -> Matcher {
    let list = |conditions: Vec<loose::Match>| conditions.into_iter().map(condition).collect();
    let text = |texts: Vec<TextMatch>| Matcher::Any(texts.into_iter().map(Matcher::Text).collect());
    let mut all = Vec::new();
    all.extend(m.any_of.map(|conditions| Matcher::Any(list(conditions))));
    all.extend(m.all_of.map(|conditions| Matcher::All(list(conditions))));
    all.extend(m.none_of.map(|conditions| Matcher::None(list(conditions))));
    all.extend(m.keywords.map(|keywords| {
        let (any, whole_words) = match keywords {
            Keywords::Plain(any) => (any, true),
            Keywords::WithOptions(options) => (options.any, options.whole_words),
        };
        Matcher::Text(TextMatch::Keywords { any, whole_words })
    }));
    all.extend(m.substrings.map(|any| Matcher::Text(TextMatch::Keywords { any, whole_words: false })));
    all.extend(m.regex.map(|patterns| {
        let patterns = match patterns {
            OneOrMany::One(pattern) => vec![pattern],
            OneOrMany::Many(patterns) => patterns,
        };
        text(patterns.into_iter().map(TextMatch::Regex).collect())
    }));
    all.extend(m.detectors.map(|names| {
        let named = names.iter().flat_map(|name| detect::named(name).expect("is a detector or a group"));
        text(named.map(TextMatch::Detector).collect())
    }));
    all.extend(m.cel.map(|source| Matcher::Cel(CelExpr(source))));
    if let Some(size) = m.size {
        all.extend(size.text_bytes_over.map(Matcher::TextBytesOver));
        all.extend(size.tokens_over.map(Matcher::TokensOver));
    }
    all.extend(m.rate.map(|rate| {
        let unit = if rate.queries.is_some() { RateUnit::Queries } else { RateUnit::Tokens };
        let count_max = rate.queries.or(rate.tokens).expect("one of them is given");
        Matcher::RateOver(Rate { unit, count_max, window: Duration::from_mins(1) })
    }));
    all.extend(m.operations.map(Matcher::Operations));
    all.extend(m.routes.map(Matcher::Routes));
    all.extend(m.models.map(Matcher::Models));
    Matcher::All(all)
}
