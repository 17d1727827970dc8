//! Held queries on one machine: the gate's port to people, on an SQLite file that the command line writes to as well.
//!
//! # Flow
//! The gate asks through [`SqliteHolds`]; people decide through [`Store`], in this process or another; one task looks
//! every [`LOOK_EVERY`] whether another process wrote, fires timers, and wakes those who wait. While the file system says
//! that nobody wrote, and no timer is due, it does not ask the database.
//!
//! # Guarantees
//! * What was answered is on disk; pending holds survive a restart.
//! * A decision is in the audit trail before anybody who waits hears of it; while the trail cannot be written, nothing is
//!   released.
//! * The gate is the only writer of the audit trail: the command line leaves decisions in a table.
//!
//! # Limits
//! [`PENDING_PER_REQUESTER_MAX`], [`PENDING_MAX`], [`HOLD_BYTES_MAX`], [`FINISHED_MAX`], [`KEPT_FOR`],
//! [`REMEMBERED_PER_REQUESTER_MAX`], [`REMEMBERED_MAX`], [`STANDING_KEPT_MAX`].
//!
//! # Errors
//! [`StoreFailure`] for people, `sidecar::HoldFailure` for the gate.
//!
//! Knows nothing of HTTP or the command line.

mod callbacks;
mod edits;
mod failure;
mod file;
mod grant;
mod memory;
mod quiet;
mod request;
mod schema;
mod scribe;
mod standing;
mod store;
mod trail;
mod waiters;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

pub(super) use callbacks::{Attempt, Due, Next};
pub use failure::StoreFailure;
pub use file::Missing;
pub use grant::approval_grant;
pub use memory::{REMEMBERED_MAX, REMEMBERED_PER_REQUESTER_MAX};
pub use request::approval_request;
pub use standing::STANDING_KEPT_MAX;
pub use store::{
    EDITED_BYTES_MAX, EditedText, FINISHED_MAX, HOLD_BYTES_MAX, HoldLimits, KEPT_FOR, Listed, PENDING_MAX,
    PENDING_PER_REQUESTER_MAX, Store,
};

use crate::approvals::{self, Ask, Ballot, Decision, Event, Granted, Hold, Phase, Release, StandingKeys, Step};
use crate::base::{Clock, Digest, GrantId, HoldId};
use crate::rules::{Held, Ruling};
use crate::sidecar::{HoldFailure, Holds, Recall, Recalled, Recorder, Wait};
use quiet::Quiet;
use scribe::Scribe;
use store::Opened;
use waiters::Waiters;

use super::pulse::Pulse;

/// How often it is found out whether another process wrote: people do not notice it, and it costs microseconds.
pub const LOOK_EVERY: Duration = Duration::from_millis(150);

/// How long clients have to come back to a gate that was restarted: what they are told to wait at most, and a moment.
const RETURN_WITHIN: Duration = Duration::from_secs(70);
/// Stands for a change counter when there is something to look at, whatever the counter says.
const UNSEEN: i64 = i64::MIN;

/// Looks after holds as long as it is kept.
#[derive(Debug)]
pub struct Looking {
    task: JoinHandle<()>,
    _pulse: Pulse,
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn look_when(due: Arc<Notify>, holds: Weak<SqliteHolds>, quiet: Arc<std::sync::Mutex<Quiet>>) {
    let mut failing = false;
    loop {
        due.notified().await;
        let Some(holds) = holds.upgrade() else { return };
        let failed = match holds.look_and_learn(&quiet).await {
            Ok(()) => false,
            // Said once, not seven times a second.
            Err(failure) if !failing => {
                tracing::error!(error = %failure, "held queries cannot be looked after");
                true
            }
            Err(_) => true,
        };
        failing = failed;
    }
}

/// The gate's holds.
pub struct SqliteHolds {
    store: Arc<Store>,
    scribe: Arc<Scribe>,
    /// Who claims, in the record: `gate 4711`.
    claimant: String,
    /// The database and the log beside it.
    files: [PathBuf; 2],
    waiters: Waiters,
    /// Answers that end when their grant is revoked.
    cuts: Waiters<GrantId>,
    /// The database's change counter when all of it had been seen to.
    seen: std::sync::Mutex<i64>,
}

impl std::fmt::Debug for SqliteHolds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteHolds").field("claimant", &self.claimant).finish_non_exhaustive()
    }
}

