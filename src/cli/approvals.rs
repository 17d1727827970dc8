//! `countersign approvals`: which queries wait for people, and what is known of one.
//!
//! Guarantees that nothing of a query reaches the terminal but visible characters, framed as untrusted.

mod list;
mod rows;
mod show;
mod watch;

use std::sync::Arc;

use super::{Console, Exit};
use crate::base::SystemClock;

pub(super) use show::{full_text, shown};

/// Look at the queries that wait for people.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    List(list::List),
    Show(show::Show),
    Watch(watch::Watch),
}

pub(super) fn run(arguments: &Arguments, console: &mut Console) -> anyhow::Result<Exit> {
    let clock = Arc::new(SystemClock::default());
    match &arguments.what {
        What::List(arguments) => list::list(arguments, clock, console),
        What::Show(arguments) => show::show(arguments, clock, console),
        What::Watch(arguments) => watch::watch(arguments, clock, console),
    }
}

#[cfg(test)]
mod tests;
