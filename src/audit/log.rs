//! The log as the gate holds it: opened, repaired where its end is torn, locked against other gates, appended to.
//!
//! Must not know what entries mean. Guarantees that opening never loses a byte and never mends anything but a torn end.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use jiff::Timestamp;

use super::chain::Head;
use super::sync::{Durability, Syncer};
use super::tail::{self, Tail};
use super::verify::ENTRY_BYTES_MAX;
use super::writer::{AppendFailure, Writer};
use super::{Event, FaultKind, files};
use crate::base::Clock;

/// How much of the end is checked at start: thousands of entries, a few milliseconds. `verify` checks all of it.
const TAIL_BYTES_CHECKED: u64 = 1 << 20;
/// A file is followed by the next one at this size: tools still open it, and a year of them still fits a listing.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// How a log is kept.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// When an append returns.
    pub durability: Durability,
    /// A file of this size is followed by the next one.
    pub file_bytes_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { durability: Durability::default(), file_bytes_max: FILE_BYTES_MAX }
    }
}

/// What was found on opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Entries in the log, those that opening wrote included.
    pub entries: u64,
    /// Bytes of an unfinished entry that were moved aside; 0 when the end was whole.
    pub repaired_bytes: u64,
    /// Where they were moved to.
    pub kept_in: Option<PathBuf>,
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenFailure {
    /// The file system says no.
    #[error("cannot open the audit log in `{}`", .path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process writes this log.
    #[error("the audit log in `{}` is being written by another gate; give each gate its own data folder", .path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The end of the log is not what was written. Nothing was changed.
    #[error(
        "the audit log `{}` was damaged or edited; run `countersign audit verify`, then move the audit files away to begin a new log",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: FaultKind,
    },
    /// The first entries could not be written.
    #[error("cannot write to the audit log in `{}`", .path.display())]
    Append {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: AppendFailure,
    },
}

/// The audit log of one gate.
pub struct Log {
    writer: Arc<Mutex<Writer>>,
    syncer: Arc<Syncer>,
    thread: Option<JoinHandle<()>>,
    clock: Arc<dyn Clock>,
    durability: Durability,
    /// Held as long as the log is.
    _lock: File,
}

impl Log {
    /// Opens the log in the folder `dir` with the default options, making it where there is none.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<(Self, Opened), OpenFailure> {
        Self::open_with(dir, clock, Options::default())
    }

    /// Opens the log in the folder `dir`, making it where there is none.
    pub fn open_with(dir: &Path, clock: Arc<dyn Clock>, options: Options) -> Result<(Self, Opened), OpenFailure> {
        let failure = |source| OpenFailure::Io { path: dir.to_owned(), source };
        files::make_dir(dir).map_err(failure)?;
        let lock = lock(dir)?;
        let end = find_end(dir)?;
        let file = files::append(&files::path(dir, end.number)).map_err(failure)?;
        let kept_in = set_torn_aside(dir, &end, clock.now()).map_err(failure)?;
        files::sync_dir(dir).map_err(failure)?;
        let writer =
            Writer::new(dir.to_owned(), end.number, Arc::new(file), end.whole, end.head, options.file_bytes_max);
        let (writer, syncer) = (Arc::new(Mutex::new(writer)), Arc::new(Syncer::default()));
        let (written, running) = (Arc::clone(&writer), Arc::clone(&syncer));
        let thread = std::thread::Builder::new().name("audit-sync".to_owned());
        let thread = Some(thread.spawn(move || running.run(|| write_out(&written, &running))).map_err(failure)?);
        let log = Self { writer, syncer, thread, clock, durability: options.durability, _lock: lock };
        log.first_entries(&end, kept_in.as_deref())
            .map_err(|source| OpenFailure::Append { path: dir.to_owned(), source })?;
        let opened = Opened { entries: log.head().map_or(0, |head| head.seq), repaired_bytes: end.torn, kept_in };
        Ok((log, opened))
    }

    fn first_entries(&self, end: &End, kept_in: Option<&Path>) -> Result<(), AppendFailure> {
        if end.head == Head::START {
            let mut random = [0; 16];
            getrandom::fill(&mut random).map_err(|e| AppendFailure::Write(io::Error::other(e)))?;
            self.append(&Event::LogStarted { log: hex::encode(random) })?;
        }
        if let Some(name) = kept_in.and_then(Path::file_name) {
            let kept_in = name.to_string_lossy().into_owned();
            self.append(&Event::TailRepaired { bytes_cut: end.torn, kept_in })?;
        }
        Ok(())
    }

    /// Appends an entry. On failure the entry is not in the log, unless the failure is [`AppendFailure::Sync`]: then it
    /// is, but may not outlive the power; the next append tells.
    pub fn append(&self, event: &Event) -> Result<(), AppendFailure> {
        if self.syncer.failed() {
            return Err(AppendFailure::Sync);
        }
        let ticket = {
            let mut writer = locked(&self.writer);
            // INVARIANT: the time is read under the lock, so that entries stand in its order.
            writer.append(self.clock.now(), event)?;
            self.syncer.written(&writer.disk)
        };
        match self.durability {
            Durability::Buffered => Ok(()),
            Durability::Synced => self.syncer.wait(ticket),
        }
    }

    /// Appends an entry that nothing waits for. It reaches the kernel with the next entry, or within [`SYNC_EVERY`],
    /// whatever the durability: one write for two entries is half the cost of a query's record.
    pub fn append_soon(&self, event: &Event) -> Result<(), AppendFailure> {
        if self.syncer.failed() {
            return Err(AppendFailure::Sync);
        }
        let mut writer = locked(&self.writer);
        writer.append_soon(self.clock.now(), event)?;
        self.syncer.written(&writer.disk);
        Ok(())
    }

    /// The last entry that is written; `None` before the first.
    pub fn head(&self) -> Option<Head> {
        write_out(&self.writer, &self.syncer);
        let head = locked(&self.writer).head;
        (head != Head::START).then_some(head)
    }
}

