//! An approver puts other bytes in the query's place: what that does to a hold.
//!
//! Must not know how bytes are judged. Guarantees: the form that people decide about is always named by its digest; what
//! was approved of an earlier form does not count for a later one, what was objected to it still does; every chain that was
//! asked first is still asked; nobody gains time; a retry of the client's own bytes still finds the hold.

use jiff::Timestamp;

use super::advance::{decide, still_pending, well_spoken};
use super::hold::{bounded, obstacle};
use super::person::{Standing, standing};
use super::{
    Ballot, Chain, Decision, Effect, Hold, Obstacle, Person, Reason, Refused, Step, Track, Unseen, who_may_decide,
};
use crate::base::{Content, Digest};

/// Most edits of one hold: two people who undo each other's work stop here.
pub const EDITS_MAX: usize = 8;
/// Most decisions about earlier forms that are kept for display; the record has all of them.
const LAPSED_MAX: usize = 64;

/// What the rules say of the edited bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// SHA-256 of the bytes that a release would forward.
    pub digest: Digest,
    /// The rule set that judged them.
    pub revision: Digest,
    /// The model they name.
    pub model: Option<String>,
    /// Chains that must be satisfied now, whether or not they were asked before.
    pub chains: Vec<Chain>,
    /// Why.
    pub reasons: Vec<Reason>,
    /// Their matched text, made by [`super::excerpt`].
    pub excerpt: Content,
    /// What that does not show.
    pub unseen: Vec<Unseen>,
    /// How much text there is.
    pub characters: usize,
}

/// A person's edit, with the approval that comes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Who.
    pub by: Person,
    /// Why, in the person's words.
    pub reason: String,
    /// The digest of the full view of the edited form.
    pub view: Option<Digest>,
    /// The form that was edited.
    pub from: Digest,
    /// The new one.
    pub form: Form,
}

/// An edit that took place.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Edited {
    /// Who.
    pub by: Person,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// The form before.
    pub from: Digest,
    /// The form after.
    pub to: Digest,
    /// How many chains were asked before.
    pub(super) chains: usize,
}

/// The hold as it would stand after an edit, before the editor's own approval is counted: what the editor is to be shown.
pub fn edited(hold: &Hold, edit: &Edit, now: Timestamp) -> Result<Hold, Refused> {
    let now = now.max(hold.changed_at);
    let mut step = Step { hold: hold.clone(), effects: Vec::new() };
    put(&mut step, edit, now)?;
    Ok(step.hold)
}

/// Puts the new form in place and counts the editor's approval of it, wherever the editor may decide now.
pub(super) fn apply(step: &mut Step, edit: Edit, now: Timestamp) -> Result<(), Refused> {
    put(step, &edit, now)?;
    let stages = step.hold.tracks().filter_map(|(chain, track)| Some((chain, track, track.current(chain)?)));
    let requester = &step.hold.ask.requester;
    let may = |(chain, track, stage): (&Chain, &Track, _)| {
        standing(chain, stage, track.reach(), &edit.by, requester) == Standing::Eligible
    };
    let eligible = stages.into_iter().any(may);
    let ballot =
        Ballot { by: edit.by, decision: Decision::Approve, reason: edit.reason, view: edit.view, lasting: None };
    if eligible {
        return decide(step, &ballot, now);
    }
    // Whoever decides in a later stage only has proposed a form; its turn comes.
    let seen = super::View::of(&step.hold).seen(ballot.view);
    if seen == Some(super::Seen::Full) { Ok(()) } else { Err(Refused::OtherView(step.hold.id())) }
}

