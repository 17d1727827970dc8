//! One corpus, four engines: every case of `tests/corpus/rules/` is judged by the library, by `countersign test`, by a
//! live gate in front of a recording upstream, and by the naive evaluator; all must say what the case expects, and so must
//! the live gate's record.
//!
//! The cases are policy tests (`docs/policy-tests.md`). A case with `at` is not sent to the live gate, whose clock is
//! the real one; a held query is sent, approved on the command line, and sent again.

#[path = "gates.rs"]
mod gates;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use countersign::base::{Clock as _, SystemClock};
use countersign::compile::{self, Compilation, Document};
use countersign::query::{Query, RoleSet};
use countersign::rules::{
    self, Action, Caller, CelExpr, Context, DenialCode, Exception, Failure, Fallbacks, Judgement, Matcher, Mode,
    Policy, PolicyRef, Posture, Rates, Rule, RuleSet, Ruling, Subject, Verdict, Workload,
};
use countersign::wire::{self, Format, Route, RouteRefusal, Server};
use jiff::Timestamp;
use serde::Deserialize;

use super::loose;
use super::naive::{self, Truth};
use super::support::Upstream;
use gates::Gates;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Suite {
    policies: Vec<PathBuf>,
    #[serde(default)]
    workload: WorkloadText,
    tests: Vec<Case>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct WorkloadText {
    namespace: Option<String>,
    name: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default = "chat")]
    route: String,
    #[serde(default = "openai")]
    server: Server,
    #[serde(default)]
    caller: Asker,
    at: Option<String>,
    query: Option<serde_json::Value>,
    body: Option<String>,
    expect: Expectation,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Asker {
    user: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    verdict: Verdict,
    rules: Option<BTreeSet<String>>,
    code: Option<String>,
    chains: Option<BTreeSet<String>>,
    exceptions: Option<BTreeSet<String>>,
    #[serde(default)]
    redacted: BTreeMap<String, String>,
}

fn chat() -> String {
    "POST /v1/chat/completions".to_owned()
}

const fn openai() -> Server {
    Server::Openai
}

impl Case {
    fn now(&self) -> Timestamp {
        self.at.as_ref().map_or_else(|| SystemClock::default().now(), |at| at.parse().unwrap())
    }

    fn body(&self) -> Bytes {
        match (&self.query, &self.body) {
            (Some(query), None) => serde_json::to_vec(query).unwrap().into(),
            (None, body) => body.clone().unwrap_or_default().into(),
            (Some(_), Some(_)) => panic!("`{}` has two bodies", self.name),
        }
    }

    fn target(&self) -> (&str, &str, Option<&str>) {
        let (method, target) = self.route.split_once(' ').unwrap();
        target.split_once('?').map_or((method, target, None), |(path, query)| (method, path, Some(query)))
    }
}

/// What the library says.
struct Seen {
    verdict: Verdict,
    code: Option<&'static str>,
    /// Policy, with its namespace, and rule.
    rules: BTreeSet<(PolicyRef, String)>,
    chains: BTreeSet<PolicyRef>,
    /// Exception, policy and rule of what was lifted.
    lifted: BTreeSet<(String, String, String)>,
    /// What goes on, now or after a release.
    forwarded: Option<Bytes>,
    /// What was judged, if it came to that.
    query: Option<(Format, Query)>,
}

/// One file of the corpus, with its policies.
struct File {
    path: PathBuf,
    suite: Suite,
    workload: Workload,
    compilation: Compilation,
    strict: Vec<Policy>,
    exceptions: Vec<Exception>,
    /// The policies in a folder of their own, as a gate takes them.
    folder: tempfile::TempDir,
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/rules")
}

fn files() -> Vec<File> {
    let entries = fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    paths.sort();
    paths.into_iter().map(file).collect()
}

