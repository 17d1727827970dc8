//! The bypass catalogue against the live gate: each case says what the client gets and what reached the upstream.
//!
//! A file is a row of the catalogue, `tests/corpus/bypass/NN-name.yaml`. Refusing everything fails as well: every row
//! has cases that must pass.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use super::support::{Gate, Upstream};
use base64::Engine as _;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(rename = "row")]
    number: u32,
    /// The trick, in a sentence.
    about: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// `--server`.
    #[serde(default = "openai")]
    server: String,
    /// The folder of policies below `policies/`.
    #[serde(default = "strict")]
    policies: String,
    /// More arguments of the gate.
    #[serde(default)]
    args: Vec<String>,
    /// `POST /v1/chat/completions`.
    #[serde(default = "chat")]
    request: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The body as text.
    body: Option<String>,
    /// The body in base64, for what is not text.
    body_base64: Option<String>,
    /// Repeats every text between `<<` and `>>` this many times.
    repeat: Option<usize>,
    /// `gzip` or `deflate`: compressed before it is sent. A list is applied in order.
    #[serde(default)]
    encode: Vec<String>,
    /// The whole request, in place of all the above; `\r\n` must be written out.
    raw: Option<String>,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    status: u16,
    code: Option<String>,
    /// `nothing`, `same` (exactly the body sent, decoded), or the exact body.
    upstream: String,
    /// A header that must not reach the upstream.
    #[serde(default)]
    without_headers: Vec<String>,
}

fn openai() -> String {
    "openai".to_owned()
}

fn strict() -> String {
    "strict".to_owned()
}

fn chat() -> String {
    "POST /v1/chat/completions".to_owned()
}

impl Case {
    fn body(&self) -> Vec<u8> {
        if let Some(encoded) = &self.body_base64 {
            return base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
        }
        let text = self.body.clone().unwrap_or_default();
        let Some(times) = self.repeat else { return text.into_bytes() };
        let mut out = String::new();
        for (i, piece) in text.split("<<").enumerate() {
            match piece.split_once(">>") {
                Some((middle, after)) if i > 0 => {
                    out.push_str(&middle.repeat(times));
                    out.push_str(after);
                }
                _ => out.push_str(piece),
            }
        }
        out.into_bytes()
    }
}

fn encoded(body: &[u8], encodings: &[String]) -> Vec<u8> {
    encodings.iter().fold(body.to_vec(), |bytes, encoding| match encoding.as_str() {
        "gzip" => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            writer.write_all(&bytes).unwrap();
            writer.finish().unwrap()
        }
        "deflate" => {
            let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
            writer.write_all(&bytes).unwrap();
            writer.finish().unwrap()
        }
        other => panic!("unknown encoding {other}"),
    })
}

/// One gate per server, policies and arguments, started when first needed.
struct Gates {
    upstream: Upstream,
    started: BTreeMap<Vec<String>, Gate>,
}

impl Gates {
    fn get(&mut self, case: &Case) -> &Gate {
        let mut key = vec![case.server.clone(), case.policies.clone()];
        key.extend(case.args.iter().cloned());
        let upstream = self.upstream.address;
        self.started.entry(key).or_insert_with(|| {
            let policies = corpus().join("policies").join(&case.policies);
            let mut extra = vec!["--server", &case.server];
            extra.extend(case.args.iter().map(String::as_str));
            Gate::start(upstream, &policies, &extra)
        })
    }
}

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/bypass")
}

fn rows() -> Vec<(String, Row)> {
    let mut files: Vec<PathBuf> = fs::read_dir(corpus())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    let read = |path: &PathBuf| {
        let row: Row = serde_saphyr::from_str(&fs::read_to_string(path).unwrap())
            .unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
        (path.file_name().unwrap().to_string_lossy().into_owned(), row)
    };
    files.iter().map(read).collect()
}

/// What went wrong in one case, if anything.
fn problem(gates: &mut Gates, case: &Case) -> Option<String> {
    gates.get(case);
    gates.upstream.take();
    let body = case.body();
    let gate = gates.get(case);
    let answer = if let Some(raw) = &case.raw {
        gate.raw(raw.as_bytes())
    } else {
        let headers: Vec<(String, String)> = case.headers.clone().into_iter().collect();
        gate.send(&case.request, &headers, &encoded(&body, &case.encode))
    };
    let received = gates.upstream.take();
    let code = answer.code();
    if answer.status != case.expect.status || (case.expect.code.is_some() && code != case.expect.code) {
        let text = String::from_utf8_lossy(&answer.body);
        return Some(format!(
            "status {} {code:?}, expected {} {:?}: {text:.300}",
            answer.status, case.expect.status, case.expect.code
        ));
    }
    if answer.header("countersign-query-id").is_none() {
        return Some("the answer names no query".to_owned());
    }
    let wanted = match case.expect.upstream.as_str() {
        "nothing" => None,
        "same" => Some(body),
        exact => Some(exact.as_bytes().to_vec()),
    };
    let bodies: Vec<&[u8]> = received.iter().map(|r| r.body.as_slice()).collect();
    if bodies != wanted.iter().map(Vec::as_slice).collect::<Vec<_>>() {
        let texts: Vec<_> = bodies.iter().map(|b| String::from_utf8_lossy(b)).collect();
        return Some(format!("the upstream received {texts:.300?}, expected {:.300}", case.expect.upstream));
    }
    let leaked = case
        .expect
        .without_headers
        .iter()
        .find(|name| received.iter().any(|r| r.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))))?;
    Some(format!("header `{leaked}` reached the upstream"))
}

#[test]
fn no_case_of_the_bypass_catalogue_gets_through() {
    let mut gates = Gates { upstream: Upstream::start(), started: BTreeMap::new() };
    let mut problems = Vec::new();
    let mut cases = 0;
    for (file, row) in rows() {
        assert!(!row.about.is_empty(), "{file}: says nothing about the trick");
        for case in &row.cases {
            cases += 1;
            if let Some(problem) = problem(&mut gates, case) {
                problems.push(format!("row {} ({file}), `{}`: {problem}", row.number, case.name));
            }
        }
    }
    println!("{cases} cases");
    assert!(problems.is_empty(), "{} of {cases} cases:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn every_row_of_the_catalogue_has_refusals_and_passes() {
    let rows = rows();
    let numbers: Vec<u32> = rows.iter().map(|(_, row)| row.number).collect();
    let wanted: Vec<u32> = (1..=18).chain(20..=27).collect();
    assert_eq!(numbers, wanted, "rows of the catalogue");
    for (file, row) in &rows {
        let passes = row.cases.iter().filter(|c| c.expect.upstream != "nothing").count();
        assert!(passes > 0, "{file}: no case must pass, so refusing everything would do");
        assert!(passes < row.cases.len(), "{file}: no case is refused");
    }
}
