//! The entry of a query: a draft at the start, filled in by the judgement. Shows text only in `content`, and there only
//! as the retention allows.

use http::request::Parts;

use super::{Peer, Visit};
use crate::audit::{Caller, ExceptionRecord, FindingRecord, GapRecord, Outcome, QueryJudged};
use crate::base::{Digest, HoldId, QueryId};
use crate::query::Query;
use crate::rules::{Excepted, Finding, Judgement, Retention, RuleSet, Ruling};
use crate::sidecar::identity::Identity;

/// Longest path kept of a route that is not known.
const PATH_BYTES_MAX: usize = 256;
/// Longest name of a model kept: it is the caller's text, and the entry of a query must not be as long as the query.
const MODEL_CHARS_MAX: usize = 256;
/// Most gaps kept; the verdict counts all of them.
const GAPS_MAX: usize = 256;

/// What is left of an entry once it is written.
pub(super) fn emptied(query: QueryId, hold: Option<HoldId>, retention: Retention) -> QueryJudged {
    QueryJudged {
        query,
        caller: Caller::default(),
        method: String::new(),
        path: String::new(),
        model: None,
        outcome: Outcome::Rejected,
        verdict: None,
        code: None,
        findings: Vec::new(),
        coverage: Vec::new(),
        exceptions: Vec::new(),
        revision: Digest::from_bytes([0; 32]),
        body_digest: None,
        forwarded_digest: None,
        body_bytes: 0,
        judged_micros: 0,
        hold,
        carried_from: Vec::new(),
        grant: None,
        retention,
        content: None,
    }
}

pub(super) fn draft(id: QueryId, peer: &Peer, head: &Parts, rules: Option<&RuleSet>) -> QueryJudged {
    QueryJudged {
        query: id,
        caller: Caller {
            user: None,
            groups: Vec::new(),
            authenticated_by: "anonymous".to_owned(),
            address: peer.text.clone(),
        },
        method: start(head.method.as_str(), PATH_BYTES_MAX),
        path: start(head.uri.path(), PATH_BYTES_MAX),
        model: None,
        outcome: Outcome::Rejected,
        verdict: None,
        code: None,
        findings: Vec::new(),
        coverage: Vec::new(),
        exceptions: Vec::new(),
        revision: rules.map_or_else(|| Digest::of(b""), RuleSet::revision),
        body_digest: None,
        forwarded_digest: None,
        body_bytes: 0,
        judged_micros: 0,
        hold: None,
        carried_from: Vec::new(),
        grant: None,
        retention: rules.map_or(Retention::Digest, RuleSet::retention),
        content: None,
    }
}

/// A model's name as entries have it.
pub(in crate::sidecar) fn model(name: &str) -> String {
    start(name, MODEL_CHARS_MAX)
}

/// The first characters of a text.
fn start(text: &str, chars_max: usize) -> String {
    let end = text.char_indices().nth(chars_max).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text).to_owned()
}

impl Visit {
    /// Notes who asks.
    pub(in crate::sidecar) fn identified(&mut self, identity: Identity) {
        identity.proof.word().clone_into(&mut self.entry.caller.authenticated_by);
        self.entry.caller.user.clone_from(&identity.user);
        self.entry.caller.groups.clone_from(&identity.groups);
        self.caller.rate_key =
            identity.user.as_ref().map_or_else(|| self.peer.text.clone(), |user| format!("user {user}"));
        self.caller.user = identity.user;
        self.caller.groups = identity.groups;
    }

    /// Notes what the engine says.
    pub(in crate::sidecar) fn judged(&mut self, judgement: &Judgement) {
        let entry = &mut *self.entry;
        entry.verdict = Some(judgement.verdict);
        entry.revision = judgement.revision;
        entry.retention = judgement.retention;
        entry.findings = judgement.findings.iter().map(finding).collect();
        entry.exceptions = judgement.excepted.iter().map(exception).collect();
        entry.content = judgement.content.as_ref().map(|content| content.reveal().to_owned());
        let forwarded = match &judgement.ruling {
            Ruling::Hold(held) => Some(held.digest()),
            Ruling::Clear(clearance) => Some(clearance.digest()),
            Ruling::Deny(_) => None,
        };
        let Some(query) = query_of(judgement) else { return };
        let gaps = query.gaps().iter().take(GAPS_MAX);
        entry.coverage = gaps.map(|gap| GapRecord { kind: gap.kind, place: query.place(gap.place) }).collect();
        if judgement.retention > Retention::None {
            let digest = body_digest(query, &judgement.ruling);
            entry.body_digest = Some(digest);
            entry.forwarded_digest = forwarded.filter(|forwarded| *forwarded != digest);
        }
    }
}

/// Hashes the body once: the clearance has already done so when nothing was changed.
fn body_digest(query: &Query, ruling: &Ruling) -> Digest {
    let forwarded = match ruling {
        Ruling::Clear(clearance) => Some((clearance.body(), clearance.digest())),
        Ruling::Hold(held) => Some((held.body(), held.digest())),
        Ruling::Deny(_) => None,
    };
    let body = query.body();
    match forwarded {
        Some((bytes, digest)) if bytes.as_ptr() == body.as_ptr() && bytes.len() == body.len() => digest,
        _ => Digest::of(body),
    }
}

fn finding(finding: &Finding) -> FindingRecord {
    FindingRecord {
        policy: finding.policy.as_ref().clone(),
        rule: finding.rule.as_ref().to_owned(),
        verdict: finding.verdict,
        audit_only: finding.audit_only,
        matcher: finding.matcher.as_ref().to_owned(),
        place: finding.place.as_ref().to_owned(),
    }
}

fn exception(excepted: &Excepted) -> ExceptionRecord {
    ExceptionRecord {
        exception: excepted.exception.name.clone(),
        approver: excepted.exception.approver.clone(),
        until: excepted.exception.until,
        policy: excepted.policy.as_ref().clone(),
        rule: excepted.rule.as_ref().to_owned(),
        verdict: excepted.verdict,
    }
}

/// The query, wherever the judgement has it.
fn query_of(judgement: &Judgement) -> Option<&Query> {
    match &judgement.ruling {
        Ruling::Hold(held) => Some(held.query()),
        Ruling::Clear(_) | Ruling::Deny(_) => judgement.query.as_ref(),
    }
}
