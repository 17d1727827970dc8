//! How what the rules say becomes a verdict.

use super::*;
use std::fmt::Write as _;

#[test]
fn an_error_counts_as_what_the_rule_says_of_errors() {
    let fails = || cel("workload.labels['absent'] == 'x'");
    let judge = |matcher: Matcher, on_error: Failure| {
        let set = set(vec![Rule { on_error, ..when(matcher, Action::Allow) }]);
        World::default().judge(&set, user("hello"))
    };
    let judgement = judge(fails(), Failure::Deny);
    assert!(matches!(&judgement.ruling, Ruling::Deny(denial) if denial.code == DenialCode::JudgingFailed));
    let judgement = judge(fails(), Failure::Allow);
    assert!(matches!(&judgement.ruling, Ruling::Clear(clearance) if clearance.basis() == Basis::AllowedByFailure));
    assert_eq!(judge(Matcher::None(vec![fails()]), Failure::Deny).verdict, Verdict::Deny);
    assert_eq!(judge(Matcher::All(vec![words(&["hello"]), fails()]), Failure::Deny).verdict, Verdict::Deny);
    // Nothing that the failed part could have said would have changed these.
    assert_eq!(judge(Matcher::All(vec![words(&["other"]), fails()]), Failure::Deny).verdict, Verdict::Allow);
    assert_eq!(judge(Matcher::Any(vec![fails(), words(&["hello"])]), Failure::Deny).verdict, Verdict::Allow);
}

#[test]
fn the_most_restrictive_verdict_wins_and_alerts_stand_beside_it() {
    let alert = || Action::Alert { route: Some("soc".to_owned()) };
    let table: [(Vec<Action>, Verdict, usize); 6] = [
        (vec![], Verdict::Allow, 0),
        (vec![Action::Allow], Verdict::Allow, 0),
        (vec![Action::Allow, alert()], Verdict::Alert, 1),
        (vec![hold("a"), alert()], Verdict::Hold, 1),
        (vec![deny(), hold("a"), alert()], Verdict::Deny, 1),
        (vec![Action::Redact, deny()], Verdict::Deny, 0),
    ];
    for (actions, verdict, alerts) in table {
        let rules = actions.into_iter().map(|action| when(words(&["hello"]), action)).collect();
        let judgement = World::default().judge(&set(rules), user("hello"));
        assert_eq!(judgement.verdict, verdict);
        assert_eq!(judgement.alerts.len(), alerts);
        for (route, finding) in &judgement.alerts {
            assert_eq!(route.as_deref(), Some("soc"));
            assert_eq!(judgement.findings[*finding].verdict, Verdict::Alert);
        }
        assert!(judgement.findings.is_sorted_by_key(|finding| std::cmp::Reverse(finding.verdict)));
        match judgement.ruling {
            Ruling::Clear(clearance) => assert_eq!(clearance.body(), "hello\n"),
            Ruling::Hold(held) => assert_eq!(held.chains().len(), 1),
            Ruling::Deny(denial) => {
                assert_eq!(denial.message, "not this");
                assert_eq!(denial.rule.as_deref(), Some("deny"));
            }
        }
    }
}

