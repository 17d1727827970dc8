//! Keys that sign bundles and what is said around them, and keys of gates (Ed25519, RFC 8032); how one hands over to the next.
//!
//! Guarantees: a signature made for one purpose holds for no other; a signing key is never printed.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::base::Digest;

/// How a public key begins where people write it.
const NAME: &str = "ed25519:";

/// What a signature is for: stands before what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A bundle.
    Bundle,
    /// The successor of a key.
    Succession,
    /// The operator's half of a connection.
    Welcome,
    /// A gate's half of a connection.
    Claim,
    /// That a bundle is still the current one.
    Voucher,
}

impl Purpose {
    fn message(self, bytes: &[u8]) -> Vec<u8> {
        let domain: &[u8] = match self {
            Self::Bundle => b"countersign.dev/bundle/v1\0",
            Self::Succession => b"countersign.dev/succession/v1\0",
            Self::Welcome => b"countersign.dev/welcome/v1\0",
            Self::Claim => b"countersign.dev/claim/v1\0",
            Self::Voucher => b"countersign.dev/voucher/v1\0",
        };
        [domain, bytes].concat()
    }
}

/// A key that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyFailure {
    /// Not a public key as people write it.
    #[error("expected `{NAME}` and 64 hex digits")]
    NotPublic,
    /// Not a signing key.
    #[error("expected an Ed25519 key as PKCS #8")]
    NotSigning,
    /// What is stored with a signing key leads to another.
    #[error("the stored successions do not lead to the stored key")]
    Unled,
    /// The library has no randomness, or refuses to sign.
    #[error("a key cannot be made or used on this machine")]
    Unusable,
}

/// A key that signatures are checked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The name of the key: the digest of its bytes.
    #[must_use]
    pub fn id(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// A key from its 32 bytes. Whether they are a point of the curve shows when a signature is checked: none holds then.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn holds(&self, purpose: Purpose, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(&purpose.message(bytes), signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}{}", hex::encode(self.0))
    }
}

impl FromStr for PublicKey {
    type Err = KeyFailure;

    fn from_str(text: &str) -> Result<Self, KeyFailure> {
        let mut bytes = [0; 32];
        let digits = text.strip_prefix(NAME).ok_or(KeyFailure::NotPublic)?;
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| KeyFailure::NotPublic)?;
        Ok(Self(bytes))
    }
}

/// A key that signs.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// A fresh one.
    pub fn generate() -> Result<Self, KeyFailure> {
        Self::of(Ed25519KeyPair::generate().map_err(|_| KeyFailure::Unusable)?)
    }

    /// One that was stored (PKCS #8, as [`Self::to_pkcs8`] gives it).
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, KeyFailure> {
        Self::of(Ed25519KeyPair::from_pkcs8(bytes).map_err(|_| KeyFailure::NotSigning)?)
    }

    /// To be stored where only the operator reads.
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, KeyFailure> {
        Ok(self.pair.to_pkcs8().map_err(|_| KeyFailure::Unusable)?.as_ref().to_vec())
    }

    /// Always the same one for a seed.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn of_seed(seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("32 bytes are a seed");
        Self::of(pair).expect("a pair has a public key of 32 bytes")
    }

    /// The key that its signatures are checked with.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    pub(super) fn sign(&self, purpose: Purpose, bytes: &[u8]) -> Result<[u8; 64], KeyFailure> {
        let signature = self.pair.try_sign(&purpose.message(bytes)).map_err(|_| KeyFailure::Unusable)?;
        signature.as_ref().try_into().map_err(|_| KeyFailure::Unusable)
    }

    fn of(pair: Ed25519KeyPair) -> Result<Self, KeyFailure> {
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyFailure::Unusable)?;
        Ok(Self { pair, public: PublicKey(public) })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// A key's word that another follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Succession {
    /// The name of the key that gives its word.
    pub(super) from: Digest,
    /// The key that follows.
    pub(super) to: PublicKey,
    pub(super) signature: [u8; 64],
}

impl Succession {
    /// `from` says that `to` follows it.
    pub fn sign(from: &SigningKey, to: PublicKey) -> Result<Self, KeyFailure> {
        let id = from.public().id();
        let signature = from.sign(Purpose::Succession, &said(id, to))?;
        Ok(Self { from: id, to, signature })
    }

    /// Whether `from` said it.
    pub(super) fn holds(&self, from: PublicKey) -> bool {
        from.id() == self.from && from.holds(Purpose::Succession, &said(self.from, self.to), &self.signature)
    }
}

fn said(from: Digest, to: PublicKey) -> Vec<u8> {
    [from.as_bytes().as_slice(), to.as_bytes()].concat()
}
