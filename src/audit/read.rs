//! Reading entries back: the last few, everything, or what comes next.
//!
//! Does not check hashes (`verify` does) and must not know how entries are shown. Guarantees bounded memory: one line, or
//! as many entries as were asked for.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::verify::ENTRY_BYTES_MAX;
use super::{Event, files};
use crate::base::Digest;

/// How much is read at once from the end of a file.
const BLOCK_BYTES: u64 = 64 << 10;

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFailure {
    /// There is none.
    #[error("there is no audit log in `{}`; a gate with this data folder writes one", .path.display())]
    NoLog {
        /// The folder.
        path: PathBuf,
    },
    /// The file system says no.
    #[error("cannot read the audit log in `{}`", .path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line is not an entry.
    #[error("`{}` holds a line that is not an audit entry; run `countersign audit verify`", .path.display())]
    NotAnEntry {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// One entry as it stands in the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1.
    pub seq: u64,
    /// When it was written.
    pub time: Timestamp,
    /// The hash of the entry before.
    pub prev: Digest,
    /// What happened, as written: a later version may know more kinds than this one.
    pub event: Box<RawValue>,
    /// The hash of this entry.
    pub hash: Digest,
}

impl Entry {
    /// What happened; `None` for a kind that this version does not know.
    #[must_use]
    pub fn event(&self) -> Option<Event> {
        serde_json::from_str(self.event.get()).ok()
    }
}

/// The random id in a line that is the first entry of a log.
pub(super) fn log_id(line: &[u8]) -> Option<String> {
    match serde_json::from_slice::<Entry>(line).ok()?.event()? {
        Event::LogStarted { log } => Some(log),
        _ => None,
    }
}

/// Reads a log from a place on, entry by entry; asked again at the end, it goes on with what was written since.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    number: u32,
    file: BufReader<File>,
    /// Where the next entry begins.
    offset: u64,
}

impl Reader {
    /// Begins with the first entry.
    pub fn from_start(dir: &Path) -> Result<Self, ReadFailure> {
        let failure = |source| ReadFailure::Io { path: dir.to_owned(), source };
        let numbers = files::numbers(dir).or_else(none_when_missing).map_err(failure)?;
        let number = *numbers.first().ok_or_else(|| ReadFailure::NoLog { path: dir.to_owned() })?;
        Self::at(dir, number, 0).map_err(failure)
    }

    /// Begins so that at most `count` entries are left.
    pub fn from_last(dir: &Path, count: usize) -> Result<Self, ReadFailure> {
        let failure = |source| ReadFailure::Io { path: dir.to_owned(), source };
        let numbers = files::numbers(dir).or_else(none_when_missing).map_err(failure)?;
        let (mut left, mut begin) = (count, None);
        for number in numbers.into_iter().rev() {
            let mut file = File::open(files::path(dir, number)).map_err(failure)?;
            let (offset, found) = start_of_last(&mut file, left).map_err(failure)?;
            begin = Some((number, offset));
            left -= found;
            if left == 0 {
                break;
            }
        }
        let (number, offset) = begin.ok_or_else(|| ReadFailure::NoLog { path: dir.to_owned() })?;
        Self::at(dir, number, offset).map_err(failure)
    }

    fn at(dir: &Path, number: u32, offset: u64) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(files::path(dir, number))?);
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self { dir: dir.to_owned(), number, file, offset })
    }

    /// The next entry; `None` at the end, for now. An unfinished last line is left for later.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ReadFailure> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let read =
                self.read_line(&mut line).map_err(|source| ReadFailure::Io { path: self.dir.clone(), source })?;
            if read == Line::Whole {
                let path = || files::path(&self.dir, self.number);
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|source| ReadFailure::NotAnEntry { path: path(), source });
            }
            let next = files::path(&self.dir, self.number + 1);
            if read == Line::Unfinished || !next.exists() {
                return Ok(None);
            }
            *self = Self::at(&self.dir, self.number + 1, 0)
                .map_err(|source| ReadFailure::Io { path: self.dir.clone(), source })?;
        }
    }

    fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<Line> {
        let read = self.file.by_ref().take(ENTRY_BYTES_MAX).read_until(b'\n', line)?;
        if line.last() == Some(&b'\n') {
            self.offset += read as u64;
            return Ok(Line::Whole);
        }
        self.file.seek(SeekFrom::Start(self.offset))?;
        Ok(if read == 0 { Line::End } else { Line::Unfinished })
    }
}

#[derive(PartialEq, Eq)]
enum Line {
    Whole,
    Unfinished,
    End,
}

/// The last `count` entries, oldest first.
pub fn last(dir: &Path, count: usize) -> Result<Vec<Entry>, ReadFailure> {
    let (mut reader, mut entries) = (Reader::from_last(dir, count)?, VecDeque::new());
    while let Some(entry) = reader.next_entry()? {
        if entries.len() == count {
            entries.pop_front();
        }
        entries.push_back(entry);
    }
    Ok(entries.into())
}

fn none_when_missing(error: io::Error) -> io::Result<Vec<u32>> {
    if error.kind() == io::ErrorKind::NotFound { Ok(Vec::new()) } else { Err(error) }
}

/// Where the last `count` lines begin, and how many there are.
fn start_of_last(file: &mut File, count: usize) -> io::Result<(u64, usize)> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let (mut ends_seen, mut block) = (0, Vec::new());
    while end > 0 {
        let from = end.saturating_sub(BLOCK_BYTES);
        file.seek(SeekFrom::Start(from))?;
        block.clear();
        file.take(end - from).read_to_end(&mut block)?;
        for at in memchr::memrchr_iter(b'\n', &block) {
            if ends_seen == count {
                return Ok((from + at as u64 + 1, count));
            }
            ends_seen += 1;
        }
        end = from;
    }
    Ok((0, ends_seen))
}
