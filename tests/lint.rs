//! Golden diagnostics: every file of `corpus/lint` is read and checked; what people are shown is compared with the file
//! beside it that ends in `.stderr`. `UPDATE=1` rewrites those files.

#![expect(clippy::unwrap_used, reason = "a helper of tests may fail the test")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use countersign::compile::{self, Diagnostic, Severity};

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/lint");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|e| e.unwrap().path()).filter(|p| p.extension().unwrap() == "yaml").collect();
    paths.sort();
    paths
}

fn found(name: &str, text: &str) -> Vec<Diagnostic> {
    match compile::read(name, text).and_then(|documents| compile::check(&documents)) {
        Ok(compilation) => compilation.warnings,
        Err(found) => found,
    }
}

#[test]
fn diagnostics_are_shown_as_recorded() {
    let mut wrong = String::new();
    for path in cases() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let shown: String = found(name, &text).iter().map(|d| compile::render(d, Some(&text)) + "\n").collect();
        let golden = path.with_extension("stderr");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&golden, &shown).unwrap();
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != shown {
            let _ = writeln!(wrong, "--- {name}\n{shown}");
        }
    }
    assert!(wrong.is_empty(), "not as recorded (UPDATE=1 rewrites):\n{wrong}");
}

#[test]
fn every_problem_has_a_place_and_the_good_cases_have_none() {
    for path in cases() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let found = found(name, &text);
        assert_eq!(
            found.iter().any(|d| d.severity == Severity::Error || !name.starts_with("good-")),
            !name.starts_with("good-"),
            "{name}: {found:?}"
        );
        for diagnostic in found {
            let at = diagnostic.at.as_ref().unwrap_or_else(|| panic!("{name}: {diagnostic} has no place"));
            assert!(text.get(at.span.clone()).is_some(), "{name}: {diagnostic} points outside the file");
        }
    }
}
