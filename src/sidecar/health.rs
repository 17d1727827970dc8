//! Metrics and health on a port of their own: three paths, and nothing that shows what is asked.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::accept::Shared;
use crate::rules::Failure;

/// Probes and scrapers, which are few, with room for connections that say nothing; more wait.
const CONNECTIONS_MAX: usize = 256;
/// How long a connection may say nothing. The kubelet gives a probe one second, and one that waits for a slot behind
/// silent connections must still be answered before it fails three times in a row.
const HEAD_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves until it is aborted.
pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let Ok((stream, _peer)) = listener.accept().await else {
            tokio::time::sleep(HEAD_TIMEOUT / 100).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let response = answer(&shared, &request);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a health connection ended early");
            }
            drop(slot);
        });
    }
}

fn answer(shared: &Shared, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let (status, text) = match request.uri().path() {
        _ if !reads => (StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned()),
        "/metrics" => return metrics(shared),
        "/readyz" if shared.drain.is_draining() => (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned()),
        "/readyz" if shared.ports.rulebook.current().is_none() => {
            (StatusCode::SERVICE_UNAVAILABLE, "no rule set\n".to_owned())
        }
        "/readyz" if is_stale(shared) && shared.settings.on_stale == Failure::Deny => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the rule set is stale: the operator has not been heard from\n".to_owned(),
        ),
        "/livez" | "/readyz" => (StatusCode::OK, "ok\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "not found\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn is_stale(shared: &Shared) -> bool {
    shared.ports.rulebook.is_stale(shared.ports.clock.monotonic())
}

fn metrics(shared: &Shared) -> Response<Full<Bytes>> {
    shared.ports.metrics.rule_set_stale(is_stale(shared));
    let mut response = Response::new(Full::new(Bytes::from(shared.ports.metrics.encode())));
    let media = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, media);
    response
}
