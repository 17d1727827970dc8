//! Holds in SQLite: each change is one transaction over the version it read.
//!
//! Must not know HTTP or the command line. Guarantees: what was answered is on disk; of two decisions at once, in one
//! program or in two, the second sees the first; the number of rows and the size of each are bounded.

mod edited;
mod recent;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, Row as _, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

pub use edited::{EDITED_BYTES_MAX, EditedText};

use super::trail::{self, Entry};
use super::{Missing, StoreFailure, callbacks, file, memory, standing};
use crate::approvals::{
    Ask, Ballot, Event, Hold, Pace, PaceLimits, Phase, Refused, Remembered, Step, advance, joins, later, remember,
};
use crate::base::{Clock, Digest, HoldId};
use crate::rules::Held;

/// Most pending holds of one identity; all anonymous callers are one.
pub const PENDING_PER_REQUESTER_MAX: i64 = 20;
/// Most pending holds in all: at 64 KB each, what a small machine can keep, and more than people can work off.
pub const PENDING_MAX: i64 = 1000;
/// One in so many of all places is kept for callers who have nothing pending.
const RESERVED_ONE_IN: i64 = 10;

/// How many holds there may be, and how fast they may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldLimits {
    /// Most pending holds of one identity; all anonymous callers are one.
    pub pending_per_requester_max: i64,
    /// Most pending holds in all.
    pub pending_max: i64,
    /// Most new ones a minute.
    pub pace: PaceLimits,
}

impl Default for HoldLimits {
    fn default() -> Self {
        Self {
            pending_per_requester_max: PENDING_PER_REQUESTER_MAX,
            pending_max: PENDING_MAX,
            pace: PaceLimits::default(),
        }
    }
}
/// Largest hold as stored. The machine cuts what callers can lengthen; this is the second lock.
pub const HOLD_BYTES_MAX: usize = 64 * 1024;
/// How long finished holds are kept for `approvals list --all`; the audit trail keeps the decisions.
pub const KEPT_FOR: Duration = Duration::from_hours(24 * 7);
/// Most finished holds kept, whatever their age.
pub const FINISHED_MAX: i64 = 10_000;
/// Most rows one look at timers or decisions takes, so that nobody waits long for the connection.
pub(super) const BATCH_MAX: i64 = 100;
/// Most holds with the same key that are looked at for joining.
const CANDIDATES_MAX: i64 = 8;

/// Which holds a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Those that wait for people.
    Pending,
    /// All that are kept.
    All,
}

/// How a new question ended up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opened {
    /// As a hold of its own.
    New(HoldId),
    /// It joined this one.
    Joined(HoldId),
}

