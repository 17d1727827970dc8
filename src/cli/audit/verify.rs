//! `countersign audit verify`: whether the log is what was written.

use crate::audit::{self, Head, Report};
use crate::cli::console::Tone;
use crate::cli::data_dir::DataDir;
use crate::cli::printable::printable;
use crate::cli::{Console, Exit, Output};

/// Check that nothing in the audit log was changed, removed, added or moved.
///
/// Exit status: 0 intact, 1 not, 2 there is no log or it cannot be read.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    data: DataDir,
    /// A head kept from an earlier run: the log must still hold that entry, so nothing up to it was cut off or rewritten.
    #[arg(long, value_name = "SEQ:HASH")]
    head: Option<Head>,
    /// How to write the result.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// The result for programs.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    intact: bool,
    entries: u64,
    files: u32,
    log: Option<String>,
    head: Option<String>,
    unfinished_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

#[derive(serde::Serialize)]
struct Problem {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    message: String,
}

pub(super) fn run(arguments: &Arguments, console: &mut Console) -> anyhow::Result<Exit> {
    let dir = arguments.data.path()?;
    let report = audit::verify(&dir, arguments.head)?;
    let problem = problem(&report, audit::in_use(&dir));
    let exit = if problem.is_none() { Exit::Done } else { Exit::Findings };
    match arguments.output {
        Output::Json => console.json(&shown(&report, problem))?,
        Output::Table => {
            for line in lines(&report, problem.as_ref()) {
                console.line(line)?;
            }
        }
    }
    Ok(exit)
}

/// What is wrong. An unfinished last entry is being written right now when a gate has the log open.
fn problem(report: &Report, in_use: bool) -> Option<Problem> {
    if let Some(fault) = &report.fault {
        let named = (fault.line > 0).then(|| (printable(&fault.file, 80), fault.line));
        let (file, line) = named.unzip();
        return Some(Problem { file, line, message: fault.kind.to_string() });
    }
    (report.unfinished_bytes > 0 && !in_use).then(|| Problem {
        file: None,
        line: None,
        message: format!(
            "the log ends in {} bytes of an unfinished entry: torn by a crash or edited; the gate sets them aside at its next start",
            report.unfinished_bytes
        ),
    })
}

fn shown(report: &Report, problem: Option<Problem>) -> Shown {
    Shown {
        intact: problem.is_none(),
        entries: report.entries,
        files: report.files,
        log: report.log.clone(),
        head: report.head.map(|head| head.to_string()),
        unfinished_bytes: report.unfinished_bytes,
        problem,
    }
}

fn lines(report: &Report, problem: Option<&Problem>) -> Vec<String> {
    let entries = if report.entries == 1 { "1 entry".to_owned() } else { format!("{} entries", report.entries) };
    let files = if report.files == 1 { "1 file".to_owned() } else { format!("{} files", report.files) };
    if let Some(problem) = problem {
        let place = match (&problem.file, problem.line) {
            (Some(file), Some(line)) => format!("{file}, line {line}: "),
            _ => String::new(),
        };
        let not = Tone::Bad.paint("not intact:");
        return vec![format!("{not} {place}{}", problem.message), format!("{entries} before that are intact")];
    }
    let mut lines = vec![format!("{} {entries} in {files}", Tone::Good.paint("intact:"))];
    if let Some(head) = report.head {
        lines.push(format!("head: {head}"));
        lines.push("Keep the head somewhere else: `--head` shows later that nothing up to it was cut off.".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Fault, FaultKind};

    fn report() -> Report {
        Report { entries: 3, files: 1, ..Report::default() }
    }

    #[test]
    fn an_unfinished_end_is_a_problem_only_when_nobody_writes() {
        let report = Report { unfinished_bytes: 9, ..report() };
        assert!(problem(&report, true).is_none());
        assert!(problem(&report, false).unwrap().message.contains("9 bytes"));
        assert!(problem(&self::report(), false).is_none());
    }

    #[test]
    fn a_fault_is_named_by_file_and_line() {
        let fault = Fault { file: "audit.jsonl".to_owned(), line: 4, kind: FaultKind::Changed };
        let report = Report { fault: Some(fault), ..report() };
        let lines = lines(&report, problem(&report, false).as_ref());
        assert!(lines[0].contains("audit.jsonl, line 4: this entry was changed"), "{}", lines[0]);
        assert_eq!(lines[1], "3 entries before that are intact");
    }
}
