//! When the next connection is tried: at a random moment of a time that doubles with each failure.
//!
//! Guarantees: gates that lose their operator together do not come back together, and none stays away for longer than the
//! longest pause. Knows neither clock nor chance.

use std::time::Duration;

/// Shortest pause.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The first pause ends within this time,
const FIRST_MAX: Duration = Duration::from_secs(1);
/// and no pause is longer than this.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// How often it has failed since it last succeeded.
#[derive(Debug, Default)]
pub(super) struct Pace {
    failures: u32,
}

impl Pace {
    /// The pause before the next try; `chance` is random.
    pub(super) fn next(&mut self, chance: u64) -> Duration {
        let longest = FIRST_MAX.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        let span = u64::try_from(longest.saturating_sub(PAUSE_MIN).as_nanos()).unwrap_or(u64::MAX);
        PAUSE_MIN + Duration::from_nanos(chance.checked_rem(span.saturating_add(1)).unwrap_or(0))
    }

    /// The operator has let the gate in.
    pub(super) const fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest_and_begin_again_after_a_success() {
        let mut pace = Pace::default();
        let seconds: Vec<u64> = (0..40).map(|failures: u32| 30.min(2_u64.pow(failures.min(5)))).collect();
        for longest in seconds {
            // The chance that gives the longest pause of this try.
            assert_eq!(pace.next(longest * 1_000_000_000 - 100_000_000), Duration::from_secs(longest));
        }
        assert_eq!(pace.next(0), PAUSE_MIN);
        pace.succeeded();
        assert!(pace.next(u64::MAX) <= FIRST_MAX);
    }

    #[test]
    fn chance_decides_where_in_the_time() {
        let pauses: Vec<_> = (0..9_u64).map(|n| Pace::default().next(n * 100_000_000)).collect();
        assert!(pauses.windows(2).all(|pair| pair[0] < pair[1]), "{pauses:?}");
        assert!(pauses.iter().all(|pause| (PAUSE_MIN..=FIRST_MAX).contains(pause)));
    }
}
