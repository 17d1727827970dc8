//! What decisions are remembered for, with the program as people run it: conversations, the command line, crashes.

use std::path::Path;
use std::process::{Command, Output};
use std::{fs, thread};

use serde_json::{Value, json};

use super::standalone::eventually;
use super::support::{Answer, Gate, Upstream};

const POLICY: &str = "apiVersion: countersign.dev/v1alpha1
kind: ApprovalPolicy
metadata: {name: live}
spec:
  carryFor: 8h
  rules:
  - name: ask
    match: {keywords: [nightingale]}
    action: {type: Hold, chain: owners}
---
apiVersion: countersign.dev/v1alpha1
kind: ApprovalChain
metadata: {name: owners}
spec: {stages: [{name: owners, approvers: [{user: alice}]}]}
";
const FLAGS: [&str; 8] =
    ["--server", "openai", "--trusted-proxies", "127.0.0.1/32", "--user-header", "x-user", "--hold-slice", "20ms"];

fn countersign(data: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign")).args(args).arg("--data").arg(data).output().unwrap()
}

#[track_caller]
fn done(data: &Path, args: &[&str]) -> String {
    let output = countersign(data, args);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{args:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn ask(gate: &Gate, user: &str, texts: &[&str]) -> Answer {
    let messages: Vec<_> = texts.iter().map(|text| json!({"role": "user", "content": text})).collect();
    let body = json!({"model": "demo", "messages": messages}).to_string();
    gate.send("POST /v1/chat/completions", &[("x-user".to_owned(), user.to_owned())], body.as_bytes())
}

/// Asks until there is another answer than to come again.
fn settled(gate: &Gate, user: &str, texts: &[&str]) -> Answer {
    loop {
        let answer = ask(gate, user, texts);
        if answer.status != 409 {
            return answer;
        }
        thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn pending(data: &Path) -> Vec<String> {
    let list: Vec<Value> = serde_json::from_str(&done(data, &["approvals", "list", "-o", "json"])).unwrap();
    list.iter().map(|one| one["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

fn decide(gate: &Gate, verb: &str, more: &[&str]) -> String {
    let id = pending(gate.data()).pop().expect("a query is held");
    let args = [&[verb, &id, "--as", "alice", "--reason", "seen it"], more].concat();
    done(gate.data(), &args)
}

fn policies() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
    folder
}

#[test]
fn a_conversation_goes_on_after_the_gate_was_killed() {
    let (policies, upstream) = (policies(), Upstream::start());
    let gate = Gate::start(upstream.address, policies.path(), &FLAGS);
    let turn = ["hello", "about the nightingale"];
    assert_eq!(ask(&gate, "bob", &turn).status, 409);
    decide(&gate, "approve", &[]);
    assert_eq!(settled(&gate, "bob", &turn).status, 200);
    let gate = Gate::start_in(gate.crash(), upstream.address, policies.path(), &FLAGS);
    let longer = [&turn[..], &["and then?"]].concat();
    assert_eq!(ask(&gate, "bob", &longer).status, 200);
    assert_eq!(ask(&gate, "eve", &longer).status, 409);
    let tail = done(gate.data(), &["audit", "tail"]);
    assert!(tail.contains("carried from h-"), "{tail}");
    done(gate.data(), &["audit", "verify"]);
}

/// The one grant or mute that counts.
fn standing(gate: &Gate, verb: &str) -> Value {
    let list: Vec<Value> = serde_json::from_str(&done(gate.data(), &[verb, "list", "-o", "json"])).unwrap();
    assert_eq!(list.len(), 1, "{list:?}");
    list[0].clone()
}

#[test]
fn a_grant_is_used_listed_and_taken_back_from_the_command_line() {
    let (policies, upstream) = (policies(), Upstream::start());
    let gate = Gate::start(upstream.address, policies.path(), &FLAGS);
    let (first, second, third) = (["about the nightingale"], ["which Nightingale?"], ["the nightingale again"]);
    assert_eq!(ask(&gate, "bob", &first).status, 409);
    let said = decide(&gate, "approve", &["--for", "8h", "--uses", "5"]);
    assert!(said.contains("granted g-") && said.contains("5 times"), "{said}");
    assert_eq!(settled(&gate, "bob", &first).status, 200);
    assert_eq!(ask(&gate, "bob", &second).status, 200, "alike, and nobody is asked");
    let gate = Gate::start_in(gate.crash(), upstream.address, policies.path(), &FLAGS);
    let grant = standing(&gate, "grants");
    assert_eq!((&grant["kind"], &grant["status"]["uses"]), (&json!("ApprovalGrant"), &json!(1)));
    assert_eq!((&grant["spec"]["requester"], &grant["spec"]["usesMax"]), (&json!("bob"), &json!(5)));
    let id = grant["metadata"]["name"].as_str().unwrap();
    done(gate.data(), &["grants", "revoke", id, "--as", "carol", "--reason", "a mistake"]);
    assert_eq!(ask(&gate, "bob", &third).status, 409);
    let shown = done(gate.data(), &["grants", "show", id]);
    assert!(shown.contains("Revoked") && shown.contains("carol") && shown.contains("1 of 5"), "{shown}");
    let again = countersign(gate.data(), &["grants", "revoke", id, "--as", "carol", "--reason", "again"]);
    assert_eq!(again.status.code(), Some(1));
    // The gate copies what commands left for the trail when it looks next.
    for word in ["granted", &format!("grant {id} by alice"), "revoked", "by carol (authenticated by nobody): a mistake"]
    {
        eventually(word, || done(gate.data(), &["audit", "tail"]).contains(word));
    }
    done(gate.data(), &["audit", "verify"]);
}

#[test]
fn a_mute_refuses_at_once_until_it_is_taken_back() {
    let (policies, upstream) = (policies(), Upstream::start());
    let gate = Gate::start(upstream.address, policies.path(), &FLAGS);
    assert_eq!(ask(&gate, "bob", &["about the nightingale"]).status, 409);
    assert!(decide(&gate, "deny", &["--mute", "1h"]).contains("muted g-"));
    let answer = ask(&gate, "bob", &["which nightingale"]);
    assert_eq!((answer.status, answer.code().as_deref()), (403, Some("approval_muted")));
    assert!(pending(gate.data()).is_empty());
    let mute = standing(&gate, "mutes");
    assert_eq!(mute["kind"], "ApprovalMute");
    let id = mute["metadata"]["name"].as_str().unwrap();
    let wrong = countersign(gate.data(), &["grants", "revoke", id, "--as", "carol", "--reason", "x"]);
    assert_eq!(wrong.status.code(), Some(2), "a mute is no grant");
    done(gate.data(), &["mutes", "revoke", id, "--as", "carol", "--reason", "ask me"]);
    assert_eq!(ask(&gate, "bob", &["which nightingale"]).status, 409);
    assert_eq!(upstream.take().len(), 0);
}
