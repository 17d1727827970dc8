//! The plain reading of a text: every detector by itself. For tests, tools and the naive evaluator; the engine has its
//! own matcher, and must find the same.
//!
//! Knows nothing of how to be fast.

use std::ops::Range;

use regex_automata::Input;
use regex_automata::meta::Regex;

use super::Detector;

/// A failed candidate of at most this length is looked into again for another that starts later.
const RETRY_BYTES_MAX: usize = 64;

/// A confirmed match.
#[derive(Debug, Clone)]
pub struct Hit {
    /// Whose.
    pub detector: &'static Detector,
    /// The bytes to redact: the group `secret` of the pattern, or the whole match.
    pub range: Range<usize>,
}

/// All confirmed matches of `detectors` in `text`, by detector, then by place.
///
/// # Panics
/// When a pattern of the table does not compile; a test holds that all do.
#[must_use]
pub fn find(text: &str, detectors: &[&'static Detector]) -> Vec<Hit> {
    detectors.iter().flat_map(|detector| find_one(text, detector)).collect()
}

fn find_one(text: &str, detector: &'static Detector) -> Vec<Hit> {
    // Most texts hold none of the keywords of most detectors: a reference, but not a slow one.
    if !detector.keywords.is_empty() && !holds(text, detector.keywords) {
        return Vec::new();
    }
    let regex = Regex::new(detector.pattern).expect("every pattern of the table compiles, says a test");
    let mut captures = regex.create_captures();
    let mut hits = Vec::new();
    let mut at = 0;
    while at < text.len() {
        regex.search_captures(&Input::new(text).span(at..text.len()), &mut captures);
        let Some(whole) = captures.get_match().map(|found| found.range()) else { break };
        let candidate = text.get(whole.clone()).unwrap_or_default();
        if in_context(text, whole.clone(), detector) && detector.confirms_at(text, whole.clone()) {
            at = whole.end;
            let range = captures.get_group_by_name("secret").map_or(whole, |span| span.start..span.end);
            hits.push(Hit { detector, range });
        } else {
            at = whole.start + resume(candidate);
        }
    }
    hits
}

/// How many bytes of a failed candidate are passed over: all of a long one; of a short one its first run of letters and
/// digits, or of others, since a number before a card number must not hide it.
fn resume(candidate: &str) -> usize {
    let mut kinds = candidate.char_indices().map(|(i, c)| (i, c.is_alphanumeric()));
    let Some((_, first)) = kinds.next() else { return 1 };
    let next = kinds.find(|(_, kind)| *kind != first).map(|(i, _)| i);
    next.filter(|_| candidate.len() <= RETRY_BYTES_MAX).unwrap_or(candidate.len())
}

/// Whether a keyword of the detector stands near enough.
fn in_context(text: &str, range: Range<usize>, detector: &Detector) -> bool {
    if detector.keywords.is_empty() {
        return true;
    }
    let start = text.ceil_char_boundary(range.start.saturating_sub(detector.context_bytes));
    let end = text.floor_char_boundary(range.end.saturating_add(detector.context_bytes).min(text.len()));
    holds(text.get(start..end).unwrap_or_default(), detector.keywords)
}

fn holds(text: &str, keywords: &[&str]) -> bool {
    let lower = text.to_ascii_lowercase();
    keywords.iter().any(|keyword| lower.contains(&keyword.to_ascii_lowercase()))
}
