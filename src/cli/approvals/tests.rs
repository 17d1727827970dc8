//! The verbs about held queries against a real store: golden output, hostile callers included, and every way to be wrong.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

use super::list::{List, list};
use super::show::{Show, show};
use super::watch::Board;
use super::*;
use crate::api::request::ApprovalRequest;
use crate::approvals::{Approver, Ask, Chain, ClientGone, Decision, Person, Quorum, Reason, Requester, Stage, Unseen};
use crate::audit;
use crate::base::{Clock, Content, Digest, HoldId, ManualClock, QueryId};
use crate::cli::data_dir::DataDir;
use crate::cli::desk::Desk;
use crate::cli::{Output, approve, decide};
use crate::rules::PolicyRef;
use crate::sidecar::{Holds as _, RecordFailure, Recorder};
use crate::standalone::SqliteHolds;

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct NoTrail;

impl Recorder for NoTrail {
    fn append(&self, _: audit::Event) -> Result<(), RecordFailure> {
        Ok(())
    }
}

struct Office {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

/// What a verb wrote, colours removed, and how it ended.
struct Said {
    exit: Exit,
    out: String,
    err: String,
}

impl Office {
    fn new() -> Self {
        let clock = ManualClock::at(Timestamp::from_second(1_790_000_000).unwrap());
        Self { folder: tempfile::tempdir().unwrap(), clock: Arc::new(clock) }
    }

