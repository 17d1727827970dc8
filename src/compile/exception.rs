//! `ApprovalException` -> strict exceptions, and when they end.
//!
//! Guarantees: what is wrong with an exception is told from the exception alone. That a policy or a rule is not there is a
//! warning: an exception from what is not there loosens nothing. Knows no time: whether one has ended is asked when queries are
//! judged, and by [`ended`] for people.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::build::{Scoped, metadata, name, twice};
use super::limits::{EXCEPTED_RULES_MAX, EXCEPTIONS_MAX, NAMESPACES_MAX, REASON_CHARS_MAX, SUBDOMAIN_CHARS_MAX};
use super::path::FieldPath;
use super::report::Report;
use super::text::printable;
use super::{Diagnostic, Document, names, selector, suggest};
use crate::api::Object;
use crate::api::exception::{ApprovalException, ApprovalExceptionSpec, PolicyKind};
use crate::api::policy::{ActionKind, ApprovalPolicySpec};
use crate::rules::{Exception, PolicyRef, Workload};

const KIND: &str = "ApprovalException";

/// Every policy as it is written, by its name.
type Written<'a> = BTreeMap<PolicyRef, &'a ApprovalPolicySpec>;

/// Checks every exception; gives those from policies that apply, and of those only the ones for the workload.
pub(super) fn all(
    documents: &[Document],
    applying: &BTreeSet<&PolicyRef>,
    workload: Option<&Workload>,
    found: &mut Vec<Diagnostic>,
) -> Vec<Exception> {
    let written = written(documents);
    let mut exceptions = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (document, exception) in documents.iter().filter_map(exception_of) {
        let name = name(&exception.metadata, Scoped::ClusterOnly);
        let mut report = Report::new(document, format!("{KIND} {name}"));
        metadata(&exception.metadata, Scoped::ClusterOnly, &mut report);
        if !seen.insert(name.clone()) {
            twice(KIND, &name, &mut report);
        }
        let strict = strict(exception, &mut report);
        if let Some(strict) = &strict {
            missing(strict, exception, &written, &mut report);
        }
        let applies = workload.is_none_or(|workload| applies(&exception.spec, workload, &mut report));
        if let Some(strict) = strict.filter(|strict| applies && applying.contains(&strict.policy)) {
            exceptions.insert(name, (strict, report));
        } else {
            found.extend(report.finish());
        }
    }
    let mut kept = Vec::with_capacity(exceptions.len().min(EXCEPTIONS_MAX));
    for (strict, mut report) in exceptions.into_values() {
        if kept.len() < EXCEPTIONS_MAX {
            kept.push(strict);
        } else {
            let path = FieldPath::of("metadata").field("name");
            let told = format!("loosens nothing: more than {EXCEPTIONS_MAX} exceptions apply to one workload");
            report.warning(&path, told).help("delete those that have ended");
        }
        found.extend(report.finish());
    }
    kept
}

/// Whether an exception is for a workload.
pub(super) fn selects(spec: &ApprovalExceptionSpec, workload: &Workload) -> bool {
    spec.namespaces.contains(&workload.namespace) && selector::matches(&spec.selector, &workload.labels)
}

/// When an exception ends; `None` for other kinds, and for one that does not say it well.
#[must_use]
pub fn end_of(document: &Document) -> Option<Timestamp> {
    exception_of(document).and_then(|(_, exception)| moment(&exception.spec.expires_at))
}

/// A warning for each exception that has ended.
#[must_use]
pub fn ended(documents: &[Document], now: Timestamp) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (document, exception) in documents.iter().filter_map(exception_of) {
        if moment(&exception.spec.expires_at).is_some_and(|end| end <= now) {
            let mut report = Report::new(document, format!("{KIND} {}", exception.metadata.name));
            let path = FieldPath::of("spec").field("expiresAt");
            report.warning(&path, "it has ended: it loosens nothing any more").help("delete it");
            found.extend(report.finish());
        }
    }
    found
}

fn exception_of(document: &Document) -> Option<(&Document, &ApprovalException)> {
    match &document.object {
        Object::ApprovalException(exception) => Some((document, exception)),
        Object::ApprovalPolicy(_)
        | Object::ClusterApprovalPolicy(_)
        | Object::ApprovalChain(_)
        | Object::ClusterApprovalChain(_) => None,
    }
}

