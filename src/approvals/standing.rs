//! Decisions that stand for later queries: a grant lets those go that are like the one people approved, a mute turns those
//! away that are like the one they denied.
//!
//! Alike is what the engine says ([`Similar`]): the same rules, as they stand, hold them for the same words. Must not know
//! HTTP or a store. Guarantees: a standing decision comes only of a decided hold, on the narrowest terms that those who
//! decided asked for, and only if all of them did; it ends by its time, its uses or a revocation, and never comes back.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::hold::later;
use super::memory::by_name;
use super::{Ask, Ballot, Chain, Decision, Ending, Hold, Person, Reason, Refused, Requester, Vote};
use crate::base::{Digest, GrantId, Hasher, HoldId};
use crate::rules::{Held, Similar};

/// Longest that a decision stands: as long as text is carried. Whoever wants more wants a policy.
pub const STANDING_MAX: Duration = Duration::from_hours(30 * 24);
/// Most uses of a grant.
pub const USES_MAX: u32 = 1_000_000;

/// What a person wants a decision to stand for, beyond the query at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lasting {
    /// For so long.
    pub lasts: Duration,
    /// For so many later queries; without bound when left out. Of grants only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
}

impl Lasting {
    /// The narrower of both in each respect.
    fn narrower(self, other: Self) -> Self {
        let uses = match (self.uses, other.uses) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self { lasts: self.lasts.min(other.lasts), uses }
    }
}

/// Whoever gave a standing decision, or took it back.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Giver {
    /// The name.
    pub name: String,
    /// How the person was authenticated.
    pub authenticated_by: String,
    /// Why, in the person's words.
    pub reason: String,
}

impl Giver {
    fn of(by: &Person, reason: &str) -> Self {
        Self { name: by.name.clone(), authenticated_by: by.authenticated_by.clone(), reason: reason.to_owned() }
    }
}

/// What a standing decision says; it never changes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// Its id.
    pub id: GrantId,
    /// `Approve`: a grant. `Deny`: a mute.
    pub decision: Decision,
    /// The hold it comes from.
    pub hold: HoldId,
    /// Which queries it is for.
    pub key: Digest,
    /// Whose queries; `None` for those of nobody in particular.
    pub requester: Option<String>,
    /// `POST /v1/chat/completions`.
    pub route: String,
    /// The model that was named.
    pub model: Option<String>,
    /// Which rules held the query, for people to read.
    pub reasons: Vec<Reason>,
    /// Who decided.
    pub given_by: Vec<Giver>,
    /// When.
    pub given_at: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// For how many queries.
    pub uses_max: Option<u32>,
}

/// A decision that stands for later queries, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    terms: Terms,
    uses: u32,
    revoked: Option<(Giver, Timestamp)>,
}

/// Whether a standing decision counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandingPhase {
    /// It does.
    Active,
    /// It was for fewer queries.
    UsedUp,
    /// Its time is over.
    Expired,
    /// Somebody took it back.
    Revoked,
}

impl StandingPhase {
    /// The word people see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::UsedUp => "UsedUp",
            Self::Expired => "Expired",
            Self::Revoked => "Revoked",
        }
    }
}

