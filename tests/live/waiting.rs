//! Waiting without a connection, with the program as a process: approval ahead of time, and being called back.

use std::fs;
use std::path::Path;
use std::thread;

use countersign::base::Digest;
use countersign::standalone::alerts::{SIGNATURE_HEADER, verify_signature};
use serde_json::Value;

use super::standalone::{countersign, eventually, folder, policy, said};
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
    let tail = said(&countersign(gate.data(), &["audit", "tail"]));
    assert!(tail.contains("asked-ahead") && tail.contains("for bob by"), "the record says who asked:\n{tail}");
}

#[test]
fn client_is_called_back_where_the_operator_allows_it() {
    const SECRET: &str = "0123456789abcdef";
    let policies = folder(&(CHAIN.to_owned() + &policy(RULES)));
    let extra = tempfile::tempdir().unwrap();
    let (upstream, receiver, other) = (Upstream::start(), Upstream::start(), Upstream::start());
    let secret = extra.path().join("secret");
    fs::write(&secret, SECRET).unwrap();
    let secret = secret.display().to_string();
    let (keys, allowed) = (keys(extra.path()), format!("http://{}/hooks", receiver.address));
    let more = ["--server", "openai", "--api-keys", &keys, "--callback-allow", &allowed, "--callback-secret", &secret];
    let gate = Gate::start(upstream.address, policies.path(), &more);
    let asked = |url: &str| {
        let headers = [("prefer", "respond-async"), ("countersign-callback", url)];
        ask(&gate, "bob", &headers, &query("nightingale"))
    };
    for wrong in [format!("http://{}/hooks", other.address), format!("http://{}/", receiver.address)] {
        let answer = asked(&wrong);
        assert_eq!((answer.status, answer.code().as_deref()), (400, Some("callback_not_allowed")), "{wrong}");
    }
    let accepted = asked(&format!("{allowed}/bob?job=7"));
    assert_eq!(accepted.status, 202);
    let id = accepted.header("countersign-approval-id").unwrap();
    let denied = countersign(gate.data(), &["deny", id, "--as", "alice", "--reason", "not this week"]);
    assert!(denied.status.success(), "{}", said(&denied));
    let mut got = Vec::new();
    eventually("the receiver is called", || {
        got.extend(receiver.take());
        !got.is_empty()
    });
    assert_eq!((got.len(), got[0].line.as_str()), (1, "POST /hooks/bob?job=7 HTTP/1.1"));
    let signature = got[0].headers.iter().find(|(name, _)| name == SIGNATURE_HEADER).unwrap();
    let now = jiff::Timestamp::try_from(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let at: i64 = signature.1.split([',', '=']).nth(1).unwrap().parse().unwrap();
    let now = now + jiff::SignedDuration::from_secs(at);
    verify_signature(SECRET.as_bytes(), &signature.1, &got[0].body, now, 1).unwrap();
    let message: Value = serde_json::from_slice(&got[0].body).unwrap();
    assert_eq!((&message["type"], &message["phase"]), (&"approval".into(), &"Denied".into()));
    assert_eq!(message["approval"], id);
    assert!(!String::from_utf8_lossy(&got[0].body).contains("nightingale"));
    assert!(other.take().is_empty() && upstream.take().is_empty());
}

#[test]
fn of_two_decisions_at_once_one_counts_and_the_client_gets_that_one() {
    let policies = folder(&(CHAIN.to_owned() + &policy(RULES)));
    let extra = tempfile::tempdir().unwrap();
    let upstream = Upstream::start();
    let keys = keys(extra.path());
    let gate = Gate::start(upstream.address, policies.path(), &["--server", "openai", "--api-keys", &keys]);
    for round in 0..4 {
        let body = query(&format!("nightingale {round}"));
        let accepted = ask(&gate, "bob", &[("prefer", "respond-async")], &body);
        let id = accepted.header("countersign-approval-id").unwrap().to_owned();
        let decide = |verb| countersign(gate.data(), &[verb, &id, "--as", "alice", "--reason", "at once"]);
        let (approved, denied, answer) = thread::scope(|scope| {
            let waiting = scope.spawn(|| ask(&gate, "bob", &[], &body));
            let (approve, deny) = (scope.spawn(|| decide("approve")), scope.spawn(|| decide("deny")));
            (approve.join().unwrap(), deny.join().unwrap(), waiting.join().unwrap())
        });
        assert_ne!(approved.status.success(), denied.status.success(), "{}{}", said(&approved), said(&denied));
        let late = if approved.status.success() { &denied } else { &approved };
        assert!(said(late).contains("is finished"), "{}", said(late));
        let status = if approved.status.success() { 200 } else { 403 };
        assert_eq!((answer.status, upstream.take().len()), (status, usize::from(status == 200)));
        let again = decide("approve");
        assert!(!again.status.success() && said(&again).contains("is finished"), "{}", said(&again));
    }
}
