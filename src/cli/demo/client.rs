//! A plain HTTP client for the tour: what `curl` would do.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::children::Children;

/// How long a program may take to get ready.
const READY_TRIES: u32 = 300;
const READY_PAUSE: Duration = Duration::from_millis(50);

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) query: String,
    pub(super) body: Value,
}

/// Sends JSON and reads the answer.
pub(super) async fn post(url: &str, body: &Value) -> anyhow::Result<Answer> {
    send(Request::post(url).header("content-type", "application/json").body(Full::new(Bytes::from(body.to_string())))?)
        .await
}

async fn send(request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let url = request.uri().to_string();
    let response = client.request(request).await.with_context(|| format!("no answer from {url}"))?;
    let status = response.status();
    let query =
        response.headers().get("countersign-query-id").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let bytes = response.into_body().collect().await.context("the answer broke off")?.to_bytes();
    Ok(Answer { status, query, body: serde_json::from_slice(&bytes).unwrap_or_default() })
}

/// Waits until a URL answers 200, or one of the programs has ended.
pub(super) async fn wait_until_ready(children: &mut Children, url: &str) -> anyhow::Result<()> {
    for _ in 0..READY_TRIES {
        children.check()?;
        let request = Request::get(url).body(Full::default())?;
        if send(request).await.is_ok_and(|answer| answer.status == StatusCode::OK) {
            return Ok(());
        }
        tokio::time::sleep(READY_PAUSE).await;
    }
    bail!("{url} did not get ready in time")
}
