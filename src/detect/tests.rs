//! Tests of the table: accept and reject per detector, and what holds of all.

use proptest::prelude::*;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::*;

mod fixtures;
use fixtures::{CONTROL, Case, PERSONAL, SECRETS, TOLD, spell};

/// The longest match of any detector but private keys, in bytes.
const MATCH_BYTES_MAX: usize = 4096;
/// The longest match of a private key.
const KEY_BYTES_MAX: usize = 8 << 10;

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
    let longest = properties.maximum_len().unwrap_or(usize::MAX);
    let most = if detector.mark == "PRIVATE_KEY" { KEY_BYTES_MAX } else { MATCH_BYTES_MAX };
    if !has_only_ascii_classes(&hir) {
        Some("a class beyond ASCII".to_owned())
    } else if properties.look_set().contains_word_unicode() {
        Some("a Unicode word boundary".to_owned())
    } else if longest > most {
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
        assert!(
            detector.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
            "{detector:?}"
        );
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

fn found(name: &str, text: &str) -> Vec<String> {
    let detector = by_name(name).unwrap_or_else(|| panic!("no detector `{name}`"));
    find(text, &[detector]).iter().map(|hit| text[hit.range.clone()].to_owned()).collect()
}

/// Every failure of a table at once, each as one line.
#[track_caller]
fn check(table: &[Case], fails: impl Fn(&str, &str, bool) -> Option<String>) {
    let mut faults = Vec::new();
    for (name, accept, reject) in table {
        faults.extend(accept.iter().filter_map(|text| fails(name, text, true)));
        faults.extend(reject.iter().filter_map(|text| fails(name, text, false)));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn personal_data_is_found_in_prose_to_its_last_byte() {
    check(PERSONAL, |name, text, accept| {
        let expected: &[&str] = if accept { &[text] } else { &[] };
        let frames = [("", ""), ("It is ", ", thanks."), ("(", ")"), ("\u{e9}\n", "\n\u{4e2d}"), ("id=", "&x=y")];
        frames.iter().find_map(|(before, after)| {
            let prose = format!("{before}{text}{after}");
            let found = found(name, &prose);
            (found != expected).then(|| format!("{name}: {prose:?} gave {found:?}"))
        })
    });
}

#[test]
fn numbers_without_a_shape_are_found_after_their_words() {
    check(TOLD, |name, text, accept| {
        let expected: Vec<_> = if accept { text.split('|').skip(1).step_by(2).collect() } else { Vec::new() };
        let found = found(name, &text.replace('|', ""));
        (found != expected).then(|| format!("{name}: {text:?} gave {found:?}"))
    });
}

#[test]
fn telephone_numbers_are_not_national_numbers() {
    let forms = ["+1 415 555 ", "+1-415-555-", "+1415555", "(415) 555-", "415-555-", "415 555 ", "415555"];
    let lines: Vec<String> =
        (0..10_000).step_by(7).flat_map(|n| forms.map(|form| format!("call {form}{n:04}\n"))).collect();
    let text = lines.concat();
    let hits: Vec<_> =
        find(&text, &named("national-ids").unwrap()).into_iter().map(|hit| (hit.detector, &text[hit.range])).collect();
    assert!(hits.is_empty(), "{} hits: {:?}", hits.len(), &hits[..hits.len().min(10)]);
}

#[test]
fn secrets_are_found_and_their_near_misses_are_not() {
    check(SECRETS, |name, template, accept| {
        let text = format!("see {} please", spell(template));
        let found = found(name, &text);
        (found.len() != usize::from(accept)).then(|| format!("{name}: {text:?} gave {found:?}"))
    });
}

#[test]
fn control_tokens_are_found() {
    check(CONTROL, |name, text, accept| {
        let found = found(name, &format!("say {text} now"));
        let expected: &[&str] = if accept { &[text] } else { &[] };
        (found != expected).then(|| format!("{name}: {text:?} gave {found:?}"))
    });
}

#[test]
fn every_detector_has_examples_of_both_kinds() {
    for name in names() {
        let of = |table: &[Case]| {
            table.iter().any(|(n, accept, reject)| *n == name && !accept.is_empty() && !reject.is_empty())
        };
        assert!([PERSONAL, TOLD, SECRETS, CONTROL].into_iter().any(of), "{name}");
    }
}

#[test]
fn every_keyword_stands_in_an_example_or_in_the_pattern() {
    let tables = [PERSONAL, TOLD, SECRETS, CONTROL].concat();
    let mut faults = Vec::new();
    for detector in all().filter(|detector| detector.context_bytes == 0) {
        let examples: String = tables
            .iter()
            .filter(|(name, ..)| *name == detector.name)
            .flat_map(|(_, accept, _)| accept.iter())
            .map(|t| spell(t))
            .collect();
        let pattern = detector.pattern.replace('\\', "");
        let all = format!("{examples}{pattern}").to_ascii_lowercase();
        for keyword in detector.keywords.iter().filter(|keyword| keyword.is_ascii()) {
            if !all.contains(&keyword.to_ascii_lowercase()) && !varies(detector, keyword) {
                faults.push(format!("{detector:?}: `{keyword}`"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Whether a keyword is spelled by a class of the pattern: the pattern and the keyword share a beginning.
fn varies(detector: &Detector, keyword: &str) -> bool {
    keyword.get(..2).is_some_and(|start| detector.pattern.to_ascii_lowercase().contains(&start.to_ascii_lowercase()))
        || detector.name == "template-tokens"
}

#[test]
fn plain_prose_and_code_hold_nothing() {
    let prose = "The quick brown fox jumps over 13 lazy dogs on 2024-05-12 at 12:30:45, version 1.2.3, for $4.50. \
                 See section 3.1.4 of RFC 9110, pages 12-15; call fn main() { let token = next_token(stream); } \
                 SELECT id, name FROM users WHERE id = 42; commit 3f2a9c1d8e7b6a5f4e3d2c1b0a9f8e7d6c5b4a39. \
                 Internationalization and counterrevolutionaries are long words; so is Donaudampfschifffahrt.";
    let all: Vec<_> = all().collect();
    let hits: Vec<_> = find(prose, &all).into_iter().map(|hit| (hit.detector, &prose[hit.range])).collect();
    assert!(hits.is_empty(), "{hits:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_candidate_makes_a_check_panic(text in "\\PC{0,60}", number in "[0-9A-Z .:/()+-]{0,40}") {
        for detector in all() {
            let _ = detector.confirms(&text);
            let _ = detector.confirms(&number);
        }
    }
}
