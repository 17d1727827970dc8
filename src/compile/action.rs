//! Actions -> strict actions: each takes its own fields only, and a chain must exist in the policy's own scope.

use std::collections::BTreeMap;

use super::limits::MESSAGE_CHARS_MAX;
use super::path::FieldPath;
use super::report::Report;
use super::suggest;
use super::text::printable;
use crate::api::policy as loose;
use crate::approvals::Chain;
use crate::rules::{Action, ChainRef, Disposition};

/// What an action may refer to.
pub(super) struct Scope<'a> {
    /// The policy's namespace; `None` for cluster policies.
    pub(super) namespace: Option<&'a str>,
    /// Every chain there is.
    pub(super) chains: &'a BTreeMap<ChainRef, Chain>,
}

impl Scope<'_> {
    fn chain_kind(&self) -> &'static str {
        if self.namespace.is_some() { "ApprovalChain" } else { "ClusterApprovalChain" }
    }
}

/// Checks a rule's action.
pub(super) fn rule(
    action: &loose::Action,
    path: &FieldPath,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Action> {
    use loose::ActionKind as Kind;
    belongs(action, path, report);
    Some(match action.kind {
        Kind::Allow => Action::Allow,
        Kind::Alert => Action::Alert { route: action.route.clone() },
        Kind::Redact => Action::Redact,
        Kind::Hold => Action::Hold { chain: chain(action, path, scope, report)? },
        Kind::Deny => Action::Deny { message: message(action, path, report) },
    })
}

/// Checks what is to happen to input that cannot be judged.
pub(super) fn disposition(
    action: &loose::Action,
    path: &FieldPath,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Disposition> {
    use loose::ActionKind as Kind;
    belongs(action, path, report);
    if let Some(text) = &action.message {
        let _ = text;
        report.error(&path.field("message"), "coverage entries have no message of their own").help("remove it");
    }
    match action.kind {
        Kind::Allow => Some(Disposition::Allow),
        Kind::Deny => Some(Disposition::Deny),
        Kind::Hold => chain(action, path, scope, report).map(Disposition::Hold),
        Kind::Alert | Kind::Redact => {
            let message = "what cannot be judged can only be allowed, held or denied";
            report.error(&path.field("type"), message).help("one of `Allow`, `Hold` or `Deny`");
            None
        }
    }
}

/// Reports fields that belong to another action.
fn belongs(action: &loose::Action, path: &FieldPath, report: &mut Report<'_>) {
    use loose::ActionKind as Kind;
    let given = [
        ("message", action.message.is_some(), Kind::Deny),
        ("chain", action.chain.is_some(), Kind::Hold),
        ("route", action.route.is_some(), Kind::Alert),
    ];
    for (field, given, owner) in given {
        if given && action.kind != owner {
            report
                .error(&path.field(field), format!("`{field}` belongs to `{owner:?}`, but this is `{:?}`", action.kind))
                .help(format!("remove it, or write `type: {owner:?}`"));
        }
    }
    if action.route.as_ref().is_some_and(|r| !super::names::is_label(r)) {
        report.error(&path.field("route"), "an alert route's name has lower-case letters, digits and `-`, at most 63");
    }
}

fn message(action: &loose::Action, path: &FieldPath, report: &mut Report<'_>) -> Option<String> {
    let text = action.message.as_ref()?;
    let path = path.field("message");
    if text.trim().is_empty() {
        report.error(&path, "an empty message helps nobody").help("leave it out for the standard one");
    } else if text.chars().count() > MESSAGE_CHARS_MAX || !printable(text.trim_end()) {
        report.error(&path, format!("a message is one line of at most {MESSAGE_CHARS_MAX} characters"));
    }
    Some(text.trim_end().to_owned())
}

fn chain(action: &loose::Action, path: &FieldPath, scope: &Scope<'_>, report: &mut Report<'_>) -> Option<ChainRef> {
    let kind = scope.chain_kind();
    let Some(name) = &action.chain else {
        report.error(path, "`Hold` needs a `chain`").help(format!("name an {kind}: who is to decide?"));
        return None;
    };
    let wanted = ChainRef { namespace: scope.namespace.map(str::to_owned), name: name.clone() };
    if scope.chains.contains_key(&wanted) {
        return Some(wanted);
    }
    let at = scope.namespace.map_or_else(String::new, |n| format!(" in namespace `{n}`"));
    let help = elsewhere(name, scope).or_else(|| {
        let names: Vec<_> = scope.chains.keys().filter(|c| c.namespace == wanted.namespace).collect();
        let names: Vec<_> = names.iter().map(|c| c.name.as_str()).collect();
        suggest::help(name, &names)
    });
    let error = report.error(&path.field("chain"), format!("there is no {kind} `{name}`{at}"));
    match help {
        Some(help) => error.help(help),
        None => error.help(format!("add an {kind} of that name, in any of the files")),
    }
    None
}

/// A chain of that name in another scope, which may not be used from here.
fn elsewhere(name: &str, scope: &Scope<'_>) -> Option<String> {
    let other = scope.chains.keys().find(|c| c.name == name)?;
    Some(match (&other.namespace, scope.namespace) {
        (Some(namespace), None) => {
            format!("`{name}` is in namespace `{namespace}`; cluster policies use ClusterApprovalChains only")
        }
        (Some(namespace), Some(_)) => format!("`{name}` is in namespace `{namespace}`; a policy uses chains beside it"),
        (None, _) => {
            format!("`{name}` is a ClusterApprovalChain; this policy uses ApprovalChains of its namespace only")
        }
    })
}
