//! Watches on the API server -> changes of the ledger. Objects of ours come as they are stored, whatever they hold; of others
//! only what is needed is kept.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt as _;
use futures_util::stream::select_all;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Pod as PodObject, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector as Selector, ObjectMeta};
use kube::api::{DynamicObject, PartialObjectMeta};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use super::arguments::ClusterPolicies;
use super::gates::{GateKey, Seen};
use super::kinds::{Key, Kind, gate_resource};
use super::ledger::{Stored, Told};
use super::listing::Change;
use super::pods::Pod;
use super::scope::{Joined, Scope};
use super::signing::Signing;
use super::workloads::{Owned, Owner, WorkloadKey};
use crate::api::gate::ModelGateStatus;
use crate::api::policy::LabelSelector;
use crate::rules::Workload;

/// The label that enrols a workload.
const ENROLLED: (&str, &str) = ("countersign.dev/inject", "enabled");

/// What watches bring.
#[derive(Debug)]
pub(super) enum News {
    /// Of an object of ours.
    Object(Kind, Change<Key, Stored>),
    /// Of something that owns Pods.
    Owner(Owner, Change<WorkloadKey, Owned>),
    /// Of a Pod, by its UID.
    Pod(Change<String, Pod>),
    /// Of a ReplicaSet and its Deployment, by their UIDs.
    ReplicaSet(Change<String, String>),
    /// Of a ModelGate.
    Gate(Change<GateKey, Box<Seen>>),
    /// Of the Secret with the key that signs.
    Signing(Change<(), Signing>),
}

/// What is watched.
#[derive(Debug, Clone)]
pub(super) struct Sight {
    /// Of what lives in namespaces.
    pub(super) scope: Scope,
    /// Whether policies and chains of the cluster count.
    pub(super) cluster_policies: ClusterPolicies,
}

/// How many watches have failed and have told nothing since.
pub(super) type Lost = Arc<AtomicUsize>;

/// Where watches tell what they see.
#[derive(Debug, Clone)]
pub(super) struct Teller {
    /// What they see.
    pub(super) news: Sender<News>,
    /// Whether they see.
    pub(super) lost: Lost,
}

/// Begins all watches. They end when the receiver is dropped, or with the set of tasks.
pub(super) fn begin(client: &Client, teller: &Teller, sight: &Sight) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let everything = watcher::Config::default;
    for kind in Kind::ALL {
        let resource = kind.resource();
        let apis: Vec<Api<DynamicObject>> = match (kind.lives_in_namespaces(), sight.cluster_policies) {
            (true, _) => sight.scope.apis(client, &resource),
            (false, ClusterPolicies::Watch) => vec![Api::all_with(client.clone(), &resource)],
            (false, ClusterPolicies::Ignore) => Vec::new(),
        };
        let read = move |object: &DynamicObject| Some(stored(kind, object));
        tasks.spawn(follow(apis, everything(), teller.clone(), read, move |change| News::Object(kind, change)));
    }
    let read = |owner: &Deployment| {
        let spec = owner.spec.as_ref()?;
        owned(Owner::Deployment, owner, &spec.template, &spec.selector)
    };
    let tell = |change| News::Owner(Owner::Deployment, change);
    tasks.spawn(follow(sight.scope.known(client), everything(), teller.clone(), read, tell));
    let read = |owner: &StatefulSet| {
        let spec = owner.spec.as_ref()?;
        owned(Owner::StatefulSet, owner, &spec.template, &spec.selector)
    };
    let tell = |change| News::Owner(Owner::StatefulSet, change);
    tasks.spawn(follow(sight.scope.known(client), everything(), teller.clone(), read, tell));

    let (label, enabled) = ENROLLED;
    let labelled = || everything().labels(&format!("{label}={enabled}"));
    tasks.spawn(follow(sight.scope.known(client), labelled(), teller.clone(), pod, News::Pod));
    tasks.spawn(follow(sight.scope.known(client), labelled(), teller.clone(), replica_set, News::ReplicaSet));
    let gates: Vec<Api<DynamicObject>> = sight.scope.apis(client, &gate_resource());
    tasks.spawn(follow(gates, everything(), teller.clone(), gate, News::Gate));
    tasks
}

/// Follows one kind for ever, in all places that it is looked for in. What `read` says nothing of is nothing.
pub(super) async fn follow<R, K, V>(
    apis: Vec<Api<R>>,
    config: watcher::Config,
    teller: Teller,
    read: impl Fn(&R) -> Option<(K, Option<V>)>,
    tell: impl Fn(Change<K, V>) -> News,
) where
    R: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    K: Ord + Clone,
{
    if apis.is_empty() {
        for change in [Change::ListBegins, Change::ListEnds] {
            let _ = teller.news.send(tell(change)).await;
        }
        return;
    }
    let mut joined = Joined::of(apis.len());
    let mut broken = vec![false; apis.len()];
    let lists = apis.into_iter().enumerate().map(|(list, api)| {
        let events = watcher(api, config.clone()).default_backoff();
        events.map(move |event| (list, event)).boxed()
    });
    let mut events = select_all(lists);
    while let Some((list, event)) = events.next().await {
        note(broken.get_mut(list), &event, &teller.lost);
        let changes = match event {
            Ok(event) => joined.take(list, event, &read),
            Err(error) => {
                tracing::warn!(%error, "a watch failed and begins again");
                Vec::new()
            }
        };
        for change in changes {
            if teller.news.send(tell(change)).await.is_err() {
                return;
            }
        }
    }
}

