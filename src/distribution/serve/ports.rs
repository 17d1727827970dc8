//! What the server of rule sets needs from whoever knows the cluster: which Pods there are, and what their workloads are to
//! judge by.
//!
//! Knows nothing of connections, nor of Kubernetes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use crate::base::Digest;
use crate::distribution::{Bundle, Order, PublicKey, Signer, Unpublishable, publish};

/// A boxed future that may move between threads.
pub type Wait<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A Pod in front of whose model a gate stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodIdentity {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID: another Pod of the same name is another Pod.
    pub uid: String,
}

/// A signed bundle, the same bytes for all gates of its workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// As gates take it.
    pub bytes: Bytes,
    /// How new it is.
    pub order: Order,
    /// The digest of the bytes, by which gates speak of it.
    pub digest: Digest,
    /// [`Bundle::content`].
    pub content: Digest,
    /// The UID of the workload.
    pub uid: String,
}

impl Offer {
    /// Signs a bundle. The same bundle and signer give the same bytes, here and in every other replica.
    pub fn sign(bundle: &Bundle, signer: &Signer) -> Result<Self, Unpublishable> {
        let bytes = Bytes::from(publish(bundle, signer)?);
        Ok(Self {
            digest: Digest::of(&bytes),
            content: bundle.content()?,
            order: bundle.order,
            uid: bundle.uid.clone(),
            bytes,
        })
    }
}

/// Why a gate says that it does not take a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// One word that never changes, at most 64 bytes of `a-z` and `_`.
    pub code: String,
    /// A sentence for people, at most 1,024 bytes.
    pub message: String,
}

/// Why a gate gets nothing. The messages are what the gate logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The token proves nothing.
    #[error("the token is not one of a Pod for the audience `countersign.dev/gate`: {0}")]
    Token(String),
    /// There is no such Pod, it is at its end, or its workload is not enrolled.
    #[error("the Pod is not a live one of an enrolled workload")]
    NotEnrolled,
    /// The Pod has been claimed with another key.
    #[error("the Pod is already claimed by another key; delete the Pod when its data folder was lost")]
    OtherKey,
    /// The API server does not answer, or this replica has not read everything yet.
    #[error("the operator cannot look up the Pod now: {0}")]
    Unavailable(String),
}

/// What the server needs. All calls that do not wait are cheap: they are made on the way of every gate.
///
/// For a Pod, calls come in this order: `identify` and `pin`, or neither when it is pinned; `follow`; `holding`; any number of
/// `acknowledged` and `rejected`; `gone`. A Pod is followed by one gate at a time: a later connection with the same key ends the
/// one before, of which nothing is heard any more then.
pub trait Registry: Send + Sync + 'static {
    /// Whose token it is. May be asked for the same one again and again.
    fn identify<'a>(&'a self, token: &'a str) -> Wait<'a, Result<PodIdentity, Denied>>;

    /// The Pod with this UID and the key that it is pinned to, as far as this replica knows.
    fn pinned(&self, pod_uid: &str) -> Option<(PodIdentity, PublicKey)>;

    /// Pins a Pod, whose token was just looked at, to a key: persisted before this returns. Pinning it to the same key again is
    /// no error. Another key is [`Denied::OtherKey`], and the registry's to log, count and tell people of.
    fn pin<'a>(&'a self, pod: &'a PodIdentity, key: PublicKey) -> Wait<'a, Result<(), Denied>>;

    /// What the Pod's workload is to judge by, now and whenever it changes; nothing until there is something. The sender is
    /// dropped when the Pod or its enrolment ends: so does the stream.
    fn follow(&self, pod: &PodIdentity) -> Result<watch::Receiver<Option<Arc<Offer>>>, Denied>;

    /// Whether this replica knows now, by watches that live, that the offer is the current one. While it does not, it must not
    /// vouch for it: gates are to grow stale when nobody can know.
    fn is_current(&self, pod: &PodIdentity, offer: &Offer) -> bool;

    /// Who signs welcomes and vouchers; nobody until the key was read.
    fn signer(&self) -> Option<Arc<Signer>>;

    /// A gate of this version is there and holds this, or nothing. [`Registry::acknowledged`] follows when it is what its
    /// workload is offered.
    fn holding(&self, pod: &PodIdentity, version: &str, held: Option<(Order, Digest)>);

    /// A gate has put this offer in force.
    fn acknowledged(&self, pod: &PodIdentity, offer: &Arc<Offer>);

    /// A gate has refused this offer; what it had stays in force.
    fn rejected(&self, pod: &PodIdentity, offer: &Arc<Offer>, rejection: Rejection);

    /// The gate's connection has ended.
    fn gone(&self, pod: &PodIdentity);
}
