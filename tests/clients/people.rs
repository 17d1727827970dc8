//! The people who decide: about each hold when its case has come to the point that its scenario is about, by the program's own
//! verbs.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use countersign::audit::{Outcome, QueryJudged};
use countersign::base::{Clock, SystemClock};
use jiff::Timestamp;
use serde_json::Value;

use super::cast::{Answer, Case, Scenario, Way};
use super::play::{Board, LOOK_EVERY, Seen};
use super::stage::{Gate, Manner};

/// Those who decide at one gate.
pub struct People<'a> {
    gate: &'a Gate,
    cases: HashMap<String, &'a Case>,
    board: Board,
    clock: &'a SystemClock,
}

impl<'a> People<'a> {
    pub fn at(gate: &'a Gate, cases: &'a [Case], board: &Board, clock: &'a SystemClock) -> Self {
        let held = cases.iter().filter(|case| case.way != Way::Bare);
        let own = held.filter(|case| Manner::of(case.scenario) == gate.manner);
        Self { gate, cases: own.map(|case| (case.id(), case)).collect(), board: Arc::clone(board), clock }
    }

    /// Decides until every case has ended; ends the gate in between, if that is its manner.
    pub fn decide_until(&self, end: Duration) {
        let mut whole = !matches!(self.gate.manner, Manner::Restarted | Manner::Killed);
        while self.clock.monotonic() < end {
            let seen = self.board.lock().unwrap().clone();
            if self.cases.keys().all(|id| seen.get(id).is_some_and(|seen| seen.done.is_some())) {
                return;
            }
            let waiting = self.gate.waiting();
            if whole {
                self.decide(&waiting, &seen);
            } else if self.all_wait(&waiting, &seen) {
                self.gate.start_again();
                whole = true;
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Whether everybody is held, and those who stream have their heads.
    fn all_wait(&self, waiting: &[Value], seen: &HashMap<String, Seen>) -> bool {
        self.cases.iter().all(|(id, case)| {
            let held = waiting.iter().any(|hold| requester(hold) == id);
            held && seen.get(id).map_or(!case.streams(), |seen| seen.has_its_head(case))
        })
    }

    fn decide(&self, waiting: &[Value], seen: &HashMap<String, Seen>) {
        let record = self.gate.judged();
        let decided = waiting.iter().filter_map(|hold| {
            let case = self.cases.get(requester(hold))?;
            let seen = seen.get(requester(hold)).cloned().unwrap_or_default();
            Some((self.decision(case, hold, &seen, &record)?, hold))
        });
        let decided: Vec<(&str, &Value)> = decided.collect();
        for decision in ["approve", "deny"] {
            let holds = decided.iter().filter(|(decided, _)| *decided == decision);
            self.enter(decision, &holds.map(|(_, hold)| *hold).collect::<Vec<_>>());
        }
    }

    /// What people decide about a hold now, if anything.
    fn decision(&self, case: &Case, hold: &Value, seen: &Seen, record: &[QueryJudged]) -> Option<&'static str> {
        let opened: Timestamp = hold["metadata"]["creationTimestamp"].as_str()?.parse().ok()?;
        let age = Duration::try_from(self.clock.now().duration_since(opened)).unwrap_or_default();
        let takes = case.takes();
        let (decision, now) = match case.scenario {
            Scenario::Approve => ("approve", seen.has_its_head(case)),
            Scenario::Deny => ("deny", seen.has_its_head(case)),
            Scenario::Outlast | Scenario::Minutes | Scenario::Slice => {
                // A client that gives no sign of life is looked at twice as long.
                let alive = seen.kept_alive || case.call.answer != Answer::Streamed;
                ("approve", age >= takes && (alive || age >= 2 * takes))
            }
            Scenario::Join if case.streams() => ("approve", age >= takes),
            Scenario::Join | Scenario::Restart | Scenario::Kill => ("approve", joined(hold, record)),
            Scenario::Pass | Scenario::Refuse | Scenario::Redact | Scenario::Expire => return None,
        };
        now.then_some(decision)
    }

    fn enter(&self, decision: &str, holds: &[&Value]) {
        if holds.is_empty() {
            return;
        }
        for hold in holds {
            self.board.lock().unwrap().entry(requester(hold).to_owned()).or_default().decided = true;
        }
        let ids = holds.iter().map(|hold| id(hold));
        let arguments: Vec<&str> =
            [decision].into_iter().chain(ids).chain(["--as", "alice", "--reason", "seen it"]).collect();
        let decided = self.gate.countersign(&arguments);
        assert!(decided.status.success(), "{}", String::from_utf8_lossy(&decided.stderr));
    }
}

impl Seen {
    /// Whether a held stream has begun; a client that does not stream waits for its head.
    fn has_its_head(&self, case: &Case) -> bool {
        !case.streams() || self.heads.contains(&200)
    }
}

fn requester(hold: &Value) -> &str {
    hold["spec"]["requester"]["user"].as_str().unwrap_or_default()
}

fn id(hold: &Value) -> &str {
    hold["metadata"]["name"].as_str().unwrap_or_default()
}

/// Whether the record says that a second attempt waits for the same hold.
fn joined(hold: &Value, record: &[QueryJudged]) -> bool {
    let held = record.iter().filter(|judged| judged.outcome == Outcome::Held);
    held.filter(|judged| judged.hold.is_some_and(|held| held.to_string() == id(hold))).count() >= 2
}
