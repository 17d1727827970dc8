//! What the gate needs from whoever runs it: people, a record, somebody to alert.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use jiff::Timestamp;

use crate::approvals::{Ask, Carried, Chain, Granted, Hold, Phase, Release, Requester};
use crate::audit::Event;
use crate::base::{Digest, GrantId, HoldId, QueryId};
use crate::rules::{Finding, Held, Ruling};

/// A boxed future that may move between threads.
pub type Wait<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a hold cannot be opened, followed or claimed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoldFailure {
    /// The store of holds does not answer.
    #[error("the store of held queries is unavailable")]
    Unavailable,
    /// There is nobody to ask here.
    #[error("nobody can be asked for approval here")]
    NobodyToAsk,
    /// Too many holds are pending, here or for this caller.
    #[error("too many queries are waiting for approval")]
    Overloaded,
    /// A chain that the rule set names is not known.
    #[error("approval chain `{0}` does not exist")]
    UnknownChain(String),
    /// There is no such hold.
    #[error("there is no hold `{0}`")]
    Unknown(HoldId),
    /// The hold is not approved, is for other bytes, or was used up.
    #[error("hold `{0}` does not release this query")]
    NotReleased(HoldId),
}

/// By whom a held query was asked, and who would have to decide.
#[derive(Debug, Clone)]
pub struct Recall {
    /// Who asks.
    pub requester: Requester,
    /// Every chain that must be satisfied, as it stands now.
    pub chains: Vec<Chain>,
    /// Identity + route + body, as a hold of this very query has it.
    pub join: Digest,
}

/// What earlier decisions say of a held query.
#[derive(Debug)]
pub enum Recalled {
    /// Nothing: people have to be asked.
    Nothing(Box<Held>),
    /// Earlier releases carry it.
    Carried(Carried),
    /// A grant lets it go; the use is persisted.
    Granted(Box<Granted>),
    /// One like it was denied for a time, by this hold.
    Muted(HoldId),
}

/// Where people are asked.
pub trait Holds: Send + Sync {
    /// Looks whether earlier decisions speak for a held query already, before anybody is asked. A query whose own approval
    /// waits to be claimed is left to that.
    fn recall(&self, recall: Recall, held: Box<Held>) -> Wait<'_, Result<Recalled, HoldFailure>>;
    /// Waits until a grant is revoked; for ever, should it never be. May be dropped at any time.
    fn revoked(&self, grant: GrantId) -> Wait<'_, ()>;
    /// Opens a hold, or joins the pending one with the same join key (or the approved one that may still be claimed, or
    /// the one refused a moment ago: see `approvals::joins`); answers with the id that counts.
    fn open(&self, ask: Ask) -> Wait<'_, Result<HoldId, HoldFailure>>;
    /// The hold as it stands now.
    fn look_up(&self, id: HoldId) -> Wait<'_, Result<Hold, HoldFailure>>;
    /// A client waits for this hold, or was told to be back by then: where its chains cancel what nobody waits for, it
    /// lives at least that long. Asked for only while it is pending.
    fn attend(&self, id: HoldId, until: Timestamp) -> Wait<'_, Result<(), HoldFailure>>;
    /// Waits until the hold is settled; may be dropped at any time.
    fn settled(&self, id: HoldId) -> Wait<'_, Result<Phase, HoldFailure>>;
    /// Takes the release of an approved hold; its use, and what it is remembered for, are persisted before this returns.
    fn claim(&self, id: HoldId, held: Held, join: Digest) -> Wait<'_, Result<Release, HoldFailure>>;
    /// What an approver made of a query, for a hold that was edited. A store that takes no edits has none.
    fn edited(&self, id: HoldId) -> Wait<'_, Result<Option<Bytes>, HoldFailure>> {
        let _ = id;
        Box::pin(std::future::ready(Ok(None)))
    }
    /// Takes the release of what an approver made of a query, from what the engine says of it now; its use is persisted
    /// before this returns.
    fn claim_edited(&self, id: HoldId, ruling: Ruling, join: Digest) -> Wait<'_, Result<Release, HoldFailure>> {
        let _ = (ruling, join);
        Box::pin(std::future::ready(Err(HoldFailure::NotReleased(id))))
    }
    /// The answer to a released query was delivered whole: it cannot be claimed again.
    fn delivered(&self, id: HoldId) -> Wait<'_, Result<(), HoldFailure>>;
}

/// Why an entry could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit record cannot be written")]
pub struct RecordFailure;

/// Where the record is kept.
pub trait Recorder: Send + Sync {
    /// Appends an entry; when this returns the entry is in the operating system's hands.
    fn append(&self, event: Event) -> Result<(), RecordFailure>;
    /// Appends an entry that nothing waits for. It may reach the operating system a moment later, but before any entry
    /// that is appended after it.
    fn append_soon(&self, event: Event) -> Result<(), RecordFailure> {
        self.append(event)
    }
}

/// Who is told when a rule raises an alert. Never blocks; what cannot be queued is counted and logged.
pub trait Alerts: Send + Sync {
    /// Raises an alert: `caller` is the user, or the address of an anonymous one (`rules::Caller::rate_key`); `route` names
    /// an alert route, the default one when left out.
    fn raise(&self, query: QueryId, caller: &str, route: Option<&str>, finding: &Finding);
}
