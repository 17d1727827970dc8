//! A peer that says what it likes: the messages as they are, on a connection that takes any certificate.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use countersign::base::Digest;
use countersign::distribution::protocol::{Claim, FromGate, FromOperator, Hello, Holding, from_gate, from_operator};
use countersign::distribution::{Nonce, SigningKey};
use http::Request;
use http_body_util::channel::{Channel, Sender};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::codec::Codec as _;
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

/// Only a broken protocol ever waits that long.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
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
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A TLS connection, and the digest of the certificate.
pub(crate) async fn tls(address: SocketAddr) -> (TlsStream<TcpStream>, Digest) {
    let config =
        ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let mut config =
        config.unwrap().dangerous().with_custom_certificate_verifier(Arc::new(Anybody)).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let digest = Digest::of(&stream.get_ref().1.peer_certificates().unwrap()[0]);
    (stream, digest)
}

/// One stream.
pub(crate) struct Raw {
    pub(crate) certificate: Digest,
    outgoing: Sender<Bytes, Infallible>,
    incoming: Streaming<FromOperator>,
}

impl Raw {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self::open_at(address, "/countersign.distribution.v1alpha1.Distribution/Follow").await.unwrap()
    }

    pub(crate) async fn open_at(address: SocketAddr, path: &str) -> Result<Self, hyper::Error> {
        let (stream, certificate) = tls(address).await;
        let (mut requests, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let (outgoing, body) = Channel::<Bytes, Infallible>::new(16);
        let request = Request::post(format!("https://localhost{path}")).header("content-type", "application/grpc");
        let response = requests.send_request(request.body(body).unwrap()).await?;
        let (head, body) = response.into_parts();
        let decoder = ProstCodec::<FromOperator, FromOperator>::default().decoder();
        Ok(Self { certificate, outgoing, incoming: Streaming::new_response(decoder, body, head.status, None, None) })
    }

    pub(crate) async fn say(&mut self, message: from_gate::Message) {
        let message = FromGate { message: Some(message) }.encode_to_vec();
        let mut frame = BytesMut::new();
        frame.put_u8(0);
        frame.put_u32(u32::try_from(message.len()).unwrap());
        frame.put_slice(&message);
        let _ = self.outgoing.send_data(frame.freeze()).await;
    }

    pub(crate) async fn hear(&mut self) -> Result<from_operator::Message, Status> {
        let message = timeout(PATIENCE, self.incoming.message()).await.expect("a message, or an end");
        let message = message?.ok_or_else(|| Status::cancelled("the end"))?;
        Ok(message.message.unwrap())
    }

    /// The status that the stream ends with.
    pub(crate) async fn ends(&mut self) -> Status {
        loop {
            match self.hear().await {
                Ok(_) => {}
                Err(status) => return status,
            }
        }
    }

    pub(crate) async fn hello(&mut self) -> Nonce {
        self.say(from_gate::Message::Hello(Hello { nonce: vec![7; 32] })).await;
        match self.hear().await.unwrap() {
            from_operator::Message::Welcome(welcome) => Nonce::read(&welcome.nonce).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// A claim as it should be.
    pub(crate) fn claim(&self, nonce: &Nonce, key: &SigningKey, pod_uid: &str, token: &str) -> Claim {
        Claim {
            pod_uid: pod_uid.to_owned(),
            key: key.public().as_bytes().to_vec(),
            signature: key.claim(nonce, &self.certificate, pod_uid).unwrap().to_vec(),
            token: token.to_owned(),
            version: "test".to_owned(),
        }
    }

    pub(crate) async fn claims(&mut self, claim: Claim) {
        self.say(from_gate::Message::Claim(claim)).await;
        self.say(from_gate::Message::Holding(Holding::default())).await;
    }

    /// Everything up to being let in.
    pub(crate) async fn join(address: SocketAddr, key: &SigningKey, name: &str) -> Result<Self, Status> {
        let mut raw = Self::open(address).await;
        let nonce = raw.hello().await;
        raw.claims(raw.claim(&nonce, key, &format!("uid-{name}"), &format!("token-{name}"))).await;
        match raw.hear().await? {
            from_operator::Message::Admitted(_) => Ok(raw),
            other => panic!("{other:?}"),
        }
    }
}
