//! Tests of the table: accept and reject per detector, and what holds of all.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::*;

/// The longest match of any detector but private keys, in bytes.
const MATCH_BYTES_MAX: usize = 4096;

fn all() -> impl Iterator<Item = &'static Detector> {
    names().map(|name| by_name(name).expect("a name of the table"))
}

fn has_only_ascii_classes(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => class.is_ascii(),
        HirKind::Class(Class::Bytes(class)) => class.is_ascii(),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Look(_) => true,
        HirKind::Repetition(repetition) => has_only_ascii_classes(&repetition.sub),
        HirKind::Capture(capture) => has_only_ascii_classes(&capture.sub),
        HirKind::Concat(hirs) | HirKind::Alternation(hirs) => hirs.iter().all(has_only_ascii_classes),
    }
}

#[test]
fn every_pattern_compiles_with_ascii_classes_and_bounded_length() {
    let faults: Vec<_> = all().filter_map(|detector| Some((detector, fault(detector)?))).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

/// What is wrong with a detector's pattern.
fn fault(detector: &Detector) -> Option<String> {
    let hir = match ParserBuilder::new().build().parse(detector.pattern) {
        Ok(hir) => hir,
        Err(error) => return Some(error.to_string()),
    };
    let properties = hir.properties();
    // The body of a key is one run of one class: without a bound it compiles to nothing, with one to megabytes.
    let unbounded = detector.mark == "PRIVATE_KEY";
    let longest = properties.maximum_len().unwrap_or(if unbounded { 0 } else { usize::MAX });
    if !has_only_ascii_classes(&hir) {
        Some("a class beyond ASCII".to_owned())
    } else if properties.look_set().contains_word_unicode() {
        Some("a Unicode word boundary".to_owned())
    } else if longest > MATCH_BYTES_MAX {
        Some(format!("matches {longest} bytes"))
    } else if properties.minimum_len().unwrap_or(0) < 3 {
        Some("matches almost nothing".to_owned())
    } else {
        regex_automata::meta::Regex::new(detector.pattern).err().map(|error| error.to_string())
    }
}

#[test]
fn names_and_marks_are_well_formed_and_unique() {
    let names: Vec<_> = names().collect();
    assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    for detector in all() {
        assert!(detector.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{detector:?}");
        assert!(detector.mark.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{detector:?}");
        assert!(detector.about.ends_with('.'), "{detector:?}");
        assert!(detector.context_bytes == 0 || !detector.keywords.is_empty(), "{detector:?}");
        assert!(group(detector.name).is_none());
    }
}

#[test]
fn there_are_as_many_kinds_as_promised() {
    assert!(group("secrets").unwrap().detectors().count() >= 60);
    assert!(group("national-ids").unwrap().detectors().count() >= 8);
    assert_eq!(named("secrets").unwrap().len(), group("secrets").unwrap().detectors().count());
    assert_eq!(named("email").unwrap().len(), 1);
    assert!(named("no-such-thing").is_none());
}
