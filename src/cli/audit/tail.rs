//! `countersign audit tail`: the last entries, a line per query.

mod row;

use std::time::Duration;

use crate::audit::Entry;
use crate::audit::read::{self, Reader};
use crate::cli::data_dir::DataDir;
use crate::cli::{Console, Exit, Output};

use row::{Columns, Row};

/// How often a followed log is looked at: a person does not see less.
const FOLLOW_EVERY: Duration = Duration::from_millis(250);
/// Most rows shown at once; `jq` reads the whole file.
const ROWS_MAX: u32 = 10_000;

/// Show the last queries and events of the audit log.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    data: DataDir,
    /// How many.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(0..=i64::from(ROWS_MAX)))]
    lines: u32,
    /// Go on with what is written from now on.
    #[arg(short, long)]
    follow: bool,
    /// `json`: the entries as they stand in the log; a list, or with --follow one per line.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(arguments: &Arguments, console: &mut Console) -> anyhow::Result<Exit> {
    let dir = arguments.data.path()?;
    let wanted = arguments.lines as usize;
    if !arguments.follow {
        match arguments.output {
            Output::Json => console.json(&read::last(&dir, wanted)?)?,
            Output::Table => {
                let rows = row::rows(&read::last(&dir, entries_for(wanted))?);
                show(rows, wanted, console)?;
            }
        }
        return Ok(Exit::Done);
    }
    let count = if arguments.output == Output::Json { wanted } else { entries_for(wanted) };
    let mut reader = Reader::from_last(&dir, count)?;
    let first = drain(&mut reader)?;
    let columns = match arguments.output {
        Output::Json => {
            for entry in &first {
                console.line(serde_json::to_string(entry)?)?;
            }
            Columns::default()
        }
        Output::Table => show(row::rows(&first), wanted, console)?,
    };
    loop {
        std::thread::sleep(FOLLOW_EVERY);
        for entry in drain(&mut reader)? {
            match arguments.output {
                Output::Json => console.line(serde_json::to_string(&entry)?)?,
                Output::Table => console.line(columns.line(&Row::of(&entry)))?,
            }
        }
    }
}

/// A query has two entries, a held one three: enough of them for so many rows, and what is too much is left out.
const fn entries_for(rows: usize) -> usize {
    rows * 3
}

fn drain(reader: &mut Reader) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        entries.push(entry);
        if entries.len() >= entries_for(ROWS_MAX as usize) {
            break;
        }
    }
    Ok(entries)
}

fn show(mut rows: Vec<Row>, wanted: usize, console: &mut Console) -> anyhow::Result<Columns> {
    let rows = rows.split_off(rows.len().saturating_sub(wanted));
    let columns = Columns::fitting(&rows);
    console.line(columns.header())?;
    for row in &rows {
        console.line(columns.line(row))?;
    }
    Ok(columns)
}
