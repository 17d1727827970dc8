//! The audit log from outside: it outlives `kill -9`, and the command line reads, follows and verifies it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use countersign::audit::{self, Event, Log};
use countersign::base::{Digest, ManualClock, SystemClock};

/// Names the data folder to the test that writes until it is killed.
const WRITER: &str = "COUNTERSIGN_TEST_WRITER";

fn event(policies: u32) -> Event {
    Event::RuleSetLoaded { revision: Digest::of(b"r"), policies }
}

fn log(dir: &Path, entries: u32) {
    let clock = ManualClock::at("2026-11-23T06:00:00Z".parse().unwrap());
    let (log, _) = Log::open(dir, Arc::new(clock)).unwrap();
    for n in 1..entries {
        log.append(&event(n)).unwrap();
    }
}

fn countersign(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(arguments).env("COUNTERSIGN_DATA", dir).output().unwrap()
}

#[track_caller]
fn check(dir: &Path, arguments: &[&str], status: i32, part: &str) -> String {
    let output = countersign(dir, arguments);
    let said = [output.stdout.clone(), output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.contains(part), "no `{part}` in: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Not a test by itself: what `entries_outlive_a_killed_process` runs as a process of its own.
#[test]
fn writer() {
    let Some(dir) = std::env::var_os(WRITER) else { return };
    let (log, _) = Log::open(Path::new(&dir), Arc::new(SystemClock::default())).unwrap();
    let mut out = std::io::stdout();
    for n in 2.. {
        log.append(&event(n)).unwrap();
        if writeln!(out, "written {n}").is_err() {
            return;
        }
    }
}

#[test]
fn entries_outlive_a_killed_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer", "--nocapture"])
        .env(WRITER, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut written = lines.filter_map(|line| line.split("written ").nth(1)?.parse::<u64>().ok());
    written.find(|n| *n >= 500);
    child.kill().unwrap();
    let last = written.last();
    child.wait().unwrap();
    let (log, opened) = Log::open(dir.path(), Arc::new(SystemClock::default())).unwrap();
    assert!(opened.entries >= last.unwrap_or(500), "{opened:?}, told {last:?}");
    drop(log);
    let report = audit::verify(dir.path(), None).unwrap();
    assert_eq!((report.fault, report.unfinished_bytes), (None, 0));
}

#[test]
fn verify_tells_intact_from_changed_cut_and_missing_by_its_status() {
    let dir = tempfile::tempdir().unwrap();
    check(dir.path(), &["audit", "verify"], 2, "there is no audit log");
    log(dir.path(), 5);
    let said = check(dir.path(), &["audit", "verify"], 0, "5 entries in 1 file");
    let head = said.lines().find_map(|line| line.strip_prefix("head: ")).unwrap().to_owned();
    check(dir.path(), &["audit", "verify", "--head", &head], 0, "intact");
    check(dir.path(), &["audit", "verify", "--head", "five"], 2, "expected a head");
    let path = dir.path().join("audit.jsonl");
    let whole = std::fs::read(&path).unwrap();
    let first_four: Vec<_> = whole.split_inclusive(|b| *b == b'\n').take(4).collect();
    std::fs::write(&path, first_four.concat()).unwrap();
    check(dir.path(), &["audit", "verify"], 0, "4 entries");
    check(dir.path(), &["audit", "verify", "--head", &head], 1, "its end was cut off");
    let changed = String::from_utf8(whole).unwrap().replace("\"policies\":2", "\"policies\":7");
    std::fs::write(&path, &changed).unwrap();
    check(dir.path(), &["audit", "verify"], 1, "was changed after it was written");
    let json = check(dir.path(), &["audit", "verify", "-o", "json"], 1, "audit.jsonl");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["intact"], &json["problem"]["line"]), (&false.into(), &3.into()));
}

