//! Fuzz targets of this room: what must hold for any body whatever. Each target panics where it does not.
//!
//! `serde_json`, which has read more JSON than we have, is the second opinion.

use std::collections::BTreeSet;
use std::ops::Range;

use bytes::Bytes;
use serde_json::Value;

use super::json::{self, Fault, Kind};
use super::{Format, Mark, Server, decode, redact, route};
use crate::base::fuzzing::{Dice, corpus};
use crate::base::limits::JSON_VALUES_MAX;
use crate::query::{Origin, Part, PartId, PartKind, Piece, Query};

/// Longest key that a place spells out in full (`query`'s own limit).
const KEY_CHARS_MAX: usize = 64;

/// Formats by family: one target each, which takes the format from the first byte of its input.
pub mod families {
    use crate::wire::Format;

    /// The interface that most servers imitate.
    pub const OPENAI: &[Format] = &[
        Format::OpenaiChat,
        Format::OpenaiCompletions,
        Format::OpenaiResponses,
        Format::OpenaiEmbeddings,
        Format::OpenaiModerations,
    ];
    /// Anthropic and Ollama.
    pub const ANTHROPIC_OLLAMA: &[Format] = &[
        Format::AnthropicMessages,
        Format::AnthropicCountTokens,
        Format::OllamaChat,
        Format::OllamaGenerate,
        Format::OllamaEmbed,
    ];
    /// llama.cpp and TGI.
    pub const LLAMACPP_TGI: &[Format] = &[
        Format::LlamacppCompletion,
        Format::LlamacppInfill,
        Format::LlamacppEmbedding,
        Format::LlamacppTokenize,
        Format::LlamacppTemplate,
        Format::TgiGenerate,
        Format::TgiChat,
        Format::TgiCompletions,
        Format::TgiInvocations,
        Format::TgiTokenize,
    ];
    /// SGLang, KServe with Triton, and what only vLLM has.
    pub const SGLANG_KSERVE_VLLM: &[Format] = &[
        Format::SglangGenerate,
        Format::SglangEncode,
        Format::KserveInfer,
        Format::KservePredict,
        Format::TritonGenerate,
        Format::VllmPooling,
        Format::VllmScore,
        Format::VllmRerank,
        Format::VllmTokenize,
        Format::VllmGenerate,
        Format::Invocations,
    ];
    /// Every family.
    pub const ALL: [&[Format]; 4] = [OPENAI, ANTHROPIC_OLLAMA, LLAMACPP_TGI, SGLANG_KSERVE_VLLM];
}

/// The accepted, refused and hostile bodies of the corpus, each with its format's byte in front.
#[must_use]
pub fn bodies(family: &[Format]) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for kind in ["accept", "reject"] {
        for (path, body) in corpus(kind, "json") {
            let folder = path.parent().and_then(|folder| folder.file_name()).unwrap_or_default().to_string_lossy();
            let index = family.iter().position(|format| serde_json::to_value(format).is_ok_and(|name| name == *folder));
            let byte = index.and_then(|index| u8::try_from(index).ok());
            seeds.extend(byte.map(|byte| [&[byte], body.as_slice()].concat()));
        }
    }
    seeds
}

/// The bodies of every format, as plain JSON.
#[must_use]
pub fn documents() -> Vec<Vec<u8>> {
    families::ALL.iter().flat_map(|family| bodies(family)).filter_map(|seed| Some(seed.get(1..)?.to_vec())).collect()
}

/// Bodies of every format with a seed in front.
#[must_use]
pub fn redactions() -> Vec<Vec<u8>> {
    let seeded = |(seed, body): (u32, Vec<u8>)| [&seed.to_be_bytes()[..], &body].concat();
    (0..).zip(bodies(&families::ALL.concat())).map(seeded).collect()
}

