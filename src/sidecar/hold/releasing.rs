//! One answer at a time for one approval: whoever waits for the same hold on another connection is told to come again
//! until it is known whether the first answer was delivered.
//!
//! Guarantees that two connections never use one approval at once. Knows nothing of what becomes of an answer.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::HoldId;

/// The holds whose release is being answered; bounded by the queries in flight.
#[derive(Debug, Default)]
pub(in crate::sidecar) struct Releases(Mutex<HashSet<HoldId>>);

/// One of them; dropping it lets the next one try.
#[derive(Debug)]
pub(in crate::sidecar) struct Releasing {
    all: Arc<Releases>,
    hold: HoldId,
}

impl Releases {
    /// `None` while another connection uses this approval.
    pub(super) fn begin(self: &Arc<Self>, hold: HoldId) -> Option<Releasing> {
        self.lock().insert(hold).then(|| Releasing { all: Arc::clone(self), hold })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<HoldId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Releasing {
    pub(in crate::sidecar) const fn hold(&self) -> HoldId {
        self.hold
    }
}

impl Drop for Releasing {
    fn drop(&mut self) {
        self.all.lock().remove(&self.hold);
    }
}
