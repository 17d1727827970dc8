//! Which model server stands behind an address, by what it answers to a few harmless `GET`s.
//!
//! Guarantees that nothing but routes that pass on the server in question is asked for, each once and with a time limit, and
//! that an upstream that says nothing known is not guessed at.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::wire::{ANSWER_BYTES_MAX, Server, fingerprints};

/// How long one answer may take: these are lookups, not generations.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// One answer of status 200.
struct Seen {
    headers: http::HeaderMap,
    body: Bytes,
}

type Probe = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// The server at `upstream`, when one of its answers identifies it.
pub async fn probe(upstream: &Uri) -> Option<Server> {
    let roots = HttpsConnectorBuilder::new().with_native_roots().ok()?;
    let client: Probe = Client::builder(TokioExecutor::new()).build(roots.https_or_http().enable_http1().build());
    let mut answers: BTreeMap<&str, Option<Seen>> = BTreeMap::new();
    for fingerprint in fingerprints() {
        if !answers.contains_key(fingerprint.path) {
            answers.insert(fingerprint.path, get(&client, upstream, fingerprint.path).await);
        }
        let Some(Some(seen)) = answers.get(fingerprint.path) else { continue };
        let headers = seen.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        if fingerprint.holds(headers, &seen.body) {
            return Some(fingerprint.server);
        }
    }
    None
}

async fn get(client: &Probe, upstream: &Uri, path: &str) -> Option<Seen> {
    let base = upstream.to_string();
    let request = Request::get(format!("{}{path}", base.trim_end_matches('/'))).body(Empty::new()).ok()?;
    let answer = tokio::time::timeout(ANSWER_WITHIN, async {
        let (head, body) = client.request(request).await.ok()?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.ok()?.to_bytes();
        (head.status == http::StatusCode::OK).then_some(Seen { headers: head.headers, body })
    });
    answer.await.ok().flatten()
}
