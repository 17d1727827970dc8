//! A bundle as bytes on the way: what it is, who signs, what is said, and the signature over all of it.
//!
//! ```text
//! "CSBUNDLE"                  8
//! format                      2
//! number of successions       4
//!   key, successor, signature 32 + 32 + 64 each
//! key                         32
//! length, bundle              4 + length
//! signature                   64
//! ```
//!
//! Guarantees: every byte before the signature is signed, and nothing of the bundle is looked at before that holds.

use super::bundle::Bundle;
use super::bytes::{Malformed, Reader, Writer};
use super::key::{KeyFailure, PublicKey, Purpose, SigningKey, Succession};
use super::limits::{BUNDLE_BYTES_MAX, SUCCESSIONS_MAX};
use super::refusal::{Refusal, Unpublishable};
use crate::base::Digest;

/// What every bundle begins with.
const MARK: &[u8; 8] = b"CSBUNDLE";
/// The format that is written and read here.
pub(super) const FORMAT: u16 = 1;
pub(super) const SIGNATURE_BYTES: usize = 64;

/// Who signs, and how gates of older anchors get to its key.
#[derive(Debug)]
pub struct Signer {
    pub(super) key: SigningKey,
    pub(super) successions: Vec<Succession>,
}

impl Signer {
    /// A first key: gates have it as their anchor.
    #[must_use]
    pub const fn new(key: SigningKey) -> Self {
        Self { key, successions: Vec::new() }
    }

    /// A key that was stored with what leads to it.
    #[must_use]
    pub const fn of(key: SigningKey, successions: Vec<Succession>) -> Self {
        Self { key, successions }
    }

    /// Hands over to another key. Gates whose anchor is further back than the last successions that fit are left behind.
    pub fn hand_over(mut self, to: SigningKey) -> Result<Self, KeyFailure> {
        self.successions.push(Succession::sign(&self.key, to.public())?);
        let surplus = self.successions.len().saturating_sub(SUCCESSIONS_MAX);
        self.successions.drain(..surplus);
        Ok(Self { key: to, successions: self.successions })
    }

    /// The key that gates injected from now on have as their anchor.
    #[must_use]
    pub const fn anchor(&self) -> PublicKey {
        self.key.public()
    }
}

/// Signs a bundle. What no gate would take is not made; whether it compiles is the caller's to know.
pub fn publish(bundle: &Bundle, signer: &Signer) -> Result<Vec<u8>, Unpublishable> {
    let payload = bundle.write().map_err(Unpublishable::of)?;
    if signer.successions.len() > SUCCESSIONS_MAX {
        return Err(Unpublishable::of(Malformed("number of successions")));
    }
    let mut out = Writer::default();
    out.raw(MARK);
    out.short(FORMAT);
    write_successions(&mut out, &signer.successions);
    out.raw(signer.key.public().id().as_bytes());
    out.count(payload.len());
    out.raw(&payload);
    let signature = signer.key.sign(Purpose::Bundle, &out.0)?;
    out.raw(&signature);
    if out.0.len() > BUNDLE_BYTES_MAX {
        return Err(Unpublishable::Unacceptable(Refusal::TooLarge));
    }
    Ok(out.0)
}

pub(super) fn write_successions(out: &mut Writer, successions: &[Succession]) {
    out.count(successions.len());
    for succession in successions {
        out.raw(succession.from.as_bytes());
        out.raw(succession.to.as_bytes());
        out.raw(&succession.signature);
    }
}

/// A bundle of which nothing is believed yet.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) successions: Vec<Succession>,
    pub(super) key: Digest,
    pub(super) payload: &'a [u8],
    signed: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Takes the bytes apart.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Refusal> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        let mut from = Reader(bytes);
        if from.raw(MARK.len(), "mark") != Ok(MARK.as_slice()) {
            return Err(Refusal::NotABundle);
        }
        let found = from.short("format")?;
        if found != FORMAT {
            return Err(Refusal::UnknownVersion { found, known: FORMAT });
        }
        let successions = read_successions(&mut from)?;
        let key = Digest::from_bytes(from.array("key")?);
        let length = from.count(BUNDLE_BYTES_MAX, "length")?;
        let payload = from.raw(length, "length")?;
        let signed = bytes.len().checked_sub(from.0.len()).and_then(|end| bytes.get(..end));
        let signed = signed.ok_or(Malformed("signature"))?;
        let signature = from.raw(SIGNATURE_BYTES, "signature")?;
        from.end()?;
        Ok(Self { successions, key, payload, signed, signature })
    }

    /// What is said, if `key` signed it.
    pub(super) fn read(&self, key: PublicKey) -> Result<Bundle, Refusal> {
        if !key.holds(Purpose::Bundle, self.signed, self.signature) {
            return Err(Refusal::WrongSignature);
        }
        Ok(Bundle::read(self.payload)?)
    }
}

pub(super) fn read_successions(from: &mut Reader<'_>) -> Result<Vec<Succession>, Malformed> {
    let count = from.count(SUCCESSIONS_MAX, "number of successions")?;
    (0..count).map(|_| succession(from)).collect()
}

fn succession(from: &mut Reader<'_>) -> Result<Succession, Malformed> {
    Ok(Succession {
        from: Digest::from_bytes(from.array("succession")?),
        to: PublicKey::from_bytes(from.array("succession")?),
        signature: from.array("succession")?,
    })
}
