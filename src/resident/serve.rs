//! Puts the gate of a Pod together: the folder, the record, the operator, the queries.

use std::error::Error;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::uri::Authority;

use super::keeper::Own;
use super::nobody::Nobody;
use crate::audit::{self, Durability};
use crate::base::{Clock, SystemClock};
use crate::distribution::follow::{self, Follower, Tls};
use crate::distribution::{Accepted, Intake, PublicKey, Shelf, ShelfFailure, SigningKey};
use crate::sidecar::{Beside, Gate, GateFailure, GateSettings, Ports, RecordFailure, Recorder, Rulebook, Trail};
use crate::telemetry::Metrics;

/// Longest token: Kubernetes' are about 1 KB.
const TOKEN_BYTES_MAX: u64 = 16 << 10;

/// Everything that the gate of a Pod is told.
#[derive(Debug, Clone)]
pub struct Resident {
    /// The gate's own settings.
    pub settings: GateSettings,
    /// Where the rule set, the key and the record are kept: a folder of this Pod alone.
    pub data: PathBuf,
    /// Where the operator listens.
    pub operator: Authority,
    /// The key that leads to the one that signs.
    pub anchor: PublicKey,
    /// The workload's UID.
    pub workload_uid: String,
    /// The Pod's UID.
    pub pod_uid: String,
    /// Where the token of the Pod is; read again for every connection.
    pub token: PathBuf,
    /// When an entry counts as written.
    pub durability: Durability,
}

/// Why the gate cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeFailure {
    /// The record cannot be kept.
    #[error(transparent)]
    Record(#[from] audit::OpenFailure),
    /// The record cannot be written.
    #[error(transparent)]
    Entry(#[from] RecordFailure),
    /// The gate's own key cannot be kept.
    #[error(transparent)]
    Key(#[from] ShelfFailure),
    /// The gate cannot be built.
    #[error(transparent)]
    Gate(#[from] GateFailure),
    /// There is no thread to be had.
    #[error("the system gives no thread for following the operator")]
    Thread(#[source] io::Error),
}

/// Serves until `shutdown` is ready. The runtime that this runs on is for queries; a thread of its own follows the operator.
pub async fn serve(told: Resident, shutdown: impl Future<Output = ()> + Send) -> Result<(), ServeFailure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let metrics = Metrics::new();
    metrics.operator_connected(false);
    let trail = Trail::open(&told.data, Arc::clone(&clock), told.durability, metrics.clone())?;
    let trail = Arc::new(trail);
    let rulebook = Arc::new(Rulebook::default());
    let recorder = Arc::clone(&trail) as Arc<dyn Recorder>;
    let own = Own { rulebook: Arc::clone(&rulebook), recorder: Arc::clone(&recorder), metrics: metrics.clone() };
    let shelf = Shelf::at(&told.data);
    let key = shelf.key()?;
    let mut intake = Intake::new(told.anchor, told.workload_uid.clone(), shelf);
    let resumed = resume(&mut intake, &*clock);
    let revision = resumed.as_ref().map(|accepted| accepted.compilation.rule_set.revision());
    trail.started(revision, told.settings.posture)?;
    if let Some(accepted) = resumed {
        own.begin(&accepted);
    }
    if let Some(moment) = intake.stale_after() {
        rulebook.fresh_until(moment);
    }
    let (holds, alerts) = (Arc::new(Nobody), Arc::new(Nobody));
    let ports = Ports { rulebook, holds, recorder, alerts, metrics, clock: Arc::clone(&clock) };
    let gate = Gate::new(told.settings.clone(), ports)?;
    let listeners = gate.bind()?;
    let queries = listeners.queries.local_addr().ok().map(tracing::field::display);
    let health = listeners.health.as_ref().and_then(|health| health.local_addr().ok()).map(tracing::field::display);
    tracing::info!(queries, metrics = health, "listening");
    let beside = Beside::start().map_err(ServeFailure::Thread)?;
    let follower = follower(&told, key, intake, own, clock);
    let following = beside.within(|| tokio::spawn(follower.run()));
    gate.serve(listeners, shutdown).await;
    following.abort();
    Ok(())
}

/// What the folder holds. What cannot be used is said, and the operator is asked for another.
fn resume(intake: &mut Intake, clock: &dyn Clock) -> Option<Accepted> {
    intake.resume(clock.monotonic()).unwrap_or_else(|failure| {
        let cause = failure.source().map(ToString::to_string);
        tracing::error!(error = %failure, cause, "the rule set on disk cannot be used");
        None
    })
}

fn follower(told: &Resident, key: SigningKey, intake: Intake, keeper: Own, clock: Arc<dyn Clock>) -> Follower<Own> {
    let token = told.token.clone();
    Follower {
        settings: follow::Settings {
            operator: told.operator.clone(),
            pod_uid: told.pod_uid.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        tls: Tls::new(),
        key,
        token: Box::new(move || read_token(&token)),
        intake,
        keeper,
        clock,
        random: Box::new(|| {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).ok().map(|()| bytes)
        }),
    }
}

fn read_token(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(std::fs::File::open(path)?, TOKEN_BYTES_MAX), &mut text)?;
    Ok(text.trim_end().to_owned())
}
