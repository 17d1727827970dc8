//! What controllers report about resources: conditions as all of Kubernetes has them, and counts.
//!
//! Written by the operator, never by people; nothing here is read when queries are judged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::CONDITIONS_MAX;

/// How a policy stands, or an exception from one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// The generation of the specification that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`: it compiles. `Propagated`: every selected gate has acknowledged this generation. `Ready`: both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = CONDITIONS_MAX),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]),
    )]
    pub conditions: Vec<Condition>,
    /// How many gates have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates: Option<GateCounts>,
}

/// How many gates have a policy, or an exception from one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateCounts {
    /// Gates that have acknowledged this generation.
    pub current: u32,
    /// Gates that the policy selects.
    pub total: u32,
    /// Gates that refused to load it.
    pub rejected: u32,
}

/// How an object stands that no gate has of its own: a chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectStatus {
    /// The generation of the specification that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`: it compiles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = CONDITIONS_MAX),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]),
    )]
    pub conditions: Vec<Condition>,
}

/// One thing that is so, is not so, or is not known: `metav1.Condition`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 316))]
    pub kind: String,
    /// Whether it is so.
    pub status: Truth,
    /// The generation of the specification that it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When `status` last changed, RFC 3339.
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub last_transition_time: String,
    /// Why, in one word for programs.
    #[schemars(length(min = 1, max = 1_024), regex(pattern = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"))]
    pub reason: String,
    /// Why, in a sentence for people.
    #[schemars(length(max = 32_768))]
    pub message: String,
}

/// Whether something is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Truth {
    /// It is.
    True,
    /// It is not.
    False,
    /// Nobody can say yet.
    Unknown,
}
