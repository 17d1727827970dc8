//! What an administrator does about the key that signs and about epochs: one change of one Secret, which all replicas watch.

use std::path::PathBuf;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, Client};

use super::arguments::place;
use super::run::{Failure, client};
use super::signing::{SECRET, Signing, Unusable, create};
use crate::base::{Clock as _, SystemClock};
use crate::distribution::{KeyFailure, SigningKey};

/// What an administrator may do.
#[derive(Debug, clap::Subcommand)]
pub enum Administration {
    /// Make all gates take what there is now, after etcd was restored from a backup.
    ///
    /// Gates refuse whatever is older than what they have, and sequences of a restored etcd are. Under a new epoch everything is
    /// given out again, and counts as newer than all that went before.
    NewEpoch(Whereabouts),
    /// Hand over to a new signing key.
    ///
    /// The key in use signs its successor; gates that trust it follow, and Pods that are made from now on are told the new one.
    /// A key that somebody else has got is not made good by this: delete the Pods of enrolled workloads, too.
    RotateSigningKey {
        /// Where the key is kept.
        #[command(flatten)]
        whereabouts: Whereabouts,
        /// The Secret with the key is lost: begin with another key. Gates of Pods that are there now will not follow it.
        #[arg(long)]
        lost: bool,
    },
}

/// Where the key is kept.
#[derive(Debug, clap::Args)]
pub struct Whereabouts {
    /// How to reach the API server; `KUBECONFIG`, `~/.kube/config` or the Pod's own account when left out.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Where the operator keeps what is its own; its Pod's namespace, or `countersign-system`, when left out.
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// The API server cannot be reached.
    #[error(transparent)]
    Unreachable(#[from] Failure),
    /// The API server refuses.
    #[error("the API server refuses")]
    Refused(#[from] kube::Error),
    /// There is no Secret.
    #[error("there is no Secret `{SECRET}` in namespace `{0}`: name the operator's namespace with --namespace")]
    NoSecret(String),
    /// There is one, after all.
    #[error("the Secret `{SECRET}` is there in namespace `{0}`: without --lost its key hands over to another")]
    NotLost(String),
    /// The Secret is not what it should be.
    #[error("the Secret `{SECRET}` cannot be used")]
    Unusable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No key can be made.
    #[error("no key can be made")]
    Key(#[from] KeyFailure),
}

impl From<Unusable> for NotDone {
    fn from(unusable: Unusable) -> Self {
        Self::Unusable(Box::new(unusable))
    }
}

/// Does it, and says what was done.
pub async fn administer(administration: Administration) -> Result<String, NotDone> {
    match administration {
        Administration::NewEpoch(whereabouts) => new_epoch(&Kept::at(&whereabouts).await?).await,
        Administration::RotateSigningKey { whereabouts, lost: false } => rotate(&Kept::at(&whereabouts).await?).await,
        Administration::RotateSigningKey { whereabouts, lost: true } => {
            begin_anew(&Kept::at(&whereabouts).await?).await
        }
    }
}

/// The Secret's place.
struct Kept {
    client: Client,
    namespace: String,
}

impl Kept {
    async fn at(whereabouts: &Whereabouts) -> Result<Self, NotDone> {
        let client = client(whereabouts.kubeconfig.as_deref()).await?;
        Ok(Self { client, namespace: place(whereabouts.namespace.clone()).namespace })
    }

    fn api(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn read(&self) -> Result<(Secret, Signing), NotDone> {
        let secret = self.api().get_opt(SECRET).await?.ok_or_else(|| NotDone::NoSecret(self.namespace.clone()))?;
        let signing = Signing::read(&secret)?;
        Ok((secret, signing))
    }

    /// Writes it, if nobody has changed it since it was read.
    async fn write(&self, secret: Secret, signing: &Signing) -> Result<(), NotDone> {
        let secret = Secret { data: Some(signing.data()?), ..secret };
        self.api().replace(SECRET, &PostParams::default(), &secret).await?;
        Ok(())
    }
}

async fn new_epoch(kept: &Kept) -> Result<String, NotDone> {
    let (secret, signing) = kept.read().await?;
    // A backup may be older than the last new epoch: counted up alone, the same one could be given twice.
    let now = u64::try_from(SystemClock::default().now().as_second()).unwrap_or_default();
    let epoch = now.max(signing.epoch.saturating_add(1));
    let before = signing.epoch;
    kept.write(secret, &Signing { epoch, ..signing }).await?;
    Ok(format!("epoch {epoch} follows epoch {before}: everything is given out again, and every gate takes it"))
}

async fn rotate(kept: &Kept) -> Result<String, NotDone> {
    let (secret, signing) = kept.read().await?;
    let (before, epoch) = (signing.signer.anchor(), signing.epoch);
    let signer = Arc::into_inner(signing.signer).ok_or(KeyFailure::Unusable)?;
    let signer = Arc::new(signer.hand_over(SigningKey::generate()?)?);
    let anchor = signer.anchor();
    kept.write(secret, &Signing { signer, epoch }).await?;
    Ok(format!("key {before} has handed over to {anchor}: gates that trust the one follow the other"))
}

async fn begin_anew(kept: &Kept) -> Result<String, NotDone> {
    if kept.api().get_opt(SECRET).await?.is_some() {
        return Err(NotDone::NotLost(kept.namespace.clone()));
    }
    let now = u64::try_from(SystemClock::default().now().as_second()).unwrap_or_default();
    let signing = Signing { epoch: now, ..Signing::fresh()? };
    create(kept.client.clone(), &kept.namespace, &signing).await?;
    let anchor = signing.signer.anchor();
    Ok(format!("key {anchor} signs from now on: delete the Pods of enrolled workloads, whose gates trust the lost one"))
}
