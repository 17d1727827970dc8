//! What every room stands on: time, ids, digests, limits, text that must not be printed, and work done apart.
//!
//! Knows nothing of queries, policies or HTTP. Guarantees that no clock is read but through
//! [`Clock`], and that [`Content`] never shows what it holds.

mod apart;
mod clock;
mod content;
mod digest;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod id;
pub mod limits;

pub use apart::{apart, discard};
pub use clock::{Clock, ManualClock, SystemClock};
pub use content::Content;
pub use digest::{Digest, DigestParse, Hasher};
pub use id::{GrantId, HoldId, IdParse, QueryId};
