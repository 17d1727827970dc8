//! The play: every client program runs its cases side by side, people decide when a case has come to the point its scenario
//! is about, and everything that was seen is gathered: by the caller, in the record, and by the model server.

use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use countersign::audit::{Outcome, QueryJudged};
use countersign::base::{Clock as _, HoldId, SystemClock};
use serde_json::{Value, json};

use super::cast::{CLIENTS, Case, Client, Scenario};
use super::people::People;
use super::stage::{Gate, Stage, key};
use super::upstream::Received;

/// How often people look at what waits.
pub const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What a client program has said of a case so far.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The statuses that the client got, one an attempt.
    pub heads: Vec<u64>,
    /// Whether an empty piece came while nobody had decided.
    pub kept_alive: bool,
    /// Its last word.
    pub done: Option<Value>,
    /// Its holds, as long as they waited: of anonymous callers only the text tells, which is not kept afterwards.
    pub holds: BTreeSet<String>,
    /// Whether people have decided about it.
    pub decided: bool,
}

pub type Board = Arc<Mutex<HashMap<String, Seen>>>;

/// A case with everything that was seen of it.
#[derive(Debug)]
pub struct Played {
    pub case: Case,
    pub heads: Vec<u64>,
    pub kept_alive: bool,
    /// The last word of the client program; null when it never said it.
    pub done: Value,
    pub judged: Vec<QueryJudged>,
    /// What became of its holds.
    pub phases: Vec<String>,
    pub received: Vec<Received>,
    /// What it got of the same call without a gate.
    pub bare: Option<Received>,
}

impl Played {
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.judged.iter().map(|judged| judged.outcome).collect()
    }

    pub fn holds(&self) -> BTreeSet<HoldId> {
        self.judged.iter().filter_map(|judged| judged.hold).collect()
    }

    pub fn failures(&self) -> &[Value] {
        self.done["failures"].as_array().map_or(&[], Vec::as_slice)
    }
}

/// Runs all cases to their end, or until `patience` has run out.
pub fn play(stage: &Stage, cases: &[Case], patience: Duration) -> Vec<Played> {
    let board: Board = Arc::default();
    let mut programs: Vec<Child> = CLIENTS.iter().filter_map(|client| start(client, stage, cases, &board)).collect();
    let clock = SystemClock::default();
    let end = clock.monotonic() + patience;
    thread::scope(|scope| {
        for gate in &stage.gates {
            let people = People::at(gate, cases, &board, &clock);
            scope.spawn(move || people.decide_until(end));
        }
    });
    for program in &mut programs {
        // The cases that have not ended are told as such.
        while clock.monotonic() < end && program.try_wait().unwrap().is_none() {
            thread::sleep(LOOK_EVERY);
        }
        let _ = program.kill();
        let _ = program.wait();
    }
    let judged: Vec<QueryJudged> = stage.gates.iter().flat_map(Gate::judged).collect();
    let holds: Vec<Value> = stage.gates.iter().flat_map(Gate::holds).collect();
    let board = board.lock().unwrap();
    let played = cases.iter().map(|case| {
        let id = case.id();
        let seen = board.get(&id).cloned().unwrap_or_default();
        let user = |user: Option<&str>| user == Some(&id);
        let own = holds.iter().filter(|hold| {
            let name = hold["metadata"]["name"].as_str().unwrap_or_default();
            user(hold["spec"]["requester"]["user"].as_str()) || seen.holds.contains(name)
        });
        let asked = |judged: &&QueryJudged| {
            let held = judged.hold.is_some_and(|hold| seen.holds.contains(&hold.to_string()));
            held || user(judged.caller.user.as_deref())
        };
        let phase = |hold: &Value| hold["status"]["phase"].as_str().unwrap_or_default().to_owned();
        Played {
            case: *case,
            heads: seen.heads.clone(),
            kept_alive: seen.kept_alive,
            done: seen.done.clone().unwrap_or_default(),
            judged: judged.iter().filter(asked).cloned().collect(),
            phases: own.map(phase).collect(),
            received: stage.received(case),
            bare: stage.bare(case),
        }
    });
    played.collect()
}

/// Whether it is this case that waits. Of anonymous callers only the text tells.
pub fn is_of(hold: &Value, case: &Case) -> bool {
    let (id, spec) = (case.id(), &hold["spec"]);
    match spec["requester"]["user"].as_str() {
        Some(user) => user == id,
        None => spec["excerpt"].as_str().is_some_and(|excerpt| excerpt.contains(&format!("[{id}]"))),
    }
}

/// Starts a client's program with its cases, and notes what it says.
fn start(client: &'static Client, stage: &Stage, cases: &[Case], board: &Board) -> Option<Child> {
    let own = cases.iter().filter(|case| case.client == client);
    let told: Vec<Value> = own
        .map(|case| {
            json!({"id": case.id(), "mode": case.call.name, "url": stage.url(case),
                "key": if case.is_anonymous() { String::new() } else { key(&case.id()) },
                "text": case.text(), "asks_again": asks_again(case.scenario)})
        })
        .collect();
    if told.is_empty() {
        return None;
    }
    Some(run(client.program, &Value::from(told), board))
}

/// How often a program asks again after a failure that is not final.
fn asks_again(scenario: Scenario) -> u32 {
    match scenario {
        Scenario::Join | Scenario::Expire | Scenario::Restart | Scenario::Kill | Scenario::Minutes => 9,
        _ => 0,
    }
}

/// Runs a client program.
pub fn run(program: &str, cases: &Value, board: &Board) -> Child {
    let folder = installed();
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(program);
    let mut command = if script.extension().is_some_and(|extension| extension == "mjs") {
        let mut command = Command::new("node");
        command.arg(script).arg(folder.join("package.json"));
        command
    } else {
        let mut command = Command::new(folder.join("python/bin/python"));
        command.arg("-B").arg(script);
        command
    };
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the client program starts");
    child.stdin.take().unwrap().write_all(cases.to_string().as_bytes()).unwrap();
    let (lines, board) = (BufReader::new(child.stdout.take().unwrap()).lines(), Arc::clone(board));
    thread::spawn(move || lines.map_while(Result::ok).for_each(|line| note(&line, &board)));
    child
}

fn note(line: &str, board: &Board) {
    let said: Value = serde_json::from_str(line).unwrap_or_else(|flaw| panic!("{flaw} in `{line}`"));
    let mut board = board.lock().unwrap();
    let seen = board.entry(said["id"].as_str().unwrap().to_owned()).or_default();
    match said["event"].as_str() {
        Some("head") => seen.heads.push(said["status"].as_u64().unwrap()),
        Some("kept_alive") => seen.kept_alive |= !seen.decided,
        _ => seen.done = Some(said),
    }
}

/// Where `scripts/clients` has put the libraries.
fn installed() -> PathBuf {
    static FOLDER: std::sync::LazyLock<PathBuf> = std::sync::LazyLock::new(|| {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/clients");
        let output = Command::new(script).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "scripts/clients failed");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    });
    FOLDER.clone()
}
