//! `ApprovalChain` and `ClusterApprovalChain`.

use serde::{Deserialize, Serialize};

use super::Metadata;
use super::limits::{APPROVERS_MAX, DURATION_CHARS_MAX, LABEL_CHARS_MAX, QUORUM_MAX, STAGES_MAX, SUBDOMAIN_CHARS_MAX};
use super::patterns::{DURATION, LABEL, NOT_BLANK};

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
#[cfg_attr(feature = "operator", derive(kube::CustomResource))]
#[cfg_attr(
    feature = "operator",
    kube(
        group = "countersign.dev",
        version = "v1alpha1",
        kind = "ApprovalChain",
        root = "ApprovalChainObject",
        doc = "Who decides about held queries.",
        plural = "approvalchains",
        namespaced,
        status = "super::status::ObjectStatus",
        schema = "disabled",
        shortname = "achain",
        category = "countersign",
        printcolumn = r#"{"name": "Accepted", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Accepted')].status"}"#,
        printcolumn = r#"{"name": "Expires", "type": "string", "jsonPath": ".spec.expiresAfter"}"#,
        printcolumn = r#"{"name": "Stages", "type": "string", "jsonPath": ".spec.stages[*].name"}"#,
        printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.stages.all(s, !has(s.escalateAfter) || duration(s.escalateAfter) < \
              duration(has(self.expiresAfter) ? self.expiresAfter : '1h'))",
     "fieldPath": ".stages", "message": "an escalation never happens: the hold has expired by then"},
]))]
pub struct ApprovalChainSpec {
    /// A hold ends as expired after this long: `30m`, `1h30m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = DURATION_CHARS_MAX), regex(pattern = DURATION), extend("x-kubernetes-validations" = [
        {"rule": "duration(self) >= duration('1s') && duration(self) <= duration('168h')",
         "message": "must be between 1s and 168h"},
    ]))]
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
    #[schemars(length(max = DURATION_CHARS_MAX), regex(pattern = DURATION), extend("x-kubernetes-validations" = [
        {"rule": "duration(self) >= duration('1s') && duration(self) <= duration('168h')",
         "message": "must be between 1s and 168h"},
    ]))]
    pub valid_for_max: Option<String>,
    /// Whether people may approve a query of which they were not shown what it is held for. What cannot be shown, such as
    /// an image, can be approved only where this is set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_unseen: bool,
    /// The stages, in order.
    #[schemars(
        length(min = 1, max = STAGES_MAX),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]),
    )]
    pub stages: Vec<Stage>,
}

/// What a chain for cluster policies wants: the same.
#[cfg(feature = "operator")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, kube::CustomResource)]
#[serde(transparent)]
#[kube(
    group = "countersign.dev",
    version = "v1alpha1",
    kind = "ClusterApprovalChain",
    root = "ClusterApprovalChainObject",
    doc = "Who decides about queries that cluster policies hold. No namespace can shadow it.",
    plural = "clusterapprovalchains",
    status = "super::status::ObjectStatus",
    schema = "disabled",
    shortname = "cachain",
    category = "countersign",
    printcolumn = r#"{"name": "Accepted", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Accepted')].status"}"#,
    printcolumn = r#"{"name": "Expires", "type": "string", "jsonPath": ".spec.expiresAfter"}"#,
    printcolumn = r#"{"name": "Stages", "type": "string", "jsonPath": ".spec.stages[*].name"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
pub struct ClusterApprovalChainSpec(pub ApprovalChainSpec);

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
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "!has(self.escalateAfter) || (has(self.fallback) && self.fallback.size() > 0)",
     "fieldPath": ".escalateAfter", "message": "`escalateAfter` without anybody in `fallback`"},
]))]
pub struct Stage {
    /// Unique within the chain; the RBAC sub-resource later.
    #[schemars(length(min = 1, max = LABEL_CHARS_MAX), regex(pattern = LABEL))]
    pub name: String,
    /// Who may decide.
    #[schemars(length(min = 1, max = APPROVERS_MAX), extend("x-kubernetes-list-type" = "atomic"))]
    pub approvers: Vec<Approver>,
    /// How many must.
    #[serde(default)]
    pub quorum: Quorum,
    /// After this long the fallback approvers may decide too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = DURATION_CHARS_MAX), regex(pattern = DURATION), extend("x-kubernetes-validations" = [
        {"rule": "duration(self) >= duration('1s') && duration(self) <= duration('168h')",
         "message": "must be between 1s and 168h"},
    ]))]
    pub escalate_after: Option<String>,
    /// Who may decide after an escalation, or when nobody else is eligible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = APPROVERS_MAX), extend("x-kubernetes-list-type" = "atomic"))]
    pub fallback: Vec<Approver>,
}

/// A person or a group of people: exactly one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct Approver {
    /// A group's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = SUBDOMAIN_CHARS_MAX), regex(pattern = NOT_BLANK))]
    pub group: Option<String>,
    /// A user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = SUBDOMAIN_CHARS_MAX), regex(pattern = NOT_BLANK))]
    pub user: Option<String>,
}

/// How many distinct people a stage needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quorum {
    /// So many approvals pass the stage.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = QUORUM_MAX))]
    pub approve: u32,
    /// So many denials refuse the query; counted first.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = QUORUM_MAX))]
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
