//! The tables, and the steps from each version of them to the next.
//!
//! Must not know what a hold means. Guarantees: a database of an older version is brought up to date in one transaction;
//! one of a newer version is left alone.

use sqlx::{Connection as _, Row as _, SqliteConnection};

use super::StoreFailure;

/// Step `n` leads from version `n` to `n + 1`. Steps that were released never change.
const STEPS: &[(&str, &str)] = &[
    (
        "CREATE TABLE hold (
        id TEXT PRIMARY KEY,
        phase TEXT NOT NULL,
        version INTEGER NOT NULL,
        join_key TEXT NOT NULL,
        requester TEXT,
        opened_at INTEGER NOT NULL,
        next_timer INTEGER,
        ended_at INTEGER,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX hold_by_join ON hold (join_key);
    CREATE INDEX hold_by_phase ON hold (phase, requester);
    CREATE INDEX hold_by_timer ON hold (next_timer) WHERE next_timer IS NOT NULL;
    CREATE INDEX hold_by_end ON hold (ended_at) WHERE ended_at IS NOT NULL;
    CREATE TABLE decision (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        hold TEXT NOT NULL,
        decision TEXT NOT NULL,
        person TEXT NOT NULL,
        authenticated_by TEXT NOT NULL,
        reason TEXT NOT NULL,
        decided_at INTEGER NOT NULL,
        recorded INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX decision_to_record ON decision (number) WHERE recorded = 0;",
        "PRAGMA user_version = 1",
    ),
    (
        "ALTER TABLE hold ADD COLUMN namespace TEXT NOT NULL DEFAULT '';
    CREATE INDEX hold_by_namespace ON hold (phase, namespace);",
        "PRAGMA user_version = 2",
    ),
    (
        "CREATE TABLE remembered (
        requester TEXT NOT NULL,
        key TEXT NOT NULL,
        hold TEXT NOT NULL,
        released_at INTEGER NOT NULL,
        carry_millis INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        PRIMARY KEY (requester, key)
    ) STRICT;
    CREATE INDEX remembered_by_end ON remembered (expires_at);
    CREATE INDEX remembered_by_release ON remembered (released_at);",
        "PRAGMA user_version = 3",
    ),
    (
        "CREATE TABLE callback (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            hold TEXT NOT NULL,
            url TEXT NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            next_at INTEGER NOT NULL,
            UNIQUE (hold, url)
        ) STRICT;
        CREATE INDEX callback_by_time ON callback (next_at);",
        "PRAGMA user_version = 4",
    ),
    (
        "CREATE TABLE edited (hold TEXT PRIMARY KEY, format TEXT NOT NULL, body BLOB NOT NULL) STRICT;
    ALTER TABLE decision ADD COLUMN view TEXT;
    ALTER TABLE decision ADD COLUMN original TEXT;
    ALTER TABLE decision ADD COLUMN edited TEXT;",
        "PRAGMA user_version = 5",
    ),
    (
        "CREATE TABLE standing (
        id TEXT PRIMARY KEY,
        decision TEXT NOT NULL,
        hold TEXT NOT NULL,
        key TEXT NOT NULL,
        given_at INTEGER NOT NULL,
        until INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX standing_by_key ON standing (key);
    CREATE INDEX standing_by_hold ON standing (hold);
    ALTER TABLE decision ADD COLUMN event TEXT;",
        "PRAGMA user_version = 6",
    ),
];

/// Brings the database up to date.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreFailure> {
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if version(connection).await? == known {
        return Ok(());
    }
    // Read again inside the transaction: of two programs that start at once, one migrates.
    let mut all = connection.begin_with("BEGIN IMMEDIATE").await?;
    let found = version(&mut all).await?;
    if found > known || found < 0 {
        return Err(StoreFailure::Newer { found, known });
    }
    for (tables, version) in STEPS.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        sqlx::raw_sql(*tables).execute(&mut *all).await?;
        sqlx::raw_sql(*version).execute(&mut *all).await?;
    }
    all.commit().await?;
    Ok(())
}

async fn version(connection: &mut SqliteConnection) -> Result<i64, StoreFailure> {
    Ok(sqlx::query("PRAGMA user_version").fetch_one(connection).await?.try_get(0)?)
}
