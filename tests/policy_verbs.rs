//! The policy verbs as people and scripts meet them: output and exit status of `lint`, `explain` and `test`, and the
//! sample policies, which must lint clean and pass their own tests.

#![expect(clippy::unwrap_used, reason = "a helper of tests may fail the test")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs the program from the repository's root.
fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read its input may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[track_caller]
fn check(arguments: &[&str], status: i32, shown: &[&str]) -> Output {
    let output = run(arguments, "");
    let all = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {all}");
    for text in shown {
        assert!(all.contains(text), "{arguments:?}: {text:?} is not in {all}");
    }
    output
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn lint_ends_with_0_for_good_1_for_bad_and_2_for_unreadable_files() {
    check(&["lint", "tests/corpus/lint/good-full.yaml"], 0, &["ok: 1 policy and 1 chain in 1 file"]);
    check(&["lint", "tests/corpus/lint/name-rule.yaml"], 1, &["name-rule.yaml:6:11", "^^^^", "1 error in 1 file"]);
    check(&["lint", "no/such/file.yaml"], 2, &["cannot read `no/such/file.yaml`"]);
    check(&["lint"], 2, &["Usage"]);
}

#[test]
fn lint_lists_problems_as_json_with_line_and_column() {
    let output = check(&["lint", "-o", "json", "tests/corpus/lint/name-rule.yaml"], 1, &[]);
    let found = &json(&output)[0];
    assert_eq!((&found["line"], &found["column"]), (&Value::from(6), &Value::from(11)));
    assert_eq!(found["severity"], "error");
    assert_eq!(json(&check(&["lint", "-o", "json", "config/samples"], 0, &[])), Value::Array(Vec::new()));
}

#[test]
fn the_samples_lint_clean_and_pass_their_tests() {
    check(&["lint", "config/samples"], 0, &["ok: 5 policies and 1 chain in 5 files\n"]);
    check(&["test", "config/samples/tests/samples.yaml"], 0, &[" passed, 0 failed"]);
}

#[test]
fn every_rule_of_the_samples_has_a_test_in_which_it_matches() {
    let output = check(&["test", "-o", "json", "config/samples/tests/samples.yaml"], 0, &[]);
    let results = json(&output);
    let matched = results.as_array().unwrap().iter().flat_map(|r| r["rules"].as_array().unwrap().iter());
    let matched: BTreeSet<_> = matched.map(|rule| rule.as_str().unwrap().to_owned()).collect();
    let explained = explain("{\"model\": \"m\", \"messages\": []}", &["-p", "config/samples"]);
    let policies = explained["policies"].as_array().unwrap().iter();
    let all: BTreeSet<_> = policies
        .flat_map(|p| p["rules"].as_array().unwrap().iter().map(move |r| (p, r)))
        .map(|(p, r)| format!("{}/{}", p["policy"].as_str().unwrap(), r["rule"].as_str().unwrap()))
        .collect();
    assert_eq!(matched, all);
}

fn explain(body: &str, more: &[&str]) -> Value {
    let output = run(&[&["explain", "-o", "json", "-"], more].concat(), body);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    json(&output)
}

#[test]
fn explain_shows_what_an_exception_lifts_until_when_and_who_answers_for_it() {
    let policies =
        ["-p", "tests/corpus/rules/policies/exceptions.yaml", "--namespace", "models", "--label", "app=llama"];
    let explained = explain(&chat("jupiter"), &policies);
    assert_eq!((&explained["verdict"], &explained["exceptions"][0]), (&"Allow".into(), &"cluster-rules".into()));
    let jupiter = rule(&explained, "floor", "hold-jupiter");
    assert_eq!(
        (&jupiter["result"], &jupiter["matches"][0]["texts"][0]["text"]),
        (&"matched".into(), &"jupiter".into())
    );
    let lifted = &jupiter["exception"];
    assert_eq!((&lifted["name"], &lifted["approver"]), (&"cluster-rules".into(), &"alice".into()));
    assert_eq!(
        (&lifted["until"], &lifted["reason"]),
        (&"2099-12-31T23:59:59Z".into(), &"The planets are being studied.".into())
    );
    assert!(rule(&explained, "floor", "no-mercury")["exception"].is_null(), "it has ended");

    let shown = run(&[&["explain", "-"], &policies[..]].concat(), &chat("jupiter"));
    let (shown, noted) = (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
    for text in [
        "excepted  cluster-rules\n",
        "hold-jupiter matches, but is excepted\n",
        "exception cluster-rules until 2099-12-31T23:59:59Z, by alice: The planets are being studied.\n",
    ] {
        assert!(shown.contains(text), "{text:?} is not in {shown}");
    }
    assert!(noted.contains("it has ended: it loosens nothing any more"), "{noted}");
}

#[test]
fn lint_counts_exceptions_and_warns_of_those_that_have_ended() {
    let summary = "ok: 2 policies with 5 exceptions and 2 chains in 1 file, 1 warning\n";
    let shown =
        ["warning: it has ended", "exceptions.yaml:71:14", "in: ApprovalException ended, `spec.expiresAt`", summary];
    check(&["lint", "tests/corpus/rules/policies/exceptions.yaml"], 0, &shown);
    check(&["lint", "config/samples/cluster"], 0, &["ok: 1 policy with 1 exception and 1 chain in 2 files"]);
}

fn chat(text: &str) -> String {
    serde_json::json!({"model": "m", "messages": [{"role": "user", "content": text}]}).to_string()
}

/// The explanation of one rule.
fn rule<'a>(explained: &'a Value, policy: &str, rule: &str) -> &'a Value {
    let policies = explained["policies"].as_array().unwrap();
    let policy = policies.iter().find(|p| p["policy"] == policy).unwrap();
    policy["rules"].as_array().unwrap().iter().find(|r| r["rule"] == rule).unwrap()
}

