//! The gate in a Pod: reads the arguments and hands over to `resident`.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use countersign::resident::{self, Arguments, Asked};
use countersign::sidecar::interrupted;
use countersign::telemetry::logs;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", in_full(&*error));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes.
fn in_full(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", in_full(cause)),
        None => error.to_string(),
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let asked = resident::parse(std::env::args().skip(1), |name| std::env::var(name).ok())?;
    let Arguments { resident, log_format, log_level } = match asked {
        Asked::Serve(arguments) => *arguments,
        Asked::Print(text) => return Ok(std::io::stdout().write_all(text.as_bytes())?),
    };
    logs::init(log_format, &log_level)?;
    // One thread serves queries: handing a query from thread to thread costs more than judging it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(resident::serve(resident, interrupted()))?;
    Ok(())
}
