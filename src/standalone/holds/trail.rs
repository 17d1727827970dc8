//! What people did to holds and is not in the audit trail yet: rows beside the holds, written in the same transactions.
//!
//! Must not know the trail. Guarantees that what a person did is never kept without the row that tells of it.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::StoreFailure;
use super::store::{BATCH_MAX, Store};
use crate::approvals::{Ballot, Edit, Hold, Person};
use crate::audit;
use crate::base::{Digest, HoldId};

/// What stands for the decision where somebody asked ahead of time; the reason is then the user it is for.
const REQUEST: &str = "request";

/// Something that a person did and that is not in the audit trail yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unrecorded {
    pub(super) number: i64,
    pub(super) event: audit::Event,
}

impl Store {
    /// The oldest decisions that are not in the audit trail yet.
    pub(super) async fn unrecorded(&self) -> Result<Vec<Unrecorded>, StoreFailure> {
        let sql =
            "SELECT number, hold, decision, person, authenticated_by, reason, view, original, edited, event FROM decision
                   WHERE recorded = 0 ORDER BY number LIMIT ?";
        let mut connection = self.connection().await;
        let rows = sqlx::query(sql).bind(BATCH_MAX).fetch_all(&mut *connection).await?;
        rows.iter().map(unrecorded).collect()
    }

    /// Marks decisions up to and with `number` as recorded.
    pub(super) async fn recorded(&self, number: i64) -> Result<(), StoreFailure> {
        let sql = "UPDATE decision SET recorded = 1 WHERE recorded = 0 AND number <= ?";
        let mut connection = self.connection().await;
        sqlx::query(sql).bind(number).execute(&mut *connection).await?;
        Ok(())
    }
}

fn unrecorded(row: &SqliteRow) -> Result<Unrecorded, StoreFailure> {
    let hold: String = row.try_get("hold")?;
    if let Some(written) = row.try_get::<Option<&str>, _>("event")? {
        let event = serde_json::from_str(written).map_err(|source| StoreFailure::Damaged { id: hold, source })?;
        return Ok(Unrecorded { number: row.try_get("number")?, event });
    }
    let digest = |column| Ok::<_, StoreFailure>(row.try_get::<Option<String>, _>(column)?.and_then(|d| d.parse().ok()));
    let hold = hold.parse().map_err(|_| StoreFailure::Unknown(hold))?;
    let (by, authenticated_by) = (row.try_get("person")?, row.try_get("authenticated_by")?);
    let decision: String = row.try_get("decision")?;
    let (reason, view) = (row.try_get("reason")?, digest("view")?);
    let event = match (digest("original")?, digest("edited")?) {
        (Some(original), Some(edited)) => {
            audit::Event::Edited { hold, original, edited, by, authenticated_by, reason, view }
        }
        _ if decision == REQUEST => audit::Event::AskedAhead { hold, user: reason, by, authenticated_by },
        _ => audit::Event::Decided { hold, decision, by, authenticated_by, reason, view },
    };
    Ok(Unrecorded { number: row.try_get("number")?, event })
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
        let Ballot { by, decision, reason, view, lasting: _ } = ballot;
        Self { word: decision.name(), by, reason, view: *view, forms: None }
    }

    pub(super) fn of_edit(edit: &'a Edit) -> Self {
        let Edit { by, reason, view, from, form } = edit;
        Self { word: "approve", by, reason, view: *view, forms: Some((*from, form.digest)) }
    }
}

/// Enters it.
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

/// Enters that somebody asked ahead of time, and for whom.
pub(super) async fn ahead(connection: &mut SqliteConnection, hold: &Hold) -> Result<(), StoreFailure> {
    let ask = hold.ask();
    let Some(ahead) = &ask.ahead else { return Ok(()) };
    let by = Person { name: ahead.by.clone(), groups: Vec::new(), authenticated_by: "nobody".to_owned() };
    let reason = ask.requester.user.as_deref().unwrap_or_default();
    let entry = Entry { word: REQUEST, by: &by, reason, view: None, forms: None };
    enter(connection, hold.id(), &entry, ask.opened_at).await
}
