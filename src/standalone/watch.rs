//! Picks up edits of a policy folder: all or nothing, and the last good policies stay in force.
//!
//! Polls by content, because mounted ConfigMaps are swapped by links and editors replace files. A change counts once two
//! readings in a row agree, so that a file that is being written is not taken for a shorter one: that could loosen a verdict.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::policies::{LoadFailure, Loaded, PolicyFolder, compile_files, digest};
use super::pulse::Pulse;
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

/// How often in a row the file system must say the same of the files until they are taken to be the same without being
/// read: two seconds, far more than the steps in which any file system counts time.
const SAME_STAMPS_MIN: u32 = 8;

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
    /// What the file system said of the files last, and how often in a row.
    stamp: (Option<Digest>, u32),
}

impl Watcher {
    /// How often to poll: an edit is in force after at most two readings, well within a second.
    pub const EVERY: Duration = Duration::from_millis(250);

    /// Loads the folder for the first time.
    pub fn start(folder: PolicyFolder, workload: Workload) -> Result<Self, LoadFailure> {
        let loaded = folder.load(&workload)?;
        let digest = loaded.digest;
        let current = Arc::new(ArcSwap::from_pointee(loaded));
        Ok(Self { folder, workload, current, settled: digest, before: digest, stamp: (None, 0) })
    }

    /// The policies in force, always the newest.
    #[must_use]
    pub fn current(&self) -> Arc<ArcSwap<Loaded>> {
        self.current.clone()
    }

