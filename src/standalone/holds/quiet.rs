//! Whether the database can have changed since it was last looked at. Asked of the file system, because a look costs a
//! hundred times as much, and a gate that nobody asks anything should not use the processor.
//!
//! Every commit, of whatever process, writes to the log beside the database. Guarantees that silence is believed only once
//! the files have been the same for longer than the steps in which any file system counts time. Knows nothing of what is
//! in the files.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// How often in a row the files must be the same: two seconds of looks.
const SAME_STAMPS_MIN: u32 = 14;

/// What the file system says of one file: device, inode, bytes, and when it was written and changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp([u64; 3], [i64; 4]);

/// The first timer, as of the last look at files that had settled.
#[derive(Debug, Clone, Copy)]
enum Timer {
    Unknown,
    None,
    /// Due at this millisecond.
    At(i64),
}

/// How quiet it has been.
#[derive(Debug)]
pub(super) struct Quiet {
    files: [PathBuf; 2],
    stamps: [Option<Stamp>; 2],
    /// How often in a row the stamps were the same.
    same: u32,
    timer: Timer,
}

impl Quiet {
    /// Nothing is known of these files yet.
    pub(super) const fn over(files: [PathBuf; 2]) -> Self {
        Self { files, stamps: [None; 2], same: 0, timer: Timer::Unknown }
    }

    /// Asks the file system. To be called before the database is looked at: what is written after that shows next time.
    pub(super) fn ask(&mut self) {
        let stamps = self.files.each_ref().map(|file| stamp(file));
        let same = stamps == self.stamps && stamps.iter().all(Option::is_some);
        self.same = if same { self.same.saturating_add(1) } else { 0 };
        self.stamps = stamps;
        if !same {
            self.timer = Timer::Unknown;
        }
    }

    /// Whether the files have been the same for so long that nothing can have been missed.
    pub(super) const fn has_settled(&self) -> bool {
        self.same >= SAME_STAMPS_MIN
    }

    /// Notes when the first timer is due, in milliseconds. Only what was asked after the files had settled counts.
    pub(super) fn until(&mut self, timer: Option<i64>) {
        if self.has_settled() {
            self.timer = timer.map_or(Timer::None, Timer::At);
        }
    }

    /// Whether a look would find nothing.
    pub(super) fn lasts(&self, now: Timestamp) -> bool {
        self.has_settled()
            && match self.timer {
                Timer::Unknown => false,
                Timer::None => true,
                Timer::At(due) => due > now.as_millisecond(),
            }
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(file).ok()?;
    let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()];
    Some(Stamp([found.dev(), found.ino(), found.size()], times))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(quiet: &mut Quiet) -> bool {
        (0..=SAME_STAMPS_MIN).for_each(|_| quiet.ask());
        quiet.has_settled()
    }

    #[test]
    fn silence_is_believed_until_a_file_changes_or_a_timer_is_due() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["a", "b"].map(|name| folder.path().join(name));
        std::fs::write(&files[0], "one").unwrap();
        let mut quiet = Quiet::over(files.clone());
        assert!(!settled(&mut quiet), "a file that is missing says nothing");
        std::fs::write(&files[1], "two").unwrap();
        let now = Timestamp::UNIX_EPOCH;
        quiet.ask();
        quiet.until(None);
        assert!(!quiet.lasts(now), "it has only just begun");
        assert!(settled(&mut quiet) && !quiet.lasts(now), "the timers are not known");
        quiet.until(Some(1));
        assert!(quiet.lasts(now) && !quiet.lasts(Timestamp::from_millisecond(1).unwrap()));
        quiet.until(None);
        quiet.ask();
        assert!(quiet.lasts(Timestamp::MAX));
        std::fs::write(&files[1], "three").unwrap();
        quiet.ask();
        assert!(!quiet.lasts(now) && !quiet.has_settled());
    }
}
