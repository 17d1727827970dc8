//! What is in the cluster: workloads with their Pods, tokens that are bound to them, and policies; all made through the API.
//!
//! No controllers run, so that they neither make Pods of their own nor take part in what is measured, and no node.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Namespace, Pod as PodObject, Secret, ServiceAccount};
use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Failure;
use crate::board::mark;

/// Where everything is.
pub(crate) const NAMESPACE: &str = "models";
/// Where the operator keeps what is its own.
pub(crate) const OPERATORS: &str = "countersign-system";
/// The policy that is changed; it comes before all others.
pub(crate) const PROBE: &str = "a-probe";
/// The audience of gates' tokens.
const AUDIENCE: &str = "countersign.dev/gate";
/// Requests at a time.
const AT_ONCE: usize = 16;
/// How often a list is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a condition is waited for.
const WITHIN: Duration = Duration::from_mins(5);

/// A Pod, and what its gate needs.
#[derive(Debug, Clone)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) uid: String,
    /// The UID of the Deployment.
    pub(crate) workload: String,
    pub(crate) token: String,
}

/// The API server.
#[derive(Clone)]
pub(crate) struct Cluster(pub(crate) Client);

impl Cluster {
    fn own<R>(&self) -> Api<R>
    where
        R: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.0.clone(), NAMESPACE)
    }

    fn policies(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("countersign.dev", "v1alpha1", "ApprovalPolicy");
        let resource = ApiResource::from_gvk_with_plural(&kind, "approvalpolicies");
        Api::namespaced_with(self.0.clone(), NAMESPACE, &resource)
    }

    /// The namespaces, and the account of all Pods.
    pub(crate) async fn prepare(&self) -> Result<(), Failure> {
        for name in [NAMESPACE, OPERATORS] {
            make(&Api::<Namespace>::all(self.0.clone()), json!({"metadata": {"name": name}})).await?;
        }
        make(&self.own::<ServiceAccount>(), json!({"metadata": {"name": "default"}})).await?;
        Ok(())
    }

    /// So many Pods, and a workload for each so many of them.
    pub(crate) async fn populate(&self, pods: usize, per_workload: usize) -> Result<Vec<Pod>, Failure> {
        let workloads = pods.div_ceil(per_workload);
        let sizes = (0..workloads).map(|number| (number, per_workload.min(pods - number * per_workload)));
        let made = stream::iter(sizes).map(|(number, size)| async move {
            let name = format!("llama-{number:04}");
            let (deployment, replicas) = self.workload(&name, size).await?;
            Ok::<_, Failure>((name, deployment, replicas, size))
        });
        let made: Vec<_> = made.buffered(AT_ONCE).try_collect().await?;
        let wanted = made.iter().flat_map(|(name, deployment, replicas, size)| {
            (0..*size).map(move |pod| (format!("{name}-{pod:04}"), name, deployment, replicas))
        });
        let pods = stream::iter(wanted)
            .map(|(pod, name, deployment, replicas)| async move { self.pod(pod, name, deployment, replicas).await });
        pods.buffered(AT_ONCE).try_collect().await
    }

    async fn workload(&self, name: &str, size: usize) -> Result<(String, String), Failure> {
        let labels = labels(name);
        let spec = json!({
            "replicas": size,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "model", "image": "model"}]}},
        });
        let deployment = json!({"metadata": {"name": name}, "spec": spec});
        let deployment = make(&self.own::<Deployment>(), deployment).await?.uid().unwrap_or_default();
        let owner = owner("Deployment", name, &deployment);
        let set = json!({"metadata": {"name": name, "labels": labels, "ownerReferences": [owner]}, "spec": spec});
        let set = make(&self.own::<ReplicaSet>(), set).await?.uid().unwrap_or_default();
        Ok((deployment, set))
    }

    async fn pod(&self, name: String, workload: &str, deployment: &str, replicas: &str) -> Result<Pod, Failure> {
        let owner = owner("ReplicaSet", workload, replicas);
        let pod = json!({
            "metadata": {"name": name, "labels": labels(workload), "ownerReferences": [owner]},
            "spec": {"containers": [{"name": "model", "image": "model"}]},
        });
        let uid = make(&self.own::<PodObject>(), pod).await?.uid().unwrap_or_default();
        let bound = json!({"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid});
        let request: TokenRequest = serde_json::from_value(
            json!({"metadata": {}, "spec": {"audiences": [AUDIENCE], "boundObjectRef": bound}}),
        )?;
        let accounts = self.own::<ServiceAccount>();
        let made = accounts.create_token_request("default", &PostParams::default(), &request).await?;
        let token = made.status.ok_or("the API server made no token")?.token;
        Ok(Pod { name, uid, workload: deployment.to_owned(), token })
    }

    /// Waits until so many workloads have been given something.
    pub(crate) async fn given(&self, workloads: usize) -> Result<(), Failure> {
        let kind = GroupVersionKind::gvk("countersign.dev", "v1alpha1", "ModelGate");
        let resource = ApiResource::from_gvk_with_plural(&kind, "modelgates");
        let gates: Api<DynamicObject> = Api::namespaced_with(self.0.clone(), NAMESPACE, &resource);
        let all = async {
            loop {
                let listed = gates.list(&ListParams::default()).await?;
                let given = listed.items.iter().filter(|gate| gate.data["status"]["distribution"].is_object());
                if given.count() >= workloads {
                    return Ok(());
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(WITHIN, all).await?
    }

    /// What gates are told to trust, once the operator has made it.
    pub(crate) async fn anchor(&self) -> Result<String, Failure> {
        let secrets = Api::<Secret>::namespaced(self.0.clone(), OPERATORS);
        let there = await_condition(secrets, "countersign-signing", |secret: Option<&Secret>| secret.is_some());
        let secret = tokio::time::timeout(WITHIN, there).await??.ok_or("the signing key is gone again")?;
        let data = secret.data.unwrap_or_default();
        let anchor = data.get("anchor").ok_or("the Secret with the signing key has no anchor")?;
        Ok(String::from_utf8(anchor.0.clone())?)
    }

    /// Changes the policy that is changed.
    pub(crate) async fn change(&self, round: u64) -> Result<i64, Failure> {
        self.apply(PROBE, &format!("project nightingale, {}", mark(round))).await
    }

    /// A policy for every workload; its generation.
    async fn apply(&self, name: &str, words: &str) -> Result<i64, Failure> {
        let words: Vec<_> = words.split(", ").collect();
        let rule = json!({"name": "words", "match": {"keywords": words}, "action": {"type": "Deny"}});
        let policy = json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "ApprovalPolicy",
            "metadata": {"name": name}, "spec": {"rules": [rule]},
        });
        let parameters = PatchParams::apply("bench").force();
        let made = self.policies().patch(name, &parameters, &Patch::Apply(&policy)).await?;
        Ok(made.metadata.generation.unwrap_or_default())
    }

    /// Policies of these numbers.
    pub(crate) async fn add(&self, numbers: std::ops::Range<usize>) -> Result<(), Failure> {
        let made = stream::iter(numbers).map(|number| async move {
            let words = format!("project {number}, merger {number}, letter of intent {number}");
            self.apply(&format!("policy-{number:04}"), &words).await.map(drop)
        });
        made.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Waits until the status of the policy that is changed says that a generation of it is everywhere.
    pub(crate) async fn propagated(&self, generation: i64) -> Result<(), Failure> {
        let is_so =
            move |policy: Option<&DynamicObject>| policy.is_some_and(|policy| is_everywhere(policy, generation));
        tokio::time::timeout(WITHIN, await_condition(self.policies(), PROBE, is_so)).await??;
        Ok(())
    }

    /// Waits until the status of every policy says that it is everywhere.
    pub(crate) async fn all_propagated(&self) -> Result<(), Failure> {
        let all = async {
            loop {
                let listed = self.policies().list(&ListParams::default()).await?;
                if listed.items.iter().all(|policy| is_everywhere(policy, 0)) {
                    return Ok(());
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(WITHIN, all).await?
    }

    /// What the API server counts of itself.
    pub(crate) async fn metrics(&self) -> Result<String, Failure> {
        let request = http::Request::get("/metrics").body(Vec::new())?;
        Ok(self.0.request_text(request).await?)
    }
}

async fn make<R>(api: &Api<R>, object: Value) -> Result<R, Failure>
where
    R: Clone + serde::Serialize + DeserializeOwned + std::fmt::Debug,
{
    let object: R = serde_json::from_value(object)?;
    Ok(api.create(&PostParams::default(), &object).await?)
}

fn labels(workload: &str) -> Value {
    json!({"app": workload, "countersign.dev/inject": "enabled"})
}

fn owner(kind: &str, name: &str, uid: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true})
}

fn is_everywhere(policy: &DynamicObject, generation: i64) -> bool {
    let newest = policy.metadata.generation.unwrap_or_default();
    let conditions = policy.data["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let says = |one: &Value| {
        one["type"] == "Propagated"
            && one["status"] == "True"
            && one["reason"] == "Acknowledged"
            && one["observedGeneration"] == newest
    };
    newest >= generation && conditions.iter().any(says)
}

/// A client of somebody.
pub(crate) async fn client(kubeconfig: &std::path::Path) -> Result<Arc<Cluster>, Failure> {
    let kubeconfig = kube::config::Kubeconfig::read_from(kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &kube::config::KubeConfigOptions::default()).await?;
    Ok(Arc::new(Cluster(Client::try_from(config)?)))
}
