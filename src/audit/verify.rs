//! Walks a whole log and says whether it is what was written.
//!
//! Reads streams line by line; must not know what events mean. Guarantees that any single edit, removal, duplication or
//! reordering of bytes or entries is found; the end of the log is checked against a head that somebody kept.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use super::chain::{self, BadLine, Head, Link};
use super::{ReadFailure, files, read};

/// Longest entry: a body of 8 MiB kept in full, every byte of it escaped to six, and room for its findings.
pub(super) const ENTRY_BYTES_MAX: u64 = 64 << 20;

/// What is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// A line without the shape of an entry.
    #[error("this line is not an entry")]
    NotAnEntry,
    /// An entry's hash is that of other bytes.
    #[error("this entry was changed after it was written")]
    Changed,
    /// An entry does not follow the one before.
    #[error("entry {found} stands where entry {expected} belongs: entries were removed, added, moved or replaced")]
    Broken {
        /// Which number belongs here.
        expected: u64,
        /// Which number stands here.
        found: u64,
    },
    /// The first entry is not the beginning of a log.
    #[error("the log begins at entry {found}: what came before is missing")]
    NoStart {
        /// The first number.
        found: u64,
    },
    /// An unfinished entry in a file that another one follows.
    #[error("the file ends in an unfinished entry, and another file follows")]
    Unfinished,
    /// The remembered head's entry is not in the log.
    #[error("the log ends before entry {seq}, which the remembered head names: its end was cut off")]
    HeadMissing {
        /// The remembered number.
        seq: u64,
    },
    /// The remembered head's entry is another one.
    #[error("entry {seq} is not the one that the remembered head names: the log was rewritten")]
    HeadDiffers {
        /// The remembered number.
        seq: u64,
    },
}

impl FaultKind {
    pub(super) const fn broken(head: Head, link: Link) -> Self {
        Self::Broken { expected: head.seq.saturating_add(1), found: link.seq }
    }
}

/// The first thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file's name.
    pub file: String,
    /// The line in it, from 1.
    pub line: u64,
    /// What is wrong.
    pub kind: FaultKind,
}

/// What a walk over a log found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Whole entries up to the fault, or to the end.
    pub entries: u64,
    /// Files walked.
    pub files: u32,
    /// The random id that the first entry carries.
    pub log: Option<String>,
    /// The last whole entry: keep it elsewhere to prove later that the end was not cut off.
    pub head: Option<Head>,
    /// Bytes of an unfinished last line: being written right now, or torn and repaired at the gate's next start.
    pub unfinished_bytes: u64,
    /// The first fault; `None` when the log is what was written.
    pub fault: Option<Fault>,
}

/// Walks the log in the folder `dir`; `remembered` must be part of it.
pub fn verify(dir: &Path, remembered: Option<Head>) -> Result<Report, ReadFailure> {
    let failure = |source| ReadFailure::Io { path: dir.to_owned(), source };
    let found = files::list(dir).map_err(failure)?;
    if found.is_empty() {
        return Err(ReadFailure::NoLog { path: dir.to_owned() });
    }
    let open = found.iter().map(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        File::open(path).map(|file| (name, BufReader::with_capacity(1 << 18, file)))
    });
    let parts = open.collect::<io::Result<Vec<_>>>().map_err(failure)?;
    verify_parts(parts, remembered).map_err(failure)
}

/// Walks a log given as its files in order, each with a name to report it by.
pub fn verify_parts<R: BufRead>(
    parts: impl IntoIterator<Item = (String, R)>,
    remembered: Option<Head>,
) -> io::Result<Report> {
    let mut walk = Walk { remembered, report: Report::default(), line: Vec::new() };
    for (name, reader) in parts {
        walk.part(&name, reader)?;
        if walk.report.fault.is_some() {
            return Ok(walk.report);
        }
    }
    walk.end();
    Ok(walk.report)
}

struct Walk {
    remembered: Option<Head>,
    report: Report,
    line: Vec<u8>,
}