fn written(documents: &[Document]) -> Written<'_> {
    let policies = documents.iter().filter_map(|document| match &document.object {
        Object::ApprovalPolicy(policy) => Some((name(&policy.metadata, Scoped::Namespace), &policy.spec)),
        Object::ClusterApprovalPolicy(policy) => Some((name(&policy.metadata, Scoped::Cluster), &policy.spec)),
        Object::ApprovalChain(_) | Object::ClusterApprovalChain(_) | Object::ApprovalException(_) => None,
    });
    policies.collect()
}

/// Checks an exception by itself.
fn strict(exception: &ApprovalException, report: &mut Report<'_>) -> Option<Exception> {
    let spec = &exception.spec;
    let path = FieldPath::of("spec");
    let policy = path.field("policy").field("name");
    if !names::is_subdomain(&spec.policy.name) {
        report.error(&policy, format!("`{}` is not an object's name", spec.policy.name));
    }
    labels(&spec.rules, (&path.field("rules"), "rule"), EXCEPTED_RULES_MAX, report);
    let namespaces = path.field("namespaces");
    labels(&spec.namespaces, (&namespaces, "namespace"), NAMESPACES_MAX, report);
    let namespace = match spec.policy.kind {
        PolicyKind::ClusterApprovalPolicy => None,
        PolicyKind::ApprovalPolicy => {
            if spec.namespaces.len() > 1 {
                report.error(&namespaces, "an ApprovalPolicy is in one namespace: name that one only");
            }
            spec.namespaces.first().cloned()
        }
    };
    selector::check(&spec.selector, &path.field("selector"), report);
    let until = moment(&spec.expires_at);
    if until.is_none() {
        let told = format!("`{}` is not a moment as RFC 3339 writes it", spec.expires_at);
        report.error(&path.field("expiresAt"), told).help("write day, time and zone: `2026-12-31T23:59:59Z`");
    }
    let reason = spec.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        let told = format!("a reason is 1 to {REASON_CHARS_MAX} characters, not only space");
        report.error(&path.field("reason"), told).help("say why, for those who read the record");
    }
    let approver = &spec.approver;
    if approver.trim().is_empty() || !printable(approver) || approver.chars().count() > SUBDOMAIN_CHARS_MAX {
        let told = format!("who answers for it is named by 1 to {SUBDOMAIN_CHARS_MAX} printable characters");
        report.error(&path.field("approver"), told);
    }
    let mut rules = spec.rules.clone();
    rules.sort();
    Some(Exception {
        name: exception.metadata.name.clone(),
        policy: PolicyRef { namespace, name: spec.policy.name.clone() },
        rules,
        until: until?,
        reason: reason.to_owned(),
        approver: approver.clone(),
    })
}

/// A list of names that must name something, and nothing twice.
fn labels(list: &[String], (path, what): (&FieldPath, &str), most: usize, report: &mut Report<'_>) {
    if list.is_empty() {
        report.error(path, "an empty list excepts nothing").help(format!("name each {what}: no word stands for all"));
    }
    if list.len() > most {
        report.error(path, format!("more than {most} entries in one list"));
    }
    let mut seen = BTreeSet::new();
    for (i, label) in list.iter().enumerate() {
        if !names::is_label(label) {
            report
                .error(&path.index(i), format!("`{label}` is not a {what}'s name"))
                .help("use lower-case letters, digits and `-`, at most 63");
        } else if !seen.insert(label) {
            report.error(&path.index(i), format!("{what} `{label}` is named twice")).help("remove it");
        }
    }
}