fn file(path: PathBuf) -> File {
    let suite: Suite = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap())
        .unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
    let written = &suite.workload;
    let workload = Workload {
        namespace: written.namespace.clone().unwrap_or_else(|| "default".to_owned()),
        name: written.name.clone().unwrap_or_else(|| "model".to_owned()),
        labels: written.labels.clone(),
    };
    let folder = tempfile::tempdir().unwrap();
    let mut documents: Vec<Document> = Vec::new();
    let (mut strict, mut exceptions) = (Vec::new(), Vec::new());
    for (number, policies) in suite.policies.iter().enumerate() {
        let text = fs::read_to_string(corpus().join(policies)).unwrap();
        fs::write(folder.path().join(format!("{number}.yaml")), &text).unwrap();
        documents.extend(compile::read(&policies.display().to_string(), &text).unwrap());
        strict.extend(loose::policies(&text, &workload));
        exceptions.extend(loose::exceptions(&text, &workload));
    }
    let compilation = compile::compile(&documents, &workload).unwrap_or_else(|found| {
        let found: Vec<_> = found.iter().map(|one| compile::render(one, None)).collect();
        panic!("{}: {}", path.display(), found.join("\n"))
    });
    File { path, suite, workload, compilation, strict, exceptions, folder }
}

/// Differences, with the file, the case and the engine.
#[derive(Default)]
struct Disagreements(Vec<String>);

impl Disagreements {
    fn note(&mut self, file: &File, case: &Case, engine: &str, what: &str) {
        let file = file.path.file_name().unwrap().to_string_lossy();
        self.0.push(format!("{file}, `{}`: {engine}: {what}", case.name));
    }
}

impl File {
    fn library(&self, case: &Case) -> Seen {
        let (method, path, parameters) = case.target();
        let format = match wire::route(case.server, method, path, parameters) {
            Route::Judge(format) => format,
            Route::Pass => return Seen::without_query(Verdict::Allow, None, Some(case.body())),
            Route::Refuse(RouteRefusal::Administration | RouteRefusal::State)
                if self.compilation.rule_set.allows_route(method, path) =>
            {
                return Seen::without_query(Verdict::Allow, None, Some(case.body()));
            }
            Route::Refuse(refusal) => return Seen::without_query(Verdict::Deny, Some(refused(refusal)), None),
        };
        let Ok(query) = wire::decode(format, case.body()) else {
            return Seen::without_query(Verdict::Deny, Some("query_unreadable"), None);
        };
        let judgement = self.judge(case, format, &self.compilation.rule_set, query.clone());
        Seen::of(&judgement, format, query)
    }

    fn judge(&self, case: &Case, format: Format, set: &RuleSet, query: Query) -> Judgement {
        let (method, path, _) = case.target();
        let user = case.caller.user.clone();
        let rate_key = user.clone().unwrap_or_else(|| "anonymous".to_owned());
        let caller = Caller { user, groups: case.caller.groups.clone(), rate_key };
        let rates = Rates::default();
        let context = Context {
            format,
            server: case.server,
            method,
            path,
            caller: &caller,
            workload: &self.workload,
            posture: Posture::Enforce,
            now: case.now(),
            rates: &rates,
        };
        rules::judge(set, query, &context)
    }

    /// What an expression answers for the case: the naive evaluator has no CEL of its own.
    fn cel(&self, case: &Case, format: Format, query: &Query, source: &str) -> Truth {
        let rule = Rule {
            name: "only".to_owned(),
            subject: Subject::Query,
            roles: RoleSet::ALL,
            matcher: Matcher::Cel(CelExpr(source.to_owned())),
            action: Action::Alert { route: None },
            on_error: Failure::Deny,
        };
        let policy = Policy {
            name: PolicyRef { namespace: None, name: "only".to_owned() },
            mode: Mode::Audit,
            fallbacks: Fallbacks { on_error: Failure::Deny, on_audit_unavailable: Failure::Deny },
            retention: None,
            carry: std::time::Duration::ZERO,
            routes: Vec::new(),
            coverage: Vec::new(),
            rules: vec![rule],
        };
        let set = RuleSet::build(vec![policy]).unwrap();
        let findings = self.judge(case, format, &set, query.clone()).findings;
        match findings.first().map(|finding| finding.verdict) {
            None => Truth::No,
            Some(Verdict::Deny) => Truth::Error,
            Some(_) => Truth::Yes,
        }
    }

