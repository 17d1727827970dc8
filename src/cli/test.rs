//! `countersign test`: unit tests of policies. The format is described in `docs/policy-tests.md`.

mod case;
mod report;

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use self::case::{Case, Suite};
use self::report::Outcome;
use super::policies::Policies;
use super::{Console, Exit, Output};
use crate::base::{Clock, SystemClock};
use crate::compile::{self, Compilation};
use crate::rules::Workload;

/// Longest test file.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Run unit tests of policies: queries with the verdict, rules and redactions that are expected.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files of tests.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How to write the results.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(arguments: &Arguments, console: &mut Console) -> anyhow::Result<Exit> {
    let mut outcomes = Vec::new();
    for path in &arguments.files {
        match suite(path, console)? {
            Some(more) => outcomes.extend(more),
            None => return Ok(Exit::Unusable),
        }
    }
    match arguments.output {
        Output::Json => console.json(&outcomes)?,
        Output::Table => report::show(&outcomes, console)?,
    }
    Ok(if outcomes.iter().all(Outcome::passed) { Exit::Done } else { Exit::Findings })
}

/// Runs one file; `None` when it or its policies cannot be used, which has been said then.
fn suite(path: &Path, console: &mut Console) -> anyhow::Result<Option<Vec<Outcome>>> {
    let name = path.display().to_string();
    let text = read(path)?;
    let suite: Suite = match compile::read_value(&name, &text) {
        Ok(suite) => suite,
        Err(found) => {
            console.note(compile::render(&found, Some(&text)))?;
            return Ok(None);
        }
    };
    let beside = path.parent().unwrap_or(Path::new(""));
    let workload = suite.workload();
    let Some(compilation) = policies(&suite, beside, &workload, console)? else { return Ok(None) };
    let now = SystemClock::default().now();
    let mut outcomes = Vec::new();
    for case in &suite.tests {
        let body = body(case, beside).with_context(|| format!("{name}: test `{}`", case.name))?;
        outcomes.push(Outcome::new(&name, case, case::run(case, body, &workload, &compilation, now)));
    }
    Ok(Some(outcomes))
}

fn policies(
    suite: &Suite,
    beside: &Path,
    workload: &Workload,
    console: &mut Console,
) -> anyhow::Result<Option<Compilation>> {
    let paths: Vec<_> = suite.policies.iter().map(|p| beside.join(p)).collect();
    let policies = Policies::read(&paths)?;
    let compiled = match &policies.documents {
        Ok(documents) => compile::compile(documents, workload),
        Err(found) => Err(found.clone()),
    };
    match compiled {
        Ok(compilation) => Ok(Some(compilation)),
        Err(found) => {
            policies.note_all(&found, console)?;
            Ok(None)
        }
    }
}

fn body(case: &Case, beside: &Path) -> anyhow::Result<bytes::Bytes> {
    Ok(match (&case.query, &case.body, &case.body_file) {
        (Some(query), None, None) => serde_json::to_vec(query)?.into(),
        (None, Some(body), None) => body.clone().into(),
        (None, None, Some(file)) => read(&beside.join(file))?.into(),
        (None, None, None) => bytes::Bytes::new(),
        _ => anyhow::bail!("more than one of `query`, `body` and `bodyFile`"),
    })
}

fn read(path: &Path) -> anyhow::Result<String> {
    use std::io::Read as _;
    let unreadable = || format!("cannot read `{}`", path.display());
    let mut text = String::new();
    let file = std::fs::File::open(path).with_context(unreadable)?;
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).with_context(unreadable)?;
    Ok(text)
}
