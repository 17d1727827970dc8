//! What the hatch asks of the holds: how one stands, what an edit would make of it, and to make it that.

use super::{EditedText, SqliteHolds, StoreFailure, UNSEEN};
use crate::approvals::{Edit, Event, Hold, Phase, Step, advance, edited};
use crate::base::HoldId;

impl SqliteHolds {
    /// The hold as an edit would leave it, before the editor's approval: what the editor is to be shown.
    pub async fn try_edit(&self, id: HoldId, edit: &Edit) -> Result<Hold, StoreFailure> {
        let hold = self.store.get(id).await?;
        let now = self.store.now();
        let timed = advance(&hold, Event::Tick, now)?.hold;
        Ok(edited(&timed, edit, now)?)
    }

    /// Enters an edit, with its bytes.
    pub async fn edit(&self, id: HoldId, edit: Edit, text: &EditedText) -> Result<Step, StoreFailure> {
        let step = self.store.edit(id, edit, text).await?;
        self.swap_seen(UNSEEN);
        self.waiters.wake(|waited| waited == id);
        Ok(step)
    }

    /// How far a hold has come; `None` when that cannot be found out now.
    pub async fn phase(&self, id: HoldId) -> Option<Phase> {
        match self.store.get(id).await {
            Ok(hold) => Some(hold.phase()),
            // Forgotten, and so long over.
            Err(StoreFailure::Unknown(_)) => Some(Phase::Cancelled),
            Err(_) => None,
        }
    }

    /// Forgets what approvers made of queries that can no longer be released.
    pub async fn forget_edited(&self) -> Result<(), StoreFailure> {
        self.store.forget_edited().await
    }
}
