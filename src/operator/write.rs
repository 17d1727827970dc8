//! Writing to the API server, beside everything else: a bounded number of writes at a time, one for each object.
//!
//! Guarantees: nothing is written over what this process has not seen. What fails is tried again, later.

use std::collections::HashMap;
use std::time::Duration;

use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Status;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::gate_status::Deed;
use super::gates::{GateKey, Seen};
use super::kinds::{Key, gate_resource};
use super::ledger::Told;
use super::run::MANAGER;
use super::signing::{self, Signing};
use super::watch::gate;
use crate::api::API_VERSION;

/// Writes of each kind at one time: neither waits for the other. More would only wait in the API server.
const WRITES_MAX: usize = 12;
/// Longest wait for one answer of the API server.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// What could not be written is tried again after this long,
const AGAIN: Duration = Duration::from_secs(5);
/// and what somebody else has changed meanwhile, when the watch has surely told of it.
const AGAIN_CHANGED: Duration = Duration::from_millis(100);

/// What an API server says of a namespace that is being deleted.
const TERMINATING: &str = "NamespaceTerminating";

/// What is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Target {
    /// The ModelGate of the workload with this UID.
    Gate(String),
    /// The status of an object.
    Object(Key),
    /// The Secret with the key that signs.
    Signing,
}

