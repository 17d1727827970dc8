//! Getting written entries onto the disk: a thread that flushes every 50 ms when there is something to flush, and at
//! once for whoever waits. One flush serves everybody who wrote before it began.
//!
//! Must not know what is written. Guarantees that a waiter returns `Ok` only after a flush that began after its write.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::writer::{AppendFailure, Disk};

/// How long an entry may stay in the kernel before it is flushed: what a power loss may cost at most.
pub const SYNC_EVERY: Duration = Duration::from_millis(50);

/// After so many times with nothing to flush, about a second, the thread rests until it is woken: a gate that nobody asks
/// anything should not use the processor.
const QUIET_ROUNDS: u32 = 20;
/// How long it rests at most; it is woken when there is something to do.
const REST: Duration = Duration::from_mins(1);

/// When an append returns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// When the kernel has the entry; the disk has it [`SYNC_EVERY`] later. Outlives the process, not the power.
    #[default]
    Buffered,
    /// When the disk has it. Appends that wait together share one flush.
    Synced,
}

#[derive(Default)]
struct State {
    /// How many entries were written.
    written: u64,
    /// How many of them have been through a flush, successful or not.
    settled: u64,
    /// Whether the last flush failed.
    failed: bool,
    waiters: u32,
    closing: bool,
    /// Whether the thread sleeps until it is woken, because there was nothing to flush for a while.
    resting: bool,
    disk: Option<Arc<dyn Disk>>,
}

/// Shared between the writers and the thread that flushes.
#[derive(Default)]
pub(super) struct Syncer {
    state: Mutex<State>,
    wake: Condvar,
    settled: Condvar,
}

impl Syncer {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an entry written to `disk`; answers with its ticket.
    pub(super) fn written(&self, disk: &Arc<dyn Disk>) -> u64 {
        let mut state = self.lock();
        state.written += 1;
        if !state.disk.as_ref().is_some_and(|known| Arc::ptr_eq(known, disk)) {
            state.disk = Some(Arc::clone(disk));
        }
        if std::mem::take(&mut state.resting) {
            self.wake.notify_one();
        }
        state.written
    }

    /// Whether the last flush failed: nothing more may be promised until one succeeds.
    pub(super) fn failed(&self) -> bool {
        self.lock().failed
    }

