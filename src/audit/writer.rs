//! The end of the log that is being written: the current file, its length, and the head of the chain.
//!
//! Must not know locks or threads. Guarantees that a failed write leaves no half entry behind: what was written of it is
//! taken back before anything else is appended. Entries that nothing waits for are put by, and written in front of the
//! next one that is waited for, in one piece with it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::chain::{self, Head};
use super::{Event, files};

/// The buffer of entries is given back after a write larger than this.
const BUFFER_BYTES_KEPT: usize = 1 << 20;
/// So much may be put by: a hundred ends of answers, written in one piece.
const PUT_BY_BYTES_MAX: usize = 40 << 10;

/// Why an entry is not in the log.
#[derive(Debug, thiserror::Error)]
pub enum AppendFailure {
    /// The file could not be written; what was written of the entry has been taken back.
    #[error("the audit log cannot be written")]
    Write(#[source] io::Error),
    /// An earlier entry was written in part and cannot be taken back; nothing may follow it.
    #[error("the audit log ends in an unfinished entry that cannot be taken back")]
    Torn(#[source] io::Error),
    /// The entry cannot be written as JSON.
    #[error("the audit entry cannot be encoded")]
    Encode(#[source] serde_json::Error),
    /// The disk does not confirm what was written.
    #[error("the audit log cannot be flushed to the disk")]
    Sync,
}

/// What the log is written to; a disk that fails stands in for it in tests.
pub(super) trait Disk: Send + Sync {
    /// Appends all of `bytes` or fails, having appended some of them.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file to `len` bytes.
    fn cut(&self, len: u64) -> io::Result<()>;
    /// Returns when everything appended is on the disk.
    fn sync(&self) -> io::Result<()>;
}

impl Disk for File {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self;
        file.write_all(bytes)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Appends entries to the current file.
pub(super) struct Writer {
    pub(super) dir: PathBuf,
    /// The number of the current file.
    pub(super) number: u32,
    pub(super) disk: Arc<dyn Disk>,
    /// Bytes of whole entries in the current file.
    pub(super) len: u64,
    /// The last entry that is written.
    pub(super) head: Head,
    pub(super) file_bytes_max: u64,
    /// Entries that are not written yet, whole lines.
    put_by: Vec<u8>,
    /// The last entry of all, those put by included.
    last: Head,
    torn: bool,
}

impl Writer {
    pub(super) const fn new(
        dir: PathBuf,
        number: u32,
        disk: Arc<dyn Disk>,
        len: u64,
        head: Head,
        file_bytes_max: u64,
    ) -> Self {
        Self { dir, number, disk, len, head, file_bytes_max, put_by: Vec::new(), last: head, torn: false }
    }

    /// Writes an entry, and everything put by before it.
    pub(super) fn append(&mut self, now: Timestamp, event: &Event) -> Result<(), AppendFailure> {
        self.mend()?;
        let (bytes, last) = (self.put_by.len(), self.last);
        self.put_by(now, event)?;
        self.write().inspect_err(|_| {
            // What was put by before was promised, and is tried again; this entry was not.
            self.put_by.truncate(bytes);
            self.last = last;
        })
    }

    /// Puts an entry by, to be written with the next one or by [`Writer::write`], and at once when there is much.
    pub(super) fn append_soon(&mut self, now: Timestamp, event: &Event) -> Result<(), AppendFailure> {
        if self.put_by.len() >= PUT_BY_BYTES_MAX {
            return self.append(now, event);
        }
        self.put_by(now, event)
    }

    fn put_by(&mut self, now: Timestamp, event: &Event) -> Result<(), AppendFailure> {
        let bytes = self.put_by.len();
        let written = chain::write(self.last, now, event, &mut self.put_by);
        self.last = written.map_err(|error| {
            self.put_by.truncate(bytes);
            AppendFailure::Encode(error)
        })?;
        Ok(())
    }

    /// Whether anything is put by.
    pub(super) const fn has_put_by(&self) -> bool {
        !self.put_by.is_empty()
    }

    /// Writes what was put by.
    pub(super) fn write(&mut self) -> Result<(), AppendFailure> {
        self.mend()?;
        let bytes = self.put_by.len() as u64;
        if self.len > 0 && self.len.saturating_add(bytes) > self.file_bytes_max {
            self.rotate();
        }
        if let Err(failure) = self.disk.append(&self.put_by) {
            self.torn = true;
            self.mend()?;
            return Err(AppendFailure::Write(failure));
        }
        self.len += bytes;
        self.head = self.last;
        self.put_by.clear();
        if self.put_by.capacity() > BUFFER_BYTES_KEPT {
            self.put_by = Vec::new();
        }
        Ok(())
    }

    /// Takes back what a failed write left.
    fn mend(&mut self) -> Result<(), AppendFailure> {
        if self.torn {
            self.disk.cut(self.len).map_err(AppendFailure::Torn)?;
            self.torn = false;
        }
        Ok(())
    }

    /// Goes on in the next file. Where that fails, the current one grows on and the next entry tries again: a log over
    /// its size is better than an entry that is not written.
    fn rotate(&mut self) {
        let next = || -> io::Result<File> {
            self.disk.sync()?;
            let file = files::create_new(&files::path(&self.dir, self.number + 1))?;
            files::sync_dir(&self.dir)?;
            Ok(file)
        };
        if let Ok(file) = next() {
            (self.disk, self.number, self.len) = (Arc::new(file), self.number + 1, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// A disk with so many bytes, which can be told to refuse cuts.
    #[derive(Default)]
    struct Small {
        bytes: Mutex<Vec<u8>>,
        room: Mutex<usize>,
        refuse_cuts: Mutex<bool>,
    }

    impl Disk for Small {
        fn append(&self, bytes: &[u8]) -> io::Result<()> {
            let mut held = self.bytes.lock().unwrap();
            let fits = bytes.len().min(*self.room.lock().unwrap() - held.len());
            held.extend_from_slice(&bytes[..fits]);
            if fits == bytes.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
        }

        fn cut(&self, len: u64) -> io::Result<()> {
            if *self.refuse_cuts.lock().unwrap() {
                return Err(io::ErrorKind::ReadOnlyFilesystem.into());
            }
            self.bytes.lock().unwrap().truncate(usize::try_from(len).unwrap());
            Ok(())
        }

        fn sync(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn event() -> Event {
        Event::LogStarted { log: "0123456789abcdef".to_owned() }
    }

    fn whole(disk: &Small) -> u64 {
        let bytes = disk.bytes.lock().unwrap().clone();
        let report = super::super::verify_parts([("audit.jsonl".to_owned(), &bytes[..])], None).unwrap();
        assert_eq!((report.fault, report.unfinished_bytes), (None, 0));
        report.entries
    }

    #[test]
    fn a_full_disk_leaves_no_half_entry_and_the_log_goes_on_when_there_is_room() {
        let disk = Arc::new(Small::default());
        *disk.room.lock().unwrap() = 300;
        let mut writer = Writer::new(PathBuf::new(), 0, Arc::clone(&disk) as _, 0, Head::START, u64::MAX);
        writer.append(Timestamp::UNIX_EPOCH, &event()).unwrap();
        assert!(matches!(writer.append(Timestamp::UNIX_EPOCH, &event()), Err(AppendFailure::Write(_))));
        assert_eq!(whole(&disk), 1);
        *disk.room.lock().unwrap() = 10_000;
        writer.append(Timestamp::UNIX_EPOCH, &event()).unwrap();
        assert_eq!(whole(&disk), 2);
    }

    #[test]
    fn entries_put_by_are_written_in_front_of_the_next_and_survive_a_full_disk() {
        let disk = Arc::new(Small::default());
        let mut writer = Writer::new(PathBuf::new(), 0, Arc::clone(&disk) as _, 0, Head::START, u64::MAX);
        writer.append_soon(Timestamp::UNIX_EPOCH, &event()).unwrap();
        assert!(writer.has_put_by() && disk.bytes.lock().unwrap().is_empty());
        assert!(matches!(writer.append(Timestamp::UNIX_EPOCH, &event()), Err(AppendFailure::Write(_))));
        assert_eq!((writer.has_put_by(), writer.head), (true, Head::START));
        *disk.room.lock().unwrap() = 1 << 20;
        writer.append(Timestamp::UNIX_EPOCH, &event()).unwrap();
        assert_eq!((writer.has_put_by(), whole(&disk)), (false, 2));
        writer.append_soon(Timestamp::UNIX_EPOCH, &event()).unwrap();
        writer.write().unwrap();
        assert_eq!((writer.head.seq, whole(&disk)), (3, 3));
    }

    #[test]
    fn what_is_put_by_has_a_limit() {
        let disk = Arc::new(Small::default());
        let mut writer = Writer::new(PathBuf::new(), 0, Arc::clone(&disk) as _, 0, Head::START, u64::MAX);
        let refused = (0..PUT_BY_BYTES_MAX).find_map(|_| writer.append_soon(Timestamp::UNIX_EPOCH, &event()).err());
        assert!(matches!(refused, Some(AppendFailure::Write(_))));
        *disk.room.lock().unwrap() = 1 << 20;
        writer.append_soon(Timestamp::UNIX_EPOCH, &event()).unwrap();
        assert!(!writer.has_put_by());
        assert_eq!(whole(&disk), writer.head.seq);
    }

    #[test]
    fn nothing_is_appended_after_a_half_entry_that_cannot_be_taken_back() {
        let disk = Arc::new(Small::default());
        *disk.room.lock().unwrap() = 300;
        *disk.refuse_cuts.lock().unwrap() = true;
        let mut writer = Writer::new(PathBuf::new(), 0, Arc::clone(&disk) as _, 0, Head::START, u64::MAX);
        writer.append(Timestamp::UNIX_EPOCH, &event()).unwrap();
        assert!(matches!(writer.append(Timestamp::UNIX_EPOCH, &event()), Err(AppendFailure::Torn(_))));
        *disk.room.lock().unwrap() = 10_000;
        assert!(matches!(writer.append(Timestamp::UNIX_EPOCH, &event()), Err(AppendFailure::Torn(_))));
        *disk.refuse_cuts.lock().unwrap() = false;
        writer.append(Timestamp::UNIX_EPOCH, &event()).unwrap();
        assert_eq!(whole(&disk), 2);
    }
}
