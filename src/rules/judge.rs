//! The engine's entry points: a query in, a judgement out.
//!
//! Guarantees: judging never fails; whatever goes wrong inside is a denial, or what a failure switch says. What is
//! cleared or held is exactly what was judged, and after a redaction it is judged once more.

use bytes::Bytes;

use super::cause::causes;
use super::evaluate::Counted;
use super::opinion::{Opinion, opinion};
use super::redaction::{self, Unredactable};
use super::scan::Scan;
use super::set::RuleSet;
use super::{
    Basis, Causes, Clearance, Context, Denial, DenialCode, Held, Judgement, Posture, Retention, Ruling, Similar,
    Verdict,
};
use crate::base::{Content, Digest};
use crate::query::Query;
use crate::wire;

/// Judges a query. Never fails: whatever goes wrong inside is a denial or what a failure switch says.
#[must_use]
pub fn judge(set: &RuleSet, query: Query, context: &Context<'_>) -> Judgement {
    if set.policies.is_empty() {
        return no_policy(set, query, context.posture);
    }
    let mut counted = Counted::new(set.rates);
    let (mut opinion, scan) = opinion(set, &query, context, &mut counted);
    let content = kept(set, &scan, &query);
    let body = match redacted(set, &query, context, &opinion, &mut counted) {
        Ok(body) => body,
        Err(why) => {
            opinion.verdict = Verdict::Deny;
            opinion.verdict_if_enforced = Verdict::Deny;
            opinion.denial.get_or_insert(Denial {
                code: DenialCode::RedactionFailed,
                message: why.to_string(),
                policy: None,
                rule: None,
            });
            query.body().clone()
        }
    };
    let causes = match (context.posture, opinion.verdict) {
        (Posture::Enforce, Verdict::Hold) => causes(set, &query, context, &scan, &mut counted),
        (Posture::Enforce | Posture::Observe, _) => (Causes::default(), None),
    };
    Judgement { content, ..rule(set, query, context.posture, opinion, (body, causes)) }
}

/// The clearance of a route that carries no query (`Route::Pass`, or one that a policy allows by name).
#[must_use]
pub fn pass(set: &RuleSet, body: Bytes) -> Clearance {
    clearance(set, body, Basis::Passed)
}

/// The clearance of bytes that could not be read or routed, under posture `Observe` only.
#[must_use]
pub fn observe(set: &RuleSet, posture: Posture, body: Bytes) -> Option<Clearance> {
    (posture == Posture::Observe).then(|| clearance(set, body, Basis::WouldRefuse))
}

fn clearance(set: &RuleSet, body: Bytes, basis: Basis) -> Clearance {
    let digest = Digest::of(&body);
    Clearance { body, digest, revision: set.revision, basis }
}

fn no_policy(set: &RuleSet, query: Query, posture: Posture) -> Judgement {
    let opinion = Opinion {
        findings: Vec::new(),
        alerts: Vec::new(),
        verdict: Verdict::Deny,
        verdict_if_enforced: Verdict::Deny,
        chains: std::collections::BTreeSet::new(),
        denial: Some(Denial {
            code: DenialCode::NoPolicy,
            message: "no policy applies to this workload".to_owned(),
            policy: None,
            rule: None,
        }),
        redactions: Vec::new(),
        redacts_nothing: false,
        failed_open: false,
        excepted: Vec::new(),
    };
    let body = query.body().clone();
    rule(set, query, posture, opinion, (body, (Causes::default(), None)))
}

/// What the retention of the set keeps of a query's text.
fn kept(set: &RuleSet, scan: &Scan, query: &Query) -> Option<Content> {
    match set.retention {
        Retention::None | Retention::Digest => None,
        Retention::Masked => Some(Content::new(redaction::masked(&set.lexicon, scan, query))),
        Retention::Full => std::str::from_utf8(query.body()).ok().map(Content::new),
    }
}

/// The body that may go on: redacted where rules in force say so, and judged again then.
fn redacted(
    set: &RuleSet,
    query: &Query,
    context: &Context<'_>,
    first: &Opinion,
    counted: &mut Counted,
) -> Result<Bytes, Unredactable> {
    // A refused query goes nowhere, and nothing is shown of it.
    if first.verdict == Verdict::Deny {
        return Ok(query.body().clone());
    }
    if first.redacts_nothing {
        return Err(Unredactable::NoText);
    }
    if first.redactions.is_empty() {
        return Ok(query.body().clone());
    }
    let body = redaction::apply(query, &first.redactions)?;
    let again = wire::decode(context.format, body.clone()).map_err(|_| Unredactable::Unwritable)?;
    let (second, _) = opinion(set, &again, context, counted);
    // What was to be redacted must be gone, and what took its place must bring nothing new.
    let grew = second.verdict > first.verdict || !second.chains.is_subset(&first.chains);
    if !second.redactions.is_empty() || second.redacts_nothing || grew {
        return Err(Unredactable::Remains);
    }
    Ok(body)
}

/// Turns an opinion into what is to happen.
fn rule(
    set: &RuleSet,
    query: Query,
    posture: Posture,
    opinion: Opinion,
    (body, (causes, similar)): (Bytes, (Causes, Option<Similar>)),
) -> Judgement {
    let (ruling, verdict, query) = match (posture, opinion.verdict) {
        (Posture::Observe, would) => {
            let basis = if would > Verdict::Alert { Basis::WouldRefuse } else { lenient(&opinion, Basis::Allowed) };
            let verdict = would.min(if opinion.alerts.is_empty() { Verdict::Allow } else { Verdict::Alert });
            (Ruling::Clear(clearance(set, query.body().clone(), basis)), verdict, Some(query))
        }
        (Posture::Enforce, verdict @ (Verdict::Allow | Verdict::Alert)) => {
            let basis = lenient(&opinion, Basis::Allowed);
            (Ruling::Clear(clearance(set, body, basis)), verdict, Some(query))
        }
        (Posture::Enforce, verdict @ Verdict::Redact) => {
            let basis = lenient(&opinion, Basis::Redacted);
            (Ruling::Clear(clearance(set, body, basis)), verdict, Some(query))
        }
        (Posture::Enforce, verdict @ Verdict::Hold) => {
            let digest = Digest::of(&body);
            let chains = opinion.chains.iter().cloned().collect();
            let held = Held { query, body, digest, revision: set.revision, chains, causes, similar };
            (Ruling::Hold(Box::new(held)), verdict, None)
        }
        (Posture::Enforce, verdict @ Verdict::Deny) => {
            (Ruling::Deny(opinion.denial.unwrap_or_else(unexplained)), verdict, Some(query))
        }
    };
    Judgement {
        verdict,
        verdict_if_enforced: opinion.verdict_if_enforced,
        findings: opinion.findings,
        alerts: opinion.alerts,
        excepted: opinion.excepted,
        revision: set.revision,
        retention: set.retention,
        content: None,
        query,
        ruling,
    }
}

/// A query that passes although a rule could not be judged says so, whatever else is true of it.
const fn lenient(opinion: &Opinion, otherwise: Basis) -> Basis {
    if opinion.failed_open { Basis::AllowedByFailure } else { otherwise }
}

/// Every refusal has a reason; this one is for a reader of this code who removes one.
fn unexplained() -> Denial {
    Denial {
        code: DenialCode::JudgingFailed,
        message: "the query could not be judged".to_owned(),
        policy: None,
        rule: None,
    }
}
