//! `countersign explain`: what every rule says of one query, and why.

mod describe;
mod show;

use self::describe::Described;
use super::question::Question;
use super::{Console, Exit, Output};
use crate::base::{Clock, SystemClock};
use crate::rules::Rates;

/// Explain which rules match a query, where, and why the others do not. Nothing is sent anywhere.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    question: Question,
    /// How to write the explanation.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(arguments: &Arguments, console: &mut Console) -> anyhow::Result<Exit> {
    let question = &arguments.question;
    let (workload, caller, rates) = (question.workload(), question.caller(), Rates::default());
    let Some(compilation) = question.compile(&workload, console)? else { return Ok(Exit::Unusable) };
    let trial = question.trial((&caller, &workload, &rates), SystemClock::default().now())?;
    let described = Described::of(&trial, &compilation);
    match arguments.output {
        Output::Json => console.json(&described)?,
        Output::Table => show::show(&described, console)?,
    }
    Ok(Exit::Done)
}
