//! A hold: what was asked, what people have said so far, and how it ended.
//!
//! Must not know where it is stored. Guarantees that its state is changed by [`super::advance`] only, and that it stays
//! small whatever the query was: every list and text a caller can lengthen is cut when it opens.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::person::{Reach, enough};
use super::unseen::UNSEEN_MAX;
use super::{Ask, Ballot, Chain, ClientGone, Edited, Stage, Unseen};
use crate::base::{Content, Digest, Hasher, HoldId};
use crate::rules::ChainRef;

/// Most reasons kept with a hold: more than a person reads.
pub(super) const REASONS_MAX: usize = 64;
/// Longest text of a caller's making kept in one field, in characters: a screen line or three.
pub(super) const FIELD_CHARS_MAX: usize = 256;
/// Most groups of a requester kept, for display only.
pub(super) const GROUPS_MAX: usize = 64;
/// Longest excerpt kept: what a person can take in at a glance, and what 1,000 holds may cost in memory.
pub const EXCERPT_BYTES_MAX: usize = 4096;
/// How long a hold counts as waited for after its client's last sign of life, where that matters: two signs may be lost
/// before people stop being asked.
pub const ATTENDED_FOR: Duration = Duration::from_secs(30);

/// How far a hold has come. All but `Pending` are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Phase {
    /// Waiting for people.
    Pending,
    /// Every chain is satisfied.
    Approved,
    /// Refused by people.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// The client went away and the policy says so, or somebody withdrew it.
    Cancelled,
}

impl Phase {
    /// The word people see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Approved => "Approved",
            Self::Denied => "Denied",
            Self::Expired => "Expired",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// Why nobody can ever approve a hold; it is refused as it opens, not after a silent wait.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Obstacle {
    /// Without a chain there is nobody to ask.
    #[error("no approval chain is named")]
    NoChain,
    /// A chain without stages asks nobody.
    #[error("chain `{0}` has no stages")]
    NoStages(ChainRef),
    /// Separation of duties cannot be kept when nobody knows who asked.
    #[error("chain `{0}` separates duties and the caller is anonymous")]
    UnknownRequester(ChainRef),
    /// Its time was over before it was asked.
    #[error("the time of chain `{0}` is over")]
    NoTime(ChainRef),
    /// The people named are fewer than the quorum, fallback included.
    #[error("stage `{stage}` of chain `{chain}` does not name enough people who may decide")]
    TooFewPeople {
        /// The chain.
        chain: ChainRef,
        /// The stage's name.
        stage: String,
    },
}

/// How a hold ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Every chain was satisfied.
    Approved,
    /// Enough people denied it in a stage of this chain.
    Denied(ChainRef),
    /// Nobody could ever have approved it.
    NeverApprovable(Obstacle),
    /// This chain was not satisfied in time.
    Expired(ChainRef),
    /// The client went away.
    ClientGone,
    /// Somebody withdrew it.
    Withdrawn {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
}

impl Ending {
    /// The terminal phase it means.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self {
            Self::Approved => Phase::Approved,
            Self::Denied(_) | Self::NeverApprovable(_) => Phase::Denied,
            Self::Expired(_) => Phase::Expired,
            Self::ClientGone | Self::Withdrawn { .. } => Phase::Cancelled,
        }
    }
}

/// Where a hold stands.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    Pending,
    Ended { at: Timestamp, how: Ending },
}

/// A decision that counted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Vote {
    /// In which stage of the chain, by index.
    pub stage: usize,
    /// Which form of the query it was about: how often that had been edited.
    #[serde(default)]
    pub(super) form: usize,
    /// Who, what and why.
    pub ballot: Ballot,
    /// When.
    pub at: Timestamp,
}

/// How far one chain has come.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Track {
    pub(super) stage: usize,
    pub(super) stage_since: Timestamp,
    pub(super) escalated_at: Option<Timestamp>,
    pub(super) satisfied_at: Option<Timestamp>,
    pub(super) votes: Vec<Vote>,
    /// Decisions about forms that were edited since: they count no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) lapsed: Vec<Vote>,
}

impl Track {
    pub(super) fn open(chain: &Chain, ask: &Ask, now: Timestamp) -> Self {
        let (votes, lapsed) = (Vec::new(), Vec::new());
        let mut track = Self { stage: 0, stage_since: now, escalated_at: None, satisfied_at: None, votes, lapsed };
        track.enter(0, chain, ask, now);
        track
    }

