//! The gate's side: which bundle is in force, and which may take its place.
//!
//! Guarantees: a bundle that is refused leaves no trace. Must not know how bundles come.

use std::time::Duration;

use super::bundle::{Bundle, Order};
use super::contents;
use super::envelope::Envelope;
use super::key::PublicKey;
use super::refusal::Refusal;
use super::shelf::{Shelf, ShelfFailure};
use crate::base::Digest;
use crate::compile::Compilation;

/// What a gate accepts, and what it has accepted.
#[derive(Debug)]
pub struct Intake {
    anchor: PublicKey,
    uid: String,
    shelf: Shelf,
    held: Option<Held>,
}

/// What is remembered of the bundle in force.
#[derive(Debug)]
struct Held {
    order: Order,
    digest: Digest,
    /// The keys from the anchor to the one that signed it.
    keys: Vec<PublicKey>,
    taken_at: Duration,
    age_max: Duration,
}

/// A bundle that passed every check; to be put in force, and to be acknowledged.
#[derive(Debug)]
pub struct Accepted {
    /// Rules and chains.
    pub compilation: Compilation,
    /// What was accepted.
    pub bundle: Bundle,
}

/// What became of a bundle that was not refused.
#[derive(Debug)]
pub enum Taken {
    /// It is newer.
    New {
        /// What to judge by from now on.
        accepted: Box<Accepted>,
        /// Whether a restart will find it. A full disk is no reason to go on judging by what is out of date.
        kept: Result<(), ShelfFailure>,
    },
    /// It is the one in force already.
    Same,
}

/// Whether what is in force may still be judged by; what happens when not is the gate's own switch, `onStale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Nothing is in force.
    Nothing,
    /// It is within its maximum age.
    Fresh,
    /// Nothing newer came for longer than its maximum age.
    Stale,
}

impl Intake {
    /// The intake of a gate whose Pod says which key and which workload.
    #[must_use]
    pub const fn new(anchor: PublicKey, uid: String, shelf: Shelf) -> Self {
        Self { anchor, uid, shelf, held: None }
    }

    /// Takes what is on the shelf, with all checks; `now` is the monotonic clock.
    pub fn resume(&mut self, now: Duration) -> Result<Option<Accepted>, ShelfFailure> {
        let Some(bytes) = self.shelf.read()? else { return Ok(None) };
        self.examine(&bytes, now)
            .map(|found| found.map(|(held, accepted)| self.hold(held, accepted)))
            .map_err(|source| ShelfFailure::Refused { path: self.shelf.path(), source })
    }

    /// Takes a bundle, if it is newer than what is in force; `now` is the monotonic clock.
    pub fn take(&mut self, bytes: &[u8], now: Duration) -> Result<Taken, Refusal> {
        let Some((held, accepted)) = self.examine(bytes, now)? else { return Ok(Taken::Same) };
        let kept = self.shelf.keep(bytes);
        Ok(Taken::New { accepted: Box::new(self.hold(held, accepted)), kept })
    }

    /// How new the bundle in force is.
    #[must_use]
    pub fn order(&self) -> Option<Order> {
        self.held.as_ref().map(|held| held.order)
    }

    /// Whether the bundle in force is within its maximum age; `now` is the monotonic clock.
    #[must_use]
    pub fn freshness(&self, now: Duration) -> Freshness {
        match &self.held {
            None => Freshness::Nothing,
            Some(held) if now.saturating_sub(held.taken_at) > held.age_max => Freshness::Stale,
            Some(_) => Freshness::Fresh,
        }
    }

    fn hold(&mut self, held: Held, accepted: Accepted) -> Accepted {
        self.held = Some(held);
        accepted
    }

    /// Everything that is asked of a bundle, the cheap before the dear; nothing when it is the one in force.
    fn examine(&self, bytes: &[u8], now: Duration) -> Result<Option<(Held, Accepted)>, Refusal> {
        let envelope = Envelope::open(bytes)?;
        let (key, keys) = self.follow(&envelope)?;
        let bundle = envelope.read(key)?;
        if bundle.uid != self.uid {
            return Err(Refusal::OtherWorkload { own: self.uid.clone(), offered: bundle.uid });
        }
        let digest = Digest::of(bytes);
        if let Some(held) = &self.held {
            if bundle.order < held.order {
                return Err(Refusal::Replayed { held: held.order, offered: bundle.order });
            }
            if bundle.order == held.order {
                return if digest == held.digest { Ok(None) } else { Err(Refusal::Contradiction(held.order)) };
            }
        }
        let compilation = contents::load(&bundle)?;
        let held = Held { order: bundle.order, digest, keys, taken_at: now, age_max: bundle.age_max };
        Ok(Some((held, Accepted { compilation, bundle })))
    }

    /// The key that the bundle names, and the way to it from the anchor by what each key says of its successor.
    fn follow(&self, envelope: &Envelope<'_>) -> Result<(PublicKey, Vec<PublicKey>), Refusal> {
        let mut key = self.anchor;
        let mut keys = vec![key];
        // Gates of other Pods may have older anchors; what leads to this one from there says nothing here.
        for succession in envelope.successions.iter().skip_while(|one| one.from != self.anchor.id()) {
            if succession.from != key.id() {
                return Err(Refusal::UnknownKey(succession.from));
            }
            if !succession.holds(key) {
                return Err(Refusal::WrongSignature);
            }
            key = succession.to;
            keys.push(key);
        }
        if key.id() != envelope.key {
            return Err(Refusal::UnknownKey(envelope.key));
        }
        // INVARIANT: the way only grows. A key that handed over may since have been stolen.
        match &self.held {
            Some(held) if !keys.starts_with(&held.keys) => Err(Refusal::RetiredKey(envelope.key)),
            Some(_) | None => Ok((key, keys)),
        }
    }
}
