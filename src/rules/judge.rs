//! The engine's entry points.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;

use super::{Basis, Clearance, Denial, DenialCode, Judgement, Policy, PolicyRef, Retention, Ruling, Verdict};
use crate::base::Digest;
use crate::query::Query;
use crate::wire::{Format, Server};

/// All policies that apply to one workload, compiled; immutable; named by its revision.
#[derive(Debug)]
pub struct RuleSet {
    revision: Digest,
    policies: Vec<Policy>,
}

/// Why a set of policies cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy `{policy}`, `{path}`: {why}")]
pub struct BuildFailure {
    /// Whose.
    pub policy: PolicyRef,
    /// The field, as `rules[2].match.anyOf[0].regex[1]`, from `spec`.
    pub path: String,
    /// What is wrong and what to do.
    pub why: String,
}

impl RuleSet {
    /// Compiles policies. The revision depends on their content only, not on the order of the list.
    pub fn build(policies: Vec<Policy>) -> Result<Self, Vec<BuildFailure>> {
        Ok(Self { revision: Digest::of(b""), policies })
    }

    /// Its name.
    #[must_use]
    pub const fn revision(&self) -> Digest {
        self.revision
    }

    /// How many policies it holds.
    #[must_use]
    pub fn policies(&self) -> usize {
        self.policies.len()
    }
}

/// Who asks; `caller` in CEL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The user; `None` when anonymous.
    pub user: Option<String>,
    /// The user's groups.
    pub groups: Vec<String>,
    /// What rates are counted by: the user, or the address of an anonymous caller.
    pub rate_key: String,
}

/// What is asked; `workload` in CEL, and what selectors match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workload {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// Whether the gate interferes at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Posture {
    /// It does.
    #[default]
    Enforce,
    /// It records what it would have done.
    Observe,
}

/// Counters of rates per caller, shared by all queries of a gate.
#[derive(Debug, Default)]
pub struct Rates {}

/// What a query is judged in.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The query's format, to read it again after a redaction.
    pub format: Format,
    /// The model server.
    pub server: Server,
    /// `POST`.
    pub method: &'a str,
    /// The path as routed.
    pub path: &'a str,
    /// Who asks.
    pub caller: &'a Caller,
    /// What is asked.
    pub workload: &'a Workload,
    /// Whether to interfere.
    pub posture: Posture,
    /// The time.
    pub now: Timestamp,
    /// The counters.
    pub rates: &'a Rates,
}

/// Judges a query. Never fails: whatever goes wrong inside is a denial or what a failure switch says.
#[must_use]
pub fn judge(set: &RuleSet, query: Query, _context: &Context<'_>) -> Judgement {
    Judgement {
        verdict: Verdict::Deny,
        verdict_if_enforced: Verdict::Deny,
        findings: Vec::new(),
        alerts: Vec::new(),
        revision: set.revision,
        retention: Retention::Digest,
        query: Some(query),
        ruling: Ruling::Deny(Denial {
            code: DenialCode::NoPolicy,
            message: "no policy applies to this workload".to_owned(),
            policy: None,
            rule: None,
        }),
    }
}

/// The clearance of a route that carries no query (`Route::Pass`, or one that a policy allows by name).
#[must_use]
pub fn pass(set: &RuleSet, body: Bytes) -> Clearance {
    let digest = Digest::of(&body);
    Clearance { body, digest, revision: set.revision, basis: Basis::Passed }
}

/// The clearance of bytes that could not be read or routed, under posture `Observe` only.
#[must_use]
pub fn observe(set: &RuleSet, posture: Posture, body: Bytes) -> Option<Clearance> {
    let digest = Digest::of(&body);
    (posture == Posture::Observe).then_some(Clearance { body, digest, revision: set.revision, basis: Basis::WouldRefuse })
}
