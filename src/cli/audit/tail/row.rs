//! One line per query, for people: when, which, who, which model, what happened, how it was answered, and why.
//!
//! Guarantees that nothing in a line can do anything to a terminal.

use std::time::Duration;

use crate::audit::{AnswerEnd, Entry, Event, ExceptionRecord, FindingRecord, Outcome, QueryCompleted, QueryJudged};
use crate::base::{Digest, QueryId};
use crate::cli::console::Tone;
use crate::cli::printable::printable;
use crate::rules::Verdict;
use crate::telemetry::Label as _;

/// Widest cell of a caller, model or outcome.
const CELL_MAX: usize = 28;
/// Widest last cell.
const WHY_MAX: usize = 120;
const HEADERS: [&str; CELLS] = ["TIME", "QUERY", "CALLER", "MODEL", "OUTCOME", "ANSWER", "WHY"];
const CELLS: usize = 7;
const OUTCOME: usize = 4;
const ANSWER: usize = 5;

/// One line.
pub(super) struct Row {
    query: Option<QueryId>,
    cells: [String; CELLS],
    tone: Option<Tone>,
}

/// A line per query; its answer joins it when it is among `entries`.
pub(super) fn rows(entries: &[Entry]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for entry in entries {
        if let Some(Event::QueryCompleted(completed)) = entry.event() {
            // A query whose first entry is further back than what was read has no line to join.
            if let Some(row) = rows.iter_mut().rev().find(|row| row.query == Some(completed.query)) {
                row.cells[ANSWER] = answer(&completed);
            }
        } else {
            rows.push(Row::of(entry));
        }
    }
    rows
}

impl Row {
    /// The line of one entry by itself.
    pub(super) fn of(entry: &Entry) -> Self {
        let time = entry.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let event = |outcome: &str, why: String| Self {
            query: None,
            cells: [&*time, "-", "-", "-", outcome, "-", &printable(&why, WHY_MAX)].map(str::to_owned),
            tone: Some(Tone::Dim),
        };
        match entry.event() {
            Some(Event::QueryJudged(judged)) => Self::judged(time, &judged),
            Some(Event::QueryCompleted(completed)) => {
                let mut row = event("answered", String::new());
                row.cells[1] = completed.query.to_string();
                row.cells[ANSWER] = answer(&completed);
                row
            }
            Some(Event::LogStarted { log }) => event("log-started", format!("log {log}")),
            Some(Event::GateStarted { version, revision, posture }) => {
                let revision = revision.map_or_else(|| "none yet".to_owned(), short);
                event("gate-started", format!("version {version}, posture {posture}, rule set {revision}"))
            }
            Some(Event::RuleSetLoaded { revision, policies }) => {
                event("rule-set-loaded", format!("policies: {policies}, rule set {}", short(revision)))
            }
            Some(Event::TailRepaired { bytes_cut, kept_in }) => Self {
                tone: Some(Tone::Caution),
                ..event("tail-repaired", format!("{bytes_cut} bytes of an unfinished entry moved to {kept_in}"))
            },
            Some(Event::StandingGiven { id, decision, hold, by, until, uses }) => {
                let word = if decision == "deny" { "muted" } else { "granted" };
                let uses = uses.map(|uses| format!(", {uses} uses")).unwrap_or_default();
                event(word, format!("{id} from {hold} by {}, until {until}{uses}", by.join(" and ")))
            }
            Some(Event::StandingRevoked { id, by, authenticated_by, reason, .. }) => {
                event("revoked", format!("{id} by {by} (authenticated by {authenticated_by}): {reason}"))
            }
            Some(Event::Edited { hold, edited, by, authenticated_by, reason, .. }) => {
                let why = format!("{hold} by {by} (authenticated by {authenticated_by}): {reason}; now {edited}");
                event("edited", why)
            }
            Some(Event::Decided { hold, decision, by, authenticated_by, reason, .. }) => {
                let why = format!("{hold} by {by} (authenticated by {authenticated_by}): {reason}");
                event(&printable(&decision, CELL_MAX), why)
            }
            Some(Event::AskedAhead { hold, user, by, authenticated_by }) => {
                event("asked-ahead", format!("{hold} for {user} by {by} (authenticated by {authenticated_by})"))
            }
            None => event("unknown", format!("entry {} is of a kind that this version does not know", entry.seq)),
        }
    }

