//! Who is believed, by gates and by the operator.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use countersign::distribution::protocol::{Acknowledged, Hello, Holding, Rejected, Vouch, from_gate, from_operator};
use countersign::distribution::serve::Settings;
use countersign::distribution::{Intake, Nonce, Shelf, Signer, SigningKey};
use rustls::ServerConfig;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::{AsyncReadExt as _, copy_bidirectional};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tonic::Code;

use super::bed::{Cluster, Heard, Making, Replica, Told, WORKLOAD, certificate, deny};
use super::raw::{Raw, tls};

#[tokio::test]
async fn a_gate_says_nothing_to_an_operator_with_another_key() {
    let (cluster, _) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    cluster.publish(&deny(1, "merger"));
    let folder = tempfile::tempdir().unwrap();
    let other = SigningKey::generate().unwrap().public();
    let gate = Making::of("a", "token-a", other).start(replica.address, folder.path());
    let lost = gate.story.lost().await;
    assert!(lost.contains("does not prove") && lost.contains("nothing leads"), "{lost}");
    assert_eq!((cluster.reviews.load(Ordering::SeqCst), cluster.heard_of("a")), (0, Vec::new()));
}

/// Somebody in between, who shows gates this certificate, proves it with this key, and relays every word.
async fn between(operator: SocketAddr, shown: Arc<CertifiedKey>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_no_client_auth().with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let relaying = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut gate) = acceptor.accept(stream).await else { continue };
            let (mut operator, _) = tls(operator).await;
            tokio::spawn(async move {
                let _ = copy_bidirectional(&mut gate, &mut operator).await;
            });
        }
    });
    (address, relaying)
}

#[tokio::test]
async fn a_gate_says_nothing_to_somebody_in_between() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    cluster.publish(&deny(1, "merger"));
    let genuine = Arc::clone(&replica.certificate.lock().unwrap());
    let own = certificate();
    // The operator's certificate is no secret; its key is.
    let borrowed = CertifiedKey { cert: genuine.cert.clone(), key: Arc::clone(&own.key), ocsp: None };
    for (shown, why) in [(own, "does not hold here"), (Arc::new(borrowed), "BadSignature")] {
        let (address, relaying) = between(replica.address, shown).await;
        let folder = tempfile::tempdir().unwrap();
        let gate = Making::of("a", "token-a", anchor).start(address, folder.path());
        let lost = gate.story.lost().await;
        assert!(lost.contains(why), "{lost}");
        assert!(!gate.story.told().contains(&Told::Admitted));
        relaying.abort();
    }
    assert_eq!((cluster.reviews.load(Ordering::SeqCst), cluster.heard_of("a")), (0, Vec::new()));
}

#[tokio::test]
async fn a_pod_belongs_to_the_first_key_that_proves_to_stand_in_it() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let gate = Making::of("a", "token-a", anchor).start(replica.address, first.path());
    cluster.publish(&deny(1, "merger"));
    cluster.hears("a", Heard::Acknowledged(1)).await;
    let thief = Making::of("a", "token-a", anchor).start(replica.address, second.path());
    let lost = thief.story.lost().await;
    assert!(lost.contains("already claimed by another key"), "{lost}");
    cluster.publish(&deny(2, "contract"));
    cluster.hears("a", Heard::Acknowledged(2)).await;
    assert!(!thief.story.told().iter().any(|told| matches!(told, Told::Admitted | Told::InForce(_))));
    drop(gate);
}

