//! The webhook that an API server asks before it stores a policy, a chain or an exception.
//!
//! # Flow
//! `serve` takes connections, `review` judges one object, `registration` tells the API server whom to ask.
//!
//! # Guarantees
//! * Nobody waits for it who need not: it is asked for objects of ours only, briefly, and when it is away an object is stored
//!   and its status says what is wrong (failure policy `Ignore`).
//! * It refuses what `compile` refuses, with the fields, and nothing else.
//! * It changes nothing, also in what is only tried (`--dry-run=server`).

mod registration;
mod review;
mod serve;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

pub(super) use self::registration::{Reach, Registration};
pub(super) use self::review::ChainName;
pub(super) use self::serve::serve;

/// The chains that are there; nothing until all were read.
pub(super) type Chains = Arc<ArcSwapOption<BTreeSet<ChainName>>>;