impl Walk {
    fn part(&mut self, name: &str, mut reader: impl BufRead) -> io::Result<()> {
        self.report.files += 1;
        for number in 1.. {
            self.line.clear();
            if reader.by_ref().take(ENTRY_BYTES_MAX).read_until(b'\n', &mut self.line)? == 0 {
                break;
            }
            if let Err(kind) = self.step() {
                self.report.fault = Some(Fault { file: name.to_owned(), line: number, kind });
                break;
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), FaultKind> {
        if self.report.unfinished_bytes > 0 {
            return Err(FaultKind::Unfinished);
        }
        let Some((b'\n', line)) = self.line.split_last() else {
            self.report.unfinished_bytes = self.line.len() as u64;
            return Ok(());
        };
        let link = chain::read(line).map_err(|bad| match bad {
            BadLine::Shape => FaultKind::NotAnEntry,
            BadLine::Hash => FaultKind::Changed,
        })?;
        // The seal does not need it to be JSON; whoever reads the log does.
        serde_json::from_slice::<read::Entry>(line).map_err(|_| FaultKind::NotAnEntry)?;
        match self.report.head {
            Some(head) if !link.follows(head) => return Err(FaultKind::broken(head, link)),
            None if !link.follows(Head::START) => return Err(FaultKind::NoStart { found: link.seq }),
            None => self.report.log = Some(read::log_id(line).ok_or(FaultKind::NoStart { found: link.seq })?),
            Some(_) => {}
        }
        if self.remembered.is_some_and(|kept| kept.seq == link.seq && kept.hash != link.hash) {
            return Err(FaultKind::HeadDiffers { seq: link.seq });
        }
        self.report.head = Some(link.head());
        self.report.entries += 1;
        Ok(())
    }

    fn end(&mut self) {
        let Some(kept) = self.remembered else { return };
        if self.report.head.is_none_or(|head| head.seq < kept.seq) {
            let kind = FaultKind::HeadMissing { seq: kept.seq };
            self.report.fault = Some(Fault { file: String::new(), line: 0, kind });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Event;
    use proptest::prelude::*;

    fn lines(count: usize) -> Vec<Vec<u8>> {
        let mut head = Head::START;
        let write = |n: usize| {
            let mut line = Vec::new();
            let event = Event::LogStarted { log: format!("log {n}") };
            head = chain::write(head, jiff::Timestamp::UNIX_EPOCH, &event, &mut line).unwrap();
            line
        };
        (0..count).map(write).collect()
    }

    fn walk(bytes: &[u8], remembered: Option<Head>) -> Report {
        verify_parts([("audit.jsonl".to_owned(), bytes)], remembered).unwrap()
    }

    fn intact(bytes: &[u8]) -> bool {
        let report = walk(bytes, None);
        report.fault.is_none() && report.unfinished_bytes == 0
    }

    #[test]
    fn what_was_written_is_intact_and_names_its_log_and_head() {
        let bytes = lines(3).concat();
        let report = walk(&bytes, None);
        assert_eq!((report.fault, report.entries, report.log.as_deref()), (None, 3, Some("log 0")));
        assert_eq!(walk(&bytes, report.head).fault, None);
    }

    #[test]
    fn a_cut_end_and_a_rewritten_log_are_found_by_a_remembered_head() {
        let lines = lines(3);
        let head = walk(&lines.concat(), None).head.unwrap();
        let fault = |bytes: &[u8], head| walk(bytes, Some(head)).fault.map(|f| f.kind);
        assert_eq!(fault(&lines[..2].concat(), head), Some(FaultKind::HeadMissing { seq: 3 }));
        assert_eq!(fault(b"", head), Some(FaultKind::HeadMissing { seq: 3 }));
        let other = Head { hash: crate::base::Digest::of(b"other"), ..head };
        assert_eq!(fault(&lines.concat(), other), Some(FaultKind::HeadDiffers { seq: 3 }));
    }

    #[test]
    fn a_sealed_line_that_is_no_json_is_not_an_entry() {
        let mut bytes = lines(2).concat();
        let head = walk(&bytes, None).head.unwrap();
        let covered = format!("{{\"seq\":3,\"time\":\"then\",\"prev\":\"{}\",\"event\":{{", head.hash);
        let hash = crate::base::Digest::of(covered.as_bytes());
        bytes.extend_from_slice(format!("{covered},\"hash\":\"{hash}\"}}\n").as_bytes());
        let fault = walk(&bytes, None).fault.map(|f| (f.line, f.kind));
        assert_eq!(fault, Some((3, FaultKind::NotAnEntry)));
    }

    #[test]
    fn only_the_last_file_may_end_unfinished() {
        let (lines, cut) = (lines(3), 50);
        let parts = |a: &[u8], b: &[u8]| {
            let parts = [("a".to_owned(), a.to_vec()), ("b".to_owned(), b.to_vec())];
            verify_parts(parts.iter().map(|(n, b)| (n.clone(), &b[..])), None).unwrap()
        };
        assert_eq!(parts(&lines[0], &lines[1]).fault, None);
        assert_eq!(parts(&lines[0], &lines[1][..cut]).unfinished_bytes, cut as u64);
        let torn = parts(&lines[0][..cut], &lines[1]);
        assert_eq!(torn.fault.map(|f| (f.file, f.kind)), Some(("b".to_owned(), FaultKind::Unfinished)));
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_found(count in 1_usize..6, at in any::<prop::sample::Index>(), with in any::<u8>()) {
            let mut bytes = lines(count).concat();
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != with);
            bytes[at] = with;
            prop_assert!(!intact(&bytes));
        }

        #[test]
        fn any_added_or_removed_byte_is_found(count in 1_usize..6, at in any::<prop::sample::Index>(), with in any::<u8>()) {
            let bytes = lines(count).concat();
            let at = at.index(bytes.len());
            let mut more = bytes.clone();
            more.insert(at, with);
            prop_assert!(!intact(&more));
            let mut fewer = bytes;
            fewer.remove(at);
            prop_assert!(!intact(&fewer));
        }

        #[test]
        fn any_removed_doubled_or_moved_entry_is_found(count in 2_usize..8, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
            let lines = lines(count);
            let (a, b) = (a.index(count), b.index(count));
            let mut doubled = lines.clone();
            doubled.insert(b, lines[a].clone());
            prop_assert!(!intact(&doubled.concat()));
            if a != b {
                let mut moved = lines.clone();
                moved.swap(a, b);
                prop_assert!(!intact(&moved.concat()));
            }
            let head = walk(&lines.concat(), None).head;
            let mut fewer = lines;
            fewer.remove(a);
            prop_assert!(walk(&fewer.concat(), head).fault.is_some());
        }
    }
}
