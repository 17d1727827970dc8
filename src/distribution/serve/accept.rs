//! Accepts connections of gates: TCP, TLS 1.3 with the certificate of the moment, HTTP/2, one stream each.
//!
//! Guarantees: the digest that is stated to a gate is that of the certificate which its own handshake used; who does not prove
//! itself in time is gone.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::CONTENT_TYPE;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tonic::Status;

use super::ports::Registry;
use super::seats::Seats;
use super::session;
use super::settings::Settings;
use super::strangers::{Stranger, Strangers};
use crate::base::Digest;
use crate::distribution::limits::{KEEPALIVE_EVERY, KEEPALIVE_WITHIN};
use crate::distribution::stream::{Body, MEDIA, Outgoing, PATH, requested};

/// Longest message of a gate: a token is a few KB.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Longest head of a request.
const HEAD_BYTES_MAX: u32 = 16 << 10;
/// How long the system is left alone after it would not give a connection.
const ACCEPT_AGAIN: std::time::Duration = std::time::Duration::from_millis(20);
/// How long a last message may take to leave.
const LEAVE_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

/// Where the certificate and its key come from: the one that counts at this moment. While there is none, nobody is served.
pub trait Certificates: Send + Sync + 'static {
    /// The same `Arc` for as long as it is the same certificate.
    fn current(&self) -> Option<Arc<CertifiedKey>>;
}

impl<F: Fn() -> Option<Arc<CertifiedKey>> + Send + Sync + 'static> Certificates for F {
    fn current(&self) -> Option<Arc<CertifiedKey>> {
        self()
    }
}

/// What all connections share.
pub(super) struct Server {
    pub(super) registry: Arc<dyn Registry>,
    pub(super) settings: Settings,
    pub(super) seats: Arc<Seats>,
    pub(super) admissions: Semaphore,
    pub(super) stopping: watch::Receiver<bool>,
    certificates: Arc<dyn Certificates>,
    tls: Mutex<Option<Prepared>>,
}

/// What handshakes are made with.
#[derive(Clone)]
struct Prepared {
    key: Arc<CertifiedKey>,
    config: Arc<ServerConfig>,
    digest: Digest,
}

/// Serves gates until `shutdown` is ready, then tells them that they may come back elsewhere.
pub async fn serve(
    listener: TcpListener,
    certificates: Arc<dyn Certificates>,
    registry: Arc<dyn Registry>,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send,
) {
    let strangers = Strangers::new(settings.strangers_max, settings.strangers_per_address_max);
    let (stop, stopping) = watch::channel(false);
    let server = Arc::new(Server {
        registry,
        seats: Arc::default(),
        admissions: Semaphore::new(settings.admissions_max),
        settings,
        stopping,
        certificates,
        tls: Mutex::default(),
    });
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &strangers) => accepted,
        };
        while connections.try_join_next().is_some() {}
        if let Some((stream, stranger)) = accepted {
            connections.spawn(connection(Arc::clone(&server), stream, stranger));
        }
    }
    drop(listener);
    stop.send_replace(true);
    let finished = async { while connections.join_next().await.is_some() {} };
    if timeout(LEAVE_WITHIN, finished).await.is_err() {
        connections.shutdown().await;
    }
}

/// A connection, once there is room for another stranger.
async fn accept(listener: &TcpListener, strangers: &Arc<Strangers>) -> Option<(TcpStream, Stranger)> {
    let place = strangers.place().await?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, strangers.sit(peer.ip(), place)?)),
        Err(error) => {
            tracing::debug!(%error, "a connection of a gate could not be accepted");
            sleep(ACCEPT_AGAIN).await;
            None
        }
    }
}

/// One connection, from its handshake to its end.
async fn connection(server: Arc<Server>, stream: TcpStream, stranger: Stranger) {
    let until = Instant::now() + server.settings.claim_within;
    let Some(Prepared { config, digest, .. }) = server.prepared() else {
        tracing::warn!("there is no certificate yet, so a gate was sent away");
        return;
    };
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = timeout_at(until, TlsAcceptor::from(config).accept(stream)).await else { return };
    let (claimed, claim) = oneshot::channel();
    let (believed, admitted) = oneshot::channel();
    let (ended, over) = oneshot::channel();
    // One stream for each connection: whoever opens another finds these taken.
    let hooks = Mutex::new(Some(Hooks { until, claimed, believed, ended }));
    let service = service_fn(|request| {
        let hooks = hooks.lock().unwrap_or_else(PoisonError::into_inner).take();
        std::future::ready(Ok::<_, Infallible>(answer(&server, request, digest, hooks)))
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(1)
        .max_header_list_size(HEAD_BYTES_MAX)
        .keep_alive_interval(KEEPALIVE_EVERY)
        .keep_alive_timeout(KEEPALIVE_WITHIN);
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    // Until the claim is believed a stranger, afterwards for as long as the stream goes on.
    let proving = async {
        let claimed = timeout_at(until, claim).await;
        let believed = matches!(claimed, Ok(Ok(()))) && admitted.await.is_ok();
        drop(stranger);
        if believed {
            let _ = over.await;
        }
    };
    tokio::select! {
        _ = &mut serving => return,
        () = proving => {}
    }
    if hooks.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
        // It has asked for nothing, so there is nothing to tell it.
        return;
    }
    // The last message is on its way.
    serving.as_mut().graceful_shutdown();
    let _ = timeout(LEAVE_WITHIN, serving).await;
}

/// What the one stream of a connection tells the connection.
pub(super) struct Hooks {
    /// When the claim must be there.
    pub(super) until: Instant,
    /// The claim is there; what is done with it has an end of its own.
    pub(super) claimed: oneshot::Sender<()>,
    /// The claim is believed; dropped when it is not.
    pub(super) believed: oneshot::Sender<()>,
    /// The stream has ended; dropped with it.
    pub(super) ended: oneshot::Sender<()>,
}

/// Begins a stream.
fn answer(
    server: &Arc<Server>,
    request: Request<Incoming>,
    certificate: Digest,
    hooks: Option<Hooks>,
) -> Response<Body> {
    let (outgoing, body) = Outgoing::new();
    let grpc = request.headers().get(CONTENT_TYPE).is_some_and(|media| media.as_bytes().starts_with(MEDIA.as_bytes()));
    match hooks {
        Some(hooks) if grpc && request.method() == Method::POST && request.uri().path() == PATH => {
            let incoming = requested(request.into_body(), MESSAGE_BYTES_MAX);
            tokio::spawn(session::run(Arc::clone(server), incoming, outgoing, certificate, hooks));
        }
        Some(_) | None => {
            tokio::spawn(async move {
                outgoing.end(&Status::unimplemented("one stream of Distribution/Follow is served here")).await;
            });
        }
    }
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, MEDIA);
    response
}

impl Server {
    /// What a handshake is made with now.
    fn prepared(&self) -> Option<Prepared> {
        let key = self.certificates.current()?;
        let mut tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prepared) = tls.as_ref().filter(|prepared| Arc::ptr_eq(&prepared.key, &key)) {
            return Some(prepared.clone());
        }
        let digest = Digest::of(key.cert.first()?);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]);
        let resolver = Arc::new(SingleCertAndKey::from(Arc::clone(&key)));
        let mut config = config.ok()?.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec()];
        // A session that goes on shows no certificate.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let prepared = Prepared { key, config: Arc::new(config), digest };
        *tls = Some(prepared.clone());
        drop(tls);
        Some(prepared)
    }
}
