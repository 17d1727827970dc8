//! What is asked of people, and how it ends.

use jiff::Timestamp;

use super::Chain;
use crate::base::{Content, Digest, HoldId, QueryId};
use crate::rules::PolicyRef;

/// How far a hold has come. All but `Pending` are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Phase {
    /// Waiting for people.
    Pending,
    /// Every chain is satisfied.
    Approved,
    /// Refused by people.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// The client went away and the policy says so, or somebody withdrew it.
    Cancelled,
}

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

/// A question to people: everything a hold starts from.
#[derive(Debug, Clone)]
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
    /// `POST /v1/chat/completions`.
    pub route: String,
    /// The model the caller named.
    pub model: Option<String>,
    /// Every chain that must be satisfied, as it stood when the hold was opened.
    pub chains: Vec<Chain>,
    /// Why.
    pub reasons: Vec<Reason>,
    /// The matched text with surroundings, masked as the policy says, at most 4 KB.
    pub excerpt: Content,
    /// When.
    pub opened_at: Timestamp,
}
