//! The definitions of the custom resources, for API servers: the types of this room, as structural schemas.
//!
//! `crds/` holds what this gives, and a test compares the two.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceValidation,
};
use kube::CustomResourceExt;
use schemars::JsonSchema;
use serde_json::{Value, json};

use super::chain::{ApprovalChainObject, ApprovalChainSpec, ClusterApprovalChainObject};
use super::exception::{ApprovalExceptionObject, ApprovalExceptionSpec};
use super::gate::{ModelGateObject, ModelGateSpec, ModelGateStatus};
use super::policy::{ApprovalPolicyObject, ApprovalPolicySpec, ClusterApprovalPolicyObject};
use super::status::{ObjectStatus, PolicyStatus};
use super::structural;

/// Every custom resource.
///
/// ```
/// let definitions = countersign::api::crd::definitions();
/// assert!(definitions.iter().any(|crd| crd.spec.names.kind == "ApprovalPolicy"));
/// ```
#[must_use]
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![
        definition::<ApprovalChainObject, ApprovalChainSpec, ObjectStatus>(
            "Who decides about queries that policies of the same namespace hold.",
        ),
        definition::<ApprovalExceptionObject, ApprovalExceptionSpec, PolicyStatus>(
            "Rules that do not apply to some workloads for a time, with a reason and somebody who answers for it.",
        ),
        definition::<ApprovalPolicyObject, ApprovalPolicySpec, PolicyStatus>(
            "A policy: which queries to which workloads of its namespace are let through, changed, alerted on, held or \
             refused.",
        ),
        definition::<ClusterApprovalChainObject, ApprovalChainSpec, ObjectStatus>(
            "Who decides about queries that cluster policies hold. No namespace can shadow it.",
        ),
        definition::<ClusterApprovalPolicyObject, ApprovalPolicySpec, PolicyStatus>(
            "A policy for workloads of all namespaces: a floor, which policies of namespaces can only tighten.",
        ),
        definition::<ModelGateObject, ModelGateSpec, ModelGateStatus>(
            "An enrolled workload: which policies apply to it, and which rule set its gates have in force. Written by \
             the operator.",
        ),
    ]
}

fn definition<Object, Spec, Status>(about: &str) -> CustomResourceDefinition
where
    Object: CustomResourceExt,
    Spec: JsonSchema,
    Status: JsonSchema,
{
    let schema = whole(about, &structural::schema::<Spec>(), &structural::schema::<Status>());
    let schema = serde_json::from_value(schema).expect("a structural schema is one of an API server");
    let mut definition = Object::crd();
    let version = definition.spec.versions.first_mut().expect("the derive makes one version");
    version.schema = Some(CustomResourceValidation { open_api_v3_schema: Some(schema) });
    definition
}

fn whole(about: &str, spec: &Value, status: &Value) -> Value {
    json!({
        "type": "object",
        "description": about,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    })
}
