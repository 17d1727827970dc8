//! Which kinds of objects are watched, and how an object is named among them.

use kube::api::ApiResource;
use kube::{CustomResourceExt as _, Resource as _};

use crate::api::chain::{ApprovalChainObject, ClusterApprovalChainObject};
use crate::api::exception::ApprovalExceptionObject;
use crate::api::gate::ModelGateObject;
use crate::api::policy::{ApprovalPolicyObject, ClusterApprovalPolicyObject};

/// What people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// A chain of a namespace.
    ApprovalChain,
    /// A chain for cluster policies.
    ClusterApprovalChain,
    /// A policy of a namespace.
    ApprovalPolicy,
    /// A policy of the cluster.
    ClusterApprovalPolicy,
    /// What loosens a policy for a time.
    ApprovalException,
}

impl Kind {
    /// All of them; chains first, because policies name them.
    pub(super) const ALL: [Self; 5] = [
        Self::ApprovalChain,
        Self::ClusterApprovalChain,
        Self::ApprovalPolicy,
        Self::ClusterApprovalPolicy,
        Self::ApprovalException,
    ];

    /// How an API server knows it.
    pub(super) fn resource(self) -> ApiResource {
        match self {
            Self::ApprovalChain => ApprovalChainObject::api_resource(),
            Self::ClusterApprovalChain => ClusterApprovalChainObject::api_resource(),
            Self::ApprovalPolicy => ApprovalPolicyObject::api_resource(),
            Self::ClusterApprovalPolicy => ClusterApprovalPolicyObject::api_resource(),
            Self::ApprovalException => ApprovalExceptionObject::api_resource(),
        }
    }

    /// As people write it.
    pub(super) fn name(self) -> String {
        match self {
            Self::ApprovalChain => ApprovalChainObject::kind(&()),
            Self::ClusterApprovalChain => ClusterApprovalChainObject::kind(&()),
            Self::ApprovalPolicy => ApprovalPolicyObject::kind(&()),
            Self::ClusterApprovalPolicy => ClusterApprovalPolicyObject::kind(&()),
            Self::ApprovalException => ApprovalExceptionObject::kind(&()),
        }
        .into_owned()
    }

    /// Whether each namespace has its own.
    pub(super) const fn lives_in_namespaces(self) -> bool {
        matches!(self, Self::ApprovalChain | Self::ApprovalPolicy)
    }

    /// Whether it says who decides, or what is decided.
    pub(super) const fn is_chain(self) -> bool {
        matches!(self, Self::ApprovalChain | Self::ClusterApprovalChain)
    }

    /// Whether it loosens. Of what loosens nothing stays in force that is not good now.
    pub(super) const fn is_exception(self) -> bool {
        matches!(self, Self::ApprovalException)
    }
}

/// How an API server knows ModelGates.
pub(super) fn gate_resource() -> ApiResource {
    ModelGateObject::api_resource()
}

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    /// Its kind.
    pub(super) kind: Kind,
    /// Its namespace; `None` for what the cluster has.
    pub(super) namespace: Option<String>,
    /// Its name.
    pub(super) name: String,
}

impl Key {
    /// Its namespace and its name: `models/customer-data`, `floor`.
    pub(super) fn path(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.path())
    }
}