    fn judged(time: String, judged: &QueryJudged) -> Self {
        let caller = judged.caller.user.as_ref().unwrap_or(&judged.caller.address);
        Self {
            query: Some(judged.query),
            cells: [
                time,
                judged.query.to_string(),
                printable(caller, CELL_MAX),
                judged.model.as_ref().map_or_else(|| "-".to_owned(), |model| printable(model, CELL_MAX)),
                judged.outcome.label().to_owned(),
                "-".to_owned(),
                printable(&why(judged), WHY_MAX),
            ],
            tone: Some(tone(judged.outcome)),
        }
    }
}

/// As many digits of a revision as people compare; the metrics show the same.
fn short(revision: Digest) -> String {
    hex::encode(revision.as_bytes()).chars().take(12).collect()
}

const fn tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Allowed | Outcome::Redacted | Outcome::Carried | Outcome::Released => Tone::Good,
        Outcome::Passed => Tone::Dim,
        Outcome::AllowedByFailure | Outcome::WouldRefuse | Outcome::Held => Tone::Caution,
        Outcome::Denied | Outcome::Expired | Outcome::Cancelled | Outcome::Rejected => Tone::Bad,
    }
}

/// The rules that matched, most restrictive first, or else the code and what could not be judged.
fn why(judged: &QueryJudged) -> String {
    let mut said: Vec<String> = Vec::new();
    for finding in judged.findings.iter().filter(|finding| finding.verdict > Verdict::Allow) {
        let one = rule(finding);
        if !said.contains(&one) {
            said.push(one);
        }
    }
    if said.is_empty() {
        said.extend(judged.code.clone());
        said.extend(judged.coverage.iter().take(2).map(|gap| format!("{} at {}", gap.kind.name(), gap.place)));
        if matches!(judged.outcome, Outcome::Rejected | Outcome::Passed) {
            said.push(format!("{} {}", judged.method, judged.path));
        }
    }
    for lifted in judged.exceptions.iter().rev() {
        let ExceptionRecord { exception, approver, policy, rule, .. } = lifted;
        said.insert(0, format!("exception {exception} by {approver} from {policy}: {rule}"));
    }
    if let Some(used) = &judged.grant {
        said.insert(0, format!("grant {} by {}", used.grant, used.by.join(" and ")));
    }
    if !judged.carried_from.is_empty() {
        let from: Vec<String> = judged.carried_from.iter().map(ToString::to_string).collect();
        said.insert(0, format!("carried from {}", from.join(" and ")));
    }
    said.join(", ")
}

fn rule(finding: &FindingRecord) -> String {
    let audit = if finding.audit_only { ", audit only" } else { "" };
    format!("{}: {} ({}{audit})", finding.policy, finding.rule, finding.matcher)
}

fn answer(completed: &QueryCompleted) -> String {
    let took = seconds(Duration::from_micros(completed.duration_micros));
    match completed.end {
        AnswerEnd::Complete => format!("{} in {took}", completed.status),
        AnswerEnd::ClientGone => format!("client left after {took}"),
        AnswerEnd::UpstreamFailed => format!("model failed after {took}"),
        AnswerEnd::Shutdown => format!("gate stopped after {took}"),
        AnswerEnd::Revoked => format!("grant revoked after {took}"),
    }
}

fn seconds(took: Duration) -> String {
    if took < Duration::from_secs(1) {
        format!("{} ms", took.as_millis())
    } else {
        format!("{:.1} s", took.as_secs_f64())
    }
}

/// How wide the cells are.
#[derive(Default)]
pub(super) struct Columns([usize; CELLS]);

