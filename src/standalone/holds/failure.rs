//! Why the store cannot do what was asked: words for people, never a query's text.

use std::path::PathBuf;

use crate::approvals::{NotRevoked, Refused};
use crate::base::HoldId;

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreFailure {
    /// There is no database where one was expected.
    #[error("there is no approvals database at `{}`", .0.display())]
    Missing(PathBuf),
    /// The folder or file cannot be made or read.
    #[error("cannot use `{}`", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file was written by a later version of this program.
    #[error("the approvals database has schema {found}, this program knows {known}: use the newer program")]
    Newer {
        /// Its version.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// SQLite failed.
    #[error("the approvals database does not answer")]
    Database(#[from] sqlx::Error),
    /// A row cannot be read as a hold.
    #[error("hold `{id}` cannot be read from the database")]
    Damaged {
        /// Which row.
        id: String,
        /// Why.
        source: serde_json::Error,
    },
    /// No hold with this id, or none that starts so.
    #[error("there is no hold `{0}`")]
    Unknown(String),
    /// The start of an id that fits several holds.
    #[error("`{prefix}` fits several holds: {}", ids.join(", "))]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// Some of the holds it fits.
        ids: Vec<String>,
    },
    /// Something else changed the hold at the same time, again and again.
    #[error("hold `{0}` is being changed by others; try again")]
    Contended(HoldId),
    /// Too many holds wait, or this one is too large.
    #[error("too many queries are waiting for approval")]
    Overloaded,
    /// An edited query larger than what is kept, or too many of them.
    #[error("the edited query is too large to keep, or too many edited queries wait")]
    EditTooLarge,
    /// No grant or mute with this id, or none that starts so.
    #[error("there is no standing decision `{0}`")]
    NotStanding(String),
    /// It cannot be taken back.
    #[error(transparent)]
    NotRevoked(#[from] NotRevoked),
    /// The state machine says no.
    #[error(transparent)]
    Refused(#[from] Refused),
}
