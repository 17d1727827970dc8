//! The resources people write, exactly as they write them (`apiVersion: countersign.dev/v1alpha1`). Nothing is checked
//! here beyond the shape; `compile` does the rest.
//!
//! One file per kind. Unknown fields are refused everywhere.

pub mod chain;
#[cfg(feature = "operator")]
pub mod crd;
pub mod exception;
pub mod gate;
pub mod grant;
pub mod limits;
mod patterns;
pub mod policy;
pub mod request;
mod selector;
pub mod status;
#[cfg(feature = "operator")]
mod structural;

use serde::{Deserialize, Serialize};

/// The group and version of every kind.
pub const API_VERSION: &str = "countersign.dev/v1alpha1";

/// Object metadata: what stand-alone use needs of Kubernetes' `ObjectMeta`; other fields are kept out of the way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The object's name.
    pub name: String,
    /// The object's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub labels: std::collections::BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub annotations: std::collections::BTreeMap<String, String>,
}

/// Any object of ours, told apart by `kind`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Object {
    /// A namespaced policy.
    ApprovalPolicy(policy::ApprovalPolicy),
    /// A cluster policy: the same specification, a floor under every namespaced one.
    ClusterApprovalPolicy(policy::ApprovalPolicy),
    /// A chain of approvers.
    ApprovalChain(chain::ApprovalChain),
    /// A chain of approvers for cluster policies.
    ClusterApprovalChain(chain::ApprovalChain),
    /// What loosens a policy for a time.
    ApprovalException(exception::ApprovalException),
}
