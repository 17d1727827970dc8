//! The plain reading of a text: every detector by itself. For tests, tools and the naive evaluator; the engine has its
//! own matcher, and must find the same.
//!
//! Knows nothing of how to be fast.

use std::ops::Range;

use regex_automata::meta::Regex;

use super::Detector;

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
    let mut hits = Vec::new();
    for captures in regex.captures_iter(text) {
        let Some(whole) = captures.get_match() else { continue };
        let candidate = text.get(whole.range()).unwrap_or_default();
        if in_context(text, whole.range(), detector) && detector.confirms(candidate) {
            let range = captures.get_group_by_name("secret").map_or(whole.range(), |span| span.start..span.end);
            hits.push(Hit { detector, range });
        }
    }
    hits
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
