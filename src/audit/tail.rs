//! The end of a log file at start: which bytes are whole entries, and which are left over from a write that never ended.
//!
//! Bytes only. Guarantees that nothing but the last line, or a stretch with holes of zeros as file systems leave them
//! after a power loss, is ever taken for torn: any other break is a fault.

use super::FaultKind;
use super::chain::{self, BadLine, Head};

/// What the end of a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail {
    /// The last whole entry; `None` when there is none.
    pub(super) head: Option<Head>,
    /// How many bytes are whole entries; the rest is torn.
    pub(super) whole: usize,
}

/// Reads `window`, which begins where a line begins. `before` is the entry in front of it, where it is known.
pub(super) fn check(window: &[u8], before: Option<Head>) -> Result<Tail, FaultKind> {
    let mut tail = Tail { head: None, whole: 0 };
    while let Some(rest) = window.get(tail.whole..).filter(|rest| !rest.is_empty()) {
        let Some(end) = memchr::memchr(b'\n', rest) else { break };
        let (line, after) = rest.split_at(end);
        match chain::read(line) {
            Ok(link) => match tail.head.or(before) {
                Some(head) if !link.follows(head) => return Err(FaultKind::broken(head, link)),
                _ => tail = Tail { head: Some(link.head()), whole: tail.whole + end + 1 },
            },
            Err(_) if memchr::memchr(0, rest).is_some() => break,
            Err(BadLine::Shape) if after.len() == 1 => break,
            Err(BadLine::Shape) => return Err(FaultKind::NotAnEntry),
            Err(BadLine::Hash) => return Err(FaultKind::Changed),
        }
    }
    Ok(tail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Event;
    use jiff::Timestamp;

    fn entries(count: u64) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends, mut head, mut line) = (Vec::new(), vec![0], Head::START, Vec::new());
        for n in 0..count {
            line.clear();
            head = chain::write(head, Timestamp::UNIX_EPOCH, &Event::LogStarted { log: n.to_string() }, &mut line)
                .unwrap();
            bytes.extend_from_slice(&line);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn a_tail_torn_at_any_byte_leaves_every_whole_entry() {
        let (bytes, ends) = entries(3);
        for cut in 0..=bytes.len() {
            let whole = *ends.iter().rev().find(|end| **end <= cut).unwrap();
            let tail = check(&bytes[..cut], Some(Head::START)).unwrap();
            assert_eq!(tail.whole, whole, "cut at {cut}");
            assert_eq!(tail.head.map_or(0, |h| h.seq), ends.iter().position(|e| *e == whole).unwrap() as u64);
        }
    }

    #[test]
    fn holes_of_zeros_are_torn_and_other_breaks_are_faults() {
        let (bytes, ends) = entries(3);
        let mut holed = bytes.clone();
        holed[ends[1] + 5..ends[1] + 9].fill(0);
        assert_eq!(check(&holed, None).unwrap().whole, ends[1]);
        let mut changed = bytes.clone();
        changed[ends[1] + 20] ^= 1;
        assert_eq!(check(&changed, None), Err(FaultKind::Changed));
        let mut last = bytes.clone();
        last[ends[2] + 20] ^= 1;
        assert_eq!(check(&last, None), Err(FaultKind::Changed), "a whole line with another hash was edited, not torn");
        let missing = [&bytes[..ends[1]], &bytes[ends[2]..]].concat();
        assert!(matches!(check(&missing, None), Err(FaultKind::Broken { .. })));
    }
}
