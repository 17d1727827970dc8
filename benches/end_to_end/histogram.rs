//! A histogram of times in the manner of HdrHistogram: buckets that double, each cut into 128, so that every value is
//! kept to within 0.8 % from a nanosecond to hours, in a fixed 60 KB.

use std::time::Duration;

/// Pieces of a doubling, as a power of two.
const PIECES_LOG: u32 = 7;
const PIECES: usize = 1 << PIECES_LOG;

/// Counts of times.
#[derive(Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; PIECES * (65 - PIECES_LOG as usize)], total: 0 }
    }
}

impl Histogram {
    /// Counts one.
    pub(crate) fn record(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
    }

    /// Adds what another one counted.
    pub(crate) fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(to, from)| *to += from);
        self.total += other.total;
    }

    /// How many were counted.
    pub(crate) fn count(&self) -> u64 {
        self.total
    }

    /// The time, in microseconds, that the share `q` of all stays within.
    pub(crate) fn quantile(&self, q: f64) -> f64 {
        let mut left = self.total as f64 * q;
        for (at, count) in self.counts.iter().enumerate() {
            left -= *count as f64;
            if *count > 0 && left <= 0.0 {
                return middle(at) / 1e3;
            }
        }
        0.0
    }
}

fn bucket(nanos: u64) -> usize {
    let shift = (64 - nanos.leading_zeros()).saturating_sub(PIECES_LOG + 1);
    let piece = usize::try_from(nanos >> shift).unwrap_or(0);
    shift as usize * PIECES + piece
}

/// The middle of a bucket in nanoseconds.
fn middle(at: usize) -> f64 {
    if at < 2 * PIECES {
        return at as f64;
    }
    let shift = at / PIECES - 1;
    let piece = at - shift * PIECES;
    (piece as f64 + 0.5) * (1_u64 << shift) as f64
}