    /// Waits until the entry with this ticket is on the disk.
    pub(super) fn wait(&self, ticket: u64) -> Result<(), AppendFailure> {
        let mut state = self.lock();
        state.waiters += 1;
        self.wake.notify_one();
        while state.settled < ticket && !state.closing {
            state = self.settled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiters -= 1;
        if state.failed || state.settled < ticket { Err(AppendFailure::Sync) } else { Ok(()) }
    }

    /// Flushes until closed; the body of the thread. `write_out` hands what was put by to the kernel first.
    pub(super) fn run(&self, write_out: impl Fn()) {
        self.run_after(0, write_out);
    }

    /// The same after so many rounds with nothing to flush.
    fn run_after(&self, mut quiet: u32, write_out: impl Fn()) {
        loop {
            let mut state = self.lock();
            let resting = quiet > QUIET_ROUNDS;
            state.resting = resting;
            let every = if resting { REST } else { SYNC_EVERY };
            let idle = |state: &mut State| {
                let asked = state.waiters > 0 && state.settled != state.written;
                let woken = resting && !state.resting;
                !state.closing && !asked && !woken
            };
            let waited = self.wake.wait_timeout_while(state, every, idle);
            let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            let woken = resting && !std::mem::take(&mut state.resting);
            let (closing, asked) = (state.closing, state.waiters > 0);
            drop(state);
            if woken && !closing && !asked {
                // What was written is flushed when its time has come, with what is written until then.
                quiet = 0;
                continue;
            }
            write_out();
            quiet = if self.flush() { 0 } else { quiet.saturating_add(1) };
            if closing {
                return;
            }
        }
    }

    /// Flushes what was written; answers whether there was anything.
    fn flush(&self) -> bool {
        let (disk, upto) = {
            let state = self.lock();
            if state.settled == state.written && !state.failed {
                return false;
            }
            (state.disk.clone(), state.written)
        };
        let failed = disk.is_some_and(|disk| disk.sync().is_err());
        let mut state = self.lock();
        state.settled = upto;
        state.failed = failed;
        self.settled.notify_all();
        true
    }

    /// Ends the thread after a last flush.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    #[derive(Default)]
    struct Counting {
        syncs: AtomicU32,
        broken: AtomicBool,
    }

    impl Disk for Counting {
        fn append(&self, _: &[u8]) -> io::Result<()> {
            Ok(())
        }

        fn cut(&self, _: u64) -> io::Result<()> {
            Ok(())
        }

        fn sync(&self) -> io::Result<()> {
            self.syncs.fetch_add(1, Ordering::SeqCst);
            if self.broken.load(Ordering::SeqCst) { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
        }
    }

    fn with_thread(test: impl FnOnce(&Syncer, &Arc<dyn Disk>, &Counting)) {
        with_thread_after(0, test);
    }

    fn with_thread_after(quiet: u32, test: impl FnOnce(&Syncer, &Arc<dyn Disk>, &Counting)) {
        let (syncer, counting) = (Syncer::default(), Arc::new(Counting::default()));
        let disk: Arc<dyn Disk> = Arc::clone(&counting) as _;
        std::thread::scope(|scope| {
            scope.spawn(|| syncer.run_after(quiet, || {}));
            test(&syncer, &disk, &counting);
            syncer.close();
        });
    }

    #[test]
    fn one_flush_serves_everybody_who_wrote_before_it() {
        with_thread(|syncer, disk, counting| {
            let tickets: Vec<u64> = (0..20).map(|_| syncer.written(disk)).collect();
            for ticket in tickets {
                syncer.wait(ticket).unwrap();
            }
            assert!(counting.syncs.load(Ordering::SeqCst) <= 2, "the background may have flushed once as well");
        });
    }

    #[test]
    fn a_thread_that_rests_is_woken_by_an_entry_that_nobody_waits_for() {
        with_thread_after(QUIET_ROUNDS, |syncer, disk, _| {
            while !syncer.lock().resting {
                std::thread::yield_now();
            }
            let ticket = syncer.written(disk);
            let unsettled = |state: &mut State| state.settled < ticket;
            let (state, waited) = syncer.settled.wait_timeout_while(syncer.lock(), REST / 2, unsettled).unwrap();
            drop(state);
            assert!(!waited.timed_out());
        });
    }

    #[test]
    fn the_thread_does_not_rest_again_right_after_an_entry() {
        with_thread_after(QUIET_ROUNDS, |syncer, disk, counting| {
            while !syncer.lock().resting {
                std::thread::yield_now();
            }
            for _ in 0..3 {
                let ticket = syncer.written(disk);
                let unsettled = |state: &mut State| state.settled < ticket;
                drop(syncer.settled.wait_while(syncer.lock(), unsettled).unwrap());
                assert!(!syncer.lock().resting, "each entry would wake it, and be flushed alone");
            }
            assert_eq!(counting.syncs.load(Ordering::SeqCst), 3);
        });
    }

    #[test]
    fn a_failed_flush_is_told_and_forgotten_once_one_succeeds() {
        with_thread(|syncer, disk, counting| {
            counting.broken.store(true, Ordering::SeqCst);
            let ticket = syncer.written(disk);
            assert!(syncer.wait(ticket).is_err());
            assert!(syncer.failed());
            counting.broken.store(false, Ordering::SeqCst);
            let ticket = syncer.written(disk);
            syncer.wait(ticket).unwrap();
            assert!(!syncer.failed());
        });
    }
}
