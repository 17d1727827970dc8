//! `ApprovalPolicy` -> strict policy.

use std::time::Duration;

use super::action::{self, Scope};
use super::limits::{CARRY_MAX, LIST_MAX, NAME_BYTES_MAX, RULES_MAX};
use super::matcher::{self, Trail};
use super::path::FieldPath;
use super::report::Report;
use super::text::{bounded_list, printable, span_of_time, unique};
use super::{names, selector, suggest};
use crate::api::policy as loose;
use crate::query::RoleSet;
use crate::rules::{self, PolicyRef};

/// The methods of routes that can be allowed by name.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Checks a policy. What is returned is of use only when nothing was reported.
pub(super) fn strict(
    name: PolicyRef,
    spec: &loose::ApprovalPolicySpec,
    scope: &Scope<'_>,
    trail: &mut Trail,
    report: &mut Report<'_>,
) -> rules::Policy {
    let path = FieldPath::of("spec");
    selector::check(&spec.selector, &path.field("selector"), report);
    size(spec, &path, report);
    all_names(spec, &path, report);
    let mut coverage = Vec::new();
    for (i, entry) in spec.coverage.iter().enumerate() {
        coverage.extend(cover(entry, &path.field("coverage").index(i), scope, report));
    }
    let mut strict_rules = Vec::new();
    for (i, rule) in spec.rules.iter().enumerate() {
        let at = At { loose: path.field("rules").index(i), strict: FieldPath::of("rules").index(i) };
        strict_rules.extend(one(rule, spec.on_error, &at, scope, trail, report));
    }
    rules::Policy {
        name,
        mode: match spec.mode {
            loose::Mode::Enforce => rules::Mode::Enforce,
            loose::Mode::Audit => rules::Mode::Audit,
        },
        fallbacks: rules::Fallbacks {
            on_error: failure(spec.on_error),
            on_audit_unavailable: failure(spec.on_audit_unavailable),
        },
        retention: spec.audit.map(|audit| retention(audit.content)),
        carry: carry(spec, &path.field("carryFor"), report),
        routes: allowed_routes(&spec.allow_routes, &path.field("allowRoutes"), report),
        coverage,
        rules: strict_rules,
    }
}

/// A rule's path, as written and as built.
struct At {
    loose: FieldPath,
    strict: FieldPath,
}

fn size(spec: &loose::ApprovalPolicySpec, path: &FieldPath, report: &mut Report<'_>) {
    if spec.rules.len() + spec.coverage.len() > RULES_MAX {
        report
            .error(&path.field("rules"), format!("more than {RULES_MAX} rules and coverage entries"))
            .help("split the policy");
    }
    if spec.rules.is_empty() && spec.coverage.is_empty() && spec.allow_routes.is_empty() {
        report.warning(path, "the policy has no rules: queries pass unless another policy objects");
    }
}

fn carry(spec: &loose::ApprovalPolicySpec, path: &FieldPath, report: &mut Report<'_>) -> Duration {
    let told = spec.carry_for.as_ref();
    let carry = told.and_then(|t| span_of_time(t, path, Duration::ZERO..=CARRY_MAX, report)).unwrap_or_default();
    if !carry.is_zero() && !spec.rules.iter().any(|rule| rule.action.kind == loose::ActionKind::Hold) {
        report.warning(path, "has no effect: no rule of this policy holds queries");
    }
    carry
}

/// Rules and coverage entries share one list of names, because records tell them apart by name.
fn all_names(spec: &loose::ApprovalPolicySpec, path: &FieldPath, report: &mut Report<'_>) {
    let covers = spec.coverage.len();
    let names = || spec.coverage.iter().map(|c| c.name.as_str()).chain(spec.rules.iter().map(|r| r.name.as_str()));
    let place = |i: usize| {
        let (list, i) = if i < covers { ("coverage", i) } else { ("rules", i - covers) };
        path.field(list).index(i).field("name")
    };
    for (i, name) in names().enumerate() {
        if !names::is_label(name) {
            report
                .error(&place(i), format!("`{name}` is not a name"))
                .help("use lower-case letters, digits and `-`, at most 63");
        }
    }
    unique(names(), place, "rule", report);
}

fn one(
    rule: &loose::Rule,
    on_error: loose::Failure,
    at: &At,
    scope: &Scope<'_>,
    trail: &mut Trail,
    report: &mut Report<'_>,
) -> Option<rules::Rule> {
    if rule.subject == loose::Subject::Answer {
        report
            .error(&at.loose.field("subject"), "answers are not judged yet")
            .help("leave it out: a rule looks at the query");
    }
    let conditions = at.loose.field("match");
    let matcher = matcher::strict(&rule.matches, &conditions, &at.strict.field("match"), trail, report);
    let action = action::rule(&rule.action, &at.loose.field("action"), scope, report);
    if let (Some(matcher), Some(rules::Action::Redact)) = (&matcher, &action)
        && !matcher::has_text(matcher)
    {
        report
            .error(&conditions, "there is nothing to redact: no keyword, pattern or detector says which text")
            .help("add one beside the condition, or use `Hold` or `Deny`");
    }
    Some(rules::Rule {
        name: rule.name.clone(),
        subject: rules::Subject::Query,
        roles: RoleSet::of(&rule.roles),
        matcher: matcher?,
        action: action?,
        on_error: failure(rule.on_error.unwrap_or(on_error)),
    })
}

fn cover(
    entry: &loose::Coverage,
    path: &FieldPath,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<rules::CoverageRule> {
    bounded_list(entry.kinds.len(), &path.field("kinds"), "kind of input", report);
    let places = path.field("places");
    if entry.places.len() > LIST_MAX {
        report.error(&places, format!("more than {LIST_MAX} entries in one list"));
    }
    for (i, place) in entry.places.iter().enumerate() {
        if place.trim().is_empty() || place.len() > NAME_BYTES_MAX || !printable(place) {
            report.error(&places.index(i), format!("a place is 1 to {NAME_BYTES_MAX} printable characters"));
        }
    }
    let action = action::disposition(&entry.action, &path.field("action"), scope, report)?;
    Some(rules::CoverageRule {
        name: entry.name.clone(),
        kinds: entry.kinds.clone(),
        places: entry.places.clone(),
        action,
    })
}

fn allowed_routes(list: &[String], path: &FieldPath, report: &mut Report<'_>) -> Vec<String> {
    if list.len() > LIST_MAX {
        report.error(path, format!("more than {LIST_MAX} entries in one list"));
    }
    for (i, route) in list.iter().enumerate() {
        let path = path.index(i);
        let (method, target) = route.split_once(' ').unwrap_or((route, ""));
        if !target.starts_with('/') || target.contains([' ', '?', '#', '*']) || !printable(route) {
            report
                .error(&path, format!("`{route}` is not a route"))
                .help("write a method and a whole path: `POST /v1/load_lora_adapter`");
        } else if !METHODS.contains(&method) {
            report.error(&path, format!("unknown method `{method}`")).help = suggest::help(method, &METHODS);
        }
    }
    list.to_vec()
}

const fn failure(failure: loose::Failure) -> rules::Failure {
    match failure {
        loose::Failure::Deny => rules::Failure::Deny,
        loose::Failure::Allow => rules::Failure::Allow,
    }
}

const fn retention(content: loose::ContentKept) -> rules::Retention {
    match content {
        loose::ContentKept::None => rules::Retention::None,
        loose::ContentKept::Digest => rules::Retention::Digest,
        loose::ContentKept::Masked => rules::Retention::Masked,
        loose::ContentKept::Full => rules::Retention::Full,
    }
}
