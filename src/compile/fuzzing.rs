//! Fuzz target of this room: any text as a file of policies. Panics where it finds a fault.

use std::collections::BTreeMap;

use super::{Diagnostic, check, compile, read, render};
use crate::base::fuzzing::corpus;
use crate::rules::Workload;

/// Every policy of the corpus, and every file that lint complains about.
#[must_use]
pub fn files() -> Vec<Vec<u8>> {
    ["lint", "rules", "bypass", "accept-policies"]
        .iter()
        .flat_map(|folder| corpus(folder, "yaml"))
        .map(|(_, text)| text)
        .collect()
}

/// Reads and compiles: the same twice, what is accepted can be loaded, and every complaint points into the text.
pub fn policies(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let documents = match (read("fuzz.yaml", text), read("fuzz.yaml", text)) {
        (Ok(documents), Ok(_)) => documents,
        (Err(one), Err(two)) => {
            assert_eq!(one, two);
            return all_point_into(text, &one);
        }
        (one, two) => unreachable!("read once: {:?} {:?}", one.is_ok(), two.is_ok()),
    };
    let workload = Workload { namespace: "default".to_owned(), name: "model".to_owned(), labels: BTreeMap::new() };
    let (one, two, loaded) = (check(&documents), check(&documents), compile(&documents, &workload));
    match (&one, &two) {
        (Ok(one), Ok(two)) => {
            assert_eq!(one.rule_set.revision(), two.rule_set.revision());
            all_point_into(text, &one.warnings);
            assert!(loaded.is_ok(), "accepted, and cannot be loaded: {:?}", loaded.err());
        }
        (Err(one), Err(two)) => {
            assert_eq!(one, two);
            all_point_into(text, one);
        }
        (one, two) => unreachable!("compiled once: {:?} {:?}", one.is_ok(), two.is_ok()),
    }
}

fn all_point_into(text: &str, found: &[Diagnostic]) {
    for found in found {
        points_into(text, found);
    }
}

fn points_into(text: &str, found: &Diagnostic) {
    if let Some(at) = &found.at {
        assert!(text.get(at.span.clone()).is_some(), "{found:?} points beside the text");
    }
    let shown = render(found, Some(text));
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fuzzing::drive;

    #[test]
    fn any_text_is_compiled_or_complained_about() {
        drive(&files(), policies);
    }
}
