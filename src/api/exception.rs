//! `ApprovalException`: what loosens a policy, for a time, in namespaces that it names.
//!
//! The one kind that loosens, and so the one with an end, a reason and somebody who answers for it. Creating it needs the
//! verb `approve` on what it excepts from.
//!
//! ```yaml
//! apiVersion: countersign.dev/v1alpha1
//! kind: ApprovalException
//! metadata: {name: migration}
//! spec:
//!   policy: {kind: ClusterApprovalPolicy, name: floor}
//!   rules: [no-customer-names]
//!   namespaces: [research]
//!   expiresAt: "2026-12-31T23:59:59Z"
//!   reason: The archive is read in until the end of the year.
//!   approver: alice
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Metadata;
use super::limits::{EXCEPTED_RULES_MAX, LABEL_CHARS_MAX, NAMESPACES_MAX, REASON_CHARS_MAX, SUBDOMAIN_CHARS_MAX};
use super::patterns::{LABEL, MOMENT, NOT_BLANK, SUBDOMAIN};
use super::selector::LabelSelector;

/// An exception: rules of one policy that do not apply to some workloads for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalException {
    /// `countersign.dev/v1alpha1`.
    pub api_version: String,
    /// Its name; it has no namespace.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: ApprovalExceptionSpec,
}

/// What an exception wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "operator", derive(kube::CustomResource))]
#[cfg_attr(
    feature = "operator",
    kube(
        group = "countersign.dev",
        version = "v1alpha1",
        kind = "ApprovalException",
        root = "ApprovalExceptionObject",
        doc = "Rules that do not apply to some workloads for a time, with a reason and somebody who answers for it.",
        plural = "approvalexceptions",
        status = "super::status::PolicyStatus",
        schema = "disabled",
        shortname = "aex",
        category = "countersign",
        printcolumn = r#"{"name": "Policy", "type": "string", "jsonPath": ".spec.policy.name"}"#,
        printcolumn = r#"{"name": "Approver", "type": "string", "jsonPath": ".spec.approver"}"#,
        printcolumn = r#"{"name": "Expires", "type": "string", "jsonPath": ".spec.expiresAt"}"#,
        printcolumn = r#"{"name": "Accepted", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Accepted')].status"}"#,
        printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"}"#,
        printcolumn = r#"{"name": "Reason", "type": "string", "jsonPath": ".spec.reason", "priority": 1}"#,
        printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.policy.kind == 'ClusterApprovalPolicy' || self.namespaces.size() == 1",
     "fieldPath": ".namespaces", "message": "an ApprovalPolicy is in one namespace: name that one only"},
]))]
pub struct ApprovalExceptionSpec {
    /// From which policy.
    pub policy: ExceptedPolicy,
    /// From which of its rules and coverage entries, by name. A rule asks for nothing then. Of a coverage entry, `Hold` counts
    /// as `Allow`, and `Deny` as if it were not there: other policies say what happens, and `Deny` where none does.
    #[schemars(
        length(min = 1, max = EXCEPTED_RULES_MAX),
        inner(length(min = 1, max = LABEL_CHARS_MAX), regex(pattern = LABEL)),
        extend("x-kubernetes-list-type" = "set"),
    )]
    pub rules: Vec<String>,
    /// In which namespaces: each by its name, never all.
    #[schemars(
        length(min = 1, max = NAMESPACES_MAX),
        inner(length(min = 1, max = LABEL_CHARS_MAX), regex(pattern = LABEL)),
        extend("x-kubernetes-list-type" = "set"),
    )]
    pub namespaces: Vec<String>,
    /// For which workloads there; empty for all.
    #[serde(default)]
    pub selector: LabelSelector,
    /// When it ends, RFC 3339: `2026-12-31T23:59:59Z`. From then on it loosens nothing.
    #[schemars(length(max = 64), regex(pattern = MOMENT), extend("format" = "date-time"))]
    pub expires_at: String,
    /// Why, in a sentence for those who read the record.
    #[schemars(length(min = 1, max = REASON_CHARS_MAX), regex(pattern = NOT_BLANK))]
    pub reason: String,
    /// Who answers for it: the user who creates it.
    #[schemars(length(min = 1, max = SUBDOMAIN_CHARS_MAX), regex(pattern = NOT_BLANK))]
    pub approver: String,
}

/// A policy that is excepted from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExceptedPolicy {
    /// Which kind.
    pub kind: PolicyKind,
    /// Its name; an `ApprovalPolicy` is looked for in the one namespace that is named.
    #[schemars(length(min = 1, max = SUBDOMAIN_CHARS_MAX), regex(pattern = SUBDOMAIN))]
    pub name: String,
}

/// A kind of policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PolicyKind {
    /// A policy of one namespace.
    ApprovalPolicy,
    /// A policy of the cluster.
    ClusterApprovalPolicy,
}
