//! What the operating system says of a process and its children: CPU time and memory, from `/proc`. And the clock.

use std::fs;
use std::time::{Duration, Instant};

use crate::Failure;

/// Ticks of `/proc/PID/stat` in a second: fixed at 100 by Linux's interface, whatever the kernel's own.
const TICKS_PER_SECOND: f64 = 100.0;

/// The clock of the bench.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
pub(crate) fn clock() -> Instant {
    Instant::now()
}

/// A process and its direct children (nginx: a master and its worker).
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    std::iter::once(pid).chain(children.split_whitespace().filter_map(|one| one.parse().ok())).collect()
}

/// CPU time, user and system, that a process and its children have used.
pub(crate) fn cpu(pid: u32) -> Result<Duration, Failure> {
    let mut seconds = 0.0;
    for one in family(pid) {
        seconds += cpu_of(one)?;
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// The threads' run times are in nanoseconds; the process's own figure, in ticks, also has the threads that ended.
fn cpu_of(pid: u32) -> Result<f64, Failure> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(") ").ok_or("no name in /proc/PID/stat")?.1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    let ticks = |at: usize| -> Result<f64, Failure> { Ok(fields.get(at).ok_or("a short /proc/PID/stat")?.parse()?) };
    let in_ticks = (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND;
    let alive = alive(pid)?;
    // A tick is the finest that the process's figure tells: below that difference the threads are all there are.
    Ok(if in_ticks - alive > 3.0 / TICKS_PER_SECOND { in_ticks } else { alive })
}

/// CPU time of the threads that live, of a process and its children: to the nanosecond, for what takes less than a tick.
pub(crate) fn cpu_of_living(pid: u32) -> Result<Duration, Failure> {
    let mut seconds = 0.0;
    for one in family(pid) {
        seconds += alive(one)?;
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn alive(pid: u32) -> Result<f64, Failure> {
    let mut seconds = 0.0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        seconds += text.split(' ').next().unwrap_or_default().parse::<f64>().unwrap_or(0.0) / 1e9;
    }
    Ok(seconds)
}

/// Resident memory of a process and its children, in bytes; `peak` since its start.
pub(crate) fn resident(pid: u32, what: Memory) -> Result<f64, Failure> {
    let field = match what {
        Memory::Now => "VmRSS:",
        Memory::Peak => "VmHWM:",
    };
    let mut kilobytes = 0.0;
    for one in family(pid) {
        let status = fs::read_to_string(format!("/proc/{one}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no memory in /proc/PID/status")?;
        kilobytes += line.trim().trim_end_matches(" kB").parse::<f64>()?;
    }
    Ok(kilobytes * 1024.0)
}

/// Which figure of memory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Memory {
    /// At this moment.
    Now,
    /// The most since the start.
    Peak,
}
