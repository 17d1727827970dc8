//! Keeps a key set fresh from its URL: fetched at once, then again and again; a failure keeps the last good set.
//!
//! Guarantees that keys come over TLS, or from this very machine. Knows nothing of tokens.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::time::{sleep, timeout};

use super::Jwks;

/// Identity providers publish a key long before they sign with it; this is what they allow caches at least.
const REFRESH: Duration = Duration::from_mins(5);
/// First pause after a failure; doubled up to [`REFRESH`].
const RETRY: Duration = Duration::from_secs(2);
/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest document: providers with many keys reach tens of KB.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// A URL from which keys may not be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("keys are fetched over `https`, or over `http` from a loopback address")]
pub struct JwksUrl;

/// Checks where keys may come from.
pub(in crate::sidecar) fn allowed(uri: &Uri) -> Result<(), JwksUrl> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if loopback => Ok(()),
        _ => Err(JwksUrl),
    }
}

/// Refreshes until it is aborted.
pub(in crate::sidecar) async fn keep_fresh(uri: Uri, keys: Arc<Jwks>) {
    let mut pause = RETRY;
    loop {
        match fetch(&uri, &keys).await {
            Ok(()) => {
                pause = RETRY;
                sleep(REFRESH).await;
            }
            Err(error) => {
                tracing::warn!(%uri, error = error.as_ref(), "the key set could not be fetched; the last one stays");
                sleep(pause).await;
                pause = (pause * 2).min(REFRESH);
            }
        }
    }
}

async fn fetch(uri: &Uri, keys: &Jwks) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let connector =
        HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?.https_or_http().enable_http1().build();
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let document = timeout(PATIENCE, async {
        let response = client.get(uri.clone()).await?;
        if !response.status().is_success() {
            return Err(format!("the answer's status is {}", response.status()).into());
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(
            Limited::new(response.into_body(), DOCUMENT_BYTES_MAX).collect().await?.to_bytes(),
        )
    })
    .await??;
    keys.replace(&document)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for (uri, expected) in [
            ("https://issuer/keys", Ok(())),
            ("http://127.0.0.1:1/keys", Ok(())),
            ("http://[::1]/keys", Ok(())),
            ("http://localhost/keys", Ok(())),
            ("http://issuer/keys", Err(JwksUrl)),
            ("http://127.0.0.1.issuer/keys", Err(JwksUrl)),
            ("/keys", Err(JwksUrl)),
        ] {
            assert_eq!(allowed(&uri.parse().unwrap()), expected, "{uri}");
        }
    }

    #[tokio::test]
    async fn key_set_is_fetched_and_a_failure_keeps_the_last_one() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
        let document = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        tokio::spawn(async move {
            for status in ["200 OK", "500 Internal Server Error"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = [0; 4096];
                assert!(stream.read(&mut head).await.unwrap() > 0);
                let length = document.len();
                let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
                stream.write_all((head + document).as_bytes()).await.unwrap();
            }
        });
        let keys = Jwks::default();
        fetch(&uri, &keys).await.unwrap();
        assert_eq!(format!("{keys:?}"), "Jwks { keys: Some(1) }");
        assert!(fetch(&uri, &keys).await.is_err());
        assert_eq!(format!("{keys:?}"), "Jwks { keys: Some(1) }");
    }
}
