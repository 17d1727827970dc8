//! What the gate knows of held queries beyond their holds: their text, for whoever shows it to people.
//!
//! Must not know who may look. Guarantees that asking changes nothing of what is held.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::HoldId;
use crate::sidecar::accept::Shared;
use crate::wire::Format;

/// A way to ask a gate about the queries that it holds.
#[derive(Clone)]
pub struct HeldQueries {
    pub(super) shared: Arc<Shared>,
}

/// The text of a held query.
#[derive(Debug, Clone)]
pub struct HeldText {
    /// As it would be forwarded.
    pub body: Bytes,
    /// What it is read as.
    pub format: Format,
}

impl HeldQueries {
    pub(in crate::sidecar) fn of(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared) }
    }

    /// The text of a held query; `None` when its client is not here and there was no room to keep it.
    #[must_use]
    pub fn text(&self, id: HoldId) -> Option<HeldText> {
        self.shared.texts.get(id).map(|kept| HeldText { body: kept.body, format: kept.format })
    }

    /// The holds whose text is kept.
    #[must_use]
    pub fn kept(&self) -> Vec<HoldId> {
        self.shared.texts.ids()
    }

    /// The hold has ended: its text is not needed any more.
    pub fn forget(&self, id: HoldId) {
        self.shared.texts.forget(id);
    }
}