impl SqliteHolds {
    /// Opens `folder/approvals.db`, making both if needed. Keep [`SqliteHolds::watch`] beside it.
    pub async fn open(
        folder: &Path,
        clock: Arc<dyn Clock>,
        recorder: Arc<dyn Recorder>,
    ) -> Result<Arc<Self>, StoreFailure> {
        Self::open_with(folder, clock, recorder, HoldLimits::default()).await
    }

    /// The same with other limits.
    pub async fn open_with(
        folder: &Path,
        clock: Arc<dyn Clock>,
        recorder: Arc<dyn Recorder>,
        limits: HoldLimits,
    ) -> Result<Arc<Self>, StoreFailure> {
        let store = Arc::new(Store::open(folder, Missing::Create, clock).await?.limited(limits));
        store.resume(RETURN_WITHIN).await?;
        let scribe = Arc::new(Scribe::new(Arc::clone(&store), recorder));
        // Decisions may have come while no gate was running: the first look sees to them.
        let seen = std::sync::Mutex::new(UNSEEN);
        Ok(Arc::new(Self {
            store,
            scribe,
            claimant: format!("gate {}", std::process::id()),
            files: file::files(folder),
            waiters: Waiters::default(),
            cuts: Waiters::default(),
            seen,
        }))
    }

    /// Notices what other processes decide and what time does, until what it gives is dropped.
    pub fn watch(self: &Arc<Self>) -> io::Result<Looking> {
        let (holds, quiet) = (Arc::downgrade(self), Arc::new(std::sync::Mutex::new(Quiet::over(self.files.clone()))));
        let due = Arc::new(Notify::new());
        // Decisions may have come while no gate was running.
        due.notify_one();
        let task = tokio::spawn(look_when(Arc::clone(&due), Weak::clone(&holds), Arc::clone(&quiet)));
        let pulse = Pulse::start("holds", LOOK_EVERY, move || {
            let Some(holds) = holds.upgrade() else { return };
            let mut quiet = quiet.lock().unwrap_or_else(PoisonError::into_inner);
            quiet.ask();
            if !quiet.lasts(holds.store.now()) || !holds.all_seen() {
                due.notify_one();
            }
        })?;
        Ok(Looking { task, _pulse: pulse })
    }

    /// Looks, and learns until when it may be quiet. Whatever changes the files meanwhile takes that back.
    async fn look_and_learn(&self, quiet: &std::sync::Mutex<Quiet>) -> Result<(), HoldFailure> {
        self.look().await?;
        let learnt = || quiet.lock().unwrap_or_else(PoisonError::into_inner);
        if learnt().has_settled() {
            let timer = self.store.first_timer().await.map_err(unavailable)?;
            learnt().until(timer);
        }
        Ok(())
    }

    /// Looks once: timers that are due, decisions of other processes, and who is to be woken.
    pub async fn look(&self) -> Result<(), HoldFailure> {
        let timed = self.store.tick().await.map_err(unavailable)?;
        let version = self.store.foreign_changes().await.map_err(unavailable)?;
        if self.swap_seen(UNSEEN) == version && timed.is_empty() {
            self.swap_seen(version);
            return Ok(());
        }
        if !self.waiters.is_empty() {
            let pending = self.store.pending().await.map_err(unavailable)?;
            self.waiters.wake(|id| !pending.contains(&id.to_string()));
        }
        self.scribe.record().await?;
        self.cuts.wake(|_| true);
        self.swap_seen(version);
        Ok(())
    }

