//! What has happened in a round so far, for those who wait for it: the only way in which threads of the test meet.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// Longest wait for anything; only a broken gate ever meets it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Something a round counts, and can end at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A client has sent a query whole.
    Sent,
    /// The upstream has read a query.
    Received,
    /// A client has seen the first bytes of the upstream's answer.
    FirstByte,
    /// A client has an answer whole.
    Answered,
    /// A person is about to decide.
    Decided,
    /// A stream that was held past its grace goes on.
    Resumed,
}

/// The round's end: at this moment, for the so manieth time, and so much later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) moment: Moment,
    pub(crate) count: u32,
    pub(crate) later: Duration,
}

/// One round.
pub(crate) struct Course {
    pub(crate) end: End,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    begun: bool,
    counts: [u32; 6],
    over: bool,
}

impl Course {
    pub(crate) fn towards(end: End) -> Self {
        Self { end, state: Mutex::default(), changed: Condvar::new() }
    }

    /// From now on moments count.
    pub(crate) fn begin(&self) {
        self.state.lock().unwrap().begun = true;
    }

    /// Whether answers are left unfinished, because the round ends while one is on its way.
    pub(crate) fn leaves_answers(&self) -> bool {
        self.end.moment == Moment::FirstByte && self.state.lock().unwrap().begun
    }

    /// Counts a moment; whether it is the one that the round ends at.
    pub(crate) fn note(&self, moment: Moment) -> bool {
        let mut state = self.state.lock().unwrap();
        if !state.begun {
            return false;
        }
        let count = &mut state.counts[moment as usize];
        *count += 1;
        let reached = moment == self.end.moment && *count >= self.end.count;
        self.changed.notify_all();
        reached
    }

    /// Returns when the gate is to be killed.
    pub(crate) fn until_the_end(&self) {
        let End { moment, count, later } = self.end;
        let short = |state: &mut State| state.counts[moment as usize] < count;
        let (state, waited) = self.changed.wait_timeout_while(self.state.lock().unwrap(), PATIENCE, short).unwrap();
        assert!(!waited.timed_out(), "{:?} is not reached: {:?}", self.end, state.counts);
        // Nothing is waited for: this is the point in time at which the gate dies, which is to be any.
        let _ = self.changed.wait_timeout_while(state, later, |_| true).unwrap();
    }

    /// The gate is dead.
    pub(crate) fn over(&self) {
        self.state.lock().unwrap().over = true;
        self.changed.notify_all();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state.lock().unwrap().over
    }

    /// Returns when the gate is dead.
    pub(crate) fn until_over(&self) {
        assert!(self.over_within(PATIENCE), "the gate is not killed");
    }

    /// Returns after `most`, or when the gate is dead: whether it is.
    pub(crate) fn over_within(&self, most: Duration) -> bool {
        let alive = |state: &mut State| !state.over;
        !self.changed.wait_timeout_while(self.state.lock().unwrap(), most, alive).unwrap().1.timed_out()
    }
}
