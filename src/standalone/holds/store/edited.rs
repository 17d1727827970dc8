//! What approvers made of queries: kept with the hold until it has ended or its answer was delivered, because the gate may
//! be restarted in between.
//!
//! Guarantees that the bytes and the edit are entered together or not at all, and that both sizes are bounded.

use bytes::Bytes;
use sqlx::{Row as _, SqliteConnection};

use super::{Store, With, hold};
use crate::approvals::{Edit, Event, Hold, Phase, Step, advance};
use crate::base::HoldId;
use crate::standalone::holds::StoreFailure;
use crate::wire::Format;

/// Largest edited query: what a person has looked through, with the whole context of a long conversation around it.
pub const EDITED_BYTES_MAX: usize = 2 << 20;
/// Most bytes of all edited queries: thirty of the largest, and less than the record grows in a day.
const EDITED_BYTES_ALL_MAX: i64 = 64 << 20;

/// What an approver made of a query.
#[derive(Debug, Clone)]
pub struct EditedText {
    /// The bytes that a release forwards.
    pub body: Bytes,
    /// What they are read as.
    pub format: Format,
}

impl Store {
    /// Enters an edit with its bytes.
    pub(in crate::standalone) async fn edit(
        &self,
        id: HoldId,
        edit: Edit,
        text: &EditedText,
    ) -> Result<Step, StoreFailure> {
        self.change(id, Event::Edited(Box::new(edit)), With::Edited(text)).await
    }

    /// What an approver made of a query; `None` when nobody edited it, or when it is over.
    pub async fn edited(&self, id: HoldId) -> Result<Option<EditedText>, StoreFailure> {
        let sql = "SELECT format, body FROM edited WHERE hold = ?";
        let mut connection = self.connection.lock().await;
        let row = sqlx::query(sql).bind(id.to_string()).fetch_optional(&mut *connection).await?;
        let Some(row) = row else { return Ok(None) };
        let (format, body): (String, Vec<u8>) = (row.try_get("format")?, row.try_get("body")?);
        let damaged = |source| StoreFailure::Damaged { id: id.to_string(), source };
        let format = serde_json::from_value(serde_json::Value::String(format)).map_err(damaged)?;
        Ok(Some(EditedText { body: Bytes::from(body), format }))
    }

    /// Forgets what can no longer be released.
    pub(in crate::standalone) async fn forget_edited(&self) -> Result<(), StoreFailure> {
        let sql = "SELECT edited.hold, hold.id, hold.body FROM edited LEFT JOIN hold ON hold.id = edited.hold
                   WHERE hold.id IS NULL OR hold.ended_at IS NOT NULL";
        let now = self.clock.now();
        let mut connection = self.connection.lock().await;
        for row in sqlx::query(sql).fetch_all(&mut *connection).await? {
            let gone = row.try_get::<Option<String>, _>("id")?.is_none();
            // A damaged row releases nothing.
            if gone || hold(&row).map_or(true, |hold| !claimable(&hold, now)) {
                forget(&mut connection, &row.try_get::<String, _>("hold")?).await?;
            }
        }
        Ok(())
    }
}

fn claimable(hold: &Hold, now: jiff::Timestamp) -> bool {
    let claim = Event::Claimed { by: String::new(), join: hold.ask().join, digest: hold.ask().digest };
    advance(hold, claim, now).is_ok()
}

pub(super) async fn keep(connection: &mut SqliteConnection, id: HoldId, text: &EditedText) -> Result<(), StoreFailure> {
    let size = i64::try_from(text.body.len()).unwrap_or(i64::MAX);
    let sql = "SELECT COALESCE(SUM(LENGTH(body)), 0) AS bytes FROM edited WHERE hold <> ?";
    let others: i64 = sqlx::query(sql).bind(id.to_string()).fetch_one(&mut *connection).await?.try_get("bytes")?;
    if text.body.len() > EDITED_BYTES_MAX || others.saturating_add(size) > EDITED_BYTES_ALL_MAX {
        return Err(StoreFailure::EditTooLarge);
    }
    let damaged = |source| StoreFailure::Damaged { id: id.to_string(), source };
    let format = serde_json::to_value(text.format).map_err(damaged)?;
    let sql = "INSERT OR REPLACE INTO edited (hold, format, body) VALUES (?, ?, ?)";
    sqlx::query(sql)
        .bind(id.to_string())
        .bind(format.as_str().unwrap_or_default())
        .bind(text.body.as_ref())
        .execute(connection)
        .await?;
    Ok(())
}

/// What is over is forgotten at once where that is known.
pub(super) async fn forget_with(connection: &mut SqliteConnection, hold: &Hold) -> Result<(), StoreFailure> {
    let over = match hold.phase() {
        Phase::Pending => false,
        Phase::Approved => hold.delivered_at().is_some(),
        Phase::Denied | Phase::Expired | Phase::Cancelled => true,
    };
    if over && !hold.edits().is_empty() { forget(connection, &hold.id().to_string()).await } else { Ok(()) }
}

async fn forget(connection: &mut SqliteConnection, id: &str) -> Result<(), StoreFailure> {
    sqlx::query("DELETE FROM edited WHERE hold = ?").bind(id).execute(connection).await?;
    Ok(())
}