    /// Reads the folder once; `None` when there is nothing new to say.
    pub fn poll(&mut self) -> Option<Change> {
        if self.untouched() {
            return None;
        }
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

impl Watcher {
    /// Whether the files are what they were when they were last read, as far as the file system can tell.
    fn untouched(&mut self) -> bool {
        let stamp = self.folder.stamp();
        let same = if stamp.is_some() && stamp == self.stamp.0 { self.stamp.1.saturating_add(1) } else { 0 };
        self.stamp = (stamp, same);
        same > SAME_STAMPS_MIN
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

/// Polls on a thread of its own, because reading files and compiling rules may take a while; `tell` hears of every change.
pub(super) fn watch(
    mut watcher: Watcher,
    every: Duration,
    mut tell: impl FnMut(Change) + Send + 'static,
) -> io::Result<Pulse> {
    Pulse::start("policies", every, move || {
        if let Some(change) = watcher.poll() {
            tell(change);
        }
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const GOOD: &str = "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {name: NAME}\nspec:\n  \
                        rules:\n  - name: r\n    match: {keywords: [salary]}\n    action: {type: Deny}\n";

    fn policy(name: &str) -> String {
        GOOD.replace("NAME", name)
    }

    fn write(folder: &Path, file: &str, text: &str) {
        std::fs::write(folder.join(file), text).unwrap();
    }

    fn start(folder: &Path) -> Watcher {
        let workload = Workload { namespace: "default".to_owned(), ..Workload::default() };
        Watcher::start(PolicyFolder::at(folder), workload).unwrap()
    }

    fn in_force(watcher: &Watcher) -> usize {
        watcher.current().load().compilation.policies
    }

    #[track_caller]
    fn kept(change: Option<Change>) -> LoadFailure {
        match change {
            Some(Change::Kept(failure)) => failure,
            other => panic!("expected a failure, found {other:?}"),
        }
    }

    #[test]
    fn an_edit_is_in_force_once_two_readings_agree() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.yaml", &policy("a"));
        let mut watcher = start(folder.path());
        assert!(watcher.poll().is_none());
        write(folder.path(), "b.yml", &policy("b"));
        assert!(watcher.poll().is_none(), "one reading may have met a half-written file");
        assert_eq!(in_force(&watcher), 1);
        assert!(matches!(watcher.poll(), Some(Change::Loaded(_))));
        assert_eq!(in_force(&watcher), 2);
        assert!(watcher.poll().is_none());
    }

    #[test]
    fn a_file_that_is_being_written_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.yaml", &policy("a"));
        let mut watcher = start(folder.path());
        write(folder.path(), "a.yaml", "");
        assert!(watcher.poll().is_none());
        write(folder.path(), "a.yaml", &policy("renamed"));
        assert!(watcher.poll().is_none());
        assert_eq!(in_force(&watcher), 1);
        assert!(matches!(watcher.poll(), Some(Change::Loaded(_))));
    }

    #[test]
    fn a_bad_edit_keeps_the_last_good_policies_and_is_said_once() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.yaml", &policy("a"));
        let mut watcher = start(folder.path());
        let before = watcher.current().load().digest;
        write(folder.path(), "b.yaml", "kind: [");
        watcher.poll();
        let failure = kept(watcher.poll());
        let LoadFailure::Refused { rendered } = &failure else { panic!("{failure}") };
        assert!(rendered[0].contains("b.yaml:1:7") && rendered[0].contains('^'), "{}", rendered[0]);
        assert!(watcher.poll().is_none() && watcher.poll().is_none(), "the same problem is said once");
        assert_eq!(watcher.current().load().digest, before);
        write(folder.path(), "b.yaml", "kind: {");
        watcher.poll();
        kept(watcher.poll());
        std::fs::remove_file(folder.path().join("b.yaml")).unwrap();
        watcher.poll();
        assert!(matches!(watcher.poll(), Some(Change::Loaded(_))), "taking the bad edit back is told");
    }

    #[test]
    fn files_that_rest_are_not_read_and_an_edit_is_seen_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.yaml", &policy("a"));
        let mut watcher = start(folder.path());
        let rested = (0..100).take_while(|_| !watcher.untouched()).count();
        assert!((8..100).contains(&rested), "{rested}");
        write(folder.path(), "a.yaml", &policy("b"));
        assert!(!watcher.untouched());
        watcher.poll();
        assert!(matches!(watcher.poll(), Some(Change::Loaded(_))));
    }

    #[test]
    fn a_deleted_folder_keeps_the_last_good_policies() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("policies");
        std::fs::create_dir(&inner).unwrap();
        write(&inner, "a.yaml", &policy("a"));
        let mut watcher = start(&inner);
        std::fs::remove_dir_all(&inner).unwrap();
        watcher.poll();
        assert!(matches!(kept(watcher.poll()), LoadFailure::Unreadable { .. }));
        assert!(watcher.poll().is_none());
        assert_eq!(in_force(&watcher), 1);
        std::fs::create_dir(&inner).unwrap();
        write(&inner, "a.yaml", &policy("b"));
        watcher.poll();
        assert!(matches!(watcher.poll(), Some(Change::Loaded(_))));
    }

    #[test]
    #[cfg(unix)]
    fn a_swapped_link_is_an_edit_as_config_maps_are_mounted() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        for (version, name) in [("..v1", "a"), ("..v2", "b")] {
            std::fs::create_dir(folder.path().join(version)).unwrap();
            write(&folder.path().join(version), "p.yaml", &policy(name));
        }
        let data = folder.path().join("..data");
        symlink("..v1", &data).unwrap();
        symlink("..data/p.yaml", folder.path().join("p.yaml")).unwrap();
        let mut watcher = start(folder.path());
        assert_eq!(in_force(&watcher), 1);
        let before = watcher.current().load().digest;
        std::fs::remove_file(&data).unwrap();
        symlink("..v2", &data).unwrap();
        watcher.poll();
        assert!(matches!(watcher.poll(), Some(Change::Loaded(_))));
        assert_ne!(watcher.current().load().digest, before);
    }

    #[test]
    fn watching_tells_of_changes() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.yaml", &policy("a"));
        let watcher = start(folder.path());
        let current = watcher.current();
        write(folder.path(), "b.yaml", &policy("b"));
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let watching = watch(watcher, Duration::from_millis(1), move |change| {
            tell.try_send(matches!(change, Change::Loaded(_))).unwrap();
        });
        assert_eq!(told.recv(), Ok(true));
        assert_eq!(current.load().compilation.policies, 2);
        drop(watching);
    }
}