/// Warns of policies and rules that are not there, and of rules that ask for nothing.
fn missing(strict: &Exception, exception: &ApprovalException, written: &Written<'_>, report: &mut Report<'_>) {
    let path = FieldPath::of("spec");
    let Some(policy) = written.get(&strict.policy) else {
        let kind = match exception.spec.policy.kind {
            PolicyKind::ApprovalPolicy => "ApprovalPolicy",
            PolicyKind::ClusterApprovalPolicy => "ClusterApprovalPolicy",
        };
        let at = strict.policy.namespace.as_ref().map_or_else(String::new, |n| format!(" in namespace `{n}`"));
        let told = format!("there is no {kind} `{}`{at}: this loosens nothing", strict.policy.name);
        let there: Vec<_> = written.keys().filter(|p| p.namespace == strict.policy.namespace).collect();
        let there: Vec<_> = there.iter().map(|policy| policy.name.as_str()).collect();
        report.warning(&path.field("policy").field("name"), told).help = suggest::help(&strict.policy.name, &there);
        return;
    };
    let rules = policy.rules.iter().map(|rule| (rule.name.as_str(), rule.action.kind));
    let entries = policy.coverage.iter().map(|entry| (entry.name.as_str(), entry.action.kind));
    let actions: BTreeMap<&str, ActionKind> = rules.chain(entries).collect();
    for (i, rule) in exception.spec.rules.iter().enumerate() {
        let path = path.field("rules").index(i);
        match actions.get(rule.as_str()) {
            None => {
                let there: Vec<_> = actions.keys().copied().collect();
                let told = format!("policy `{}` has no rule `{rule}`: this loosens nothing", strict.policy);
                report.warning(&path, told).help = suggest::help(rule, &there);
            }
            Some(ActionKind::Allow) => {
                report.warning(&path, format!("`{rule}` only allows: that needs no exception"));
            }
            Some(ActionKind::Alert | ActionKind::Redact | ActionKind::Hold | ActionKind::Deny) => {}
        }
    }
}

fn applies(spec: &ApprovalExceptionSpec, workload: &Workload, report: &mut Report<'_>) -> bool {
    let path = FieldPath::of("spec");
    if !spec.namespaces.contains(&workload.namespace) {
        let here = &workload.namespace;
        report
            .warning(&path.field("namespaces"), format!("does not apply here: the workload is in namespace `{here}`"));
        return false;
    }
    let selected = selector::matches(&spec.selector, &workload.labels);
    if !selected {
        report.warning(&path.field("selector"), "does not apply here: the workload's labels do not match");
    }
    selected
}

/// A moment as RFC 3339 writes it, and in no other way: other readers may take other spellings for other moments.
fn moment(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let (time, rest) = rest.split_at_checked(9)?;
    let shaped = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(b, s)| if s == b'0' { b.is_ascii_digit() } else { b == s })
    };
    let (fraction, zone) = rest.split_at(rest.find(['Z', '+', '-'])?);
    let fraction = fraction.is_empty()
        || fraction
            .strip_prefix('.')
            .is_some_and(|f| (1..=9).contains(&f.len()) && f.bytes().all(|b| b.is_ascii_digit()));
    let zone = zone == "Z" || shaped(zone, "+00:00") || shaped(zone, "-00:00");
    // Leap seconds are moments that few clocks have.
    let leap = time.ends_with(":60");
    let well = shaped(date, "0000-00-00") && shaped(time, "T00:00:00") && fraction && zone && !leap;
    if well { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_one_way() {
        for good in [
            "2026-12-31T23:59:59Z",
            "2026-12-31T23:59:59.5Z",
            "2026-12-31T23:59:59+01:00",
            "2026-12-31T23:59:59.123456789-00:30",
        ] {
            assert!(moment(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "2026-12-31",
            "2026-12-31T23:59:59",
            "2026-12-31 23:59:59Z",
            "2026-12-31t23:59:59z",
            "2026-12-31T23:59Z",
            "2026-12-31T23:59:60Z",
            "2026-12-31T23:59:59.Z",
            "2026-12-31T23:59:59,5Z",
            "2026-12-31T23:59:59.1234567890Z",
            "2026-12-31T23:59:59+0100",
            "2026-12-31T23:59:59+01",
            "2026-12-31T23:59:59Z[UTC]",
            "2026-12-31T23:59:59+01:00[Europe/Berlin]",
            "2026-02-30T00:00:00Z",
            "20261231T235959Z",
            "next year",
            "２026-12-31T23:59:59Z",
        ] {
            assert!(moment(bad).is_none(), "{bad}");
        }
        assert_eq!(moment("2026-12-31T23:59:59+01:00"), moment("2026-12-31T22:59:59Z"));
    }
}
