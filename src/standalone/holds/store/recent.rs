//! What somebody who watches asks of the store: whether anything was written, and what is of interest then.

use jiff::Timestamp;

use super::{Store, sorted_out};
use crate::approvals::Hold;
use crate::standalone::holds::StoreFailure;

impl Store {
    /// A number that changes when another program wrote to the database.
    pub async fn changes(&self) -> Result<i64, StoreFailure> {
        self.foreign_changes().await
    }

    /// The holds that wait, and those that have ended since then, oldest first; and why others cannot be read.
    pub async fn recent(&self, ended_since: Timestamp) -> Result<(Vec<Hold>, Vec<StoreFailure>), StoreFailure> {
        let sql = "SELECT id, body FROM hold WHERE phase = 'Pending' OR ended_at >= ? ORDER BY opened_at, id";
        let mut connection = self.connection.lock().await;
        let rows = sqlx::query(sql).bind(ended_since.as_millisecond()).fetch_all(&mut *connection).await?;
        Ok(sorted_out(&rows))
    }
}
