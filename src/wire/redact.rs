//! Writes a body again with nothing but the redacted characters changed: key order, number spelling, white space and
//! escapes elsewhere stay as the client wrote them.
//!
//! # Flow
//! Marks are gathered per part; the parts are gone through from the last to the first, so that marks inside nested JSON
//! become marks of the string that holds it, and those of strings in the body become ranges of the body.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use super::json::Ranges;
use crate::query::{Origin, PartId, PartKind, Query};

/// One replacement: these bytes of a part's text become `text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Which part.
    pub part: PartId,
    /// Which bytes of its text.
    pub range: Range<usize>,
    /// What stands there instead: printable ASCII without quotes and backslashes.
    pub text: String,
}

/// Why a body cannot be redacted; the query is refused then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedactError {
    /// The part is a number or a word with meaning to the server.
    #[error("`{place}` cannot be redacted")]
    NotRedactable {
        /// Where.
        place: String,
    },
    /// The mark has characters that would need escapes, or the range cuts a character.
    #[error("the redaction of `{place}` is not possible as asked")]
    BadMark {
        /// Where.
        place: String,
    },
}

/// Bytes to replace, and the mark whose text replaces them.
#[derive(Debug, Clone)]
struct Cut {
    range: Range<usize>,
    /// The mark's position in the list; of merged cuts the lowest.
    mark: usize,
}

/// The body with the marks in place of what they cover. Overlapping marks are merged, the first one's text wins.
pub fn redact(query: &Query, marks: &[Mark]) -> Result<Bytes, RedactError> {
    if marks.is_empty() {
        return Ok(query.body().clone());
    }
    let mut by_part: BTreeMap<PartId, Vec<Cut>> = BTreeMap::new();
    for (index, mark) in marks.iter().enumerate() {
        check(query, mark)?;
        by_part.entry(mark.part).or_default().push(Cut { range: mark.range.clone(), mark: index });
    }
    let mut body = Vec::new();
    // INVARIANT: a nested part comes after the part that holds it, so popping the last one visits it first.
    while let Some((part, cuts)) = by_part.pop_last() {
        let (raw_cuts, holder) = raw_cuts(query, part, cuts)?;
        match holder {
            Some(holder) => by_part.entry(holder).or_default().extend(raw_cuts),
            None => body.extend(raw_cuts),
        }
    }
    Ok(spliced(query.body(), merged(body), marks))
}

fn check(query: &Query, mark: &Mark) -> Result<(), RedactError> {
    let bad = |place| Err(RedactError::BadMark { place });
    let Some(part) = query.part(mark.part) else { return bad("body".to_owned()) };
    if matches!(part.kind, PartKind::Number | PartKind::Word) {
        return Err(RedactError::NotRedactable { place: query.place(part.place) });
    }
    let plain = mark.text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\');
    let covers = query.text(part).get(mark.range.clone()).is_some_and(|covered| !covered.is_empty());
    if plain && covers { Ok(()) } else { bad(query.place(part.place)) }
}

/// The cuts of a part's text as cuts of the text its leaf was written in: another part's, or, without one, the body.
fn raw_cuts(query: &Query, id: PartId, cuts: Vec<Cut>) -> Result<(Vec<Cut>, Option<PartId>), RedactError> {
    let lost =
        || RedactError::BadMark { place: query.part(id).map(|part| query.place(part.place)).unwrap_or_default() };
    let part = query.part(id).ok_or_else(lost)?;
    let (written, raw, holder) = match part.origin {
        Origin::Body(raw) => (query.body().get(raw.range()), raw, None),
        Origin::Nested { outer, raw } => {
            let text = query.text(query.part(outer).ok_or_else(lost)?);
            (text.as_bytes().get(raw.range()), raw, Some(outer))
        }
    };
    let written = written.and_then(|written| std::str::from_utf8(written).ok()).ok_or_else(lost)?;
    let mut ranges = Ranges::new(written);
    let base = raw.range().start;
    let mut raw_cuts = Vec::with_capacity(cuts.len());
    for cut in merged(cuts) {
        let range = ranges.raw(cut.range).ok_or_else(lost)?;
        raw_cuts.push(Cut { range: base + range.start..base + range.end, mark: cut.mark });
    }
    Ok((raw_cuts, holder))
}

/// In order, overlapping cuts joined.
fn merged(mut cuts: Vec<Cut>) -> Vec<Cut> {
    cuts.sort_by_key(|cut| (cut.range.start, cut.mark));
    let mut out: Vec<Cut> = Vec::with_capacity(cuts.len());
    for cut in cuts {
        match out.last_mut() {
            Some(last) if cut.range.start < last.range.end => {
                last.range.end = last.range.end.max(cut.range.end);
                last.mark = last.mark.min(cut.mark);
            }
            _ => out.push(cut),
        }
    }
    out
}

