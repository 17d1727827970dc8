//! Text of a query made safe to look at: what would hide, reorder, erase or imitate is spelled out.
//!
//! Must not know where the text is shown. Guarantees that the result holds no control, bidirectional, invisible, tag,
//! private-use or unassigned-by-design character but the line feed where lines are kept, and no towers of accents; so no
//! escape sequence ever reaches a terminal. Doing it twice changes nothing.

use std::fmt::Write as _;

use unicode_normalization::char::is_combining_mark;
use unicode_security::MixedScript as _;

/// Most combining marks in a row; written languages need two or three.
const MARKS_MAX: usize = 4;
/// Longest run of letters looked at as one word when scripts are compared.
const WORD_CHARS_MAX: usize = 128;

/// What becomes of line feeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// They stay.
    Keep,
    /// They are spelled out like any other control character: names, titles, cells of a table.
    Escape,
}

/// The text with every character that is not plainly visible as `<U+202E>`.
#[must_use]
pub fn visible(text: &str, lines: Lines) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        let kept_line = c == '\n' && lines == Lines::Keep;
        if kept_line || (!hidden(c) && marks <= MARKS_MAX) { out.push(c) } else { spell(&mut out, c) }
    }
    out
}

/// Like [`visible`], for a caller's text that stands between our own marks: what looks like one of our escapes or marks
/// is spelled out as well, and words of mixed script are followed by `<mixed script>`.
#[must_use]
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut marks) = (text, 0);
    while let Some(c) = rest.chars().next() {
        let word = word_at(rest);
        if let Some(word) = word.filter(|word| !word.is_single_script()) {
            out.push_str(&visible(word, Lines::Keep));
            out.push_str("<mixed script>");
            rest = rest.get(word.len()..).unwrap_or_default();
            continue;
        }
        let taken = word.map_or(c.len_utf8(), str::len);
        let (now, later) = rest.split_at_checked(taken).unwrap_or((rest, ""));
        for c in now.chars() {
            marks = if is_combining_mark(c) { marks + 1 } else { 0 };
            let imitates = matches!(c, OPEN | CLOSE) || (c == '<' && imitation(later));
            let plain = c == '\n' || (!hidden(c) && !imitates && marks <= MARKS_MAX);
            if plain { out.push(c) } else { spell(&mut out, c) }
        }
        rest = later;
    }
    out
}

/// Like [`visible`], for a name or one line of our own making with such in it: words of mixed script are followed by
/// `<mixed script>`.
#[must_use]
pub fn named(text: &str) -> String {
    quoted(text).replace('\n', "<U+000A>")
}

/// Stands before a match.
pub(super) const OPEN: char = '\u{27ea}';
/// Stands after a match.
pub(super) const CLOSE: char = '\u{27eb}';

fn imitation(after: &str) -> bool {
    after.starts_with("U+") || after.starts_with("mixed script>")
}

/// The letters and digits that the text starts with, with what hides between them.
fn word_at(text: &str) -> Option<&str> {
    let end = text.char_indices().take(WORD_CHARS_MAX).find(|(_, c)| !c.is_alphanumeric() && !is_combining_mark(*c));
    let end =
        end.map_or_else(|| text.char_indices().nth(WORD_CHARS_MAX).map_or(text.len(), |(at, _)| at), |(at, _)| at);
    text.get(..end).filter(|word| !word.is_empty())
}

fn spell(out: &mut String, c: char) {
    // Writing to a String cannot fail.
    let _ = write!(out, "<U+{:04X}>", u32::from(c));
}

/// Whether a character shows nothing, moves others about, or shows something only its sender knows.
fn hidden(c: char) -> bool {
    c.is_control() || format(c) || blank(c) || ignorable(c) || private_or_none(c)
}

/// General category Cf (Unicode 16), and the two separators Zl and Zp.
fn format(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Spaces that are not the space, and letters without ink.
fn blank(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{2800}' | '\u{3000}')
}

/// Default_Ignorable_Code_Point, as far as not in [`format`].
fn ignorable(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}')
}

/// Private use, and code points that are no characters.
fn private_or_none(c: char) -> bool {
    let code = u32::from(c);
    matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{f0000}'..='\u{10ffff}')
        || code & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(quoted(text), expected);
        assert_eq!(visible(expected, Lines::Keep), expected, "a second pass changes nothing");
    }

    #[test]
    fn what_hides_or_imitates_is_spelled_out() {
        for (text, expected) in [
            ("plain text, even naïve and 日本語テスト", "plain text, even naïve and 日本語テスト"),
            ("two\nlines", "two\nlines"),
            ("safe\u{202e}txt.exe", "safe<U+202E>txt.exe"),
            ("\u{1b}[2J\u{1b}]0;title\u{7}", "<U+001B>[2J<U+001B>]0;title<U+0007>"),
            ("a\u{200b}b\u{ad}c", "a<U+200B>b<U+00AD>c"),
            ("hi\u{e0041}\u{e0042}", "hi<U+E0041><U+E0042>"),
            ("carriage\rreturn\ttab", "carriage<U+000D>return<U+0009>tab"),
            ("p\u{430}ypal.com", "p\u{430}ypal<mixed script>.com"),
            ("<U+202E> typed by hand", "<U+003C>U+202E> typed by hand"),
            ("word<mixed script>", "word<U+003C>mixed script>"),
            ("a < b", "a < b"),
            ("\u{27ea}forged\u{27eb}", "<U+27EA>forged<U+27EB>"),
            ("e\u{301}\u{301}\u{301}\u{301}\u{301}", "e\u{301}\u{301}\u{301}\u{301}<U+0301>"),
            ("\u{e000}\u{a0}\u{3164}\u{fffe}", "<U+E000><U+00A0><U+3164><U+FFFE>"),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn a_line_feed_in_a_name_is_spelled_out() {
        assert_eq!(visible("alice\nApproved", Lines::Escape), "alice<U+000A>Approved");
    }

    proptest! {
        #[test]
        fn no_text_brings_a_hidden_character_through(text in any::<String>()) {
            prop_assert!(!quoted(&text).chars().any(|c| c != '\n' && hidden(c)));
            prop_assert!(!visible(&text, Lines::Escape).chars().any(hidden));
        }
    }
}
