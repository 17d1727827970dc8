//! The proof that people released a query: made here only, for exactly the bytes that were held.
//!
//! Must not know HTTP or a store. Guarantees: a [`Release`] needs an approved hold with a claim on it, of the same bytes,
//! and every chain that the engine named for those bytes is one that was satisfied.

use bytes::Bytes;

use super::{Hold, Phase};
use crate::base::{Digest, HoldId};
use crate::rules::{Basis, ChainRef, Held, Ruling};

/// Proof that people released these bytes.
///
/// Nobody outside this room can make one:
///
/// ```compile_fail,E0451
/// use countersign::{approvals::Release, base::Digest};
/// fn forge(digest: Digest, hold: countersign::base::HoldId) -> Release {
///     Release { body: bytes::Bytes::new(), digest, revision: digest, hold }
/// }
/// ```
///
/// and the held query is used up by the release, so that it cannot be released twice:
///
/// ```compile_fail,E0382
/// use countersign::{approvals::{Hold, Release}, rules::Held};
/// fn twice(hold: &Hold, held: Held) {
///     let _ = Release::claim(hold, held);
///     let _ = Release::claim(hold, held);
/// }
/// ```
///
/// nor can the edited form be released twice, or any bytes that the engine has not judged:
///
/// ```compile_fail,E0382
/// use countersign::{approvals::{Hold, Release}, rules::Ruling};
/// fn twice(hold: &Hold, ruling: Ruling) {
///     let _ = Release::claim_edited(hold, ruling);
///     let _ = Release::claim_edited(hold, ruling);
/// }
/// ```
///
/// ```compile_fail,E0308
/// use countersign::approvals::{Hold, Release};
/// fn unjudged(hold: &Hold, bytes: bytes::Bytes) {
///     let _ = Release::claim_edited(hold, bytes);
/// }
/// ```
#[derive(Debug)]
pub struct Release {
    body: Bytes,
    digest: Digest,
    revision: Digest,
    hold: HoldId,
}

/// Why a hold does not release a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReleased {
    /// People did not approve it.
    #[error("hold `{0}` is not approved")]
    NotApproved(HoldId),
    /// The use was not recorded, or an answer was delivered already.
    #[error("hold `{0}` has no open claim")]
    NotClaimed(HoldId),
    /// The bytes are not those that were shown to people.
    #[error("hold `{0}` is for other bytes")]
    OtherBytes(HoldId),
    /// Nobody edited the query, so that only the client's own bytes can be released.
    #[error("hold `{0}` was not edited")]
    NotEdited(HoldId),
    /// The engine refuses the bytes, or has not judged them.
    #[error("hold `{0}` has no verdict that lets these bytes go")]
    NotJudged(HoldId),
    /// The rule set now wants a chain that was not asked.
    #[error("hold `{0}` did not ask chain `{1}`")]
    OtherChain(HoldId, ChainRef),
}

impl Release {
    /// Makes the release from a hold as the store has persisted it, claim included, and the engine's own `Held`.
    #[expect(clippy::needless_pass_by_value, reason = "a held query is used up by its release")]
    pub fn claim(hold: &Hold, held: Held) -> Result<Self, NotReleased> {
        permitted(hold, held.digest(), held.chains())?;
        Ok(Self { body: held.body().clone(), digest: held.digest(), revision: held.revision(), hold: hold.id() })
    }

    /// Makes the release of what an approver made of the query, from what the engine says of those bytes now: that it would
    /// hold them for chains that were asked, or that no rule objects.
    pub fn claim_edited(hold: &Hold, ruling: Ruling) -> Result<Self, NotReleased> {
        let id = hold.id();
        if hold.edits().is_empty() {
            return Err(NotReleased::NotEdited(id));
        }
        let (body, digest, revision, chains) = match ruling {
            Ruling::Hold(held) => (held.body().clone(), held.digest(), held.revision(), held.chains().to_vec()),
            Ruling::Clear(clear) if judged(clear.basis()) => {
                (clear.body().clone(), clear.digest(), clear.revision(), Vec::new())
            }
            Ruling::Clear(_) | Ruling::Deny(_) => return Err(NotReleased::NotJudged(id)),
        };
        permitted(hold, digest, &chains)?;
        Ok(Self { body, digest, revision, hold: id })
    }

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

/// Whether a clearance is a verdict over the bytes, and not leave to pass without one.
const fn judged(basis: Basis) -> bool {
    match basis {
        Basis::Allowed | Basis::Redacted | Basis::AllowedByFailure => true,
        Basis::WouldRefuse | Basis::Passed => false,
    }
}

fn permitted(hold: &Hold, digest: Digest, chains: &[ChainRef]) -> Result<(), NotReleased> {
    let id = hold.id();
    if hold.phase() != Phase::Approved {
        return Err(NotReleased::NotApproved(id));
    }
    if hold.claims().is_empty() || hold.delivered_at().is_some() {
        return Err(NotReleased::NotClaimed(id));
    }
    if hold.ask().digest != digest {
        return Err(NotReleased::OtherBytes(id));
    }
    let asked = |name: &ChainRef| hold.ask().chains.iter().any(|chain| chain.name == *name);
    match chains.iter().find(|name| !asked(name)) {
        Some(name) => Err(NotReleased::OtherChain(id, name.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{approved, ask, at, claims, legal, name};
    use super::super::{Event, advance};
    use super::*;

    #[track_caller]
    fn check(hold: &Hold, body: &[u8], chains: &[&str], expected: &Result<(), NotReleased>) {
        let chains: Vec<ChainRef> = chains.iter().map(|chain| name(chain)).collect();
        assert_eq!(permitted(hold, Digest::of(body), &chains), *expected);
    }

    #[test]
    fn only_an_approved_and_claimed_hold_of_these_bytes_and_chains_releases() {
        let pending = Hold::open(ask(vec![legal()]));
        let id = pending.id();
        check(&pending, b"body", &["legal"], &Err(NotReleased::NotApproved(id)));
        let approved = approved();
        check(&approved, b"body", &["legal"], &Err(NotReleased::NotClaimed(id)));
        let claimed = advance(&approved, claims(), at(10)).unwrap().hold;
        check(&claimed, b"body", &["legal"], &Ok(()));
        check(&claimed, b"other", &["legal"], &Err(NotReleased::OtherBytes(id)));
        check(&claimed, b"body", &["legal", "security"], &Err(NotReleased::OtherChain(id, name("security"))));
        let delivered = advance(&claimed, Event::Delivered, at(11)).unwrap().hold;
        check(&delivered, b"body", &["legal"], &Err(NotReleased::NotClaimed(id)));
    }
}
