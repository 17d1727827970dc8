//! When each gate did what is waited for: written by gates without a lock, read when all have.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use countersign::distribution::Bundle;

use crate::Failure;
use crate::process::clock;

/// How often it is looked whether all are there.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How the policy that is changed says which round it is; it stands first among the documents.
const MARK: &str = "round-mark-";

/// The word of a round.
pub(crate) fn mark(round: u64) -> String {
    format!("{MARK}{round}")
}

/// The round of what a gate was given; 0 before the first.
fn round(bundle: &Bundle) -> u64 {
    let Some((_, rest)) = bundle.documents.first().and_then(|first| first.split_once(MARK)) else { return 0 };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// What gates have done since it was last begun.
pub(crate) struct Marks {
    since: Instant,
    /// Microseconds; 0 for not yet.
    times: Vec<AtomicU64>,
    done: AtomicUsize,
}

impl Marks {
    fn of(gates: usize) -> Self {
        let times = std::iter::repeat_with(AtomicU64::default).take(gates).collect();
        Self { since: clock(), times, done: AtomicUsize::new(0) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
    }

    fn begin(&self) {
        self.done.store(0, Ordering::Release);
        self.times.iter().for_each(|time| time.store(0, Ordering::Release));
    }

    /// Notes that a gate has done it, the first time.
    fn note(&self, gate: usize) {
        let Some(time) = self.times.get(gate) else { return };
        if time.compare_exchange(0, self.now(), Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.done.fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// What all gates tell, and what is waited for.
pub(crate) struct Board {
    admitted: Marks,
    in_force: Marks,
    round: AtomicU64,
    documents: AtomicUsize,
    lost: Mutex<BTreeMap<String, u64>>,
}

impl Board {
    pub(crate) fn of(gates: usize) -> Self {
        Self {
            admitted: Marks::of(gates),
            in_force: Marks::of(gates),
            round: AtomicU64::new(0),
            documents: AtomicUsize::new(0),
            lost: Mutex::default(),
        }
    }

    /// What is waited for from now on: this round, with so many documents.
    pub(crate) fn aim(&self, round: u64, documents: usize) {
        self.round.store(round, Ordering::Release);
        self.documents.store(documents, Ordering::Release);
        self.in_force.begin();
    }

    /// Admissions count from now on.
    pub(crate) fn expect_admissions(&self) {
        self.admitted.begin();
    }

    /// Whether it is what is waited for.
    pub(crate) fn is_aim(&self, bundle: &Bundle) -> bool {
        bundle.documents.len() == self.documents.load(Ordering::Acquire)
            && round(bundle) == self.round.load(Ordering::Acquire)
    }

    pub(crate) fn admitted(&self, gate: usize) {
        self.admitted.note(gate);
    }

    pub(crate) fn acknowledges(&self, gate: usize) {
        self.in_force.note(gate);
    }

    pub(crate) fn lost(&self, why: String) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner).entry(why).or_default() += 1;
    }

    /// Why connections ended since this was last asked, and how many.
    pub(crate) fn losses(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut *self.lost.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long after a moment each of so many gates was admitted.
    pub(crate) async fn admissions(&self, since: Instant, gates: usize, within: Duration) -> Result<Times, Failure> {
        self.wait("admitted", &self.admitted, since, gates, within).await
    }

    /// How long after a moment each gate acknowledged what is aimed at.
    pub(crate) async fn acknowledgements(&self, since: Instant, within: Duration) -> Result<Times, Failure> {
        self.wait("told the newest", &self.in_force, since, self.in_force.times.len(), within).await
    }

    async fn wait(
        &self,
        what: &str,
        marks: &Marks,
        since: Instant,
        gates: usize,
        within: Duration,
    ) -> Result<Times, Failure> {
        while marks.done.load(Ordering::Acquire) < gates {
            if since.elapsed() > within {
                let done = marks.done.load(Ordering::Acquire);
                return Err(format!("only {done} of {gates} gates {what} in {within:?}: {:?}", self.losses()).into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let begun = u64::try_from(since.duration_since(marks.since).as_micros())?;
        let times = marks.times.iter().map(|time| time.load(Ordering::Acquire)).filter(|time| *time > 0);
        Ok(Times::of(times.map(|time| time.saturating_sub(begun)).collect()))
    }
}

/// Times of many gates, sorted.
pub(crate) struct Times(Vec<u64>);

impl Times {
    fn of(mut micros: Vec<u64>) -> Self {
        micros.sort_unstable();
        Self(micros)
    }

    /// Seconds within which this part of the gates was done.
    pub(crate) fn within(&self, percent: usize) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let at = (self.0.len() * percent).div_ceil(100).saturating_sub(1).min(last);
        self.0.get(at).map_or(0.0, |micros| *micros as f64 / 1e6)
    }
}
