//! The canary: whatever is put wherever into an accepted body is refused, judged, or named as a gap. Nothing is skipped.
//!
//! Takes every fixture of every format under `tests/corpus/accept/<format>/`; a new format is a new folder.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use bytes::Bytes;
use countersign::query::{PartKind, Query};
use countersign::wire::{DecodeError, Format, decode};
use proptest::prelude::*;
use serde_json::{Map, Value};

const CANARY: &str = "kanarienvogel";
const ESCAPED_CANARY: &str = "k\\u0061narienvogel";
const CANARY_NUMBER: u64 = 4_539_148_803_436_467;

struct Fixture {
    format: Format,
    file: PathBuf,
    body: String,
}

impl Fixture {
    fn decode(&self, body: &str) -> Result<Query, DecodeError> {
        decode(self.format, Bytes::copy_from_slice(body.as_bytes()))
    }

    fn value(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn accepted(&self) -> Query {
        self.decode(&self.body).unwrap_or_else(|refusal| panic!("{}: {refusal}", self.file.display()))
    }
}

fn fixtures() -> Vec<Fixture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/accept");
    let mut found = Vec::new();
    for folder in entries(&root) {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let format: Format = serde_json::from_value(Value::String(name)).unwrap();
        for file in entries(&folder).into_iter().filter(|file| file.extension().is_some_and(|e| e == "json")) {
            let body = std::fs::read_to_string(&file).unwrap();
            found.push(Fixture { format, file, body });
        }
    }
    assert!(!found.is_empty());
    found
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// A body with a canary somewhere, and where.
struct Mutant {
    body: Value,
    place: String,
    canary: String,
}

/// Everything that can be done to one value: `rebuild` puts a new one in its stead.
fn mutants(value: &Value, place: &str, query: &Query, rebuild: &dyn Fn(Value) -> Value, out: &mut Vec<Mutant>) {
    let mutant =
        |new: Value, place: String, canary: &str| Mutant { body: rebuild(new), place, canary: canary.to_owned() };
    out.push(mutant(Value::from(CANARY), place.to_owned(), CANARY));
    out.push(mutant(Value::from(CANARY_NUMBER), place.to_owned(), &CANARY_NUMBER.to_string()));
    out.push(mutant(serde_json::json!([CANARY]), format!("{place}[0]"), CANARY));
    out.push(mutant(serde_json::json!({ CANARY: null }), dotted(place, CANARY), CANARY));
    match value {
        Value::Object(map) => {
            let mut more = map.clone();
            more.insert(CANARY.to_owned(), Value::Null);
            out.push(mutant(Value::Object(more), dotted(place, CANARY), CANARY));
            for (key, inner) in map {
                let mut renamed = map.clone();
                let moved = renamed.remove(key).unwrap();
                renamed.insert(CANARY.to_owned(), moved);
                out.push(mutant(Value::Object(renamed), dotted(place, CANARY), CANARY));
                let with = |new: Value| {
                    let mut map: Map<String, Value> = map.clone();
                    map.insert(key.clone(), new);
                    rebuild(Value::Object(map))
                };
                mutants(inner, &dotted(place, key), query, &with, out);
            }
        }
        Value::Array(list) => {
            let mut more = list.clone();
            more.push(Value::from(CANARY));
            out.push(mutant(Value::Array(more), format!("{place}[{}]", list.len()), CANARY));
            for (index, inner) in list.iter().enumerate() {
                let with = |new: Value| {
                    let mut list = list.clone();
                    list[index] = new;
                    rebuild(Value::Array(list))
                };
                mutants(inner, &format!("{place}[{index}]"), query, &with, out);
            }
        }
        Value::String(text) => nested_mutants(text, place, query, rebuild, out),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The same inside a string that is read as JSON, with the canary escaped so that only a reader of the JSON sees it.
fn nested_mutants(text: &str, place: &str, query: &Query, rebuild: &dyn Fn(Value) -> Value, out: &mut Vec<Mutant>) {
    let inside = format!("{place}(json)");
    let is_read =
        place.ends_with(".arguments") || query.parts().iter().any(|part| query.place(part.place).starts_with(&inside));
    if !is_read {
        return;
    }
    let nested: Value = serde_json::from_str(text).unwrap();
    let with = |new: Value| rebuild(Value::from(new.to_string().replace(CANARY, ESCAPED_CANARY)));
    mutants(&nested, &inside, query, &with, out);
}

fn dotted(place: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    match (place.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{place}.{key}"),
        (_, false) => format!("{place}[{key:?}]"),
    }
}

/// Whether a gap at `gap` speaks for `place`: it is the same place or one around it.
fn covers(gap: &str, place: &str) -> bool {
    gap == "body" || place.strip_prefix(gap).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '(']))
}