fn spliced(body: &Bytes, cuts: Vec<Cut>, marks: &[Mark]) -> Bytes {
    let mut out = Vec::with_capacity(body.len());
    let mut kept = 0;
    for cut in cuts {
        out.extend_from_slice(body.get(kept..cut.range.start).unwrap_or_default());
        out.extend_from_slice(marks.get(cut.mark).map(|mark| mark.text.as_bytes()).unwrap_or_default());
        kept = cut.range.end;
    }
    out.extend_from_slice(body.get(kept..).unwrap_or_default());
    out.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::wire::{Format, decode};

    fn chat(body: &str) -> Query {
        decode(Format::OpenaiChat, Bytes::copy_from_slice(body.as_bytes())).unwrap()
    }

    /// A mark over the first `word` in the part of that kind at `place`.
    fn mark(query: &Query, place: &str, kind: PartKind, word: &str, text: &str) -> Mark {
        let (index, part) = query
            .parts()
            .iter()
            .enumerate()
            .find(|(_, part)| part.kind == kind && query.place(part.place) == place)
            .unwrap();
        let start = query.text(part).find(word).unwrap();
        Mark { part: PartId::at(index), range: start..start + word.len(), text: text.to_owned() }
    }

    #[track_caller]
    fn check(body: &str, marks: &[(&str, PartKind, &str, &str)], expected: &str) {
        let query = chat(body);
        let marks: Vec<_> =
            marks.iter().map(|(place, kind, word, text)| mark(&query, place, *kind, word, text)).collect();
        assert_eq!(redact(&query, &marks).unwrap(), expected, "{body}");
    }

    #[test]
    fn marks_replace_what_they_cover_and_nothing_else() {
        use PartKind::{Key, Text};
        let place = "messages[0].content";
        let said = |content: &str| {
            format!("{{ \"messages\" : [{{\"content\":\"{content}\",\"role\":\"user\"}}], \"seed\":1.50e+0 }}")
        };
        check(&said("mail a@b.c now"), &[(place, Text, "a@b.c", "[EMAIL_1]")], &said("mail [EMAIL_1] now"));
        check(
            &said(r"\u00e9 a\u0040b\n.\ud83d\ude00"),
            &[(place, Text, "a@b", "[X]")],
            &said(r"\u00e9 [X]\n.\ud83d\ude00"),
        );
        check(&said(r"x\ud83d\ude00y"), &[(place, Text, "\u{1f600}", "")], &said("xy"));
        check(&said("abcdef"), &[(place, Text, "cd", "1"), (place, Text, "ab", "2")], &said("21ef"));
        check(
            &said("abcdef"),
            &[(place, Text, "cd", "1"), (place, Text, "bc", "2"), (place, Text, "f", "3")],
            &said("a1e3"),
        );
        check(&said("abcdef"), &[(place, Text, "abcd", "1"), (place, Text, "bc", "2")], &said("1ef"));
        check(&said(""), &[], &said(""));

        let tool = |key: &str| {
            format!("{{\"messages\":[],\"tools\":[{{\"function\":{{\"parameters\":{{\"{key}\":{{\"a\":\"a\"}}}}}}}}]}}")
        };
        let parameters = "tools[0].function.parameters";
        check(&tool("my a"), &[(&format!("{parameters}[\"my a\"]"), Key, "a", "[K]")], &tool("my [K]"));
        check(&tool("k"), &[(&format!("{parameters}.k.a"), Key, "a", "b")], &tool("k").replace("\"a\":", "\"b\":"));
    }

    #[test]
    fn marks_in_nested_json_change_the_string_that_holds_it() {
        use PartKind::{Key, Text};
        let called = |arguments: &str| {
            format!(
                "{{\"messages\":[{{\"role\":\"assistant\",\"tool_calls\":[{{\"function\":{{\"arguments\":\"{arguments}\"}}}}]}}]}}"
            )
        };
        let place = "messages[0].tool_calls[0].function.arguments";
        let inside = |path: &str| format!("{place}(json){path}");
        check(
            &called(r#"{\"q\": \"a p\\u0072oject\"}"#),
            &[(&inside(".q"), Text, "project", "[P]")],
            &called(r#"{\"q\": \"a [P]\"}"#),
        );
        check(
            &called(r#"{\"q\":\"\\\\\\\"x\"}"#),
            &[(&inside(".q"), Text, "\\\"", "[P]")],
            &called(r#"{\"q\":\"[P]x\"}"#),
        );
        check(
            &called(r#"{\"secret\":[1]}"#),
            &[(&inside(".secret"), Key, "secret", "[K]")],
            &called(r#"{\"[K]\":[1]}"#),
        );
        // The same characters found in the string as written and in what it says.
        check(
            &called(r#"{\"q\":\"secret word\"}"#),
            &[(place, Text, "secret", "[A]"), (&inside(".q"), Text, "secret word", "[B]")],
            &called(r#"{\"q\":\"[A]\"}"#),
        );
        // Three levels down.
        let third = Value::from(r#"{"z":"deep s\u0065cret"}"#).to_string();
        let second = Value::from(format!("{{\"y\":{third}}}")).to_string();
        let first = Value::from(format!("{{\"x\":{second}}}")).to_string();
        let body = called(&first[1..first.len() - 1]);
        let query = chat(&body);
        let deep = inside(".x(json).y(json).z");
        let redacted = redact(&query, &[mark(&query, &deep, Text, "secret", "[S]")]).unwrap();
        let again = chat(std::str::from_utf8(&redacted).unwrap());
        let text = again
            .parts()
            .iter()
            .find(|part| again.place(part.place) == deep && part.kind == Text)
            .map(|part| again.text(part));
        assert_eq!(text, Some("deep [S]"));
    }

    #[test]
    fn what_cannot_be_redacted_is_refused() {
        let query = chat(r#"{"model":"m4","seed":44,"messages":[{"role":"user","content":"h\u00e9 4"}]}"#);
        let refused = |mark: Mark| redact(&query, &[mark]).unwrap_err();
        for (place, kind) in [("model", PartKind::Word), ("seed", PartKind::Number)] {
            let unredactable = RedactError::NotRedactable { place: place.to_owned() };
            assert_eq!(refused(mark(&query, place, kind, "4", "x")), unredactable);
        }
        let place = "messages[0].content".to_owned();
        let good = mark(&query, &place, PartKind::Text, "4", "x");
        for (range, text) in [
            (2..3, "x"),
            (1..2, "x"),
            (0..9, "x"),
            (1..1, "x"),
            (0..1, "\""),
            (0..1, "\\"),
            (0..1, "\n"),
            (0..1, "\u{e9}"),
        ] {
            let bad = Mark { range, text: text.to_owned(), ..good.clone() };
            assert_eq!(refused(bad), RedactError::BadMark { place: place.clone() });
        }
        assert!(matches!(refused(Mark { part: PartId::at(999), ..good }), RedactError::BadMark { .. }));
    }

    /// A JSON string of the text, some of its characters escaped though they need not be.
    fn written(text: &str, escape: u64) -> String {
        let plain = Value::from(text).to_string();
        let mut out = String::from("\"");
        let mut raw = plain[1..plain.len() - 1].chars().enumerate();
        while let Some((index, c)) = raw.next() {
            if c == '\\' {
                out.push(c);
                out.extend(raw.next().map(|(_, c)| c));
            } else if escape >> (index % 64) & 1 == 1 {
                out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
            } else {
                out.push(c);
            }
        }
        out.push('"');
        out
    }

    proptest! {
        #[test]
        fn redaction_changes_exactly_the_marked_characters(
            texts in prop::collection::vec("[a-c\"\\\\/\n\u{e9}\u{1f600}]{0,12}", 3),
            key in "[a-c\"\u{e9}]{1,6}",
            escapes in prop::collection::vec(any::<u64>(), 5),
            picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1..4_usize), 1..4),
        ) {
            // A letter first: a text that a mark turns into JSON would have one part more when read again.
            let inner = format!("a{}", texts[0]);
            let arguments = format!("{{{}:[{}]}}", written(&key, escapes[0]), written(&inner, escapes[1]));
            let body = format!(
                "{{\"messages\":[{{\"role\":\"user\",\"content\":{}}},{{\"content\":{},\"role\":\"user\"}},{{\"role\":\"assistant\",\"tool_calls\":[{{\"function\":{{\"arguments\":{}}}}}]}}]}}",
                written(&texts[1], escapes[2]), written(&texts[2], escapes[3]), written(&arguments, escapes[4]),
            );
            let query = chat(&body);
            let is_outer = |id: PartId| query.parts().iter().any(|part| matches!(part.origin, Origin::Nested { outer, .. } if outer == id));
            let redactable: Vec<_> = (0..query.parts().len())
                .map(PartId::at)
                .filter(|id| query.part(*id).is_some_and(|part| matches!(part.kind, PartKind::Text | PartKind::Key)) && !is_outer(*id))
                .collect();
            let mut expected: Vec<String> = query.parts().iter().map(|part| query.text(part).to_owned()).collect();
            let mut marks: Vec<Mark> = Vec::new();
            for (part, at, count) in picks {
                let id = *part.get(&redactable);
                let text = query.text(query.part(id).unwrap());
                let starts: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
                if text.is_empty() || marks.iter().any(|mark| mark.part == id) { continue; }
                let start = *at.get(&starts);
                let end = text[start..].char_indices().nth(count).map_or(text.len(), |(at, _)| start + at);
                expected[id.index()].replace_range(start..end, "[M]");
                marks.push(Mark { part: id, range: start..end, text: "[M]".to_owned() });
            }
            let redacted = redact(&query, &marks).unwrap();
            let again = chat(std::str::from_utf8(&redacted).unwrap());
            prop_assert_eq!(again.parts().len(), expected.len());
            for (index, part) in again.parts().iter().enumerate().filter(|(index, _)| !is_outer(PartId::at(*index))) {
                prop_assert_eq!(again.text(part), &expected[index], "{}", &body);
            }
        }
    }
}
