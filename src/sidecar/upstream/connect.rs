//! Opens connections to the model server, over TLS where its URI says so. Knows nothing of what is sent on them.

use std::time::Duration;

use http::Uri;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::service::Service as _;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::service::TowerToHyperService;
use tokio::time::timeout;

use super::relay::ForwardBody;
use crate::sidecar::settings::UpstreamSettings;

/// hyper's buffer per connection: bounds what is read ahead of a slow client.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// Why the model server did not answer. What it is in detail is for logs; clients get one of two codes.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamFailure {
    /// The URI has no host, or the target does not fit it.
    #[error("the upstream's URI cannot be used")]
    Uri,
    /// The system's certificates cannot be read.
    #[error("the system's certificates cannot be read")]
    Certificates(#[source] std::io::Error),
    /// No connection.
    #[error("no connection to the model server")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection broke before the answer's head.
    #[error("the model server broke off")]
    Broke(#[source] hyper::Error),
    /// Too slow.
    #[error("the model server took too long")]
    Timeout,
}

/// Opens connections.
#[derive(Debug)]
pub(super) struct Connector {
    uri: Uri,
    connect_timeout: Duration,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Plain(TowerToHyperService<HttpConnector>),
    Tls(Box<TowerToHyperService<HttpsConnector<HttpConnector>>>),
}

impl Connector {
    pub(super) fn new(settings: &UpstreamSettings) -> Result<Self, UpstreamFailure> {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.set_connect_timeout(Some(settings.connect_timeout));
        http.enforce_http(false);
        let kind = match settings.uri.scheme_str() {
            Some("http") => Kind::Plain(TowerToHyperService::new(http)),
            Some("https") => {
                let provider = rustls::crypto::aws_lc_rs::default_provider();
                let https = HttpsConnectorBuilder::new()
                    .with_provider_and_native_roots(provider)
                    .map_err(UpstreamFailure::Certificates)?
                    .https_only()
                    .enable_http1()
                    .wrap_connector(http);
                Kind::Tls(Box::new(TowerToHyperService::new(https)))
            }
            _ => return Err(UpstreamFailure::Uri),
        };
        Ok(Self { uri: settings.uri.clone(), connect_timeout: settings.connect_timeout, kind })
    }

    /// A fresh connection; the task that drives it ends with it.
    pub(super) async fn open(&self) -> Result<SendRequest<ForwardBody>, UpstreamFailure> {
        timeout(self.connect_timeout, self.connect()).await.map_err(|_| UpstreamFailure::Timeout)?
    }

    async fn connect(&self) -> Result<SendRequest<ForwardBody>, UpstreamFailure> {
        match &self.kind {
            Kind::Plain(connector) => {
                let io = connector.call(self.uri.clone()).await;
                handshake(io.map_err(|error| UpstreamFailure::Connect(error.into()))?).await
            }
            Kind::Tls(connector) => {
                let io = connector.call(self.uri.clone()).await;
                handshake(io.map_err(UpstreamFailure::Connect)?).await
            }
        }
    }
}

async fn handshake<I>(io: I) -> Result<SendRequest<ForwardBody>, UpstreamFailure>
where
    I: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
{
    let (sender, connection) =
        http1::Builder::new().max_buf_size(BUFFER_BYTES_MAX).handshake(io).await.map_err(UpstreamFailure::Broke)?;
    // Errors of the connection reach whoever waits for an answer on it.
    tokio::spawn(async move { connection.await.unwrap_or_default() });
    Ok(sender)
}
