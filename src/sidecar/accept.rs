//! Accepts connections and serves them until told to stop; then lets answers under way finish.
//!
//! Guarantees that a connection costs a bounded amount whatever its client does: heads and idling have deadlines,
//! HTTP/2 streams and resets are counted, and there are only so many connections. Knows nothing of what is asked.

mod connection;
mod drain;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::body::InFlight;
use super::health;
use super::hold::{HeldQueries, Releases, Room, Texts};
use super::identity::{self, JwksUrl};
use super::judging::BESIDE_MAX;
use super::ports::{Alerts, Holds, Recorder};
use super::rulebook::{InForce, Rulebook};
use super::settings::GateSettings;
use super::upstream::{Upstream, UpstreamFailure};
use crate::base::Clock;
use crate::rules::{Posture, Rates, RuleSet};
use crate::telemetry::Metrics;

pub(super) use drain::Drain;

/// Connections that the system queues while all slots are taken.
const BACKLOG: i32 = 1024;

/// What the gate needs from whoever runs it.
#[derive(Clone)]
pub struct Ports {
    /// What is in force.
    pub rulebook: Arc<Rulebook>,
    /// People.
    pub holds: Arc<dyn Holds>,
    /// The record.
    pub recorder: Arc<dyn Recorder>,
    /// Whom to alert.
    pub alerts: Arc<dyn Alerts>,
    /// What is counted.
    pub metrics: Metrics,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// What every query of a gate shares.
pub(super) struct Shared {
    pub(super) settings: GateSettings,
    pub(super) ports: Ports,
    pub(super) upstream: Upstream,
    pub(super) in_flight: Arc<InFlight>,
    pub(super) room: Arc<Room>,
    /// What people may be shown of held queries.
    pub(super) texts: Texts,
    pub(super) judging: Arc<Semaphore>,
    pub(super) releases: Arc<Releases>,
    pub(super) rates: Rates,
    pub(super) drain: Drain,
    /// Known to the framing guard and the service only.
    pub(super) nonce: Arc<str>,
    /// Under posture `Observe`, what stands in until the first rule set is loaded.
    pub(super) unruled: Option<Arc<InForce>>,
}

/// Why a gate cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum GateFailure {
    /// The upstream cannot be used.
    #[error("the upstream cannot be used")]
    Upstream(#[from] UpstreamFailure),
    /// An address cannot be listened on.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Keys cannot be fetched from where the settings say.
    #[error("the URL of the key set cannot be used")]
    Keys(#[from] JwksUrl),
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness")]
    Randomness,
}

/// Sockets that are already listening.
#[derive(Debug)]
pub struct Listeners {
    /// For queries.
    pub queries: TcpListener,
    /// For metrics and health.
    pub health: Option<TcpListener>,
}

/// The gate in front of one model server.
pub struct Gate {
    shared: Arc<Shared>,
}

impl Gate {
    /// A gate that serves nothing yet.
    pub fn new(settings: GateSettings, ports: Ports) -> Result<Self, GateFailure> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| GateFailure::Randomness)?;
        if let Some(uri) = settings.identity.jwt.as_ref().and_then(|jwt| jwt.url.as_ref()) {
            identity::allowed(uri)?;
        }
        let unruled = match settings.posture {
            Posture::Observe => {
                let rules = RuleSet::build(Vec::new()).ok();
                rules.map(|rules| Arc::new(InForce { rules: Arc::new(rules), chains: BTreeMap::new(), workload: None }))
            }
            Posture::Enforce => None,
        };
        let shared = Shared {
            upstream: Upstream::new(&settings.upstream)?,
            in_flight: Arc::new(InFlight::new(ports.metrics.clone())),
            room: Arc::new(Room::new(&settings.hold)),
            texts: Texts::default(),
            judging: Arc::new(Semaphore::new(BESIDE_MAX)),
            releases: Arc::default(),
            rates: Rates::default(),
            drain: Drain::new(),
            nonce: hex::encode(random).into(),
            unruled,
            settings,
            ports,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// A way to ask about the queries that it holds.
    #[must_use]
    pub fn held_queries(&self) -> HeldQueries {
        HeldQueries::of(&self.shared)
    }

    /// Listens on the addresses of the settings.
    pub fn bind(&self) -> Result<Listeners, GateFailure> {
        let settings = &self.shared.settings;
        let listen = |address| listen(address).map_err(|source| GateFailure::Listen { address, source });
        Ok(Listeners { queries: listen(settings.listen)?, health: settings.health_listen.map(listen).transpose()? })
    }

    /// Serves until `shutdown` is ready; then stops accepting, gives held queries their retry answer, lets answers under
    /// way finish within the grace of the settings, and closes what is left.
    pub async fn serve(&self, listeners: Listeners, shutdown: impl Future<Output = ()> + Send) {
        let shared = &self.shared;
        let mut beside = self.start_beside(listeners.health);
        let mut connections = JoinSet::new();
        let slots = Arc::new(Semaphore::new(shared.settings.limits.connections_max));
        tokio::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut shutdown => break,
                accepted = connection::accept(&listeners.queries, &slots) => accepted,
            };
            while connections.try_join_next().is_some() {}
            if let Some((stream, peer, slot)) = accepted {
                let shared = Arc::clone(shared);
                connections.spawn(async move {
                    connection::serve(shared, stream, peer).await;
                    drop(slot);
                });
            }
        }
        drop(listeners.queries);
        shared.drain.start();
        let finished = async { while connections.join_next().await.is_some() {} };
        if timeout(shared.settings.shutdown_grace, finished).await.is_err() {
            shared.drain.cut();
            connections.shutdown().await;
        }
        beside.abort_all();
    }

    /// What runs beside the path: health, and fetching keys.
    fn start_beside(&self, health: Option<TcpListener>) -> JoinSet<()> {
        let mut beside = JoinSet::new();
        if let Some(listener) = health {
            beside.spawn(health::serve(Arc::clone(&self.shared), listener));
        }
        let jwt = self.shared.settings.identity.jwt.as_ref();
        if let Some((uri, jwt)) = jwt.and_then(|jwt| Some((jwt.url.clone()?, jwt))) {
            beside.spawn(identity::keep_fresh(uri, Arc::clone(&jwt.keys)));
        }
        beside
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
