//! The key that signs, what leads to it, and the epoch: a Secret of the operator's own namespace, which the leader makes.
//!
//! Guarantees: a key is made only where none was ever used; what cannot be read is used for nothing, and replaced by nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::runtime::watcher;
use kube::{Api, Client};

use super::run::MANAGER;
use super::watch::{News, Teller, follow};
use crate::distribution::{Kept, KeyFailure, Signer, SigningKey};

/// The name of the Secret.
pub(super) const SECRET: &str = "countersign-signing";
/// What the Secret holds.
const KEY: &str = "key";
const SUCCESSIONS: &str = "successions";
const EPOCH: &str = "epoch";
/// For people: what gates are told to trust.
const ANCHOR: &str = "anchor";

/// Who signs, and in which epoch.
#[derive(Debug, Clone)]
pub(super) struct Signing {
    /// Who signs.
    pub(super) signer: Arc<Signer>,
    /// The epoch in force.
    pub(super) epoch: u64,
}

/// Why a Secret is not what it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("it has no `{0}`")]
    Lacks(&'static str),
    #[error("its epoch is not a number")]
    Epoch,
    #[error("its key cannot be used")]
    Key(#[from] KeyFailure),
}

impl Signing {
    /// A first one.
    pub(super) fn fresh() -> Result<Self, KeyFailure> {
        Ok(Self { signer: Arc::new(Signer::new(SigningKey::generate()?)), epoch: 1 })
    }

    /// What a Secret holds.
    pub(super) fn read(secret: &Secret) -> Result<Self, Unusable> {
        let data = secret.data.as_ref();
        let field = |name: &'static str| {
            let found = data.and_then(|data| data.get(name));
            found.map(|bytes| bytes.0.clone()).ok_or(Unusable::Lacks(name))
        };
        let kept = Kept { key: field(KEY)?, successions: field(SUCCESSIONS)? };
        let epoch = std::str::from_utf8(&field(EPOCH)?).ok().and_then(|text| text.trim().parse().ok());
        Ok(Self { signer: Arc::new(Signer::restore(&kept)?), epoch: epoch.ok_or(Unusable::Epoch)? })
    }

    /// What a Secret is to hold.
    pub(super) fn data(&self) -> Result<BTreeMap<String, ByteString>, KeyFailure> {
        let kept = self.signer.keep()?;
        let fields = [
            (KEY, kept.key),
            (SUCCESSIONS, kept.successions),
            (EPOCH, self.epoch.to_string().into_bytes()),
            (ANCHOR, self.signer.anchor().to_string().into_bytes()),
        ];
        Ok(fields.into_iter().map(|(name, bytes)| (name.to_owned(), ByteString(bytes))).collect())
    }
}

/// Watches the Secret.
pub(super) async fn watch(client: Client, namespace: String, teller: Teller) {
    let api: Api<Secret> = Api::namespaced(client, &namespace);
    let read = |secret: &Secret| match Signing::read(secret) {
        Ok(signing) => Some(((), Some(signing))),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "the Secret `{SECRET}` cannot be used; what was read of it before counts on");
            None
        }
    };
    let config = watcher::Config::default().fields(&format!("metadata.name={SECRET}"));
    follow(vec![api], config, teller, read, News::Signing).await;
}

/// Makes the Secret.
pub(super) async fn create(client: Client, namespace: &str, signing: &Signing) -> Result<(), kube::Error> {
    let data = signing.data().map_err(|failure| kube::Error::Service(Box::new(failure)))?;
    let metadata = ObjectMeta { name: Some(SECRET.to_owned()), ..ObjectMeta::default() };
    let secret = Secret { metadata, data: Some(data), ..Secret::default() };
    let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    Api::<Secret>::namespaced(client, namespace).create(&parameters, &secret).await?;
    tracing::info!(namespace, anchor = %signing.signer.anchor(), "made the key that signs, in the Secret `{SECRET}`");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_back_and_nothing_else_is_used() {
        let signing = Signing { epoch: 7, ..Signing::fresh().unwrap() };
        let data = signing.data().unwrap();
        let secret = |data| Secret { data: Some(data), ..Secret::default() };
        let read = Signing::read(&secret(data.clone())).unwrap();
        assert_eq!((read.signer.anchor(), read.epoch), (signing.signer.anchor(), 7));
        for name in [KEY, SUCCESSIONS, EPOCH] {
            let mut lacking = data.clone();
            lacking.remove(name);
            assert!(matches!(Signing::read(&secret(lacking)), Err(Unusable::Lacks(lacks)) if lacks == name));
            let mut wrong = data.clone();
            wrong.insert(name.to_owned(), ByteString(b"x".to_vec()));
            assert!(Signing::read(&secret(wrong)).is_err(), "{name}");
        }
    }
}
