//! One event at a time: the whole life of a hold as a pure function.
//!
//! Must not know where events come from. Guarantees: the same hold, event and time give the same answer; a terminal
//! phase is never left; a refused event changes nothing; time within a hold never goes back, whatever the wall clock does.

use jiff::Timestamp;

use super::edit;
use super::hold::later;
use super::person::{Standing, standing};
use super::{
    Approver, Ballot, Chain, Claim, Decision, EDITS_MAX, Edit, Ending, Hold, Obstacle, Person, Phase, Seen, Stage,
    Track, Unseen, View, Vote,
};
use crate::base::{Digest, HoldId};
use crate::rules::ChainRef;

/// How often one approval may be claimed: a broken connection must not page people again, a loop must not use it for ever.
pub const CLAIMS_MAX: usize = 3;
/// How long after the approval it may be claimed.
pub const CLAIM_WINDOW: std::time::Duration = std::time::Duration::from_mins(10);
/// Longest reason of a person, in bytes: a paragraph.
pub(super) const REASON_BYTES_MAX: usize = 2048;
/// Longest name of a person, in bytes; the longest allowed address of electronic mail has 254.
pub(super) const NAME_BYTES_MAX: usize = 256;

/// What may happen to a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A person decided.
    Decided(Ballot),
    /// A person put other bytes in the query's place, and approves those.
    Edited(Box<Edit>),
    /// Time has passed: escalations and expiry that are due take place.
    Tick,
    /// A client waits, or was told to be back by then. Matters only where the chains cancel what nobody waits for.
    Attended {
        /// How long it counts as waited for without another word.
        until: Timestamp,
    },
    /// The gate was not there, so that nobody could wait: whoever waited has until then to come back. Comes before any
    /// [`Event::Tick`].
    Resumed {
        /// When clients must be back.
        until: Timestamp,
    },
    /// The client went away, and the policy says that this cancels the hold.
    ClientGone,
    /// Somebody withdrew the question.
    Withdrawn {
        /// Who.
        by: Person,
        /// Why.
        reason: String,
    },
    /// The same caller came back for the release.
    Claimed {
        /// The Pod or process that claims.
        by: String,
        /// Identity + route + body as it came.
        join: Digest,
        /// SHA-256 of the bytes that would be forwarded.
        digest: Digest,
    },
    /// The answer to a released query was delivered whole.
    Delivered,
}

/// What an event led to, for those who tell others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The decision counts in this stage.
    Counted {
        /// The chain.
        chain: ChainRef,
        /// The stage's name.
        stage: String,
    },
    /// The fallback approvers of this stage may decide from now on.
    Escalated {
        /// The chain.
        chain: ChainRef,
        /// The stage's name.
        stage: String,
    },
    /// The next stage of a chain is open.
    Opened {
        /// The chain.
        chain: ChainRef,
        /// The stage's name.
        stage: String,
    },
    /// People decide about another form of the query from now on.
    Edited {
        /// Its digest.
        form: Digest,
    },
    /// The hold has ended.
    Settled(Phase),
}

/// A hold after an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The hold; its version is one higher if anything changed.
    pub hold: Hold,
    /// What came of it, in order.
    pub effects: Vec<Effect>,
}

