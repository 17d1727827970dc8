//! Every accept fixture through the live gate, on each route of each server that takes its format: it reaches the
//! upstream byte for byte; and with one address put into one of its texts it differs in nothing but the mark.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use countersign::query::{Origin, PartKind};
use countersign::wire::{self, Format, Methods, Route, Server};

use super::support::{Answer, Gate, Upstream};

/// Put before a text; the policy masks this one (fixtures have others).
const ADDRESS: &str = "jo@example.com ";
/// What stands there then.
const MARK: &str = "[REDACTED_1] ";

struct Fixture {
    name: String,
    format: Format,
    body: Vec<u8>,
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn fixtures() -> Vec<Fixture> {
    let mut found = Vec::new();
    for folder in entries(&corpus().join("accept")) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let format = serde_json::from_value(name.clone().into()).unwrap_or_else(|_| panic!("`{name}` is no format"));
        for path in entries(&folder).into_iter().filter(|path| path.extension().is_some_and(|e| e == "json")) {
            let name = format!("{name}/{}", path.file_stem().unwrap().to_string_lossy());
            found.push(Fixture { name, format, body: fs::read(&path).unwrap() });
        }
    }
    found
}

/// `POST /v2/models/m/infer`, for each row that takes the format.
fn lines(server: Server, format: Format) -> Vec<String> {
    let rows = wire::routes_named(server).iter().filter(|row| row.meaning == Route::Judge(format));
    let written = rows.flat_map(|row| {
        let methods: &[&str] = if row.methods == Methods::PostPut { &["POST", "PUT"] } else { &["POST"] };
        methods.iter().map(|method| format!("{method} {}", filled(row.pattern)))
    });
    written.collect()
}

/// A path of the pattern: `m` stands for every name.
fn filled(pattern: &str) -> String {
    let mut path = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let (_, after) = after.split_once('}').unwrap();
        path.push_str(before);
        path.push('m');
        rest = after;
    }
    path + rest
}

/// Every adapter that fixtures choose, in a field of its own or inside a model's name: each must be offered by name.
fn adapters(server: Server, fixtures: &[Fixture]) -> Vec<String> {
    let mut found = Vec::new();
    for fixture in fixtures {
        let query = wire::decode(fixture.format, Bytes::from(fixture.body.clone())).unwrap();
        let inside = query.model.as_deref().and_then(|name| wire::canonical_model(server, name));
        found.extend(query.adapter.clone());
        found.extend(inside.and_then(|name| name.adapter));
    }
    found
}

fn send(gate: &Gate, line: &str, body: &[u8]) -> Answer {
    gate.send(line, &[("content-type".to_owned(), "application/json".to_owned())], body)
}

/// What is wrong when `body` must reach the upstream as `wanted`.
fn problem(gate: &Gate, upstream: &Upstream, line: &str, body: &[u8], wanted: &[u8]) -> Option<String> {
    upstream.take();
    let answer = send(gate, line, body);
    let received = upstream.take();
    if answer.status != 200 {
        return Some(format!("{} {:.300}", answer.status, String::from_utf8_lossy(&answer.body)));
    }
    let [one] = received.as_slice() else { return Some(format!("the upstream received {} requests", received.len())) };
    if !one.line.starts_with(line) {
        return Some(format!("the upstream was asked for `{}`", one.line));
    }
    (one.body != wanted).then(|| format!("the upstream received {}", String::from_utf8_lossy(&one.body)))
}

/// The body with the address and with the mark at the beginning of its first text that can be redacted.
fn with_address(fixture: &Fixture) -> Option<(Vec<u8>, Vec<u8>)> {
    let query = wire::decode(fixture.format, Bytes::from(fixture.body.clone())).unwrap();
    let texts =
        query.parts().iter().filter(|part| part.kind == PartKind::Text && matches!(part.origin, Origin::Body(_)));
    let strings = texts.filter_map(|part| serde_json::to_string(query.text(part)).ok().filter(|text| text.len() > 4));
    let body = String::from_utf8(fixture.body.clone()).unwrap();
    // A text that stands there once, as it is written most plainly, so that its place is beyond doubt.
    let mut unique = strings.filter(|text| body.matches(text.as_str()).count() == 1);
    let text = unique.next()?;
    let put = |what: &str| body.replacen(&text, &format!("\"{what}{}", &text[1..]), 1).into_bytes();
    Some((put(ADDRESS), put(MARK)))
}

/// Runs a check on each server, for each fixture and each route that takes it; reports all problems at the end.
fn everywhere(check: impl Fn(&Gate, &Upstream, &Fixture, &str) -> Option<String>, fixtures: &[Fixture]) {
    let upstream = Upstream::start();
    let policies = corpus().join("accept-policies/everything.yaml");
    let mut problems = Vec::new();
    let mut sent = vec![0; fixtures.len()];
    for server in Server::ALL {
        let adapters = adapters(server, fixtures).join(",");
        let gate = Gate::start(upstream.address, &policies, &["--server", server.name(), "--adapters", &adapters]);
        for (fixture, sent) in fixtures.iter().zip(&mut sent) {
            for line in lines(server, fixture.format) {
                *sent += 1;
                if let Some(problem) = check(&gate, &upstream, fixture, &line) {
                    problems.push(format!("{}, {} {line}: {problem}", fixture.name, server.name()));
                }
            }
        }
    }
    let silent: Vec<_> = fixtures.iter().zip(&sent).filter(|(_, sent)| **sent == 0).map(|(f, _)| &f.name).collect();
    assert!(silent.is_empty(), "no route of any server takes {silent:?}");
    println!("{} fixtures, sent {} times", fixtures.len(), sent.iter().sum::<usize>());
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn every_accepted_body_reaches_the_upstream_byte_for_byte() {
    let check = |gate: &Gate, upstream: &Upstream, fixture: &Fixture, line: &str| {
        problem(gate, upstream, line, &fixture.body, &fixture.body)
    };
    everywhere(check, &fixtures());
}

#[test]
fn a_redacted_body_differs_in_nothing_but_the_mark() {
    let with_text: Vec<_> = fixtures().into_iter().filter(|fixture| with_address(fixture).is_some()).collect();
    let formats = |fixtures: &[Fixture]| {
        let mut formats: Vec<_> = fixtures.iter().map(|fixture| format!("{:?}", fixture.format)).collect();
        formats.dedup();
        formats
    };
    assert_eq!(formats(&with_text), formats(&fixtures()), "each format has a fixture with a text");
    let check = |gate: &Gate, upstream: &Upstream, fixture: &Fixture, line: &str| {
        let (sent, wanted) = with_address(fixture).unwrap();
        problem(gate, upstream, line, &sent, &wanted)
    };
    everywhere(check, &with_text);
}