    fn hold(&self, number: u8, change: impl FnOnce(&mut Ask)) -> String {
        let mut ask = question(self.clock.now(), number);
        change(&mut ask);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let id = runtime.block_on(async {
            let gate = SqliteHolds::open(self.folder.path(), self.clock(), Arc::new(NoTrail)).await.unwrap();
            gate.open(ask).await.unwrap()
        });
        id.to_string()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    fn list(&self, all: bool, output: Output) -> Said {
        let arguments = List { data: DataDir::at(self.folder.path()), all, each: false, output };
        said(|console| list(&arguments, self.clock(), console))
    }

    fn show(&self, id: &str, output: Output) -> Said {
        let arguments = Show { data: DataDir::at(self.folder.path()), id: id.to_owned(), full: false, output };
        said(|console| show(&arguments, self.clock(), console))
    }

    fn decide(&self, ids: &[&str], decision: Decision, by: &str, groups: &[&str]) -> Said {
        self.decide_seeing(ids, decision, (by, groups), None)
    }

    fn decide_seeing(&self, ids: &[&str], decision: Decision, by: (&str, &[&str]), view: Option<Digest>) -> Said {
        let arguments = decide::DecisionArguments::of(self.folder.path(), ids, view);
        let by = person(by);
        match decision {
            Decision::Approve => {
                let arguments = approve::Arguments::of(arguments);
                said(|console| approve::approved(&arguments, by, self.clock(), console))
            }
            Decision::Deny => said(|console| decide::denied(&arguments, by, self.clock(), console)),
        }
    }
}

fn person((name, groups): (&str, &[&str])) -> Person {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    Person { name: name.to_owned(), groups, authenticated_by: "nobody".to_owned() }
}

fn said(verb: impl FnOnce(&mut Console) -> anyhow::Result<Exit>) -> Said {
    let (out, err) = (Sink::default(), Sink::default());
    let mut console = Console::to(out.clone(), err.clone());
    let exit = verb(&mut console).unwrap_or_else(|error| console.complain(&error));
    let text = |sink: &Sink| uncoloured(String::from_utf8(sink.0.lock().unwrap().clone()).unwrap());
    Said { exit, out: text(&out), err: text(&err) }
}

/// Takes out our own colours and nothing else: an escape that a caller smuggled in stays, and fails the test.
fn uncoloured(text: String) -> String {
    let ours = ["0", "1", "2", "31", "32", "33"].map(|code| format!("\u{1b}[{code}m"));
    ours.iter().fold(text, |text, colour| text.replace(colour, ""))
}

fn question(now: Timestamp, number: u8) -> Ask {
    let stage = Stage {
        name: "counsel".to_owned(),
        approvers: vec![Approver::Group("legal".to_owned()), Approver::User("alice".to_owned())],
        quorum: Quorum { approve: 2, deny: 1 },
        escalate_after: Some(Duration::from_mins(10)),
        fallback: vec![Approver::Group("on-call".to_owned())],
    };
    let name = |name: &str| PolicyRef { namespace: Some("models".to_owned()), name: name.to_owned() };
    Ask {
        id: HoldId::of(now, [number; 10]),
        query: QueryId::of(now, [number; 10]),
        join: Digest::of(&[number]),
        digest: Digest::of(b"body"),
        revision: Digest::of(b"rules"),
        requester: Requester { user: Some("rita".to_owned()), groups: vec!["sales".to_owned()] },
        namespace: "models".to_owned(),
        route: "POST /v1/chat/completions".to_owned(),
        model: Some("llama".to_owned()),
        chains: vec![Chain {
            name: name("legal-signoff"),
            expires_after: Duration::from_mins(30),
            separation_of_duties: true,
            on_client_gone: ClientGone::Detach,
            valid_for_max: Duration::from_hours(1),
            allow_unseen: false,
            stages: vec![stage],
        }],
        reasons: vec![Reason {
            policy: name("customer-data"),
            rule: "contracts-need-legal".to_owned(),
            matcher: "keyword".to_owned(),
            place: "messages[0].content".to_owned(),
        }],
        excerpt: Content::new("messages[0].content (User):\n| read the ⟪keyword, 8 characters⟫ of ACME\n"),
        unseen: Vec::new(),
        similar: None,
        opened_at: now,
        ahead: None,
        callback: None,
    }
}

/// A caller who tries to erase the line, to look approved, and to talk to whoever decides.
fn hostile(ask: &mut Ask) {
    ask.model = Some("llama\u{1b}[2K\r\u{202e}devorppa\nPhase      Approved".to_owned());
    ask.requester.user = Some("mallory\u{200b}\u{9b}31m".to_owned());
    ask.reasons[0].place = "messages[0][\"\u{e0041}\u{7}\"]".to_owned();
    ask.excerpt = Content::new("messages[0] (User):\n| Pre-approved by Legal, click approve\u{1b}]8;;http://x\u{7}\n");
}

/// Compares with the golden file; `UPDATE=1` writes it.
#[track_caller]
fn golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/approvals").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    assert_eq!(actual, std::fs::read_to_string(&path).unwrap(), "{name}; run with UPDATE=1 if the change is meant");
    let hidden = actual.chars().find(|c| *c != '\n' && (c.is_control() || ('\u{200b}'..='\u{202e}').contains(c)));
    assert_eq!(hidden, None, "{name}");
}

#[test]
fn list_and_show_look_as_agreed_and_hide_nothing() {
    let office = Office::new();
    let first = office.hold(1, |_| {});
    office.clock.advance(Duration::from_mins(3));
    let second = office.hold(2, hostile);
    office.decide(&[&first], Decision::Approve, "alice", &[]);
    office.clock.advance(Duration::from_secs(30));
    golden("list.txt", &office.list(false, Output::Table).out);
    golden("list.json", &office.list(false, Output::Json).out);
    golden("show.txt", &office.show(&first, Output::Table).out);
    golden("show-hostile.txt", &office.show(&second, Output::Table).out);
    golden("show-hostile.json", &office.show(&second, Output::Json).out);
    office.decide(&[&first], Decision::Approve, "bob", &["legal"]);
    office.decide(&[&second], Decision::Deny, "bob", &["legal"]);
    golden("show-approved.txt", &office.show(&first, Output::Table).out);
    golden("list-all.txt", &office.list(true, Output::Table).out);
    assert_eq!(office.list(false, Output::Table).out, "no query is waiting for approval\n");
    assert_eq!(office.list(false, Output::Json).out, "[]\n");
}

#[test]
fn an_overdue_hold_is_shown_as_expired_even_when_no_gate_runs() {
    let office = Office::new();
    let id = office.hold(1, |_| {});
    office.clock.advance(Duration::from_mins(31));
    assert_eq!(office.list(false, Output::Json).out, "[]\n");
    assert!(office.show(&id, Output::Table).out.starts_with("Phase      Expired, chain models/legal-signoff"));
}

#[test]
fn a_decision_says_what_came_of_it_and_that_nobody_checked_the_name() {
    let office = Office::new();
    let id = office.hold(1, |_| {});
    let one = office.decide(&[&id], Decision::Approve, "alice", &[]);
    assert_eq!(one.out, format!("approve {id}: counted, waiting for group legal, user alice\n"));
    assert!(one.err.ends_with("\nrecorded as `alice`; nobody authenticated that name\n"), "{}", one.err);
    let shown = office.show(&id, Output::Table).out.lines().next_back().unwrap_or_default().to_owned();
    assert!(one.err.contains(&shown), "what is approved is written out: {}", one.err);
    assert_eq!(one.exit, Exit::Done);
    let two = office.decide(&[&id], Decision::Approve, "bob", &["legal"]);
    assert_eq!(two.out, format!("approved {id}: every chain is satisfied\n"));
    let other = office.hold(2, |_| {});
    let no = office.decide(&[&other], Decision::Deny, "bob", &["legal"]);
    assert_eq!(no.out, format!("denied {other}: the query is refused\n"));
}

#[test]
fn whoever_is_wrong_is_told_how_to_be_right() {
    let office = Office::new();
    let id = office.hold(1, |_| {});
    let check = |ids: &[&str], by: &str, groups: &[&str], exit: Exit, words: &[&str]| {
        let said = office.decide(ids, Decision::Approve, by, groups);
        assert_eq!(said.exit, exit, "{}", said.err);
        for words in words {
            assert!(said.err.contains(words), "`{words}` is not in: {}", said.err);
        }
        assert_eq!(said.out, "");
    };
    check(&["h-7777"], "alice", &[], Exit::Unusable, &["there is no hold `h-7777`", "approvals list --all"]);
    check(&[&id, "h-7777"], "alice", &[], Exit::Unusable, &["there is no hold"]);
    assert!(!office.show(&id, Output::Table).out.contains("Decision"), "one wrong id and nothing is decided");
    let stranger = ["`mallory` may not decide about hold", "group legal, user alice may", "--as NAME"];
    check(&[&id], "mallory", &["sales"], Exit::Findings, &stranger);
    check(&[&id], "rita", &["legal"], Exit::Findings, &["`rita` asked for this query and may not decide"]);
    check(&[&id], "", &["legal"], Exit::Findings, &["needs a name"]);
    check(&[&id], "eve\u{1b}[2J", &[], Exit::Findings, &["`eve<U+001B>[2J` may not decide"]);
    office.decide(&[&id], Decision::Approve, "alice", &[]);
    check(&[&id], "alice", &[], Exit::Findings, &["`alice` has already decided in this stage"]);
    office.decide(&[&id], Decision::Deny, "bob", &["legal"]);
    check(&[&id], "cleo", &["legal"], Exit::Findings, &["is finished: Denied"]);
    office.hold(2, |_| {});
    check(&["h-0"], "alice", &[], Exit::Unusable, &["`h-0` fits several holds: ", "give more of the id"]);
}

#[test]
fn a_view_that_is_not_what_is_held_is_refused() {
    let office = Office::new();
    let id = office.hold(1, |_| {});
    let shown: ApprovalRequest = serde_json::from_str(&office.show(&id, Output::Json).out).unwrap();
    let decide = |view: Digest| office.decide_seeing(&[&id], Decision::Approve, ("alice", &[]), Some(view));
    assert!(decide(Digest::of(b"other")).err.contains("not the view of hold"));
    assert_eq!(decide(shown.spec.view.unwrap().parse().unwrap()).exit, Exit::Done);
}

#[test]
fn without_a_database_the_way_to_one_is_said() {
    let office = Office::new();
    let said = office.list(false, Output::Table);
    assert_eq!(said.exit, Exit::Unusable);
    assert!(said.err.contains("there is no approvals database at"), "{}", said.err);
    assert!(said.err.contains("--data DIR"), "{}", said.err);
}

#[test]
fn what_was_not_shown_is_not_approved_unless_the_chain_says_so() {
    let office = Office::new();
    let text = Unseen::Text { place: "messages[1].content\u{1b}[2J".to_owned(), characters: 900 };
    let image = Unseen::Opaque { place: "messages[2].content[1] (Image)".to_owned() };
    let beside = Unseen::Beside { place: "messages[3].content[1] (Audio)".to_owned() };
    let cut = office.hold(1, |ask| ask.unseen = vec![text.clone()]);
    let said = office.decide(&[&cut], Decision::Approve, "alice", &[]);
    assert_eq!((said.exit, said.out.as_str()), (Exit::Findings, ""));
    for words in ["not all of what hold", "messages[1].content<U+001B>[2J", "--full", "`allowUnseen: true`"] {
        assert!(said.err.contains(words), "`{words}` is not in: {}", said.err);
    }
    let seen = office.hold(2, |ask| ask.unseen = vec![image.clone()]);
    let said = office.decide(&[&seen], Decision::Approve, "alice", &[]);
    assert_eq!(said.exit, Exit::Findings);
    for words in ["held for what cannot be shown: messages[2].content[1] (Image)", "deny it", "`allowUnseen: true`"] {
        assert!(said.err.contains(words), "`{words}` is not in: {}", said.err);
    }
    assert_eq!(office.decide(&[&seen], Decision::Deny, "alice", &[]).exit, Exit::Done, "a denial needs no view");
    let harmless = office.hold(3, |ask| ask.unseen = vec![beside.clone()]);
    assert_eq!(office.decide(&[&harmless], Decision::Approve, "alice", &[]).exit, Exit::Done);
    let allowed = office.hold(4, |ask| {
        ask.unseen = vec![image, text, beside];
        ask.chains[0].allow_unseen = true;
    });
    golden("show-unseen.txt", &office.show(&allowed, Output::Table).out);
    assert_eq!(office.decide(&[&allowed], Decision::Approve, "alice", &[]).exit, Exit::Done);
}

#[test]
fn on_a_terminal_what_is_shown_is_confirmed_and_the_reason_asked_for() {
    let office = Office::new();
    let id = office.hold(1, |_| {});
    let mut arguments = decide::DecisionArguments::of(office.folder.path(), &[&id], None);
    arguments.reason = None;
    let arguments = approve::Arguments::of(arguments);
    let at_terminal = |answers: &'static str| {
        said(|console| {
            let console = &mut std::mem::replace(console, Console::to(io::sink(), io::sink()))
                .with_person(io::Cursor::new(answers));
            approve::approved(&arguments, person(("alice", &[])), office.clock(), console)
        })
    };
    let no = at_terminal("because I know\n\n");
    assert_eq!((no.exit, no.out.as_str()), (Exit::Findings, ""));
    assert!(no.err.contains("Why?") && no.err.contains(&format!("Approve {id}? [y/N]")), "{}", no.err);
    assert!(no.err.contains("nothing was decided"), "{}", no.err);
    assert!(no.err.contains("untrusted") && no.err.contains("| read the"), "{}", no.err);
    let yes = at_terminal("because I know\ny\n");
    assert_eq!(yes.out, format!("approve {id}: counted, waiting for group legal, user alice\n"));
    assert!(office.show(&id, Output::Table).out.contains("because I know"));
    let unsaid = said(|console| approve::approved(&arguments, person(("bob", &["legal"])), office.clock(), console));
    assert!(unsaid.err.contains("a decision needs a reason: say --reason TEXT"), "{}", unsaid.err);
}

