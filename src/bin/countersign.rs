//! The command line program: parses the arguments and hands over to `cli`.

use std::process::ExitCode;

use clap::Parser as _;
use countersign::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
