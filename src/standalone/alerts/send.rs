//! Delivers one message: signed, over TLS where the address says so, with a bounded number of attempts.
//!
//! Must not know grouping. Guarantees that redirects are not followed, answers are not read, and every attempt has a
//! time limit.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::message::{SIGNATURE_HEADER, sign};
use super::settings::{Route, Secret, SettingsFailure};
use crate::base::Clock;

/// How long a receiver may take for one attempt: it should queue, not work.
const ATTEMPT_SECONDS_MAX: u64 = 5;

/// How often and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// One attempt.
    pub(super) attempt: Duration,
    /// Between one attempt and the next; as many further attempts as there are pauses.
    pub(super) pauses: &'static [Duration],
}

impl Default for Patience {
    /// Four attempts within about 40 seconds: a receiver that is restarted is back by then.
    fn default() -> Self {
        const PAUSES: &[Duration] = &[Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(15)];
        Self { attempt: Duration::from_secs(ATTEMPT_SECONDS_MAX), pauses: PAUSES }
    }
}

/// Why a message did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::standalone) enum SendFailure {
    /// The receiver does not want it; another attempt would change nothing.
    #[error("the receiver refused the message with status {0}")]
    Refused(StatusCode),
    /// The receiver is in trouble.
    #[error("the receiver failed with status {0}")]
    Failed(StatusCode),
    /// There is no receiver, or it broke off.
    #[error("the receiver cannot be reached")]
    Unreachable,
    /// It did not answer in time.
    #[error("the receiver did not answer in time")]
    Timeout,
}

impl SendFailure {
    const fn may_pass(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Failed(_) | Self::Unreachable | Self::Timeout => true,
        }
    }
}

/// Whether any receiver has to prove who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::standalone) enum Receivers {
    /// Some are `https://`: root certificates are needed.
    SomeTls,
    /// All are `http://`.
    PlainOnly,
}

/// Sends messages. Cloning shares connections.
#[derive(Clone)]
pub(in crate::standalone) struct Sender {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    clock: Arc<dyn Clock>,
    patience: Patience,
}