#[test]
fn tail_shows_the_last_entries_for_people_and_as_a_list() {
    let dir = tempfile::tempdir().unwrap();
    check(dir.path(), &["audit", "tail"], 2, "there is no audit log");
    log(dir.path(), 30);
    let table = check(dir.path(), &["audit", "tail", "-n", "3"], 0, "policies: 29");
    assert_eq!(table.lines().count(), 4, "a header and three rows: {table}");
    assert!(!table.contains('\u{1b}'), "no colours into a pipe");
    let json = check(dir.path(), &["audit", "tail", "-n", "3", "-o", "json"], 0, "");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 3);
    assert_eq!((&json[2]["seq"], &json[2]["event"]["policies"]), (&30.into(), &29.into()));
}

#[test]
fn a_followed_tail_shows_what_is_written_later() {
    let dir = tempfile::tempdir().unwrap();
    log(dir.path(), 1);
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["audit", "tail", "-f", "-n", "1"])
        .env("COUNTERSIGN_DATA", dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("TIME"));
    assert!(lines.next().unwrap().unwrap().contains("log-started"));
    let (log, _) = Log::open(dir.path(), Arc::new(SystemClock::default())).unwrap();
    log.append(&event(7)).unwrap();
    assert!(lines.next().unwrap().unwrap().contains("policies: 7"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn coverage_of_a_log_without_refusals_is_clean() {
    let dir = tempfile::tempdir().unwrap();
    check(dir.path(), &["coverage"], 2, "there is no audit log");
    log(dir.path(), 2);
    check(dir.path(), &["coverage"], 0, "clean: 0 queries");
    let json: serde_json::Value = serde_json::from_str(&check(dir.path(), &["coverage", "-o", "json"], 0, "")).unwrap();
    assert_eq!(json["groups"], serde_json::json!([]));
}

#[test]
fn queries_are_shown_with_their_reasons_and_coverage_says_what_would_allow_them() {
    let dir = tempfile::tempdir().unwrap();
    let judged = |outcome: &str, rest: serde_json::Value| -> Event {
        let mut event = serde_json::json!({
            "type": "query-judged", "query": countersign::base::QueryId::fresh("2026-11-23T06:00:00Z".parse().unwrap()),
            "caller": {"user": "alice", "authenticatedBy": "jwt", "address": "127.0.0.1"}, "model": "llama\u{1b}[2J",
            "method": "POST", "path": "/v1/chat/completions", "outcome": outcome, "revision": Digest::of(b"r"),
            "bodyBytes": 2, "judgedMicros": 3, "retention": "Digest",
        });
        event.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        serde_json::from_value(event).unwrap()
    };
    let gap =
        serde_json::json!({"code": "not_covered", "coverage": [{"kind": "Image", "place": "messages[3].content[0]"}]});
    let finding = serde_json::json!({"findings": [{"policy": {"namespace": "models", "name": "secrets"}, "rule": "no-keys",
        "verdict": "Deny", "matcher": "private-key", "place": "messages[0].content"}]});
    {
        let (log, _) = Log::open(dir.path(), Arc::new(SystemClock::default())).unwrap();
        log.append(&judged("would-refuse", gap)).unwrap();
        log.append(&judged("denied", finding)).unwrap();
        log.append(&judged("allowed", serde_json::json!({}))).unwrap();
    }
    check(dir.path(), &["audit", "verify"], 0, "4 entries");
    let table = check(dir.path(), &["audit", "tail"], 0, "models/secrets: no-keys (private-key)");
    assert!(table.contains("not_covered, Image at messages[3].content[0]"), "{table}");
    assert!(table.contains("llama\\u{1b}[2J") && !table.contains('\u{1b}'), "{table}");
    let line =
        r#"coverage: [{name: allow-image, kinds: [Image], places: ["messages[*].content[*]"], action: {type: Allow}}]"#;
    let report = check(dir.path(), &["coverage"], 0, line);
    assert!(report.contains("rule no-keys of policy models/secrets (Deny)"), "{report}");
    assert!(report.contains("3 queries, 2 refused"), "{report}");
}
