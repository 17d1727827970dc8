//! What people said, on its way into the audit trail: entered with the hold it changed, copied by the scribe.
//!
//! Guarantees that entries are read in the order in which they were made.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::{BATCH_MAX, Store};
use crate::approvals::{Ballot, Edit, Person};
use crate::audit;
use crate::base::{Digest, HoldId};
use crate::standalone::holds::StoreFailure;

/// A decision that is not in the audit trail yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::standalone::holds) struct Unrecorded {
    pub(in crate::standalone::holds) number: i64,
    pub(in crate::standalone::holds) event: audit::Event,
}

/// A person's word as it is entered for the audit trail.
pub(super) struct Entry<'a> {
    word: &'static str,
    by: &'a Person,
    reason: &'a str,
    view: Option<Digest>,
    /// The form before and after an edit.
    forms: Option<(Digest, Digest)>,
}

impl<'a> Entry<'a> {
    pub(super) fn of(ballot: &'a Ballot) -> Self {
        let Ballot { by, decision, reason, view } = ballot;
        Self { word: decision.name(), by, reason, view: *view, forms: None }
    }

    pub(super) fn of_edit(edit: &'a Edit) -> Self {
        let Edit { by, reason, view, from, form } = edit;
        Self { word: "approve", by, reason, view: *view, forms: Some((*from, form.digest)) }
    }
}

pub(super) async fn enter(
    connection: &mut SqliteConnection,
    id: HoldId,
    entry: &Entry<'_>,
    now: Timestamp,
) -> Result<(), StoreFailure> {
    let sql = "INSERT INTO decision
               (hold, decision, person, authenticated_by, reason, decided_at, view, original, edited)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    sqlx::query(sql)
        .bind(id.to_string())
        .bind(entry.word)
        .bind(&entry.by.name)
        .bind(&entry.by.authenticated_by)
        .bind(entry.reason)
        .bind(now.as_millisecond())
        .bind(entry.view.map(|view| view.to_string()))
        .bind(entry.forms.map(|(original, _)| original.to_string()))
        .bind(entry.forms.map(|(_, edited)| edited.to_string()))
        .execute(connection)
        .await?;
    Ok(())
}

impl Store {
    /// The oldest decisions that are not in the audit trail yet.
    pub(in crate::standalone::holds) async fn unrecorded(&self) -> Result<Vec<Unrecorded>, StoreFailure> {
        let sql =
            "SELECT number, hold, decision, person, authenticated_by, reason, view, original, edited FROM decision
                   WHERE recorded = 0 ORDER BY number LIMIT ?";
        let mut connection = self.connection.lock().await;
        let rows = sqlx::query(sql).bind(BATCH_MAX).fetch_all(&mut *connection).await?;
        rows.iter().map(unrecorded).collect()
    }

    /// Marks decisions up to and with `number` as recorded.
    pub(in crate::standalone::holds) async fn recorded(&self, number: i64) -> Result<(), StoreFailure> {
        let sql = "UPDATE decision SET recorded = 1 WHERE recorded = 0 AND number <= ?";
        let mut connection = self.connection.lock().await;
        sqlx::query(sql).bind(number).execute(&mut *connection).await?;
        Ok(())
    }
}

fn unrecorded(row: &SqliteRow) -> Result<Unrecorded, StoreFailure> {
    let hold: String = row.try_get("hold")?;
    let digest = |column| Ok::<_, StoreFailure>(row.try_get::<Option<String>, _>(column)?.and_then(|d| d.parse().ok()));
    let hold = hold.parse().map_err(|_| StoreFailure::Unknown(hold))?;
    let (by, authenticated_by) = (row.try_get("person")?, row.try_get("authenticated_by")?);
    let (reason, view) = (row.try_get("reason")?, digest("view")?);
    let event = match (digest("original")?, digest("edited")?) {
        (Some(original), Some(edited)) => {
            audit::Event::Edited { hold, original, edited, by, authenticated_by, reason, view }
        }
        _ => audit::Event::Decided { hold, decision: row.try_get("decision")?, by, authenticated_by, reason, view },
    };
    Ok(Unrecorded { number: row.try_get("number")?, event })
}
