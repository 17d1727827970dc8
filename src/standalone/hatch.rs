//! The hatch: a Unix socket in the data folder through which the running gate shows people what it keeps in memory only.
//!
//! # Flow
//! `serve` answers one question per connection; [`text`], [`try_edit`] and [`edit`] ask it, for the command line. A question
//! and its answer are each a line of JSON, with as many bytes behind it as the line says.
//!
//! # Guarantees
//! * Only the user who runs the gate can open the socket; the file is never there with other permissions.
//! * Whoever is slow, says too much or leaves costs the gate a bounded amount; queries are never kept waiting.
//! * What is shown is not written anywhere; what an approver made of a query is, with its hold, until that is over.
//!
//! # Limits
//! `CONNECTIONS_MAX`, `LINE_BYTES_MAX`, `PATIENCE`.
//!
//! # Errors
//! [`HatchFailure`], for people.
//!
//! Knows nothing of terminals and HTTP.

mod ask;
mod serve;
mod words;

use std::path::{Path, PathBuf};

pub use ask::{HatchFailure, edit, text, try_edit};
pub(super) use serve::Hatch;
pub use words::EditWords;

/// The socket's name within the data folder.
const SOCKET: &str = "gate.sock";

fn socket(folder: &Path) -> PathBuf {
    folder.join(SOCKET)
}

#[cfg(test)]
mod tests;