/// What came of a write.
#[derive(Debug)]
pub(super) enum Written {
    /// The ModelGate is now so.
    Gate(GateKey, Box<Seen>),
    /// The ModelGate is gone, or going.
    Nothing,
    /// The status says this now; the version of the object.
    Status(Told, Option<String>),
}

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteFailure {
    #[error("the API server did not answer in time")]
    Slow(#[from] tokio::time::error::Elapsed),
    #[error(transparent)]
    Refused(#[from] kube::Error),
    #[error("the answer of the API server cannot be read")]
    Unreadable,
}

impl WriteFailure {
    fn status(&self) -> Option<&Status> {
        match self {
            Self::Refused(kube::Error::Api(status)) => Some(status),
            Self::Refused(_) | Self::Slow(_) | Self::Unreadable => None,
        }
    }

    /// Somebody else was first: no fault of anybody.
    pub(super) fn is_change(&self) -> bool {
        self.status().is_some_and(|status| matches!(status.code, 404 | 409)) || self.is_end()
    }

    /// What is known here will be newer in a moment, and then it may be tried again.
    fn is_race(&self) -> bool {
        self.status().is_some_and(|status| matches!(status.code, 404 | 409) && status.reason != "AlreadyExists")
    }

    /// The namespace is being deleted, and nothing is made in it any more.
    fn is_end(&self) -> bool {
        let details = self.status().and_then(|status| status.details.as_ref());
        details.is_some_and(|details| details.causes.iter().any(|cause| cause.reason == TERMINATING))
    }
}

/// Writes that are under way, and those that are to wait.
pub(super) struct Writer {
    client: Client,
    tasks: JoinSet<(Target, Result<Written, WriteFailure>)>,
    /// What is being written, or not before when.
    held: HashMap<Target, Option<Instant>>,
    gates: usize,
    objects: usize,
}

impl Writer {
    pub(super) fn new(client: Client) -> Self {
        Self { client, tasks: JoinSet::new(), held: HashMap::new(), gates: 0, objects: 0 }
    }

    /// Whether no more ModelGates may be written now.
    pub(super) const fn is_full_of_gates(&self) -> bool {
        self.gates >= WRITES_MAX
    }

    /// Whether no more statuses may be written now.
    pub(super) const fn is_full_of_statuses(&self) -> bool {
        self.objects >= WRITES_MAX
    }

    /// Whether this is neither being written nor to wait.
    pub(super) fn is_free(&self, target: &Target, now: Instant) -> bool {
        self.held.get(target).is_none_or(|until| until.is_some_and(|until| until <= now))
    }

    /// Lets this wait as if it had failed.
    pub(super) fn wait(&mut self, target: Target) {
        self.held.insert(target, Some(Instant::now() + AGAIN));
    }

    /// When something that has to wait may be tried again. A time that is over is never one to wait for, also where nobody wants
    /// to write that any more.
    pub(super) fn again_at(&mut self, now: Instant) -> Option<Instant> {
        self.held.retain(|_, until| until.is_none_or(|until| until > now));
        self.held.values().flatten().min().copied()
    }

    /// Does what is to be done about a ModelGate, within this time.
    pub(super) fn gate(&mut self, workload: String, deed: Deed, within: Duration) {
        let client = self.client.clone();
        self.start(Target::Gate(workload), within, async move { do_deed(client, deed).await });
    }

    /// Writes the status of an object, within this time.
    pub(super) fn status(&mut self, key: Key, patch: Value, told: Told, within: Duration) {
        let client = self.client.clone();
        self.start(Target::Object(key.clone()), within, async move { write_status(client, &key, &patch, told).await });
    }

    /// Makes the Secret with the key that signs, within this time.
    pub(super) fn signing(&mut self, namespace: String, signing: Signing, within: Duration) {
        let client = self.client.clone();
        self.start(Target::Signing, within, async move {
            signing::create(client, &namespace, &signing).await?;
            Ok(Written::Nothing)
        });
    }

    fn start<F>(&mut self, target: Target, within: Duration, write: F)
    where
        F: Future<Output = Result<Written, WriteFailure>> + Send + 'static,
    {
        self.count(&target, 1);
        self.held.insert(target.clone(), None);
        self.tasks.spawn(async move {
            let written = tokio::time::timeout(within.min(ANSWER_MAX), write).await;
            (target, written.unwrap_or_else(|elapsed| Err(elapsed.into())))
        });
    }

    const fn count(&mut self, target: &Target, by: isize) {
        let writes = match target {
            Target::Gate(_) => &mut self.gates,
            Target::Object(_) => &mut self.objects,
            Target::Signing => return,
        };
        *writes = writes.saturating_add_signed(by);
    }

    /// What was written next; waits for ever while nothing is being written.
    pub(super) async fn next(&mut self) -> (Target, Result<Written, WriteFailure>) {
        loop {
            match self.tasks.join_next().await {
                Some(Ok((target, written))) => {
                    self.count(&target, -1);
                    match &written {
                        Ok(_) => self.held.remove(&target),
                        Err(failure) => {
                            let soon = failure.is_race() && target != Target::Signing;
                            let wait = if soon { AGAIN_CHANGED } else { AGAIN };
                            self.held.insert(target.clone(), Some(Instant::now() + wait))
                        }
                    };
                    return (target, written);
                }
                // A task that was ended with the runtime.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}

async fn do_deed(client: Client, deed: Deed) -> Result<Written, WriteFailure> {
    let api =
        |namespace: &str| -> Api<DynamicObject> { Api::namespaced_with(client.clone(), namespace, &gate_resource()) };
    let seen = |object: DynamicObject| match gate(&object) {
        Some((key, Some(seen))) => Ok(Written::Gate(key, seen)),
        Some((_, None)) | None => Err(WriteFailure::Unreadable),
    };
    match deed {
        Deed::Create((namespace, name), spec) => {
            let object = json!({
                "apiVersion": API_VERSION,
                "kind": "ModelGate",
                "metadata": {"name": name, "namespace": namespace},
                "spec": spec,
            });
            let object = serde_json::from_value(object).map_err(|_| WriteFailure::Unreadable)?;
            let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
            seen(api(&namespace).create(&parameters, &object).await?)
        }
        Deed::Delete((namespace, name), uid) => {
            let preconditions = Some(Preconditions { uid: Some(uid), resource_version: None });
            let parameters = DeleteParams { preconditions, ..DeleteParams::default() };
            api(&namespace).delete(&name, &parameters).await?;
            Ok(Written::Nothing)
        }
        Deed::Tell((namespace, name), patch) => {
            let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
            seen(api(&namespace).patch_status(&name, &parameters, &Patch::Merge(&patch)).await?)
        }
    }
}

async fn write_status(client: Client, key: &Key, patch: &Value, told: Told) -> Result<Written, WriteFailure> {
    let resource = key.kind.resource();
    let api: Api<DynamicObject> = match &key.namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let parameters = PatchParams::apply(MANAGER).force();
    let object = api.patch_status(&key.name, &parameters, &Patch::Apply(patch)).await?;
    Ok(Written::Status(told, object.resource_version()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_nobody_wants_to_write_any_more_is_not_waited_for_when_its_time_is_over() {
        let nowhere = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let mut writer = Writer::new(Client::try_from(nowhere).unwrap());
        let now = Instant::now();
        writer.wait(Target::Signing);
        let (early, late) = (now + Duration::from_secs(1), now + AGAIN * 2);
        assert!(writer.again_at(early).is_some_and(|at| at > early) && !writer.is_free(&Target::Signing, early));
        assert!(writer.is_free(&Target::Signing, late));
        assert_eq!(writer.again_at(late), None);
        assert!(writer.is_free(&Target::Signing, early), "it is let go");
    }
}