impl Sender {
    pub(super) fn new(
        receivers: Receivers,
        clock: Arc<dyn Clock>,
        patience: Patience,
    ) -> Result<Self, SettingsFailure> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for the default versions of TLS");
        let config = match receivers {
            Receivers::SomeTls => config.with_native_roots().map_err(SettingsFailure::Roots)?,
            Receivers::PlainOnly => config.with_root_certificates(rustls::RootCertStore::empty()),
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config.with_no_client_auth())
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, clock, patience })
    }

    /// Delivers `body`, trying again when that may help.
    pub(super) async fn deliver(&self, route: &Route, body: Bytes) -> Result<(), SendFailure> {
        for pause in self.patience.pauses {
            match self.attempt(&route.url, &route.secret, body.clone()).await {
                Err(failure) if failure.may_pass() => tokio::time::sleep(*pause).await,
                settled => return settled,
            }
        }
        self.attempt(&route.url, &route.secret, body).await
    }

    /// A sender for those who keep their messages, and try again themselves.
    pub(in crate::standalone) fn once(receivers: Receivers, clock: Arc<dyn Clock>) -> Result<Self, SettingsFailure> {
        Self::new(receivers, clock, Patience { pauses: &[], ..Patience::default() })
    }

    /// One attempt, to an address that was checked before.
    pub(in crate::standalone) async fn attempt(
        &self,
        url: &Uri,
        secret: &Secret,
        body: Bytes,
    ) -> Result<(), SendFailure> {
        let request = Request::post(url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .header(SIGNATURE_HEADER, sign(&secret.0, self.clock.now(), &body))
            .body(Full::new(body))
            .expect("the address was checked before, and the other headers are constants and hex");
        let answer = tokio::time::timeout(self.patience.attempt, self.client.request(request)).await;
        let status = answer.map_err(|_| SendFailure::Timeout)?.map_err(|_| SendFailure::Unreachable)?.status();
        match status {
            status if status.is_success() => Ok(()),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Err(SendFailure::Failed(status)),
            status if status.is_server_error() => Err(SendFailure::Failed(status)),
            status => Err(SendFailure::Refused(status)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::ManualClock;
    use crate::standalone::alerts::message::verify_signature;
    use crate::standalone::alerts::settings::{GroupBy, Secret};
    use axum::Router;
    use axum::http::HeaderMap;
    use tokio::sync::mpsc;

    pub(in super::super) const SECRET: &[u8] = b"0123456789abcdef";
    pub(in super::super) const EAGER: Patience =
        Patience { attempt: Duration::from_secs(5), pauses: &[Duration::ZERO, Duration::ZERO] };

    /// A receiver that answers with the statuses given, then 204; the bodies with good signatures come out of the queue.
    pub(in super::super) async fn receiver(statuses: Vec<u16>) -> (Route, mpsc::Receiver<serde_json::Value>) {
        let (got, queue) = mpsc::channel(64);
        let statuses = Arc::new(std::sync::Mutex::new(statuses.into_iter()));
        let take = move |headers: HeaderMap, body: Bytes| {
            let status = statuses.lock().unwrap().next().unwrap_or(204);
            let signature = headers[SIGNATURE_HEADER].to_str().unwrap().to_owned();
            verify_signature(SECRET, &signature, &body, clock().now(), 300).unwrap();
            got.try_send(serde_json::from_slice(&body).unwrap()).unwrap();
            std::future::ready(StatusCode::from_u16(status).unwrap())
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap()).parse().unwrap();
        let app = Router::new().route("/hook", axum::routing::post(take));
        tokio::spawn(async move { axum::serve(listener, app).await });
        (route(url), queue)
    }

    pub(in super::super) fn route(url: http::Uri) -> Route {
        Route {
            name: "default".to_owned(),
            url,
            secret: Secret(SECRET.to_vec()),
            group_by: vec![GroupBy::Policy, GroupBy::Rule],
            group_for: Duration::from_secs(30),
            rate_per_minute: 30,
        }
    }

    pub(in super::super) fn clock() -> Arc<dyn Clock> {
        Arc::new(ManualClock::at("2026-11-23T06:00:00Z".parse().unwrap()))
    }

    async fn deliver(statuses: Vec<u16>) -> (Result<(), SendFailure>, usize) {
        let (route, mut queue) = receiver(statuses).await;
        let sender = Sender::new(Receivers::PlainOnly, clock(), EAGER).unwrap();
        let result = sender.deliver(&route, Bytes::from_static(b"{}")).await;
        let mut attempts = 0;
        while queue.try_recv().is_ok() {
            attempts += 1;
        }
        (result, attempts)
    }

    #[tokio::test]
    async fn a_message_arrives_with_a_good_signature() {
        assert_eq!(deliver(vec![]).await, (Ok(()), 1));
    }

    #[tokio::test]
    async fn troubles_of_the_receiver_are_outlasted_within_the_attempts() {
        assert_eq!(deliver(vec![503, 429]).await, (Ok(()), 3));
        let failed = SendFailure::Failed(StatusCode::BAD_GATEWAY);
        assert_eq!(deliver(vec![502, 502, 502, 502]).await, (Err(failed), 3));
    }

    #[tokio::test]
    async fn a_refusal_or_a_redirect_is_final() {
        assert_eq!(deliver(vec![401]).await, (Err(SendFailure::Refused(StatusCode::UNAUTHORIZED)), 1));
        assert_eq!(deliver(vec![307]).await, (Err(SendFailure::Refused(StatusCode::TEMPORARY_REDIRECT)), 1));
    }

    #[tokio::test]
    async fn nobody_there_and_nobody_answering_are_failures() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = route(format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap());
        let patience = Patience { attempt: Duration::from_millis(20), pauses: &[] };
        let sender = Sender::new(Receivers::PlainOnly, clock(), patience).unwrap();
        assert_eq!(sender.deliver(&silent, Bytes::new()).await, Err(SendFailure::Timeout));
        drop(listener);
        assert_eq!(sender.deliver(&silent, Bytes::new()).await, Err(SendFailure::Unreachable));
    }
}
