//! Which of several operators writes: a Lease in the operator's own namespace names one.
//!
//! Guarantees that a process counts as leading only while no other can have taken the Lease, by clocks that also count while
//! the process or its machine stands still; that the Lease is given up at once when the process is asked to stop; and that
//! whoever waits for it hears of that from the API server, without asking.
//!
//! A write that was sent just before the lead was lost may still arrive: what the leader writes is therefore guarded by the
//! version of what it writes over.

mod election;
#[cfg(test)]
mod tests;

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::SignedDuration;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::watch;

use self::election::{Election, Moment, Step, Timing};
use super::arguments::Place;
use super::run::MANAGER;
use crate::base::Clock;
use crate::telemetry::OperatorMetrics;

/// The name of the Lease.
const LEASE: &str = "countersign-operator";

/// Longest wait for an answer when the process is to stop.
const LAST_ANSWER_MAX: Duration = Duration::from_secs(1);

/// Time since this process began, by both of its clocks.
struct Elapsed {
    clock: Arc<dyn Clock>,
    last: Mutex<(Duration, jiff::Timestamp, Moment)>,
}

impl Elapsed {
    fn new(clock: Arc<dyn Clock>) -> Self {
        let none = Moment { least: Duration::ZERO, most: Duration::ZERO };
        let last = Mutex::new((clock.monotonic(), clock.now(), none));
        Self { clock, last }
    }

    fn now(&self) -> Moment {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (monotonic, wall) = (self.clock.monotonic(), self.clock.now());
        let by_wall = wall.duration_since(last.1).max(SignedDuration::ZERO).unsigned_abs();
        let passed = monotonic.saturating_sub(last.0);
        // The one does not count while a machine sleeps, the other is set forward as well as back.
        let now = Moment { least: last.2.least + passed, most: last.2.most + passed.max(by_wall) };
        *last = (monotonic, wall, now);
        now
    }
}

impl std::fmt::Debug for Elapsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Elapsed")
    }
}

/// Whether this process leads. Cloning gives another view of the same.
#[derive(Debug, Clone)]
pub(super) struct Term {
    elapsed: Arc<Elapsed>,
    until: watch::Receiver<Option<Duration>>,
}

impl Term {
    /// How long this process surely still leads: nothing when it does not. To be asked before every write of a leader, which must
    /// not take longer.
    pub(super) fn left(&self) -> Duration {
        // INVARIANT: the clock is read here, not by a task that may not have run since the process stood still.
        let now = self.elapsed.now().most;
        self.until.borrow().map_or(Duration::ZERO, |until| until.saturating_sub(now))
    }

    /// Whether this process leads now.
    pub(super) fn holds(&self) -> bool {
        !self.left().is_zero()
    }

    /// Waits until this process begins to lead, where it did not, or ends, where it did: whichever it is then.
    pub(super) async fn turned(&mut self, led: bool) -> bool {
        let turned = self.until.wait_for(|until| until.is_some() != led).await.map(|until| until.is_some());
        match turned {
            Ok(leads) => leads,
            Err(_over) => std::future::pending().await,
        }
    }
}

