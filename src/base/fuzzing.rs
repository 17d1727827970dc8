//! What fuzz targets share: a bounded, deterministic run of one over mutations of its seeds, for ordinary tests.
//!
//! The targets are in the rooms they try (`<room>::fuzzing`), because what they try is private there. `fuzz/` runs the
//! same functions for hours under libFuzzer. Not part of the program.

use std::fs;
use std::path::{Path, PathBuf};

/// A run in ordinary tests takes this many inputs besides the seeds: a second or two.
pub const RUNS: u32 = 2_000;
/// Longest input of such a run.
const BYTES_MAX: usize = 16 << 10;
/// What mutations put in: pieces that the formats are made of.
const PIECES: &[&str] = &[
    "\"",
    "\\",
    "\\u0000",
    "\\ud83d\\ude00",
    "\\ud800",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "1e999",
    "-0",
    "\r\n",
    "\n",
    "\r",
    "\0",
    ": ",
    "- ",
    "  ",
    "#",
    "&a ",
    "*a",
    "|\n",
    "'",
    "<<",
    "\u{202e}",
    "\u{200b}",
    "\u{fb01}",
    "é",
    "🦀",
    "content-length: 1\r\n",
    "transfer-encoding: chunked\r\n",
    "0\r\n\r\n",
    "text",
    "content",
    "role",
    "messages",
    "prompt",
];

/// Every file below a folder of `tests/corpus` whose name ends so, with its path.
#[must_use]
pub fn corpus(folder: &str, extension: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder)];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.extend(fs::read(&path).map(|bytes| (path, bytes)));
        }
    }
    found.sort();
    found
}

/// Random numbers that a seed repeats (splitmix64).
#[derive(Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// A number below `bound`; 0 when that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 1).unwrap_or_default().checked_rem(bound).unwrap_or_default()
    }
}

/// Runs a target on its seeds, then on [`RUNS`] mutations of them, always the same ones.
pub fn drive(seeds: &[Vec<u8>], target: impl Fn(&[u8])) {
    assert!(!seeds.is_empty(), "a target without seeds tries nothing");
    for seed in seeds {
        target(seed);
    }
    let mut dice = Dice(1);
    for _ in 0..RUNS {
        let mut input = pick(seeds, &mut dice).to_vec();
        for _ in 0..=dice.below(4) {
            mutate(&mut input, seeds, &mut dice);
        }
        input.truncate(BYTES_MAX);
        target(&input);
    }
}

fn pick<'a>(seeds: &'a [Vec<u8>], dice: &mut Dice) -> &'a [u8] {
    seeds.get(dice.below(seeds.len())).map_or(&[], Vec::as_slice)
}

fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    let end = at + dice.below((input.len() - at).min(64) + 1);
    match dice.below(6) {
        0 => drop(input.splice(at..at, PIECES[dice.below(PIECES.len())].bytes())),
        1 => drop(input.drain(at..end)),
        2 => {
            let copied = input[at..end].to_vec();
            let to = dice.below(input.len() + 1);
            input.splice(to..to, copied);
        }
        3 => {
            let other = pick(seeds, dice);
            let from = dice.below(other.len() + 1);
            let most = from + dice.below((other.len() - from).min(256) + 1);
            input.splice(at..end, other[from..most].iter().copied());
        }
        4 => drop(input.splice(at..end, PIECES[dice.below(PIECES.len())].bytes())),
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte = u8::try_from(dice.below(256)).unwrap_or_default();
            }
        }
    }
}
