//! The command line: one file per verb, each with its arguments and a `run`.
//!
//! # Guarantees
//! * Exit status 0: done, nothing to object to; 1: findings or a failed expectation; 2: bad usage or unusable input.
//! * Results go to standard output, what went wrong to standard error.
//! * Nothing of a query or a file reaches a terminal without its control characters made harmless.
//!
//! Knows nothing of how the rooms below do their work.

mod approvals;
mod approve;
mod audit;
mod check;
mod console;
mod coverage;
mod data_dir;
mod decide;
mod demo;
mod demo_model;
mod desk;
mod explain;
mod gate;
mod lint;
mod policies;
mod printable;
mod question;
mod request;
mod standing;
mod test;
mod trial;

pub use console::{Console, Exit, Output};

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::approvals::Decision;
use crate::sidecar::interrupted;

/// Query-level approval in front of open-source language models.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, disable_help_subcommand = true)]
pub struct Cli {
    /// Colour the output: `auto` only on a terminal.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    color: Colour,
    #[command(subcommand)]
    verb: Verb,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Colour {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Every verb, in alphabetical order.
#[derive(Debug, Subcommand)]
enum Verb {
    Approvals(approvals::Arguments),
    Approve(approve::Arguments),
    Audit(audit::Arguments),
    Check(check::Arguments),
    Coverage(coverage::Arguments),
    Demo(demo::Arguments),
    DemoModel(demo_model::Arguments),
    /// Deny held queries.
    Deny(decide::DenyArguments),
    Explain(explain::Arguments),
    Gate(Box<gate::Arguments>),
    Grants(standing::Arguments),
    Lint(lint::Arguments),
    Mutes(standing::Arguments),
    Request(Box<request::Arguments>),
    Test(test::Arguments),
}

impl Verb {
    fn run(self, console: &mut Console) -> anyhow::Result<Exit> {
        match self {
            Self::Approvals(arguments) => approvals::run(&arguments, console),
            Self::Approve(arguments) => approve::run(&arguments, console),
            Self::Audit(arguments) => audit::run(&arguments, console),
            Self::Check(arguments) => check::run(&arguments, console),
            Self::Coverage(arguments) => coverage::run(&arguments, console),
            Self::Demo(arguments) => demo::run(&arguments, console),
            Self::DemoModel(arguments) => demo_model::run(&arguments, console),
            Self::Deny(arguments) => decide::deny(&arguments, console),
            Self::Explain(arguments) => explain::run(&arguments, console),
            Self::Gate(arguments) => gate::run(&arguments, console),
            Self::Grants(arguments) => standing::run(&arguments, Decision::Approve, console),
            Self::Mutes(arguments) => standing::run(&arguments, Decision::Deny, console),
            Self::Lint(arguments) => lint::run(&arguments, console),
            Self::Request(arguments) => request::run(&arguments, console),
            Self::Test(arguments) => test::run(&arguments, console),
        }
    }
}

impl Cli {
    /// Does what was asked.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self.color {
            Colour::Auto => {}
            Colour::Always => anstream::ColorChoice::Always.write_global(),
            Colour::Never => anstream::ColorChoice::Never.write_global(),
        }
        let mut console = Console::standard();
        let exit = self.verb.run(&mut console).unwrap_or_else(|error| console.complain(&error));
        exit.into()
    }
}
