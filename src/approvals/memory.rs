//! What a release is remembered for, and the proof that it carries a later query.
//!
//! Clients send a whole conversation again with each turn. What people approved in one turn they are not asked again in
//! the next: a query that is held by nothing but texts of released holds, unchanged, in the same roles and by the same
//! rules, of the same caller and workload, goes on for as long as the policies say.
//!
//! Must not know HTTP or a store. Guarantees: only an approved hold whose release was claimed is remembered; whatever
//! holds a query beyond remembered texts stops it; of two times the shorter counts, that of the release and that of now.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::hold::later;
use super::{Chain, Ending, Hold};
use crate::base::{Digest, Hasher, HoldId};
use crate::rules::{Cause, Causes, ChainRef, Held};

/// One cause that people released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Names caller, workload, rule, texts and who was asked.
    pub key: Digest,
    /// The hold that was released.
    pub hold: HoldId,
    /// When it was approved: using an approval later does not prolong it.
    pub at: Timestamp,
    /// How long the policy let it be carried then.
    pub carry_for: Duration,
}

impl Remembered {
    /// Until when it counts, unless the policy has become stricter.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        later(self.at, self.carry_for)
    }
}

/// What the release of `held` through `hold` is remembered for: nothing unless the hold was approved and claimed, for
/// these very bytes, by a caller with a name.
#[must_use]
pub fn remember(hold: &Hold, held: &Held) -> Vec<Remembered> {
    remembered(hold, held.digest(), held.causes())
}

fn remembered(hold: &Hold, digest: Digest, causes: &Causes) -> Vec<Remembered> {
    let Some((Ending::Approved, at)) = hold.ending() else { return Vec::new() };
    let ask = hold.ask();
    if hold.claims().is_empty() || ask.digest != digest || ask.requester.user.is_none() {
        return Vec::new();
    }
    let chains = by_name(&ask.chains);
    let lasting = causes.texts.iter().filter(|cause| !cause.carry_for.is_zero());
    let keyed = lasting.filter_map(|cause| Some((key(cause, &chains)?, cause.carry_for)));
    keyed.map(|(key, carry_for)| Remembered { key, hold: hold.id(), at, carry_for }).collect()
}

/// The keys that must all be remembered to carry a query; `None` when nothing could. `chains` are those in force.
#[must_use]
pub fn carrying(held: &Held, chains: &[Chain]) -> Option<Vec<Digest>> {
    keys(held.causes(), held.chains(), chains)
}

fn keys(causes: &Causes, asked: &[ChainRef], chains: &[Chain]) -> Option<Vec<Digest>> {
    let named: BTreeSet<_> = causes.texts.iter().map(|cause| &cause.chain).collect();
    // Every chain that must be satisfied is one that a cause names: a second lock, should the engine forget a cause.
    let complete = !causes.beyond && !causes.texts.is_empty() && asked.iter().all(|name| named.contains(name));
    let lasting = causes.texts.iter().all(|cause| !cause.carry_for.is_zero());
    if !complete || !lasting {
        return None;
    }
    let chains = by_name(chains);
    causes.texts.iter().map(|cause| key(cause, &chains)).collect()
}

pub(super) type ByName<'c> = BTreeMap<&'c ChainRef, Digest>;

/// Chains with all they say: who decides is part of what was decided.
pub(super) fn by_name(chains: &[Chain]) -> ByName<'_> {
    let written = |chain: &Chain| serde_json::to_vec(chain).ok().map(|bytes| Digest::of(&bytes));
    chains.iter().filter_map(|chain| Some((&chain.name, written(chain)?))).collect()
}

fn key(cause: &Cause, chains: &ByName<'_>) -> Option<Digest> {
    let mut hasher = Hasher::default();
    hasher.field(b"countersign.dev/carried/v1");
    hasher.field(cause.key.as_bytes());
    hasher.field(chains.get(&cause.chain)?.as_bytes());
    Some(hasher.finish())
}

/// Proof that earlier releases carry these bytes.
///
/// Nobody outside this room can make one:
///
/// ```compile_fail,E0451
/// use countersign::{approvals::Carried, base::Digest};
/// fn forge(digest: Digest) -> Carried {
///     Carried { body: bytes::Bytes::new(), digest, revision: digest, from: Vec::new() }
/// }
/// ```
///
/// and the held query is used up by it, so that it cannot be released as well:
///
/// ```compile_fail,E0382
/// use countersign::{approvals::{carry, Hold, Release, Remembered}, rules::Held};
/// fn twice(held: Box<Held>, hold: &Hold, memory: &[Remembered], now: jiff::Timestamp) {
///     let _ = carry(held, &[], memory, now);
///     let _ = Release::claim(hold, *held);
/// }
/// ```
#[derive(Debug)]
pub struct Carried {
    body: Bytes,
    digest: Digest,
    revision: Digest,
    from: Vec<HoldId>,
}

/// Carries a held query when every cause is remembered; gives it back when people have to be asked.
pub fn carry(held: Box<Held>, chains: &[Chain], memory: &[Remembered], now: Timestamp) -> Result<Carried, Box<Held>> {
    match released((held.causes(), held.chains()), chains, memory, now) {
        Some(from) => Ok(Carried { body: held.body().clone(), digest: held.digest(), revision: held.revision(), from }),
        None => Err(held),
    }
}

/// The holds that released each cause, newest last; `None` when one was not, or not lately enough.
fn released(
    (causes, asked): (&Causes, &[ChainRef]),
    chains: &[Chain],
    memory: &[Remembered],
    now: Timestamp,
) -> Option<Vec<HoldId>> {
    let keys = keys(causes, asked, chains)?;
    let mut from = BTreeSet::new();
    for (key, cause) in keys.iter().zip(&causes.texts) {
        let counts = |one: &&Remembered| one.key == *key && now <= later(one.at, one.carry_for.min(cause.carry_for));
        from.insert(memory.iter().filter(counts).map(|one| one.hold).max()?);
    }
    Some(from.into_iter().collect())
}

impl Carried {
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

    /// The holds whose releases carry it, newest last; never none.
    #[must_use]
    pub fn from(&self) -> &[HoldId] {
        &self.from
    }
}

#[cfg(test)]
mod tests;
