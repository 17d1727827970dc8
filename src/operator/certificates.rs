//! What the operator serves with: a certificate that is replaced while it is served, and long before it expires.
//!
//! # Flow
//! The leader keeps authorities, the certificate and the keys in a Secret; all replicas watch it and serve with what it holds.
//! Or a folder holds them, which somebody else fills (cert-manager, for one). Whoever is to trust them is told through
//! [`Current::trusted`].
//!
//! # Guarantees
//! * A connection gets what is newest when it begins; one that is open is let be.
//! * What cannot be served with changes nothing: what was last good is served on.
//! * An authority is announced before it signs, and trusted until nobody serves what it signed: see `rotation`.

mod der;
mod folder;
mod keeper;
mod material;
mod rotation;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

pub(super) use self::folder::follow_folder;
pub(super) use self::keeper::Keeper;
use self::material::{Flaw, Served};
use crate::distribution::serve::Certificates;
use crate::telemetry::OperatorMetrics;

/// What is served with now.
pub(super) struct Current {
    key: ArcSwapOption<CertifiedKey>,
    trusted: watch::Sender<Option<String>>,
    metrics: OperatorMetrics,
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Current")
    }
}

impl Current {
    /// Nothing yet: every handshake is refused.
    pub(super) fn nothing(metrics: OperatorMetrics) -> Arc<Self> {
        Arc::new(Self { key: ArcSwapOption::empty(), trusted: watch::Sender::new(None), metrics })
    }

    /// Whether there is something to serve with.
    pub(super) fn is_there(&self) -> bool {
        self.key.load().is_some()
    }

    /// Who is to be trusted, as PEM: `None` until there is something to serve with, empty when that is for somebody else to say.
    pub(super) fn trusted(&self) -> watch::Receiver<Option<String>> {
        self.trusted.subscribe()
    }

    /// Serves with this from now on, if it can be served with.
    fn take(&self, served: Served) -> Result<(), Flaw> {
        let until = served.chain.first().map_or(Timestamp::MIN, |leaf| leaf.about.until);
        let chain = served.chain.into_iter().map(|one| one.der).collect::<Vec<_>>();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let key = CertifiedKey::from_der(chain, served.key, &provider).map_err(Flaw::Pair)?;
        if self.key.load().as_ref().is_none_or(|before| before.cert != key.cert) {
            self.key.store(Some(Arc::new(key)));
            self.metrics.certificate(until);
            tracing::info!(%until, "a certificate is served with");
        }
        self.announce(served.authorities);
        Ok(())
    }

    fn announce(&self, authorities: String) {
        self.trusted.send_if_modified(|trusted| {
            let changed = trusted.as_ref() != Some(&authorities);
            *trusted = Some(authorities);
            changed
        });
    }
}

impl Certificates for Current {
    fn current(&self) -> Option<Arc<CertifiedKey>> {
        self.key.load_full()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.key.load_full()
    }
}
