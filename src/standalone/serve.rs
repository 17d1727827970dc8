//! Puts the stand-alone gate together: policies from a folder, holds in SQLite, the record in a file, alerts to webhooks.
//!
//! # Flow
//! Load policies (all or nothing) -> open the record and the holds -> serve, while the folder is watched -> on shutdown
//! finish answers under way, then alerts.
//!
//! # Guarantees
//! * Nothing is served before a rule set is in force and the record can be written.
//! * A bad edit of a policy never changes what is in force.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::hatch::Hatch;
use super::policies::{LoadFailure, Loaded, PolicyFolder};
use super::watch::{Change, Watcher, watch};
use super::{CallbackSettings, HoldLimits, SqliteHolds, StoreFailure, alerts, callbacks};
use crate::audit::{self, Durability, Event};
use crate::base::{Clock, SystemClock};
use crate::sidecar::{
    Beside, Gate, GateFailure, GateSettings, Holds, InForce, Ports, RecordFailure, Recorder, Rulebook, Trail,
};
use crate::telemetry::Metrics;

/// How long alerts may take to be sent at a shutdown.
const ALERTS_WITHIN: Duration = Duration::from_secs(5);

/// Everything that the stand-alone gate is told.
#[derive(Debug)]
pub struct Standalone {
    /// The gate's own settings.
    pub settings: GateSettings,
    /// A folder of policies, or one file.
    pub policies: PathBuf,
    /// Where holds and the record are kept.
    pub data: PathBuf,
    /// Where alerts go.
    pub alerts: alerts::Settings,
    /// How clients are called back; nobody is when it is left out.
    pub callbacks: Option<CallbackSettings>,
    /// How many holds there may be, and how fast they may come.
    pub holds: HoldLimits,
    /// When an entry counts as written.
    pub durability: Durability,
}

/// Why the gate cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeFailure {
    /// The policies cannot be loaded.
    #[error("{}", .0.in_full())]
    Policies(LoadFailure),
    /// The record cannot be kept.
    #[error(transparent)]
    Record(#[from] audit::OpenFailure),
    /// The record cannot be written.
    #[error(transparent)]
    Entry(#[from] RecordFailure),
    /// Held queries cannot be kept.
    #[error(transparent)]
    Holds(#[from] StoreFailure),
    /// Alerts cannot be sent.
    #[error(transparent)]
    Alerts(#[from] alerts::SettingsFailure),
    /// The gate cannot be built.
    #[error(transparent)]
    Gate(#[from] GateFailure),
    /// There is no thread to be had.
    #[error("the system gives no thread for what runs beside the gate")]
    Thread(#[source] io::Error),
}

/// Serves until `shutdown` is ready. The runtime that this runs on is for queries; a thread of its own has the rest.
pub async fn serve(told: Standalone, shutdown: impl Future<Output = ()> + Send) -> Result<(), ServeFailure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let metrics = Metrics::new();
    let beside = Beside::start().map_err(ServeFailure::Thread)?;
    let watcher = Watcher::start(PolicyFolder::at(&told.policies), told.settings.workload.clone())
        .map_err(ServeFailure::Policies)?;
    let trail = Arc::new(Trail::open(&told.data, Arc::clone(&clock), told.durability, metrics.clone())?);
    let loaded = watcher.current().load_full();
    let rulebook = Arc::new(Rulebook::default());
    trail.started(Some(loaded.compilation.rule_set.revision()), told.settings.posture)?;
    put_in_force(&loaded, &rulebook, &metrics);
    let recorder = Arc::clone(&trail) as Arc<dyn Recorder>;
    let holds = SqliteHolds::open_with(&told.data, Arc::clone(&clock), recorder, told.holds).await?;
    let looking = beside.within(|| holds.watch()).map_err(ServeFailure::Thread)?;
    let (webhooks, sending) = beside.within(|| alerts::start(told.alerts, Arc::clone(&clock), metrics.clone()))?;
    let calling = told.callbacks.map(|settings| {
        beside.within(|| callbacks::start(settings, Arc::clone(&holds), Arc::clone(&clock), metrics.clone()))
    });
    let calling = calling.transpose()?;
    let ports = Ports {
        rulebook: Arc::clone(&rulebook),
        holds: Arc::clone(&holds) as Arc<dyn Holds>,
        recorder: Arc::clone(&trail) as Arc<dyn Recorder>,
        alerts: Arc::new(webhooks),
        clock,
        metrics: metrics.clone(),
    };
    let gate = Gate::new(told.settings, ports)?;
    let listeners = gate.bind()?;
    let queries = listeners.queries.local_addr().ok().map(tracing::field::display);
    let health = listeners.health.as_ref().and_then(|health| health.local_addr().ok()).map(tracing::field::display);
    tracing::info!(queries, metrics = health, "listening");
    let watching = watch(watcher, Watcher::EVERY, move |change| changed(&change, &rulebook, &trail, &metrics));
    let watching = watching.map_err(ServeFailure::Thread)?;
    let showing = beside.within(|| show(&told.data, &gate, &holds));
    gate.serve(listeners, shutdown).await;
    if let Some(showing) = showing {
        showing.abort();
    }
    drop(watching);
    drop(looking);
    // What is under way is sent again by the next gate of this folder.
    if let Some(calling) = calling {
        calling.abort();
    }
    drop(gate);
    sending.finish(ALERTS_WITHIN).await;
    Ok(())
}

/// Opens the hatch. Without one the gate judges and holds as ever, so a failure is said and no more.
fn show(folder: &Path, gate: &Gate, holds: &Arc<SqliteHolds>) -> Option<JoinHandle<()>> {
    match Hatch::open(folder) {
        Ok(hatch) => Some(tokio::spawn(hatch.serve(gate.held_queries(), Arc::clone(holds)))),
        Err(failure) => {
            let cause = std::error::Error::source(&failure).map(ToString::to_string);
            tracing::warn!(cause, "{failure}");
            None
        }
    }
}

/// What to do when the folder changed, or cannot be used as it is.
fn changed(change: &Change, rulebook: &Rulebook, trail: &Trail, metrics: &Metrics) {
    match change {
        Change::Loaded(loaded) => {
            let revision = loaded.compilation.rule_set.revision();
            let policies = u32::try_from(loaded.compilation.policies).unwrap_or(u32::MAX);
            // A rule set that the record does not name must not judge: without the entry the old one stays.
            if trail.append(Event::RuleSetLoaded { revision, policies }).is_err() {
                metrics.rule_set_failed();
                return;
            }
            put_in_force(loaded, rulebook, metrics);
        }
        Change::Kept(failure) => {
            metrics.rule_set_failed();
            tracing::error!("policies not loaded, the ones before stay in force: {}", failure.in_full());
        }
    }
}

fn put_in_force(loaded: &Loaded, rulebook: &Rulebook, metrics: &Metrics) {
    let compilation = &loaded.compilation;
    for warning in &loaded.warnings {
        tracing::warn!("{}", warning.trim_start_matches("warning: ").trim_end());
    }
    let revision = compilation.rule_set.revision();
    metrics.rule_set_loaded(revision, compilation.policies);
    tracing::info!(%revision, policies = compilation.policies, "rule set in force");
    let (rules, chains) = (Arc::clone(&compilation.rule_set), compilation.chains.clone());
    rulebook.replace(InForce { rules, chains, workload: None });
}