/// Why a standing decision cannot be taken back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRevoked {
    /// It does not stand any more.
    #[error("`{id}` does not stand any more: {}", phase.name())]
    Ended {
        /// Which.
        id: GrantId,
        /// How it ended.
        phase: StandingPhase,
    },
    /// Without a name or a reason.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl Standing {
    /// What the decision about a hold stands for; `None` unless all who decided it want it to stand.
    #[must_use]
    pub fn of(hold: &Hold, id: GrantId) -> Option<Self> {
        let (ending, at) = hold.ending()?;
        let ask = hold.ask();
        let similar = ask.similar?;
        let (decision, votes) = match ending {
            Ending::Approved => (Decision::Approve, votes(hold, |_, _, _| true)),
            Ending::Denied(name) => {
                (Decision::Deny, votes(hold, |chain, stage, vote| chain.name == *name && vote.stage == stage))
            }
            _ => return None,
        };
        let ballots = votes.into_iter().filter(|vote| vote.ballot.decision == decision).map(|vote| &vote.ballot);
        let ballots: Vec<&Ballot> = ballots.collect();
        let lasting = ballots.iter().map(|ballot| ballot.lasting).collect::<Option<Vec<_>>>()?;
        let lasting = lasting.into_iter().reduce(Lasting::narrower)?;
        let key = match decision {
            Decision::Approve => Some(grant_key(similar, &ask.chains)).filter(|_| ask.requester.user.is_some())?,
            Decision::Deny => mute_key(similar, &ask.requester),
        };
        let mut given_by: Vec<Giver> = ballots.iter().map(|ballot| Giver::of(&ballot.by, &ballot.reason)).collect();
        given_by.dedup();
        let terms = Terms {
            id,
            decision,
            hold: hold.id(),
            key,
            requester: ask.requester.user.clone(),
            route: ask.route.clone(),
            model: ask.model.clone(),
            reasons: ask.reasons.clone(),
            given_by,
            given_at: at,
            until: later(at, lasting.lasts),
            uses_max: lasting.uses.filter(|_| decision == Decision::Approve),
        };
        Some(Self { terms, uses: 0, revoked: None })
    }

    /// What it says.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// How often it was used.
    #[must_use]
    pub const fn uses(&self) -> u32 {
        self.uses
    }

    /// Who took it back, and when.
    #[must_use]
    pub fn revoked(&self) -> Option<(&Giver, Timestamp)> {
        self.revoked.as_ref().map(|(by, at)| (by, *at))
    }

    /// Whether it counts.
    #[must_use]
    pub fn phase(&self, now: Timestamp) -> StandingPhase {
        if self.revoked.is_some() {
            StandingPhase::Revoked
        } else if self.terms.uses_max.is_some_and(|most| self.uses >= most) {
            StandingPhase::UsedUp
        } else if now > self.terms.until {
            StandingPhase::Expired
        } else {
            StandingPhase::Active
        }
    }

    /// The same with one more use; `None` when there is none left.
    #[must_use]
    pub fn used(&self, now: Timestamp) -> Option<Self> {
        (self.phase(now) == StandingPhase::Active).then(|| Self { uses: self.uses.saturating_add(1), ..self.clone() })
    }

    /// The same taken back. Anybody who says who and why may: it lets nothing through.
    pub fn revoke(&self, by: &Person, reason: &str, now: Timestamp) -> Result<Self, NotRevoked> {
        super::advance::well_spoken(by, reason)?;
        match self.phase(now) {
            // Its uses may be gone while answers under it still run.
            StandingPhase::Active | StandingPhase::UsedUp => {
                Ok(Self { revoked: Some((Giver::of(by, reason), now)), ..self.clone() })
            }
            phase @ (StandingPhase::Expired | StandingPhase::Revoked) => {
                Err(NotRevoked::Ended { id: self.terms.id, phase })
            }
        }
    }
}

fn votes(hold: &Hold, wanted: impl Fn(&Chain, usize, &Vote) -> bool) -> Vec<&Vote> {
    let mut found = Vec::new();
    for (chain, track) in hold.tracks() {
        found.extend(track.votes().iter().filter(|vote| wanted(chain, track.stage(), vote)));
    }
    found
}

