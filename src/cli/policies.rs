//! What the policy verbs share: reading policies, and showing what is wrong with them.

use std::path::PathBuf;

use serde::Serialize;

use super::Console;
use super::console::Tone;
use crate::compile::{self, Diagnostic, Document, Severity};
use crate::standalone::{PolicyFile, gather};

/// Policies as they were read, with their files to show problems in.
pub(super) struct Policies {
    pub(super) files: Vec<PolicyFile>,
    /// The documents of all files, or every problem of their shape.
    pub(super) documents: Result<Vec<Document>, Vec<Diagnostic>>,
}

impl Policies {
    /// Reads files and folders. Fails when one cannot be read at all.
    pub(super) fn read(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let files = gather(paths)?;
        let documents = crate::standalone::documents(&files);
        Ok(Self { files, documents })
    }

    /// A diagnostic in full.
    pub(super) fn show(&self, diagnostic: &Diagnostic) -> String {
        let plain = compile::render(diagnostic, text_of(&self.files, diagnostic));
        let tone = match diagnostic.severity {
            Severity::Error => Tone::Bad,
            Severity::Warning => Tone::Caution,
        };
        let word = diagnostic.severity.name();
        format!("{}{}\n", tone.paint(word), plain.strip_prefix(word).unwrap_or(&plain))
    }

    /// Writes every diagnostic to standard error.
    pub(super) fn note_all(&self, diagnostics: &[Diagnostic], console: &mut Console) -> std::io::Result<()> {
        diagnostics.iter().try_for_each(|d| console.note(self.show(d)))
    }
}

fn text_of<'a>(files: &'a [PolicyFile], diagnostic: &Diagnostic) -> Option<&'a str> {
    let at = diagnostic.at.as_ref()?;
    files.iter().find(|f| f.name == at.file).map(|f| f.text.as_str())
}

/// A diagnostic for programs.
#[derive(Debug, Serialize)]
pub(super) struct Entry<'a> {
    #[serde(flatten)]
    diagnostic: &'a Diagnostic,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

impl<'a> Entry<'a> {
    pub(super) fn new(diagnostic: &'a Diagnostic, files: &[PolicyFile]) -> Self {
        let place = diagnostic.at.as_ref().zip(text_of(files, diagnostic));
        let (line, column) = place.map(|(at, text)| compile::position(text, at.span.start)).unzip();
        Self { diagnostic, line, column }
    }
}
