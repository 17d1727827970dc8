//! Memory at rest and under large bodies, and the time from start to readiness.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::Failure;
use crate::load::Closed;
use crate::options::Options;
use crate::process::{Memory, clock, resident};
use crate::subjects::{Running, gate, nginx};

/// Connections that send large bodies at once.
const CONNECTIONS: usize = 64;
/// How often memory is looked at under load.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// What a program that has just started may still be doing.
const SETTLE: Duration = Duration::from_millis(500);
/// Most repetitions: memory hardly differs between rounds.
const TIMES_MAX: usize = 3;

/// Bytes, and milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) nginx_idle: Vec<f64>,
    pub(crate) nginx_loaded: Vec<f64>,
    pub(crate) gate_idle: Vec<f64>,
    pub(crate) gate_loaded: Vec<f64>,
    pub(crate) gate_after: Vec<f64>,
    pub(crate) gate_start_peak: Vec<f64>,
    pub(crate) nginx_ready: Vec<f64>,
    pub(crate) gate_ready: Vec<f64>,
}

/// Starts both a few times and looks.
pub(crate) fn measure(
    options: &Options,
    folder: &Path,
    upstream: SocketAddr,
    large: &Arc<Vec<Vec<u8>>>,
) -> Result<Figures, Failure> {
    let mut figures = Figures::default();
    // The first start makes the data folder.
    drop(gate(options, folder, upstream)?);
    for _ in 0..options.rounds.min(TIMES_MAX) {
        let running = nginx(options, folder, upstream)?;
        figures.nginx_ready.push(running.ready_after.as_secs_f64() * 1e3);
        thread::sleep(SETTLE);
        figures.nginx_idle.push(resident(running.pid(), Memory::Now)?);
        figures.nginx_loaded.push(loaded(options, &running, large)?);
        drop(running);
        let running = gate(options, folder, upstream)?;
        figures.gate_ready.push(running.ready_after.as_secs_f64() * 1e3);
        thread::sleep(SETTLE);
        figures.gate_idle.push(resident(running.pid(), Memory::Now)?);
        figures.gate_start_peak.push(resident(running.pid(), Memory::Peak)?);
        figures.gate_loaded.push(loaded(options, &running, large)?);
        thread::sleep(SETTLE);
        figures.gate_after.push(resident(running.pid(), Memory::Now)?);
    }
    Ok(figures)
}

/// The most memory seen while large bodies come in on all connections.
fn loaded(options: &Options, running: &Running, large: &Arc<Vec<Vec<u8>>>) -> Result<f64, Failure> {
    let load = Closed::start(running.address, large, CONNECTIONS);
    let (start, mut most) = (clock(), 0.0_f64);
    while start.elapsed().as_secs_f64() < options.seconds {
        most = most.max(resident(running.pid(), Memory::Now)?);
        thread::sleep(LOOK_EVERY);
    }
    load.finish()?;
    Ok(most)
}
