//! Spelling variants of keys: what Go's and other lenient parsers take for a known key.

/// Whether `key` differs from the ASCII name `known` only in ways that lenient parsers overlook: ASCII case, the long s
/// U+017F, the Kelvin sign U+212A.
pub(super) fn is_variant(key: &str, known: &str) -> bool {
    // U+212A takes three bytes for one.
    if key.len() < known.len() || key.len() > known.len() * 3 {
        return false;
    }
    let folded = key.chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => c.to_ascii_lowercase(),
    });
    folded.eq(known.chars().map(|c| c.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_long_s_and_kelvin_sign_are_variants() {
        for (key, known, expected) in [
            ("Messages", "messages", true),
            ("me\u{17f}\u{17f}ages", "messages", true),
            ("\u{212a}ey", "key", true),
            ("top_K", "top_k", true),
            ("messages2", "messages", false),
            ("message", "messages", false),
            ("mes sages", "messages", false),
        ] {
            assert_eq!(is_variant(key, known), expected, "{key}");
        }
    }
}
