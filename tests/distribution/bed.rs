//! What the tests stand on: a cluster in memory, a server in front of it, and gates.

use std::collections::{BTreeMap, HashMap};
use std::future::ready;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign::base::{Digest, SystemClock};
use countersign::compile;
use countersign::distribution::follow::{self, Broken, Follower, Keeper, News, Tls};
use countersign::distribution::serve::{self, Denied, Offer, PodIdentity, Registry, Rejection, Settings, Wait};
use countersign::distribution::{Accepted, Bundle, Intake, Order, PublicKey, Shelf, Signer, SigningKey};
use countersign::rules::Workload;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Only a broken protocol ever waits that long.
const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const WORKLOAD: &str = "3f0c1a52-7f5e-4a3e-9a2b-6d0f2c1e8b44";

fn workload() -> Workload {
    Workload { namespace: "models".to_owned(), name: "llama".to_owned(), labels: BTreeMap::new() }
}

fn bundle(sequence: u64, documents: Vec<String>) -> Bundle {
    revised(Bundle {
        order: Order { epoch: 1, sequence },
        revision: Digest::of(b"not known yet"),
        uid: WORKLOAD.to_owned(),
        workload: workload(),
        age_max: Duration::from_hours(1),
        documents,
    })
}

/// With the revision that its documents have.
pub(crate) fn revised(bundle: Bundle) -> Bundle {
    let read: Vec<_> = bundle.documents.iter().flat_map(|text| compile::read("test", text).unwrap()).collect();
    Bundle { revision: compile::compile(&read, &workload()).unwrap().rule_set.revision(), ..bundle }
}

fn policy(word: &str, action: &str) -> String {
    format!(
        "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {{name: p, namespace: models}}\n\
         spec: {{rules: [{{name: a, match: {{keywords: [{word}]}}, action: {action}}}]}}\n"
    )
}

/// A bundle that denies a word.
pub(crate) fn deny(sequence: u64, word: &str) -> Bundle {
    bundle(sequence, vec![policy(word, "{type: Deny}")])
}

/// One that holds a word.
pub(crate) fn holding(sequence: u64, word: &str) -> Bundle {
    let chain = "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalChain\nmetadata: {name: legal, namespace: models}\n\
                 spec: {stages: [{name: legal, approvers: [{group: legal}]}]}\n";
    bundle(sequence, vec![policy(word, "{type: Hold, chain: legal}"), chain.to_owned()])
}

/// What the registry heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Holding(Option<u64>),
    Acknowledged(u64),
    Rejected(u64, String),
    Gone,
}

/// A cluster with Pods of one workload.
pub(crate) struct Cluster {
    pub(crate) tokens: Mutex<HashMap<String, PodIdentity>>,
    pub(crate) pins: Mutex<HashMap<String, (PodIdentity, PublicKey)>>,
    pub(crate) signer: Mutex<Option<Arc<Signer>>>,
    pub(crate) current: AtomicBool,
    pub(crate) reviews: AtomicUsize,
    /// Pins are written down when so many wait for it.
    pub(crate) pins_together: AtomicUsize,
    claims: AtomicUsize,
    asked_whether_current: AtomicUsize,
    offers: Mutex<Option<watch::Sender<Option<Arc<Offer>>>>>,
    heard: Mutex<Vec<(String, Heard)>>,
    more: Notify,
}

pub(crate) fn pod(name: &str) -> PodIdentity {
    PodIdentity { namespace: "models".to_owned(), name: name.to_owned(), uid: format!("uid-{name}") }
}

impl Cluster {
    pub(crate) fn new() -> (Arc<Self>, PublicKey) {
        let key = SigningKey::generate().unwrap();
        let anchor = key.public();
        let cluster = Self {
            tokens: Mutex::default(),
            pins: Mutex::default(),
            signer: Mutex::new(Some(Arc::new(Signer::new(key)))),
            current: AtomicBool::new(true),
            reviews: AtomicUsize::new(0),
            pins_together: AtomicUsize::new(0),
            claims: AtomicUsize::new(0),
            asked_whether_current: AtomicUsize::new(0),
            offers: Mutex::new(Some(watch::channel(None).0)),
            heard: Mutex::default(),
            more: Notify::new(),
        };
        for name in ["a", "b", "c"] {
            cluster.tokens.lock().unwrap().insert(format!("token-{name}"), pod(name));
        }
        (Arc::new(cluster), anchor)
    }

    pub(crate) fn signer_now(&self) -> Arc<Signer> {
        self.signer.lock().unwrap().clone().unwrap()
    }

    /// Publishes a bundle.
    pub(crate) fn publish(&self, bundle: &Bundle) -> Arc<Offer> {
        let offer = Arc::new(Offer::sign(bundle, &self.signer_now()).unwrap());
        self.offer(&offer);
        offer
    }

    /// Offers anything.
    pub(crate) fn offer(&self, offer: &Arc<Offer>) {
        self.offers.lock().unwrap().as_ref().unwrap().send_replace(Some(Arc::clone(offer)));
    }