fn put(step: &mut Step, edit: &Edit, now: Timestamp) -> Result<(), Refused> {
    still_pending(step, now)?;
    well_spoken(&edit.by, &edit.reason)?;
    let id = step.hold.id();
    if edit.from != step.hold.ask.digest {
        return Err(Refused::OtherForm(id));
    }
    if edit.form.digest == edit.from {
        return Err(Refused::NothingChanged(id));
    }
    if step.hold.edits.len() >= EDITS_MAX {
        return Err(Refused::TooManyEdits(id));
    }
    may_edit(&step.hold, &edit.by)?;
    let hold = &mut step.hold;
    let made = Edited {
        by: edit.by.clone(),
        reason: edit.reason.clone(),
        at: now,
        from: edit.from,
        to: edit.form.digest,
        chains: hold.ask.chains.len(),
    };
    hold.edits.push(made);
    replace(hold, &edit.form, now);
    if let Some(obstacle) = obstacle(&hold.ask) {
        return Err(Refused::NeverApprovable { id, obstacle });
    }
    if let Some((deadline, chain)) = hold.next_expiry()
        && deadline <= now
    {
        return Err(Refused::NeverApprovable { id, obstacle: Obstacle::NoTime(chain.name.clone()) });
    }
    step.effects.push(Effect::Edited { form: edit.form.digest });
    Ok(())
}

/// Whoever may decide now may edit, whether or not they have decided already.
fn may_edit(hold: &Hold, person: &Person) -> Result<(), Refused> {
    let mut own = false;
    for (chain, track) in hold.tracks() {
        let Some(stage) = track.current(chain) else { continue };
        match standing(chain, stage, track.reach(), person, &hold.ask.requester) {
            Standing::Eligible => return Ok(()),
            Standing::Own => own = true,
            Standing::Stranger => {}
        }
    }
    let name = person.name.clone();
    Err(if own {
        Refused::OwnQuery(name)
    } else {
        Refused::NotAnApprover { name, id: hold.id(), approvers: who_may_decide(hold) }
    })
}

/// INVARIANT: the join key, the requester and the chains that were asked first stay.
fn replace(hold: &mut Hold, form: &Form, now: Timestamp) {
    let ask = &mut hold.ask;
    ask.digest = form.digest;
    ask.revision = form.revision;
    ask.model.clone_from(&form.model);
    // Later queries will be like what the client sent, which nobody approves any more.
    ask.similar = None;
    ask.reasons.clone_from(&form.reasons);
    ask.excerpt.clone_from(&form.excerpt);
    ask.unseen.clone_from(&form.unseen);
    // The edit itself is what people are asked about: they must have seen all of it.
    ask.unseen.push(Unseen::Text { place: "all of it, as it was edited".to_owned(), characters: form.characters });
    ask.unseen.sort();
    for chain in &form.chains {
        if !ask.chains.iter().any(|asked| asked.name == chain.name) {
            ask.chains.push(chain.clone());
        }
    }
    hold.ask = bounded(hold.ask.clone());
    for (index, chain) in hold.ask.chains.iter().enumerate() {
        match hold.tracks.get_mut(index) {
            Some(track) => restart(track, chain, &hold.ask, now),
            None => hold.tracks.push(Track::open(chain, &hold.ask, now)),
        }
    }
}

/// From the first stage again: approvals were of another form; objections stay until those who made them decide anew.
fn restart(track: &mut Track, chain: &Chain, ask: &super::Ask, now: Timestamp) {
    let escalated = track.escalated_at.filter(|_| track.stage == 0);
    let (objections, approvals): (Vec<_>, Vec<_>) =
        std::mem::take(&mut track.votes).into_iter().partition(|vote| vote.ballot.decision == Decision::Deny);
    track.votes = objections;
    track.lapsed.extend(approvals);
    let excess = track.lapsed.len().saturating_sub(LAPSED_MAX);
    track.lapsed.drain(..excess);
    track.satisfied_at = None;
    track.enter(0, chain, ask, now);
    track.escalated_at = track.escalated_at.or(escalated);
}

impl Hold {
    /// Every edit that took place, in order.
    #[must_use]
    pub fn edits(&self) -> &[Edited] {
        &self.edits
    }

    /// SHA-256 of what a release would have forwarded of the client's own bytes.
    #[must_use]
    pub fn first_digest(&self) -> Digest {
        self.edits.first().map_or(self.ask.digest, |edit| edit.from)
    }

    /// The chains that the client's own bytes were held by.
    #[must_use]
    pub fn first_chains(&self) -> &[Chain] {
        let count = self.edits.first().map_or(self.ask.chains.len(), |edit| edit.chains);
        self.ask.chains.get(..count).unwrap_or_default()
    }

    /// Which form people decide about now: how often it was edited.
    pub(super) fn form(&self) -> usize {
        self.edits.len()
    }
}

#[cfg(test)]
mod tests;
