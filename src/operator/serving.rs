//! What the operator serves beside health: which certificate, kept by whom, and the webhook, if there is one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::arguments::Arguments;
use super::certificates::{Current, Keeper, follow_folder};
use super::leader::Term;
use super::run::Failure;
use super::webhook::{self, Chains, Registration};
use crate::base::Clock;
use crate::telemetry::OperatorMetrics;

/// Longest wait for answers of the webhook when the process is to stop: API servers wait no longer for one.
const LAST_ANSWERS_MAX: Duration = Duration::from_secs(5);

/// What everything here needs.
pub(super) struct Surroundings {
    pub(super) client: Client,
    pub(super) term: Term,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: OperatorMetrics,
    /// Changes, or ends, when the process is to stop.
    pub(super) stopped: watch::Receiver<()>,
}

/// What serves, and what keeps what it is served with. Dropped, all of it ends.
pub(super) struct Serving {
    /// What other servers of this process serve with, too.
    pub(super) current: Arc<Current>,
    keeping: JoinSet<()>,
    webhook: Option<tokio::task::JoinHandle<Result<(), rustls::Error>>>,
}

impl Serving {
    /// Begins all of it.
    pub(super) async fn begin(arguments: &Arguments, chains: Chains, around: Surroundings) -> Result<Self, Failure> {
        let current = Current::nothing(around.metrics.clone());
        let webhook = match arguments.serving.webhook_listen {
            None => None,
            Some(listen) => {
                let listener = bind(listen).await?;
                let (clock, metrics) = (Arc::clone(&around.clock), around.metrics.clone());
                let served =
                    webhook::serve(listener, Arc::clone(&current), chains, clock, metrics, around.stopped.clone());
                Some(tokio::spawn(served))
            }
        };
        let mut keeping = JoinSet::new();
        keep(arguments, &current, around, &mut keeping);
        Ok(Self { current, keeping, webhook })
    }

    /// Ends what writes, and gives what still serves: it waits, a moment at most, until what was asked of the webhook is answered.
    pub(super) async fn write_no_more(mut self) -> impl Future<Output = ()> {
        self.keeping.shutdown().await;
        async move {
            if let Some(webhook) = self.webhook.take() {
                let _ = tokio::time::timeout(LAST_ANSWERS_MAX, webhook).await;
            }
        }
    }
}

async fn bind(listen: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(listen).await.map_err(|source| Failure::Listen(listen, source))?;
    tracing::info!(address = %listener.local_addr().unwrap_or(listen), "the webhook is served");
    Ok(listener)
}

fn keep(arguments: &Arguments, current: &Arc<Current>, around: Surroundings, keeping: &mut JoinSet<()>) {
    let namespace = arguments.place().namespace;
    let announced = watch::Sender::new(None);
    let registration = arguments.serving.reach().map(|reach| Registration {
        reach,
        namespace: namespace.clone(),
        sight: arguments.sight(),
    });
    let is_told = registration.is_some();
    if let Some(folder) = &arguments.serving.certificates {
        keeping.spawn(follow_folder(folder.clone(), Arc::clone(current)));
    } else {
        let names = arguments.serving.names(&namespace);
        let (client, term) = (around.client.clone(), around.term.clone());
        let keeper = Keeper::new(client, &namespace, names, Arc::clone(current), term, Arc::clone(&around.clock));
        let keeper = if is_told { keeper.announced_by(announced.subscribe()) } else { keeper };
        keeping.spawn(keeper.keep());
    }
    if let Some(registration) = registration {
        keeping.spawn(registration.keep(around.client, around.term, current.trusted(), announced));
    }
}
