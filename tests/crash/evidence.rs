//! What is left when the gate is dead: the record, the store, what the upstream read and what clients heard. Says where
//! they contradict what the gate promises.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::Path;

use countersign::audit::{self, Event, Head, Outcome, QueryJudged};
use countersign::base::Digest;

use super::load::{Heard, Listed, Query, Wish, approvals, countersign};
use super::upstream::Receipt;

/// An approval is used at most so often, however often the gate dies.
const CLAIMS_MAX: usize = 3;

/// Everything of all rounds so far.
#[derive(Default)]
pub(crate) struct Evidence {
    /// Bytes of the log that were read.
    read: usize,
    head: Option<String>,
    entries: HashMap<String, Vec<QueryJudged>>,
    approved: HashSet<String>,
    denied: HashSet<String>,
    /// How often the record says that these bytes were forwarded, and how often the upstream read them.
    forwards: BTreeMap<String, usize>,
    receipts: BTreeMap<String, usize>,
    /// Bodies, before any redaction, that the record says were forwarded.
    bodies: HashSet<String>,
    heard: Vec<Heard>,
    /// Claims of holds whose answer is known to have been delivered.
    delivered: BTreeMap<String, usize>,
    pub(crate) tally: Tally,
}

/// How much was tried: a test that never comes to a point proves nothing about it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) entries: usize,
    pub(crate) receipts: usize,
    pub(crate) answers: usize,
    pub(crate) cut_answers: usize,
    pub(crate) holds: usize,
    pub(crate) used_up: usize,
    pub(crate) delivered: usize,
    pub(crate) redacted: usize,
}

fn digest(judged: &QueryJudged) -> String {
    judged.forwarded_digest.or(judged.body_digest).map(|digest| digest.to_string()).unwrap_or_default()
}

const fn forwards(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Allowed | Outcome::Redacted | Outcome::Released)
}

impl Evidence {
    /// Takes the evidence of a round; answers with what is wrong.
    pub(crate) fn problems(&mut self, data: &Path, heard: Vec<Heard>, receipts: Vec<Receipt>) -> Vec<String> {
        let mut problems = Vec::new();
        self.record(data, &mut problems);
        let holds = approvals(data, &["list", "--all"]);
        self.tally.holds = holds.len();
        self.upstream(receipts, &heard, &mut problems);
        self.store(&holds, &mut problems);
        let known: BTreeSet<&str> = holds.iter().map(|hold| hold.id.as_str()).collect();
        for heard in &heard {
            self.answer(heard, &known, &mut problems);
        }
        self.heard.extend(heard);
        problems
    }

    /// The log is intact up to its last whole entry, holds every entry it ever held, and says nothing in the wrong order.
    fn record(&mut self, data: &Path, problems: &mut Vec<String>) {
        let remembered = self.head.as_ref().map(|head| head.parse::<Head>().unwrap());
        let report = audit::verify(data, remembered).unwrap();
        problems.extend(report.fault.map(|fault| format!("the record: {fault:?}")));
        self.head = report.head.map(|head| head.to_string());
        let log = fs::read(data.join("audit.jsonl")).unwrap();
        let end = log.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let new = std::str::from_utf8(&log[self.read..end]).unwrap();
        for line in new.lines() {
            let entry: audit::Entry = serde_json::from_str(line).unwrap();
            self.entry(entry.event().unwrap(), problems);
        }
        self.read = end;
    }

    fn entry(&mut self, event: Event, problems: &mut Vec<String>) {
        self.tally.entries += 1;
        match event {
            Event::Decided { hold, decision, .. } => {
                let decided = if decision == "approve" { &mut self.approved } else { &mut self.denied };
                decided.insert(hold.to_string());
            }
            Event::QueryJudged(judged) => {
                if forwards(judged.outcome) {
                    *self.forwards.entry(digest(&judged)).or_default() += 1;
                    self.bodies.extend(judged.body_digest.map(|digest| digest.to_string()));
                }
                let hold = judged.hold.map(|hold| hold.to_string()).unwrap_or_default();
                if judged.outcome == Outcome::Released && !self.approved.contains(&hold) {
                    problems.push(format!("released before the record names an approval: {judged:?}"));
                }
                if judged.outcome == Outcome::Released && self.denied.contains(&hold) {
                    problems.push(format!("released after a denial: {judged:?}"));
                }
                self.tally.redacted += usize::from(judged.outcome == Outcome::Redacted);
                self.entries.entry(judged.query.to_string()).or_default().push(*judged);
            }
            _ => {}
        }
    }