    /// Enters a stage; where its own approvers could never be enough, the fallback approvers are asked from the start.
    pub(super) fn enter(&mut self, stage: usize, chain: &Chain, ask: &Ask, now: Timestamp) {
        self.stage = stage;
        self.stage_since = now;
        let short = chain.stages.get(stage).is_some_and(|s| !enough(chain, s, Reach::Approvers, &ask.requester));
        self.escalated_at = short.then_some(now);
    }

    /// The stage that decides now; `None` when the chain is satisfied.
    #[must_use]
    pub fn current<'a>(&self, chain: &'a Chain) -> Option<&'a Stage> {
        if self.satisfied_at.is_some() { None } else { chain.stages.get(self.stage) }
    }

    /// The index of the stage that decides now, or decided last.
    #[must_use]
    pub const fn stage(&self) -> usize {
        self.stage
    }

    /// Whether the fallback approvers of the current stage may decide too, and since when.
    #[must_use]
    pub const fn escalated_at(&self) -> Option<Timestamp> {
        self.escalated_at
    }

    /// When the chain was satisfied.
    #[must_use]
    pub const fn satisfied_at(&self) -> Option<Timestamp> {
        self.satisfied_at
    }

    /// Every decision that counted, in order.
    #[must_use]
    pub fn votes(&self) -> &[Vote] {
        &self.votes
    }

    /// Decisions about forms of the query that were edited since: they count no more.
    #[must_use]
    pub fn lapsed(&self) -> &[Vote] {
        &self.lapsed
    }

    pub(super) const fn reach(&self) -> Reach {
        if self.escalated_at.is_some() { Reach::WithFallback } else { Reach::Approvers }
    }

    /// When the fallback approvers will be asked.
    pub(super) fn escalates_at(&self, chain: &Chain) -> Option<Timestamp> {
        let stage = self.current(chain)?;
        let after = stage.escalate_after.filter(|_| self.escalated_at.is_none() && !stage.fallback.is_empty())?;
        Some(later(self.stage_since, after))
    }
}

/// One use of an approval.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Claim {
    /// The Pod or process that claimed.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A held query until its end, and for a while after.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Hold {
    pub(super) ask: Ask,
    pub(super) state: State,
    pub(super) tracks: Vec<Track>,
    pub(super) claims: Vec<Claim>,
    pub(super) delivered_at: Option<Timestamp>,
    pub(super) version: u64,
    pub(super) changed_at: Timestamp,
    /// Until when somebody waits; `None` where it does not matter whether anybody does.
    #[serde(default)]
    pub(super) attended_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) edits: Vec<Edited>,
}

impl Hold {
    /// Opens a hold. One that nobody could ever approve is ended as it opens, with the reason.
    #[must_use]
    pub fn open(ask: Ask) -> Self {
        let ask = bounded(ask);
        let tracks = ask.chains.iter().map(|chain| Track::open(chain, &ask, ask.opened_at)).collect();
        let at = ask.opened_at;
        let state = match obstacle(&ask) {
            Some(obstacle) => State::Ended { at, how: Ending::NeverApprovable(obstacle) },
            None => State::Pending,
        };
        let attended_until = cancels(&ask).then(|| later(at, ATTENDED_FOR));
        Self {
            ask,
            state,
            tracks,
            claims: Vec::new(),
            delivered_at: None,
            version: 0,
            changed_at: at,
            attended_until,
            edits: Vec::new(),
        }
    }

    /// Until when somebody counts as waiting; `None` where the hold lives on whether anybody waits or not.
    #[must_use]
    pub const fn attended_until(&self) -> Option<Timestamp> {
        self.attended_until
    }

