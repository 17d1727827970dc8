//! The operator as a process: everything is begun, and ends when it is asked to stop.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::arguments::Arguments;
use super::desk::Desk;
use super::health::{self, Health};
use super::leader::Candidate;
use super::review::Reviewer;
use super::serving::{Serving, Surroundings};
use super::watch::Teller;
use super::webhook::Chains;
use super::work::{Means, Operator};
use super::{signing, watch};
use crate::base::SystemClock;
use crate::distribution::serve;
use crate::telemetry::OperatorMetrics;

/// Who writes: the manager of the fields of statuses.
pub(super) const MANAGER: &str = "countersign-operator";
/// Changes that wait to be taken; a watch that is ahead waits.
const NEWS_MAX: usize = 1_024;

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
    let config = config(arguments.kubeconfig.as_deref()).await?;
    let client = Client::try_from(config.clone()).map_err(Failure::NoServer)?;
    let listener = listen(arguments.admin_listen, "metrics and health are served").await?;
    let gates = listen(arguments.distribution.serve_listen(), "gates are served").await?;
    let metrics = OperatorMetrics::new();
    let clock = SystemClock::default();
    // Its own connections: nothing that is read or written here keeps a renewal waiting.
    let own = Client::try_from(config).map_err(Failure::NoServer)?;
    let (length, place) = (arguments.election.lease_duration, arguments.place());
    let (candidate, term) = Candidate::new(own, &place, length, Arc::new(clock.clone()), metrics.clone());
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
    let election = tokio::spawn(candidate.stand(ended(stopped.clone())));
    let (news, receiver) = mpsc::channel(NEWS_MAX);
    let teller = Teller { news, lost: Arc::new(AtomicUsize::new(0)) };
    let reviewer = Reviewer::new(client.clone(), clock.clone());
    let desk = Arc::new(Desk::new(reviewer, Arc::clone(&teller.lost), metrics.clone()));
    let mut watches = watch::begin(&client, &teller, &arguments.sight());
    watches.spawn(signing::watch(client.clone(), place.namespace.clone(), teller));
    let health = Health { ready: Arc::new(AtomicBool::new(false)), certificate: Arc::clone(&serving.current), metrics };
    let served = tokio::spawn(health::serve(listener, health.clone()));
    let settings = serve::Settings::default();
    let followed =
        serve::serve(gates, Arc::clone(&serving.current) as _, Arc::clone(&desk) as _, settings, ended(stopped));
    let followed = tokio::spawn(followed);
    let (namespace, age_max) = (place.namespace, arguments.distribution.max_age);
    let mut operator = Operator::new(Means { client, clock, health, term, desk, chains, namespace, age_max });
    let ended = tokio::select! {
        () = stop() => Ok(()),
        failure = operator.work(receiver) => Err(failure),
    };
    // Nothing of this process writes any more: now another may.
    drop(operator);
    let answered = serving.write_no_more().await;
    drop(running);
    let _ = tokio::join!(election, answered, followed);
    served.abort();
    ended
}

async fn listen(address: std::net::SocketAddr, what: &str) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).await.map_err(|source| Failure::Listen(address, source))?;
    tracing::info!(address = %listener.local_addr().unwrap_or(address), "{what}");
    Ok(listener)
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

/// A client for one thing to do.
pub(super) async fn client(kubeconfig: Option<&Path>) -> Result<Client, Failure> {
    Client::try_from(config(kubeconfig).await?).map_err(Failure::NoServer)
}

async fn config(kubeconfig: Option<&Path>) -> Result<Config, Failure> {
    let mut config = match kubeconfig {
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
