//! The gates that one file of the corpus is sent to, and what they do with it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::process::Command;

use bytes::Bytes;
use countersign::audit::{self, Event, QueryJudged};
use countersign::rules::{Verdict, Workload};
use countersign::wire::Server;

use super::super::support::{Answer, Gate, Upstream};
use super::{Case, File, Seen};

/// Most times that an approved query is sent again; only a broken gate ever needs them.
const TRIES_MAX: usize = 1_000;

/// The gates of one file, one for each server.
pub(super) struct Gates<'a> {
    file: &'a File,
    upstream: &'a Upstream,
    started: RefCell<BTreeMap<&'static str, Gate>>,
    /// The id of each case's query, by the case's name.
    asked: RefCell<BTreeMap<String, String>>,
}

impl<'a> Gates<'a> {
    /// None started yet.
    pub(super) fn of(file: &'a File, upstream: &'a Upstream) -> Self {
        Self { file, upstream, started: RefCell::default(), asked: RefCell::default() }
    }

    /// Sends the query as its caller, with the id of the approval it waits for.
    fn ask(&self, case: &Case, approval: Option<&str>) -> Answer {
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        if let Some(user) = &case.caller.user {
            headers.push(("x-user".to_owned(), user.clone()));
            headers.push(("x-groups".to_owned(), case.caller.groups.join(",")));
        }
        headers.extend(approval.map(|id| ("countersign-approval-id".to_owned(), id.to_owned())));
        let mut started = self.started.borrow_mut();
        let gate = started.entry(case.server.name()).or_insert_with(|| self.start(case.server));
        gate.send(&case.route, &headers, &case.body())
    }

    fn start(&self, server: Server) -> Gate {
        let Workload { namespace, name, labels } = &self.file.workload;
        let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let labels = labels.join(",");
        let mut arguments = vec!["--server", server.name(), "--namespace", namespace, "--workload", name];
        if !labels.is_empty() {
            arguments.extend(["--labels", &labels]);
        }
        // A held query is told to come again almost at once.
        arguments.extend(["--hold-slice", "20ms", "--trusted-proxies", "127.0.0.1/32"]);
        arguments.extend(["--user-header", "x-user", "--groups-header", "x-groups"]);
        Gate::start(self.upstream.address, self.file.folder.path(), &arguments)
    }

    /// Whoever may approve anything in the corpus approves.
    fn approve(&self, case: &Case, id: &str) -> Result<(), String> {
        let started = self.started.borrow();
        let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["approve", id, "--reason", "corpus", "--as", "rita"])
            .args(["--group", "legal", "--group", "security", "--group", "platform", "--data"])
            .arg(started[case.server.name()].data())
            .output()
            .unwrap();
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
    }

    /// What is wrong with what the live gate does, and what reaches the upstream.
    pub(super) fn problem(&self, case: &Case, seen: &Seen) -> Option<String> {
        self.upstream.take();
        let answer = self.ask(case, None);
        let Some(query) = answer.header("countersign-query-id") else {
            return Some(format!("the answer names no query: {}", shown(&answer)));
        };
        self.asked.borrow_mut().insert(case.name.clone(), query.to_owned());
        match case.expect.verdict {
            Verdict::Deny => {
                let code = case.expect.code.as_deref().or(seen.code).unwrap_or_default();
                if !(400..500).contains(&answer.status) || answer.code().as_deref() != Some(code) {
                    return Some(format!("expected a refusal with `{code}`, got {}", shown(&answer)));
                }
                self.nothing_arrived()
            }
            Verdict::Hold => {
                if answer.status != 409 || answer.code().as_deref() != Some("approval_pending") {
                    return Some(format!("expected to be asked to wait, got {}", shown(&answer)));
                }
                if let Some(problem) = self.nothing_arrived() {
                    return Some(problem);
                }
                let Some(id) = answer.header("countersign-approval-id") else {
                    return Some("the approval has no id".to_owned());
                };
                if let Err(problem) = self.approve(case, id) {
                    return Some(format!("cannot be approved: {problem}"));
                }
                // The gate may be told of the approval only after the short slice of the next try.
                let mut tries = iter::repeat_with(|| self.ask(case, Some(id))).take(TRIES_MAX);
                let settled = tries.find(|answer| answer.code().as_deref() != Some("approval_pending"));
                settled.map_or_else(|| Some("is approved, but never goes on".to_owned()), |a| self.arrived(&a, seen))
            }
            Verdict::Allow | Verdict::Alert | Verdict::Redact => {
                let same = seen.forwarded.as_ref() == Some(&case.body());
                if same == (case.expect.verdict == Verdict::Redact) {
                    return Some("only a redaction changes the body".to_owned());
                }
                self.arrived(&answer, seen)
            }
        }
    }

    /// What the gates recorded of each query, by its id; of several entries the first.
    pub(super) fn records(&self) -> BTreeMap<String, QueryJudged> {
        let mut records = BTreeMap::new();
        for gate in self.started.borrow().values() {
            let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
                .args(["audit", "tail", "-o", "json", "-n", "10000", "--data"])
                .arg(gate.data())
                .output()
                .unwrap();
            let entries: Vec<audit::Entry> = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|problem| panic!("{problem}: {}", String::from_utf8_lossy(&output.stderr)));
            for entry in entries {
                if let Some(Event::QueryJudged(judged)) = entry.event() {
                    records.entry(judged.query.to_string()).or_insert(*judged);
                }
            }
        }
        records
    }

    /// What is wrong with the record of a case.
    pub(super) fn unrecorded(
        &self,
        case: &Case,
        seen: &Seen,
        records: &BTreeMap<String, QueryJudged>,
    ) -> Option<String> {
        let query = self.asked.borrow().get(&case.name).cloned()?;
        let Some(judged) = records.get(&query) else {
            return Some("there is no record".to_owned());
        };
        let rules: BTreeSet<_> = judged.findings.iter().map(|f| (f.policy.clone(), f.rule.clone())).collect();
        let verdict = seen.query.as_ref().map(|_| case.expect.verdict);
        if (judged.verdict.filter(|_| verdict.is_some()), &rules) != (verdict, &seen.rules) {
            return Some(format!("the record says {:?} and {rules:?}", judged.verdict));
        }
        let lifted = judged.exceptions.iter();
        let lifted: BTreeSet<_> =
            lifted.map(|one| (one.exception.clone(), one.policy.to_string(), one.rule.clone())).collect();
        if lifted != seen.lifted {
            return Some(format!("the record says that {lifted:?} were lifted"));
        }
        (judged.code.as_deref() != seen.code).then(|| format!("the record says code {:?}", judged.code))
    }

    fn nothing_arrived(&self) -> Option<String> {
        let received = self.upstream.take();
        let first = received.first()?;
        Some(format!("the upstream received {}", String::from_utf8_lossy(&first.body)))
    }

    fn arrived(&self, answer: &Answer, seen: &Seen) -> Option<String> {
        let received = self.upstream.take();
        if answer.status != 200 {
            return Some(format!("expected the upstream's answer, got {}", shown(answer)));
        }
        let bodies: Vec<_> = received.iter().map(|one| Bytes::from(one.body.clone())).collect();
        let wanted: Vec<_> = seen.forwarded.iter().cloned().collect();
        (bodies != wanted).then(|| format!("the upstream received {bodies:?}, expected {wanted:?}"))
    }
}

fn shown(answer: &Answer) -> String {
    format!("{} {:.300}", answer.status, String::from_utf8_lossy(&answer.body))
}