impl Columns {
    pub(super) fn fitting(rows: &[Row]) -> Self {
        let mut widths = HEADERS.map(str::len);
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(&row.cells) {
                *width = cell.chars().count().max(*width);
            }
        }
        Self(widths)
    }

    pub(super) fn header(&self) -> String {
        Tone::Strong.paint(&self.join(&HEADERS.map(str::to_owned), None))
    }

    pub(super) fn line(&self, row: &Row) -> String {
        self.join(&row.cells, row.tone)
    }

    fn join(&self, cells: &[String; CELLS], tone: Option<Tone>) -> String {
        let mut line = String::new();
        for (at, (cell, width)) in cells.iter().zip(self.0).enumerate() {
            let padded = if at + 1 == CELLS { cell.clone() } else { format!("{cell:<width$}  ") };
            match tone {
                Some(tone) if at == OUTCOME => line.push_str(&tone.paint(&padded)),
                _ => line.push_str(&padded),
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, event: &str) -> Entry {
        let hash = Digest::of(b"");
        let line = format!(
            r#"{{"seq":{seq},"time":"2026-11-23T06:00:00.5Z","prev":"{hash}","event":{event},"hash":"{hash}"}}"#
        );
        serde_json::from_str(&line).unwrap()
    }

    fn judged(outcome: &str, rest: &str) -> String {
        let (query, digest) = (QueryId::of(jiff::Timestamp::UNIX_EPOCH, [0; 10]), Digest::of(b""));
        format!(
            r#"{{"type":"query-judged","query":"{query}","caller":{{"user":"alice\u001b[2J","authenticatedBy":"jwt","address":"10.0.0.1"}},"method":"POST","path":"/v1/x","model":"llama","outcome":"{outcome}","revision":"{digest}","bodyBytes":2,"judgedMicros":3,"retention":"Digest"{rest}}}"#
        )
    }

    fn shown(events: &[String]) -> Vec<String> {
        let entries: Vec<_> = events.iter().zip(1..).map(|(event, seq)| entry(seq, event)).collect();
        rows(&entries).iter().map(|row| row.cells.join("|")).collect()
    }

    #[test]
    fn a_query_is_one_line_with_its_answer() {
        let query = QueryId::of(jiff::Timestamp::UNIX_EPOCH, [0; 10]);
        let completed = format!(
            r#"{{"type":"query-completed","query":"{query}","end":"complete","status":200,"answerBytes":1,"firstByteMicros":1,"durationMicros":1500000}}"#
        );
        assert_eq!(
            shown(&[judged("allowed", ""), completed]),
            [format!("2026-11-23T06:00:00Z|{query}|alice\\u{{1b}}[2J|llama|allowed|200 in 1.5 s|")]
        );
    }

    #[test]
    fn why_names_the_rules_or_the_code_and_what_could_not_be_judged() {
        let finding =
            r#","findings":[{"policy":{"name":"p"},"rule":"r","verdict":"Deny","matcher":"email","place":"x"}]"#;
        let gap = r#","code":"not_covered","coverage":[{"kind":"Image","place":"messages[0]"}]"#;
        let lines = shown(&[judged("denied", finding), judged("denied", gap), judged("rejected", "")]);
        assert!(lines[0].ends_with("|denied|-|p: r (email)"), "{}", lines[0]);
        assert!(lines[1].ends_with("|denied|-|not_covered, Image at messages[0]"), "{}", lines[1]);
        assert!(lines[2].ends_with("|rejected|-|POST /v1/x"), "{}", lines[2]);
        let hold = crate::base::HoldId::of(jiff::Timestamp::UNIX_EPOCH, [0; 10]);
        let carried = shown(&[judged("carried", &format!(r#"{finding},"carriedFrom":["{hold}"]"#))]);
        assert!(carried[0].ends_with(&format!("|carried|-|carried from {hold}, p: r (email)")), "{}", carried[0]);
    }

    #[test]
    fn why_names_what_exceptions_lifted() {
        let lifted = r#","exceptions":[{"exception":"e","approver":"ada","until":"2027-01-01T00:00:00Z","policy":{"name":"p"},"rule":"r","verdict":"Deny"}]"#;
        let lines = shown(&[judged("allowed", lifted)]);
        assert!(lines[0].ends_with("|allowed|-|exception e by ada from p: r"), "{}", lines[0]);
    }

    #[test]
    fn an_entry_of_a_later_version_is_shown_as_such() {
        let lines = shown(&[r#"{"type":"something-new","x":1}"#.to_owned()]);
        assert!(lines[0].contains("does not know"), "{}", lines[0]);
    }
}