    fn naively(&self, case: &Case, seen: &Seen) -> Option<String> {
        let (format, query) = seen.query.as_ref()?;
        let (_, path, _) = case.target();
        let asked = naive::Asked { server: case.server, path, now: case.now(), exceptions: &self.exceptions };
        let cel = |source: &str| self.cel(case, *format, query, source);
        let opinion = naive::judge(&self.strict, query, asked, &cel);
        if opinion.verdict != case.expect.verdict && seen.code != Some("redaction_failed") {
            return Some(format!("says {:?}, expected {:?}", opinion.verdict, case.expect.verdict));
        }
        let rules: BTreeSet<_> = seen.rules.iter().map(|(policy, rule)| (policy.to_string(), rule.clone())).collect();
        if opinion.lifted != seen.lifted {
            return Some(format!("lifts {:?}, the engine {:?}", opinion.lifted, seen.lifted));
        }
        (opinion.matched != rules).then(|| format!("matches {:?}, the engine {rules:?}", opinion.matched))
    }
}

impl Seen {
    fn without_query(verdict: Verdict, code: Option<&'static str>, forwarded: Option<Bytes>) -> Self {
        let (rules, chains, lifted) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        Self { verdict, code, rules, chains, lifted, forwarded, query: None }
    }

    fn of(judgement: &Judgement, format: Format, query: Query) -> Self {
        let rules = judgement.findings.iter().map(|f| ((*f.policy).clone(), f.rule.to_string())).collect();
        let (code, chains, forwarded) = match &judgement.ruling {
            Ruling::Clear(clearance) => (None, BTreeSet::new(), Some(clearance.body().clone())),
            Ruling::Hold(held) => (None, held.chains().iter().cloned().collect(), Some(held.body().clone())),
            Ruling::Deny(denial) => (Some(denied(denial.code)), BTreeSet::new(), None),
        };
        let lifted = judgement.excepted.iter();
        let lifted = lifted.map(|one| (one.exception.name.clone(), one.policy.to_string(), one.rule.to_string()));
        let lifted = lifted.collect();
        Self { verdict: judgement.verdict, code, rules, chains, lifted, forwarded, query: Some((format, query)) }
    }

    /// Everything in which the library differs from the expectation.
    fn problems(&self, case: &Case) -> Vec<String> {
        let expect = &case.expect;
        let mut problems = Vec::new();
        let mut differ = |what: &str, expected: &dyn std::fmt::Debug, found: &dyn std::fmt::Debug| {
            problems.push(format!("{what}: expected {expected:?}, found {found:?}"));
        };
        if self.verdict != expect.verdict {
            differ("verdict", &expect.verdict, &(self.verdict, self.code));
        }
        if expect.code.is_some() && expect.code.as_deref() != self.code {
            differ("code", &expect.code, &self.code);
        }
        let rule_name = |name: &str, (policy, rule): &(PolicyRef, String)| {
            name == format!("{policy}/{rule}") || name == format!("{}/{rule}", policy.name)
        };
        if let Some(expected) = expect.rules.as_ref().filter(|expected| !same(expected, &self.rules, rule_name)) {
            differ("rules", expected, &self.rules);
        }
        let chain_name = |name: &str, chain: &PolicyRef| name == chain.to_string() || name == chain.name;
        if let Some(expected) = expect.chains.as_ref().filter(|expected| !same(expected, &self.chains, chain_name)) {
            differ("chains", expected, &self.chains);
        }
        let used: BTreeSet<_> = self.lifted.iter().map(|(exception, ..)| exception.clone()).collect();
        if let Some(expected) = expect.exceptions.as_ref().filter(|expected| **expected != used) {
            differ("exceptions", expected, &used);
        }
        let format = self.query.as_ref().map(|(format, _)| *format);
        let texts = self.forwarded.as_ref().zip(format).map(|(body, format)| texts(format, body)).unwrap_or_default();
        for (place, text) in &expect.redacted {
            if texts.get(place) != Some(text) {
                differ(place, text, &texts.get(place));
            }
        }
        problems
    }
}