/// Whether what a person asks for can be given for this hold.
pub(super) fn fits(ask: &Ask, decision: Decision, lasting: Lasting) -> Result<(), Refused> {
    let refused = |why| Err(Refused::CannotStand { id: ask.id, why });
    if ask.similar.is_none() {
        return refused("no other query can be said to be like it");
    }
    if decision == Decision::Approve && ask.requester.user.is_none() {
        return refused("nobody in particular asked for it");
    }
    if lasting.lasts.is_zero() || lasting.lasts > STANDING_MAX {
        return refused("a decision stands for more than no time and at most 30 days");
    }
    match lasting.uses {
        Some(uses) if uses == 0 || uses > USES_MAX => refused("a grant is for 1 to 1,000,000 queries"),
        Some(_) if decision == Decision::Deny => refused("a mute has no number of uses"),
        Some(_) | None => Ok(()),
    }
}

/// The keys by which standing decisions about a held query are found; `None` when no other query is like it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandingKeys {
    /// Of a grant; nobody in particular has none.
    pub grant: Option<Digest>,
    /// Of a mute.
    pub mute: Digest,
}

impl StandingKeys {
    /// Those of a held query. `chains` are those in force.
    #[must_use]
    pub fn of(held: &Held, requester: &Requester, chains: &[Chain]) -> Option<Self> {
        let similar = held.similar()?;
        let grant = requester.user.is_some().then(|| grant_key(similar, chains));
        Some(Self { grant, mute: mute_key(similar, requester) })
    }
}

/// A grant is for who was asked, too: where others would decide now, they are asked.
fn grant_key(similar: Similar, chains: &[Chain]) -> Digest {
    let mut hasher = Hasher::default();
    hasher.field(b"countersign.dev/grant/v1");
    hasher.field(similar.exact.as_bytes());
    for (name, digest) in by_name(chains) {
        hasher.field(name.to_string().as_bytes());
        hasher.field(digest.as_bytes());
    }
    hasher.finish()
}

/// All who are nobody in particular are one.
fn mute_key(similar: Similar, requester: &Requester) -> Digest {
    let mut hasher = Hasher::default();
    hasher.field(b"countersign.dev/mute/v1");
    let whose = if requester.user.is_some() { similar.exact } else { similar.words };
    hasher.field(whose.as_bytes());
    hasher.finish()
}

/// Proof that a grant lets these bytes go.
///
/// Nobody outside this room can make one:
///
/// ```compile_fail,E0451
/// use countersign::{approvals::{Granted, Terms}, base::Digest};
/// fn forge(digest: Digest, terms: Terms) -> Granted {
///     Granted { body: bytes::Bytes::new(), digest, revision: digest, terms }
/// }
/// ```
///
/// and the held query is used up by it:
///
/// ```compile_fail,E0382
/// use countersign::{approvals::{Granted, Hold, Release, Standing}, rules::Held};
/// fn twice(held: Box<Held>, hold: &Hold, standing: &Standing, now: jiff::Timestamp) {
///     let _ = Granted::claim(standing, held, &[], now);
///     let _ = Release::claim(hold, *held);
/// }
/// ```
#[derive(Debug)]
pub struct Granted {
    body: Bytes,
    digest: Digest,
    revision: Digest,
    terms: Terms,
}

impl Granted {
    /// Makes the proof from a grant as the store has persisted it, this use included; gives the query back when the grant
    /// is not for it.
    pub fn claim(standing: &Standing, held: Box<Held>, chains: &[Chain], now: Timestamp) -> Result<Self, Box<Held>> {
        let similar = held.similar();
        if !permits(standing, similar, chains, now) {
            return Err(held);
        }
        let terms = standing.terms.clone();
        Ok(Self { body: held.body().clone(), digest: held.digest(), revision: held.revision(), terms })
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

    /// The grant.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }
}

fn permits(standing: &Standing, similar: Option<Similar>, chains: &[Chain], now: Timestamp) -> bool {
    let terms = &standing.terms;
    let counted = standing.uses > 0 && terms.uses_max.is_none_or(|most| standing.uses <= most);
    let alike = similar.is_some_and(|similar| grant_key(similar, chains) == terms.key);
    terms.decision == Decision::Approve && standing.revoked.is_none() && now <= terms.until && counted && alike
}

#[cfg(test)]
mod tests;
