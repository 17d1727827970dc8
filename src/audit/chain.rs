//! One line of the log: written with its seal, read back and checked. Bytes only.
//!
//! Must not know files, time or what an event means. Guarantees that a line that reads back is the very line that was
//! written: every byte is either covered by the hash or compared literally.

use std::fmt;
use std::io::Write as _;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

use super::{Event, encode};
use crate::base::Digest;

/// `,"hash":"sha256:` + 64 hex digits + `"}`: what stands behind the bytes that the hash covers.
const SEAL_BYTES: usize = SEAL_START.len() + 64 + SEAL_END.len();
const SEAL_START: &[u8] = b",\"hash\":\"sha256:";
const SEAL_END: &[u8] = b"\"}";

/// Times as entries have them: to the microsecond, always with six digits.
const TIMES: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// How far a log has come: the last entry's number and hash. Kept elsewhere, it proves later that nothing up to it was
/// cut off or rewritten. Written `SEQ:sha256:HEX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The entry's number, from 1.
    pub seq: u64,
    /// The entry's hash.
    pub hash: Digest,
}

impl Head {
    /// Before the first entry.
    pub(super) const START: Self = Self { seq: 0, hash: Digest::from_bytes([0; 32]) };
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// A text that is not a head.
#[derive(Debug, thiserror::Error)]
#[error("expected a head as `countersign audit verify` prints it: the number of an entry, `:` and its hash")]
pub struct HeadParse;

impl FromStr for Head {
    type Err = HeadParse;

    fn from_str(text: &str) -> Result<Self, HeadParse> {
        let (seq, hash) = text.split_once(':').ok_or(HeadParse)?;
        let seq = seq.parse().map_err(|_| HeadParse)?;
        let digest = if hash.starts_with("sha256:") { hash.parse() } else { format!("sha256:{hash}").parse() };
        Ok(Self { seq, hash: digest.map_err(|_| HeadParse)? })
    }
}

/// Writes the entry after `head` to the end of `line`, line feed included; answers with the new head.
pub(super) fn write(head: Head, now: Timestamp, event: &Event, line: &mut Vec<u8>) -> serde_json::Result<Head> {
    let io = serde_json::Error::io;
    let (seq, start) = (head.seq + 1, line.len());
    write!(line, "{{\"seq\":{seq},\"time\":\"").map_err(io)?;
    TIMES.print_timestamp(&now, &mut *line).map_err(|error| io(std::io::Error::other(error)))?;
    line.extend_from_slice(b"\",\"prev\":\"");
    head.hash.append_to(line);
    line.extend_from_slice(b"\",\"event\":");
    encode::event(event, line)?;
    let hash = Digest::of(line.get(start..).unwrap_or_default());
    line.extend_from_slice(b",\"hash\":\"");
    hash.append_to(line);
    line.extend_from_slice(b"\"}\n");
    Ok(Head { seq, hash })
}

/// What a line says of its place in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) seq: u64,
    pub(super) prev: Digest,
    pub(super) hash: Digest,
}

impl Link {
    /// Whether this is the entry right after `head`.
    pub(super) fn follows(&self, head: Head) -> bool {
        Some(self.seq) == head.seq.checked_add(1) && self.prev == head.hash
    }

    pub(super) const fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }
}

/// Why a line is not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadLine {
    /// It does not have the shape of one.
    Shape,
    /// It has, but its hash is that of other bytes.
    Hash,
}

/// Reads a line without its line feed and checks its hash.
pub(super) fn read(line: &[u8]) -> Result<Link, BadLine> {
    let (covered, seal) = line.split_at_checked(line.len().saturating_sub(SEAL_BYTES)).ok_or(BadLine::Shape)?;
    let written = seal.strip_prefix(SEAL_START).and_then(|s| s.strip_suffix(SEAL_END)).ok_or(BadLine::Shape)?;
    let (seq, prev) = envelope(covered).ok_or(BadLine::Shape)?;
    let hash = Digest::of(covered);
    // The digits are compared as text: a parsed digest would take `A` for `a`.
    if hex::encode(hash.as_bytes()).as_bytes() == written { Ok(Link { seq, prev, hash }) } else { Err(BadLine::Hash) }
}

fn envelope(covered: &[u8]) -> Option<(u64, Digest)> {
    let rest = covered.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().position(|b| !b.is_ascii_digit())?;
    let (seq, rest) = rest.split_at_checked(digits)?;
    let seq = std::str::from_utf8(seq).ok()?.parse().ok()?;
    let rest = rest.strip_prefix(b",\"time\":\"")?;
    let (_, rest) = rest.split_at_checked(rest.iter().position(|b| *b == b'"')?)?;
    let rest = rest.strip_prefix(b"\",\"prev\":\"")?;
    let (prev, rest) = rest.split_at_checked("sha256:".len() + 64)?;
    let prev = std::str::from_utf8(prev).ok()?.parse().ok()?;
    rest.starts_with(b"\",\"event\":{").then_some((seq, prev))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Vec<u8> {
        let mut line = Vec::new();
        write(Head::START, Timestamp::UNIX_EPOCH, &Event::LogStarted { log: "7".to_owned() }, &mut line).unwrap();
        line.pop();
        line
    }

    #[test]
    fn a_line_is_json_and_its_hash_covers_all_but_the_last_82_bytes() {
        let line = line();
        let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(json["seq"], 1);
        assert_eq!(json["time"], "1970-01-01T00:00:00.000000Z");
        assert_eq!(json["event"]["type"], "log-started");
        assert_eq!(json["hash"], Digest::of(&line[..line.len() - 82]).to_string());
        assert!(read(&line).unwrap().follows(Head::START));
    }

    #[test]
    fn every_changed_byte_of_a_line_is_found() {
        let line = line();
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut changed = line.clone();
                changed[at] ^= 1 << bit;
                assert!(read(&changed).is_err(), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn heads_parse_back_with_and_without_the_name_of_the_hash() {
        let head = read(&line()).unwrap().head();
        assert_eq!(head.to_string().parse::<Head>().unwrap(), head);
        assert_eq!(head.to_string().replace("sha256:", "").parse::<Head>().unwrap(), head);
        assert!("7".parse::<Head>().is_err());
        assert!("7:abc".parse::<Head>().is_err());
    }
}