fn same<T>(expected: &BTreeSet<String>, found: &BTreeSet<T>, names: impl Fn(&str, &T) -> bool) -> bool {
    expected.len() == found.len() && expected.iter().all(|name| found.iter().any(|one| names(name, one)))
}

fn texts(format: Format, body: &Bytes) -> BTreeMap<String, String> {
    let query = wire::decode(format, body.clone()).unwrap();
    query.parts().iter().map(|part| (query.place(part.place), query.text(part).to_owned())).collect()
}

const fn refused(refusal: RouteRefusal) -> &'static str {
    match refusal {
        RouteRefusal::Unknown => "route_unknown",
        RouteRefusal::Administration => "route_administration",
        RouteRefusal::State => "route_state",
        RouteRefusal::Method => "method_not_allowed",
        RouteRefusal::Path => "path_not_normal",
        RouteRefusal::Parameter => "parameter_not_allowed",
        RouteRefusal::Protocol => "protocol_not_supported",
    }
}

const fn denied(code: DenialCode) -> &'static str {
    match code {
        DenialCode::PolicyDenied => "policy_denied",
        DenialCode::NotCovered => "not_covered",
        DenialCode::NoPolicy => "no_policy",
        DenialCode::JudgingFailed => "judging_failed",
        DenialCode::RedactionFailed => "redaction_failed",
    }
}

fn report(disagreements: &Disagreements, cases: usize) {
    let Disagreements(all) = disagreements;
    assert!(all.is_empty(), "{} disagreements over {cases} cases:\n{}", all.len(), all.join("\n"));
}

#[test]
fn library_and_naive_evaluator_say_what_every_case_expects() {
    let mut disagreements = Disagreements::default();
    let (mut cases, mut naive) = (0, 0);
    for file in files() {
        for case in &file.suite.tests {
            cases += 1;
            let seen = file.library(case);
            for problem in seen.problems(case) {
                disagreements.note(&file, case, "library", &problem);
            }
            naive += usize::from(seen.query.is_some());
            if let Some(problem) = file.naively(case, &seen) {
                disagreements.note(&file, case, "naive evaluator", &problem);
            }
        }
    }
    println!("{cases} cases, {naive} judged naively too");
    assert!(cases >= 150, "the corpus has shrunk to {cases} cases");
    report(&disagreements, cases);
}

#[test]
fn the_command_line_says_what_every_case_expects() {
    let mut disagreements = Disagreements::default();
    let mut cases = 0;
    for file in files() {
        let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["test", "-o", "json"])
            .arg(&file.path)
            .output()
            .unwrap();
        let results: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let named: Vec<_> = results.iter().map(|result| result["name"].as_str().unwrap_or_default()).collect();
        let wanted: Vec<_> = file.suite.tests.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(named, wanted, "{}: {}", file.path.display(), String::from_utf8_lossy(&output.stderr));
        for (case, result) in file.suite.tests.iter().zip(&results) {
            cases += 1;
            if result["passed"] != true {
                disagreements.note(&file, case, "command line", &result["problems"].to_string());
            }
        }
        let passed = results.iter().all(|result| result["passed"] == true);
        assert_eq!(output.status.code(), Some(i32::from(!passed)), "{}", file.path.display());
    }
    report(&disagreements, cases);
}

#[test]
fn the_live_gate_does_what_every_case_expects() {
    let upstream = Upstream::start();
    let mut disagreements = Disagreements::default();
    let (mut cases, mut skipped) = (0, 0);
    for file in files() {
        let gates = Gates::of(&file, &upstream);
        for case in &file.suite.tests {
            if case.at.is_some() {
                skipped += 1;
                continue;
            }
            cases += 1;
            if let Some(problem) = gates.problem(case, &file.library(case)) {
                disagreements.note(&file, case, "live gate", &problem);
            }
        }
        let records = gates.records();
        for case in &file.suite.tests {
            if let Some(problem) = gates.unrecorded(case, &file.library(case), &records) {
                disagreements.note(&file, case, "audit log", &problem);
            }
        }
    }
    println!("{cases} cases, {skipped} with a time of their own left out");
    report(&disagreements, cases);
}
