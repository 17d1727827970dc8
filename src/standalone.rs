//! The gate without a cluster.

mod holds;

pub use holds::{
    FINISHED_MAX, HOLD_BYTES_MAX, KEPT_FOR, LOOK_EVERY, Listed, Missing, PENDING_MAX, PENDING_PER_REQUESTER_MAX,
    SqliteHolds, Store, StoreFailure, approval_request,
};
