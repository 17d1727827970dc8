//! Results of policy tests, for people and for programs.

use serde::Serialize;

use super::super::Console;
use super::super::console::Tone;
use super::case::{Case, Run};
use crate::approvals::{Lines, visible};
use crate::rules::Verdict;

/// What came of one test.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome {
    file: String,
    name: String,
    passed: bool,
    verdict: Verdict,
    rules: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
}

impl Outcome {
    pub(super) fn new(file: &str, case: &Case, run: Run) -> Self {
        let Run { verdict, rules, code, problems } = run;
        let passed = problems.is_empty();
        Self { file: file.to_owned(), name: case.name.clone(), passed, verdict, rules, code, problems }
    }

    pub(super) const fn passed(&self) -> bool {
        self.passed
    }
}

/// Writes the results file by file.
pub(super) fn show(outcomes: &[Outcome], console: &mut Console) -> std::io::Result<()> {
    let mut file = None;
    for outcome in outcomes {
        if file != Some(&outcome.file) {
            console.line(Tone::Strong.paint(&visible(&outcome.file, Lines::Escape)))?;
            file = Some(&outcome.file);
        }
        let name = visible(&outcome.name, Lines::Escape);
        let word = if outcome.passed { Tone::Good.paint("ok  ") } else { Tone::Bad.paint("FAIL") };
        console.line(format!("  {word} {name}"))?;
        for problem in &outcome.problems {
            console.line(format!("       {}", visible(problem, Lines::Escape)))?;
        }
    }
    let passed = outcomes.iter().filter(|o| o.passed).count();
    let failed = outcomes.len() - passed;
    let tone = if failed == 0 { Tone::Good } else { Tone::Bad };
    console.line(tone.paint(&format!("{passed} passed, {failed} failed")))
}
