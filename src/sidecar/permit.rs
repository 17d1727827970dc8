//! The proof that a query may go upstream. Made from the engine's clearance, from people's release, from what earlier
//! releases carry or from a grant, and nowhere else.
//!
//! A permit cannot be put together by hand:
//!
//! ```compile_fail,E0451
//! # use countersign::sidecar::Permit;
//! fn forge(other: Permit) -> Permit {
//!     Permit { body: bytes::Bytes::new(), ..other }
//! }
//! ```
//!
//! and it cannot be used twice:
//!
//! ```compile_fail,E0382
//! # use countersign::sidecar::{Outbound, Permit, Upstream};
//! async fn twice(upstream: &Upstream, permit: Permit, once: Outbound, again: Outbound) {
//!     let _ = upstream.forward(permit, once).await;
//!     let _ = upstream.forward(permit, again).await;
//! }
//! ```
//!
//! and nothing is forwarded without one:
//!
//! ```compile_fail,E0308
//! # use countersign::sidecar::{Outbound, Upstream};
//! async fn without(upstream: &Upstream, outbound: Outbound) {
//!     let _ = upstream.forward(bytes::Bytes::from_static(b"{}"), outbound).await;
//! }
//! ```

use bytes::Bytes;
use hyper::body::Incoming;

use crate::approvals::{Carried, Granted, Release};
use crate::base::Digest;
use crate::rules::{Basis, Clearance};

/// Proof that these bytes may be forwarded, once.
#[derive(Debug)]
pub struct Permit {
    body: Bytes,
    digest: Digest,
    rest: Option<Rest>,
    observed: bool,
}

/// What of a body was never read: posture `Observe` passes it on behind the part that was.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) incoming: Incoming,
    /// The length of the whole body, where the client named one.
    pub(super) length: Option<u64>,
}

impl Permit {
    /// SHA-256 of the bytes.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The same permit with the unread rest of the body behind it. Only what is let through unjudged, under posture
    /// `Observe`, can have one.
    pub(super) fn followed_by(mut self, rest: Option<Rest>) -> Self {
        self.rest = rest.filter(|_| self.observed);
        self
    }

    pub(super) fn into_body(self) -> (Bytes, Option<Rest>) {
        (self.body, self.rest)
    }
}

impl From<Clearance> for Permit {
    fn from(clearance: Clearance) -> Self {
        Self {
            body: clearance.body().clone(),
            digest: clearance.digest(),
            rest: None,
            observed: clearance.basis() == Basis::WouldRefuse,
        }
    }
}

impl From<Carried> for Permit {
    fn from(carried: Carried) -> Self {
        Self { body: carried.body().clone(), digest: carried.digest(), rest: None, observed: false }
    }
}

impl From<Granted> for Permit {
    fn from(granted: Granted) -> Self {
        Self { body: granted.body().clone(), digest: granted.digest(), rest: None, observed: false }
    }
}

impl From<Release> for Permit {
    fn from(release: Release) -> Self {
        Self { body: release.body().clone(), digest: release.digest(), rest: None, observed: false }
    }
}
