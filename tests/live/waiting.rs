//! Waiting without a connection, with the program as a process: approval ahead of time.

use std::fs;
use std::path::Path;

use countersign::base::Digest;
use serde_json::Value;

use super::standalone::{countersign, folder, policy, said};
use super::support::{Answer, Gate, Upstream};

const CHAIN: &str = "apiVersion: countersign.dev/v1alpha1
kind: ApprovalChain
metadata: {name: owners}
spec: {validForMax: 2h, stages: [{name: owners, approvers: [{user: alice}]}]}
---
";

const RULES: &str = "  - name: ask
    match: {keywords: [nightingale]}
    action: {type: Hold, chain: owners}
  - name: refuse
    match: {keywords: [cuckoo]}
    action: {type: Deny}
";

fn query(text: &str) -> String {
    format!(r#"{{"model":"demo","messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

/// A file of API keys for bob and eve.
fn keys(folder: &Path) -> String {
    let line = |user: &str| {
        let digest = Digest::of(format!("sk-{user}").as_bytes()).to_string();
        format!("{user}::{}\n", &digest["sha256:".len()..])
    };
    let path = folder.join("keys");
    fs::write(&path, line("bob") + &line("eve")).unwrap();
    path.display().to_string()
}

fn ask(gate: &Gate, user: &str, more: &[(&str, &str)], body: &str) -> Answer {
    let bearer = format!("Bearer sk-{user}");
    let headers = [("authorization", bearer.as_str())].into_iter().chain(more.iter().copied());
    let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    gate.send("POST /v1/chat/completions", &headers, body.as_bytes())
}

#[test]
fn approval_ahead_of_time_answers_the_same_query_of_the_same_user_once() {
    let policies = folder(&(CHAIN.to_owned() + &policy(RULES)));
    let extra = tempfile::tempdir().unwrap();
    let upstream = Upstream::start();
    let keys = keys(extra.path());
    let gate = Gate::start(upstream.address, policies.path(), &["--server", "openai", "--api-keys", &keys]);
    let file = |text: &str| {
        let path = extra.path().join(format!("{text}.json"));
        fs::write(&path, query(text)).unwrap();
        path.display().to_string()
    };
    let rules = policies.path().display().to_string();
    let request = |text: &str, more: &[&str]| {
        let (path, base) = (file(text), ["request", "--policies", rules.as_str(), "-o", "json"]);
        countersign(gate.data(), &[&base[..], &[path.as_str()], more].concat())
    };
    for (text, more, status, words) in [
        ("nightingale", &[][..], 2, "--user NAME"),
        ("nightingale", &["--user", "bob", "--valid-for", "3h"], 2, "chain `default/owners` allows 2h at most"),
        ("cuckoo", &["--user", "bob"], 1, "policy_denied"),
        ("swan", &["--user", "bob"], 0, r#""needed": false"#),
    ] {
        let output = request(text, more);
        assert!(output.status.code() == Some(status) && said(&output).contains(words), "{}", said(&output));
    }
    let list = countersign(gate.data(), &["approvals", "list", "--all", "-o", "json"]);
    assert_eq!(serde_json::from_slice::<Value>(&list.stdout).unwrap(), serde_json::json!([]), "nothing was opened");

    let opened = request("nightingale", &["--user", "bob", "--valid-for", "90m"]);
    let opened: Value = serde_json::from_slice(&opened.stdout).unwrap_or_else(|_| panic!("{}", said(&opened)));
    assert_eq!((&opened["kind"], &opened["status"]["phase"]), (&"ApprovalRequest".into(), &"Pending".into()));
    let id = opened["metadata"]["name"].as_str().unwrap();
    let show = said(&countersign(gate.data(), &["approvals", "show", id]));
    assert!(show.contains("Ahead of time"), "people see what they approve:\n{show}");
    let approved = countersign(gate.data(), &["approve", id, "--as", "alice", "--reason", "for the batch"]);
    assert!(approved.status.success(), "{}", said(&approved));

    let later = [("prefer", "respond-async")];
    assert_eq!(ask(&gate, "eve", &later, &query("nightingale")).status, 202, "not somebody else's");
    assert_eq!(ask(&gate, "bob", &later, &query("nightingale ")).status, 202, "not other bytes");
    assert!(upstream.take().is_empty());
    let answer = ask(&gate, "bob", &later, &query("nightingale"));
    assert_eq!((answer.status, upstream.take().len()), (200, 1));
    let again = ask(&gate, "bob", &later, &query("nightingale"));
    assert_eq!((again.status, upstream.take().len()), (202, 0), "one answer for one approval");
}
