//! Fuzz targets of this room: any bytes as a log, and any edit of a log. Each panics where it finds a fault.

use jiff::Timestamp;

use super::chain::{self, Head};
use super::{Event, Report, read, tail, verify_parts};
use crate::base::Digest;
use crate::base::fuzzing::Dice;

/// Bytes of a line from `,"hash":` on: what the documentation tells a stranger to leave out.
const SEAL_BYTES: usize = 82;

fn written(entries: u64) -> Vec<Vec<u8>> {
    let mut head = Head::START;
    let write = |n: u64| {
        let mut line = Vec::new();
        let event = match n {
            0 => Event::LogStarted { log: "0123456789abcdef".to_owned() },
            _ => Event::RuleSetLoaded { revision: Digest::of(&n.to_be_bytes()), policies: 7 },
        };
        head = chain::write(head, Timestamp::UNIX_EPOCH, &event, &mut line).expect("such an event is JSON");
        line
    };
    (0..entries).map(write).collect()
}

/// Whole logs, torn ones, and scripts of edits.
#[must_use]
pub fn logs() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = (1..5).map(|entries| written(entries).concat()).collect();
    let whole = written(3).concat();
    seeds.push(whole[..whole.len() - 40].to_vec());
    seeds.push([&whole[..], &[0; 20]].concat());
    seeds.extend((0..9_u8).map(|kind| vec![kind, 1, 200, kind]));
    // Cut until nothing is left.
    seeds.push(b"\x03\x03\x01\x0164cd3c6defac90b941ed3a21bf297c7fbc5c5405210bdc58657b574536362751\xca\x03".to_vec());
    seeds
}

fn walked(bytes: &[u8], remembered: Option<Head>) -> Report {
    verify_parts([("audit.jsonl".to_owned(), bytes)], remembered).expect("bytes in memory can be read")
}

/// Takes any bytes for a log: what is called intact is what the documentation's own check calls so, and what a repair would
/// keep is every whole entry and nothing else.
pub fn log(data: &[u8]) {
    let report = walked(data, None);
    if report.fault.is_none() {
        let whole = data.len() - usize::try_from(report.unfinished_bytes).unwrap_or_default();
        let (seq, hash) = plainly(&data[..whole]).expect("intact, says `verify`; a stranger finds otherwise");
        assert_eq!(report.head.unwrap_or(Head::START).seq, seq);
        assert_eq!(report.head.unwrap_or(Head::START).hash.to_string(), hash);
        if let Ok(tail) = tail::check(data, Some(Head::START)) {
            assert_eq!((tail.head, tail.whole), (report.head, whole), "a repair would cut elsewhere");
        }
    }
    if let Ok(tail) = tail::check(data, Some(Head::START)) {
        assert!(tail.whole <= data.len() && (tail.whole == 0 || data[tail.whole - 1] == b'\n'));
        assert!(
            data[..tail.whole].split_inclusive(|byte| *byte == b'\n').all(sealed),
            "a repair would keep a torn entry"
        );
    }
    edited(data);
}

/// Whether a line has the hash of its bytes: no torn one has.
fn sealed(line: &[u8]) -> bool {
    let (covered, seal) = line.split_at(line.len().saturating_sub(SEAL_BYTES + 1));
    seal.windows(64).any(|hex| Digest::of(covered).to_string().as_bytes().ends_with(hex))
}

/// The check as `src/audit.rs` gives it to strangers.
fn plainly(bytes: &[u8]) -> Option<(u64, String)> {
    let (mut seq, mut prev) = (0, format!("sha256:{}", "0".repeat(64)));
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n")?;
        let entry: read::Entry = serde_json::from_slice(line).ok()?;
        let hash = Digest::of(line.get(..line.len().checked_sub(SEAL_BYTES)?)?).to_string();
        seq += 1;
        if entry.seq != seq || entry.prev.to_string() != prev || entry.hash.to_string() != hash {
            return None;
        }
        prev = hash;
    }
    Some((seq, prev))
}

/// Edits a log as the bytes say: `verify` finds it, with the head that somebody kept.
fn edited(script: &[u8]) {
    let lines = written(5);
    let whole = lines.concat();
    let head = walked(&whole, None).head;
    let mut dice = Dice(script.iter().fold(0, |seed, byte| (seed << 8 | u64::from(*byte)) ^ seed >> 56));
    let mut log = whole.clone();
    for byte in script.iter().take(4) {
        if log.is_empty() {
            break;
        }
        let (at, line) = (dice.below(log.len()), dice.below(lines.len()));
        match byte % 9 {
            0 => log[at] ^= 1 << dice.below(8),
            1 => drop(log.remove(at)),
            2 => log.insert(at, *byte),
            3 => log.truncate(at.max(1)),
            4 => drop(log.splice(at..at, lines[line].iter().copied())),
            5 => drop(log.drain(at..(at + 400).min(log.len()).max(at + 1))),
            6 => {
                let mut moved = lines.clone();
                moved.swap(line, dice.below(lines.len()));
                log = moved.concat();
            }
            7 => {
                // Whoever can write to the file can seal an entry anew: the one after it does not follow then.
                let mut forged = lines.clone();
                let event = Event::RuleSetLoaded { revision: Digest::of(b"forged"), policies: 1 };
                let before = walked(&lines[..line].concat(), None).head.unwrap_or(Head::START);
                forged[line].clear();
                chain::write(before, Timestamp::UNIX_EPOCH, &event, &mut forged[line]).expect("such an event is JSON");
                log = forged.concat();
            }
            _ => {
                let mut fewer = lines.clone();
                fewer.remove(line);
                log = fewer.concat();
            }
        }
    }
    let report = walked(&log, head);
    let found = report.fault.is_some() || report.unfinished_bytes > 0;
    assert_eq!(found, log != whole, "{report:?}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fuzzing::drive;

    #[test]
    fn no_edit_of_a_log_goes_unseen() {
        drive(&logs(), log);
    }
}
