//! The Secret: every replica serves with what it holds, and the leader sees to it that it holds what it should.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use tokio::sync::watch;

use super::Current;
use super::material::{Flaw, Material, Served};
use super::rotation::{self, Announced};
use crate::base::Clock;
use crate::operator::leader::Term;
use crate::operator::run::MANAGER;
use crate::operator::sighting::Sighting;

/// The name of the Secret.
const SECRET: &str = "countersign-certificates";
/// What the certificate is for, in an annotation: what differs is made anew.
const NAMES: &str = "countersign.dev/names";
/// How often it is looked whether something is due. Everything that comes due has days of time.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// What could not be written is tried again after this long.
const AGAIN: Duration = Duration::from_secs(5);
/// Longest wait for an answer of the API server.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Why the Secret was not written.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the API server did not answer in time")]
    Slow(#[from] tokio::time::error::Elapsed),
    #[error(transparent)]
    Refused(#[from] kube::Error),
    #[error(transparent)]
    Flaw(#[from] Flaw),
}

/// Keeps the Secret.
pub(in super::super) struct Keeper {
    api: Api<Secret>,
    names: Vec<String>,
    current: Arc<Current>,
    term: Term,
    clock: Arc<dyn Clock>,
    /// The authorities that whoever is to trust them was told of; `None` where nobody is to be told.
    announced: Option<watch::Receiver<Option<String>>>,
    seen: Sighting<Secret>,
}

impl Keeper {
    /// Of the Secret of this namespace, for a certificate of these names.
    pub(in super::super) fn new(
        client: Client,
        namespace: &str,
        names: Vec<String>,
        current: Arc<Current>,
        term: Term,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let api = Api::namespaced(client, namespace);
        Self { api, names, current, term, clock, announced: None, seen: Sighting::Unknown }
    }

    /// Waits with new authorities until these are the announced ones.
    pub(in super::super) fn announced_by(mut self, announced: watch::Receiver<Option<String>>) -> Self {
        self.announced = Some(announced);
        self
    }

    /// Keeps it for ever.
    pub(in super::super) async fn keep(mut self) {
        let mut sightings = watcher::watch_object(self.api.clone(), SECRET).default_backoff().boxed();
        let (mut led, mut rest) = (false, LOOK_EVERY);
        loop {
            tokio::select! {
                sighting = sightings.next() => match sighting {
                    Some(Ok(secret)) => self.saw(secret),
                    Some(Err(error)) => tracing::warn!(%error, "the watch of the certificates failed and begins again"),
                    None => return,
                },
                leads = self.term.turned(led) => led = leads,
                () = tokio::time::sleep(rest) => {}
            }
            rest = if self.term.holds() && !self.replace().await { AGAIN } else { LOOK_EVERY };
        }
    }

    fn saw(&mut self, secret: Option<Secret>) {
        if let Some(data) = secret.as_ref().and_then(|secret| secret.data.as_ref()) {
            let served = Served::read(|name| Some(data.get(name)?.0.clone()));
            if let Err(flaw) = served.and_then(|served| self.current.take(served)) {
                tracing::warn!(%flaw, "what the Secret `{SECRET}` holds is not served with");
            }
        }
        self.seen = secret.into();
    }

    /// Replaces what is due; whether everything is as it should be then.
    async fn replace(&mut self) -> bool {
        if !self.seen.is_known() {
            return true;
        }
        let seen = self.seen.there();
        let next = match self.next(seen) {
            Ok(None) => return true,
            Ok(Some(next)) => next,
            Err(flaw) => {
                tracing::error!(%flaw, "no certificate can be made");
                return false;
            }
        };
        match self.write(seen.cloned(), &next).await {
            Ok(secret) => {
                tracing::info!(authorities = next.authorities.len(), until = %next.leaf.about.until, "certificates are replaced");
                self.saw(Some(secret));
                true
            }
            // Somebody else was first: the watch brings what it is now.
            Err(Failure::Refused(kube::Error::Api(status))) if status.is_conflict() || status.is_already_exists() => {
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the Secret `{SECRET}` could not be written");
                false
            }
        }
    }

    fn next(&self, seen: Option<&Secret>) -> Result<Option<Material>, Flaw> {
        let empty = BTreeMap::new();
        let data = seen.and_then(|secret| secret.data.as_ref()).unwrap_or(&empty);
        let material = match Material::read(data) {
            Ok(material) => Some(material),
            Err(flaw) => {
                if seen.is_some() {
                    tracing::warn!(%flaw, "what the Secret `{SECRET}` holds is of no use, and is made anew");
                }
                None
            }
        };
        let annotations = seen.and_then(|secret| secret.metadata.annotations.as_ref());
        let made_for: Vec<String> = annotations
            .and_then(|annotations| annotations.get(NAMES))
            .map_or_else(Vec::new, |names| names.split(',').map(str::to_owned).collect());
        let announced = match (&self.announced, &material) {
            (Some(announced), Some(material)) if *announced.borrow() != Some(material.trusted()) => Announced::No,
            _ => Announced::Yes,
        };
        rotation::next(material.as_ref(), &made_for, &self.names, announced, self.clock.now())
    }

    /// Writes it over what was seen, and over nothing else.
    async fn write(&self, seen: Option<Secret>, next: &Material) -> Result<Secret, Failure> {
        let left = self.term.left().min(ANSWER_MAX);
        let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let is_new = seen.is_none();
        let mut secret = seen.unwrap_or_default();
        secret.metadata.name = Some(SECRET.to_owned());
        secret.metadata.annotations.get_or_insert_default().insert(NAMES.to_owned(), self.names.join(","));
        secret.type_.get_or_insert_with(|| "kubernetes.io/tls".to_owned());
        secret.data.get_or_insert_default().extend(next.data());
        let written = async {
            if is_new {
                self.api.create(&parameters, &secret).await
            } else {
                self.api.replace(SECRET, &parameters, &secret).await
            }
        };
        Ok(tokio::time::timeout(left, written).await??)
    }
}