/// Notes whether a watch sees. That a list begins says nothing yet: nobody was asked.
fn note<R>(broken: Option<&mut bool>, event: &watcher::Result<Event<R>>, lost: &Lost) {
    let Some(broken) = broken else { return };
    match event {
        Ok(Event::Init) => {}
        Ok(_) if std::mem::replace(broken, false) => drop(lost.fetch_sub(1, Ordering::AcqRel)),
        Err(_) if !std::mem::replace(broken, true) => drop(lost.fetch_add(1, Ordering::AcqRel)),
        Ok(_) | Err(_) => {}
    }
}

fn stored(kind: Kind, object: &DynamicObject) -> (Key, Option<Stored>) {
    let metadata = json!({"name": object.name_any(), "namespace": object.namespace()});
    let told = object.data.get("status").map_or(Told::default(), told);
    let mut text = object.data.clone();
    if let Some(fields) = text.as_object_mut() {
        fields.remove("status");
        fields.insert("apiVersion".to_owned(), json!(crate::api::API_VERSION));
        fields.insert("kind".to_owned(), json!(kind.name()));
        fields.insert("metadata".to_owned(), metadata);
    }
    let stored = Stored {
        uid: object.uid().unwrap_or_default(),
        version: object.resource_version(),
        generation: object.metadata.generation.unwrap_or_default(),
        text: text.to_string(),
        status: told,
    };
    (Key { kind, namespace: object.namespace(), name: object.name_any() }, Some(stored))
}

/// What a status says; one that cannot be read says nothing, and is written anew.
fn told(status: &Value) -> Told {
    Told {
        observed_generation: status["observedGeneration"].as_i64(),
        conditions: serde_json::from_value(status["conditions"].clone()).unwrap_or_default(),
        gates: serde_json::from_value(status["gates"].clone()).unwrap_or_default(),
    }
}

fn owned<R: Resource>(
    owner: Owner,
    object: &R,
    template: &PodTemplateSpec,
    selector: &Selector,
) -> Option<(WorkloadKey, Option<Owned>)>
where
    R::DynamicType: Default,
{
    let key = WorkloadKey { namespace: object.namespace()?, owner, name: object.name_any() };
    let labels = template.metadata.as_ref().and_then(|metadata| metadata.labels.clone()).unwrap_or_default();
    let (label, enabled) = ENROLLED;
    let owned = Owned {
        uid: object.uid()?,
        asks: [object.labels().get(label), labels.get(label)].contains(&Some(&enabled.to_owned())),
        selector: own_selector(selector),
        workload: Workload { namespace: key.namespace.clone(), name: key.name.clone(), labels },
    };
    Some((key, Some(owned)))
}

/// The same selector as we write it: the two types have the same fields.
fn own_selector(selector: &Selector) -> LabelSelector {
    serde_json::to_value(selector).and_then(serde_json::from_value).unwrap_or_default()
}

/// Of a Pod, what is needed: there are thousands, and each is large.
#[derive(Debug, Clone, Deserialize)]
struct SlimPod {
    metadata: ObjectMeta,
    #[serde(default)]
    status: SlimStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct SlimStatus {
    phase: Option<String>,
}

impl Resource for SlimPod {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        PodObject::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        PodObject::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        PodObject::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        PodObject::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// A Pod that has ended, is being deleted, or is nobody's, is as good as gone.
fn pod(object: &SlimPod) -> Option<(String, Option<Pod>)> {
    let uid = object.uid()?;
    let phase = object.status.phase.as_deref().unwrap_or_default();
    if object.metadata.deletion_timestamp.is_some() || ["Succeeded", "Failed"].contains(&phase) {
        return Some((uid, None));
    }
    let controller = controller(&object.metadata, &["ReplicaSet", "StatefulSet"]);
    let pod = controller.zip(object.namespace()).map(|(controller, namespace)| Pod {
        namespace,
        name: object.name_any(),
        controller,
        runs: phase == "Running",
    });
    Some((uid, pod))
}

fn replica_set(object: &PartialObjectMeta<ReplicaSet>) -> Option<(String, Option<String>)> {
    Some((object.uid()?, controller(&object.metadata, &["Deployment"])))
}

/// The UID of what controls an object, if it is one of these kinds.
fn controller(metadata: &ObjectMeta, kinds: &[&str]) -> Option<String> {
    let mut owners = metadata.owner_references.iter().flatten();
    let controls = |owner: &&k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference| {
        owner.controller == Some(true) && owner.api_version == "apps/v1" && kinds.contains(&owner.kind.as_str())
    };
    owners.find(controls).map(|owner| owner.uid.clone())
}

/// A ModelGate. One that cannot be read is let be: whoever takes it for none would begin its sequences anew.
pub(super) fn gate(object: &DynamicObject) -> Option<(GateKey, Option<Box<Seen>>)> {
    let key = (object.namespace()?, object.name_any());
    let part = |name: &str| object.data.get(name).cloned();
    let spec = serde_json::from_value(part("spec")?);
    let status = part("status").map_or_else(|| Ok(ModelGateStatus::default()), serde_json::from_value);
    let (Ok(spec), Ok(status)) = (spec, status) else {
        tracing::warn!(namespace = key.0, name = key.1, "a ModelGate cannot be read");
        return None;
    };
    let seen = Seen {
        uid: object.uid()?,
        version: object.resource_version()?,
        generation: object.metadata.generation.unwrap_or_default(),
        goes: object.metadata.deletion_timestamp.is_some(),
        spec,
        status,
    };
    Some((key, Some(Box::new(seen))))
}
