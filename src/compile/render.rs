//! Diagnostics as people read them: the message, the place, the line, a caret under the value, what to do.
//!
//! Guarantees that no control character of a file reaches a terminal.

use std::fmt::Write as _;

use super::{Diagnostic, Location};

/// Longest line shown, in characters; longer ones are cut around the caret.
const LINE_CHARS_MAX: usize = 160;
/// What is kept before the caret when a line is cut.
const LEAD_CHARS: usize = 60;

/// Line and column of a byte, both from 1; columns count characters.
#[must_use]
pub fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |n| n + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

/// A diagnostic in full, ended by a line break. `text` is the file that it names; without it, or without a place,
/// there is no excerpt.
#[must_use]
pub fn render(diagnostic: &Diagnostic, text: Option<&str>) -> String {
    let mut out = format!("{}: {}\n", diagnostic.severity.name(), clean(&diagnostic.message));
    let gutter = match (&diagnostic.at, text) {
        (Some(at), Some(text)) => excerpt(&mut out, at, text),
        (Some(at), None) => {
            let _ = writeln!(out, " --> {}", clean(&at.file));
            1
        }
        (None, _) => 1,
    };
    let pad = " ".repeat(gutter);
    if let Some(object) = &diagnostic.object {
        let field = if diagnostic.path.is_empty() { String::new() } else { format!(", `{}`", diagnostic.path) };
        let _ = writeln!(out, "{pad} = in: {}{}", clean(object), clean(&field));
    }
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(out, "{pad} = help: {}", clean(help));
    }
    out
}

/// Writes the place, the line and the caret; answers how wide the line number is.
fn excerpt(out: &mut String, at: &Location, text: &str) -> usize {
    let start = at.span.start.min(text.len());
    let (line, column) = position(text, start);
    let line_start = text.get(..start).and_then(|t| t.rfind('\n')).map_or(0, |n| n + 1);
    let whole = text.get(line_start..).unwrap_or_default();
    let whole = whole.split('\n').next().unwrap_or_default().trim_end_matches('\r');
    let (shown, caret) = window(whole, column - 1);
    let value = text.get(start..at.span.end.clamp(start, text.len())).unwrap_or_default();
    let value = value.split('\n').next().unwrap_or_default().trim_end();
    let room = shown.chars().count().saturating_sub(caret);
    let carets = value.chars().count().min(room).max(1);
    let number = line.to_string();
    let pad = " ".repeat(number.len());
    let _ = writeln!(out, "{pad}--> {}:{line}:{column}", clean(&at.file));
    let _ = writeln!(out, "{pad} |\n{number} | {shown}\n{pad} | {}{}", " ".repeat(caret), "^".repeat(carets));
    number.len()
}

/// The part of a line around the caret, and where the caret stands in it.
fn window(line: &str, caret: usize) -> (String, usize) {
    let chars: Vec<char> = clean(line).chars().collect();
    if chars.len() <= LINE_CHARS_MAX {
        return (chars.into_iter().collect(), caret);
    }
    let from = caret.saturating_sub(LEAD_CHARS).min(chars.len());
    let to = (from + LINE_CHARS_MAX).min(chars.len());
    let (head, tail) = (if from > 0 { "…" } else { "" }, if to < chars.len() { "…" } else { "" });
    let middle: String = chars.get(from..to).unwrap_or_default().iter().collect();
    (format!("{head}{middle}{tail}"), caret - from + usize::from(from > 0))
}

/// One character for each that a terminal would act on, so that columns stay.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == '\t' {
                ' '
            } else if hostile(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// Control characters and those that turn the writing direction.
fn hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