    /// The workload is not enrolled any more.
    pub(crate) fn unenrol(&self) {
        self.offers.lock().unwrap().take();
    }

    /// Waits until somebody wanted to know whether an offer is current.
    pub(crate) async fn asked_whether_current(&self) {
        until(&self.more, || self.asked_whether_current.load(Ordering::SeqCst) > 0).await;
    }

    fn note(&self, pod: &PodIdentity, heard: Heard) {
        self.heard.lock().unwrap().push((pod.name.clone(), heard));
        self.more.notify_waiters();
    }

    pub(crate) fn heard_of(&self, name: &str) -> Vec<Heard> {
        self.heard.lock().unwrap().iter().filter(|(pod, _)| pod == name).map(|(_, heard)| heard.clone()).collect()
    }

    /// Waits until this was heard of a Pod.
    #[track_caller]
    pub(crate) fn hears<'a>(&'a self, name: &'a str, what: Heard) -> impl Future<Output = ()> + 'a {
        self.hears_times(name, what, 1)
    }

    #[track_caller]
    pub(crate) fn hears_times<'a>(&'a self, name: &'a str, what: Heard, times: usize) -> impl Future<Output = ()> + 'a {
        let heard = move || self.heard_of(name).iter().filter(|heard| **heard == what).count() >= times;
        until(&self.more, heard)
    }
}

/// Waits until it holds; `more` is notified whenever it may.
async fn until(more: &Notify, holds: impl Fn() -> bool) {
    let waited = timeout(PATIENCE, async {
        loop {
            let told = more.notified();
            if holds() {
                return;
            }
            told.await;
        }
    });
    assert!(waited.await.is_ok(), "never happened");
}

impl Registry for Cluster {
    fn identify<'a>(&'a self, token: &'a str) -> Wait<'a, Result<PodIdentity, Denied>> {
        self.reviews.fetch_add(1, Ordering::SeqCst);
        let pod = self.tokens.lock().unwrap().get(token).cloned();
        Box::pin(ready(pod.ok_or_else(|| Denied::Token("nobody knows it".to_owned()))))
    }

    fn pinned(&self, pod_uid: &str) -> Option<(PodIdentity, PublicKey)> {
        self.pins.lock().unwrap().get(pod_uid).cloned()
    }

    fn pin<'a>(&'a self, pod: &'a PodIdentity, key: PublicKey) -> Wait<'a, Result<(), Denied>> {
        let mut pins = self.pins.lock().unwrap();
        let (_, pinned) = pins.entry(pod.uid.clone()).or_insert_with(|| (pod.clone(), key));
        let answer = if *pinned == key { Ok(()) } else { Err(Denied::OtherKey) };
        self.claims.fetch_add(1, Ordering::SeqCst);
        self.more.notify_waiters();
        let together = || self.claims.load(Ordering::SeqCst) >= self.pins_together.load(Ordering::SeqCst);
        Box::pin(async move {
            until(&self.more, together).await;
            answer
        })
    }

    fn follow(&self, _: &PodIdentity) -> Result<watch::Receiver<Option<Arc<Offer>>>, Denied> {
        self.offers.lock().unwrap().as_ref().map(watch::Sender::subscribe).ok_or(Denied::NotEnrolled)
    }

    fn is_current(&self, _: &PodIdentity, _: &Offer) -> bool {
        self.asked_whether_current.fetch_add(1, Ordering::SeqCst);
        self.more.notify_waiters();
        self.current.load(Ordering::SeqCst)
    }

    fn signer(&self) -> Option<Arc<Signer>> {
        self.signer.lock().unwrap().clone()
    }

    fn holding(&self, pod: &PodIdentity, version: &str, held: Option<(Order, Digest)>) {
        assert!(["test", env!("CARGO_PKG_VERSION")].contains(&version), "{version}");
        self.note(pod, Heard::Holding(held.map(|(order, _)| order.sequence)));
    }

    fn acknowledged(&self, pod: &PodIdentity, offer: &Arc<Offer>) {
        self.note(pod, Heard::Acknowledged(offer.order.sequence));
    }

    fn rejected(&self, pod: &PodIdentity, offer: &Arc<Offer>, rejection: Rejection) {
        assert!(!rejection.message.is_empty());
        self.note(pod, Heard::Rejected(offer.order.sequence, rejection.code));
    }

    fn gone(&self, pod: &PodIdentity) {
        self.note(pod, Heard::Gone);
    }
}

/// A certificate of its own, as any server can make one.
pub(crate) fn certificate() -> Arc<CertifiedKey> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    Arc::new(CertifiedKey::from_der(vec![made.cert.der().clone()], key, &provider).unwrap())
}

