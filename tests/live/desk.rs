//! Deciding about held queries as people do: the program's verbs against a live gate, and what its client then gets.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use super::support::{Answer, Gate, Upstream};

/// A client that streams is told at once, and one that does not is sent away after a moment.
const SOON: [&str; 4] = ["--hold-slice", "50ms", "--server", "openai"];
/// Callers are who the proxy says, so that a repeated query joins its hold.
const PROXY: [&str; 4] = ["--trusted-proxies", "127.0.0.1/32", "--user-header", "x-user"];

const POLICIES: &str = "apiVersion: countersign.dev/v1alpha1
kind: ApprovalChain
metadata: {name: owners}
spec:
  stages:
  - name: owners
    approvers: [{group: legal}]
    quorum: {approve: 2, deny: 1}
---
apiVersion: countersign.dev/v1alpha1
kind: ApprovalChain
metadata: {name: security}
spec: {stages: [{name: security, approvers: [{user: sam}]}]}
---
apiVersion: countersign.dev/v1alpha1
kind: ApprovalPolicy
metadata: {name: live}
spec:
  rules:
  - {name: ask, match: {keywords: [nightingale]}, action: {type: Hold, chain: owners}}
  - {name: long, match: {regex: 'begin [a-z ]{600,900} end'}, action: {type: Hold, chain: owners}}
  - {name: keys, match: {keywords: [vault]}, action: {type: Hold, chain: security}}
  - {name: never, match: {keywords: [bomb]}, action: {type: Deny, message: Not here.}}
";

struct Office {
    policies: tempfile::TempDir,
    upstream: Upstream,
    gate: Gate,
}

impl Office {
    fn open() -> Self {
        let policies = tempfile::tempdir().unwrap();
        fs::write(policies.path().join("policy.yaml"), POLICIES).unwrap();
        let upstream = Upstream::start();
        let gate = Gate::start(upstream.address, policies.path(), &[SOON, PROXY].concat());
        Self { policies, upstream, gate }
    }

    /// The gate is killed and started again on the same data.
    fn restarted(self) -> Self {
        let Self { policies, upstream, gate } = self;
        let data = gate.crash();
        let gate = Gate::start_in(data, upstream.address, policies.path(), &[SOON, PROXY].concat());
        Self { policies, upstream, gate }
    }

    /// A query of Rita's.
    fn ask(&self, body: &str) -> Answer {
        let headers = [("x-user".to_owned(), "rita".to_owned())];
        self.gate.send("POST /v1/chat/completions", &headers, body.as_bytes())
    }

    /// The same, held: its id.
    fn held(&self, body: &str) -> String {
        let answer = self.ask(body);
        assert_eq!((answer.status, answer.code().as_deref()), (409, Some("approval_pending")), "{answer:?}");
        answer.header("countersign-approval-id").unwrap().to_owned()
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_countersign")).args(args).arg("--data").arg(self.gate.data()).output().unwrap()
    }

    #[track_caller]
    fn does(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        said(&output)
    }

    #[track_caller]
    fn refuses(&self, args: &[&str], words: &[&str]) {
        let output = self.run(args);
        let said = said(&output);
        assert!(!output.status.success(), "{args:?}: {said}");
        for words in words {
            assert!(said.contains(words), "`{words}` is not in: {said}");
        }
    }

    fn approve(&self, id: &str, who: &str, more: &[&str]) -> String {
        self.does(&[&["approve", id, "--as", who, "--group", "legal", "--reason", "read it"], more].concat())
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn query(text: &str) -> String {
    format!(r#"{{"model":"demo","messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

#[test]
fn what_the_excerpt_cuts_is_shown_by_the_gate_and_approved_only_then() {
    let office = Office::open();
    let body = query(&format!("please begin {} end \\u202e now", "and then some ".repeat(50)));
    let id = office.held(&body);
    let alice = ["approve", &id, "--as", "alice", "--group", "legal", "--reason", "read it"];
    office.refuses(&alice, &["not all of what hold", "messages[0].content", "--full"]);
    let full = office.does(&["approvals", "show", &id, "--full"]);
    assert!(full.contains(&"and then some ".repeat(50)) && full.contains("<U+202E> now"), "{full}");
    assert!(!office.does(&["approvals", "show", &id]).contains(&"and then some ".repeat(50)));
    office.approve(&id, "alice", &["--full"]);
    office.approve(&id, "bob", &["--full"]);
    assert_eq!(office.ask(&body).status, 200);
    assert_eq!(office.upstream.take()[0].body, body.as_bytes());
}

#[test]
fn after_a_restart_the_text_is_back_when_the_client_asks_again() {
    let office = Office::open();
    let body = query("tell me about nightingale");
    let id = office.held(&body);
    let office = office.restarted();
    office.refuses(
        &["approvals", "show", &id, "--full"],
        &["the gate no longer has the text of hold", "it comes back when the client asks again"],
    );
    assert_eq!(office.held(&body), id);
    assert!(office.does(&["approvals", "show", &id, "--full"]).contains("| tell me about nightingale"));
    let mode = fs::metadata(office.gate.data().join("gate.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (data, id) = (office.gate.crash(), id);
    let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["approvals", "show", &id, "--full", "--data"])
        .arg(data.path())
        .output()
        .unwrap();
    assert!(said(&output).contains("no gate answers on this data folder"), "{}", said(&output));
}

#[test]
fn what_ended_is_not_kept() {
    let office = Office::open();
    let id = office.held(&query("tell me about nightingale"));
    office.does(&["deny", &id, "--as", "bob", "--group", "legal", "--reason", "no"]);
    let ended = office.does(&["approvals", "show", &id, "--full"]);
    assert!(ended.contains("the hold has ended, and its text is gone"), "{ended}");
    let decided = ["approve", &id, "--as", "alice", "--group", "legal", "--reason", "late"];
    office.refuses(&decided, &["is finished: Denied"]);
}
