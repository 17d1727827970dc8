//! Opening the database file: where it is, who may read it, how SQLite is to treat it.
//!
//! Guarantees that only its owner can read or write what it holds, from the moment it exists.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqliteConnection};

use super::{StoreFailure, schema};

/// The file's name within the data folder.
const FILE: &str = "approvals.db";
/// What SQLite calls the log beside it.
const LOG: &str = "approvals.db-wal";
/// How long one program waits for another's transaction: each takes milliseconds, a slow disk a second.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Whether a database may be made where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Make the folder and the database: the gate.
    Create,
    /// Say so: everybody who only looks and decides.
    Refuse,
}

/// The files that every change is written to.
pub(super) fn files(folder: &Path) -> [PathBuf; 2] {
    [folder.join(FILE), folder.join(LOG)]
}

/// Opens `folder/approvals.db`.
pub(super) async fn open(folder: &Path, missing: Missing) -> Result<SqliteConnection, StoreFailure> {
    let path = folder.join(FILE);
    match missing {
        Missing::Create => {
            let failed = |path: &Path| {
                let path = path.to_owned();
                move |source| StoreFailure::File { path, source }
            };
            make_folder(folder).map_err(failed(folder))?;
            make_file(&path).map_err(failed(&path))?;
        }
        Missing::Refuse => exists(&path)?,
    }
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_WAIT)
        // What an approver made of a query is in there until its hold has ended, and not longer.
        .pragma("secure_delete", "ON")
        .disable_statement_logging();
    let mut connection = options.connect().await?;
    schema::migrate(&mut connection).await?;
    Ok(connection)
}

fn exists(path: &PathBuf) -> Result<(), StoreFailure> {
    match fs::metadata(path) {
        Ok(_) => Ok(()),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Err(StoreFailure::Missing(path.clone())),
        Err(source) => Err(StoreFailure::File { path: path.clone(), source }),
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// SQLite gives its side files the permissions of the database file.
fn make_file(path: &Path) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))
}
