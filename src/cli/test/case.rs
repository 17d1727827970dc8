//! Test files as people write them, and the run of one test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;

use super::super::trial::{self, Answer, ROUTE_DEFAULT, RequestLine, Trial};
use crate::compile::Compilation;
use crate::rules::{Caller, Finding, Judgement, Rates, Ruling, Verdict, Workload};
use crate::wire::Server;

/// Most times that one test asks the same: the largest rate worth testing one by one.
const REPEAT_MAX: u32 = 10_000;

/// A file of tests.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Suite {
    /// Files and folders of policies, from the file's own folder.
    pub(super) policies: Vec<PathBuf>,
    #[serde(default)]
    workload: WorkloadText,
    pub(super) tests: Vec<Case>,
}

impl Suite {
    /// The workload that the queries are for.
    pub(super) fn workload(&self) -> Workload {
        let WorkloadText { namespace, name, labels } = &self.workload;
        Workload { namespace: namespace.clone(), name: name.clone(), labels: labels.clone() }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct WorkloadText {
    namespace: String,
    name: String,
    labels: BTreeMap<String, String>,
}

impl Default for WorkloadText {
    fn default() -> Self {
        Self { namespace: "default".to_owned(), name: "model".to_owned(), labels: BTreeMap::new() }
    }
}

/// One test.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    #[serde(default)]
    route: Option<String>,
    #[serde(default)]
    server: Option<Server>,
    #[serde(default)]
    caller: CallerText,
    /// The moment at which it is judged; now when left out.
    #[serde(default)]
    at: Option<String>,
    /// How often the same is asked; the last answer counts.
    #[serde(default)]
    repeat: Option<u32>,
    #[serde(default)]
    pub(super) query: Option<serde_json::Value>,
    #[serde(default)]
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) body_file: Option<PathBuf>,
    expect: Expectation,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CallerText {
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
}

/// What is expected; what is left out may be anything.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expectation {
    verdict: Verdict,
    /// Exactly these rules match, as `policy/rule` or `namespace/policy/rule`.
    #[serde(default)]
    rules: Option<BTreeSet<String>>,
    /// The code that the client is told.
    #[serde(default)]
    code: Option<String>,
    /// Exactly these chains decide, as `name` or `namespace/name`.
    #[serde(default)]
    chains: Option<BTreeSet<String>>,
    /// Exactly these exceptions lift rules that would have matched.
    #[serde(default)]
    exceptions: Option<BTreeSet<String>>,
    /// Texts of what is forwarded, by place.
    #[serde(default)]
    redacted: BTreeMap<String, String>,
}

/// What came of a test.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) verdict: Verdict,
    pub(super) rules: Vec<String>,
    pub(super) code: Option<String>,
    pub(super) problems: Vec<String>,
}

/// Runs one test.
pub(super) fn run(case: &Case, body: Bytes, workload: &Workload, compilation: &Compilation, now: Timestamp) -> Run {
    match answer(case, body, workload, compilation, now) {
        Ok(answer) => compare(&case.expect, &answer),
        Err(problem) => Run { verdict: Verdict::Deny, rules: Vec::new(), code: None, problems: vec![problem] },
    }
}

fn answer(
    case: &Case,
    body: Bytes,
    workload: &Workload,
    compilation: &Compilation,
    now: Timestamp,
) -> Result<Answer, String> {
    let line: RequestLine = case.route.as_deref().unwrap_or(ROUTE_DEFAULT).parse()?;
    let at = |text: &String| text.parse().map_err(|_| format!("`{text}` is not a time; write `2026-11-23T10:00:00Z`"));
    let now = case.at.as_ref().map_or(Ok(now), at)?;
    let repeat = case.repeat.unwrap_or(1);
    if repeat == 0 || repeat > REPEAT_MAX {
        return Err(format!("`repeat` must be between 1 and {REPEAT_MAX}"));
    }
    let user = case.caller.user.clone();
    let rate_key = user.clone().unwrap_or_else(|| "anonymous".to_owned());
    let caller = Caller { user, groups: case.caller.groups.clone(), rate_key };
    let server = case.server.unwrap_or(Server::Openai);
    let rates = Rates::default();
    let trial = Trial { server, line: &line, caller: &caller, workload, now, rates: &rates, body };
    for _ in 1..repeat {
        let _ = trial.judge(compilation);
    }
    Ok(trial.judge(compilation))
}

