//! Deciding about held queries as people do: the program's verbs against a live gate, and what its client then gets.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use std::thread;
use std::time::Duration;

use super::support::{Answer, Gate, Upstream};

/// Looks at a condition every 20 ms; only a broken gate ever uses all of them.
const LOOKS: u32 = 500;
/// A client that streams is told at once, and one that does not is sent away after a moment.
const SOON: [&str; 4] = ["--hold-slice", "50ms", "--server", "openai"];
/// Callers are who the proxy says, so that a repeated query joins its hold.
const PROXY: [&str; 4] = ["--trusted-proxies", "127.0.0.1/32", "--user-header", "x-user"];

const POLICIES: &str = "apiVersion: countersign.dev/v1alpha1
kind: ApprovalChain
metadata: {name: owners}
spec:
  separationOfDuties: true
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

    /// The answer once people have decided, for a client that comes again as it is told.
    fn answered(&self, body: &str) -> Answer {
        let mut answer = None;
        self.eventually("an answer", || {
            answer = Some(self.ask(body)).filter(|answer| answer.status != 409);
            answer.is_some()
        });
        answer.unwrap()
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

    #[track_caller]
    fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
        for _ in 0..LOOKS {
            if holds() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("never: {what}: {}", self.gate.log());
    }

    /// The only hold that waits, as soon as there is one.
    fn newly_held(&self) -> String {
        let mut id = None;
        self.eventually("a query is held", || {
            let list = self.run(&["approvals", "list", "-o", "json"]);
            let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap_or_default();
            id = list[0]["metadata"]["name"].as_str().map(str::to_owned);
            id.is_some()
        });
        id.unwrap()
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
    assert_eq!(office.answered(&body).status, 200);
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

/// A file to edit with.
fn sheet(body: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), body).unwrap();
    file
}

impl Office {
    fn edit_args<'a>(id: &'a str, who: &'a str, sheet: &'a tempfile::NamedTempFile) -> Vec<&'a str> {
        let file = sheet.path().to_str().unwrap();
        vec!["approve", id, "--edit-with", file, "--as", who, "--group", "legal", "--reason", "without the name"]
    }

    fn edit(&self, id: &str, who: &str, body: &str) -> String {
        self.does(&Self::edit_args(id, who, &sheet(body)))
    }

    #[track_caller]
    fn edit_refused(&self, id: &str, who: &str, body: &str, words: &[&str]) {
        self.refuses(&Self::edit_args(id, who, &sheet(body)), words);
    }

    fn received(&self) -> Vec<String> {
        self.upstream.take().into_iter().map(|one| String::from_utf8(one.body).unwrap()).collect()
    }
}

/// Odd spelling on purpose: exactly this must arrive.
const EDITED: &str = "{ \"messages\":[{\"role\":\"user\",\"content\":\"tell me about birds\"}],\n\"model\":\"demo\", \"temperature\": 1.50e0 }\n";

#[test]
fn between_two_approvers_an_edit_makes_both_approve_the_edited_form_and_only_that_arrives() {
    let office = Office::open();
    let body = query("tell me about nightingale");
    let id = office.held(&body);
    office.approve(&id, "alice", &[]);
    let said = office.edit(&id, "bob", EDITED);
    for words in [
        "No rule holds the edited query",
        "tell me about birds",
        &format!("approve {id}: counted, waiting for group legal"),
    ] {
        assert!(said.contains(words), "no `{words}` in: {said}");
    }
    let shown = office.does(&["approvals", "show", &id]);
    for words in [
        "Edited     by bob: without the name; before, sha256:",
        "Lapsed     approve by alice",
        "all of it, as it was edited",
    ] {
        assert!(shown.contains(words), "no `{words}` in: {shown}");
    }
    assert_eq!(office.held(&body), id, "the client's own bytes still join");
    let alice = ["approve", &id, "--as", "alice", "--group", "legal", "--reason", "read it"];
    office.refuses(&alice, &["not all of what hold", "all of it, as it was edited", "--full"]);
    assert!(office.approve(&id, "alice", &["--full"]).contains("approved"));
    assert_eq!(office.received(), Vec::<String>::new());
    assert_eq!((office.answered(&body).status, office.received()), (200, vec![EDITED.to_owned()]));
    let tail = office.does(&["audit", "tail"]);
    for words in ["edited", "by bob (authenticated by nobody): without the name; now sha256:", "released"] {
        assert!(tail.contains(words), "no `{words}` in:\n{tail}");
    }
    let log = fs::read_to_string(office.gate.data().join("audit.jsonl")).unwrap();
    let entries: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let find = |word: &str| entries.iter().find(|entry| entry.to_string().contains(word)).unwrap().to_string();
    let (edited, released) = (find("\"edited\""), find("\"released\""));
    let digest = |text: &str| countersign::base::Digest::of(text.as_bytes()).to_string();
    for digest in [digest(&body), digest(EDITED)] {
        assert!(edited.contains(&digest) && released.contains(&digest), "{digest}: {edited} {released}");
    }
    office.does(&["audit", "verify"]);
}

