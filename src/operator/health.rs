//! Metrics and health on a port of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use super::certificates::Current;
use crate::telemetry::OperatorMetrics;

/// What this port shows.
#[derive(Debug, Clone)]
pub(super) struct Health {
    /// Whether the ledger was settled once, with everything in it.
    pub(super) ready: Arc<AtomicBool>,
    /// What is served with.
    pub(super) certificate: Arc<Current>,
    /// What was counted.
    pub(super) metrics: OperatorMetrics,
}

/// Serves until it is aborted.
pub(super) async fn serve(listener: TcpListener, health: Health) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health);
    axum::serve(listener, routes).await
}

async fn ready(State(health): State<Health>) -> (StatusCode, &'static str) {
    if !health.ready.load(Ordering::Acquire) {
        (StatusCode::SERVICE_UNAVAILABLE, "not all objects have been read yet\n")
    } else if !health.certificate.is_there() {
        (StatusCode::SERVICE_UNAVAILABLE, "there is no certificate yet\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}

async fn metrics(State(health): State<Health>) -> impl IntoResponse {
    let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, media)], health.metrics.encode())
}