/// Why an event is refused; the hold stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It has ended, or its deadline has passed.
    #[error("hold `{id}` is finished: {}", phase.name())]
    Finished {
        /// Which hold.
        id: HoldId,
        /// How it ended.
        phase: Phase,
    },
    /// The stage does not name this person.
    #[error("`{name}` may not decide about hold `{id}`; {approvers} may")]
    NotAnApprover {
        /// Who tried.
        name: String,
        /// Which hold.
        id: HoldId,
        /// Who may, for people to read.
        approvers: String,
    },
    /// Separation of duties.
    #[error("`{0}` asked for this query and may not decide about it")]
    OwnQuery(String),
    /// One person, one vote in a stage.
    #[error("`{0}` has already decided in this stage")]
    AlreadyDecided(String),
    /// A person without a name.
    #[error("the person who decides needs a name of at most {NAME_BYTES_MAX} bytes")]
    BadName,
    /// A decision without a reason, or with an essay.
    #[error("a decision needs a reason of at most {REASON_BYTES_MAX} bytes")]
    BadReason,
    /// What the person saw is not this hold as it stands.
    #[error("the view that was shown is not the view of hold `{0}`")]
    OtherView(HoldId),
    /// An approval of what the person was not shown.
    #[error("not all of what hold `{id}` is held for was shown: {places}")]
    NotShown {
        /// Which hold.
        id: HoldId,
        /// Where the rest is, for people to read.
        places: String,
    },
    /// An approval of what nobody can be shown.
    #[error("hold `{id}` is held for what cannot be shown: {places}")]
    CannotBeShown {
        /// Which hold.
        id: HoldId,
        /// Where that is, for people to read.
        places: String,
    },
    /// An edit of a form that is no longer what people decide about.
    #[error("hold `{0}` was edited by somebody else since")]
    OtherForm(HoldId),
    /// An edit that changes nothing.
    #[error("the edit changes nothing of what hold `{0}` is for")]
    NothingChanged(HoldId),
    /// One edit too many.
    #[error("hold `{0}` was edited {EDITS_MAX} times, which is the most")]
    TooManyEdits(HoldId),
    /// An edit that nobody could ever approve.
    #[error("nobody can approve hold `{id}` edited like this: {obstacle}")]
    NeverApprovable {
        /// Which hold.
        id: HoldId,
        /// Why.
        obstacle: Obstacle,
    },
    /// A claim before people approved it, or after they did not.
    #[error("hold `{id}` is not approved: {}", phase.name())]
    NotApproved {
        /// Which hold.
        id: HoldId,
        /// Where it stands.
        phase: Phase,
    },
    /// A claim by another caller, or for other bytes.
    #[error("hold `{0}` is for another query")]
    OtherQuery(HoldId),
    /// A decision that is to stand for later queries, and cannot.
    #[error("the decision about hold `{id}` cannot stand for later queries: {why}")]
    CannotStand {
        /// Which hold.
        id: HoldId,
        /// Why not.
        why: &'static str,
    },
    /// A claim of an approval that was used up.
    #[error("the approval of hold `{id}` cannot be used again: {why}")]
    UsedUp {
        /// Which hold.
        id: HoldId,
        /// Which limit it reached.
        why: &'static str,
    },
}

/// Applies one event.
pub fn advance(hold: &Hold, event: Event, now: Timestamp) -> Result<Step, Refused> {
    let now = now.max(hold.changed_at);
    let mut step = Step { hold: hold.clone(), effects: Vec::new() };
    match event {
        Event::Tick => timers(&mut step, now),
        Event::Decided(ballot) => decide(&mut step, &ballot, now)?,
        Event::Edited(edit) => edit::apply(&mut step, *edit, now)?,
        Event::Attended { until } => attend(&mut step, until, now)?,
        Event::Resumed { until } => step.hold.attended_until = step.hold.attended_until.map(|at| at.max(until)),
        Event::ClientGone => cancel(&mut step, Ending::ClientGone, now)?,
        Event::Withdrawn { by, reason } => {
            well_spoken(&by, &reason)?;
            cancel(&mut step, Ending::Withdrawn { by: by.name, reason }, now)?;
        }
        Event::Claimed { by, join, digest } => claim(&mut step.hold, by, join, digest, now)?,
        Event::Delivered => deliver(&mut step.hold, now)?,
    }
    if step.hold != *hold {
        step.hold.version = hold.version.saturating_add(1);
        step.hold.changed_at = now;
    }
    Ok(step)
}

/// Expiry is looked at first: whoever is late is late, escalated or not. Then whether anybody still waits.
fn timers(step: &mut Step, now: Timestamp) {
    let Some((deadline, chain)) = step.hold.next_expiry() else { return };
    if deadline <= now {
        let how = Ending::Expired(chain.name.clone());
        return settle(step, how, now);
    }
    if step.hold.attended_until.is_some_and(|until| until <= now) {
        return settle(step, Ending::ClientGone, now);
    }
    let Step { hold, effects } = step;
    for (chain, track) in hold.ask.chains.iter().zip(&mut hold.tracks) {
        if track.escalates_at(chain).is_none_or(|due| due > now) {
            continue;
        }
        track.escalated_at = Some(now);
        if let Some(stage) = track.current(chain) {
            effects.push(Effect::Escalated { chain: chain.name.clone(), stage: stage.name.clone() });
        }
    }
}

fn settle(step: &mut Step, how: Ending, now: Timestamp) {
    let phase = how.phase();
    step.hold.end(how, now);
    step.effects.push(Effect::Settled(phase));
}

/// Applies what is due, then demands that the hold still waits.
pub(super) fn still_pending(step: &mut Step, now: Timestamp) -> Result<(), Refused> {
    timers(step, now);
    match step.hold.phase() {
        Phase::Pending => Ok(()),
        phase @ (Phase::Approved | Phase::Denied | Phase::Expired | Phase::Cancelled) => {
            Err(Refused::Finished { id: step.hold.id(), phase })
        }
    }
}

/// Several clients may wait: one that is told to be back sooner takes nothing from another.
fn attend(step: &mut Step, until: Timestamp, now: Timestamp) -> Result<(), Refused> {
    still_pending(step, now)?;
    if let Some(attended) = &mut step.hold.attended_until {
        *attended = (*attended).max(until);
    }
    Ok(())
}

