//! The gate's side: which bundle is in force, and which may take its place.
//!
//! Guarantees: a bundle that is refused leaves no trace; age is renewed by a newer bundle, or by a voucher for the one in force,
//! and counted from the moment at which the gate asked for it. Must not know how bundles come.

use std::sync::Arc;
use std::time::Duration;

use super::bundle::{Bundle, Order};
use super::compilations::Compilations;
use super::contents;
use super::envelope::Envelope;
use super::key::PublicKey;
use super::refusal::{Refusal, Unproven};
use super::shelf::{Shelf, ShelfFailure};
use super::statement::{Facts, Nonce, Statement};
use super::way::way;
use crate::base::Digest;
use crate::compile::Compilation;

/// What a gate accepts, and what it has accepted.
#[derive(Debug)]
pub struct Intake {
    anchor: PublicKey,
    uid: String,
    shelf: Shelf,
    shared: Option<Arc<Compilations>>,
    held: Option<Held>,
}

/// What is remembered of the bundle in force.
#[derive(Debug)]
struct Held {
    order: Order,
    digest: Digest,
    /// What was signed: the same may come again from another key.
    payload: Digest,
    /// The keys from the anchor to the one that signed it.
    keys: Vec<PublicKey>,
    /// Since when it is known to be the newest.
    known_at: Duration,
    age_max: Duration,
}

/// A bundle that passed every check; to be put in force, and to be acknowledged.
#[derive(Debug)]
pub struct Accepted {
    /// Rules and chains.
    pub compilation: Arc<Compilation>,
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
    /// It is the one in force already, signed by a later key, and has taken its place.
    Resigned {
        /// Whether a restart will find it.
        kept: Result<(), ShelfFailure>,
    },
}

/// What was found of a bundle that is not refused.
enum Found {
    New(Held, Box<Accepted>),
    Same,
    Resigned(Held),
}

impl Intake {
    /// The intake of a gate whose Pod says which key and which workload.
    #[must_use]
    pub const fn new(anchor: PublicKey, uid: String, shelf: Shelf) -> Self {
        Self { anchor, uid, shelf, shared: None, held: None }
    }

    /// The same, for one of many gates that one process plays: each bundle is compiled once for all of them.
    #[must_use]
    pub fn sharing(self, shared: Arc<Compilations>) -> Self {
        Self { shared: Some(shared), ..self }
    }

    /// Takes what is on the shelf, with all checks; `now` is the monotonic clock.
    pub fn resume(&mut self, now: Duration) -> Result<Option<Accepted>, ShelfFailure> {
        let Some(bytes) = self.shelf.read()? else { return Ok(None) };
        match self.examine(&bytes, now) {
            Ok(Found::New(held, accepted)) => {
                self.held = Some(held);
                Ok(Some(*accepted))
            }
            Ok(Found::Same | Found::Resigned(_)) => Ok(None),
            Err(source) => Err(ShelfFailure::Refused { path: self.shelf.path(), source }),
        }
    }

    /// Takes a bundle, if it is newer than what is in force; `now` is the monotonic clock.
    pub fn take(&mut self, bytes: &[u8], now: Duration) -> Result<Taken, Refusal> {
        self.take_if(bytes, now, |_| Ok(()))
    }

    /// The same, when the last word is somebody else's: what `put` refuses to put in force leaves no trace here either.
    pub fn take_if(
        &mut self,
        bytes: &[u8],
        now: Duration,
        put: impl FnOnce(&Accepted) -> Result<(), &'static str>,
    ) -> Result<Taken, Refusal> {
        let (held, accepted) = match self.examine(bytes, now)? {
            Found::Same => return Ok(Taken::Same),
            Found::New(held, accepted) => (held, Some(accepted)),
            Found::Resigned(held) => (held, None),
        };
        if let Some(accepted) = &accepted {
            put(accepted).map_err(Refusal::NotInForce)?;
        }
        self.held = Some(held);
        let kept = self.shelf.keep(bytes);
        Ok(match accepted {
            Some(accepted) => Taken::New { accepted, kept },
            None => Taken::Resigned { kept },
        })
    }

