//! Telling the API server whom to ask: a `ValidatingWebhookConfiguration` that the leader makes, and mends where it is about what
//! is asked, and who answers. How long is waited, and which namespaces are left out, is for administrators to change.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::serve::PATH;
use crate::operator::arguments::ClusterPolicies;
use crate::operator::kinds::Kind;
use crate::operator::leader::Term;
use crate::operator::run::MANAGER;
use crate::operator::scope::Scope;
use crate::operator::sighting::Sighting;
use crate::operator::watch::Sight;

/// The one webhook of the configuration.
const WEBHOOK: &str = "validate.countersign.dev";
/// Longest that an API server waits: people wait for it, and an object that is not judged is stored.
const ANSWER_SECONDS_MAX: u32 = 5;
/// Longest wait for an answer of the API server.
const WRITE_MAX: Duration = Duration::from_secs(10);
/// What could not be written is tried again after this long,
const AGAIN: Duration = Duration::from_secs(5);
/// and without a failure nothing is due before something changes.
const NEVER: Duration = Duration::from_hours(1);

/// How an API server reaches the webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Reach {
    /// Through a Service in the operator's own namespace.
    Service {
        /// Its name.
        name: String,
        /// Its port.
        port: u16,
    },
    /// By an address.
    Url(String),
}

/// What the API server is to be told.
#[derive(Debug, Clone)]
pub(in super::super) struct Registration {
    /// How the webhook is reached.
    pub(in super::super) reach: Reach,
    /// The operator's own namespace.
    pub(in super::super) namespace: String,
    /// What the operator looks at.
    pub(in super::super) sight: Sight,
}

