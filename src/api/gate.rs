//! `ModelGate`: one enrolled workload, the policies that apply to it, and what its gates have in force.
//!
//! Written by the operator, the specification too, and never by people: admission policies take its selector for granted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::{CONDITIONS_MAX, LIST_MAX, PODS_MAX, SUBDOMAIN_CHARS_MAX};
use super::selector::LabelSelector;
use super::status::{Condition, GateCounts};

/// Which workload a gate stands before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "operator", derive(kube::CustomResource))]
#[cfg_attr(
    feature = "operator",
    kube(
        group = "countersign.dev",
        version = "v1alpha1",
        kind = "ModelGate",
        root = "ModelGateObject",
        doc = "An enrolled workload: which policies apply to it, and which rule set its gates have in force.",
        plural = "modelgates",
        namespaced,
        status = "ModelGateStatus",
        schema = "disabled",
        shortname = "mgate",
        category = "countersign",
        printcolumn = r#"{"name": "Workload", "type": "string", "jsonPath": ".spec.workload.name"}"#,
        printcolumn = r#"{"name": "Revision", "type": "string", "jsonPath": ".status.revision", "priority": 1}"#,
        printcolumn = r#"{"name": "Current", "type": "integer", "jsonPath": ".status.gates.current"}"#,
        printcolumn = r#"{"name": "Gates", "type": "integer", "jsonPath": ".status.gates.total"}"#,
        printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"}"#,
        printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelGateSpec {
    /// The owner of the Pods.
    pub workload: WorkloadRef,
    /// The owner's selector, and so its Pods. It never changes: an owner's selector does not either.
    #[schemars(extend("x-kubernetes-validations" = [
        {"rule": "self == oldSelf", "message": "the selector of a workload never changes"},
    ]))]
    pub selector: LabelSelector,
}

/// The owner of Pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkloadRef {
    /// `apps/v1`.
    #[schemars(length(min = 1, max = SUBDOMAIN_CHARS_MAX))]
    pub api_version: String,
    /// `Deployment`, `StatefulSet`.
    #[schemars(length(min = 1, max = SUBDOMAIN_CHARS_MAX))]
    pub kind: String,
    /// Its name.
    #[schemars(length(min = 1, max = SUBDOMAIN_CHARS_MAX))]
    pub name: String,
    /// Its UID: another of the same name is another workload.
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
}

/// How the gates of a workload stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelGateStatus {
    /// The generation of the specification that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`: a rule set was compiled. `Ready`: every gate has it in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = CONDITIONS_MAX),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]),
    )]
    pub conditions: Vec<Condition>,
    /// The revision of the rule set that the gates should have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub revision: Option<String>,
    /// What was last given out. Whoever gives out something else raises the sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
    /// The policies that apply: `models/customer-data`, `floor`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = LIST_MAX), inner(length(max = 512)), extend("x-kubernetes-list-type" = "atomic")
    )]
    pub policies: Vec<String>,
    /// How many gates have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates: Option<GateCounts>,
    /// What each Pod has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    // Written as a whole. As a map by name an API server keeps account of who wrote each field of each line, which was more than
    // a quarter of what a write of 50 lines costs it.
    #[schemars(length(max = PODS_MAX), extend("x-kubernetes-list-type" = "atomic"))]
    pub pods: Vec<GatedPod>,
}

/// What was given out to the gates of a workload, and how new it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Distribution {
    /// Raised by an administrator when sequences were lost, with `countersign-operator new-epoch`.
    pub epoch: u64,
    /// Raised by everything that is given out.
    pub sequence: u64,
    /// The digest of all that the gates are told but epoch and sequence.
    #[schemars(length(min = 1, max = 128))]
    pub content: String,
    /// The revision of the rule set in it.
    #[schemars(length(min = 1, max = 128))]
    pub revision: String,
}

/// The gate of one Pod, and what it has in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatedPod {
    /// The Pod's name.
    #[schemars(length(min = 1, max = SUBDOMAIN_CHARS_MAX))]
    pub name: String,
    /// The Pod's UID: another of the same name is another Pod.
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
    /// The key that the gate came forward with first. No other speaks for this Pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub key: Option<String>,
    /// The revision that it has in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub revision: Option<String>,
    /// How new what it has in force is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Given>,
    /// What it refused to load, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejection>,
}

/// Something that was given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Given {
    /// Its epoch.
    pub epoch: u64,
    /// Its sequence.
    pub sequence: u64,
}

/// Something that a gate refused to load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// Its epoch.
    pub epoch: u64,
    /// Its sequence.
    pub sequence: u64,
    /// Why.
    #[schemars(length(max = 1_024))]
    pub message: String,
}
