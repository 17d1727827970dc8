//! `ApprovalChain` and `ClusterApprovalChain`.

use serde::{Deserialize, Serialize};

use super::Metadata;

/// Who decides about held queries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalChain {
    /// `countersign.dev/v1alpha1`.
    pub api_version: String,
    /// Name and namespace.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: ApprovalChainSpec,
}

/// What an approval chain wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalChainSpec {
    /// A hold ends as expired after this long: `30m`, `1h30m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<String>,
    /// Whether the person who asked may not decide.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub separation_of_duties: bool,
    /// What becomes of a hold whose client went away: `Detach` lets it live on until people decide or it expires, and the
    /// same query joins it again; `Cancel` ends it, so that nobody is asked for something that nobody waits for.
    #[serde(default, skip_serializing_if = "ClientGone::is_default")]
    pub on_client_gone: ClientGone,
    /// Longest time that an approval asked for ahead of time (`countersign request --valid-for`) may be used after it was
    /// given: `8h`; `1h` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for_max: Option<String>,
    /// Whether people may approve a query of which they were not shown what it is held for. What cannot be shown, such as
    /// an image, can be approved only where this is set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_unseen: bool,
    /// The stages, in order.
    pub stages: Vec<Stage>,
}

/// What becomes of a hold whose client went away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum ClientGone {
    /// It lives on.
    #[default]
    Detach,
    /// It ends.
    Cancel,
}

impl ClientGone {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One stage of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stage {
    /// Unique within the chain; the RBAC sub-resource later.
    pub name: String,
    /// Who may decide.
    pub approvers: Vec<Approver>,
    /// How many must.
    #[serde(default)]
    pub quorum: Quorum,
    /// After this long the fallback approvers may decide too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate_after: Option<String>,
    /// Who may decide after an escalation, or when nobody else is eligible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<Approver>,
}

/// A person or a group of people: exactly one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approver {
    /// A group's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// A user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// How many distinct people a stage needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quorum {
    /// So many approvals pass the stage.
    #[serde(default = "one")]
    pub approve: u32,
    /// So many denials refuse the query; counted first.
    #[serde(default = "one")]
    pub deny: u32,
}

const fn one() -> u32 {
    1
}

impl Default for Quorum {
    fn default() -> Self {
        Self { approve: 1, deny: 1 }
    }
}
