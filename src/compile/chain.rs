//! `ApprovalChain` -> strict chain.

use std::time::Duration;

use super::limits::{
    APPROVERS_MAX, DECIDE_MAX, DECIDE_MIN, EXPIRES_AFTER_DEFAULT, QUORUM_MAX, STAGES_MAX, VALID_FOR_MAX_MAX,
};
use super::path::FieldPath;
use super::report::Report;
use super::text::{printable, span_of_time, unique};
use super::{duration::show, names};
use crate::api::chain as loose;
use crate::approvals as strict;
use crate::rules::ChainRef;

/// Checks a chain. What is returned is of use only when nothing was reported.
pub(super) fn strict(name: ChainRef, spec: &loose::ApprovalChainSpec, report: &mut Report<'_>) -> strict::Chain {
    let spec_path = FieldPath::of("spec");
    let expires = spec_path.field("expiresAfter");
    let expires_after = match &spec.expires_after {
        None => EXPIRES_AFTER_DEFAULT,
        Some(text) => span_of_time(text, &expires, DECIDE_MIN..=DECIDE_MAX, report).unwrap_or(EXPIRES_AFTER_DEFAULT),
    };
    let valid_for_max = spec
        .valid_for_max
        .as_ref()
        .and_then(|text| span_of_time(text, &spec_path.field("validForMax"), DECIDE_MIN..=VALID_FOR_MAX_MAX, report));
    let stages_path = spec_path.field("stages");
    if spec.stages.is_empty() {
        report.error(&stages_path, "a chain needs at least one stage");
    }
    if spec.stages.len() > STAGES_MAX {
        report.error(&stages_path, format!("more than {STAGES_MAX} stages"));
    }
    let names = spec.stages.iter().map(|s| s.name.as_str());
    unique(names, |i| stages_path.index(i).field("name"), "stage", report);
    let stages = spec.stages.iter().enumerate();
    let stages = stages.map(|(i, stage)| one(stage, &stages_path.index(i), expires_after, report)).collect();
    strict::Chain {
        name,
        expires_after,
        separation_of_duties: spec.separation_of_duties,
        allow_unseen: spec.allow_unseen,
        on_client_gone: match spec.on_client_gone {
            loose::ClientGone::Detach => strict::ClientGone::Detach,
            loose::ClientGone::Cancel => strict::ClientGone::Cancel,
        },
        valid_for_max: valid_for_max.unwrap_or(strict::VALID_FOR_MAX_DEFAULT),
        stages,
    }
}

fn one(stage: &loose::Stage, path: &FieldPath, expires_after: Duration, report: &mut Report<'_>) -> strict::Stage {
    if !names::is_label(&stage.name) {
        report
            .error(&path.field("name"), format!("`{}` is not a name", stage.name))
            .help("use lower-case letters, digits and `-`, at most 63");
    }
    let escalate = path.field("escalateAfter");
    let escalate_after = stage.escalate_after.as_ref().and_then(|text| {
        let after = span_of_time(text, &escalate, DECIDE_MIN..=DECIDE_MAX, report)?;
        if after >= expires_after {
            let expires = show(expires_after);
            report.error(&escalate, format!("never happens: the hold has expired by then, after {expires}"));
        }
        Some(after)
    });
    if stage.escalate_after.is_some() && stage.fallback.is_empty() {
        report.error(&escalate, "`escalateAfter` without anybody in `fallback`").help("name who may decide then");
    }
    let own = approvers(&stage.approvers, &path.field("approvers"), report);
    let fallback = approvers(&stage.fallback, &path.field("fallback"), report);
    if stage.approvers.is_empty() {
        report.error(&path.field("approvers"), "a stage needs at least one approver");
    }
    quorum(stage, path, report);
    strict::Stage {
        name: stage.name.clone(),
        approvers: own,
        quorum: strict::Quorum { approve: stage.quorum.approve, deny: stage.quorum.deny },
        escalate_after,
        fallback,
    }
}

/// A quorum must be reachable. Groups may have any number of members; people are counted.
fn quorum(stage: &loose::Stage, path: &FieldPath, report: &mut Report<'_>) {
    let everyone = || stage.approvers.iter().chain(&stage.fallback);
    let people: std::collections::BTreeSet<_> = everyone().filter_map(|a| a.user.as_deref()).collect();
    let groups = everyone().any(|a| a.group.is_some());
    let quorum = path.field("quorum");
    for (field, needed) in [("approve", stage.quorum.approve), ("deny", stage.quorum.deny)] {
        let path = quorum.field(field);
        if needed == 0 {
            report.error(&path, "a quorum is at least 1");
        } else if needed > QUORUM_MAX {
            report.error(&path, format!("a quorum is at most {QUORUM_MAX}"));
        } else if !groups && !people.is_empty() && needed as usize > people.len() {
            let who = if people.len() == 1 { "person" } else { "people" };
            report
                .error(&path, format!("{needed} are needed, but the stage names {} {who} only", people.len()))
                .help("name more approvers, or a group");
        }
    }
}

fn approvers(list: &[loose::Approver], path: &FieldPath, report: &mut Report<'_>) -> Vec<strict::Approver> {
    if list.len() > APPROVERS_MAX {
        report.error(path, format!("more than {APPROVERS_MAX} approvers")).help("name a group");
    }
    let mut strict: Vec<strict::Approver> = Vec::new();
    for (i, approver) in list.iter().enumerate() {
        let path = path.index(i);
        let one = match (&approver.user, &approver.group) {
            (Some(user), None) => strict::Approver::User(user.clone()),
            (None, Some(group)) => strict::Approver::Group(group.clone()),
            (Some(_), Some(_)) => {
                report.error(&path, "an approver is a user or a group, not both").help("write two entries");
                continue;
            }
            (None, None) => {
                report.error(&path, "an approver needs a `user` or a `group`");
                continue;
            }
        };
        let (strict::Approver::User(name) | strict::Approver::Group(name)) = &one;
        if name.trim().is_empty() || !printable(name) || name.len() > 253 {
            report.error(&path, "a name here is 1 to 253 printable characters");
        }
        if strict.contains(&one) {
            report.error(&path, format!("`{name}` is named twice")).help("everybody has one vote");
        }
        strict.push(one);
    }
    strict
}
