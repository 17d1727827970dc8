//! Grants and mutes in SQLite.
//!
//! Guarantees: a standing decision is written in the transaction that decides its hold, its use in one of its own before
//! anything is forwarded, and each with what the audit trail is to say of it; their number is bounded.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, Row as _, SqliteConnection};

use super::StoreFailure;
use super::store::{KEPT_FOR, Store};
use crate::approvals::{Decision, Hold, Person, Standing, StandingPhase};
use crate::audit;
use crate::base::{Digest, GrantId};

/// Most standing decisions kept, those that ended included: more than people can keep an eye on.
pub const STANDING_KEPT_MAX: i64 = 10_000;

impl Store {
    /// Every grant, or every mute, that is kept, newest first.
    pub async fn standing(&self, decision: Decision) -> Result<Vec<Standing>, StoreFailure> {
        let sql = "SELECT id, body FROM standing WHERE decision = ? ORDER BY given_at DESC, id DESC";
        let mut connection = self.connection().await;
        let rows = sqlx::query(sql).bind(decision.name()).fetch_all(&mut *connection).await?;
        rows.iter().map(standing).collect()
    }

    /// One grant or mute, by its id or enough of its start.
    pub async fn find_standing(&self, text: &str, decision: Decision) -> Result<Standing, StoreFailure> {
        let shown = || crate::approvals::visible(text, crate::approvals::Lines::Escape).chars().take(64).collect();
        let start = text.strip_prefix("g-").unwrap_or(text).to_ascii_lowercase();
        let mut all = self.standing(decision).await?;
        all.retain(|one| {
            one.terms().id.to_string().get(2..).is_some_and(|id| !start.is_empty() && id.starts_with(&start))
        });
        let ids = || all.iter().take(5).map(|one| one.terms().id.to_string()).collect();
        match all.as_slice() {
            [] => Err(StoreFailure::NotStanding(shown())),
            [one] => Ok(one.clone()),
            _ => Err(StoreFailure::Ambiguous { prefix: shown(), ids: ids() }),
        }
    }

    /// What the decision about a hold stands for.
    pub async fn standing_of(&self, hold: &Hold) -> Result<Option<Standing>, StoreFailure> {
        let mut connection = self.connection().await;
        let sql = "SELECT id, body FROM standing WHERE hold = ?";
        let row = sqlx::query(sql).bind(hold.id().to_string()).fetch_optional(&mut *connection).await?;
        row.as_ref().map(standing).transpose()
    }

    /// Takes a grant or a mute back.
    pub async fn revoke(&self, id: GrantId, by: &Person, reason: &str) -> Result<Standing, StoreFailure> {
        let now = self.now();
        let mut connection = self.connection().await;
        let mut change = connection.begin_with("BEGIN IMMEDIATE").await?;
        let revoked = read(&mut change, id).await?.revoke(by, reason, now)?;
        write(&mut change, &revoked).await?;
        let terms = revoked.terms();
        let event = audit::Event::StandingRevoked {
            id,
            decision: terms.decision.name().to_owned(),
            by: by.name.clone(),
            authenticated_by: by.authenticated_by.clone(),
            reason: reason.to_owned(),
        };
        note(&mut change, &terms.hold.to_string(), &event, now).await?;
        change.commit().await?;
        Ok(revoked)
    }

    /// The grant or mute that counts for queries of this key.
    pub(super) async fn in_force(&self, key: Digest, decision: Decision) -> Result<Option<Standing>, StoreFailure> {
        let now = self.now();
        let mut connection = self.connection().await;
        active(&mut connection, key, decision, now).await
    }

    /// Uses a grant once; answers with it as it is then, or with nothing when none counts any more.
    pub(super) async fn use_grant(&self, key: Digest) -> Result<Option<Standing>, StoreFailure> {
        let now = self.now();
        let mut connection = self.connection().await;
        let mut change = connection.begin_with("BEGIN IMMEDIATE").await?;
        let found = active(&mut change, key, Decision::Approve, now).await?;
        let Some(used) = found.and_then(|grant| grant.used(now)) else { return Ok(None) };
        write(&mut change, &used).await?;
        change.commit().await?;
        Ok(Some(used))
    }

    /// Whether a grant was taken back.
    pub(super) async fn is_revoked(&self, id: GrantId) -> Result<bool, StoreFailure> {
        let mut connection = self.connection().await;
        Ok(read(&mut connection, id).await?.revoked().is_some())
    }
}

