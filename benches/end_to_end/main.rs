//! The end-to-end bench: the same upstream called directly, through nginx as a plain proxy, and through the gate with
//! 1,000 rules, alternating within one run. See `benches/README.md` for what is measured and how.
//!
//! Everything is on loopback, bounded in time, and ends its own children.

#![expect(clippy::cast_precision_loss, reason = "figures for people: a bench does not count past 2^52")]

mod chart;
mod connection;
mod histogram;
mod load;
mod measure;
mod memory;
mod options;
#[path = "../support/policies.rs"]
#[expect(unreachable_pub, reason = "shared with the bench of decisions")]
mod policies;
mod process;
#[path = "../support/prompts.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared with the bench of decisions, which needs all of it")]
mod prompts;
mod report;
mod subjects;
#[path = "../support/table.rs"]
mod table;
mod upstream;

use std::process::ExitCode;

/// Whatever stops a run.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let run = || -> Result<(), Failure> {
        let options = options::Options::read(std::env::args().skip(1))?;
        if let Some(bytes) = options.load {
            return measure::load(&options, bytes);
        }
        let figures = measure::run(&options)?;
        report::write(&options, &figures)
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("end-to-end bench: {failure}");
            ExitCode::FAILURE
        }
    }
}
