//! The gate without a cluster: a folder of policies instead of Kubernetes, SQLite instead of objects.

pub mod alerts;
mod callbacks;
pub mod hatch;
mod holds;
mod policies;
mod probe;
mod pulse;
mod serve;
mod watch;

pub use callbacks::CallbackSettings;
pub use holds::{
    EDITED_BYTES_MAX, EditedText, FINISHED_MAX, HOLD_BYTES_MAX, HoldLimits, KEPT_FOR, LOOK_EVERY, Listed, Looking,
    Missing, PENDING_MAX, PENDING_PER_REQUESTER_MAX, REMEMBERED_MAX, REMEMBERED_PER_REQUESTER_MAX, STANDING_KEPT_MAX,
    SqliteHolds, Store, StoreFailure, approval_grant, approval_request,
};
pub use policies::{FOLDER_FILES_MAX, LoadFailure, Loaded, PolicyFile, PolicyFolder, documents, gather};
pub use probe::probe;
pub use serve::{ServeFailure, Standalone, serve};
pub use watch::{Change, Watcher};
