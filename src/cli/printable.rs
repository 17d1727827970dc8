//! Text from outside, made fit for a terminal: nothing in it can move the cursor, colour, hide or reorder what is shown.

/// `text` with control, bidi and invisible characters written as escapes, cut to `width_max` characters.
pub(super) fn printable(text: &str, width_max: usize) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut width = 0;
    for c in text.chars() {
        if harmful(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
        width += 1;
        if width > width_max {
            break;
        }
    }
    match shown.char_indices().nth(width_max) {
        Some(_) => shown.chars().take(width_max.saturating_sub(1)).chain(['…']).collect(),
        None => shown,
    }
}

/// Control characters, line and paragraph separators, bidi marks, and characters without width.
fn harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_see_no_controls_and_no_more_than_fits() {
        assert_eq!(printable("plain ü", 20), "plain ü");
        assert_eq!(printable("\u{1b}[2Jx\u{202e}y", 40), "\\u{1b}[2Jx\\u{202e}y");
        assert_eq!(printable("abcdef", 4), "abc…");
        assert_eq!(printable("abcd", 4), "abcd");
        assert_eq!(printable("a\nb", 40), "a\\u{a}b");
    }
}
