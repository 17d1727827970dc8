//! The way to the model server: a small pool of plain HTTP/1.1 connections, and the only function that forwards.
//!
//! # Guarantees
//! * [`Upstream::forward`] takes a [`Permit`] by value and sends exactly its bytes.
//! * The request is built from scratch: nothing of the client's connection crosses.
//! * Only what was certainly not sent is sent again, once, on a fresh connection.
//! * A connection returns to the pool when an answer has ended, and is closed when the client leaves before that.
//!
//! Knows nothing of policies, and of answers only where they end.

mod connect;
mod pool;
mod relay;

use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use http::{HeaderMap, Method, Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;

use super::deadline::Deadlines;
use super::permit::Permit;
use super::settings::UpstreamSettings;

pub use connect::UpstreamFailure;
pub(super) use relay::{End, Relay, Witness};

use connect::Connector;
use pool::Pool;
use relay::ForwardBody;

/// What is asked of the model server, apart from the body.
#[derive(Debug)]
pub struct Outbound {
    /// The method.
    pub method: Method,
    /// The path and the parameters, as routed.
    pub target: PathAndQuery,
    /// The headers that may travel.
    pub headers: HeaderMap,
}

/// The model server.
#[derive(Debug)]
pub struct Upstream {
    connector: Connector,
    pool: Arc<Pool>,
    host: HeaderValue,
    prefix: String,
    first_byte_timeout: Duration,
    first_bytes: Deadlines,
    idle_timeout: Duration,
}

impl Upstream {
    /// A way to the server of the settings. Opens no connection yet.
    pub fn new(settings: &UpstreamSettings) -> Result<Self, UpstreamFailure> {
        let authority = settings.uri.authority().ok_or(UpstreamFailure::Uri)?;
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| UpstreamFailure::Uri)?;
        Ok(Self {
            connector: Connector::new(settings)?,
            pool: Arc::new(Pool::new(settings.idle_connections_max, settings.idle_connection_age_max)),
            host,
            prefix: settings.uri.path().trim_end_matches('/').to_owned(),
            first_byte_timeout: settings.first_byte_timeout,
            first_bytes: Deadlines::default(),
            idle_timeout: settings.idle_timeout,
        })
    }

    /// Sends what the permit is for; answers when the head of the answer is there.
    pub async fn forward(&self, permit: Permit, outbound: Outbound) -> Result<Response<Answer>, UpstreamFailure> {
        let request = self.request(permit, outbound)?;
        let mut deadline = self.first_bytes.at(Instant::now() + self.first_byte_timeout);
        let sent = deadline.limit(self.send(request)).await;
        let (response, sender) = sent.ok_or(UpstreamFailure::Timeout)??;
        let keep = Keep { sender, pool: Arc::clone(&self.pool) };
        Ok(response.map(|incoming| Answer { incoming, keep: Some(keep), idle_timeout: self.idle_timeout }))
    }

    fn request(&self, permit: Permit, outbound: Outbound) -> Result<Request<ForwardBody>, UpstreamFailure> {
        let uri = if self.prefix.is_empty() {
            Uri::from(outbound.target)
        } else {
            format!("{}{}", self.prefix, outbound.target).parse().map_err(|_| UpstreamFailure::Uri)?
        };
        let mut request = Request::new(ForwardBody::of(permit));
        *request.method_mut() = outbound.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = outbound.headers;
        request.headers_mut().insert(HOST, self.host.clone());
        Ok(request)
    }

    async fn send(
        &self,
        mut request: Request<ForwardBody>,
    ) -> Result<(Response<Incoming>, SendRequest<ForwardBody>), UpstreamFailure> {
        if let Some(mut sender) = self.pool.take() {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, sender)),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(UpstreamFailure::Broke(failed.into_error())),
                },
            }
        }
        // Kept elsewhere: opening is rare, and its state is larger than all else of a query's.
        let mut sender = Box::pin(self.connector.open()).await?;
        match sender.try_send_request(request).await {
            Ok(response) => Ok((response, sender)),
            Err(failed) => Err(UpstreamFailure::Broke(failed.into_error())),
        }
    }
}

/// The body of an answer, with the connection it comes on.
#[derive(Debug)]
pub struct Answer {
    incoming: Incoming,
    keep: Option<Keep>,
    idle_timeout: Duration,
}

#[derive(Debug)]
struct Keep {
    sender: SendRequest<ForwardBody>,
    pool: Arc<Pool>,
}

impl Keep {
    /// The answer has ended: the connection may be used again.
    fn give_back(self) {
        self.pool.put(self.sender);
    }
}
