//! What releases are remembered for, in SQLite: digests and times, nothing else.
//!
//! Guarantees: what a release is remembered for is written in the transaction that writes its use; no caller takes more
//! than its share, and what is forgotten for want of room is asked again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::StoreFailure;
use crate::approvals::Remembered;
use crate::base::Digest;

/// Most causes remembered of one caller: some forty conversations with a hundred approved turns.
pub const REMEMBERED_PER_REQUESTER_MAX: i64 = 4096;
/// Most causes remembered in all: about 25 MB on disk.
pub const REMEMBERED_MAX: i64 = 100_000;

/// Remembers what a release of this caller stands for; the newest release of a text counts.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    requester: &str,
    remembered: &[Remembered],
    now: Timestamp,
) -> Result<(), StoreFailure> {
    if remembered.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO remembered (requester, key, hold, released_at, carry_millis, expires_at)
               VALUES (?, ?, ?, ?, ?, ?)
               ON CONFLICT (requester, key) DO UPDATE SET hold = excluded.hold, released_at = excluded.released_at,
               carry_millis = excluded.carry_millis, expires_at = excluded.expires_at
               WHERE excluded.released_at >= released_at";
    for one in remembered {
        sqlx::query(sql)
            .bind(requester)
            .bind(one.key.to_string())
            .bind(one.hold.to_string())
            .bind(one.at.as_millisecond())
            .bind(millis(one.carry_for))
            .bind(one.until().as_millisecond())
            .execute(&mut *connection)
            .await?;
    }
    prune(connection, requester, now).await
}

/// What is remembered under these keys.
pub(super) async fn recall(
    connection: &mut SqliteConnection,
    requester: &str,
    keys: &[Digest],
) -> Result<Vec<Remembered>, StoreFailure> {
    let sql = "SELECT key, hold, released_at, carry_millis FROM remembered WHERE requester = ? AND key = ?";
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        let row = sqlx::query(sql).bind(requester).bind(key.to_string()).fetch_optional(&mut *connection).await?;
        // One that is missing is enough to have to ask.
        let Some(row) = row else { return Ok(Vec::new()) };
        found.extend(remembered(&row)?);
    }
    Ok(found)
}

/// A row that cannot be read is as good as none: people are asked again.
fn remembered(row: &SqliteRow) -> Result<Option<Remembered>, StoreFailure> {
    let (key, hold): (&str, &str) = (row.try_get("key")?, row.try_get("hold")?);
    let (at, carry): (i64, i64) = (row.try_get("released_at")?, row.try_get("carry_millis")?);
    let (Ok(key), Ok(hold), Ok(at)) = (key.parse(), hold.parse(), Timestamp::from_millisecond(at)) else {
        return Ok(None);
    };
    let carry_for = Duration::from_millis(u64::try_from(carry).unwrap_or(0));
    Ok(Some(Remembered { key, hold, at, carry_for }))
}

async fn prune(connection: &mut SqliteConnection, requester: &str, now: Timestamp) -> Result<(), StoreFailure> {
    let old = "DELETE FROM remembered WHERE expires_at < ?";
    sqlx::query(old).bind(now.as_millisecond()).execute(&mut *connection).await?;
    let own = "DELETE FROM remembered WHERE requester = ?1 AND key IN
               (SELECT key FROM remembered WHERE requester = ?1 ORDER BY released_at DESC, key LIMIT -1 OFFSET ?2)";
    sqlx::query(own).bind(requester).bind(REMEMBERED_PER_REQUESTER_MAX).execute(&mut *connection).await?;
    let all = "DELETE FROM remembered WHERE rowid IN
               (SELECT rowid FROM remembered ORDER BY released_at DESC, rowid DESC LIMIT -1 OFFSET ?)";
    sqlx::query(all).bind(REMEMBERED_MAX).execute(connection).await?;
    Ok(())
}

fn millis(duration: Duration) -> i64 {
    SignedDuration::try_from(duration)
        .map_or(i64::MAX, |duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}
