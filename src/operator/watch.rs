//! Watches on the API server -> changes of the ledger. Objects of ours come as they are stored, whatever they hold; of owners
//! only what policies select by is kept.

use std::fmt::Debug;

use futures_util::StreamExt as _;
use futures_util::stream::select_all;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use kube::api::DynamicObject;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use super::arguments::ClusterPolicies;
use super::kinds::{Key, Kind};
use super::ledger::{Change, Owner, Stored, Told, WorkloadKey};
use super::scope::{Joined, Scope};
use crate::rules::Workload;

/// The label that enrols a workload.
const ENROLLED: (&str, &str) = ("countersign.dev/inject", "enabled");

/// What watches bring.
#[derive(Debug)]
pub(super) enum News {
    /// Of an object of ours.
    Object(Kind, Change<Key, Stored>),
    /// Of a workload.
    Owner(Owner, Change<WorkloadKey, Workload>),
}

/// What is watched.
#[derive(Debug, Clone)]
pub(super) struct Sight {
    /// Of what lives in namespaces.
    pub(super) scope: Scope,
    /// Whether policies and chains of the cluster count.
    pub(super) cluster_policies: ClusterPolicies,
}

/// Begins all watches. They end when the receiver is dropped, or with the set of tasks.
pub(super) fn begin(client: &Client, news: &Sender<News>, sight: &Sight) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for kind in Kind::ALL {
        let resource = kind.resource();
        let apis: Vec<Api<DynamicObject>> = match (kind.lives_in_namespaces(), sight.cluster_policies) {
            (true, _) => sight.scope.apis(client, &resource),
            (false, ClusterPolicies::Watch) => vec![Api::all_with(client.clone(), &resource)],
            (false, ClusterPolicies::Ignore) => Vec::new(),
        };
        let read = move |object: &DynamicObject| Some(stored(kind, object));
        tasks.spawn(follow(apis, news.clone(), read, move |change| News::Object(kind, change)));
    }
    let read = |owner: &Deployment| workload(Owner::Deployment, owner, owner.spec.as_ref().map(|spec| &spec.template));
    let tell = |change| News::Owner(Owner::Deployment, change);
    tasks.spawn(follow(sight.scope.known(client), news.clone(), read, tell));
    let read =
        |owner: &StatefulSet| workload(Owner::StatefulSet, owner, owner.spec.as_ref().map(|spec| &spec.template));
    let tell = |change| News::Owner(Owner::StatefulSet, change);
    tasks.spawn(follow(sight.scope.known(client), news.clone(), read, tell));
    tasks
}

/// Follows one kind for ever, in all places that it is looked for in. What `read` says nothing of is nothing.
async fn follow<R, K, V>(
    apis: Vec<Api<R>>,
    news: Sender<News>,
    read: impl Fn(&R) -> Option<(K, Option<V>)>,
    tell: impl Fn(Change<K, V>) -> News,
) where
    R: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    K: Ord + Clone,
{
    if apis.is_empty() {
        for change in [Change::ListBegins, Change::ListEnds] {
            let _ = news.send(tell(change)).await;
        }
        return;
    }
    let mut joined = Joined::of(apis.len());
    let lists = apis.into_iter().enumerate().map(|(list, api)| {
        let events = watcher(api, watcher::Config::default()).default_backoff();
        events.map(move |event| (list, event)).boxed()
    });
    let mut events = select_all(lists);
    while let Some((list, event)) = events.next().await {
        let changes = match event {
            Ok(event) => joined.take(list, event, &read),
            Err(error) => {
                tracing::warn!(%error, "a watch failed and begins again");
                Vec::new()
            }
        };
        for change in changes {
            if news.send(tell(change)).await.is_err() {
                return;
            }
        }
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
    }
}

fn workload<R: Resource>(
    owner: Owner,
    object: &R,
    template: Option<&PodTemplateSpec>,
) -> Option<(WorkloadKey, Option<Workload>)>
where
    R::DynamicType: Default,
{
    let key = WorkloadKey { owner, namespace: object.namespace()?, name: object.name_any() };
    let labels = template.and_then(|template| template.metadata.as_ref()?.labels.clone()).unwrap_or_default();
    let (label, enabled) = ENROLLED;
    let enrolled = [object.labels().get(label), labels.get(label)].contains(&Some(&enabled.to_owned()));
    let workload = Workload { namespace: key.namespace.clone(), name: key.name.clone(), labels };
    Some((key, enrolled.then_some(workload)))
}