#[tokio::test]
async fn tokens_are_of_one_pod_each() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    for (name, token, why) in [
        ("a", "token-b", "one of another Pod"),
        ("a", "made up", "not one of a Pod"),
        ("a", "", "not one of a Pod"),
        ("unknown", "token-a", "one of another Pod"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let gate = Making::of(name, token, anchor).start(replica.address, folder.path());
        let lost = gate.story.lost().await;
        assert!(lost.contains(why), "{name} {token}: {lost}");
    }
    assert!(cluster.pins.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_claim_counts_for_its_own_connection_and_its_own_key() {
    let (cluster, _) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let (gate, thief) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    drop(Raw::join(replica.address, &gate, "a").await.unwrap());

    // What the gate once said, with the right key and all, is worth nothing on another connection.
    let mut heard = Raw::open(replica.address).await;
    let nonce = heard.hello().await;
    let said = heard.claim(&nonce, &gate, "uid-a", "token-a");
    let mut replayed = Raw::open(replica.address).await;
    replayed.hello().await;
    replayed.claims(said.clone()).await;
    assert_eq!(replayed.ends().await.code(), Code::Unauthenticated);

    // Nor is the right key under a signature of another.
    let mut other = Raw::open(replica.address).await;
    let nonce = other.hello().await;
    let mut claim = other.claim(&nonce, &thief, "uid-a", "");
    claim.key = gate.public().as_bytes().to_vec();
    other.claims(claim).await;
    assert_eq!(other.ends().await.code(), Code::Unauthenticated);

    // Nor a claim for one Pod that says another.
    let mut other = Raw::open(replica.address).await;
    let nonce = other.hello().await;
    let mut claim = other.claim(&nonce, &thief, "uid-b", "token-b");
    claim.pod_uid = "uid-a".to_owned();
    other.claims(claim).await;
    assert_eq!(other.ends().await.code(), Code::Unauthenticated);
    assert_eq!(cluster.reviews.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_comes_at_the_wrong_time_ends_the_stream() {
    let (cluster, _) = Cluster::new();
    let settings = Settings { claim_within: Duration::from_secs(5), ..Settings::default() };
    let replica = Replica::start_with(&cluster, settings).await;
    let key = SigningKey::generate().unwrap();
    let offer = cluster.publish(&deny(1, "merger"));
    let digest = offer.digest.as_bytes().to_vec();

    let mut early = Raw::open(replica.address).await;
    early.say(from_gate::Message::Holding(Holding::default())).await;
    assert_eq!(early.ends().await.code(), Code::InvalidArgument);
    let mut short = Raw::open(replica.address).await;
    short.say(from_gate::Message::Hello(Hello { nonce: vec![7; 31] })).await;
    assert_eq!(short.ends().await.code(), Code::InvalidArgument);
    let mut twice = Raw::open(replica.address).await;
    twice.hello().await;
    twice.say(from_gate::Message::Hello(Hello { nonce: vec![7; 32] })).await;
    assert_eq!(twice.ends().await.code(), Code::InvalidArgument);

    let rows = [
        from_gate::Message::Acknowledged(Acknowledged { order: None, digest: vec![1; 32] }),
        from_gate::Message::Rejected(Rejected { digest: vec![1; 32], ..Rejected::default() }),
        from_gate::Message::Acknowledged(Acknowledged { order: None, digest: Vec::new() }),
        from_gate::Message::Vouch(Vouch { nonce: Vec::new() }),
        from_gate::Message::Holding(Holding::default()),
    ];
    for message in rows {
        let mut raw = Raw::join(replica.address, &key, "a").await.unwrap();
        raw.say(message.clone()).await;
        assert_eq!(raw.ends().await.code(), Code::InvalidArgument, "{message:?}");
    }
    assert!(!cluster.heard_of("a").contains(&Heard::Acknowledged(1)));
    // An answer counts once.
    let mut raw = Raw::join(replica.address, &key, "a").await.unwrap();
    assert!(matches!(raw.hear().await.unwrap(), from_operator::Message::Bundle(_)));
    let acknowledged = from_gate::Message::Acknowledged(Acknowledged { order: None, digest });
    raw.say(acknowledged.clone()).await;
    raw.say(acknowledged).await;
    assert_eq!(raw.ends().await.code(), Code::InvalidArgument);
    cluster.hears("a", Heard::Acknowledged(1)).await;
}

#[tokio::test]
async fn messages_of_gates_have_a_longest_size_and_one_place() {
    let (cluster, _) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let key = SigningKey::generate().unwrap();
    let mut long = Raw::open(replica.address).await;
    let nonce = long.hello().await;
    long.claims(long.claim(&nonce, &key, "uid-a", &"x".repeat(100_000))).await;
    assert_eq!(long.ends().await.code(), Code::OutOfRange);
    let mut elsewhere =
        Raw::open_at(replica.address, "/countersign.distribution.v1alpha1.Distribution/Other").await.unwrap();
    assert_eq!(elsewhere.ends().await.code(), Code::Unimplemented);
    assert_eq!(cluster.reviews.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn who_does_not_prove_itself_in_time_is_gone_and_keeps_nobody_out() {
    let (cluster, anchor) = Cluster::new();
    let settings = Settings {
        claim_within: Duration::from_millis(200),
        strangers_max: 2,
        strangers_per_address_max: 2,
        ..Settings::default()
    };
    let replica = Replica::start_with(&cluster, settings).await;
    // One says nothing at all, one nothing after its handshake.
    let mut silent = tokio::net::TcpStream::connect(replica.address).await.unwrap();
    let (mut handshaken, _) = tls(replica.address).await;
    let folder = tempfile::tempdir().unwrap();
    let _gate = Making::of("a", "token-a", anchor).start(replica.address, folder.path());
    cluster.publish(&deny(1, "merger"));
    cluster.hears("a", Heard::Acknowledged(1)).await;
    let mut rest = Vec::new();
    let gone = async {
        assert_eq!(silent.read(&mut [0; 8]).await.unwrap_or(0), 0);
        let _ = handshaken.read_to_end(&mut rest).await;
    };
    // A hundred times as long as they have: looking up a Pod may take a minute, but they name none.
    timeout(Duration::from_secs(20), gone).await.unwrap();
    // One that said hello is told.
    let mut greeted = Raw::open(replica.address).await;
    greeted.hello().await;
    assert_eq!(greeted.ends().await.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn one_address_does_not_take_every_place() {
    let (cluster, _) = Cluster::new();
    let settings = Settings { strangers_max: 3, strangers_per_address_max: 1, ..Settings::default() };
    let replica = Replica::start_with(&cluster, settings).await;
    let mut first = Raw::open(replica.address).await;
    first.hello().await;
    let mut second = tokio::net::TcpStream::connect(replica.address).await.unwrap();
    assert_eq!(second.read(&mut [0; 8]).await.unwrap_or(0), 0, "it is sent away at once");
    drop(first);
}

#[tokio::test]
async fn nobody_vouches_while_nobody_can_know() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start_with(&cluster, Settings { vouch_every: Duration::ZERO, ..Settings::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let mut intake = Intake::new(anchor, WORKLOAD.to_owned(), Shelf::at(folder.path()));
    let key = SigningKey::generate().unwrap();
    let mut raw = Raw::join(replica.address, &key, "a").await.unwrap();
    // It holds nothing: there is nothing to vouch for.
    raw.say(vouch(1)).await;
    let offer = cluster.publish(&deny(1, "merger"));
    let from_operator::Message::Bundle(bundle) = raw.hear().await.unwrap() else { panic!("a bundle") };
    // It has not said yet that it has taken this.
    raw.say(vouch(2)).await;
    intake.take(&bundle.bytes, Duration::ZERO).unwrap();
    raw.say(from_gate::Message::Acknowledged(Acknowledged { order: None, digest: offer.digest.as_bytes().to_vec() }))
        .await;
    cluster.hears("a", Heard::Acknowledged(1)).await;
    cluster.current.store(false, Ordering::SeqCst);
    raw.say(vouch(3)).await;
    cluster.asked_whether_current().await;
    // What comes next is no voucher.
    cluster.publish(&deny(2, "merger"));
    let from_operator::Message::Bundle(second) = raw.hear().await.unwrap() else { panic!("a bundle") };
    cluster.current.store(true, Ordering::SeqCst);
    intake.take(&second.bytes, Duration::ZERO).unwrap();
    let digest = intake.holding().unwrap().1.as_bytes().to_vec();
    raw.say(from_gate::Message::Acknowledged(Acknowledged { order: None, digest })).await;
    raw.say(vouch(4)).await;
    let from_operator::Message::Vouched(vouched) = raw.hear().await.unwrap() else { panic!("a voucher") };
    let asked_at = Duration::from_secs(5);
    for seed in [1, 2, 3] {
        assert!(intake.renew(&vouched.statement, &Nonce::of([seed; 32]), asked_at).is_err());
    }
    assert_eq!(intake.renew(&vouched.statement, &Nonce::of([4; 32]), asked_at), Ok(()));
}

fn vouch(seed: u8) -> from_gate::Message {
    from_gate::Message::Vouch(Vouch { nonce: vec![seed; 32] })
}

#[tokio::test]
async fn without_a_signing_key_gates_are_asked_to_come_again() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let signer: Option<Arc<Signer>> = cluster.signer.lock().unwrap().take();
    let folder = tempfile::tempdir().unwrap();
    let gate = Making::of("a", "token-a", anchor).start(replica.address, folder.path());
    let lost = gate.story.lost().await;
    assert!(lost.contains("signing key is not there yet"), "{lost}");
    *cluster.signer.lock().unwrap() = signer;
    cluster.publish(&deny(1, "merger"));
    cluster.hears("a", Heard::Acknowledged(1)).await;
}