    /// What holds have in common that are one row of an inbox: the same caller, rules, chains, route and model. Anonymous
    /// callers are one caller here.
    #[must_use]
    pub fn group(&self) -> Digest {
        let ask = &self.ask;
        let mut hasher = Hasher::default();
        hasher.field(format!("{:?}", ask.requester.user).as_bytes());
        hasher.field(ask.route.as_bytes());
        hasher.field(ask.model.as_deref().unwrap_or_default().as_bytes());
        let mut rules: Vec<String> = ask.reasons.iter().map(|r| format!("{}/{}", r.policy, r.rule)).collect();
        rules.extend(ask.chains.iter().map(|chain| format!("chain {}", chain.name)));
        rules.sort_unstable();
        rules.dedup();
        for rule in &rules {
            hasher.field(rule.as_bytes());
        }
        hasher.finish()
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> HoldId {
        self.ask.id
    }

    /// What was asked. The excerpt is emptied when the hold ends.
    #[must_use]
    pub const fn ask(&self) -> &Ask {
        &self.ask
    }

    /// How far it has come.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match &self.state {
            State::Pending => Phase::Pending,
            State::Ended { how, .. } => how.phase(),
        }
    }

    /// How and when it ended.
    #[must_use]
    pub const fn ending(&self) -> Option<(&Ending, Timestamp)> {
        match &self.state {
            State::Pending => None,
            State::Ended { at, how } => Some((how, *at)),
        }
    }

    /// Each chain with how far it has come.
    pub fn tracks(&self) -> impl Iterator<Item = (&Chain, &Track)> {
        self.ask.chains.iter().zip(&self.tracks)
    }

    /// Every use of the approval.
    #[must_use]
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// When an answer was delivered whole.
    #[must_use]
    pub const fn delivered_at(&self) -> Option<Timestamp> {
        self.delivered_at
    }

    /// Counts changes: a store writes a hold only over the version it read.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// When it expires if nothing happens: the first deadline of a chain that is not satisfied. `None` once it ended.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.next_expiry().map(|(at, _)| at)
    }

    /// When to apply [`super::Event::Tick`] next.
    #[must_use]
    pub fn next_timer(&self) -> Option<Timestamp> {
        let escalation = self.tracks().filter_map(|(chain, track)| track.escalates_at(chain)).min();
        let deadline = self.deadline()?;
        Some([escalation, self.attended_until].into_iter().flatten().fold(deadline, Timestamp::min))
    }

    pub(super) fn next_expiry(&self) -> Option<(Timestamp, &Chain)> {
        if self.phase() != Phase::Pending {
            return None;
        }
        let open = self.tracks().filter(|(_, track)| track.satisfied_at.is_none());
        open.map(|(chain, _)| (later(self.ask.opened_at, chain.expires_after), chain)).min_by_key(|(at, _)| *at)
    }

    /// INVARIANT: the only way a phase changes, and only from Pending; callers check that.
    pub(super) fn end(&mut self, how: Ending, at: Timestamp) {
        self.state = State::Ended { at, how };
        self.ask.excerpt = Content::default();
    }
}

/// Every chain must agree that the hold ends when nobody waits; whoever put it ahead of time, or wants to be called back,
/// is not expected to wait.
fn cancels(ask: &Ask) -> bool {
    let waits = ask.ahead.is_none() && ask.callback.is_none();
    waits && !ask.chains.is_empty() && ask.chains.iter().all(|chain| chain.on_client_gone == ClientGone::Cancel)
}

/// A moment so long after another; the end of time where there is none.
#[must_use]
pub fn later(from: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    from.checked_add(by).unwrap_or(Timestamp::MAX)
}

pub(super) fn obstacle(ask: &Ask) -> Option<Obstacle> {
    if ask.chains.is_empty() {
        return Some(Obstacle::NoChain);
    }
    ask.chains.iter().find_map(|chain| {
        if chain.stages.is_empty() {
            return Some(Obstacle::NoStages(chain.name.clone()));
        }
        if chain.separation_of_duties && ask.requester.user.as_deref().is_none_or(|user| user.trim().is_empty()) {
            return Some(Obstacle::UnknownRequester(chain.name.clone()));
        }
        let short = chain.stages.iter().find(|stage| !enough(chain, stage, Reach::WithFallback, &ask.requester))?;
        Some(Obstacle::TooFewPeople { chain: chain.name.clone(), stage: short.name.clone() })
    })
}

pub(super) fn bounded(mut ask: Ask) -> Ask {
    ask.reasons.truncate(REASONS_MAX);
    for reason in &mut ask.reasons {
        cut(&mut reason.place);
        cut(&mut reason.matcher);
    }
    ask.unseen.truncate(UNSEEN_MAX);
    ask.unseen.iter_mut().map(Unseen::place_mut).for_each(cut);
    ask.requester.groups.truncate(GROUPS_MAX);
    ask.requester.groups.iter_mut().for_each(cut);
    ask.model.iter_mut().for_each(cut);
    cut(&mut ask.route);
    let text = ask.excerpt.reveal();
    if text.len() > EXCERPT_BYTES_MAX {
        ask.excerpt = Content::new(&text[..text.floor_char_boundary(EXCERPT_BYTES_MAX)]);
    }
    ask
}

fn cut(text: &mut String) {
    if let Some((at, _)) = text.char_indices().nth(FIELD_CHARS_MAX) {
        let rest = text[at..].chars().count();
        text.truncate(at);
        text.push_str("... (");
        text.push_str(&rest.to_string());
        text.push_str(" characters not shown)");
    }
}