impl Registration {
    /// Keeps it as it is to be, for ever. `announced` is told which authorities the API server was told to trust.
    pub(in super::super) async fn keep(
        self,
        client: Client,
        mut term: Term,
        mut trusted: watch::Receiver<Option<String>>,
        announced: watch::Sender<Option<String>>,
    ) {
        let api: Api<ValidatingWebhookConfiguration> = Api::all(client);
        let name = self.name();
        let mut sightings = watcher::watch_object(api.clone(), &name).default_backoff().boxed();
        let (mut led, mut rest) = (false, NEVER);
        let mut seen = Sighting::Unknown;
        loop {
            tokio::select! {
                sighting = sightings.next() => match sighting {
                    Some(Ok(configuration)) => seen = configuration.into(),
                    Some(Err(error)) => tracing::warn!(%error, "the watch of the webhook configuration failed and begins again"),
                    None => return,
                },
                leads = term.turned(led) => led = leads,
                changed = trusted.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(rest) => {}
            }
            rest = NEVER;
            let authorities = trusted.borrow_and_update().clone();
            let Some(authorities) = authorities.filter(|_| seen.is_known()) else { continue };
            if self.is_told(seen.there(), &authorities) {
                announced.send_replace(Some(authorities));
            } else if term.holds() {
                let left = term.left().min(WRITE_MAX);
                match tokio::time::timeout(left, self.tell(&api, seen.there(), &authorities)).await {
                    Ok(Ok(configuration)) => {
                        tracing::info!(name, "the API server was told how to ask the webhook");
                        seen = Some(configuration).into();
                        announced.send_replace(Some(authorities));
                    }
                    // Somebody else was first: the watch brings what it is now.
                    Ok(Err(kube::Error::Api(status))) if status.is_conflict() || status.is_already_exists() => {}
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "the webhook configuration could not be written");
                        rest = AGAIN;
                    }
                    Err(_) => rest = AGAIN,
                }
            }
        }
    }

    /// The name of the configuration: operators in other namespaces have others.
    fn name(&self) -> String {
        format!("countersign.{}", self.namespace)
    }

    /// Whether a configuration says whom to ask, for what, and whom to trust in that.
    fn is_told(&self, found: Option<&ValidatingWebhookConfiguration>, authorities: &str) -> bool {
        let Some(webhook) = found.and_then(webhook) else { return false };
        let (client, rules) = (self.client(authorities), self.rules());
        let fields = ["caBundle", "service", "url"];
        fields.iter().all(|field| client[field].is_null() || webhook["clientConfig"][field] == client[field])
            && webhook["rules"] == rules
    }

    async fn tell(
        &self,
        api: &Api<ValidatingWebhookConfiguration>,
        found: Option<&ValidatingWebhookConfiguration>,
        authorities: &str,
    ) -> Result<ValidatingWebhookConfiguration, kube::Error> {
        let Some(found) = found else {
            let whole = json!({
                "metadata": {"name": self.name(), "labels": {"app.kubernetes.io/managed-by": MANAGER}},
                "webhooks": [self.whole(authorities)],
            });
            let whole = serde_json::from_value(whole).map_err(kube::Error::SerdeError)?;
            let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
            return api.create(&parameters, &whole).await;
        };
        let webhook = if webhook(found).is_some() { self.own(authorities) } else { self.whole(authorities) };
        let patch = json!({
            "metadata": {"resourceVersion": found.metadata.resource_version},
            "webhooks": [webhook],
        });
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        api.patch(&self.name(), &parameters, &Patch::Strategic(patch)).await
    }

    /// What is always the operator's to say.
    fn own(&self, authorities: &str) -> Value {
        json!({"name": WEBHOOK, "clientConfig": self.client(authorities), "rules": self.rules()})
    }

    /// That, and what administrators may change afterwards.
    fn whole(&self, authorities: &str) -> Value {
        let mut whole = self.own(authorities);
        if let Some(client) = whole["clientConfig"].as_object_mut() {
            client.retain(|_, value| !value.is_null());
        }
        whole["admissionReviewVersions"] = json!(["v1"]);
        whole["failurePolicy"] = json!("Ignore");
        whole["sideEffects"] = json!("None");
        whole["timeoutSeconds"] = json!(ANSWER_SECONDS_MAX);
        if let Scope::Namespaces(names) = &self.sight.scope {
            whole["namespaceSelector"] = json!({"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": names}]});
        }
        whole
    }

    fn client(&self, authorities: &str) -> Value {
        // Where somebody else says whom to trust, that is let be.
        let bundle = (!authorities.is_empty()).then(|| STANDARD.encode(authorities));
        let mut client = match &self.reach {
            Reach::Service { name, port } => {
                let service = json!({"name": name, "namespace": self.namespace, "path": PATH, "port": port});
                json!({"service": service, "url": null})
            }
            Reach::Url(url) => json!({"service": null, "url": format!("{}{PATH}", url.trim_end_matches('/'))}),
        };
        if let Some(bundle) = bundle {
            client["caBundle"] = json!(bundle);
        }
        client
    }

    fn rules(&self) -> Value {
        let all = self.sight.cluster_policies == ClusterPolicies::Watch;
        let rule = |lives_in_namespaces: bool, scope: &str| {
            let kinds = Kind::ALL.into_iter().filter(|kind| kind.lives_in_namespaces() == lives_in_namespaces);
            let resources: Vec<_> = kinds.map(|kind| kind.resource().plural).collect();
            json!({
                "apiGroups": ["countersign.dev"],
                "apiVersions": ["v1alpha1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": resources,
                "scope": scope,
            })
        };
        let cluster = all.then(|| rule(false, "Cluster"));
        Value::Array([rule(true, "Namespaced")].into_iter().chain(cluster).collect())
    }
}

/// Our webhook of a configuration, as JSON.
fn webhook(configuration: &ValidatingWebhookConfiguration) -> Option<Value> {
    let webhooks = configuration.webhooks.as_ref()?;
    let webhook = webhooks.iter().find(|webhook| webhook.name == WEBHOOK)?;
    serde_json::to_value(webhook).ok()
}