fn compare(expect: &Expectation, answer: &Answer) -> Run {
    let (verdict, code) = match answer {
        Answer::Passed => (Verdict::Allow, None),
        Answer::Refused { code, .. } => (Verdict::Deny, Some(*code)),
        Answer::Judged { judgement, .. } => (judgement.verdict, denial(judgement)),
    };
    let findings: &[Finding] = match answer {
        Answer::Judged { judgement, .. } => &judgement.findings,
        Answer::Passed | Answer::Refused { .. } => &[],
    };
    let rules: BTreeSet<_> = findings.iter().map(|f| (f.policy.to_string(), f.policy.name.clone(), &f.rule)).collect();
    let rules: Vec<_> = rules.into_iter().map(|(long, short, rule)| named(&long, &short, Some(rule))).collect();
    let mut problems = Vec::new();
    if expect.verdict != verdict {
        problems.push(format!("verdict: expected {:?}, found {verdict:?}{}", expect.verdict, why(answer)));
    }
    if let Some(expected) = &expect.code
        && Some(expected.as_str()) != code
    {
        problems
            .push(format!("code: expected `{expected}`, found {}", code.map_or("none".into(), |c| format!("`{c}`"))));
    }
    if let Some(expected) = &expect.rules {
        differences("rules", expected, &rules, &mut problems);
    }
    if let Some(expected) = &expect.chains {
        differences("chains", expected, &chains(answer), &mut problems);
    }
    if let Some(expected) = &expect.exceptions {
        differences("exceptions", expected, &exceptions(answer), &mut problems);
    }
    redactions(&expect.redacted, answer, &mut problems);
    let rules = rules.into_iter().map(|(long, _)| long).collect();
    Run { verdict, rules, code: code.map(str::to_owned), problems }
}

/// A long name, and the short one that serves as well.
type Named = (String, String);

fn named(long: &str, short: &str, rule: Option<&str>) -> Named {
    match rule {
        Some(rule) => (format!("{long}/{rule}"), format!("{short}/{rule}")),
        None => (long.to_owned(), short.to_owned()),
    }
}

fn denial(judgement: &Judgement) -> Option<&'static str> {
    match &judgement.ruling {
        Ruling::Deny(denial) => Some(denial.code.name()),
        Ruling::Clear(_) | Ruling::Hold(_) => None,
    }
}

fn why(answer: &Answer) -> String {
    match answer {
        Answer::Refused { code, why } => format!(" ({code}: {why})"),
        Answer::Passed => " (the route carries no query)".to_owned(),
        Answer::Judged { judgement, .. } => match &judgement.ruling {
            Ruling::Deny(denial) => format!(" ({}: {})", denial.code.name(), denial.message),
            Ruling::Clear(_) | Ruling::Hold(_) => String::new(),
        },
    }
}

fn chains(answer: &Answer) -> Vec<Named> {
    match answer {
        Answer::Judged { judgement, .. } => match &judgement.ruling {
            Ruling::Hold(held) => held.chains().iter().map(|c| named(&c.to_string(), &c.name, None)).collect(),
            Ruling::Clear(_) | Ruling::Deny(_) => Vec::new(),
        },
        Answer::Passed | Answer::Refused { .. } => Vec::new(),
    }
}

fn exceptions(answer: &Answer) -> Vec<Named> {
    let used: BTreeSet<&str> = match answer {
        Answer::Judged { judgement, .. } => judgement.excepted.iter().map(|one| one.exception.name.as_str()).collect(),
        Answer::Passed | Answer::Refused { .. } => BTreeSet::new(),
    };
    used.into_iter().map(|name| named(name, name, None)).collect()
}

fn differences(what: &str, expected: &BTreeSet<String>, found: &[Named], problems: &mut Vec<String>) {
    let is = |name: &str, named: &Named| named.0 == name || named.1 == name;
    for name in expected.iter().filter(|name| !found.iter().any(|f| is(name, f))) {
        problems.push(format!("{what}: `{name}` was expected, but did not match"));
    }
    for named in found.iter().filter(|named| !expected.iter().any(|name| is(name, named))) {
        problems.push(format!("{what}: `{}` matched, but was not expected", named.0));
    }
}

fn redactions(expected: &BTreeMap<String, String>, answer: &Answer, problems: &mut Vec<String>) {
    if expected.is_empty() {
        return;
    }
    let texts = match answer {
        Answer::Judged { format, judgement } => trial::forwarded(judgement).map(|body| trial::texts(*format, body)),
        Answer::Passed | Answer::Refused { .. } => None,
    };
    let Some(texts) = texts else {
        problems.push("redacted: nothing would be forwarded".to_owned());
        return;
    };
    for (place, expected) in expected {
        match texts.get(place) {
            Some(found) if found == expected => {}
            Some(found) => problems.push(format!("redacted: `{place}` is {found:?}, expected {expected:?}")),
            None => problems.push(format!("redacted: there is no text at `{place}`")),
        }
    }
}