    /// Whatever the upstream read, the record says so, byte for byte, at least as often.
    fn upstream(&mut self, receipts: Vec<Receipt>, heard: &[Heard], problems: &mut Vec<String>) {
        for Receipt { body, whole } in receipts {
            self.tally.receipts += 1;
            let text = String::from_utf8_lossy(&body);
            if text.contains("forbidden") || text.contains("nickname") {
                problems.push(format!("the upstream read what no query may say: {text:.200}"));
            }
            if whole {
                let digest = Digest::of(&body).to_string();
                let read = self.receipts.entry(digest.clone()).or_default();
                *read += 1;
                let written = self.forwards.get(&digest).copied().unwrap_or_default();
                if *read > written {
                    problems.push(format!(
                        "the upstream read {read} times what the record has {written} times: {text:.200}"
                    ));
                }
            } else if let Some(query) = asked(&text, heard)
                && !self.bodies.contains(&Digest::of(query.body().as_bytes()).to_string())
            {
                problems.push(format!("the upstream read a part of {query:?}, of which the record has nothing"));
            }
        }
    }

    /// No approval is used more often than it may be, and each use is in the store before the upstream reads anything.
    fn store(&mut self, holds: &[Listed], problems: &mut Vec<String>) {
        let mut claims: BTreeMap<&str, usize> = BTreeMap::new();
        for hold in holds {
            *claims.entry(&hold.digest).or_default() += hold.claims;
            let approved = self.approved.contains(&hold.id);
            if hold.claims > CLAIMS_MAX || (hold.claims > 0 && !approved) {
                problems.push(format!("claimed too often, or without an approval on record: {hold:?}"));
            }
            if let Some(before) = self.delivered.get(&hold.id).filter(|before| hold.claims > **before) {
                problems.push(format!("claimed after its answer was delivered with {before} claims: {hold:?}"));
            }
            if hold.delivered {
                self.delivered.insert(hold.id.clone(), hold.claims);
            }
        }
        self.tally.used_up = holds.iter().filter(|hold| hold.claims == CLAIMS_MAX).count();
        self.tally.delivered = self.delivered.len();
        for judged in self.entries.values().flatten().filter(|judged| judged.outcome == Outcome::Released) {
            let digest = digest(judged);
            let (read, used) = (self.receipts.get(&digest), claims.get(digest.as_str()));
            if read > used {
                problems.push(format!("the upstream read {read:?} times what was claimed {used:?} times: {judged:?}"));
            }
        }
    }

    /// No answer, however short, without the entry that it comes from.
    fn answer(&mut self, heard: &Heard, holds: &BTreeSet<&str>, problems: &mut Vec<String>) {
        if heard.status == 0 {
            return;
        }
        self.tally.answers += 1;
        self.tally.cut_answers += usize::from(!heard.whole);
        let id = heard.id.clone().unwrap_or_default();
        let entries = self.entries.get(&id).map_or(&[][..], Vec::as_slice);
        let has = |wanted: &dyn Fn(&QueryJudged) -> bool| entries.iter().any(wanted);
        let held = |outcome| {
            let hold = heard.hold.clone();
            has(&|judged| judged.outcome == outcome && judged.hold.map(|hold| hold.to_string()) == hold)
        };
        let recorded = match (&heard.saw, heard.code.as_str()) {
            (Some(saw), _) => has(&|judged| forwards(judged.outcome) && digest(judged) == *saw),
            (None, "approval_pending") => held(Outcome::Held),
            (None, "approval_denied") => held(Outcome::Denied),
            (None, "policy_denied") => has(&|judged| judged.outcome == Outcome::Denied),
            (None, _) => !entries.is_empty(),
        };
        if !recorded {
            problems.push(format!("an answer without its entry: {heard:?}, entries {entries:?}"));
        }
        if let Some(hold) = heard.hold.as_deref().filter(|hold| !holds.contains(hold)) {
            problems.push(format!("a client waits for {hold}, which is not in the store"));
        }
        let refused = !matches!(heard.query.wish, Wish::Pass | Wish::Redact | Wish::Approve | Wish::Slow | Wish::Leave);
        if refused && heard.saw.is_some() {
            problems.push(format!("answered by the upstream, and must not be: {heard:?}"));
        }
    }

    /// The hold that a client was last told of.
    pub(crate) fn hold_of(&self, query: &Query) -> Option<String> {
        let mut heard = self.heard.iter().rev();
        heard.find(|heard| heard.query.nonce == query.nonce && heard.hold.is_some())?.hold.clone()
    }

    /// What `countersign audit verify` says of a log that a gate has opened again: intact, with all that it held.
    #[track_caller]
    pub(crate) fn check_verified(&self, data: &Path) {
        let head = self.head.clone().unwrap();
        let verified = countersign(data, &["audit", "verify", "--head", &head]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    }
}

/// Whose query the beginning of a body is.
fn asked<'a>(text: &str, heard: &'a [Heard]) -> Option<&'a Query> {
    heard.iter().map(|heard| &heard.query).find(|query| text.contains(&format!("\"{} ", query.nonce)))
}
