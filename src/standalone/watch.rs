//! Picks up edits of a policy folder: all or nothing, and the last good policies stay in force.
//!
//! Polls by content, because mounted ConfigMaps are swapped by links and editors replace files. A change counts once two
//! readings in a row agree, so that a file that is being written is not taken for a shorter one: that could loosen a verdict.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::policies::{LoadFailure, Loaded, PolicyFolder, compile_files, digest};
use crate::base::{Digest, Hasher};
use crate::rules::Workload;

/// What a reading of the folder brought.
#[derive(Debug)]
pub enum Change {
    /// New policies are in force.
    Loaded(Arc<Loaded>),
    /// The folder cannot be used as it is; the policies before it stay in force. Said once per distinct cause.
    Kept(LoadFailure),
}

/// Reads a folder again and again.
#[derive(Debug)]
pub struct Watcher {
    folder: PolicyFolder,
    workload: Workload,
    current: Arc<ArcSwap<Loaded>>,
    /// What was last acted upon.
    settled: Digest,
    /// What the reading before this one found.
    before: Digest,
}

impl Watcher {
    /// How often to poll: an edit is in force after at most two readings, well within a second.
    pub const EVERY: Duration = Duration::from_millis(250);

    /// Loads the folder for the first time.
    pub fn start(folder: PolicyFolder, workload: Workload) -> Result<Self, LoadFailure> {
        let loaded = folder.load(&workload)?;
        let digest = loaded.digest;
        let current = Arc::new(ArcSwap::from_pointee(loaded));
        Ok(Self { folder, workload, current, settled: digest, before: digest })
    }

    /// The policies in force, always the newest.
    #[must_use]
    pub fn current(&self) -> Arc<ArcSwap<Loaded>> {
        self.current.clone()
    }

    /// Reads the folder once; `None` when there is nothing new to say.
    pub fn poll(&mut self) -> Option<Change> {
        let read = self.folder.read();
        let seen = match &read {
            Ok(files) => digest(files),
            Err(failure) => cause(failure),
        };
        let stable = std::mem::replace(&mut self.before, seen) == seen;
        if !stable || seen == self.settled {
            return None;
        }
        self.settled = seen;
        let loaded = match read.and_then(|files| compile_files(&files, &self.workload)) {
            Ok(loaded) => Arc::new(loaded),
            Err(failure) => return Some(Change::Kept(failure)),
        };
        // A bad edit that was taken back needs no new rule set, but people want to hear that all is well.
        self.current.store(loaded.clone());
        Some(Change::Loaded(loaded))
    }
}

/// Tells failures apart as contents are told apart.
fn cause(failure: &LoadFailure) -> Digest {
    let mut hasher = Hasher::default();
    hasher.field(b"failure");
    hasher.field(failure.to_string().as_bytes());
    let source = std::error::Error::source(failure).map(ToString::to_string).unwrap_or_default();
    hasher.field(source.as_bytes());
    hasher.finish()
}

/// Polls at every tick until the ticker's owner drops this future; `tell` hears of every change.
pub async fn watch(mut watcher: Watcher, mut ticker: tokio::time::Interval, mut tell: impl FnMut(Change)) {
    ticker.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticker.tick().await;
        // Reading files and compiling rules may take a while: not on a thread that serves queries.
        let polled = tokio::task::spawn_blocking(move || {
            let change = watcher.poll();
            (watcher, change)
        });
        let Ok((back, change)) = polled.await else { return };
        watcher = back;
        if let Some(change) = change {
            tell(change);
        }
    }
}