/// Keeps what the decision about a hold stands for, if anything.
pub(super) async fn keep(change: &mut SqliteConnection, hold: &Hold, now: Timestamp) -> Result<(), StoreFailure> {
    let Some(standing) = Standing::of(hold, GrantId::fresh(now)) else { return Ok(()) };
    let terms = standing.terms();
    let sql = "INSERT INTO standing (id, decision, hold, key, given_at, until, body) VALUES (?, ?, ?, ?, ?, ?, ?)";
    sqlx::query(sql)
        .bind(terms.id.to_string())
        .bind(terms.decision.name())
        .bind(terms.hold.to_string())
        .bind(terms.key.to_string())
        .bind(terms.given_at.as_millisecond())
        .bind(terms.until.as_millisecond())
        .bind(body(&standing)?)
        .execute(&mut *change)
        .await?;
    let event = audit::Event::StandingGiven {
        id: terms.id,
        decision: terms.decision.name().to_owned(),
        hold: terms.hold,
        by: terms.given_by.iter().map(|giver| giver.name.clone()).collect(),
        until: terms.until,
        uses: terms.uses_max,
    };
    note(change, &terms.hold.to_string(), &event, now).await?;
    prune(change, now).await
}

async fn active(
    connection: &mut SqliteConnection,
    key: Digest,
    decision: Decision,
    now: Timestamp,
) -> Result<Option<Standing>, StoreFailure> {
    let sql = "SELECT id, body FROM standing WHERE key = ? AND decision = ? ORDER BY given_at DESC, id DESC";
    let rows = sqlx::query(sql).bind(key.to_string()).bind(decision.name()).fetch_all(connection).await?;
    for row in &rows {
        let found = standing(row)?;
        if found.phase(now) == StandingPhase::Active {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

async fn read(connection: &mut SqliteConnection, id: GrantId) -> Result<Standing, StoreFailure> {
    let sql = "SELECT id, body FROM standing WHERE id = ?";
    let row = sqlx::query(sql).bind(id.to_string()).fetch_optional(connection).await?;
    row.as_ref().map_or_else(|| Err(StoreFailure::NotStanding(id.to_string())), standing)
}

async fn write(change: &mut SqliteConnection, standing: &Standing) -> Result<(), StoreFailure> {
    let sql = "UPDATE standing SET body = ? WHERE id = ?";
    sqlx::query(sql).bind(body(standing)?).bind(standing.terms().id.to_string()).execute(change).await?;
    Ok(())
}

fn standing(row: &SqliteRow) -> Result<Standing, StoreFailure> {
    let (id, body): (String, &str) = (row.try_get("id")?, row.try_get("body")?);
    serde_json::from_str(body).map_err(|source| StoreFailure::Damaged { id, source })
}

fn body(standing: &Standing) -> Result<String, StoreFailure> {
    let damaged = |source| StoreFailure::Damaged { id: standing.terms().id.to_string(), source };
    serde_json::to_string(standing).map_err(damaged)
}

/// Leaves what the audit trail is to say with the decisions, whose order it keeps.
async fn note(
    change: &mut SqliteConnection,
    hold: &str,
    event: &audit::Event,
    now: Timestamp,
) -> Result<(), StoreFailure> {
    let damaged = |source| StoreFailure::Damaged { id: hold.to_owned(), source };
    let sql = "INSERT INTO decision (hold, decision, person, authenticated_by, reason, decided_at, event)
               VALUES (?, '', '', '', '', ?, ?)";
    sqlx::query(sql)
        .bind(hold)
        .bind(now.as_millisecond())
        .bind(serde_json::to_string(event).map_err(damaged)?)
        .execute(change)
        .await?;
    Ok(())
}

/// Forgets those that ended long ago, and the oldest of too many.
async fn prune(change: &mut SqliteConnection, now: Timestamp) -> Result<(), StoreFailure> {
    let kept_for = i64::try_from(KEPT_FOR.as_millis()).unwrap_or(i64::MAX);
    let old = "DELETE FROM standing WHERE until < ?";
    sqlx::query(old).bind(now.as_millisecond().saturating_sub(kept_for)).execute(&mut *change).await?;
    let many = "DELETE FROM standing WHERE id IN
                (SELECT id FROM standing ORDER BY given_at DESC, id DESC LIMIT -1 OFFSET ?)";
    sqlx::query(many).bind(STANDING_KEPT_MAX).execute(change).await?;
    Ok(())
}
