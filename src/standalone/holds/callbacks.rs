//! Who wants to be called back when a hold has ended: a queue in the database, so that a restart forgets nobody.
//!
//! Must not know HTTP. Guarantees that a row is handed out to one sender at a time, and only for a hold that has ended.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{Row as _, SqliteConnection};

use super::store::{BATCH_MAX, Store};
use super::{SqliteHolds, StoreFailure};
use crate::approvals::{Hold, later};
use crate::base::HoldId;
use crate::sidecar::HoldFailure;

/// Most addresses of one hold: its caller has joined it again from elsewhere.
const PER_HOLD_MAX: i64 = 4;
/// How long a row that was handed out is nobody else's: longer than an attempt takes.
const LEASE: Duration = Duration::from_secs(30);
/// From one attempt to the next; as many further attempts as there are pauses. A receiver that is away for an hour is told.
const PAUSES: [Duration; 7] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_mins(45),
];

/// One message to send.
#[derive(Debug, Clone)]
pub(in crate::standalone) struct Due {
    number: i64,
    attempts: i64,
    pub(in crate::standalone) url: String,
    pub(in crate::standalone) hold: Hold,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::standalone) enum Attempt {
    /// It arrived.
    Delivered,
    /// The receiver does not want it.
    Refused,
    /// It may arrive later.
    Failed,
}

/// Whether there will be another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::standalone) enum Next {
    Again,
    Never,
}

/// Notes an address; the same one twice is one.
pub(super) async fn add(connection: &mut SqliteConnection, hold: HoldId, url: &str) -> Result<(), StoreFailure> {
    let sql = "INSERT INTO callback (hold, url, next_at) SELECT ?1, ?2, 0
               WHERE (SELECT COUNT(*) FROM callback WHERE hold = ?1 AND url <> ?2) < ?3
               ON CONFLICT (hold, url) DO UPDATE SET url = url";
    let done = sqlx::query(sql).bind(hold.to_string()).bind(url).bind(PER_HOLD_MAX).execute(connection).await?;
    if done.rows_affected() == 0 { Err(StoreFailure::Overloaded) } else { Ok(()) }
}

/// Forgets addresses of holds that are forgotten.
pub(super) async fn prune(connection: &mut SqliteConnection) -> Result<(), StoreFailure> {
    let sql = "DELETE FROM callback WHERE hold NOT IN (SELECT id FROM hold)";
    sqlx::query(sql).execute(connection).await?;
    Ok(())
}

impl Store {
    async fn callbacks_due(&self) -> Result<Vec<Due>, StoreFailure> {
        let now = self.now();
        let sql = "SELECT callback.number, callback.hold, callback.url, callback.attempts
                   FROM callback JOIN hold ON hold.id = callback.hold
                   WHERE callback.next_at <= ? AND hold.phase <> 'Pending' ORDER BY callback.next_at LIMIT ?";
        let rows = {
            let mut connection = self.connection().await;
            let query = sqlx::query(sql).bind(now.as_millisecond()).bind(BATCH_MAX);
            query.fetch_all(&mut *connection).await?
        };
        let mut due = Vec::new();
        for row in rows {
            let (number, attempts) = (row.try_get("number")?, row.try_get("attempts")?);
            let hold: String = row.try_get("hold")?;
            self.put_off(number, attempts, later(now, LEASE)).await?;
            let id = hold.parse().map_err(|_| StoreFailure::Unknown(hold))?;
            match self.get(id).await {
                Ok(hold) => due.push(Due { number, attempts, url: row.try_get("url")?, hold }),
                Err(failure) => tracing::error!(error = %failure, "nobody can be called back about a hold"),
            }
        }
        Ok(due)
    }

    async fn put_off(&self, number: i64, attempts: i64, until: Timestamp) -> Result<(), StoreFailure> {
        let sql = "UPDATE callback SET attempts = ?, next_at = ? WHERE number = ?";
        let query = sqlx::query(sql).bind(attempts).bind(until.as_millisecond()).bind(number);
        query.execute(&mut *self.connection().await).await?;
        Ok(())
    }

    async fn called_back(&self, due: &Due, attempt: Attempt) -> Result<Next, StoreFailure> {
        let pause = usize::try_from(due.attempts).ok().and_then(|made| PAUSES.get(made));
        if let (Attempt::Failed, Some(pause)) = (attempt, pause) {
            self.put_off(due.number, due.attempts + 1, later(self.now(), *pause)).await?;
            return Ok(Next::Again);
        }
        let sql = "DELETE FROM callback WHERE number = ?";
        sqlx::query(sql).bind(due.number).execute(&mut *self.connection().await).await?;
        Ok(Next::Never)
    }
}

impl SqliteHolds {
    /// Messages to send now. What they tell is in the audit trail already.
    pub(in crate::standalone) async fn callbacks_due(&self) -> Result<Vec<Due>, HoldFailure> {
        let due = self.store.callbacks_due().await.map_err(super::unavailable)?;
        if !due.is_empty() {
            self.scribe.record().await?;
        }
        Ok(due)
    }

    /// Notes what became of a message.
    pub(in crate::standalone) async fn called_back(&self, due: &Due, attempt: Attempt) -> Result<Next, HoldFailure> {
        self.store.called_back(due, attempt).await.map_err(super::unavailable)
    }
}