    /// Whether the operator proves that a connection is its own: `nonce` is the gate's, `certificate` the digest of the leaf
    /// that the connection was made with.
    pub fn believes(&self, statement: &[u8], nonce: &Nonce, certificate: &Digest) -> Result<(), Unproven> {
        self.holds(statement, &Facts::Welcome { nonce, certificate })
    }

    /// Renews the age of the bundle in force, if the operator says that it is still the current one. `asked_at` is when the
    /// nonce was made, on the monotonic clock: whoever delays the answer makes nothing younger.
    pub fn renew(&mut self, statement: &[u8], nonce: &Nonce, asked_at: Duration) -> Result<(), Unproven> {
        let held = self.held.as_ref().ok_or(Unproven::NothingHeld)?;
        let facts = Facts::Voucher { nonce, uid: &self.uid, order: held.order, digest: &held.digest };
        self.holds(statement, &facts)?;
        if let Some(held) = &mut self.held {
            held.known_at = held.known_at.max(asked_at);
        }
        Ok(())
    }

    /// When the operator is to be asked whether the bundle in force is still current: at a quarter of its age, so that it may
    /// be away for most of it.
    #[must_use]
    pub fn ask_at(&self) -> Option<Duration> {
        self.held.as_ref().map(|held| held.known_at.saturating_add(held.age_max / 4))
    }

    /// When the bundle in force grows stale, on the monotonic clock.
    #[must_use]
    pub fn stale_after(&self) -> Option<Duration> {
        self.held.as_ref().map(|held| held.known_at.saturating_add(held.age_max))
    }

    /// The bundle in force: its order, and the digest of its bytes.
    #[must_use]
    pub fn holding(&self) -> Option<(Order, Digest)> {
        self.held.as_ref().map(|held| (held.order, held.digest))
    }

    /// Everything that is asked of a bundle, the cheap before the dear.
    fn examine(&self, bytes: &[u8], now: Duration) -> Result<Found, Refusal> {
        let envelope = Envelope::open(bytes)?;
        let (key, keys) = way(self.anchor, &envelope.successions, envelope.key, self.gone())?;
        let bundle = envelope.read(key)?;
        if bundle.uid != self.uid {
            return Err(Refusal::OtherWorkload { own: self.uid.clone(), offered: bundle.uid });
        }
        let (digest, payload) = (Digest::of(bytes), Digest::of(envelope.payload));
        let fresh = |known_at| Held { order: bundle.order, digest, payload, keys, known_at, age_max: bundle.age_max };
        if let Some(held) = &self.held {
            if bundle.order < held.order {
                return Err(Refusal::Replayed { held: held.order, offered: bundle.order });
            }
            if bundle.order == held.order {
                return match () {
                    () if digest == held.digest => Ok(Found::Same),
                    // Another signature makes nothing younger.
                    () if payload == held.payload => Ok(Found::Resigned(fresh(held.known_at))),
                    () => Err(Refusal::Contradiction(held.order)),
                };
            }
        }
        let compilation = match &self.shared {
            Some(shared) => shared.load(payload, &bundle)?,
            None => Arc::new(contents::load(&bundle)?),
        };
        Ok(Found::New(fresh(now), Box::new(Accepted { compilation, bundle })))
    }

    /// Whether the operator said it of these facts.
    fn holds(&self, statement: &[u8], facts: &Facts<'_>) -> Result<(), Unproven> {
        let statement = Statement::open(statement)?;
        let (key, _) = way(self.anchor, &statement.successions, statement.key, self.gone())?;
        if statement.holds(key, facts) { Ok(()) } else { Err(Unproven::WrongSignature) }
    }

    /// The keys that lead to what is in force.
    fn gone(&self) -> Option<&[PublicKey]> {
        self.held.as_ref().map(|held| held.keys.as_slice())
    }
}