fn noticed(query: &Query, mutant: &Mutant) -> bool {
    query.parts().iter().any(|part| query.text(part).contains(&mutant.canary))
        || query.gaps().iter().any(|gap| covers(&query.place(gap.place), &mutant.place))
}

#[track_caller]
fn check(fixture: &Fixture, body: &str, mutant: &Mutant) {
    if let Ok(query) = fixture.decode(body) {
        let seen = noticed(&query, mutant);
        assert!(seen, "{}: a canary at `{}` was not noticed in {body}", fixture.file.display(), mutant.place);
    }
}

#[test]
fn a_canary_anywhere_is_refused_or_judged_or_named() {
    for fixture in fixtures() {
        let query = fixture.accepted();
        let mut all = Vec::new();
        mutants(&fixture.value(), "", &query, &|value| value, &mut all);
        for mutant in &all {
            let body = mutant.body.to_string();
            check(&fixture, &body, mutant);
            check(&fixture, &body.replace(CANARY, ESCAPED_CANARY), mutant);
        }
    }
}

#[test]
fn every_leaf_of_every_fixture_is_a_part_or_inside_a_gap() {
    for fixture in fixtures() {
        let query = fixture.accepted();
        let parts: Vec<_> =
            query.parts().iter().map(|part| (query.place(part.place), query.text(part), part.kind)).collect();
        let gaps: Vec<_> = query.gaps().iter().map(|gap| query.place(gap.place)).collect();
        let mut leaves = Vec::new();
        gather(&fixture.value(), "", &mut leaves);
        for (place, text, number) in leaves {
            let is_part = parts.iter().any(|(at, part, kind)| {
                *at == place && *part == text && number == (*kind == PartKind::Number) && *kind != PartKind::Key
            });
            let in_gap = gaps.iter().any(|gap| covers(gap, &place));
            assert!(is_part || in_gap, "{}: `{place}` is neither a part nor in a gap", fixture.file.display());
        }
    }
}

fn gather(value: &Value, place: &str, out: &mut Vec<(String, String, bool)>) {
    match value {
        Value::String(text) => out.push((place.to_owned(), text.clone(), false)),
        Value::Number(number) => out.push((place.to_owned(), number.to_string(), true)),
        Value::Array(list) => {
            for (index, inner) in list.iter().enumerate() {
                gather(inner, &format!("{place}[{index}]"), out);
            }
        }
        Value::Object(map) => {
            for (key, inner) in map {
                gather(inner, &dotted(place, key), out);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

#[test]
fn a_fixture_cut_short_anywhere_is_refused() {
    for fixture in fixtures() {
        let whole = fixture.body.trim_end();
        for cut in (0..whole.len()).filter(|cut| whole.is_char_boundary(*cut)) {
            assert!(fixture.decode(&whole[..cut]).is_err(), "{} cut at {cut}", fixture.file.display());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn decoding_is_total_on_mutated_fixtures(pick in any::<prop::sample::Index>(), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        thread_local!(static FIXTURES: Vec<Fixture> = fixtures());
        FIXTURES.with(|fixtures| {
            let fixture = pick.get(fixtures);
            let mut body = fixture.body.clone().into_bytes();
            for (at, byte) in edits {
                // Bytes of JSON's own alphabet keep more of the mutants parseable.
                const ALPHABET: &[u8] = b"{}[]\",:\\u0aE-.n ";
                let at = at.index(body.len());
                body[at] = if byte < 128 { ALPHABET[usize::from(byte) % ALPHABET.len()] } else { byte };
            }
            if let Ok(query) = decode(fixture.format, Bytes::from(body)) {
                for part in query.parts() {
                    let _ = (query.text(part), query.place(part.place));
                }
            }
        });
    }
}
