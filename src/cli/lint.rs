//! `countersign lint`: checks policies, exceptions and chains without loading them anywhere.

use std::path::PathBuf;

use anyhow::bail;

use super::console::Tone;
use super::policies::{Entry, Policies};
use super::{Console, Exit, Output};
use crate::base::{Clock as _, SystemClock};
use crate::compile::{self, Compilation, Diagnostic, Severity};

/// Check policies and approval chains: what passes here can be loaded.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files, or folders whose *.yaml and *.yml files are read (not their sub-folders).
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// How to write what was found.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(arguments: &Arguments, console: &mut Console) -> anyhow::Result<Exit> {
    let policies = Policies::read(&arguments.paths)?;
    if policies.files.is_empty() {
        bail!("there is no *.yaml or *.yml file to check; folders are read without their sub-folders");
    }
    let result = match &policies.documents {
        Ok(documents) => compile::check(documents).map(|mut compilation| {
            compilation.warnings.extend(compile::ended(documents, SystemClock::default().now()));
            compilation
        }),
        Err(found) => Err(found.clone()),
    };
    let found = match &result {
        Ok(compilation) => &compilation.warnings,
        Err(found) => found,
    };
    match arguments.output {
        Output::Json => {
            console.json(&found.iter().map(|d| Entry::new(d, &policies.files)).collect::<Vec<_>>())?;
        }
        Output::Table => {
            for diagnostic in found {
                console.text(policies.show(diagnostic))?;
            }
            console.line(summary(&policies, result.as_ref().ok(), found))?;
        }
    }
    Ok(if result.is_ok() { Exit::Done } else { Exit::Findings })
}

fn summary(policies: &Policies, compiled: Option<&Compilation>, found: &[Diagnostic]) -> String {
    let files = counted(policies.files.len(), "file");
    let errors = found.iter().filter(|d| d.severity == Severity::Error).count();
    let warnings = match found.len() - errors {
        0 => String::new(),
        n => format!(", {}", counted(n, "warning")),
    };
    match compiled {
        None => format!("{} in {files}{warnings}", Tone::Bad.paint(&counted(errors, "error"))),
        Some(compiled) => {
            let exceptions = match compiled.exceptions {
                0 => String::new(),
                n => format!(" with {}", counted(n, "exception")),
            };
            format!(
                "{}: {}{exceptions} and {} in {files}{warnings}",
                Tone::Good.paint("ok"),
                counted_as(compiled.policies, "policy", "policies"),
                counted(compiled.chains.len(), "chain"),
            )
        }
    }
}

/// `1 file`, `2 files`.
fn counted(n: usize, one: &str) -> String {
    counted_as(n, one, &format!("{one}s"))
}

fn counted_as(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