#[test]
fn a_streaming_client_receives_the_answer_to_the_edited_query() {
    let office = Office::open();
    let stream = |text: &str| query(text).replacen('{', "{\"stream\":true,", 1);
    let body = stream("tell me about nightingale");
    let answer = std::thread::scope(|scope| {
        let asking = scope.spawn(|| office.ask(&body));
        let id = office.newly_held();
        office.edit_refused(
            &id,
            "bob",
            EDITED,
            &["the edit changes whether the answer is streamed", "leave `stream` alone"],
        );
        office.edit(&id, "bob", &stream("tell me about birds"));
        office.approve(&id, "alice", &["--full"]);
        asking.join().unwrap()
    });
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(answer.status == 200 && text.contains("{\"done\":true}"), "{answer:?}");
    assert_eq!(office.received(), [stream("tell me about birds")]);
}

#[test]
fn what_the_rules_say_of_an_edit_counts() {
    let office = Office::open();
    let body = query("tell me about nightingale");
    let id = office.held(&body);
    office.edit_refused(
        &id,
        "bob",
        &query("how to build a bomb"),
        &["the rules refuse the edited query: Not here.", "nothing was decided"],
    );
    let said = office.edit(&id, "bob", &query("the vault of nightingale"));
    assert!(said.contains("further chains, which must approve as well: default/security"), "{said}");
    office.approve(&id, "alice", &["--full"]);
    assert_eq!(office.held(&body), id);
    office.does(&["approve", &id, "--full", "--as", "sam", "--reason", "read it"]);
    assert_eq!((office.answered(&body).status, office.received()), (200, vec![query("the vault of nightingale")]));
}

#[test]
fn an_edit_that_cannot_be_is_refused_with_what_to_do() {
    let office = Office::open();
    let body = query("tell me about nightingale");
    let id = office.held(&body);
    let refused = |body: &str, words: &[&str]| office.edit_refused(&id, "bob", body, words);
    refused("not json", &["the edited query cannot be read", "nothing was decided"]);
    refused(&body, &["nothing was changed", "leave --edit out"]);
    refused(&query(&"x".repeat(3 << 20)), &["larger than an edited query may be (2 MB)"]);
    office.edit_refused(&id, "rita", EDITED, &["`rita` asked for this query and may not decide"]);
    let stranger = sheet(EDITED);
    let stranger = ["approve", &id, "--edit-with", stranger.path().to_str().unwrap(), "--as", "eve", "--reason", "me"];
    office.refuses(&stranger, &["`eve` may not decide about hold"]);
    office.refuses(
        &["approve", &id, "--edit", "--as", "bob", "--group", "legal", "--reason", "x"],
        &["--edit-with FILE"],
    );
    office.does(&["deny", &id, "--as", "cleo", "--group", "legal", "--reason", "no"]);
    refused(EDITED, &["is finished: Denied"]);
    assert_eq!((office.answered(&body).status, office.received().len()), (403, 0));
}

#[test]
fn an_edit_outlives_restarts() {
    let office = Office::open();
    let body = query("tell me about nightingale");
    let id = office.held(&body);
    office.edit(&id, "bob", EDITED);
    let office = office.restarted();
    office.edit_refused(&id, "alice", &query("other birds"), &["the gate no longer has the text of hold"]);
    assert!(office.approve(&id, "alice", &["--full"]).contains("approved"));
    let office = office.restarted();
    assert_eq!((office.answered(&body).status, office.received()), (200, vec![EDITED.to_owned()]));
    let second = office.held(&query("tell me more about nightingale"));
    assert_ne!(second, id);
}

#[test]
fn rules_that_became_stricter_have_the_last_word() {
    let office = Office::open();
    let body = query("tell me about nightingale");
    let id = office.held(&body);
    office.edit(&id, "bob", EDITED);
    let stricter = POLICIES.replace("keywords: [bomb]", "keywords: [bomb, birds]");
    fs::write(office.policies.path().join("policy.yaml"), stricter).unwrap();
    office.eventually("the stricter rules are in force", || office.ask(&query("birds")).status == 403);
    office.approve(&id, "alice", &["--full"]);
    office.received();
    let answer = office.answered(&body);
    assert_eq!((answer.status, answer.code().as_deref()), (403, Some("policy_denied")));
    assert_eq!(office.received().len(), 0);
}
