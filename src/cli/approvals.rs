//! `countersign approvals`: which queries wait for people, and what is known of one.
//!
//! Guarantees that nothing of a query reaches the terminal but visible characters, framed as untrusted.

use std::sync::Arc;

use comfy_table::{Table, presets};
use jiff::{SignedDuration, Timestamp};

use super::console::Tone;
use super::data_dir::DataDir;
use super::desk::{Desk, explained};
use super::{Console, Exit, Output};
use crate::api::request::{ApprovalRequest, RequestPhase};
use crate::approvals::{Hold, Phase, UNTRUSTED, View};
use crate::base::{Clock, SystemClock};
use crate::standalone::{Listed, approval_request};

/// Longest cell of the list, in characters: the list is for finding, `show` is for reading.
const CELL_CHARS_MAX: usize = 48;

/// Look at the queries that wait for people.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    List(List),
    Show(Show),
}

/// List queries that wait for approval, oldest first.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    data: DataDir,
    /// Show finished ones too, as long as they are kept (7 days).
    #[arg(long)]
    all: bool,
    /// How to write them.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Show one held query: who asked, why it is held, what matched, who has decided.
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    data: DataDir,
    /// The hold's id, or enough of its start.
    #[arg(value_name = "ID")]
    id: String,
    /// How to write it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(arguments: &Arguments, console: &mut Console) -> anyhow::Result<Exit> {
    let clock = Arc::new(SystemClock::default());
    match &arguments.what {
        What::List(arguments) => list(arguments, clock, console),
        What::Show(arguments) => show(arguments, clock, console),
    }
}

fn list(arguments: &List, clock: Arc<dyn Clock>, console: &mut Console) -> anyhow::Result<Exit> {
    let desk = Desk::open(&arguments.data, clock)?;
    let listed = if arguments.all { Listed::All } else { Listed::Pending };
    let (holds, damaged) = desk.wait(desk.store.list(listed)).map_err(explained)?;
    let holds = holds.into_iter().map(|hold| desk.timed(hold));
    let holds: Vec<Hold> = holds.filter(|hold| arguments.all || hold.phase() == Phase::Pending).collect();
    match arguments.output {
        Output::Json => console.json(&holds.iter().map(approval_request).collect::<Vec<_>>())?,
        Output::Table if holds.is_empty() => console.line("no query is waiting for approval")?,
        Output::Table => console.text(table(&holds, desk.now()))?,
    }
    let exit = if damaged.is_empty() { Exit::Done } else { Exit::Unusable };
    for failure in damaged {
        console.note(format!("{} {:#}", Tone::Caution.paint("warning:"), explained(failure)))?;
    }
    Ok(exit)
}

fn table(holds: &[Hold], now: Timestamp) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["ID", "PHASE", "AGE", "REQUESTER", "MODEL", "RULE", "WAITING FOR", "EXPIRES"]);
    for hold in holds {
        let request = approval_request(hold);
        let (spec, status) = (&request.spec, &request.status);
        let rule = match spec.reasons.as_slice() {
            [] => String::new(),
            [one] => format!("{}/{}", one.policy, one.rule),
            [one, rest @ ..] => format!("{}/{} +{}", one.policy, one.rule, rest.len()),
        };
        table.add_row([
            request.metadata.name.clone(),
            format!("{:?}", status.phase),
            span(now.duration_since(hold.ask().opened_at)),
            clip(spec.requester.user.as_deref().unwrap_or("anonymous")),
            clip(spec.model.as_deref().unwrap_or("-")),
            clip(&rule),
            clip(status.approvers.as_deref().unwrap_or("-")),
            hold.deadline().map_or_else(|| "-".to_owned(), |at| span(at.duration_since(now))),
        ]);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim().to_owned()).collect();
    lines.join("\n") + "\n"
}

/// `45s`, `12m`, `3h`, `2d`.
fn span(duration: SignedDuration) -> String {
    match duration.as_secs().max(0) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7200 => format!("{}m", seconds / 60),
        seconds @ 7200..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(CELL_CHARS_MAX) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn show(arguments: &Show, clock: Arc<dyn Clock>, console: &mut Console) -> anyhow::Result<Exit> {
    let desk = Desk::open(&arguments.data, clock)?;
    let id = desk.wait(desk.store.find(&arguments.id)).map_err(explained)?;
    let hold = desk.timed(desk.wait(desk.store.get(id)).map_err(explained)?);
    let request = approval_request(&hold);
    match arguments.output {
        Output::Json => console.json(&request)?,
        Output::Table => describe(&hold, &request, console)?,
    }
    Ok(Exit::Done)
}

fn describe(hold: &Hold, request: &ApprovalRequest, console: &mut Console) -> anyhow::Result<()> {
    let view = View::of(hold);
    let status = &request.status;
    field(console, "Phase", &format!("{:?}, {}", status.phase, status.message))?;
    for (name, value) in view.fields() {
        field(console, name, value)?;
    }
    if let Some(deadline) = &request.spec.deadline {
        field(console, "Expires", deadline)?;
    }
    for vote in &status.votes {
        let how = if vote.authenticated_by == "nobody" { "nobody authenticated it" } else { &vote.authenticated_by };
        let said =
            format!("{} by {} in {} at {} ({how}): {}", vote.decision, vote.by, vote.stage, vote.at, vote.reason);
        field(console, "Decision", &said)?;
    }
    for at in &status.claimed_at {
        field(console, "Released", at)?;
    }
    if let Some(at) = &status.delivered_at {
        field(console, "Delivered", at)?;
    }
    if status.phase == RequestPhase::Pending {
        field(console, "View", &view.digest().to_string())?;
        console.line(format!("\n{}", Tone::Caution.paint(UNTRUSTED)))?;
        console.text(indented(view.excerpt()))?;
        let id = &request.metadata.name;
        console.note(format!("\nDecide with: countersign approve|deny {id} --reason TEXT"))?;
    }
    Ok(())
}

fn field(console: &mut Console, name: &str, value: &str) -> std::io::Result<()> {
    console.line(format!("{} {value}", Tone::Dim.paint(&format!("{name:<10}"))).trim_end())
}

fn indented(text: &str) -> String {
    if text.is_empty() {
        return "  (no text is shown)\n".to_owned();
    }
    format!("  {}\n", text.trim_end_matches('\n').replace('\n', "\n  "))
}

#[cfg(test)]
mod tests;
