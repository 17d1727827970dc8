//! The issuer's key set, fetched from its URL and kept fresh.
//!
//! Guarantees that a failed fetch keeps the keys before it, and that without any keys no token is believed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinHandle;

use crate::sidecar::Jwks;

/// How often the keys are fetched: issuers publish a new key well before they sign with it.
const FETCH_EVERY: Duration = Duration::from_secs(300);
/// How soon after a failure they are fetched again.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// How long one fetch may take.
const FETCH_WITHIN: Duration = Duration::from_secs(10);
/// Largest document: key sets hold a handful of keys of about 1 KB.
const DOCUMENT_BYTES_MAX: usize = 256 << 10;

/// A key set and where it comes from.
#[derive(Debug, Clone)]
pub struct KeySet {
    /// `https://issuer/.well-known/jwks.json`.
    pub uri: Uri,
    /// The keys, shared with whoever checks tokens.
    pub keys: Arc<Jwks>,
}

/// Why a key set cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub enum KeySetFailure {
    /// The system has no certificate authorities, or they cannot be read.
    #[error("the system's certificate authorities cannot be read")]
    Authorities(#[from] std::io::Error),
    /// No answer.
    #[error("no answer from the issuer of keys")]
    Unreachable,
    /// Not the answer that was expected.
    #[error("the issuer of keys answered with status {0}")]
    Status(StatusCode),
    /// Not a key set.
    #[error(transparent)]
    Document(#[from] crate::sidecar::JwksParse),
}

type Fetcher = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Fetches the keys now and then, until the task is aborted.
pub(super) fn keep_fresh(set: KeySet) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let pause = match fetch(&set).await {
                Ok(()) => FETCH_EVERY,
                Err(error) => {
                    tracing::error!(%error, address = %set.uri, "keys for signed tokens cannot be fetched");
                    RETRY_AFTER
                }
            };
            tokio::time::sleep(pause).await;
        }
    })
}

async fn fetch(set: &KeySet) -> Result<(), KeySetFailure> {
    let connector = HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().build();
    let client: Fetcher = Client::builder(TokioExecutor::new()).build(connector);
    let request = Request::get(set.uri.clone()).body(Empty::new()).map_err(|_| KeySetFailure::Unreachable)?;
    let fetched = tokio::time::timeout(FETCH_WITHIN, async {
        let (head, body) = client.request(request).await.map_err(|_| KeySetFailure::Unreachable)?.into_parts();
        if head.status != StatusCode::OK {
            return Err(KeySetFailure::Status(head.status));
        }
        let body = Limited::new(body, DOCUMENT_BYTES_MAX).collect().await;
        Ok(body.map_err(|_| KeySetFailure::Unreachable)?.to_bytes())
    });
    let document = fetched.await.map_err(|_| KeySetFailure::Unreachable)??;
    Ok(set.keys.replace(&document)?)
}
