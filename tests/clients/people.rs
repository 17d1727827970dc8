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
use super::play::{Board, LOOK_EVERY, Seen, is_of};
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
            let waiting = self.gate.waiting();
            self.note(&waiting);
            let over = |(id, case): (&String, &&Case)| {
                let left = case.scenario != Scenario::Leave || !waiting.iter().any(|hold| is_of(hold, case));
                left && seen.get(id).is_some_and(|seen| seen.done.is_some())
            };
            if self.cases.iter().all(over) {
                return;
            }
            if whole {
                self.decide(&waiting, &seen);
            } else if self.all_wait(&waiting, &seen) {
                self.gate.start_again();
                whole = true;
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    fn note(&self, waiting: &[Value]) {
        for (case, hold) in waiting.iter().filter_map(|hold| Some((self.of(hold)?, hold))) {
            self.board.lock().unwrap().entry(case.id()).or_default().holds.insert(id(hold).to_owned());
        }
    }

    /// Whether everybody is held, and those who stream have their heads.
    fn all_wait(&self, waiting: &[Value], seen: &HashMap<String, Seen>) -> bool {
        self.cases.iter().all(|(id, case)| {
            let held = waiting.iter().any(|hold| is_of(hold, case));
            held && seen.get(id).map_or(!case.streams(), |seen| seen.has_its_head(case))
        })
    }

    fn decide(&self, waiting: &[Value], seen: &HashMap<String, Seen>) {
        // Where nobody joins, nobody has to read the record.
        let record = if self.gate.manner == Manner::Default { Vec::new() } else { self.gate.judged() };
        let decided = waiting.iter().filter_map(|hold| {
            let case = self.of(hold)?;
            let seen = seen.get(&case.id()).cloned().unwrap_or_default();
            Some((self.decision(case, hold, &seen, &record)?, hold))
        });
        let decided: Vec<(&str, &Value)> = decided.collect();
        for decision in ["approve", "deny"] {
            let holds = decided.iter().filter(|(decided, _)| *decided == decision);
            self.enter(decision, &holds.map(|(_, hold)| *hold).collect::<Vec<_>>());
        }
        // One a look: they are entered one by one, and others wait as well.
        if let Some((_, hold)) = decided.iter().find(|(decision, _)| *decision == "edit")
            && let Some(case) = self.of(hold)
        {
            self.gate.edit(case, id(hold));
        }
    }

    /// Who waits.
    fn of(&self, hold: &Value) -> Option<&'a Case> {
        match hold["spec"]["requester"]["user"].as_str() {
            Some(user) => self.cases.get(user).copied(),
            None => self.cases.values().find(|case| case.is_anonymous() && is_of(hold, case)).copied(),
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
            Scenario::Edit => ("edit", seen.has_its_head(case)),
            Scenario::Outlast | Scenario::Minutes | Scenario::Slice => {
                // A client that gives no sign of life is looked at twice as long.
                let alive = seen.kept_alive || case.call.answer != Answer::Streamed;
                ("approve", age >= takes && (alive || age >= 2 * takes))
            }
            Scenario::Join if case.streams() => ("approve", age >= takes),
            Scenario::Join | Scenario::Restart | Scenario::Kill => ("approve", joined(hold, record)),
            Scenario::Later => ("approve", seen.heads.contains(&202)),
            Scenario::LaterDenied => ("deny", seen.heads.contains(&202)),
            Scenario::Converse if seen.decided => ("deny", true),
            Scenario::Converse => ("approve", true),
            Scenario::Pass
            | Scenario::Refuse
            | Scenario::Redact
            | Scenario::Expire
            | Scenario::Ahead
            | Scenario::Leave
            | Scenario::Stay => return None,
        };
        now.then_some(decision)
    }

    fn enter(&self, decision: &str, holds: &[&Value]) {
        for case in holds.iter().filter_map(|hold| self.of(hold)) {
            self.board.lock().unwrap().entry(case.id()).or_default().decided = true;
        }
        self.gate.decide(decision, holds.iter().copied());
    }
}

impl Seen {
    /// Whether a held stream has begun; a client that does not stream waits for its head.
    fn has_its_head(&self, case: &Case) -> bool {
        !case.streams() || self.heads.contains(&200)
    }
}

fn id(hold: &Value) -> &str {
    hold["metadata"]["name"].as_str().unwrap_or_default()
}

/// Whether the record says that a second attempt waits for the same hold.
fn joined(hold: &Value, record: &[QueryJudged]) -> bool {
    let held = record.iter().filter(|judged| judged.outcome == Outcome::Held);
    held.filter(|judged| judged.hold.is_some_and(|held| held.to_string() == id(hold))).count() >= 2
}
