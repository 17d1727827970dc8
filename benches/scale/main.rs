//! The bench of scale: simulated gates, which are the protocol's own client with tokens of Pods, on a real API server and a real
//! operator. See `benches/README.md` for what is measured and how.
//!
//! Everything is on loopback, bounded in time, and ends its own children.

#![expect(clippy::cast_precision_loss, reason = "figures for people: a bench does not count past 2^52")]
#![expect(clippy::panic, reason = "a control plane that does not start says why by stopping")]

mod board;
#[expect(dead_code, reason = "tests use all of it")]
#[path = "../../tests/support/cluster.rs"]
mod cluster;
mod gate;
mod measure;
mod objects;
mod operator;
mod options;
#[expect(dead_code, reason = "shared with the end-to-end bench, which needs all of it")]
#[path = "../end_to_end/process.rs"]
mod process;
mod report;
#[path = "../support/table.rs"]
mod table;
mod usage;

use std::process::ExitCode;

/// Whatever stops a run.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let run = || -> Result<(), Failure> {
        let options = options::Options::read(std::env::args().skip(1))?;
        let figures = measure::run(&options)?;
        report::write(&options, &figures)
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench of scale: {failure}");
            ExitCode::FAILURE
        }
    }
}