/// A replica of the operator.
pub(crate) struct Replica {
    pub(crate) address: SocketAddr,
    pub(crate) certificate: Arc<Mutex<Arc<CertifiedKey>>>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Replica {
    pub(crate) async fn start(cluster: &Arc<Cluster>) -> Self {
        Self::start_with(cluster, Settings::default()).await
    }

    pub(crate) async fn start_with(cluster: &Arc<Cluster>, settings: Settings) -> Self {
        Self::start_at(cluster, settings, "127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn start_at(cluster: &Arc<Cluster>, settings: Settings, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let certificate = Arc::new(Mutex::new(certificate()));
        let (stop, stopped) = oneshot::channel();
        let now = Arc::clone(&certificate);
        let certificates = move || Some(Arc::clone(&now.lock().unwrap()));
        let registry = Arc::clone(cluster) as Arc<dyn Registry>;
        let shutdown = async { stopped.await.unwrap_or_default() };
        let serving = tokio::spawn(serve::serve(listener, Arc::new(certificates), registry, settings, shutdown));
        Self { address, certificate, stop: Some(stop), serving }
    }

    /// Ends as it does when it is asked to.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        timeout(PATIENCE, &mut self.serving).await.unwrap().unwrap();
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What a gate told its keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    InForce(u64),
    Admitted,
    Kept,
    Refused(&'static str),
    Fresh(Duration),
    NotRenewed,
    Lost(String),
}

/// What a gate has told so far.
#[derive(Default)]
pub(crate) struct Story {
    told: Mutex<Vec<Told>>,
    more: Notify,
}

impl Story {
    fn note(&self, told: Told) {
        self.told.lock().unwrap().push(told);
        self.more.notify_waiters();
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    pub(crate) async fn until(&self, holds: impl Fn(&[Told]) -> bool) {
        until(&self.more, || holds(&self.told.lock().unwrap())).await;
    }

    /// Why its connection ended first.
    pub(crate) async fn lost(&self) -> String {
        self.until(|told| told.iter().any(|told| matches!(told, Told::Lost(_)))).await;
        let told = self.told();
        let lost = told.into_iter().find_map(|told| if let Told::Lost(why) = told { Some(why) } else { None });
        lost.unwrap()
    }
}

type Check = Box<dyn Fn(&Accepted) -> Result<(), &'static str> + Send>;

struct Recorder {
    story: Arc<Story>,
    check: Check,
}

impl Keeper for Recorder {
    fn put_in_force(&mut self, accepted: &Accepted) -> Result<(), &'static str> {
        (self.check)(accepted)?;
        self.story.note(Told::InForce(accepted.bundle.order.sequence));
        Ok(())
    }

    fn hear(&mut self, news: News<'_>) {
        self.story.note(match news {
            News::Admitted => Told::Admitted,
            News::Kept(kept) => {
                assert!(kept.is_ok(), "{kept:?}");
                Told::Kept
            }
            News::Refused(refusal) => Told::Refused(refusal.code()),
            News::FreshUntil(until) => Told::Fresh(until),
            News::NotRenewed(_) => Told::NotRenewed,
            News::Lost(broken, pause) => {
                assert!(pause <= Duration::from_secs(30));
                Told::Lost(in_full(broken))
            }
        });
    }
}

fn in_full(broken: &Broken) -> String {
    let cause = std::error::Error::source(broken).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{broken}{cause}")
}

/// A gate that follows, until it is dropped.
pub(crate) struct Gate {
    pub(crate) story: Arc<Story>,
    running: JoinHandle<()>,
}

/// How a gate is made.
pub(crate) struct Making {
    pub(crate) name: &'static str,
    pub(crate) token: &'static str,
    pub(crate) anchor: PublicKey,
    pub(crate) key: SigningKey,
    pub(crate) check: Check,
}

impl Making {
    pub(crate) fn of(name: &'static str, token: &'static str, anchor: PublicKey) -> Self {
        Self { name, token, anchor, key: SigningKey::generate().unwrap(), check: Box::new(|_| Ok(())) }
    }

    /// Starts it, with what its folder holds.
    pub(crate) fn start(self, operator: SocketAddr, folder: &Path) -> Gate {
        let story = Arc::new(Story::default());
        let mut intake = Intake::new(self.anchor, WORKLOAD.to_owned(), Shelf::at(folder));
        if let Some(accepted) = intake.resume(Duration::ZERO).unwrap() {
            story.note(Told::InForce(accepted.bundle.order.sequence));
        }
        let (token, uid) = (self.token, pod(self.name).uid);
        let follower = Follower {
            settings: follow::Settings {
                operator: operator.to_string().parse().unwrap(),
                pod_uid: uid,
                version: "test".to_owned(),
            },
            tls: Tls::new(),
            key: self.key,
            token: Box::new(move || Ok(token.to_owned())),
            intake,
            keeper: Recorder { story: Arc::clone(&story), check: self.check },
            clock: Arc::new(SystemClock::default()),
            random: Box::new(|| {
                let mut bytes = [0; 32];
                getrandom::fill(&mut bytes).ok().map(|()| bytes)
            }),
        };
        let running = tokio::spawn(async move {
            follower.run().await;
        });
        Gate { story, running }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.running.abort();
    }
}