fn locked(writer: &Mutex<Writer>) -> MutexGuard<'_, Writer> {
    writer.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes what was put by. A failure is told by the next append, which meets the same disk.
fn write_out(writer: &Mutex<Writer>, syncer: &Syncer) {
    let mut writer = locked(writer);
    if writer.has_put_by() && writer.write().is_ok() {
        syncer.written(&writer.disk);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.syncer.close();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to flush with; the entries are in the kernel all the same.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("durability", &self.durability).finish_non_exhaustive()
    }
}

const LOCK: &str = "audit.lock";

/// The lock lies beside the log, because the log's own file changes with its size.
fn lock(dir: &Path) -> Result<File, OpenFailure> {
    let path = dir.join(LOCK);
    let file = files::append(&path).map_err(|source| OpenFailure::Io { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenFailure::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenFailure::Io { path, source }),
    }
}

/// Whether a gate has the log in the folder `dir` open right now.
#[must_use]
pub fn in_use(dir: &Path) -> bool {
    File::open(dir.join(LOCK)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Where a log ends.
struct End {
    number: u32,
    head: Head,
    /// Bytes of whole entries in that file.
    whole: u64,
    /// Bytes behind them.
    torn: u64,
}

fn find_end(dir: &Path) -> Result<End, OpenFailure> {
    let numbers = files::numbers(dir).map_err(|source| OpenFailure::Io { path: dir.to_owned(), source })?;
    let mut end = End { number: numbers.last().copied().unwrap_or(0), head: Head::START, whole: 0, torn: 0 };
    for number in numbers.into_iter().rev() {
        let path = files::path(dir, number);
        let io = |source| OpenFailure::Io { path: path.clone(), source };
        let mut file = File::open(&path).map_err(io)?;
        let len = file.metadata().map_err(io)?.len();
        let before = (number == 0).then_some(Head::START);
        let (tail, whole) = last_entries(&mut file, len, before)
            .map_err(io)?
            .map_err(|source| OpenFailure::Damaged { path: path.clone(), source })?;
        // An older file was flushed before the next was begun: only the last one can be torn.
        if number != end.number && whole < len {
            return Err(OpenFailure::Damaged { path, source: FaultKind::Unfinished });
        }
        if number == end.number {
            (end.whole, end.torn) = (whole, len - whole);
        }
        if let Some(head) = tail.head {
            end.head = head;
            break;
        }
    }
    Ok(end)
}

/// Checks the end of a file, and more of it as long as no whole entry is in sight.
fn last_entries(file: &mut File, len: u64, before: Option<Head>) -> io::Result<Result<(Tail, u64), FaultKind>> {
    let mut checked = TAIL_BYTES_CHECKED;
    loop {
        let from = len.saturating_sub(checked);
        file.seek(SeekFrom::Start(from))?;
        let mut window = Vec::new();
        file.take(checked).read_to_end(&mut window)?;
        let skipped = if from == 0 { Some(0) } else { memchr::memchr(b'\n', &window).map(|at| at + 1) };
        let lines = skipped.and_then(|at| window.get(at..)).unwrap_or_default();
        let before = if from == 0 { before } else { None };
        match tail::check(lines, before) {
            // Two of the longest entries hold one whole one.
            Ok(Tail { head: None, .. }) if from > 0 && checked > 2 * ENTRY_BYTES_MAX => {
                return Ok(Err(FaultKind::NotAnEntry));
            }
            Ok(Tail { head: None, .. }) if from > 0 => checked *= 2,
            Ok(tail) => return Ok(Ok((tail, from + skipped.unwrap_or(0) as u64 + tail.whole as u64))),
            Err(fault) => return Ok(Err(fault)),
        }
    }
}

/// Copies the torn bytes beside the log, and only then cuts them off.
fn set_torn_aside(dir: &Path, end: &End, now: Timestamp) -> io::Result<Option<PathBuf>> {
    if end.torn == 0 {
        return Ok(None);
    }
    let path = files::path(dir, end.number);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let kept = dir.join(format!("{name}.torn-{}-{}", now.strftime("%Y%m%dT%H%M%SZ"), end.head.seq));
    let mut log = std::fs::OpenOptions::new().read(true).write(true).open(&path)?;
    log.seek(SeekFrom::Start(end.whole))?;
    let mut copy = files::append(&kept)?;
    io::copy(&mut log, &mut copy)?;
    copy.flush()?;
    copy.sync_all()?;
    files::sync_dir(dir)?;
    log.set_len(end.whole)?;
    log.sync_all()?;
    Ok(Some(kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{read, verify};
    use crate::base::ManualClock;

    fn clock() -> Arc<dyn Clock> {
        Arc::new(ManualClock::at("2026-11-23T06:00:00Z".parse().unwrap()))
    }

    fn open(dir: &Path) -> (Log, Opened) {
        Log::open(dir, clock()).unwrap()
    }

    fn event(policies: u32) -> Event {
        Event::RuleSetLoaded { revision: crate::base::Digest::of(b"r"), policies }
    }

    #[track_caller]
    fn check_intact(dir: &Path, entries: u64) {
        let report = verify(dir, None).unwrap();
        assert_eq!((report.fault, report.unfinished_bytes, report.entries), (None, 0, entries));
    }

    #[test]
    fn a_log_goes_on_where_it_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let (log, opened) = open(dir.path());
        assert_eq!(opened, Opened { entries: 1, repaired_bytes: 0, kept_in: None });
        log.append(&event(1)).unwrap();
        let head = log.head();
        drop(log);
        let (log, opened) = open(dir.path());
        assert_eq!((opened.entries, log.head()), (2, head));
        log.append(&event(2)).unwrap();
        check_intact(dir.path(), 3);
        assert!(verify(dir.path(), head).unwrap().fault.is_none());
    }

    #[test]
    fn two_gates_cannot_write_the_same_log() {
        let dir = tempfile::tempdir().unwrap();
        let (first, _) = open(dir.path());
        assert!(matches!(Log::open(dir.path(), clock()), Err(OpenFailure::InUse { .. })));
        assert!(in_use(dir.path()));
        drop(first);
        assert!(!in_use(dir.path()));
        open(dir.path());
    }

    #[test]
    fn a_tail_torn_anywhere_is_set_aside_and_every_earlier_entry_stays() {
        let whole = tempfile::tempdir().unwrap();
        let (log, _) = open(whole.path());
        (1..4).for_each(|n| log.append(&event(n)).unwrap());
        drop(log);
        let bytes = std::fs::read(files::path(whole.path(), 0)).unwrap();
        for cut in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(files::path(dir.path(), 0), &bytes[..cut]).unwrap();
            let (log, opened) = open(dir.path());
            let kept = memchr::memrchr(b'\n', &bytes[..cut]).map_or(0, |at| at + 1);
            assert_eq!(opened.repaired_bytes, (cut - kept) as u64);
            if let Some(aside) = opened.kept_in {
                assert_eq!(std::fs::read(aside).unwrap(), &bytes[kept..cut]);
            }
            log.append(&event(9)).unwrap();
            drop(log);
            let now = std::fs::read(files::path(dir.path(), 0)).unwrap();
            assert_eq!(&now[..kept], &bytes[..kept]);
            check_intact(dir.path(), opened.entries + 1);
        }
    }

    #[test]
    fn a_break_in_the_middle_is_not_repaired() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path());
        (1..4).for_each(|n| log.append(&event(n)).unwrap());
        drop(log);
        let path = files::path(dir.path(), 0);
        let text = std::fs::read_to_string(&path).unwrap();
        let bytes = text.replace("\"seq\":2", "\"seq\":7").into_bytes();
        std::fs::write(&path, &bytes).unwrap();
        let Err(OpenFailure::Damaged { source, .. }) = Log::open(dir.path(), clock()) else { panic!("opened") };
        assert_eq!(source, FaultKind::Changed);
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn an_entry_larger_than_the_part_that_is_checked_is_found_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path());
        log.append(&Event::LogStarted { log: "x".repeat(3 << 20) }).unwrap();
        drop(log);
        assert_eq!(open(dir.path()).1.entries, 2);
        check_intact(dir.path(), 2);
    }

    #[test]
    fn the_chain_goes_on_over_files_and_a_missing_file_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { file_bytes_max: 1000, durability: Durability::Synced };
        let (log, _) = Log::open_with(dir.path(), clock(), options).unwrap();
        (1..20).for_each(|n| log.append(&event(n)).unwrap());
        drop(log);
        assert!(files::numbers(dir.path()).unwrap().len() > 3);
        let (log, opened) = Log::open_with(dir.path(), clock(), options).unwrap();
        assert_eq!(opened.entries, 20);
        drop(log);
        check_intact(dir.path(), 20);
        let last: Vec<u64> = read::last(dir.path(), 9).unwrap().iter().map(|e| e.seq).collect();
        assert_eq!(last, (12..=20).collect::<Vec<_>>());
        std::fs::remove_file(files::path(dir.path(), 1)).unwrap();
        assert!(matches!(verify(dir.path(), None).unwrap().fault.unwrap().kind, FaultKind::Broken { .. }));
    }

    #[test]
    fn a_file_begun_but_empty_when_the_power_went_is_written_on() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path());
        drop(log);
        std::fs::write(files::path(dir.path(), 1), b"").unwrap();
        let (log, opened) = open(dir.path());
        assert_eq!(opened.entries, 1);
        log.append(&event(1)).unwrap();
        check_intact(dir.path(), 2);
    }

    #[test]
    fn a_reader_follows_what_is_written_and_waits_at_an_unfinished_line() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { file_bytes_max: 400, durability: Durability::Buffered };
        let (log, _) = Log::open_with(dir.path(), clock(), options).unwrap();
        let mut reader = read::Reader::from_last(dir.path(), 0).unwrap();
        assert!(reader.next_entry().unwrap().is_none());
        for n in 2..6 {
            log.append(&event(1)).unwrap();
            assert_eq!(reader.next_entry().unwrap().unwrap().seq, n);
            assert!(reader.next_entry().unwrap().is_none());
        }
    }

    #[test]
    fn entries_that_nothing_waits_for_are_written_before_the_next_one_and_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path());
        log.append_soon(&event(2)).unwrap();
        log.append(&event(3)).unwrap();
        check_intact(dir.path(), 3);
        log.append_soon(&event(4)).unwrap();
        drop(log);
        check_intact(dir.path(), 4);
    }

    #[test]
    fn entries_written_by_many_threads_form_one_chain() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..25).for_each(|n| log.append(&event(n)).and(log.append_soon(&event(n))).unwrap()));
            }
        });
        drop(log);
        check_intact(dir.path(), 201);
    }
}
