//! A connection to the operator: TCP, TLS 1.3, HTTP/2, one stream.
//!
//! Guarantees: the digest of the certificate is that of the very handshake. Any certificate will do, if its owner made the
//! handshake: who that is, the operator proves afterwards, over that digest. Sessions are never resumed, since a resumed one
//! shows no certificate.

use std::fmt;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderValue, TE};
use http::uri::Authority;
use http::{Method, Request, Version};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use tonic::Streaming;

use super::Broken;
use crate::base::Digest;
use crate::distribution::limits::{BUNDLE_BYTES_MAX, KEEPALIVE_EVERY, KEEPALIVE_WITHIN};
use crate::distribution::protocol::{FromGate, FromOperator};
use crate::distribution::stream::{Body, MEDIA, Outgoing, PATH, responded};

/// A message with a bundle is longer than the bundle by this much at most.
const AROUND_BUNDLE: usize = 64;
/// How much of a bundle may be on its way unread: one round trip for all but the largest.
const WINDOW_BYTES: u32 = 1 << 20;

/// How connections are made; shared by all of a process.
#[derive(Clone)]
pub struct Tls(TlsConnector);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self::new()
    }
}

impl Tls {
    /// TLS 1.3 and HTTP/2 only.
    ///
    /// # Panics
    /// Never: the provider has TLS 1.3.
    #[must_use]
    pub fn new() -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let any = Arc::new(AnyOwner::of(&provider));
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider has TLS 1.3");
        let mut config = config.dangerous().with_custom_certificate_verifier(any).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.resumption = Resumption::disabled();
        Self(TlsConnector::from(Arc::new(config)))
    }
}

/// Takes any certificate whose owner made the handshake.
#[derive(Debug)]
struct AnyOwner(WebPkiSupportedAlgorithms);

impl AnyOwner {
    const fn of(provider: &CryptoProvider) -> Self {
        Self(provider.signature_verification_algorithms)
    }
}

impl ServerCertVerifier for AnyOwner {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// A connection with at most one stream. Ends when it is dropped.
pub(super) struct Connection {
    certificate: Digest,
    authority: Authority,
    requests: http2::SendRequest<Body>,
    running: AbortHandle,
    stream: Option<(Outgoing, Streaming<FromOperator>)>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Connects.
pub(super) async fn connect(operator: &Authority, tls: &Tls) -> Result<Connection, Broken> {
    let name = ServerName::try_from(operator.host().trim_matches(['[', ']']).to_owned());
    let name = name.map_err(|_| Broken::NotTheOperator("its name is none"))?;
    let stream = TcpStream::connect(operator.as_str()).await.map_err(Broken::Unreachable)?;
    stream.set_nodelay(true).map_err(Broken::Unreachable)?;
    let stream = tls.0.connect(name, stream).await.map_err(Broken::Unreachable)?;
    let (_, session) = stream.get_ref();
    if session.alpn_protocol() != Some(b"h2") {
        return Err(Broken::NotTheOperator("it does not speak HTTP/2"));
    }
    let leaf = session.peer_certificates().and_then(<[_]>::first).ok_or(Broken::NotTheOperator("no certificate"))?;
    let certificate = Digest::of(leaf);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .keep_alive_interval(KEEPALIVE_EVERY)
        .keep_alive_timeout(KEEPALIVE_WITHIN)
        .keep_alive_while_idle(true);
    let (requests, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(Broken::Connection)?;
    let running = tokio::spawn(async move {
        // Whoever reads from the stream hears of it.
        let _ = connection.await;
    });
    let authority = operator.clone();
    Ok(Connection { certificate, authority, requests, running: running.abort_handle(), stream: None })
}

impl Connection {
    /// The digest of the certificate that the connection was made with.
    pub(super) const fn certificate(&self) -> Digest {
        self.certificate
    }

    /// Opens the stream, with a first message.
    pub(super) async fn open(&mut self, first: &FromGate) -> Result<(), Broken> {
        let (mut outgoing, body) = Outgoing::new();
        outgoing.send(first).await.map_err(|_| Broken::Protocol("it ends the stream"))?;
        let uri = format!("https://{}{PATH}", self.authority);
        let request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .version(Version::HTTP_2)
            .header(CONTENT_TYPE, MEDIA)
            .header(TE, HeaderValue::from_static("trailers"))
            .body(body)
            .map_err(|_| Broken::NotTheOperator("its name is none"))?;
        let response = self.requests.send_request(request).await.map_err(Broken::Connection)?;
        let incoming = responded(response, BUNDLE_BYTES_MAX + AROUND_BUNDLE).map_err(Broken::Refused)?;
        self.stream = Some((outgoing, incoming));
        Ok(())
    }

    /// Waits until a message is on its way.
    pub(super) async fn send(&mut self, message: &FromGate) -> Result<(), Broken> {
        let Some((outgoing, incoming)) = &mut self.stream else { return Err(Broken::Protocol("there is no stream")) };
        if outgoing.send(message).await.is_ok() {
            return Ok(());
        }
        // It reads no more: it has said why, or the connection has.
        loop {
            match incoming.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return Err(Broken::Protocol("it ends the stream")),
                Err(status) => return Err(Broken::Refused(status)),
            }
        }
    }

    /// Waits for a message. May be dropped at any time.
    pub(super) async fn message(&mut self) -> Result<FromOperator, Broken> {
        let Some((_, incoming)) = &mut self.stream else { return Err(Broken::Protocol("there is no stream")) };
        match incoming.message().await {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(Broken::Protocol("it ends the stream")),
            Err(status) => Err(Broken::Refused(status)),
        }
    }
}
