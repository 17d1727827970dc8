//! The stand-alone gate as people use it: the program as a process, its policy folder, its data folder, its verbs.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use super::support::{Answer, Gate, Upstream};

/// Looks at a condition every 20 ms; only a broken gate ever uses all of them.
const LOOKS: u32 = 500;

pub(crate) const CHAIN: &str = "apiVersion: countersign.dev/v1alpha1
kind: ApprovalChain
metadata: {name: owners}
spec: {stages: [{name: owners, approvers: [{user: alice}]}]}
---
";

pub(crate) fn policy(rules: &str) -> String {
    format!(
        "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {{name: live}}\nspec:\n  rules:\n{rules}"
    )
}

fn deny(word: &str) -> String {
    policy(&format!(
        "  - name: refuse\n    match: {{keywords: [{word}]}}\n    action: {{type: Deny, message: Not here.}}\n"
    ))
}

pub(crate) fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.yaml"), text).unwrap();
    folder
}

fn ask(gate: &Gate, text: &str) -> Answer {
    let body = format!(r#"{{"model":"demo","messages":[{{"role":"user","content":"{text}"}}]}}"#);
    gate.send("POST /v1/chat/completions", &[], body.as_bytes())
}

#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("never: {what}");
}

pub(crate) fn countersign(data: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign")).args(args).arg("--data").arg(data).output().unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn an_edit_is_in_force_soon_and_a_bad_one_changes_nothing() {
    let policies = folder(&deny("nightingale"));
    let file = policies.path().join("policy.yaml");
    let upstream = Upstream::start();
    let gate = Gate::start(upstream.address, policies.path(), &["--server", "openai"]);
    assert_eq!((ask(&gate, "nightingale").status, ask(&gate, "swan").status), (403, 200));

    fs::write(&file, deny("swan")).unwrap();
    eventually("the edit is in force", || ask(&gate, "swan").status == 403);
    assert_eq!(ask(&gate, "nightingale").status, 200);

    fs::write(&file, deny("goose").replace("keywords", "keyword")).unwrap();
    eventually("the bad edit is reported", || gate.log().contains("policies not loaded"));
    let log = gate.log();
    for part in ["policy.yaml:7:13", "^^^^^^^", "did you mean `keywords`?"] {
        assert!(log.contains(part), "no `{part}` in:\n{log}");
    }
    assert_eq!((ask(&gate, "swan").status, ask(&gate, "goose").status), (403, 200));

    fs::remove_file(&file).unwrap();
    eventually("without a policy nothing passes", || ask(&gate, "goose").status == 403);
}

#[test]
fn a_held_query_goes_on_when_a_person_approves_and_not_when_one_denies() {
    let hold = "  - name: ask\n    match: {keywords: [nightingale]}\n    action: {type: Hold, chain: owners}\n";
    let policies = folder(&(CHAIN.to_owned() + &policy(hold)));
    let upstream = Upstream::start();
    let gate = Gate::start(upstream.address, policies.path(), &["--server", "openai"]);
    for (verb, status, received) in [("approve", 200, 1), ("deny", 403, 0)] {
        let answer = thread::scope(|scope| {
            let asking = scope.spawn(|| ask(&gate, "nightingale"));
            eventually("the query is held", || {
                let list = countersign(gate.data(), &["approvals", "list", "-o", "json"]);
                let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap_or_default();
                let Some(id) = list[0]["metadata"]["name"].as_str() else { return false };
                let stranger = countersign(gate.data(), &[verb, id, "--as", "mallory", "--reason", "I want to"]);
                assert!(!stranger.status.success() && said(&stranger).contains("alice"), "{}", said(&stranger));
                let decided = countersign(gate.data(), &[verb, id, "--as", "alice", "--reason", "seen it"]);
                assert!(decided.status.success(), "{}", said(&decided));
                true
            });
            asking.join().unwrap()
        });
        assert_eq!((answer.status, upstream.take().len()), (status, received), "{verb}");
    }
    let verified = countersign(gate.data(), &["audit", "verify"]);
    assert!(verified.status.success(), "{}", said(&verified));
    let tail = said(&countersign(gate.data(), &["audit", "tail"]));
    for word in ["held", "released", "denied", "by alice (authenticated by nobody): seen it"] {
        assert!(tail.contains(word), "no `{word}` in:\n{tail}");
    }
}