#[test]
fn explain_names_the_rule_the_place_and_the_span() {
    let explained = explain(&chat("Mail jane@example.com please"), &["-p", "config/samples"]);
    assert_eq!(explained["verdict"], "Redact");
    let mask = rule(&explained, "default/personal-data", "mask-contacts");
    assert_eq!(mask["result"], "matched");
    let text = &mask["matches"][0]["texts"][0];
    assert_eq!(
        (&text["text"], &text["before"], &text["after"]),
        (&"jane@example.com".into(), &"Mail ".into(), &" please".into())
    );
    assert_eq!((&text["place"], &text["bytes"]["start"]), (&"messages[0].content".into(), &5.into()));
    assert!(explained["forwarded"].as_str().unwrap().contains("Mail [EMAIL_1] please"));
}

#[test]
fn explain_says_why_the_other_rules_do_not_match_in_the_fields_people_wrote() {
    let explained =
        explain(&chat("the termination clause"), &["-p", "config/samples", "--user", "u", "--group", "legal"]);
    assert_eq!(explained["verdict"], "Allow");
    let contracts = rule(&explained, "default/sign-off", "contracts-need-legal");
    assert_eq!(contracts["because"][0]["field"], "spec.rules[1].match.allOf[1].cel", "{contracts}");
    let secrets = rule(&explained, "default/credentials", "no-secrets");
    assert_eq!(secrets["because"].as_array().unwrap().len(), 1, "a group is one field: {secrets}");
    assert_eq!(secrets["because"][0]["field"], "spec.rules[0].match.detectors[0]");
}

#[test]
fn explain_never_lets_control_characters_reach_the_terminal() {
    let body = chat("\u{1b}[2J\u{202e}project nightingale\u{7}\u{9b}31m");
    let shown = run(&["explain", "-", "-p", "config/samples"], &body);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("⟪project nightingale⟫"), "{shown}");
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{shown:?}");
}