#[test]
fn similar_queries_of_one_caller_take_one_row() {
    let office = Office::new();
    for number in 1..=3 {
        office.hold(number, |_| {});
    }
    office.hold(4, |ask| ask.requester.user = Some("otto".to_owned()));
    office.hold(5, |ask| ask.requester.user = Some("rita\u{301}".to_owned()));
    let anonymous = |ask: &mut Ask| {
        ask.requester.user = None;
        ask.chains[0].separation_of_duties = false;
    };
    office.hold(6, anonymous);
    office.hold(7, anonymous);
    golden("list-similar.txt", &office.list(false, Output::Table).out);
    let each = List { data: DataDir::at(office.folder.path()), all: false, each: true, output: Output::Table };
    assert_eq!(said(|console| list(&each, office.clock(), console)).out.lines().count(), 8);
}

#[test]
fn watching_tells_of_what_waits_and_of_everything_that_happens_then() {
    let office = Office::new();
    let over = office.hold(1, |_| {});
    office.decide(&[&over], Decision::Deny, "alice", &[]);
    office.clock.advance(Duration::from_secs(1));
    let first = office.hold(2, |_| {});
    let watched = |output: Output| {
        said(|console| {
            let desk = Desk::open(&DataDir::at(office.folder.path()), office.clock())?;
            let mut board = Board::new(output);
            board.headings(console)?;
            board.look(&desk, console)?;
            let second = office.hold(3, hostile);
            office.decide(&[&first], Decision::Approve, "alice", &[]);
            board.look(&desk, console)?;
            office.clock.advance(Duration::from_mins(10));
            board.look(&desk, console)?;
            board.look(&desk, console)?;
            office.decide(&[&second], Decision::Deny, "bob", &["legal"]);
            let brief = office.hold(4, |_| {});
            office.decide(&[&brief], Decision::Deny, "bob", &["legal"]);
            office.decide(&[&first], Decision::Approve, "bob", &["legal"]);
            board.look(&desk, console)?;
            Ok(Exit::Done)
        })
    };
    golden("watch.txt", &watched(Output::Table).out);
}

#[test]
fn a_watched_stream_is_one_object_a_line() {
    let office = Office::new();
    let id = office.hold(1, |_| {});
    let stream = said(|console| {
        let desk = Desk::open(&DataDir::at(office.folder.path()), office.clock())?;
        let mut board = Board::new(Output::Json);
        board.headings(console)?;
        board.look(&desk, console)?;
        office.clock.advance(Duration::from_mins(31));
        board.look(&desk, console)?;
        Ok(Exit::Done)
    });
    let phases: Vec<String> = stream
        .out
        .lines()
        .map(|line| {
            let object: ApprovalRequest = serde_json::from_str(line).unwrap();
            assert_eq!(object.metadata.name, id);
            format!("{:?}", object.status.phase)
        })
        .collect();
    assert_eq!(phases, ["Pending", "Expired"]);
}
