//! Who asks and who decides while the gate lives: clients with queries of every kind, and a person at the command line.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::course::{Course, Moment, PATIENCE};
use super::upstream::DOOMED;

/// How often the person looks whether somebody waits.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Most queries of a kind that costs the next rounds time.
const LASTING_MAX: usize = 8;

/// What becomes of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Wish {
    Pass,
    Redact,
    Refuse,
    /// Held and approved.
    Approve,
    /// The same, as a stream that is approved once it has been kept alive for a while.
    Slow,
    /// The same, and the upstream never answers.
    Doomed,
    /// Held and denied.
    Deny,
    /// Held, and nobody decides.
    Leave,
}

#[derive(Debug, Clone)]
pub(crate) struct Query {
    /// `n17`: no other query has it.
    pub(crate) nonce: String,
    pub(crate) wish: Wish,
    pub(crate) stream: bool,
    pub(crate) long: bool,
}

impl Query {
    pub(crate) fn body(&self) -> String {
        let words = match self.wish {
            Wish::Pass => "hello",
            Wish::Redact => "they call me nickname",
            Wish::Refuse => "the forbidden word",
            Wish::Approve | Wish::Slow | Wish::Deny => "the contract",
            Wish::Doomed => DOOMED,
            Wish::Leave => "the contract of nickname",
        };
        let (nonce, stream) = (&self.nonce, self.stream);
        let more = if self.long { "and so on ".repeat(20_000) } else { String::new() };
        let text = format!("{nonce} {words} {more}");
        format!(r#"{{"model":"demo","stream":{stream},"messages":[{{"role":"user","content":"{text}"}}]}}"#)
    }

    fn held(&self) -> bool {
        !matches!(self.wish, Wish::Pass | Wish::Redact | Wish::Refuse)
    }

    /// Whoever asks: the person at the command line knows by it what to do.
    fn user(&self) -> String {
        format!("{:?}-{}", self.wish, self.nonce)
    }
}

/// An answer as far as it came.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) query: Query,
    pub(crate) status: u16,
    pub(crate) id: Option<String>,
    pub(crate) hold: Option<String>,
    pub(crate) code: String,
    /// The digest of what the upstream says it saw.
    pub(crate) saw: Option<String>,
    pub(crate) whole: bool,
}

impl Heard {
    pub(crate) fn pending(&self) -> bool {
        self.code == "approval_pending"
    }
}

/// What goes on from round to round.
#[derive(Default)]
pub(crate) struct World {
    nonces: AtomicU32,
    /// Held queries without a last answer.
    pub(crate) unfinished: Mutex<Vec<Query>>,
    pub(crate) heard: Mutex<Vec<Heard>>,
    /// Which hold of a user was decided.
    decided: Mutex<HashMap<String, String>>,
    /// Users whose stream has begun.
    begun: Mutex<HashSet<String>>,
}

impl World {
    pub(crate) fn query(&self, wish: Wish, stream: bool, long: bool) -> Query {
        let nonce = format!("n{}", self.nonces.fetch_add(1, Ordering::SeqCst));
        Query { nonce, wish, stream, long }
    }

    /// Asks once. What is heard of the answer is evidence, however little it is; nothing when nobody listens any more.
    pub(crate) fn ask(&self, gate: SocketAddr, query: &Query, course: &Course) -> Option<Heard> {
        let mut stream = TcpStream::connect(gate).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (body, user) = (query.body(), query.user());
        let length = body.len();
        let sent = stream.write_all(
            format!("POST /v1/chat/completions HTTP/1.1\r\nhost: model\r\nx-user: {user}\r\ncontent-length: {length}\r\n\r\n{body}")
                .as_bytes(),
        );
        if sent.is_ok() {
            course.note(Moment::Sent);
        }
        let heard = self.listen(stream, query, course);
        self.heard.lock().unwrap().push(heard.clone());
        Some(heard)
    }

