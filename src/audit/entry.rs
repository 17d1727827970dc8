//! What an entry says. These shapes are a contract: readers outside this project parse them.

use serde::{Deserialize, Serialize};

use crate::base::{Digest, GrantId, HoldId, QueryId};
use crate::rules::{PolicyRef, Retention, Verdict};

/// What finally happened to a query, or what is about to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Forwarded as it came.
    Allowed,
    /// Forwarded with redactions.
    Redacted,
    /// Forwarded because a failure switch says so.
    AllowedByFailure,
    /// Forwarded under posture `Observe`; it would have been refused, held or changed.
    WouldRefuse,
    /// Forwarded because an earlier release carries it.
    Carried,
    /// A route without a query, passed on.
    Passed,
    /// Waiting for people.
    Held,
    /// Forwarded after people approved it.
    Released,
    /// Refused by a rule, by coverage or by people.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// The client went away while it was held.
    Cancelled,
    /// Not a query the gate can read, or over a limit.
    Rejected,
}

/// Who asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Caller {
    /// The user; absent when anonymous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The user's groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// How the user proved it: `jwt`, `api-key`, `trusted-proxy`, `anonymous`.
    pub authenticated_by: String,
    /// The peer's address without port.
    pub address: String,
}

/// One finding, without text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FindingRecord {
    /// Whose rule.
    pub policy: PolicyRef,
    /// The rule's name.
    pub rule: String,
    /// What the rule wants.
    pub verdict: Verdict,
    /// Whether it had no effect.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub audit_only: bool,
    /// What matched.
    pub matcher: String,
    /// Where.
    pub place: String,
}

/// One gap in the coverage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GapRecord {
    /// Why it cannot be judged.
    pub kind: crate::query::GapKind,
    /// Where.
    pub place: String,
}

/// A rule that an exception lifted: it would have matched, or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionRecord {
    /// The exception's name.
    pub exception: String,
    /// Who answers for it.
    pub approver: String,
    /// When it ends.
    pub until: jiff::Timestamp,
    /// Whose rule.
    pub policy: PolicyRef,
    /// The rule's name.
    pub rule: String,
    /// What the rule wants.
    pub verdict: Verdict,
}

/// The use of a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantUsed {
    /// Which grant.
    pub grant: GrantId,
    /// The hold it came from.
    pub hold: HoldId,
    /// Who gave it.
    pub by: Vec<String>,
}

/// A query was judged. Written before anything is forwarded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryJudged {
    /// Which query.
    pub query: QueryId,
    /// Who asked.
    pub caller: Caller,
    /// `POST`.
    pub method: String,
    /// The path as routed, without parameters.
    pub path: String,
    /// The model named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What is about to happen.
    pub outcome: Outcome,
    /// The verdict in force; absent when the query could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The stable code of a refusal, the same that the client got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What matched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FindingRecord>,
    /// What could not be judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coverage: Vec<GapRecord>,
    /// What exceptions lifted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<ExceptionRecord>,
    /// The rule set in force.
    pub revision: Digest,
    /// SHA-256 of the body as it was judged (content encodings removed); absent with retention `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_digest: Option<Digest>,
    /// SHA-256 of what is forwarded, when it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded_digest: Option<Digest>,
    /// Bytes of the body.
    pub body_bytes: u64,
    /// From the last byte of the body to the verdict.
    pub judged_micros: u64,
    /// The hold, when people are or were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldId>,
    /// The holds whose releases carry it, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried_from: Vec<HoldId>,
    /// The grant that lets it go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantUsed>,
    /// How much is kept.
    pub retention: Retention,
    /// What is kept of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerEnd {
    /// Delivered whole.
    Complete,
    /// The client left first.
    ClientGone,
    /// The model server broke off or could not be reached.
    UpstreamFailed,
    /// The gate was shut down first.
    Shutdown,
    /// The grant that let the query go was revoked first.
    Revoked,
}

/// The answer to a forwarded query has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryCompleted {
    /// Which query.
    pub query: QueryId,
    /// How.
    pub end: AnswerEnd,
    /// The upstream's status; 0 when there was none.
    pub status: u16,
    /// SHA-256 of the answer's bytes that were delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_digest: Option<Digest>,
    /// How many.
    pub answer_bytes: u64,
    /// From forwarding to the answer's head.
    pub first_byte_micros: u64,
    /// From forwarding to the answer's end.
    pub duration_micros: u64,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// The first entry of every log.
    LogStarted {
        /// Random, 32 hex digits: no two logs have an entry in common.
        log: String,
    },
    /// The gate began to serve.
    GateStarted {
        /// The program's version.
        version: String,
        /// The rule set in force; left out where there is none yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<Digest>,
        /// `Enforce` or `Observe`.
        posture: String,
    },
    /// Another rule set came into force.
    RuleSetLoaded {
        /// Its revision.
        revision: Digest,
        /// How many policies it holds.
        policies: u32,
    },
    /// The file ended in an unfinished entry, which was cut.
    #[serde(rename_all = "camelCase")]
    TailRepaired {
        /// How many bytes.
        bytes_cut: u64,
        /// The file beside the log that they were moved to.
        #[serde(default)]
        kept_in: String,
    },
    /// A query was judged.
    QueryJudged(Box<QueryJudged>),
    /// The answer to a forwarded query has ended.
    QueryCompleted(QueryCompleted),
    /// Somebody asked for approval of a query before it came.
    #[serde(rename_all = "camelCase")]
    AskedAhead {
        /// The hold that was opened.
        hold: HoldId,
        /// Who is to send the query.
        user: String,
        /// Who asked.
        by: String,
        /// How that person was authenticated; `nobody` stand-alone.
        authenticated_by: String,
    },
    /// What people decided stands for later queries that are alike.
    #[serde(rename_all = "camelCase")]
    StandingGiven {
        /// Its id.
        id: GrantId,
        /// `approve` for a grant, `deny` for a mute.
        decision: String,
        /// The hold it comes from.
        hold: HoldId,
        /// Who gave it.
        by: Vec<String>,
        /// Until when.
        until: jiff::Timestamp,
        /// For how many queries; absent when there is no bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uses: Option<u32>,
    },
    /// A grant or a mute was taken back.
    #[serde(rename_all = "camelCase")]
    StandingRevoked {
        /// Which.
        id: GrantId,
        /// `approve` for a grant, `deny` for a mute.
        decision: String,
        /// Who took it back.
        by: String,
        /// How the person was authenticated; `nobody` stand-alone.
        authenticated_by: String,
        /// Why, in the person's words.
        reason: String,
    },
    /// A person decided about a hold.
    #[serde(rename_all = "camelCase")]
    Decided {
        /// Which hold.
        hold: HoldId,
        /// `approve` or `deny`.
        decision: String,
        /// Who.
        by: String,
        /// How the person was authenticated; `nobody` stand-alone.
        authenticated_by: String,
        /// Why, in the person's words.
        reason: String,
        /// The digest of the view that was shown; absent when none was named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        view: Option<Digest>,
    },
    /// A person put other bytes in a held query's place, and approved those.
    #[serde(rename_all = "camelCase")]
    Edited {
        /// Which hold.
        hold: HoldId,
        /// SHA-256 of the form before.
        original: Digest,
        /// SHA-256 of the form after: what a release forwards.
        edited: Digest,
        /// Who.
        by: String,
        /// How the person was authenticated; `nobody` stand-alone.
        authenticated_by: String,
        /// Why, in the person's words.
        reason: String,
        /// The digest of the view that was shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        view: Option<Digest>,
    },
}
