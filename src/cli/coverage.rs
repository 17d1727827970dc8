//! `countersign coverage`: what the gate refused, held or changed, or would have under posture `Observe` or in a policy in
//! Audit mode, from its audit log; grouped, counted, and with what would allow it.

mod group;

use std::path::Path;

use super::console::Tone;
use super::data_dir::DataDir;
use super::printable::printable;
use super::{Console, Exit, Output};
use crate::audit::Event;
use crate::audit::read::Reader;

use group::{Groups, Shown};

/// Widest text of a line.
const TEXT_MAX: usize = 200;

/// Report what was or would have been refused, and the policy line that would allow it.
///
/// Reads the audit log of a gate. Run the gate with `--posture observe` first to see your own traffic before enforcing.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    data: DataDir,
    /// How to write the report.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(arguments: &Arguments, console: &mut Console) -> anyhow::Result<Exit> {
    let groups = read(&arguments.data.path()?)?;
    let report = groups.report();
    match arguments.output {
        Output::Json => console.json(&report)?,
        Output::Table => {
            for group in &report.groups {
                show(group, console)?;
            }
            console.line(summary(&report))?;
        }
    }
    Ok(Exit::Done)
}

fn read(dir: &Path) -> anyhow::Result<Groups> {
    let (mut reader, mut groups) = (Reader::from_start(dir)?, Groups::default());
    while let Some(entry) = reader.next_entry()? {
        if let Some(Event::QueryJudged(judged)) = entry.event() {
            groups.add(&judged);
        }
    }
    Ok(groups)
}

fn show(group: &Shown, console: &mut Console) -> anyhow::Result<()> {
    let what = printable(&group.what, TEXT_MAX);
    console.line(format!("{:>7}  {}", group.count, Tone::Strong.paint(&what)))?;
    let mut happened = Vec::new();
    for (count, word) in [(group.refused, "refused"), (group.held, "held"), (group.would, "would be")] {
        if count > 0 {
            happened.push(format!("{count} {word}"));
        }
    }
    console.line(Tone::Dim.paint(&format!("         {}; for example {}", happened.join(", "), group.example)))?;
    if let Some(allow) = &group.allow {
        console.line(format!("         to allow it: {}", printable(allow, 2 * TEXT_MAX)))?;
    }
    Ok(())
}

fn summary(report: &group::Report) -> String {
    let queries = if report.queries == 1 { "1 query".to_owned() } else { format!("{} queries", report.queries) };
    let left_out = match report.left_out {
        0 => String::new(),
        n => format!("; {n} more in further groups"),
    };
    if report.groups.is_empty() {
        return format!("{} {queries}, none refused, held or changed", Tone::Good.paint("clean:"));
    }
    format!("{queries}, {} refused, held or changed, or would have been{left_out}", report.touched)
}