    fn listen(&self, mut stream: TcpStream, query: &Query, course: &Course) -> Heard {
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        let (mut begun, mut answered) = (false, false);
        loop {
            let heard = understood(query, &seen);
            if !begun && heard.status == 200 && heard.hold.is_some() {
                begun = true;
                self.begun.lock().unwrap().insert(query.user());
            }
            if !answered && heard.saw.is_some() {
                answered = true;
                course.note(Moment::FirstByte);
                if query.wish == Wish::Slow {
                    course.note(Moment::Resumed);
                }
            }
            if heard.whole {
                course.note(Moment::Answered);
                return heard;
            }
            match stream.read(&mut buffer) {
                Ok(0) => return heard,
                Ok(bytes) => seen.extend_from_slice(&buffer[..bytes]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no answer to {query:?}"),
                Err(_) => return heard,
            }
        }
    }

    /// Takes what earlier rounds left of a kind.
    pub(crate) fn left(&self, of: impl Fn(Wish) -> bool, most: usize) -> Vec<Query> {
        self.unfinished.lock().unwrap().extract_if(.., |query| of(query.wish)).take(most).collect()
    }

    /// One client: first what earlier rounds left, then queries as they are drawn, until the gate is dead.
    pub(crate) fn client(&self, gate: SocketAddr, course: &Course, mut draw: impl FnMut() -> Query) {
        while !course.is_over() {
            let left = self.left(|wish| !matches!(wish, Wish::Leave | Wish::Doomed), 1).pop();
            self.client_of(gate, course, left.unwrap_or_else(&mut draw));
        }
    }

    /// One query; what has no last answer when the gate is dead is left to the next round.
    pub(crate) fn client_of(&self, gate: SocketAddr, course: &Course, query: Query) {
        let last = self.insist(gate, course, &query);
        let lasting = query.held() && !last.is_some_and(|heard| heard.whole && !heard.pending());
        if lasting && !self.is_used_up(&query) {
            self.unfinished.lock().unwrap().push(query);
        }
    }

    /// Asks until there is an answer, as clients do that are told to come again.
    fn insist(&self, gate: SocketAddr, course: &Course, query: &Query) -> Option<Heard> {
        loop {
            let heard = self.ask(gate, query, course)?;
            let again = heard.pending() && query.wish != Wish::Leave && !self.is_used_up(query);
            if !again || course.is_over() {
                return Some(heard);
            }
        }
    }

    /// Whether a query whose hold was decided has been given another one.
    fn is_used_up(&self, query: &Query) -> bool {
        let decided = self.decided.lock().unwrap().get(&query.user()).cloned();
        let heard = self.heard.lock().unwrap();
        let last = heard.iter().rev().find(|heard| heard.query.nonce == query.nonce && heard.hold.is_some());
        decided.is_some_and(|decided| last.is_some_and(|last| last.hold.as_ref() != Some(&decided)))
    }

    /// The person: decides about every hold as its user's name says, once.
    pub(crate) fn person(&self, data: &Path, course: &Course) {
        while !course.over_within(LOOK_EVERY) {
            let waiting = approvals(data, &["list"]);
            for (user, hold) in waiting.iter().filter_map(|hold| Some((hold.user.clone()?, &hold.id))) {
                let verb = match user.split('-').next() {
                    Some("Approve" | "Doomed") => "approve",
                    Some("Slow") if self.begun.lock().unwrap().contains(&user) => "approve",
                    Some("Deny") => "deny",
                    _ => continue,
                };
                let known = self.decided.lock().unwrap().entry(user).or_insert_with(|| hold.clone()).clone();
                if known == *hold && !course.is_over() {
                    course.note(Moment::Decided);
                    decide(data, verb, hold);
                }
            }
        }
    }

    /// Draws a query of any kind, with the weights of a busy gate. Only the first client draws those that never end, because
    /// it asks nothing else in its round then.
    pub(crate) fn draw(&self, client: usize, dice: &mut Dice) -> Query {
        let lasting = self.unfinished.lock().unwrap().len();
        let (wish, stream) = match dice.below(100) {
            0..40 => (Wish::Pass, dice.below(3) == 0),
            40..58 => (Wish::Redact, dice.below(3) == 0),
            58..66 => (Wish::Refuse, false),
            66..88 => (Wish::Approve, dice.below(3) == 0),
            88..94 => (Wish::Deny, false),
            94..97 if lasting < LASTING_MAX => (Wish::Leave, false),
            97.. if lasting < LASTING_MAX && client == 0 => (Wish::Doomed, false),
            _ => (Wish::Pass, false),
        };
        self.query(wish, stream, wish == Wish::Pass && dice.below(8) == 0)
    }
}

/// What can be read of an answer so far.
fn understood(query: &Query, seen: &[u8]) -> Heard {
    let text = String::from_utf8_lossy(seen);
    let mut heard =
        Heard { query: query.clone(), status: 0, id: None, hold: None, code: String::new(), saw: None, whole: false };
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return heard };
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    heard.status = head[9..12].parse().unwrap();
    (heard.id, heard.hold) = (header("countersign-query-id"), header("countersign-approval-id"));
    heard.saw = body.split_once("saw:").and_then(|(_, rest)| rest.get(..71)).map(str::to_owned);
    heard.whole = match header("content-length") {
        Some(length) => body.len() >= length.parse().unwrap(),
        None => body.ends_with("\r\n0\r\n\r\n"),
    };
    let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    json["error"]["code"].as_str().unwrap_or_default().clone_into(&mut heard.code);
    heard
}

/// A hold as the command line lists it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) user: Option<String>,
    pub(crate) digest: String,
    pub(crate) phase: String,
    pub(crate) claims: usize,
    pub(crate) delivered: bool,
}

/// `countersign approvals ... -o json`.
pub(crate) fn approvals(data: &Path, arguments: &[&str]) -> Vec<Listed> {
    let output = countersign(data, &[&["approvals"], arguments, &["-o", "json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let list: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let listed = |hold: &serde_json::Value| Listed {
        id: text(&hold["metadata"]["name"]).unwrap(),
        user: text(&hold["spec"]["requester"]["user"]),
        digest: text(&hold["spec"]["digest"]).unwrap(),
        phase: text(&hold["status"]["phase"]).unwrap(),
        claims: hold["status"]["claimedAt"].as_array().map_or(0, Vec::len),
        delivered: hold["status"]["deliveredAt"].is_string(),
    };
    list.iter().map(listed).collect()
}

/// `countersign approve|deny`, by whom the chain names.
pub(crate) fn decide(data: &Path, verb: &str, hold: &str) {
    let output = countersign(data, &[verb, hold, "--as", "alice", "--reason", "seen"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn countersign(data: &Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_countersign");
    Command::new(program).args(arguments).env("COUNTERSIGN_DATA", data).output().unwrap()
}

/// Random numbers that a seed repeats (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
