//! The gate without a cluster: a folder of policies instead of Kubernetes, SQLite instead of objects.

pub mod alerts;
mod policies;
mod watch;

pub use policies::{FOLDER_FILES_MAX, LoadFailure, Loaded, PolicyFile, PolicyFolder, documents, gather};
pub use watch::{Change, Watcher, watch};
