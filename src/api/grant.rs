//! `ApprovalGrant` and `ApprovalMute`: decisions that stand for later queries, as commands print them.
//!
//! Made by the program, never written by people. Every text in them is made of visible characters only.

use serde::{Deserialize, Serialize};

use super::request::{RequestMetadata, RequestReason};

/// A decision that stands for later queries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalGrant {
    /// `countersign.dev/v1alpha1`.
    pub api_version: String,
    /// `ApprovalGrant`; `ApprovalMute` for a denial.
    pub kind: String,
    /// Its id and when it was given.
    pub metadata: RequestMetadata,
    /// What was decided.
    pub spec: ApprovalGrantSpec,
    /// What became of it.
    pub status: ApprovalGrantStatus,
}

/// What was decided, and for which queries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalGrantSpec {
    /// The hold it comes from.
    pub hold: String,
    /// Whose queries; absent for those of nobody in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<String>,
    /// `POST /v1/chat/completions`.
    pub route: String,
    /// The model named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Which rules held the query it comes from.
    pub reasons: Vec<RequestReason>,
    /// Everybody who gave it.
    pub given_by: Vec<GrantPerson>,
    /// Until when, RFC 3339.
    pub until: String,
    /// For how many later queries; absent when there is no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses_max: Option<u32>,
}

/// Somebody who gave a standing decision, or took it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrantPerson {
    /// Who.
    pub by: String,
    /// How the person was authenticated; `nobody` when nobody did that.
    pub authenticated_by: String,
    /// Why.
    pub reason: String,
}

/// Whether a standing decision counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum GrantPhase {
    /// It does.
    Active,
    /// It was for fewer queries.
    UsedUp,
    /// Its time is over.
    Expired,
    /// Somebody took it back.
    Revoked,
}

/// What became of a standing decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalGrantStatus {
    /// Whether it counts.
    pub phase: GrantPhase,
    /// How often it was used; of grants.
    pub uses: u32,
    /// Who took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_by: Option<GrantPerson>,
    /// When, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
}
