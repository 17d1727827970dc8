//! What the verbs about held queries share: opening the gate's store, and saying what is wrong with words that help.

use std::sync::Arc;

use anyhow::anyhow;
use jiff::Timestamp;

use super::data_dir::DataDir;
use crate::approvals::{Event, Hold, Lines, Refused, advance, visible};
use crate::base::Clock;
use crate::standalone::{Missing, Store, StoreFailure};

/// The store, and a runtime to ask it in.
pub(super) struct Desk {
    runtime: tokio::runtime::Runtime,
    pub(super) store: Store,
    clock: Arc<dyn Clock>,
}

impl Desk {
    pub(super) fn open(data: &DataDir, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let folder = data.path()?;
        let opened = Store::open(&folder, Missing::Refuse, Arc::clone(&clock));
        let store = runtime.block_on(opened).map_err(explained)?;
        Ok(Self { runtime, store, clock })
    }

    pub(super) fn wait<T>(&self, work: impl Future<Output = Result<T, StoreFailure>>) -> Result<T, StoreFailure> {
        self.runtime.block_on(work)
    }

    /// Runs anything that waits.
    pub(super) fn within<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The hold as of now, whether or not a gate is there to fire its timers.
    pub(super) fn timed(&self, hold: Hold) -> Hold {
        advance(&hold, Event::Tick, self.now()).map(|step| step.hold).unwrap_or(hold)
    }
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
            | Refused::UsedUp { .. },
        )
        | StoreFailure::File { .. }
        | StoreFailure::Newer { .. }
        | StoreFailure::Database(_)
        | StoreFailure::Damaged { .. }
        | StoreFailure::Contended(_)
        | StoreFailure::Overloaded => None,
    }
}
