//! What is asked of people: everything a hold starts from.
//!
//! Must not know how the answer is found. Guarantees that an [`Ask`] never carries the query's bytes: digests, reasons
//! and an excerpt only.

use std::time::Duration;

use jiff::Timestamp;

use super::{Chain, Unseen};
use crate::base::{Content, Digest, HoldId, QueryId};
use crate::rules::{Finding, PolicyRef, Similar, Verdict};

/// Who asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Requester {
    /// The authenticated user; `None` when anonymous. Anonymous requesters never share a hold.
    pub user: Option<String>,
    /// The user's groups.
    pub groups: Vec<String>,
}

/// Why people are asked: one finding, without text.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reason {
    /// Whose rule.
    pub policy: PolicyRef,
    /// The rule's name.
    pub rule: String,
    /// What matched: `keyword`, a detector's name, `cel`...
    pub matcher: String,
    /// Where.
    pub place: String,
}

/// Most reasons shown to people: more than a person reads.
const REASONS_MAX: usize = 64;

/// The findings that hold a query, as people are told them.
#[must_use]
pub fn reasons(findings: &[Finding]) -> Vec<Reason> {
    let holding = findings.iter().filter(|finding| !finding.audit_only && finding.verdict == Verdict::Hold);
    let told = holding.map(|finding| Reason {
        policy: finding.policy.as_ref().clone(),
        rule: finding.rule.as_ref().to_owned(),
        matcher: finding.matcher.as_ref().to_owned(),
        place: finding.place.as_ref().to_owned(),
    });
    told.take(REASONS_MAX).collect()
}

/// A question that was put before its query came.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ahead {
    /// Who put it; nobody authenticated that name.
    pub by: String,
    /// How long the approval may be used once it is given.
    pub valid_for: Duration,
}

/// A question to people: everything a hold starts from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ask {
    /// The new hold's id.
    pub id: HoldId,
    /// The query that opened it.
    pub query: QueryId,
    /// Identity + route + body as it came: a retry with the same key joins the same hold.
    pub join: Digest,
    /// SHA-256 of the bytes that a release would forward.
    pub digest: Digest,
    /// The rule set in force.
    pub revision: Digest,
    /// Who asked.
    pub requester: Requester,
    /// The namespace of the workload that was asked.
    #[serde(default)]
    pub namespace: String,
    /// `POST /v1/chat/completions`.
    pub route: String,
    /// The model the caller named.
    pub model: Option<String>,
    /// Every chain that must be satisfied, as it stood when the hold was opened.
    pub chains: Vec<Chain>,
    /// Why.
    pub reasons: Vec<Reason>,
    /// The matched text with surroundings, masked as the policy says, at most 4 KB: made by [`super::excerpt`].
    #[serde(with = "stored_text")]
    pub excerpt: Content,
    /// What the excerpt does not show, the gravest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<Unseen>,
    /// What later queries would have to be like; `None` when none is.
    #[serde(default)]
    pub similar: Option<Similar>,
    /// When.
    pub opened_at: Timestamp,
    /// Set when it was put before the query came: no client waits for the answer.
    #[serde(default)]
    pub ahead: Option<Ahead>,
    /// Where the client wants to be told of the end; checked against what the gate allows.
    #[serde(default)]
    pub callback: Option<String>,
}

/// The excerpt is stored with its hold, so its text is written out here and nowhere else.
mod stored_text {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::base::Content;

    pub(super) fn serialize<S: Serializer>(text: &Content, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text.reveal())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Content, D::Error> {
        String::deserialize(from).map(Content::new)
    }
}
