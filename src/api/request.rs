//! `ApprovalRequest`: one held query and what people have said about it, as commands print it.
//!
//! Made by the program, never written by people. It carries digests, reasons and an excerpt, never the query; every text
//! in it is made of visible characters only.

use serde::{Deserialize, Serialize};

use super::chain::Stage;

/// One held query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRequest {
    /// `countersign.dev/v1alpha1`.
    pub api_version: String,
    /// `ApprovalRequest`.
    pub kind: String,
    /// Its id and when it was opened.
    pub metadata: RequestMetadata,
    /// What is asked.
    pub spec: ApprovalRequestSpec,
    /// What was answered.
    pub status: ApprovalRequestStatus,
}

/// Which hold, since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestMetadata {
    /// The hold's id.
    pub name: String,
    /// When it was opened, RFC 3339.
    pub creation_timestamp: String,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRequestSpec {
    /// The query's id.
    pub query: String,
    /// SHA-256 of the bytes that an approval releases.
    pub digest: String,
    /// The rule set in force.
    pub revision: String,
    /// Who asked.
    pub requester: RequestedBy,
    /// `POST /v1/chat/completions`.
    pub route: String,
    /// The model named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Which rules hold it.
    pub reasons: Vec<RequestReason>,
    /// Every chain that must be satisfied.
    pub chains: Vec<RequestChain>,
    /// The matched text with surroundings, masked as the policies say; gone when the hold has ended.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub excerpt: String,
    /// All text of the query, with `approvals show --full` only; stored nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full: Option<String>,
    /// What the excerpt does not show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<RequestUnseen>,
    /// When it expires, RFC 3339; absent when it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// The digest of what `approvals show` shows; a decision may name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
}

/// Something that the excerpt does not show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestUnseen {
    /// `opaque`: the query is held for it and it cannot be shown as text; `text`: the query is held for it, and the full form
    /// shows it; `beside`: it cannot be shown, and the policies let it pass.
    pub kind: String,
    /// Where.
    pub place: String,
    /// How many characters of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub characters: Option<usize>,
}

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestedBy {
    /// The user; absent when anonymous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The user's groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// One rule that holds the query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestReason {
    /// Whose rule: `namespace/name`.
    pub policy: String,
    /// The rule's name.
    pub rule: String,
    /// What matched.
    pub matcher: String,
    /// Where.
    pub place: String,
}

/// One chain that must be satisfied, as it stood when the hold was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestChain {
    /// The chain: `namespace/name`.
    pub name: String,
    /// Whether the person who asked may not decide.
    pub separation_of_duties: bool,
    /// Whether people may approve what they were not shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_unseen: bool,
    /// The stages, in order.
    pub stages: Vec<Stage>,
}

/// How a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum RequestPhase {
    /// Waiting for people.
    Pending,
    /// Every chain is satisfied.
    Approved,
    /// Refused by people.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// The client went away, or somebody withdrew it.
    Cancelled,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRequestStatus {
    /// How it stands.
    pub phase: RequestPhase,
    /// Why it stands so, in a sentence.
    pub message: String,
    /// The first stage that still decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Who may decide now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvers: Option<String>,
    /// Every decision that counts, in order.
    pub votes: Vec<RequestVote>,
    /// Decisions about the query as it was before an edit: they count no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lapsed: Vec<RequestVote>,
    /// What approvers made of the query, in order; `spec` is that of the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<RequestEdit>,
    /// When it ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// When its approval was used, RFC 3339.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claimed_at: Vec<String>,
    /// When its answer was delivered whole, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<String>,
}

/// One edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestEdit {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, RFC 3339.
    pub at: String,
    /// SHA-256 of what a release would have forwarded before.
    pub original: String,
    /// SHA-256 of what it forwards since.
    pub edited: String,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestVote {
    /// In which chain.
    pub chain: String,
    /// In which stage.
    pub stage: String,
    /// `approve` or `deny`.
    pub decision: String,
    /// Who.
    pub by: String,
    /// How the person was authenticated; `nobody` when nobody did that.
    pub authenticated_by: String,
    /// Why.
    pub reason: String,
    /// When, RFC 3339.
    pub at: String,
    /// The digest of the view that was shown; absent when none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
}
