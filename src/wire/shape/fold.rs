//! Spelling variants of keys: what Go's and other lenient parsers take for a known key.

/// The known name that `key` differs from only in ways that lenient parsers overlook: ASCII case, the long s U+017F, the
/// Kelvin sign U+212A. Known names are ASCII.
pub(super) fn variant_of(key: &str, mut known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    if key.is_ascii() {
        return known.find(|known| key.eq_ignore_ascii_case(known));
    }
    known.find(|known| is_variant(key, known))
}

fn is_variant(key: &str, known: &str) -> bool {
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
            assert_eq!(variant_of(key, ["other", known].into_iter()).is_some(), expected, "{key}");
        }
    }
}
