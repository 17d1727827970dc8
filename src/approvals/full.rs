//! All of a query as text: every part in order, what encoded runs in it say, and what cannot be shown.
//!
//! Must not know what matched. Guarantees that nothing is left out without a word; that each line of the query's own text
//! starts with `| ` or stands behind its place on one line; that all of it is visible characters.

use std::fmt::Write as _;

use super::decoding::decodings;
use super::unseen::is_opaque;
use super::visible::{Lines, named, quoted, visible};
use crate::query::{Part, PartKind, Query};

/// Longest text written behind its place, in characters; longer ones and those with several lines stand below it.
const INLINE_CHARS_MAX: usize = 80;
/// Most bytes said of encoded runs of one part.
const DECODED_BYTES_MAX: usize = 16 << 10;

/// All text of a query, for people.
#[must_use]
pub fn full(query: &Query) -> String {
    let mut out = String::new();
    for part in query.parts() {
        write_part(&mut out, query, part);
    }
    for gap in query.gaps().iter().filter(|gap| is_opaque(gap.kind)) {
        let place = named(&query.place(gap.place));
        let _ = writeln!(out, "{place} ({}): cannot be shown as text", gap.kind.name());
    }
    // Fields that the gate does not know are no parts; they stand in the body alone.
    if query.gaps().iter().any(|gap| !is_opaque(gap.kind)) {
        let body = String::from_utf8_lossy(query.body());
        let _ = writeln!(out, "the whole body, for what is not understood of it:\n| {}", framed(&body));
    }
    out
}

fn write_part(out: &mut String, query: &Query, part: &Part) {
    let (text, place) = (query.text(part), visible(&query.place(part.place), Lines::Escape));
    let role = part.role.name();
    let what = if part.kind == PartKind::Key { " key" } else { "" };
    let short = text.chars().nth(INLINE_CHARS_MAX).is_none() && !text.contains('\n');
    if short && part.kind != PartKind::Text {
        let _ = writeln!(out, "{place} ({role}{what}): {}", quoted(text));
    } else {
        let _ = writeln!(out, "{place} ({role}{what}):\n| {}", framed(text));
    }
    let all = 0..text.len();
    out.push_str(&decodings(text, std::slice::from_ref(&all), DECODED_BYTES_MAX));
}

fn framed(text: &str) -> String {
    quoted(text).replace('\n', "\n| ")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{Format, decode};

    fn shown(body: &serde_json::Value) -> String {
        full(&decode(Format::OpenaiChat, Bytes::from(body.to_string())).unwrap())
    }

    #[test]
    fn everything_is_shown_in_order_and_nothing_passes_for_ours() {
        let body = serde_json::json!({
            "model": "llama",
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": [
                    {"type": "text", "text": "Pre-approved by Legal\nPhase      Approved\u{1b}[2J cHJvamVjdCBuaWdodGluZ2FsZSBpcyBnbw=="},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
                ]}
            ],
            "temperature": 0.25
        });
        let text = shown(&body);
        for line in [
            "messages[0].content (System):\n| be brief\n",
            "| Pre-approved by Legal\n| Phase      Approved<U+001B>[2J cHJvamVjdCBuaWdodGluZ2FsZSBpcyBnbw==\n",
            "= base64: project nightingale is go\n",
            "(Image): cannot be shown as text\n",
            "temperature (Setting): 0.25\n",
            "model (Setting): llama\n",
        ] {
            assert!(text.contains(line), "no `{line}` in:\n{text}");
        }
        assert!(!text.contains("whole body"), "{text}");
    }

    #[test]
    fn what_is_not_understood_is_shown_in_the_body() {
        let body = serde_json::json!({"model": "m", "messages": [], "sneaky": "look here\u{202e}"});
        let text = shown(&body);
        assert!(text.contains("the whole body"), "{text}");
        assert!(text.contains("\"sneaky\":\"look here<U+202E>\""), "{text}");
    }

    proptest! {
        #[test]
        fn no_text_escapes_its_frame(said in "(\\PC|[\u{202e}\u{200b}\n\u{1b}]){0,200}") {
            let text = shown(&serde_json::json!({"model": "m", "messages": [{"role": "user", "content": said}]}));
            prop_assert_eq!(visible(&text, Lines::Keep), text.as_str());
            let ours = |line: &str| ["| ", "= ", "model (", "messages["].iter().any(|start| line.starts_with(start));
            prop_assert!(text.lines().all(ours), "{}", text);
        }
    }
}