/// Why a step of the election failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the API server did not answer in time")]
    Slow(#[from] tokio::time::error::Elapsed),
    #[error(transparent)]
    Refused(#[from] kube::Error),
    #[error("namespace `{0}` is not there: create it, or name another with --namespace")]
    NoNamespace(String),
}

/// This process's part in the election.
pub(super) struct Candidate {
    client: Client,
    api: Api<Lease>,
    place: Place,
    timing: Timing,
    election: Election,
    clock: Arc<dyn Clock>,
    elapsed: Arc<Elapsed>,
    until: watch::Sender<Option<Duration>>,
    metrics: OperatorMetrics,
    complained: bool,
}

impl Candidate {
    /// A process that follows. The client must not try again by itself: what it sends late counts for nothing.
    pub(super) fn new(
        client: Client,
        place: &Place,
        lease: Duration,
        clock: Arc<dyn Clock>,
        metrics: OperatorMetrics,
    ) -> (Self, Term) {
        let timing = Timing::of(lease);
        let me = identity();
        tracing::info!(identity = me, namespace = place.namespace, "stands for election");
        let (sender, until) = watch::channel(None);
        let elapsed = Arc::new(Elapsed::new(Arc::clone(&clock)));
        let term = Term { elapsed: Arc::clone(&elapsed), until };
        let candidate = Self {
            api: Api::namespaced(client.clone(), &place.namespace),
            client,
            place: place.clone(),
            timing,
            election: Election::new(me, timing),
            clock,
            elapsed,
            until: sender,
            metrics,
            complained: false,
        };
        (candidate, term)
    }

    /// Takes part until `stopped` ends, and gives up the Lease then.
    pub(super) async fn stand(mut self, stopped: impl Future<Output = ()>) {
        let mut stopped = pin!(stopped);
        let mut sightings = watcher::watch_object(self.api.clone(), LEASE).default_backoff().boxed();
        loop {
            let step = self.election.next(self.elapsed.now());
            let Step::Wait(rest) = step else {
                // What was sent is waited for a moment: whether it was taken decides which version there is to give up.
                let mut performed = pin!(self.perform(step));
                tokio::select! {
                    () = &mut performed => continue,
                    () = &mut stopped => {}
                }
                let _ = tokio::time::timeout(LAST_ANSWER_MAX, performed).await;
                break;
            };
            tokio::select! {
                () = &mut stopped => break,
                () = tokio::time::sleep(rest.min(self.until_lost())) => self.settle(),
                sighting = sightings.next() => match sighting {
                    Some(Ok(lease)) => {
                        self.election.saw(lease, self.elapsed.now());
                        self.settle();
                    }
                    Some(Err(error)) => tracing::debug!(%error, "the watch of the Lease failed and begins again"),
                    // It never ends; if it did, the Lease is still read when its time is over.
                    None => tokio::time::sleep(rest).await,
                },
            }
        }
        self.give_up().await;
    }

    fn until_lost(&self) -> Duration {
        let until = self.election.leads_until();
        until.map_or(self.timing.lease, |until| until.saturating_sub(self.elapsed.now().most))
    }

    async fn perform(&mut self, step: Step) {
        let asked = self.elapsed.now();
        let done = tokio::time::timeout(self.timing.answer_max, self.ask(step)).await;
        let now = self.elapsed.now();
        let done = done.map_err(Failure::from).and_then(std::convert::identity);
        self.complained &= done.is_err();
        match done {
            Ok(Some(lease)) if step == Step::Look => self.election.saw(Some(lease), now),
            Ok(Some(lease)) => self.election.held(lease, asked, now),
            Ok(None) => self.election.missed(),
            Err(Failure::Refused(kube::Error::Api(status))) if status.is_conflict() || status.is_already_exists() => {
                self.election.beaten();
            }
            Err(Failure::Refused(kube::Error::Api(status))) if status.is_not_found() => self.election.missed(),
            Err(error) => {
                self.election.failed(now);
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::warn!(%error, "the election does not go on");
                }
            }
        }
        self.settle();
    }

    async fn ask(&mut self, step: Step) -> Result<Option<Lease>, Failure> {
        let (spec, version) = self.election.wanted(self.clock.now());
        match step {
            Step::Look => Ok(self.api.get_opt(LEASE).await?),
            Step::Create => self.create(spec).await.map(Some),
            Step::Hold => Ok(Some(self.write(&spec, version).await?)),
            Step::Wait(_) => Ok(None),
        }
    }

    async fn create(&self, spec: LeaseSpec) -> Result<Lease, Failure> {
        let mut lease = Lease { spec: Some(spec), ..Lease::default() };
        lease.metadata.name = Some(LEASE.to_owned());
        match self.api.create(&PostParams::default(), &lease).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            other => return Ok(other?),
        }
        let namespace = &self.place.namespace;
        if !self.place.may_be_made {
            return Err(Failure::NoNamespace(namespace.clone()));
        }
        let mut wanted = Namespace::default();
        wanted.metadata.name = Some(namespace.clone());
        match Api::all(self.client.clone()).create(&PostParams::default(), &wanted).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            made => drop(made?),
        }
        Ok(self.api.create(&PostParams::default(), &lease).await?)
    }

    async fn write(&self, spec: &LeaseSpec, version: Option<String>) -> Result<Lease, kube::Error> {
        let patch = Patch::Merge(json!({"metadata": {"resourceVersion": version}, "spec": spec}));
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        self.api.patch(LEASE, &parameters, &patch).await
    }

    /// Says what has become of it.
    fn settle(&mut self) {
        self.election.expire(self.elapsed.now());
        let until = self.election.leads_until();
        let led = self.until.send_replace(until).is_some();
        if led != until.is_some() {
            self.metrics.leads(until.is_some());
            let holder = self.election.holder().unwrap_or("nobody");
            if until.is_some() {
                tracing::info!("leads: writes statuses from now on");
            } else {
                tracing::warn!(holder, "leads no longer, and writes nothing until it does again");
            }
        }
    }

    /// Ends the lead, then tells the others. If that fails, they wait until the Lease's time is over.
    async fn give_up(mut self) {
        let Some(version) = self.election.resign() else { return };
        self.until.send_replace(None);
        // What is empty is free to take, by the rules that everybody who uses Leases goes by.
        let spec = LeaseSpec { lease_duration_seconds: Some(1), ..LeaseSpec::default() };
        let mut spec = json!(spec);
        spec["holderIdentity"] = json!("");
        let patch = Patch::Merge(json!({"metadata": {"resourceVersion": version}, "spec": spec}));
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        match tokio::time::timeout(LAST_ANSWER_MAX, self.api.patch(LEASE, &parameters, &patch)).await {
            Ok(Ok(_)) => tracing::info!("has given up the Lease"),
            Ok(Err(error)) => tracing::warn!(%error, "could not give up the Lease: others wait until its time is over"),
            Err(_) => tracing::warn!("could not give up the Lease in time: others wait until its time is over"),
        }
    }
}

/// Who this process is. No other process, now or later, is the same: whoever is named by the Lease believes that it leads.
fn identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut random = [0; 8];
    // Where there is none, host and process still tell apart who runs at the same time.
    let _ = getrandom::fill(&mut random);
    format!("{}_{}_{}", host.trim(), std::process::id(), hex::encode(random))
}
