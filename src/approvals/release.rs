//! The proof that people released a query: made here only, for exactly the bytes that were held.

use bytes::Bytes;

use crate::base::{Digest, HoldId};

/// Proof that people released these bytes.
#[derive(Debug)]
pub struct Release {
    body: Bytes,
    digest: Digest,
    revision: Digest,
    hold: HoldId,
}

impl Release {
    /// The bytes that may be forwarded.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// SHA-256 of those bytes.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The rule set in force when it was judged.
    #[must_use]
    pub const fn revision(&self) -> Digest {
        self.revision
    }

    /// Which hold.
    #[must_use]
    pub const fn hold(&self) -> HoldId {
        self.hold
    }
}
