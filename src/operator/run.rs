//! The operator as a process: watches, settles, writes statuses, until it is asked to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kube::api::{DynamicObject, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{Instant, timeout_at};

use super::arguments::Arguments;
use super::health::{self, Health};
use super::kinds::Key;
use super::leader::{Candidate, Term};
use super::ledger::{Ledger, Told};
use super::serving::{Serving, Surroundings};
use super::status;
use super::watch::{self, News};
use super::webhook::Chains;
use crate::base::{Clock, SystemClock};
use crate::telemetry::OperatorMetrics;

/// Who writes: the manager of the fields of statuses.
pub(super) const MANAGER: &str = "countersign-operator";
/// Changes that wait to be taken; a watch that is ahead waits.
const NEWS_MAX: usize = 1_024;
/// Changes come in bursts: so long nothing must have come before they are settled,
const QUIET: Duration = Duration::from_millis(100);
/// and so long they wait at most.
const BURST_MAX: Duration = Duration::from_secs(1);
/// A status that could not be written is tried again after this long.
const AGAIN: Duration = Duration::from_secs(5);
/// Longest wait for one answer of the API server.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Why the operator cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is nothing that says where the API server is.
    #[error("there is no kubeconfig and no account of a Pod")]
    NoServer(#[source] kube::Error),
    /// The kubeconfig cannot be used.
    #[error("the kubeconfig cannot be used")]
    Kubeconfig(#[source] kube::config::KubeconfigError),
    /// The port is taken.
    #[error("cannot listen on `{0}`")]
    Listen(std::net::SocketAddr, #[source] std::io::Error),
    /// A watch ended that never ends.
    #[error("a watch ended")]
    Watches,
}

/// Runs until the process is asked to stop, by Ctrl-C or by a supervisor.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = config(&arguments).await?;
    let client = Client::try_from(config.clone()).map_err(Failure::NoServer)?;
    let listen = arguments.admin_listen;
    let listener = TcpListener::bind(listen).await.map_err(|source| Failure::Listen(listen, source))?;
    tracing::info!(address = %listener.local_addr().unwrap_or(listen), "metrics and health are served");
    let metrics = OperatorMetrics::new();
    let clock = SystemClock::default();
    // Its own connections: nothing that is read or written here keeps a renewal waiting.
    let own = Client::try_from(config).map_err(Failure::NoServer)?;
    let length = arguments.election.lease_duration;
    let (candidate, term) = Candidate::new(own, &arguments.place(), length, Arc::new(clock.clone()), metrics.clone());
    let (running, stopped) = tokio::sync::watch::channel(());
    let chains = Chains::default();
    let around = Surroundings {
        client: client.clone(),
        term: term.clone(),
        clock: Arc::new(clock.clone()),
        metrics: metrics.clone(),
        stopped: stopped.clone(),
    };
    let serving = Serving::begin(&arguments, Arc::clone(&chains), around).await?;
    let election = tokio::spawn(candidate.stand(ended(stopped)));
    let (sender, news) = mpsc::channel(NEWS_MAX);
    let _watches = watch::begin(&client, &sender, &arguments.sight());
    drop(sender);
    let health = Health { ready: Arc::new(AtomicBool::new(false)), certificate: Arc::clone(&serving.current), metrics };
    let served = tokio::spawn(health::serve(listener, health.clone()));
    let mut operator = Operator { client, ledger: Ledger::default(), clock, health, term, led: false, chains };
    let ended = tokio::select! {
        () = stop() => Ok(()),
        failure = operator.work(news) => Err(failure),
    };
    // Nothing of this process writes any more: now another may.
    drop((operator, running));
    let _ = tokio::join!(election, serving.end());
    served.abort();
    ended
}

async fn ended(mut running: tokio::sync::watch::Receiver<()>) {
    while running.changed().await.is_ok() {}
}

async fn stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        // Without handlers the signals end the process at once, which is what they are for.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

async fn config(arguments: &Arguments) -> Result<Config, Failure> {
    let mut config = match &arguments.kubeconfig {
        Some(file) => {
            let kubeconfig = Kubeconfig::read_from(file).map_err(Failure::Kubeconfig)?;
            let options = KubeConfigOptions::default();
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(Failure::Kubeconfig)?
        }
        None => Config::infer().await.map_err(|error| Failure::NoServer(kube::Error::InferConfig(error)))?,
    };
    // What fails is tried again here, where it is known what is still wanted.
    config.default_retry = false;
    Ok(config)
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

struct Operator {
    client: Client,
    ledger: Ledger,
    clock: SystemClock,
    health: Health,
    term: Term,
    /// Whether it led when statuses were last written.
    led: bool,
    chains: Chains,
}

impl Operator {
    /// Takes news and settles them, for ever.
    async fn work(&mut self, mut news: Receiver<News>) -> Failure {
        let mut again = None;
        loop {
            let first = tokio::select! {
                first = news.recv() => first,
                leads = self.term.turned(self.led) => {
                    self.led = leads;
                    again = self.write_statuses().await;
                    continue;
                }
                () = sleep_until(again) => {
                    again = self.write_statuses().await;
                    continue;
                }
            };
            let Some(first) = first else { return Failure::Watches };
            self.take(first);
            if self.take_burst(&mut news).await.is_none() {
                return Failure::Watches;
            }
            if self.ledger.is_complete() {
                self.settle();
                self.health.ready.store(true, Ordering::Release);
                again = self.write_statuses().await;
            }
        }
    }

    fn take(&mut self, news: News) {
        match news {
            News::Object(kind, change) => self.ledger.object(kind, change),
            News::Owner(owner, change) => self.ledger.owner(owner, change),
        }
    }

    /// Takes what comes soon after.
    async fn take_burst(&mut self, news: &mut Receiver<News>) -> Option<()> {
        let end = Instant::now() + BURST_MAX;
        while let Ok(next) = timeout_at(end.min(Instant::now() + QUIET), news.recv()).await {
            self.take(next?);
        }
        Some(())
    }

    fn settle(&mut self) {
        let before = self.clock.monotonic();
        self.ledger.settle();
        let took = self.clock.monotonic().saturating_sub(before);
        let wrong = self.ledger.objects.values().filter(|entry| entry.wrong.is_some()).count();
        let withheld = self.ledger.workloads.values().filter(|enrolled| enrolled.withheld.is_some()).count();
        let metrics = &self.health.metrics;
        metrics.settled(took);
        metrics.objects(self.ledger.objects.len() - wrong, wrong);
        metrics.workloads(self.ledger.workloads.len() - withheld, withheld);
        let chains = self.ledger.objects.keys().filter(|key| key.kind.is_chain());
        self.chains.store(Some(Arc::new(chains.map(|key| (key.namespace.clone(), key.name.clone())).collect())));
    }

    /// Writes the statuses that do not say what they should, if it leads; when to try again those that could not be written.
    async fn write_statuses(&mut self) -> Option<Instant> {
        if !self.health.ready.load(Ordering::Acquire) || !self.term.holds() {
            return None;
        }
        let now = self.clock.now();
        let mut failed = false;
        let entries = self.ledger.objects.iter();
        let wanted: Vec<_> = entries
            .filter_map(|(key, entry)| {
                let told = status::wanted(key, entry, now)?;
                Some((key.clone(), status::patch(key, entry, &told), told))
            })
            .collect();
        for (key, patch, told) in wanted {
            let left = self.term.left();
            if left.is_zero() {
                break;
            }
            match write(&self.client, &key, &patch, left.min(ANSWER_MAX)).await {
                Ok(()) => self.written(&key, told),
                Err(error) => {
                    failed = true;
                    self.health.metrics.status_failed();
                    tracing::warn!(object = %key, %error, "a status could not be written");
                }
            }
        }
        failed.then(|| Instant::now() + AGAIN)
    }

    /// The watch will bring it; until then it counts as written.
    fn written(&mut self, key: &Key, told: Told) {
        self.health.metrics.status_written();
        if let Some(entry) = self.ledger.objects.get_mut(key) {
            entry.stored.status = told;
        }
    }
}

/// Why a status was not written.
#[derive(Debug, thiserror::Error)]
enum WriteFailure {
    #[error("the API server did not answer in time")]
    Slow(#[from] tokio::time::error::Elapsed),
    #[error(transparent)]
    Refused(#[from] kube::Error),
}

async fn write(
    client: &Client,
    key: &Key,
    patch: &serde_json::Value,
    answer_max: Duration,
) -> Result<(), WriteFailure> {
    let resource = key.kind.resource();
    let api: Api<DynamicObject> = match &key.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let parameters = PatchParams::apply(MANAGER).force();
    let patch = Patch::Apply(patch);
    let written = api.patch_status(&key.name, &parameters, &patch);
    tokio::time::timeout(answer_max, written).await??;
    Ok(())
}