/// Reads any text as strict JSON: it is what `serde_json` reads, no more, and less only for a named reason.
pub fn json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let second = serde_json::from_str::<serde::de::IgnoredAny>(text);
    match json::read(text, JSON_VALUES_MAX) {
        Ok(tape) => {
            assert!(second.is_ok(), "read as JSON, and is none: {:?}", second.err());
            let mut scratch = String::new();
            let mut keys = 0;
            for at in 0..u32::try_from(tape.len()).unwrap_or(u32::MAX) {
                let node = tape.node(at);
                assert!(node.start <= node.end && node.end as usize <= text.len() && node.next > at, "{node:?}");
                keys += usize::from(node.kind == Kind::Key);
                if matches!(node.kind, Kind::String | Kind::Key) {
                    let raw = text.get(node.start as usize - 1..=node.end as usize).unwrap_or_default();
                    let read: String = serde_json::from_str(raw).expect("a string between its quotes");
                    assert_eq!(tape.resolved(node, &mut scratch), read);
                }
            }
            // A map keeps one of two equal keys.
            if let Ok(value) = serde_json::from_str::<Value>(text) {
                assert_eq!(keys, entries(&value), "a key stands twice in an object");
            }
        }
        Err(Fault::Syntax { at, why }) => {
            assert!(at <= text.len(), "{at}");
            // The second opinion looks into strings only when it keeps them.
            assert!(serde_json::from_str::<Value>(text).is_err(), "refused at {at}: {why}");
        }
        Err(Fault::DuplicateKey { .. } | Fault::Depth | Fault::Values) => {}
    }
}

fn entries(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.len() + map.values().map(entries).sum::<usize>(),
        Value::Array(list) => list.iter().map(entries).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn split<'a>(family: &[Format], data: &'a [u8]) -> Option<(Format, &'a [u8])> {
    let (byte, body) = data.split_first()?;
    Some((*family.get(usize::from(*byte) % family.len())?, body))
}

/// Decodes any body: the same twice, every leaf a part or in a gap, and every part what its bytes say.
pub fn decoding(family: &[Format], data: &[u8]) {
    let Some((format, body)) = split(family, data) else { return };
    let (one, two) = (decode(format, Bytes::copy_from_slice(body)), decode(format, Bytes::copy_from_slice(body)));
    let query = match (one, two) {
        (Ok(one), Ok(two)) => {
            assert_eq!(shown(&one), shown(&two), "not the same twice");
            one
        }
        (Err(one), Err(two)) => return assert_eq!(one.to_string(), two.to_string(), "not the same twice"),
        (one, two) => unreachable!("decoded once: {:?} {:?}", one.err(), two.err()),
    };
    query.parts().iter().for_each(|part| reads_back(&query, part));
    json(body);
    // Numbers past the range of a double are JSON, but no value of `serde_json`.
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return };
    let parts: BTreeSet<_> =
        query.parts().iter().map(|part| (query.place(part.place), query.text(part).to_owned())).collect();
    let places: BTreeSet<_> = parts.iter().map(|(place, _)| place.clone()).collect();
    let gaps: Vec<_> = query.gaps().iter().map(|gap| query.place(gap.place)).collect();
    leaves(&value, "", &mut |place, leaf| {
        let part = match leaf {
            Value::String(text) => parts.contains(&(place.to_owned(), text.clone())),
            _ => places.contains(place),
        };
        assert!(part || gaps.iter().any(|gap| covers(gap, place)), "`{place}` is neither a part nor in a gap");
    });
}

fn shown(query: &Query) -> String {
    let part = |part: &Part| (query.place(part.place), part.role, part.kind, part.origin, query.text(part).to_owned());
    let parts: Vec<_> = query.parts().iter().map(part).collect();
    let gaps: Vec<_> = query.gaps().iter().map(|gap| (gap.kind, query.place(gap.place))).collect();
    let Query { operation, model, adapter, stream, tools, tokens_max, choices, .. } = query;
    format!("{parts:?} {gaps:?} {operation:?} {model:?} {adapter:?} {stream} {tools:?} {tokens_max:?} {choices}")
}

