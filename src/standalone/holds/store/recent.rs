//! What somebody who watches asks of the store: whether anything was written, what is of interest then, and when
//! it is time to look again.

use jiff::Timestamp;
use sqlx::Row as _;

use super::{Store, sorted_out};
use crate::approvals::Hold;
use crate::standalone::holds::StoreFailure;

impl Store {
    /// A number that changes when another program wrote to the database.
    pub async fn changes(&self) -> Result<i64, StoreFailure> {
        self.foreign_changes().await
    }

    /// When the first timer is due, in milliseconds.
    pub(in crate::standalone::holds) async fn first_timer(&self) -> Result<Option<i64>, StoreFailure> {
        let mut connection = self.connection.lock().await;
        let sql = "SELECT MIN(next_timer) FROM hold WHERE next_timer IS NOT NULL";
        Ok(sqlx::query(sql).fetch_one(&mut *connection).await?.try_get(0)?)
    }

    /// The holds that wait, and those that have ended since then, oldest first; and why others cannot be read.
    pub async fn recent(&self, ended_since: Timestamp) -> Result<(Vec<Hold>, Vec<StoreFailure>), StoreFailure> {
        let sql = "SELECT id, body FROM hold WHERE phase = 'Pending' OR ended_at >= ? ORDER BY opened_at, id";
        let mut connection = self.connection.lock().await;
        let rows = sqlx::query(sql).bind(ended_since.as_millisecond()).fetch_all(&mut *connection).await?;
        Ok(sorted_out(&rows))
    }
}