#[test]
fn observing_refuses_nothing_and_says_what_it_would_have_refused() {
    let policies = folder(&deny("nightingale"));
    let upstream = Upstream::start();
    let gate = Gate::start(upstream.address, policies.path(), &["--server", "openai", "--posture", "observe"]);
    assert_eq!(ask(&gate, "nightingale").status, 200);
    let ids = br#"{"model":"demo","prompt":[1,2,3]}"#;
    assert_eq!(gate.send("POST /v1/completions", &[], ids).status, 200);
    assert_eq!(gate.send("POST /v1/anything", &[], b"{}").status, 200);
    assert_eq!(upstream.take().len(), 3);
    let report = said(&countersign(gate.data(), &["coverage"]));
    for word in ["live", "TokenIds", "/v1/anything"] {
        assert!(report.contains(word), "no `{word}` in:\n{report}");
    }
}

#[test]
fn after_a_crash_the_record_is_whole_again() {
    let policies = folder(&deny("nightingale"));
    let upstream = Upstream::start();
    let gate = Gate::start(upstream.address, policies.path(), &["--server", "openai"]);
    assert_eq!(ask(&gate, "swan").status, 200);
    let data = gate.crash();
    let mut log = fs::OpenOptions::new().append(true).open(data.path().join("audit.jsonl")).unwrap();
    log.write_all(b"{\"seq\":99,\"time\":\"20").unwrap();
    drop(log);
    let gate = Gate::start_in(data, upstream.address, policies.path(), &["--server", "openai"]);
    assert!(gate.log().contains("unfinished entry"), "{}", gate.log());
    let verified = countersign(gate.data(), &["audit", "verify"]);
    assert!(verified.status.success(), "{}", said(&verified));
}

#[test]
fn two_gates_never_write_one_record() {
    let policies = folder(&deny("nightingale"));
    let upstream = Upstream::start();
    let gate = Gate::start(upstream.address, policies.path(), &["--server", "openai"]);
    let [listen, admin] = super::support::free_ports();
    let second = countersign(
        gate.data(),
        &[
            "gate",
            "--server",
            "openai",
            "--policies",
            &policies.path().display().to_string(),
            "--upstream",
            "http://127.0.0.1:9",
            "--listen",
            &listen.to_string(),
            "--admin-listen",
            &admin.to_string(),
        ],
    );
    assert_eq!(second.status.code(), Some(2), "{}", said(&second));
    assert!(said(&second).contains("another"), "{}", said(&second));
}

#[test]
fn the_tour_of_the_demonstration_happens_as_told() {
    let data = tempfile::tempdir().unwrap();
    let any = "127.0.0.1:0";
    let args = ["demo", "--tour", "only", "--listen", any, "--model-listen", any, "--admin-listen", any];
    let tour = countersign(data.path(), &args);
    assert!(tour.status.success(), "{}", said(&tour));
    assert!(said(&tour).contains("everything happened as told"), "{}", said(&tour));
}

#[test]
fn a_query_that_takes_long_to_judge_keeps_nobody_else_waiting() {
    let rules = "  - name: mask\n    match: {detectors: [personal-data]}\n    action: {type: Redact}\n";
    let policies = folder(&policy(rules));
    let upstream = Upstream::start();
    let gate = Gate::start(upstream.address, policies.path(), &["--server", "openai"]);
    let digits = "1234567 ".repeat(400_000);
    let done = std::sync::atomic::AtomicBool::new(false);
    let overtakers = thread::scope(|scope| {
        scope.spawn(|| {
            ask(&gate, &digits);
            done.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        let mut overtakers = 0;
        while !done.load(std::sync::atomic::Ordering::SeqCst) {
            assert_eq!(ask(&gate, "swan").status, 200);
            overtakers += 1;
        }
        overtakers
    });
    // Judged on the serving thread, the large query would let pass those that come before its last byte, a handful.
    assert!(overtakers > 20, "only {overtakers} queries overtook");
}