/// The text of a part is what its bytes say, wherever they stand.
fn reads_back(query: &Query, part: &Part) {
    let text = query.text(part);
    let raw = match part.origin {
        Origin::Body(span) => query.body().get(span.range()).and_then(|raw| std::str::from_utf8(raw).ok()),
        Origin::Nested { outer, raw } => query.part(outer).and_then(|outer| query.text(outer).get(raw.range())),
    };
    let raw = raw.expect("the bytes of a part are text");
    let read = match part.kind {
        PartKind::Number => raw.to_owned(),
        // A word that is no string (true, null, a number where a name belongs) is written without quotes.
        PartKind::Word | PartKind::Text | PartKind::Key => {
            serde_json::from_str(&format!("\"{raw}\"")).expect("the bytes of a part are a string")
        }
    };
    assert_eq!(text, read, "{part:?}");
    if let Piece::Body(span) = part.piece {
        assert_eq!(query.body().get(span.range()), Some(text.as_bytes()));
    }
}

fn leaves(value: &Value, place: &str, each: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Array(list) => {
            for (index, inner) in list.iter().enumerate() {
                leaves(inner, &format!("{place}[{index}]"), each);
            }
        }
        Value::Object(map) => map.iter().for_each(|(key, inner)| leaves(inner, &dotted(place, key), each)),
        // An empty text where a list belongs says nothing, and is nobody's gap.
        Value::String(text) if text.is_empty() => {}
        Value::String(_) | Value::Number(_) => each(if place.is_empty() { "body" } else { place }, value),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Places as the query spells them, by a second hand.
fn dotted(place: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let short: String = key.chars().take(KEY_CHARS_MAX).collect();
    match (key.chars().count() > KEY_CHARS_MAX, plain) {
        (true, _) => format!("{place}[{short:?}..]"),
        (false, true) if place.is_empty() => key.to_owned(),
        (false, true) => format!("{place}.{key}"),
        (false, false) => format!("{place}[{key:?}]"),
    }
}

fn covers(gap: &str, place: &str) -> bool {
    gap == "body" || place.strip_prefix(gap).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '(']))
}

/// Redacts some texts of any body: the rest stays byte for byte, and what is read afterwards has the marks.
pub fn redaction(data: &[u8]) {
    let Some((seed, rest)) = data.split_at_checked(4) else { return };
    let all: Vec<Format> = families::ALL.concat();
    let Some((format, body)) = split(&all, rest) else { return };
    let Ok(query) = decode(format, Bytes::copy_from_slice(body)) else { return };
    let mut dice = Dice(seed.iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte)));
    let marks: Vec<Mark> = (0..=dice.below(3)).filter_map(|_| mark(&query, &mut dice)).collect();
    let after = redact(&query, &marks).expect("texts and keys can be redacted");
    kept(&query, &marks, &after);
    // Keys may become equal, and a string may stop to hold JSON: then the body is another one, which is judged again.
    let plain = |mark: &Mark| {
        let part = query.part(mark.part).expect("a part that was marked");
        let inside = |other: &Part| matches!(other.origin, Origin::Nested { outer, .. } if outer == mark.part);
        part.kind == PartKind::Text && matches!(part.origin, Origin::Body(_)) && !query.parts().iter().any(inside)
    };
    if !marks.iter().all(plain) {
        let _ = decode(format, after);
        return;
    }
    let again = decode(format, after).expect("a body with marks in its texts is a body");
    for mark in &marks {
        let place = query.part(mark.part).map(|part| query.place(part.place));
        let mut marked = again.parts().iter().filter(|part| Some(again.place(part.place)) == place);
        assert!(marked.any(|part| again.text(part).contains("[M_")), "{place:?} has no mark");
    }
}

