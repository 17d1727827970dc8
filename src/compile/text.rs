//! Checks of single texts that several kinds share: names, lists, durations, patterns, keywords.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::duration::show;
use super::limits::{KEYWORD_CHARS_MAX, KEYWORDS_MAX, LIST_MAX, NAME_BYTES_MAX, REGEX_BYTES_MAX};
use super::path::FieldPath;
use super::report::Report;

/// Whether a text has no control characters.
pub(super) fn printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// Reports every name that was used before.
pub(super) fn unique<'a>(
    names: impl Iterator<Item = &'a str>,
    path: impl Fn(usize) -> FieldPath,
    what: &str,
    report: &mut Report<'_>,
) {
    let mut seen = BTreeSet::new();
    for (i, name) in names.enumerate() {
        if !seen.insert(name) {
            report.error(&path(i), format!("duplicate {what} name `{name}`"));
        }
    }
}

/// A duration within bounds.
pub(super) fn span_of_time(
    text: &str,
    path: &FieldPath,
    bounds: RangeInclusive<Duration>,
    report: &mut Report<'_>,
) -> Option<Duration> {
    let duration = match super::duration(text) {
        Ok(duration) => duration,
        Err(flaw) => {
            let error = report.error(path, flaw.to_string());
            if let Some(days) = text.strip_suffix('d').and_then(|d| d.parse::<u64>().ok()) {
                error.help(format!("{days} days are `{}h`", days.saturating_mul(24)));
            }
            return None;
        }
    };
    if bounds.contains(&duration) {
        return Some(duration);
    }
    report.error(path, format!("must be between {} and {}", show(*bounds.start()), show(*bounds.end())));
    None
}

/// A list that must hold something, but not too much.
pub(super) fn bounded_list(len: usize, path: &FieldPath, what: &str, report: &mut Report<'_>) {
    if len == 0 {
        report.error(path, "an empty list matches nothing").help(format!("name at least one {what}, or leave it out"));
    } else if len > LIST_MAX {
        report.error(path, format!("more than {LIST_MAX} entries in one list"));
    }
}

/// A route, model or place: short, printable, `*` at the end only where the caller allows it.
pub(super) fn pattern_name(name: &str, path: &FieldPath, what: &str, report: &mut Report<'_>) {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !printable(name) {
        report.error(path, format!("a {what} is 1 to {NAME_BYTES_MAX} printable characters"));
    } else if name.find('*').is_some_and(|at| at + 1 != name.len()) {
        report.error(path, "`*` may stand at the end only");
    }
}

/// A list of words and phrases.
pub(super) fn keywords(words: &[String], path: &FieldPath, report: &mut Report<'_>) {
    if words.is_empty() {
        report.error(path, "an empty list matches nothing").help("name at least one keyword, or leave it out");
    }
    if words.len() > KEYWORDS_MAX {
        report.error(path, format!("more than {KEYWORDS_MAX} keywords in one list"));
    }
    let mut seen = BTreeSet::new();
    for (i, word) in words.iter().enumerate() {
        let path = path.index(i);
        if word.trim().is_empty() {
            report.error(&path, "an empty keyword would match everything").help("remove it");
        } else if word.chars().count() > KEYWORD_CHARS_MAX {
            report
                .error(&path, format!("a keyword is at most {KEYWORD_CHARS_MAX} characters long"))
                .help("use its most telling words");
        } else if !seen.insert(word.to_lowercase()) {
            report.warning(&path, format!("`{word}` is in the list twice")).help("case does not matter for keywords");
        }
    }
}

/// A regular expression, as far as its grammar goes; its cost is judged when the rule set is built.
pub(super) fn regex(pattern: &str, path: &FieldPath, report: &mut Report<'_>) {
    if pattern.is_empty() {
        report.error(path, "an empty pattern would match everything").help("remove it");
        return;
    }
    if pattern.len() > REGEX_BYTES_MAX {
        report.error(path, format!("a pattern is at most {REGEX_BYTES_MAX} bytes long")).help("split it into several");
        return;
    }
    if let Err(error) = regex_syntax::ast::parse::Parser::new().parse(pattern) {
        let span = error.span();
        let within = span.start.offset..span.end.offset.max(span.start.offset);
        let at = pattern.get(..span.start.offset).map_or(0, |before| before.chars().count()) + 1;
        let message = format!("not a regular expression, at character {at}: {}", error.kind());
        let look_around = matches!(error.kind(), regex_syntax::ast::ErrorKind::UnsupportedLookAround);
        let diagnostic = report.error_within(path, within, message);
        if look_around {
            diagnostic.help("leave the look-around out, or put its condition into `noneOf`");
        }
    }
}