#[test]
fn every_distinct_chain_must_be_satisfied() {
    let set = set(vec![
        when(words(&["hello"]), hold("b")),
        when(words(&["hello"]), hold("a")),
        when(words(&["hello"]), hold("b")),
        when(words(&["other"]), hold("c")),
    ]);
    let Ruling::Hold(held) = World::default().judge(&set, user("hello")).ruling else { panic!("is held") };
    let names: Vec<_> = held.chains().iter().map(|chain| chain.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(held.digest(), crate::base::Digest::of(b"hello\n"));
}

#[test]
fn without_policies_nothing_passes() {
    let set = RuleSet::build(Vec::new()).unwrap();
    let judgement = World::default().judge(&set, user("hello"));
    assert!(matches!(&judgement.ruling, Ruling::Deny(denial) if denial.code == DenialCode::NoPolicy));
    let observing = World { posture: Posture::Observe, ..World::default() };
    let judgement = observing.judge(&set, user("hello"));
    assert!(matches!(&judgement.ruling, Ruling::Clear(clearance) if clearance.basis() == Basis::WouldRefuse));
}

#[test]
fn posture_observe_never_interferes_and_says_what_it_would_have_done() {
    for (action, verdict, basis) in [
        (deny(), Verdict::Deny, Basis::WouldRefuse),
        (hold("a"), Verdict::Hold, Basis::WouldRefuse),
        (Action::Allow, Verdict::Allow, Basis::Allowed),
    ] {
        let observing = World { posture: Posture::Observe, ..World::default() };
        let judgement = observing.judge(&set(vec![when(words(&["hello"]), action)]), user("hello"));
        assert_eq!((judgement.verdict, judgement.verdict_if_enforced), (Verdict::Allow, verdict));
        let Ruling::Clear(clearance) = judgement.ruling else { panic!("passes") };
        assert_eq!((clearance.basis(), &clearance.body()[..]), (basis, &b"hello\n"[..]));
    }
}

#[test]
fn a_policy_in_audit_mode_only_leaves_findings() {
    let actions = [deny(), hold("a"), Action::Redact, Action::Alert { route: None }];
    let rules = actions.into_iter().map(|action| when(words(&["hello"]), action)).collect();
    let set = RuleSet::build(vec![Policy { mode: Mode::Audit, ..policy("p", rules) }]).unwrap();
    let judgement = World::default().judge(&set, user("hello"));
    assert_eq!((judgement.verdict, judgement.verdict_if_enforced), (Verdict::Allow, Verdict::Deny));
    assert_eq!(judgement.findings.len(), 4);
    assert!(judgement.findings.iter().all(|finding| finding.audit_only));
    assert!(judgement.alerts.is_empty());
    assert!(matches!(judgement.ruling, Ruling::Clear(clearance) if clearance.basis() == Basis::Allowed));
}

fn gapped(kind: GapKind, field: &'static str) -> Query {
    let mut builder = Builder::new(Bytes::from_static(b"{}"), Operation::Chat);
    let place = builder.field(Place::ROOT, field);
    builder.gap(kind, place);
    builder.finish()
}

#[test]
fn a_gap_is_refused_unless_every_policy_that_speaks_allows_it() {
    let says = |kinds: &[GapKind], places: &[&str], action: Disposition| CoverageRule {
        name: "gaps".to_owned(),
        kinds: kinds.to_vec(),
        places: places.iter().map(|p| (*p).to_owned()).collect(),
        action,
    };
    let chain = PolicyRef { namespace: None, name: "legal".to_owned() };
    let with = |mode: Mode, rules: Vec<CoverageRule>| Policy { mode, coverage: rules, ..policy("p", Vec::new()) };
    let allow = || says(&[GapKind::TokenIds], &[], Disposition::Allow);
    let table = [
        (with(Mode::Enforce, vec![]), Verdict::Deny),
        (with(Mode::Enforce, vec![allow()]), Verdict::Allow),
        (with(Mode::Audit, vec![allow()]), Verdict::Deny),
        (with(Mode::Enforce, vec![says(&[GapKind::Image], &[], Disposition::Allow)]), Verdict::Deny),
        (with(Mode::Enforce, vec![says(&[GapKind::TokenIds], &["prompt"], Disposition::Allow)]), Verdict::Allow),
        (with(Mode::Enforce, vec![says(&[GapKind::TokenIds], &["prom"], Disposition::Allow)]), Verdict::Deny),
        (with(Mode::Enforce, vec![allow(), says(&[GapKind::TokenIds], &[], Disposition::Hold(chain))]), Verdict::Hold),
        (with(Mode::Enforce, vec![allow(), says(&[GapKind::TokenIds], &[], Disposition::Deny)]), Verdict::Deny),
    ];
    for (policy, expected) in table {
        let set = RuleSet::build(vec![policy]).unwrap();
        let judgement = World::default().judge(&set, gapped(GapKind::TokenIds, "prompt"));
        assert_eq!(judgement.verdict, expected);
        if let Ruling::Deny(denial) = judgement.ruling {
            assert_eq!(denial.code, DenialCode::NotCovered);
            assert!(
                denial.message.starts_with("`prompt` holds token ids, which cannot be judged"),
                "{}",
                denial.message
            );
        }
    }
}

#[test]
fn encoded_text_beyond_the_limit_is_a_gap() {
    let run = format!("{} ", "c2VjcmV0IGlzIG91dCBub3cgZXZlcnlvbmU=").repeat(300);
    let judgement = World::default().judge(&set(vec![when(words(&["other"]), deny())]), user(&run));
    assert!(
        matches!(&judgement.ruling, Ruling::Deny(denial) if denial.code == DenialCode::NotCovered),
        "{judgement:?}"
    );
}

#[test]
fn an_explanation_names_the_condition_that_failed() {
    let matcher = Matcher::All(vec![words(&["hello"]), Matcher::Any(vec![words(&["legal"]), cel("query.stream")])]);
    let rules = vec![when(matcher, deny()), when(words(&["hello"]), hold("a"))];
    let set = set(rules);
    let world = World::default();
    let context = Context {
        format: Format::OpenaiChat,
        server: Server::Vllm,
        method: "POST",
        path: "/v1/chat/completions",
        caller: &world.caller,
        workload: &world.workload,
        posture: Posture::Enforce,
        now: world.now,
        rates: &world.rates,
    };
    let explanation = explain(&set, &user("hello"), &context);
    let [first, second] = &explanation.policies[0].rules[..] else { panic!("two rules") };
    let Reason::NotMatched(because) = &first.reason else { panic!("does not match") };
    let shown: Vec<_> = because.iter().map(|one| format!("{}: {}", one.path, one.why)).collect();
    assert_eq!(
        shown,
        ["match.allOf[1].anyOf[0].keywords: not found", "match.allOf[1].anyOf[1].cel: the expression is false"]
    );
    assert!(matches!(&second.reason, Reason::Matched(findings) if &*findings[0].place == "messages[0].content"));
}

#[test]
fn findings_are_bounded_and_the_verdict_counts_all() {
    let text = "hello ".repeat(5000);
    let set = set(vec![
        when(words(&["hello"]), Action::Allow),
        when(words(&["hello"]), Action::Alert { route: None }),
        when(words(&["hello"]), deny()),
    ]);
    let judgement = World::default().judge(&set, user(&text));
    assert_eq!(judgement.findings.len(), crate::base::limits::FINDINGS_MAX);
    assert_eq!(judgement.verdict, Verdict::Deny);
    assert_eq!(judgement.findings[judgement.alerts[0].1].verdict, Verdict::Alert);
}

#[test]
fn many_gaps_are_bounded_and_the_last_kind_counts_too() {
    let mut body = String::from(r#"{"messages":[{"role":"user","content":"x"}]"#);
    for n in 0..1_000 {
        write!(body, ",\"unknown{n}\":1").unwrap();
    }
    body.push_str(r#","prompt_token_ids":[1]}"#);
    let gaps = |kinds: &[GapKind], action| CoverageRule {
        name: "gaps".to_owned(),
        kinds: kinds.to_vec(),
        places: Vec::new(),
        action,
    };
    let lenient = gaps(&[GapKind::UnknownField], Disposition::Allow);
    for (said, verdict) in [(Disposition::Allow, Verdict::Allow), (Disposition::Deny, Verdict::Deny)] {
        let coverage = vec![lenient.clone(), gaps(&[GapKind::TokenIds], said)];
        let set = RuleSet::build(vec![Policy { coverage, ..policy("p", vec![]) }]).unwrap();
        let judgement =
            World::default().judge(&set, wire::decode(Format::OpenaiChat, Bytes::from(body.clone())).unwrap());
        assert_eq!(judgement.verdict, verdict);
        assert_eq!(judgement.findings.len(), crate::base::limits::FINDINGS_MAX);
        assert_eq!(judgement.findings[0].verdict, verdict);
    }
}