    fn swap_seen(&self, version: i64) -> i64 {
        std::mem::replace(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner), version)
    }

    /// Whether nothing is left over from a look that failed, or from a decision of this process.
    fn all_seen(&self) -> bool {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) != UNSEEN
    }

    /// Enters a decision made in this process.
    pub async fn decide(&self, id: HoldId, ballot: Ballot) -> Result<Step, StoreFailure> {
        let step = self.store.decide(id, ballot).await?;
        self.swap_seen(UNSEEN);
        self.waiters.wake(|waited| waited == id);
        Ok(step)
    }

    async fn wait(&self, id: HoldId) -> Result<Phase, HoldFailure> {
        let waiting = self.waiters.join(id);
        loop {
            // Armed before the look, so that no decision falls between the two.
            let bell = waiting.bell.notified();
            let phase = self.store.get(id).await.map_err(|failure| told(id, failure))?.phase();
            if phase != Phase::Pending {
                self.scribe.record().await?;
                return Ok(phase);
            }
            bell.await;
        }
    }

    /// Persists the use of an approval and what it is remembered for; nothing is released while its decisions are not in the audit trail.
    async fn use_up(&self, id: HoldId, join: Digest, digest: Digest, held: Option<&Held>) -> Result<Hold, HoldFailure> {
        self.scribe.record().await?;
        let claim = Event::Claimed { by: self.claimant.clone(), join, digest };
        Ok(self.store.claim(id, claim, held).await.map_err(|failure| told(id, failure))?.hold)
    }

    /// What earlier decisions say: a mute before anything that lets a query go, and each decision only once it is in the
    /// audit trail.
    async fn decided_before(&self, recall: Recall, held: Box<Held>) -> Result<Recalled, HoldFailure> {
        let Recall { requester, chains, join } = recall;
        if self.store.is_claimable(join, held.digest()).await.map_err(unavailable)? {
            return Ok(Recalled::Nothing(held));
        }
        let standing = StandingKeys::of(&held, &requester, &chains);
        if let Some(keys) = standing
            && let Some(mute) = self.store.in_force(keys.mute, Decision::Deny).await.map_err(unavailable)?
        {
            self.scribe.record().await?;
            return Ok(Recalled::Muted(mute.terms().hold));
        }
        let held = match (requester.user.as_deref(), approvals::carrying(&held, &chains)) {
            (Some(user), Some(keys)) => {
                let memory = self.store.recall(user, &keys).await.map_err(unavailable)?;
                match approvals::carry(held, &chains, &memory, self.store.now()) {
                    Ok(carried) => return Ok(Recalled::Carried(carried)),
                    Err(held) => held,
                }
            }
            (None, _) | (_, None) => held,
        };
        let Some(key) = standing.and_then(|keys| keys.grant) else { return Ok(Recalled::Nothing(held)) };
        if self.store.in_force(key, Decision::Approve).await.map_err(unavailable)?.is_none() {
            return Ok(Recalled::Nothing(held));
        }
        self.scribe.record().await?;
        match self.store.use_grant(key).await.map_err(unavailable)? {
            Some(grant) => {
                let granted = Granted::claim(&grant, held, &chains, self.store.now());
                Ok(granted.map_or_else(Recalled::Nothing, |granted| Recalled::Granted(Box::new(granted))))
            }
            None => Ok(Recalled::Nothing(held)),
        }
    }

    async fn until_revoked(&self, grant: GrantId) {
        let waiting = self.cuts.join(grant);
        loop {
            // Armed before the look, so that no revocation falls between the two.
            let bell = waiting.bell.notified();
            match self.store.is_revoked(grant).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(failure) => tracing::error!(error = %failure, %grant, "whether a grant stands is not known"),
            }
            bell.await;
        }
    }
}