/// What is entered together with an event.
#[derive(Clone, Copy)]
enum With<'a> {
    Nothing,
    /// The query that an approval is used for: what its release stands for is remembered.
    Claimed(&'a Held),
    /// What an approver made of the query.
    Edited(&'a EditedText),
}

/// The holds of one data folder.
pub struct Store {
    connection: Mutex<SqliteConnection>,
    clock: Arc<dyn Clock>,
    limits: HoldLimits,
    pace: std::sync::Mutex<Pace>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database in `folder`.
    pub async fn open(folder: &Path, missing: Missing, clock: Arc<dyn Clock>) -> Result<Self, StoreFailure> {
        let connection = Mutex::new(file::open(folder, missing).await?);
        let limits = HoldLimits::default();
        Ok(Self { connection, clock, limits, pace: std::sync::Mutex::new(Pace::new(limits.pace)) })
    }

    /// The same store with other limits.
    #[must_use]
    pub fn limited(self, limits: HoldLimits) -> Self {
        Self { limits, pace: std::sync::Mutex::new(Pace::new(limits.pace)), ..self }
    }

    /// One hold, by id.
    pub async fn get(&self, id: HoldId) -> Result<Hold, StoreFailure> {
        let mut connection = self.connection.lock().await;
        read(&mut connection, id).await
    }

    /// The holds that are kept, oldest first, and why others cannot be read.
    pub async fn list(&self, listed: Listed) -> Result<(Vec<Hold>, Vec<StoreFailure>), StoreFailure> {
        let sql = match listed {
            Listed::Pending => "SELECT id, body FROM hold WHERE phase = 'Pending' ORDER BY opened_at, id",
            Listed::All => "SELECT id, body FROM hold ORDER BY opened_at, id",
        };
        let mut connection = self.connection.lock().await;
        let rows = sqlx::query(sql).fetch_all(&mut *connection).await?;
        Ok(sorted_out(&rows))
    }

    /// The id that `text` is, or the start of, with or without the `h-`.
    pub async fn find(&self, text: &str) -> Result<HoldId, StoreFailure> {
        let shown = || crate::approvals::visible(text, crate::approvals::Lines::Escape).chars().take(64).collect();
        let unknown = || StoreFailure::Unknown(shown());
        let start = text.strip_prefix("h-").unwrap_or(text).to_ascii_lowercase();
        if start.is_empty() || !start.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(unknown());
        }
        let sql = "SELECT id FROM hold WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id DESC LIMIT 5";
        let mut connection = self.connection.lock().await;
        let rows = sqlx::query(sql).bind(format!("h-{start}")).fetch_all(&mut *connection).await?;
        let ids: Vec<String> = rows.iter().map(|row| row.try_get("id")).collect::<Result<_, _>>()?;
        match ids.as_slice() {
            [] => Err(unknown()),
            [id] => id.parse().map_err(|_| unknown()),
            _ => Err(StoreFailure::Ambiguous { prefix: shown(), ids }),
        }
    }

    /// Enters a person's decision.
    pub async fn decide(&self, id: HoldId, ballot: Ballot) -> Result<Step, StoreFailure> {
        self.apply(id, Event::Decided(ballot)).await
    }

    /// One hold as of now: what time has done to it is applied and kept.
    pub(super) async fn timed(&self, id: HoldId) -> Result<Hold, StoreFailure> {
        let hold = self.get(id).await?;
        match hold.next_timer() {
            Some(due) if due <= self.clock.now() => Ok(self.apply(id, Event::Tick).await?.hold),
            Some(_) | None => Ok(hold),
        }
    }

    /// Gives clients of every pending hold so long to come back: while no gate ran, nobody could wait.
    pub(super) async fn resume(&self, within: Duration) -> Result<(), StoreFailure> {
        let until = later(self.clock.now(), within);
        let (holds, _damaged) = self.list(Listed::Pending).await?;
        for hold in holds.iter().filter(|hold| hold.attended_until().is_some()) {
            self.apply(hold.id(), Event::Resumed { until }).await?;
        }
        Ok(())
    }

    /// Applies one event in one transaction. What time has done to the hold is applied and kept first.
    pub(super) async fn apply(&self, id: HoldId, event: Event) -> Result<Step, StoreFailure> {
        self.change(id, event, With::Nothing).await
    }

    /// Applies a claim, and remembers what its release stands for.
    pub(super) async fn claim(&self, id: HoldId, claim: Event, held: Option<&Held>) -> Result<Step, StoreFailure> {
        self.change(id, claim, held.map_or(With::Nothing, With::Claimed)).await
    }

    async fn change(&self, id: HoldId, event: Event, with: With<'_>) -> Result<Step, StoreFailure> {
        let now = self.clock.now();
        let mut connection = self.connection.lock().await;
        let mut change = connection.begin_with("BEGIN IMMEDIATE").await?;
        let (step, refused) = changed(&mut change, id, event, with, now).await?;
        change.commit().await?;
        match refused {
            None => Ok(step),
            Some(refused) => Err(refused.into()),
        }
    }

    /// Opens a hold ahead of its query, or finds the one that this question joins.
    pub async fn request(&self, ask: Ask) -> Result<Hold, StoreFailure> {
        let (Opened::New(id) | Opened::Joined(id)) = self.ask(ask).await?;
        self.timed(id).await
    }

    /// Opens a hold, or finds the one that this question joins.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Opened, StoreFailure> {
        let now = self.clock.now();
        let mut connection = self.connection.lock().await;
        if let Some(id) = joined(&mut connection, &ask, now).await? {
            drop(connection);
            return self.join(id, &ask).await;
        }
        // Whoever comes too fast costs a look, never a write.
        if !self.pace.lock().unwrap_or_else(PoisonError::into_inner).admits(&ask, self.clock.monotonic()) {
            return Err(StoreFailure::Overloaded);
        }
        let mut change = connection.begin_with("BEGIN IMMEDIATE").await?;
        if let Some(id) = joined(&mut change, &ask, now).await? {
            change.rollback().await?;
            drop(connection);
            return self.join(id, &ask).await;
        }
        let callback = ask.callback.clone();
        let hold = Hold::open(ask);
        if hold.phase() == Phase::Pending {
            room_for(&mut change, &hold, &self.limits).await?;
        }
        insert(&mut change, &hold).await?;
        trail::ahead(&mut change, &hold).await?;
        if let Some(url) = callback {
            callbacks::add(&mut change, hold.id(), &url).await?;
        }
        prune(&mut change, now).await?;
        change.commit().await?;
        Ok(Opened::New(hold.id()))
    }

    /// Whether this very query was approved and may still be claimed.
    pub(super) async fn is_claimable(&self, join: Digest, digest: Digest) -> Result<bool, StoreFailure> {
        let now = self.clock.now();
        let mut connection = self.connection.lock().await;
        let sql = "SELECT id, body FROM hold WHERE join_key = ? AND phase = 'Approved' ORDER BY ended_at DESC LIMIT ?";
        let rows = sqlx::query(sql).bind(join.to_string()).bind(CANDIDATES_MAX).fetch_all(&mut *connection).await?;
        for row in &rows {
            let claim = Event::Claimed { by: String::new(), join, digest };
            if advance(&hold(row)?, claim, now).is_ok() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is remembered of a caller's releases under these keys.
    pub(super) async fn recall(&self, requester: &str, keys: &[Digest]) -> Result<Vec<Remembered>, StoreFailure> {
        let mut connection = self.connection.lock().await;
        memory::recall(&mut connection, requester, keys).await
    }

    /// Joins a hold; who wants to be called back about it is not expected to wait.
    async fn join(&self, id: HoldId, ask: &Ask) -> Result<Opened, StoreFailure> {
        if let Some(url) = &ask.callback {
            callbacks::add(&mut *self.connection().await, id, url).await?;
            let Some(until) = self.get(id).await?.deadline() else { return Ok(Opened::Joined(id)) };
            match self.apply(id, Event::Attended { until }).await {
                Ok(_) | Err(StoreFailure::Refused(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(Opened::Joined(id))
    }

    pub(super) async fn connection(&self) -> MutexGuard<'_, SqliteConnection> {
        self.connection.lock().await
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Applies timers that are due, in one transaction; answers with the holds it changed. One damaged row does not stop
    /// the others.
    pub(super) async fn tick(&self) -> Result<Vec<Hold>, StoreFailure> {
        let sql = "SELECT id FROM hold WHERE next_timer <= ? ORDER BY next_timer LIMIT ?";
        let now = self.clock.now();
        let mut connection = self.connection.lock().await;
        let due = sqlx::query(sql).bind(now.as_millisecond()).bind(BATCH_MAX).fetch_all(&mut *connection).await?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let mut change = connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut holds = Vec::new();
        for row in due {
            let text: String = row.try_get("id")?;
            // Within the batch each hold changes whole or not at all.
            let mut one = change.begin().await?;
            let applied = match text.parse() {
                Ok(id) => changed(&mut one, id, Event::Tick, With::Nothing, now).await,
                Err(_) => Err(StoreFailure::Unknown(text)),
            };
            match applied {
                Ok((step, _)) => {
                    one.commit().await?;
                    holds.push(step.hold);
                }
                Err(failure @ StoreFailure::Database(_)) => return Err(failure),
                Err(failure) => tracing::error!(error = %failure, "a timer of a held query cannot be applied"),
            }
        }
        change.commit().await?;
        Ok(holds)
    }

    /// A number that changes when another program wrote to the database.
    pub(super) async fn foreign_changes(&self) -> Result<i64, StoreFailure> {
        let mut connection = self.connection.lock().await;
        Ok(sqlx::query("PRAGMA data_version").fetch_one(&mut *connection).await?.try_get(0)?)
    }

    /// The ids of all pending holds.
    pub(super) async fn pending(&self) -> Result<HashSet<String>, StoreFailure> {
        let mut connection = self.connection.lock().await;
        let rows = sqlx::query("SELECT id FROM hold WHERE phase = 'Pending'").fetch_all(&mut *connection).await?;
        Ok(rows.iter().map(|row| row.try_get("id")).collect::<Result<_, _>>()?)
    }
}

/// One event within a transaction: the hold after it and after what time had done, and why the event was refused if it was.
async fn changed(
    change: &mut SqliteConnection,
    id: HoldId,
    event: Event,
    with: With<'_>,
    now: Timestamp,
) -> Result<(Step, Option<Refused>), StoreFailure> {
    let before = read(change, id).await?;
    let timed = match event {
        Event::Resumed { .. } => Step { hold: before.clone(), effects: Vec::new() },
        _ => advance(&before, Event::Tick, now)?,
    };
    let (step, refused) = match advance(&timed.hold, event.clone(), now) {
        Ok(step) => (step, None),
        Err(refused) => (timed, Some(refused)),
    };
    write(change, &before, &step.hold).await?;
    match (&event, &refused, with) {
        (Event::Decided(ballot), None, _) => trail::enter(change, id, &Entry::of(ballot), now).await?,
        (Event::Edited(edit), None, With::Edited(text)) => {
            trail::enter(change, id, &Entry::of_edit(edit), now).await?;
            edited::keep(change, id, text).await?;
        }
        _ => {}
    }
    if refused.is_none() && before.ending().is_none() && step.hold.ending().is_some() {
        standing::keep(change, &step.hold, now).await?;
    }
    if let (With::Claimed(held), None, Some(user)) = (with, &refused, &step.hold.ask().requester.user) {
        memory::keep(change, user, &remember(&step.hold, held), now).await?;
    }
    edited::forget_with(change, &step.hold).await?;
    Ok((step, refused))
}

fn hold(row: &SqliteRow) -> Result<Hold, StoreFailure> {
    let (id, body): (String, &str) = (row.try_get("id")?, row.try_get("body")?);
    serde_json::from_str(body).map_err(|source| StoreFailure::Damaged { id, source })
}

/// Holds, and why other rows cannot be read as such.
fn sorted_out(rows: &[SqliteRow]) -> (Vec<Hold>, Vec<StoreFailure>) {
    let (mut holds, mut damaged) = (Vec::new(), Vec::new());
    for row in rows {
        match hold(row) {
            Ok(hold) => holds.push(hold),
            Err(failure) => damaged.push(failure),
        }
    }
    (holds, damaged)
}

async fn read(connection: &mut SqliteConnection, id: HoldId) -> Result<Hold, StoreFailure> {
    let sql = "SELECT id, body FROM hold WHERE id = ?";
    let row = sqlx::query(sql).bind(id.to_string()).fetch_optional(connection).await?;
    row.as_ref().map_or_else(|| Err(StoreFailure::Unknown(id.to_string())), hold)
}

fn body(hold: &Hold) -> Result<String, StoreFailure> {
    let damaged = |source| StoreFailure::Damaged { id: hold.id().to_string(), source };
    serde_json::to_string(hold).map_err(damaged)
}

async fn insert(connection: &mut SqliteConnection, hold: &Hold) -> Result<(), StoreFailure> {
    let body = body(hold)?;
    if body.len() > HOLD_BYTES_MAX {
        return Err(StoreFailure::Overloaded);
    }
    let sql =
        "INSERT INTO hold (id, phase, version, join_key, requester, opened_at, next_timer, ended_at, body, namespace)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    sqlx::query(sql)
        .bind(hold.id().to_string())
        .bind(hold.phase().name())
        .bind(version(hold))
        .bind(hold.ask().join.to_string())
        .bind(hold.ask().requester.user.as_deref())
        .bind(hold.ask().opened_at.as_millisecond())
        .bind(hold.next_timer().map(due_millisecond))
        .bind(hold.ending().map(|(_, at)| at.as_millisecond()))
        .bind(body)
        .bind(&hold.ask().namespace)
        .execute(connection)
        .await?;
    Ok(())
}

/// INVARIANT: only the version that was read is overwritten.
async fn write(connection: &mut SqliteConnection, before: &Hold, after: &Hold) -> Result<(), StoreFailure> {
    if before == after {
        return Ok(());
    }
    let sql = "UPDATE hold SET phase = ?, version = ?, next_timer = ?, ended_at = ?, body = ?
               WHERE id = ? AND version = ?";
    let done = sqlx::query(sql)
        .bind(after.phase().name())
        .bind(version(after))
        .bind(after.next_timer().map(due_millisecond))
        .bind(after.ending().map(|(_, at)| at.as_millisecond()))
        .bind(body(after)?)
        .bind(before.id().to_string())
        .bind(version(before))
        .execute(connection)
        .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreFailure::Contended(before.id())) }
}

/// The hold that a question joins; time is applied to each candidate first, in thought only.
async fn joined(connection: &mut SqliteConnection, ask: &Ask, now: Timestamp) -> Result<Option<HoldId>, StoreFailure> {
    let Some(user) = &ask.requester.user else { return Ok(None) };
    let sql = "SELECT id, body FROM hold WHERE join_key = ? AND requester = ?
               ORDER BY ended_at IS NOT NULL, opened_at DESC LIMIT ?";
    let query = sqlx::query(sql).bind(ask.join.to_string()).bind(user).bind(CANDIDATES_MAX);
    for row in query.fetch_all(connection).await? {
        let candidate = advance(&hold(&row)?, Event::Tick, now)?.hold;
        if joins(&candidate, ask, now) {
            return Ok(Some(candidate.id()));
        }
    }
    Ok(None)
}

/// Whether one more pending hold has room: within its caller's number, within its namespace's share of all places (as
/// many shares as there are namespaces that ask), and, of the last places, only for callers who have none.
async fn room_for(connection: &mut SqliteConnection, hold: &Hold, limits: &HoldLimits) -> Result<(), StoreFailure> {
    let sql = "SELECT COUNT(*) AS every, COUNT(*) FILTER (WHERE requester IS ?1) AS own,
               COUNT(*) FILTER (WHERE namespace = ?2) AS near,
               COUNT(DISTINCT namespace) FILTER (WHERE namespace <> ?2) AS others
               FROM hold WHERE phase = 'Pending'";
    let ask = hold.ask();
    let query = sqlx::query(sql).bind(ask.requester.user.as_deref()).bind(&ask.namespace);
    let row = query.fetch_one(connection).await?;
    let (every, own): (i64, i64) = (row.try_get("every")?, row.try_get("own")?);
    let (near, others): (i64, i64) = (row.try_get("near")?, row.try_get("others")?);
    let most = limits.pending_max;
    let within = own < limits.pending_per_requester_max && near < most / (others + 1) && every < most;
    let last = every >= most - most / RESERVED_ONE_IN;
    if within && (own == 0 || !last) { Ok(()) } else { Err(StoreFailure::Overloaded) }
}

/// Forgets finished holds that are old or too many, and recorded decisions about them. What is not in the audit trail
/// yet stays.
async fn prune(connection: &mut SqliteConnection, now: Timestamp) -> Result<(), StoreFailure> {
    let kept_for = i64::try_from(KEPT_FOR.as_millis()).unwrap_or(i64::MAX);
    let oldest = now.as_millisecond().saturating_sub(kept_for);
    let old = "DELETE FROM hold WHERE ended_at < ?";
    sqlx::query(old).bind(oldest).execute(&mut *connection).await?;
    let many = "DELETE FROM hold WHERE id IN
                (SELECT id FROM hold WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT -1 OFFSET ?)";
    sqlx::query(many).bind(FINISHED_MAX).execute(&mut *connection).await?;
    let decisions = "DELETE FROM decision WHERE recorded = 1 AND decided_at < ?";
    sqlx::query(decisions).bind(oldest).execute(&mut *connection).await?;
    callbacks::prune(connection).await
}

fn version(hold: &Hold) -> i64 {
    i64::try_from(hold.version()).unwrap_or(i64::MAX)
}

/// Rounded up, so that a timer is never found before it is due.
fn due_millisecond(at: Timestamp) -> i64 {
    let floor = at.as_millisecond();
    if at.subsec_nanosecond() % 1_000_000 == 0 { floor } else { floor.saturating_add(1) }
}
