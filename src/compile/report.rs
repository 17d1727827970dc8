//! Collects the problems of one object.

use std::ops::Range;

use super::path::FieldPath;
use super::{Diagnostic, Document, Location, Severity};

/// The problems of one object, in the order they were found.
pub(super) struct Report<'a> {
    document: &'a Document,
    title: String,
    found: Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    /// Nothing found yet.
    pub(super) const fn new(document: &'a Document, title: String) -> Self {
        Self { document, title, found: Vec::new() }
    }

    /// Something that makes the object unusable.
    pub(super) fn error(&mut self, path: &FieldPath, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Error, path, message.into(), self.document.locate(path.as_str()))
    }

    /// The same, at a stretch of the field's text.
    pub(super) fn error_within(
        &mut self,
        path: &FieldPath,
        within: Range<usize>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Error, path, message.into(), self.document.locate_within(path.as_str(), within))
    }

    /// Something that is surely not meant.
    pub(super) fn warning(&mut self, path: &FieldPath, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Warning, path, message.into(), self.document.locate(path.as_str()))
    }

    /// A warning at a key.
    pub(super) fn warning_at(&mut self, at: Location, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Warning, &FieldPath::default(), message.into(), Some(at))
    }

    fn add(&mut self, severity: Severity, path: &FieldPath, message: String, at: Option<Location>) -> &mut Diagnostic {
        self.found.push(Diagnostic {
            severity,
            object: Some(self.title.clone()),
            path: path.as_str().to_owned(),
            message,
            help: None,
            at,
        });
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    /// What was found.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        self.found
    }
}

impl Diagnostic {
    /// Adds what to do.
    pub(super) fn help(&mut self, help: impl Into<String>) {
        self.help = Some(help.into());
    }
}
