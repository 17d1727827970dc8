//! Strict chains: what `compile` hands over. Durations are checked, names are unique, there is at least one stage.

use std::time::Duration;

use crate::rules::ChainRef;

/// How long an approval that was asked for ahead of time stays usable at most, unless its chain says otherwise: long
/// enough for a run that starts after lunch, short enough that people remember what they approved.
pub const VALID_FOR_MAX_DEFAULT: Duration = Duration::from_hours(1);

/// What becomes of a hold whose client went away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum ClientGone {
    /// The hold lives on until people decide or it expires; the same query joins it again.
    #[default]
    Detach,
    /// The hold ends as cancelled: nobody is asked for something that nobody waits for.
    Cancel,
}

/// Who decides, stage by stage.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Chain {
    /// Its name.
    pub name: ChainRef,
    /// A hold ends as expired after this long.
    pub expires_after: Duration,
    /// Whether the person who asked may not decide.
    pub separation_of_duties: bool,
    /// What becomes of a hold whose client went away.
    #[serde(default)]
    pub on_client_gone: ClientGone,
    /// Longest time that an approval asked for ahead of time may be used after it was given.
    #[serde(default = "valid_for_max_default")]
    pub valid_for_max: Duration,
    /// Whether people may approve what they were not shown, or nobody can be shown.
    #[serde(default)]
    pub allow_unseen: bool,
    /// The stages, in order; never empty.
    pub stages: Vec<Stage>,
}

const fn valid_for_max_default() -> Duration {
    VALID_FOR_MAX_DEFAULT
}

impl Chain {
    /// Whether this chain asks the same people in the same way. How long they have, and what becomes of a client that
    /// leaves, is not part of that.
    #[must_use]
    pub fn decides_like(&self, other: &Self) -> bool {
        let of = |chain: &Self| (chain.name.clone(), chain.separation_of_duties, chain.allow_unseen);
        of(self) == of(other) && self.stages == other.stages
    }
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stage {
    /// Unique within the chain.
    pub name: String,
    /// Who may decide.
    pub approvers: Vec<Approver>,
    /// How many distinct people must.
    pub quorum: Quorum,
    /// After this long the fallback approvers may decide too.
    pub escalate_after: Option<Duration>,
    /// Who may decide after an escalation.
    pub fallback: Vec<Approver>,
}

/// A person or a group of people.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Approver {
    /// Everyone in a group.
    Group(String),
    /// One person.
    User(String),
}

/// How many distinct people a stage needs; denials are counted first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Quorum {
    /// So many approvals pass the stage; at least 1.
    pub approve: u32,
    /// So many denials refuse; at least 1.
    pub deny: u32,
}
