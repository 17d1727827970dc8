//! What the compiler finds -> a line for a status.

use crate::compile::{Diagnostic, Severity};

/// Most problems of one object that its status names.
const PROBLEMS_MAX: usize = 3;

/// The first problems of an object, for its own status: it need not be told which object.
pub(super) fn own_problems(found: Vec<Diagnostic>) -> String {
    let own: Vec<_> = found.into_iter().map(|one| Diagnostic { object: None, ..one }).collect();
    problems(&own)
}

/// The first problems, with their objects and fields.
pub(super) fn problems(found: &[Diagnostic]) -> String {
    let errors: Vec<_> = found.iter().filter(|one| one.severity == Severity::Error).collect();
    let mut told: Vec<String> = errors.iter().take(PROBLEMS_MAX).map(ToString::to_string).collect();
    if errors.len() > PROBLEMS_MAX {
        told.push(format!("and {} more", errors.len() - PROBLEMS_MAX));
    }
    told.join("; ")
}
