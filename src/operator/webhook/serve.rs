//! Connections of API servers -> answers to their reviews.
//!
//! Whoever can reach the port can connect, so everything that a connection may take is bounded; what is answered is no secret.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::Chains;
use super::review::{self, Opinion};
use crate::base::Clock;
use crate::operator::certificates::Current;
use crate::telemetry::{OperatorMetrics, Review};

/// Where reviews are asked for.
pub(super) const PATH: &str = "/validate";
/// A review holds an object as it is and as it was, each at most what an API server stores: 1.5 MiB.
const REVIEW_BYTES_MAX: usize = 8 * 1024 * 1024;
/// API servers keep a few connections open each.
const CONNECTIONS_MAX: usize = 128;
/// Longest wait for a handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// Longest wait for the head of a request, which is also how long a connection stays that nobody uses.
const HEAD_MAX: Duration = Duration::from_secs(90);
/// Longest wait for the rest of one: API servers wait for the answer only a little longer.
const BODY_MAX: Duration = Duration::from_secs(10);
/// Reviews that are judged at once: compiling the largest policy takes memory and a core.
const REVIEWS_MAX: usize = 2;

struct Reviewer {
    chains: Chains,
    turns: Semaphore,
    clock: Arc<dyn Clock>,
    metrics: OperatorMetrics,
}

/// Serves until `stopped` changes or is dropped, and answers then what was asked before.
pub(in super::super) async fn serve(
    listener: TcpListener,
    current: Arc<Current>,
    chains: Chains,
    clock: Arc<dyn Clock>,
    metrics: OperatorMetrics,
    stopped: watch::Receiver<()>,
) -> Result<(), rustls::Error> {
    let acceptor = acceptor(current)?;
    let reviewer = Arc::new(Reviewer { chains, turns: Semaphore::new(REVIEWS_MAX), clock, metrics });
    let routes = Router::new().route(PATH, post(answer)).with_state(reviewer);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut ending = stopped.clone();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ending.changed() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(stream, acceptor.clone(), routes.clone(), stopped.clone(), place);
                tokio::spawn(connection);
            }
            Err(error) => {
                // Too many open files, most likely: others may be closed in a moment.
                tracing::warn!(%error, "a connection to the webhook could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    let _ = places.acquire_many(u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX)).await;
    Ok(())
}

fn acceptor(current: Arc<Current>) -> Result<TlsAcceptor, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(current);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    routes: Router,
    mut stopped: watch::Receiver<()>,
    _place: OwnedSemaphorePermit,
) {
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await else { return };
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX);
    let served = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        _ = stopped.changed() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the webhook broke");
    }
}

async fn answer(State(reviewer): State<Arc<Reviewer>>, request: Request) -> Response {
    let body = match tokio::time::timeout(BODY_MAX, to_bytes(request.into_body(), REVIEW_BYTES_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let Ok(_turn) = reviewer.turns.acquire().await else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let before = reviewer.clock.monotonic();
    let chains = reviewer.chains.load_full();
    let judged = tokio::task::spawn_blocking(move || {
        let review: Value = serde_json::from_slice(&body).ok()?;
        review::answer(&review, chains.as_deref())
    });
    let Ok(Some((answer, opinion))) = judged.await else {
        return (StatusCode::BAD_REQUEST, "expected an AdmissionReview with a request\n").into_response();
    };
    reviewer.metrics.reviewed(said(&opinion), reviewer.clock.monotonic().saturating_sub(before));
    Json(answer).into_response()
}

fn said(opinion: &Opinion) -> Review {
    match (opinion.wrong.is_empty(), opinion.warnings.is_empty()) {
        (false, _) => Review::Refused,
        (true, false) => Review::Warned,
        (true, true) => Review::Allowed,
    }
}
