//! `countersign approvals list`: similar queries of one caller take one row, so that a client that repeats itself does not
//! push the others off the screen.

use std::sync::Arc;

use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;

use super::rows::{Cells, similar};
use crate::approvals::{Hold, Phase};
use crate::base::Clock;
use crate::cli::console::Tone;
use crate::cli::data_dir::DataDir;
use crate::cli::desk::{Desk, explained};
use crate::cli::{Console, Exit, Output};
use crate::standalone::{Listed, approval_request};

/// List queries that wait for approval, oldest first.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    pub(super) data: DataDir,
    /// Show finished ones too, as long as they are kept (7 days).
    #[arg(long)]
    pub(super) all: bool,
    /// Give every query a row of its own; otherwise similar ones of one caller share a row with their number.
    #[arg(long)]
    pub(super) each: bool,
    /// How to write them.
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: Output,
}

pub(super) fn list(arguments: &List, clock: Arc<dyn Clock>, console: &mut Console) -> anyhow::Result<Exit> {
    let desk = Desk::open(&arguments.data, clock)?;
    let listed = if arguments.all { Listed::All } else { Listed::Pending };
    let (holds, damaged) = desk.wait(desk.store.list(listed)).map_err(explained)?;
    let holds = holds.into_iter().map(|hold| desk.timed(hold));
    let holds: Vec<Hold> = holds.filter(|hold| arguments.all || hold.phase() == Phase::Pending).collect();
    match arguments.output {
        Output::Json => console.json(&holds.iter().map(approval_request).collect::<Vec<_>>())?,
        Output::Table if holds.is_empty() && arguments.all => console.line("no query has been held")?,
        Output::Table if holds.is_empty() => console.line("no query is waiting for approval")?,
        Output::Table if arguments.each => console.text(table(holds.iter().map(|hold| (hold, 1)), desk.now()))?,
        Output::Table => console.text(table(grouped(&holds).into_iter(), desk.now()))?,
    }
    let exit = if damaged.is_empty() { Exit::Done } else { Exit::Unusable };
    for failure in damaged {
        console.note(format!("{} {:#}", Tone::Caution.paint("warning:"), explained(failure)))?;
    }
    Ok(exit)
}

/// The oldest of each group of similar pending holds, with how many there are.
fn grouped(holds: &[Hold]) -> Vec<(&Hold, usize)> {
    let mut groups: Vec<(&Hold, usize)> = Vec::new();
    for hold in holds {
        match groups.iter_mut().find(|(first, _)| similar(first, hold)) {
            Some((_, count)) => *count += 1,
            None => groups.push((hold, 1)),
        }
    }
    groups
}

fn table<'a>(rows: impl Iterator<Item = (&'a Hold, usize)>, now: Timestamp) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // On a terminal, cells are broken within their columns: no caller's text ever begins a line.
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["ID", "PHASE", "AGE", "REQUESTER", "MODEL", "RULE", "SIMILAR", "WAITING FOR", "EXPIRES"]);
    for (hold, count) in rows {
        let cells = Cells::of(hold, now);
        let similar = if count > 1 { format!("+{}", count - 1) } else { "-".to_owned() };
        table.add_row([
            cells.id,
            cells.phase,
            cells.age,
            cells.requester,
            cells.model,
            cells.rule,
            similar,
            cells.approvers,
            cells.expires,
        ]);
    }
    let lines: Vec<String> =
        table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}
