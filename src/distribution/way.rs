//! The way from a gate's anchor to the key that signed something, by what each key says of its successor.
//!
//! Guarantees: no key is believed but the anchor and those that it leads to, and none that the gate has gone past.

use super::key::{PublicKey, Succession};
use super::refusal::{Refusal, Unproven};
use crate::base::Digest;

/// Why there is no way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Astray {
    /// Nothing leads from the anchor to the key.
    UnknownKey(Digest),
    /// The gate has already followed another key.
    RetiredKey(Digest),
    /// A succession is not what its key signed.
    WrongSignature,
}

/// The keys from the anchor to the one named; `gone` are those of the bundle in force.
pub(super) fn way(
    anchor: PublicKey,
    successions: &[Succession],
    named: Digest,
    gone: Option<&[PublicKey]>,
) -> Result<(PublicKey, Vec<PublicKey>), Astray> {
    let mut key = anchor;
    let mut keys = vec![key];
    // Gates of other Pods may have older anchors; what leads to this one from there says nothing here.
    for succession in successions.iter().skip_while(|one| one.from != anchor.id()) {
        if succession.from != key.id() {
            return Err(Astray::UnknownKey(succession.from));
        }
        if !succession.holds(key) {
            return Err(Astray::WrongSignature);
        }
        key = succession.to;
        keys.push(key);
    }
    if key.id() != named {
        return Err(Astray::UnknownKey(named));
    }
    // INVARIANT: the way only grows. A key that handed over may since have been stolen.
    match gone {
        Some(gone) if !keys.starts_with(gone) => Err(Astray::RetiredKey(named)),
        Some(_) | None => Ok((key, keys)),
    }
}

impl From<Astray> for Refusal {
    fn from(astray: Astray) -> Self {
        match astray {
            Astray::UnknownKey(key) => Self::UnknownKey(key),
            Astray::RetiredKey(key) => Self::RetiredKey(key),
            Astray::WrongSignature => Self::WrongSignature,
        }
    }
}

impl From<Astray> for Unproven {
    fn from(astray: Astray) -> Self {
        match astray {
            Astray::UnknownKey(key) => Self::UnknownKey(key),
            Astray::RetiredKey(key) => Self::RetiredKey(key),
            Astray::WrongSignature => Self::WrongSignature,
        }
    }
}