fn cancel(step: &mut Step, how: Ending, now: Timestamp) -> Result<(), Refused> {
    still_pending(step, now)?;
    settle(step, how, now);
    Ok(())
}

pub(super) fn decide(step: &mut Step, ballot: &Ballot, now: Timestamp) -> Result<(), Refused> {
    still_pending(step, now)?;
    well_spoken(&ballot.by, &ballot.reason)?;
    if let Some(lasting) = ballot.lasting {
        super::standing::fits(&step.hold.ask, ballot.decision, lasting)?;
    }
    let seen = View::of(&step.hold).seen(ballot.view).ok_or(Refused::OtherView(step.hold.id()))?;
    let counted = count(step, ballot, now)?;
    shown(&step.hold, ballot, seen, &counted)?;
    // INVARIANT: denials first, over all chains, before any approval moves a chain on.
    let denied = counted.iter().find_map(|index| {
        let (chain, track) = (step.hold.ask.chains.get(*index)?, step.hold.tracks.get(*index)?);
        let stage = track.current(chain)?;
        (tally(track, Decision::Deny) >= stage.quorum.deny).then(|| chain.name.clone())
    });
    if let Some(chain) = denied {
        settle(step, Ending::Denied(chain), now);
        return Ok(());
    }
    for index in counted {
        move_on(step, index, now);
    }
    if step.hold.tracks.iter().all(|track| track.satisfied_at.is_some()) {
        settle(step, Ending::Approved, now);
    }
    Ok(())
}

/// Whether the person was shown what the query is held for, or every chain where the approval counts does without.
fn shown(hold: &Hold, ballot: &Ballot, seen: Seen, counted: &[usize]) -> Result<(), Refused> {
    let chains = || counted.iter().filter_map(|index| hold.ask.chains.get(*index));
    let id = hold.id();
    // Without a view it is not known which form an approval is of.
    let unnamed = seen == Seen::Nothing && hold.form() > 0;
    if ballot.decision == Decision::Deny || (!unnamed && chains().all(|chain| chain.allow_unseen)) {
        return Ok(());
    }
    let lacking: Vec<&Unseen> = seen.lacks(&hold.ask.unseen).collect();
    let places = |list: &[&Unseen]| list.iter().map(|one| one.place()).collect::<Vec<_>>().join(", ");
    let opaque: Vec<&Unseen> = lacking.iter().copied().filter(|one| matches!(one, Unseen::Opaque { .. })).collect();
    if seen == Seen::Nothing {
        return Err(Refused::NotShown { id, places: "the decision names no view".to_owned() });
    }
    if !opaque.is_empty() {
        return Err(Refused::CannotBeShown { id, places: places(&opaque) });
    }
    if lacking.is_empty() { Ok(()) } else { Err(Refused::NotShown { id, places: places(&lacking) }) }
}

pub(super) fn well_spoken(by: &Person, reason: &str) -> Result<(), Refused> {
    if by.name.trim().is_empty() || by.name.len() > NAME_BYTES_MAX {
        return Err(Refused::BadName);
    }
    if reason.trim().is_empty() || reason.len() > REASON_BYTES_MAX {
        return Err(Refused::BadReason);
    }
    Ok(())
}

/// Enters the ballot in the current stage of every chain where it counts; answers with their indices, never none.
fn count(step: &mut Step, ballot: &Ballot, now: Timestamp) -> Result<Vec<usize>, Refused> {
    let (mut counted, mut repeated, mut own) = (Vec::new(), false, false);
    let form = step.hold.form();
    let Step { hold, effects } = step;
    for (index, (chain, track)) in hold.ask.chains.iter().zip(&mut hold.tracks).enumerate() {
        let Some(stage) = track.current(chain) else { continue };
        match standing(chain, stage, track.reach(), &ballot.by, &hold.ask.requester) {
            Standing::Stranger => {}
            Standing::Own => own = true,
            Standing::Eligible if has_voted(track, &ballot.by, form) => repeated = true,
            Standing::Eligible => {
                withdraw(track, &ballot.by);
                track.votes.push(Vote { stage: track.stage, form, ballot: ballot.clone(), at: now });
                effects.push(Effect::Counted { chain: chain.name.clone(), stage: stage.name.clone() });
                counted.push(index);
            }
        }
    }
    let name = || ballot.by.name.clone();
    match (counted.is_empty(), repeated, own) {
        (false, _, _) => Ok(counted),
        (true, true, _) => Err(Refused::AlreadyDecided(name())),
        (true, false, true) => Err(Refused::OwnQuery(name())),
        (true, false, false) => {
            Err(Refused::NotAnApprover { name: name(), id: hold.id(), approvers: who_may_decide(hold) })
        }
    }
}

