//! `countersign audit`: shows and verifies the audit log.

mod tail;
mod verify;

use super::{Console, Exit};

/// Show or verify the audit log of a gate.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Tail(tail::Arguments),
    Verify(verify::Arguments),
}

pub(super) fn run(arguments: &Arguments, console: &mut Console) -> anyhow::Result<Exit> {
    match &arguments.verb {
        Verb::Tail(arguments) => tail::run(arguments, console),
        Verb::Verify(arguments) => verify::run(arguments, console),
    }
}
