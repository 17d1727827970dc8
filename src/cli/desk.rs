//! What the verbs about held queries share: opening the gate's store, and saying what is wrong with words that help.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use jiff::Timestamp;

use super::data_dir::DataDir;
use crate::approvals::{Event, Hold, Lines, Refused, advance, visible};
use crate::base::{Clock, Digest};
use crate::sidecar::HeldText;
use crate::standalone::hatch::{self, EditWords, HatchFailure};
use crate::standalone::{EditedText, Missing, Store, StoreFailure};

/// The store, and a runtime to ask it in.
pub(super) struct Desk {
    runtime: tokio::runtime::Runtime,
    pub(super) store: Store,
    folder: PathBuf,
    clock: Arc<dyn Clock>,
}

impl Desk {
    pub(super) fn open(data: &DataDir, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let folder = data.path()?;
        let opened = Store::open(&folder, Missing::Refuse, Arc::clone(&clock));
        let store = runtime.block_on(opened).map_err(explained)?;
        Ok(Self { runtime, store, folder, clock })
    }

    pub(super) fn wait<T>(&self, work: impl Future<Output = Result<T, StoreFailure>>) -> Result<T, StoreFailure> {
        self.runtime.block_on(work)
    }

    /// Runs anything that waits.
    pub(super) fn within<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// All text of a held query: from the gate that holds it, or, once it was edited, from the store.
    pub(super) fn text(&self, hold: &Hold) -> anyhow::Result<HeldText> {
        if hold.edits().is_empty() {
            return self.within(hatch::text(&self.folder, hold)).map_err(|failure| unseen(&failure));
        }
        let kept = self.wait(self.store.edited(hold.id())).map_err(explained)?;
        let kept = kept.filter(|text| Digest::of(&text.body) == hold.ask().digest);
        let EditedText { body, format } = kept.ok_or_else(|| unseen(&HatchFailure::OtherBytes(hold.id())))?;
        Ok(HeldText { body, format })
    }

    /// What the gate says of an edit: the hold as it would be.
    pub(super) fn try_edit(&self, words: EditWords, body: &[u8]) -> Result<Hold, HatchFailure> {
        self.within(hatch::try_edit(&self.folder, words, body))
    }

    /// Has the gate enter an edit.
    pub(super) fn edit(&self, words: EditWords, body: &[u8]) -> Result<Hold, HatchFailure> {
        self.within(hatch::edit(&self.folder, words, body))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The hold as of now, whether or not a gate is there to fire its timers.
    pub(super) fn timed(&self, hold: Hold) -> Hold {
        advance(&hold, Event::Tick, self.now()).map(|step| step.hold).unwrap_or(hold)
    }
}

/// Why the full form is not there, with what to do about it.
pub(super) fn unseen(failure: &HatchFailure) -> anyhow::Error {
    let hint = match failure {
        HatchFailure::NoGate(_) => {
            "run this on the machine of the gate, as the user who runs it, with the gate's --data"
        }
        HatchFailure::Gone(_) => {
            "wait for the client to come back, or decide by the excerpt: `countersign approvals show ID`"
        }
        HatchFailure::OtherBytes(_) => "look again: `countersign approvals show ID --full`",
        HatchFailure::Refused(_) => return anyhow!("{}", visible(&failure.to_string(), Lines::Keep)),
        HatchFailure::Broken(_) => "try again; the gate's log may say more",
    };
    anyhow!("{failure}\n{hint}")
}

/// The failure with what to do about it; names in it may come from callers, so they are made visible.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(super) fn explained(failure: StoreFailure) -> anyhow::Error {
    let hint = hint(&failure);
    let words = visible(&failure.to_string(), Lines::Escape);
    let cause = std::error::Error::source(&failure).map(|cause| visible(&cause.to_string(), Lines::Escape));
    let words = cause.map_or_else(|| words.clone(), |cause| format!("{words}: {cause}"));
    hint.map_or_else(|| anyhow!("{words}"), |hint| anyhow!("{words}\n{hint}"))
}

fn hint(failure: &StoreFailure) -> Option<&'static str> {
    match failure {
        StoreFailure::Missing(_) => Some(
            "name the folder the gate was started with: --data DIR, or COUNTERSIGN_DATA in the environment; it appears \
             when a gate first runs",
        ),
        StoreFailure::Unknown(_) => Some("`countersign approvals list --all` shows every hold that is kept"),
        StoreFailure::NotStanding(_) => {
            Some("`countersign grants list` and `countersign mutes list` show those that are kept")
        }
        StoreFailure::Ambiguous { .. } => Some("give more of the id"),
        StoreFailure::Refused(Refused::NotAnApprover { .. }) => {
            Some("say who decides with --as NAME, and in which groups that person is with --group GROUP")
        }
        StoreFailure::Refused(Refused::NotShown { .. }) => Some(
            "look at all of it: `countersign approvals show ID --full`, then approve with --full; a chain with \
             `allowUnseen: true` takes approvals without",
        ),
        StoreFailure::Refused(Refused::CannotBeShown { .. }) => Some(
            "deny it, or take those parts out with `countersign approve ID --edit`; only a chain with `allowUnseen: true` \
             takes approvals of what nobody can be shown",
        ),
        StoreFailure::EditTooLarge => Some("an edited query may have 2 MB; deny it, and let the client ask anew"),
        StoreFailure::Refused(Refused::OtherForm(_)) => Some("look at what it is now, and edit that"),
        StoreFailure::Refused(Refused::NothingChanged(_)) => Some("approve it as it is, without --edit"),
        StoreFailure::Refused(Refused::TooManyEdits(_)) => Some("deny it, and let the client ask anew"),
        StoreFailure::Refused(Refused::NeverApprovable { .. }) => {
            Some("leave out what the further chain is asked for, or deny it")
        }
        StoreFailure::Refused(Refused::OtherView(_)) => {
            Some("it may have been edited since: look again with `countersign approvals show ID`")
        }
        StoreFailure::Refused(
            Refused::Finished { .. }
            | Refused::OwnQuery(_)
            | Refused::AlreadyDecided(_)
            | Refused::BadName
            | Refused::BadReason
            | Refused::NotApproved { .. }
            | Refused::OtherQuery(_)
            | Refused::CannotStand { .. }
            | Refused::UsedUp { .. },
        )
        | StoreFailure::File { .. }
        | StoreFailure::Newer { .. }
        | StoreFailure::Database(_)
        | StoreFailure::Damaged { .. }
        | StoreFailure::Contended(_)
        | StoreFailure::NotRevoked(_)
        | StoreFailure::Overloaded => None,
    }
}