fn mark(query: &Query, dice: &mut Dice) -> Option<Mark> {
    let part = PartId::at(dice.below(query.parts().len()));
    let text = query.part(part).filter(|part| matches!(part.kind, PartKind::Text | PartKind::Key))?;
    let text = query.text(text);
    let start = text.floor_char_boundary(dice.below(text.len() + 1));
    let end = text.floor_char_boundary(start + dice.below(text.len() - start + 1)).max(start);
    // A mark over nothing is refused; rules find no empty texts.
    (start < end).then(|| Mark { part, range: start..end, text: format!("[M_{}]", dice.below(9)) })
}

/// Everything outside the strings that were marked stands there as before, in order.
fn kept(query: &Query, marks: &[Mark], after: &[u8]) {
    let holder = |mut id: PartId| loop {
        match query.part(id).map(|part| part.origin) {
            Some(Origin::Nested { outer, .. }) => id = outer,
            Some(Origin::Body(span)) => return span.range(),
            None => return 0..0,
        }
    };
    let mut touched: Vec<Range<usize>> = marks.iter().map(|mark| holder(mark.part)).collect();
    touched.sort_by_key(|range| range.start);
    touched.dedup();
    let mut at = 0;
    let mut rest = after;
    for range in touched {
        let before = query.body().get(at..range.start).expect("strings of a body do not overlap");
        assert!(rest.starts_with(before), "something before a redacted string changed");
        let next = query.body().get(range.end..range.end + 1).expect("a string ends in a quote");
        rest = rest.get(before.len()..).unwrap_or_default();
        rest = rest.get(closing(rest, next)..).unwrap_or_default();
        at = range.end;
    }
    assert_eq!(query.body().get(at..), Some(rest), "something after the redacted strings changed");
}

/// Where the string that `rest` begins within ends.
fn closing(rest: &[u8], quote: &[u8]) -> usize {
    let mut escaped = false;
    rest.iter()
        .position(|byte| {
            let ends = !escaped && [*byte] == *quote;
            escaped = !escaped && *byte == b'\\';
            ends
        })
        .unwrap_or(rest.len())
}

/// Routes any request line on every server: the same twice, and never by a path with another spelling.
pub fn routing(method: &str, path: &str, query: Option<&str>) {
    for server in Server::ALL {
        let meaning = route(server, method, path, query);
        assert_eq!(meaning, route(server, method, path, query));
        if !matches!(meaning, super::Route::Refuse(_)) {
            let odd = ["//", "/./", "/../", "%", "\\", ";", "?", "#", "\0"].iter().any(|odd| path.contains(odd));
            assert!(path.starts_with('/') && !odd && path.is_ascii(), "{} takes `{path}`", server.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fuzzing::drive;

    #[test]
    fn every_format_of_the_corpus_is_in_one_family() {
        let all: Vec<Format> = families::ALL.concat();
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        let folders: BTreeSet<_> =
            corpus("accept", "json").into_iter().map(|(path, _)| path.parent().unwrap().to_owned()).collect();
        assert_eq!((distinct.len(), all.len()), (folders.len(), folders.len()));
        assert!(families::ALL.iter().all(|family| bodies(family).len() > 20));
    }

    #[test]
    fn json_is_read_as_others_read_it() {
        drive(&documents(), json);
    }

    #[test]
    fn decoding_openai() {
        drive(&bodies(families::OPENAI), |data| decoding(families::OPENAI, data));
    }

    #[test]
    fn decoding_anthropic_and_ollama() {
        drive(&bodies(families::ANTHROPIC_OLLAMA), |data| decoding(families::ANTHROPIC_OLLAMA, data));
    }

    #[test]
    fn decoding_llamacpp_and_tgi() {
        drive(&bodies(families::LLAMACPP_TGI), |data| decoding(families::LLAMACPP_TGI, data));
    }

    #[test]
    fn decoding_sglang_kserve_and_vllm() {
        drive(&bodies(families::SGLANG_KSERVE_VLLM), |data| decoding(families::SGLANG_KSERVE_VLLM, data));
    }

    #[test]
    fn redaction_changes_nothing_else() {
        drive(&redactions(), redaction);
    }
}
