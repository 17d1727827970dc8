//! The load generator.
//!
//! *Open*: requests are due at fixed times whatever becomes of the ones before, and every latency is counted from the
//! time its request was due. A proxy that stalls is charged for everything that had to wait (no coordinated omission).
//! *Closed*: as fast as a number of connections can, for CPU per request.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::connection::Connection;
use crate::histogram::Histogram;
use crate::process::clock;

/// Threads of the open generator, each with a connection: a request waits for its thread only when an answer takes
/// longer than this many times the distance of two requests, and is charged for it then.
const OPEN_CONNECTIONS: usize = 32;
/// Before the first request is due, so that every thread is ready.
const LEAD: Duration = Duration::from_millis(50);

/// What an open run measured.
pub(crate) struct Latencies {
    /// From when a request was due to the first byte of its answer's body.
    pub(crate) first: Histogram,
    /// To its last.
    pub(crate) last: Histogram,
}

/// Sends requests at a constant rate for a time.
pub(crate) fn open(
    address: SocketAddr,
    requests: &Arc<Vec<Vec<u8>>>,
    per_second: f64,
    time: Duration,
) -> Result<Latencies, Failure> {
    let start = clock() + LEAD;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    let all = (time.as_secs_f64() * per_second) as usize;
    let mut threads = Vec::new();
    for thread in 0..OPEN_CONNECTIONS.min(all) {
        let requests = Arc::clone(requests);
        threads.push(thread::spawn(move || -> Result<Latencies, Failure> {
            let mut connection = Connection::open(address)?;
            let mut took = Latencies { first: Histogram::default(), last: Histogram::default() };
            for number in (thread..all).step_by(OPEN_CONNECTIONS) {
                let due = start + Duration::from_secs_f64(number as f64 / per_second);
                sleep_until(due);
                let answer = connection.ask(&requests[number % requests.len()])?;
                took.first.record(answer.first - due);
                took.last.record(answer.last - due);
            }
            Ok(took)
        }));
    }
    let mut took = Latencies { first: Histogram::default(), last: Histogram::default() };
    for thread in threads {
        let of_thread = thread.join().map_err(|_| "a thread of the generator broke down")??;
        took.first.add(&of_thread.first);
        took.last.add(&of_thread.last);
    }
    Ok(took)
}

fn sleep_until(due: Instant) {
    let left = due.saturating_duration_since(clock());
    if !left.is_zero() {
        thread::sleep(left);
    }
}

/// A closed run under way.
pub(crate) struct Closed {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    failed: Arc<Mutex<Option<String>>>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Closed {
    /// Starts so many connections.
    pub(crate) fn start(address: SocketAddr, requests: &Arc<Vec<Vec<u8>>>, connections: usize) -> Self {
        let (stop, done, failed) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default(), Arc::default());
        let threads = (0..connections).map(|first| {
            let (stop, done, failed) = (Arc::clone(&stop), Arc::clone(&done), Arc::clone(&failed));
            let requests = Arc::clone(requests);
            thread::spawn(move || {
                let run = || -> Result<(), Failure> {
                    let mut connection = Connection::open(address)?;
                    for number in first.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        connection.ask(&requests[number % requests.len()])?;
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                };
                if let Err(failure) = run() {
                    let failed: &Mutex<Option<String>> = &failed;
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.to_string());
                }
            })
        });
        Self { threads: threads.collect(), stop, done, failed }
    }

    /// Answers so far.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Ends it.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_| "a thread of the generator broke down")?;
        }
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        failed.map_or(Ok(()), |failure| Err(failure.into()))
    }
}