fn has_voted(track: &Track, person: &Person, form: usize) -> bool {
    let here = |vote: &Vote| vote.stage == track.stage && vote.form == form;
    track.votes.iter().any(|vote| here(vote) && person.is(&vote.ballot.by.name))
}

/// What a person said here of an earlier form gives way to what they say of this one.
fn withdraw(track: &mut Track, person: &Person) {
    let stage = track.stage;
    let before = |vote: &mut Vote| vote.stage == stage && person.is(&vote.ballot.by.name);
    track.lapsed.extend(track.votes.extract_if(.., before));
}

/// Distinct people by construction: [`count`] enters nobody twice in a stage.
fn tally(track: &Track, decision: Decision) -> u32 {
    let votes = track.votes.iter().filter(|vote| vote.stage == track.stage && vote.ballot.decision == decision);
    u32::try_from(votes.count()).unwrap_or(u32::MAX)
}

fn move_on(step: &mut Step, index: usize, now: Timestamp) {
    let Step { hold, effects } = step;
    let (Some(chain), Some(track)) = (hold.ask.chains.get(index), hold.tracks.get_mut(index)) else { return };
    let Some(stage) = track.current(chain) else { return };
    // A quorum of nobody would approve by itself; `compile` refuses it, and it counts as one here.
    if tally(track, Decision::Approve) < stage.quorum.approve.max(1) {
        return;
    }
    match chain.stages.get(track.stage + 1) {
        Some(next) => {
            track.enter(track.stage + 1, chain, &hold.ask, now);
            effects.push(Effect::Opened { chain: chain.name.clone(), stage: next.name.clone() });
        }
        None => track.satisfied_at = Some(now),
    }
}

fn claim(hold: &mut Hold, by: String, join: Digest, digest: Digest, now: Timestamp) -> Result<(), Refused> {
    let id = hold.id();
    let Some((Ending::Approved, approved_at)) = hold.ending() else {
        return Err(Refused::NotApproved { id, phase: hold.phase() });
    };
    if hold.ask.join != join || hold.ask.digest != digest {
        return Err(Refused::OtherQuery(id));
    }
    let used_up = |why| Err(Refused::UsedUp { id, why });
    if hold.delivered_at.is_some() {
        return used_up("its answer was delivered");
    }
    if hold.claims.len() >= CLAIMS_MAX {
        return used_up("it was claimed three times");
    }
    let (until, why) = usable_until(hold, approved_at);
    if now > until {
        return used_up(why);
    }
    hold.claims.push(Claim { by, at: now });
    Ok(())
}

/// An approval ahead of time waits for its query; from its first use on it is like any other.
fn usable_until(hold: &Hold, approved_at: Timestamp) -> (Timestamp, &'static str) {
    match (&hold.ask.ahead, hold.claims.first()) {
        (Some(ahead), None) => (later(approved_at, ahead.valid_for), "it was not used while it was valid"),
        (Some(_), Some(first)) => (later(first.at, CLAIM_WINDOW), "it was first used more than ten minutes ago"),
        (None, _) => (later(approved_at, CLAIM_WINDOW), "it was approved more than ten minutes ago"),
    }
}

fn deliver(hold: &mut Hold, now: Timestamp) -> Result<(), Refused> {
    if hold.claims.is_empty() {
        return Err(Refused::NotApproved { id: hold.id(), phase: hold.phase() });
    }
    hold.delivered_at.get_or_insert(now);
    Ok(())
}

/// Who may decide about a pending hold now: `group legal, user alice`.
#[must_use]
pub fn who_may_decide(hold: &Hold) -> String {
    let mut names = Vec::new();
    for (chain, track) in hold.tracks() {
        let Some(stage) = track.current(chain) else { continue };
        names.extend(named(chain, stage, track, hold));
    }
    names.sort();
    names.dedup();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

fn named(chain: &Chain, stage: &Stage, track: &Track, hold: &Hold) -> Vec<String> {
    let fallback: &[Approver] = if track.escalated_at.is_some() { &stage.fallback } else { &[] };
    let show = |approver: &Approver| match approver {
        Approver::Group(group) => Some(format!("group {group}")),
        Approver::User(user) => {
            let person = Person { name: user.clone(), groups: Vec::new(), authenticated_by: String::new() };
            let free = standing(chain, stage, track.reach(), &person, &hold.ask.requester) == Standing::Eligible;
            free.then(|| format!("user {user}"))
        }
    };
    stage.approvers.iter().chain(fallback).filter_map(show).collect()
}