impl Holds for SqliteHolds {
    fn recall(&self, recall: Recall, held: Box<Held>) -> Wait<'_, Result<Recalled, HoldFailure>> {
        Box::pin(self.decided_before(recall, held))
    }

    fn revoked(&self, grant: GrantId) -> Wait<'_, ()> {
        Box::pin(self.until_revoked(grant))
    }

    fn open(&self, ask: Ask) -> Wait<'_, Result<HoldId, HoldFailure>> {
        Box::pin(async move {
            let id = ask.id;
            match self.store.ask(ask).await.map_err(|failure| told(id, failure))? {
                Opened::New(id) | Opened::Joined(id) => Ok(id),
            }
        })
    }

    fn look_up(&self, id: HoldId) -> Wait<'_, Result<Hold, HoldFailure>> {
        Box::pin(async move { self.store.timed(id).await.map_err(|failure| told(id, failure)) })
    }

    fn attend(&self, id: HoldId, until: Timestamp) -> Wait<'_, Result<(), HoldFailure>> {
        Box::pin(async move {
            match self.store.apply(id, Event::Attended { until }).await {
                // Whoever decided in between is heard by those who wait.
                Ok(_) | Err(StoreFailure::Refused(_)) => Ok(()),
                Err(failure) => Err(told(id, failure)),
            }
        })
    }

    fn settled(&self, id: HoldId) -> Wait<'_, Result<Phase, HoldFailure>> {
        Box::pin(self.wait(id))
    }

    fn claim(&self, id: HoldId, held: Held, join: Digest) -> Wait<'_, Result<Release, HoldFailure>> {
        Box::pin(async move {
            let hold = self.use_up(id, join, held.digest(), Some(&held)).await?;
            Release::claim(&hold, held).map_err(|_| HoldFailure::NotReleased(id))
        })
    }

    fn edited(&self, id: HoldId) -> Wait<'_, Result<Option<Bytes>, HoldFailure>> {
        Box::pin(async move {
            let text = self.store.edited(id).await.map_err(|failure| told(id, failure))?;
            Ok(text.map(|text| text.body))
        })
    }

    fn claim_edited(&self, id: HoldId, ruling: Ruling, join: Digest) -> Wait<'_, Result<Release, HoldFailure>> {
        Box::pin(async move {
            let digest = match &ruling {
                Ruling::Hold(held) => held.digest(),
                Ruling::Clear(clearance) => clearance.digest(),
                Ruling::Deny(_) => return Err(HoldFailure::NotReleased(id)),
            };
            // What the client sends again is its own text, which nobody approved: nothing of it is remembered.
            let hold = self.use_up(id, join, digest, None).await?;
            Release::claim_edited(&hold, ruling).map_err(|_| HoldFailure::NotReleased(id))
        })
    }

    fn delivered(&self, id: HoldId) -> Wait<'_, Result<(), HoldFailure>> {
        Box::pin(async move {
            self.store.apply(id, Event::Delivered).await.map_err(|failure| told(id, failure))?;
            Ok(())
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn unavailable(failure: StoreFailure) -> HoldFailure {
    tracing::error!(error = %failure, cause = ?std::error::Error::source(&failure), "the approvals database failed");
    HoldFailure::Unavailable
}

/// What the gate is told of a failure; people read the log.
fn told(id: HoldId, failure: StoreFailure) -> HoldFailure {
    match failure {
        StoreFailure::Unknown(_) => HoldFailure::Unknown(id),
        StoreFailure::Overloaded => HoldFailure::Overloaded,
        StoreFailure::Refused(_) => HoldFailure::NotReleased(id),
        StoreFailure::Missing(_)
        | StoreFailure::File { .. }
        | StoreFailure::Newer { .. }
        | StoreFailure::Database(_)
        | StoreFailure::Damaged { .. }
        | StoreFailure::Ambiguous { .. }
        | StoreFailure::EditTooLarge
        | StoreFailure::NotStanding(_)
        | StoreFailure::NotRevoked(_)
        | StoreFailure::Contended(_) => unavailable(failure),
    }
}

#[cfg(test)]
mod tests;
