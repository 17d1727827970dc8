//! What is said around bundles, when both sides know already what it is about: a signature without a text.
//!
//! ```text
//! format                      2
//! number of successions       4
//!   key, successor, signature 32 + 32 + 64 each
//! key                         32
//! signature                   64
//! ```
//!
//! The signature is over all that stands before it and over the facts, which are not sent: the side that checks has its own.
//!
//! Guarantees: a statement holds for these facts and for nothing else, neither for another nonce nor as another kind.

use super::bundle::Order;
use super::bytes::{Malformed, Reader, Writer};
use super::envelope::{SIGNATURE_BYTES, Signer, read_successions, write_successions};
use super::key::{KeyFailure, PublicKey, Purpose, SigningKey, Succession};
use crate::base::Digest;

const FORMAT: u16 = 1;

/// Random bytes of the side that checks, used for one statement: what was said before, or to others, does not fit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; 32]);

impl Nonce {
    /// These bytes, which must be random.
    #[must_use]
    pub const fn of(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// What came over the wire, if it is as long as a nonce.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What a statement is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Facts<'a> {
    /// The operator to a gate: this connection is mine. `certificate` is the digest of the leaf that it was made with.
    Welcome { nonce: &'a Nonce, certificate: &'a Digest },
    /// The operator to a gate: this bundle is the current one of this workload.
    Voucher { nonce: &'a Nonce, uid: &'a str, order: Order, digest: &'a Digest },
}

impl Facts<'_> {
    const fn purpose(&self) -> Purpose {
        match self {
            Self::Welcome { .. } => Purpose::Welcome,
            Self::Voucher { .. } => Purpose::Voucher,
        }
    }

    fn write(&self, out: &mut Writer) {
        match self {
            Self::Welcome { nonce, certificate } => {
                out.raw(nonce.as_bytes());
                out.raw(certificate.as_bytes());
            }
            Self::Voucher { nonce, uid, order, digest } => {
                out.raw(nonce.as_bytes());
                out.text(uid);
                out.long(order.epoch);
                out.long(order.sequence);
                out.raw(digest.as_bytes());
            }
        }
    }
}

impl Signer {
    /// The operator's first word on a connection.
    pub fn welcome(&self, nonce: &Nonce, certificate: &Digest) -> Result<Vec<u8>, KeyFailure> {
        self.state(&Facts::Welcome { nonce, certificate })
    }

    /// That this bundle is still the current one of the workload with this UID.
    pub fn vouch(&self, nonce: &Nonce, uid: &str, order: Order, digest: &Digest) -> Result<Vec<u8>, KeyFailure> {
        self.state(&Facts::Voucher { nonce, uid, order, digest })
    }

    fn state(&self, facts: &Facts<'_>) -> Result<Vec<u8>, KeyFailure> {
        let mut out = Writer::default();
        out.short(FORMAT);
        write_successions(&mut out, &self.successions);
        out.raw(self.key.public().id().as_bytes());
        let signature = self.key.sign(facts.purpose(), &signed(&out.0, facts))?;
        out.raw(&signature);
        Ok(out.0)
    }
}

/// What is signed: what stands before the signature, and the facts.
fn signed(head: &[u8], facts: &Facts<'_>) -> Vec<u8> {
    let mut out = Writer(head.to_vec());
    facts.write(&mut out);
    out.0
}

/// A statement of which nothing is believed yet.
#[derive(Debug)]
pub(super) struct Statement<'a> {
    pub(super) successions: Vec<Succession>,
    pub(super) key: Digest,
    head: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Statement<'a> {
    /// Takes the bytes apart.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut from = Reader(bytes);
        if from.short("format")? != FORMAT {
            return Err(Malformed("format"));
        }
        let successions = read_successions(&mut from)?;
        let key = Digest::from_bytes(from.array("key")?);
        let head = bytes.len().checked_sub(from.0.len()).and_then(|end| bytes.get(..end));
        let head = head.ok_or(Malformed("key"))?;
        let signature = from.raw(SIGNATURE_BYTES, "signature")?;
        from.end()?;
        Ok(Self { successions, key, head, signature })
    }

    /// Whether `key` said it of these facts.
    pub(super) fn holds(&self, key: PublicKey, facts: &Facts<'_>) -> bool {
        key.holds(facts.purpose(), &signed(self.head, facts), self.signature)
    }
}

impl SigningKey {
    /// A gate's word that this connection is its own.
    pub fn claim(&self, nonce: &Nonce, certificate: &Digest, pod_uid: &str) -> Result<[u8; 64], KeyFailure> {
        self.sign(Purpose::Claim, &claim(nonce, certificate, pod_uid))
    }
}

impl PublicKey {
    /// Whether the gate with this key said so.
    #[must_use]
    pub fn claimed(&self, nonce: &Nonce, certificate: &Digest, pod_uid: &str, signature: &[u8]) -> bool {
        self.holds(Purpose::Claim, &claim(nonce, certificate, pod_uid), signature)
    }
}

fn claim(nonce: &Nonce, certificate: &Digest, pod_uid: &str) -> Vec<u8> {
    let mut out = Writer::default();
    out.raw(nonce.as_bytes());
    out.raw(certificate.as_bytes());
    out.text(pod_uid);
    out.0
}