#[test]
fn explain_shows_what_the_gate_refuses_by_itself() {
    let explained = explain("{\"model\": ", &["-p", "config/samples"]);
    assert_eq!((&explained["verdict"], &explained["code"]), (&"Deny".into(), &"query_unreadable".into()));
    let explained = explain("{}", &["-p", "config/samples", "--route", "POST /nowhere"]);
    assert_eq!(explained["code"], "route_unknown");
    check(&["explain", "-p", "tests/corpus/lint/name-rule.yaml", "-"], 2, &["name-rule.yaml:6:11"]);
    check(&["explain", "-p", "config/samples", "--server", "nginx", "-"], 2, &["vllm, ollama"]);
    check(&["explain", "-p", "config/samples", "no/such/query.json"], 2, &["cannot read"]);
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const POLICY: &str = "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {name: p}\nspec:\n  rules:\n  \
                      - name: r\n    match: {keywords: [salary]}\n    action: {type: Deny}\n";

/// A file with one test of that policy.
fn suite(test: &str) -> String {
    format!("policies: [policy.yaml]\ntests:\n- name: t\n{test}")
}

#[test]
fn tests_end_with_0_when_all_pass_1_when_one_fails_and_2_when_they_cannot_run() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "policy.yaml", POLICY);
    write(folder.path(), "query.json", &chat("my salary"));
    let table = [
        (
            "  bodyFile: query.json\n  expect: {verdict: Deny, rules: [p/r], code: policy_denied}\n",
            0,
            "1 passed, 0 failed",
        ),
        ("  bodyFile: query.json\n  expect: {verdict: Deny, rules: [default/p/r]}\n", 0, "ok"),
        ("  bodyFile: query.json\n  expect: {verdict: Allow}\n", 1, "verdict: expected Allow, found Deny"),
        (
            "  bodyFile: query.json\n  expect: {verdict: Deny, rules: []}\n",
            1,
            "`default/p/r` matched, but was not expected",
        ),
        (
            "  bodyFile: query.json\n  expect: {verdict: Deny, rules: [p/r, p/s]}\n",
            1,
            "`p/s` was expected, but did not match",
        ),
        ("  bodyFile: query.json\n  expect: {verdict: Deny, code: no_policy}\n", 1, "expected `no_policy`"),
        ("  bodyFile: query.json\n  expect: {verdict: Deny, chains: [c]}\n", 1, "chains: `c` was expected"),
        ("  bodyFile: query.json\n  expect: {verdict: Deny, redacted: {a: b}}\n", 1, "nothing would be forwarded"),
        ("  bodyFile: query.json\n  route: nowhere\n  expect: {verdict: Deny}\n", 1, "expected a method and a path"),
        ("  bodyFile: missing.json\n  expect: {verdict: Deny}\n", 2, "cannot read"),
        ("  body: x\n  query: {}\n  expect: {verdict: Deny}\n", 2, "more than one of"),
        ("  body: x\n  expects: {verdict: Deny}\n", 2, "did you mean `expect`"),
        ("  body: x\n  expect: {verdict: Maybe}\n", 2, "unknown value `Maybe`"),
    ];
    for (test, status, shown) in table {
        let file = write(folder.path(), "tests.yaml", &suite(test));
        check(&["test", &file], status, &[shown]);
    }
    write(folder.path(), "policy.yaml", &POLICY.replace("keywords", "keyword"));
    let file = write(folder.path(), "tests.yaml", &suite("  body: x\n  expect: {verdict: Deny}\n"));
    check(&["test", &file], 2, &["did you mean `keywords`", "^^^^^^^"]);
}

#[test]
fn colour_is_only_where_it_is_asked_for() {
    let plain = check(&["lint", "config/samples"], 0, &[]);
    assert!(!plain.stdout.contains(&0x1b));
    let coloured = check(&["lint", "--color", "always", "config/samples"], 0, &[]);
    assert!(coloured.stdout.contains(&0x1b));
}
