//! Exceptions by example: what they lift, until when, and what stays.

use super::*;

const END: &str = "2026-11-23T12:00:00Z";

fn exception(name: &str, policy: &str, rules: &[&str], until: &str) -> Exception {
    Exception {
        name: name.to_owned(),
        policy: PolicyRef { namespace: Some("models".to_owned()), name: policy.to_owned() },
        rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
        until: until.parse().unwrap(),
        reason: "a migration".to_owned(),
        approver: "alice".to_owned(),
    }
}

fn excepting(policies: &[Policy], exceptions: &[Exception]) -> RuleSet {
    RuleSet::excepting(policies, exceptions).unwrap()
}

fn at(now: &str) -> World {
    World { now: now.parse().unwrap(), ..World::default() }
}

fn lifted(judgement: &Judgement) -> Vec<(&str, &str, Verdict)> {
    judgement.excepted.iter().map(|one| (one.exception.name.as_str(), &*one.rule, one.verdict)).collect()
}

#[test]
fn an_exception_lifts_a_rule_until_its_end_and_not_a_moment_longer() {
    let policies = [policy("p", vec![when(words(&["hello"]), deny())])];
    let set = excepting(&policies, &[exception("e", "p", &["deny"], END)]);
    for (now, verdict) in [
        ("2026-11-23T10:00:00Z", Verdict::Allow),
        ("2026-11-23T11:59:59.999999999Z", Verdict::Allow),
        (END, Verdict::Deny),
        ("2027-01-01T00:00:00Z", Verdict::Deny),
    ] {
        let judgement = at(now).judge(&set, user("hello"));
        assert_eq!(judgement.verdict, verdict, "{now}");
        let used = if verdict == Verdict::Allow { vec![("e", "deny", Verdict::Deny)] } else { Vec::new() };
        assert_eq!(lifted(&judgement), used);
        assert_eq!(judgement.findings.is_empty(), verdict == Verdict::Allow);
    }
    assert!(at(END).judge(&set, user("other")).excepted.is_empty(), "what would not have matched is not lifted");
    assert!(World::default().judge(&set, user("other")).excepted.is_empty());
}

#[test]
fn every_action_and_every_failure_is_lifted_and_the_rules_beside_it_are_not() {
    let fails = || cel("workload.labels['absent'] == 'x'");
    for rule in [
        when(words(&["hello"]), deny()),
        when(words(&["hello"]), hold("a")),
        when(words(&["hello"]), Action::Redact),
        when(words(&["hello"]), Action::Alert { route: None }),
        when(fails(), Action::Alert { route: None }),
        Rule { on_error: Failure::Allow, ..when(fails(), deny()) },
    ] {
        let other = Rule { name: "other".to_owned(), ..when(words(&["world"]), Action::Alert { route: None }) };
        let named = rule.name.clone();
        let policies = [policy("p", vec![rule, other.clone()]), policy("q", vec![other])];
        let set = excepting(&policies, &[exception("e", "p", &[&named], END)]);
        let judgement = World::default().judge(&set, user("hello world"));
        assert_eq!(judgement.excepted.len(), 1, "{named}");
        assert_eq!((judgement.verdict, judgement.findings.len(), judgement.alerts.len()), (Verdict::Alert, 2, 2));
        let Ruling::Clear(clearance) = judgement.ruling else { panic!("{named}") };
        assert_eq!((clearance.basis(), &clearance.body()[..]), (Basis::Allowed, &b"hello world\n"[..]));
    }
}

#[test]
fn a_policy_of_another_scope_or_name_is_not_meant() {
    let policies = [policy("p", vec![when(words(&["hello"]), deny())])];
    let cluster = PolicyRef { namespace: None, name: "p".to_owned() };
    let elsewhere = PolicyRef { namespace: Some("other".to_owned()), name: "p".to_owned() };
    for (policy, rule) in [(cluster, "deny"), (elsewhere, "deny"), (policies[0].name.clone(), "denyy")] {
        let exception = Exception { policy, ..exception("e", "p", &[rule], END) };
        let judgement = World::default().judge(&excepting(&policies, &[exception]), user("hello"));
        assert_eq!((judgement.verdict, judgement.excepted.len()), (Verdict::Deny, 0));
    }
}

#[test]
fn of_several_exceptions_the_first_by_name_that_has_not_ended_is_named() {
    let policies = [policy("p", vec![when(words(&["hello"]), deny())])];
    let all = [
        exception("c", "p", &["deny"], END),
        exception("b", "p", &["deny"], "2026-11-23T11:00:00Z"),
        exception("a", "p", &["deny"], "2026-11-23T09:00:00Z"),
    ];
    let set = excepting(&policies, &all);
    let used = |now: &str| at(now).judge(&set, user("hello")).excepted.first().map(|one| one.exception.name.clone());
    assert_eq!(used("2026-11-23T10:00:00Z").as_deref(), Some("b"));
    assert_eq!(used("2026-11-23T11:00:00Z").as_deref(), Some("c"));
    assert_eq!(used(END), None);
}

#[test]
fn a_chain_that_only_a_lifted_rule_names_is_not_asked() {
    let other = Rule { name: "other".to_owned(), ..when(words(&["hello"]), hold("b")) };
    let policies = [policy("p", vec![when(words(&["hello"]), hold("a")), other])];
    let set = excepting(&policies, &[exception("e", "p", &["hold"], END)]);
    let Ruling::Hold(held) = World::default().judge(&set, user("hello")).ruling else { panic!("is held") };
    assert_eq!(held.chains().iter().map(|chain| chain.name.as_str()).collect::<Vec<_>>(), ["b"]);
    let causes: Vec<_> = held.causes().texts.iter().map(|cause| &*cause.rule).collect();
    assert_eq!((causes, held.causes().beyond), (vec!["other"], false));
}

/// A query with an image, which no rule can look at.
fn image() -> Query {
    let mut builder = Builder::new(Bytes::from("{}"), Operation::Chat);
    let place = builder.field(Place::ROOT, "image");
    builder.gap(GapKind::Image, place);
    builder.finish()
}

fn entry(name: &str, action: Disposition) -> CoverageRule {
    CoverageRule { name: name.to_owned(), kinds: vec![GapKind::Image], places: Vec::new(), action }
}

#[test]
fn an_exception_from_a_coverage_entry_loosens_that_entry_and_not_the_refusal_of_what_nobody_speaks_of() {
    let chain = || PolicyRef { namespace: Some("models".to_owned()), name: "a".to_owned() };
    let (allow, hold, deny) =
        (entry("e", Disposition::Allow), entry("e", Disposition::Hold(chain())), entry("e", Disposition::Deny));
    for (first, second, verdict, used) in [
        (&deny, None, Verdict::Deny, 1),
        (&deny, Some(&allow), Verdict::Allow, 1),
        (&deny, Some(&hold), Verdict::Hold, 1),
        (&deny, Some(&deny), Verdict::Deny, 1),
        (&hold, None, Verdict::Allow, 1),
        (&hold, Some(&allow), Verdict::Allow, 1),
        (&hold, Some(&hold), Verdict::Hold, 1),
        (&hold, Some(&deny), Verdict::Deny, 1),
        (&allow, None, Verdict::Allow, 0),
        (&allow, Some(&hold), Verdict::Hold, 0),
    ] {
        let with =
            |name: &str, entry: &CoverageRule| Policy { coverage: vec![entry.clone()], ..policy(name, Vec::new()) };
        let mut policies = vec![with("p", first)];
        policies.extend(second.map(|second| with("q", second)));
        let set = excepting(&policies, &[exception("x", "p", &["e"], END)]);
        let judgement = World::default().judge(&set, image());
        assert_eq!((judgement.verdict, judgement.excepted.len()), (verdict, used), "{first:?} {second:?}");
        let before = World::default().judge(&RuleSet::of(&policies).unwrap(), image()).verdict;
        assert!(judgement.verdict <= before);
        assert_eq!(at(END).judge(&set, image()).verdict, before);
        if let Ruling::Hold(held) = judgement.ruling {
            assert!(held.causes().beyond, "nobody can say what stands there");
        }
    }
}

#[test]
fn what_is_lifted_from_a_policy_in_audit_mode_is_recorded_too() {
    let policies = [Policy { mode: Mode::Audit, ..policy("p", vec![when(words(&["hello"]), deny())]) }];
    let set = excepting(&policies, &[exception("e", "p", &["deny"], END)]);
    let judgement = World::default().judge(&set, user("hello"));
    assert_eq!((judgement.verdict, judgement.verdict_if_enforced), (Verdict::Allow, Verdict::Allow));
    assert_eq!(lifted(&judgement), [("e", "deny", Verdict::Deny)]);
}

#[test]
fn exceptions_have_a_part_in_the_revision_whatever_their_order() {
    let policies = [policy("p", vec![when(words(&["hello"]), deny())])];
    let revision = |exceptions: &[Exception]| excepting(&policies, exceptions).revision();
    let (one, two) = (exception("a", "p", &["deny"], END), exception("b", "p", &["deny"], END));
    assert_eq!(revision(&[one.clone(), two.clone()]), revision(&[two.clone(), one.clone()]));
    assert_eq!(revision(&[]), RuleSet::of(&policies).unwrap().revision());
    let mut seen = std::collections::BTreeSet::from([revision(&[]), revision(std::slice::from_ref(&one))]);
    for changed in [
        Exception { name: "c".to_owned(), ..one.clone() },
        Exception { policy: PolicyRef { namespace: None, name: "p".to_owned() }, ..one.clone() },
        Exception { rules: vec!["deny".to_owned(), "hold".to_owned()], ..one.clone() },
        Exception { until: "2026-11-23T12:00:00.000000001Z".parse().unwrap(), ..one.clone() },
        Exception { reason: "another".to_owned(), ..one.clone() },
        Exception { approver: "bob".to_owned(), ..one.clone() },
    ] {
        assert!(seen.insert(revision(&[changed])));
    }
    assert!(seen.insert(revision(&[one, two])));
}

#[test]
fn an_explanation_shows_what_a_lifted_rule_found_and_what_lifts_it() {
    let image = Policy { coverage: vec![entry("images", Disposition::Deny)], ..policy("q", Vec::new()) };
    let policies = [policy("p", vec![when(words(&["hello"]), deny())]), image];
    let all = [exception("e", "p", &["deny"], END), exception("f", "q", &["images"], END)];
    let set = excepting(&policies, &all);
    let explained = |now: &str, query: &Query| {
        let world = at(now);
        let context = Context {
            format: Format::OpenaiChat,
            server: Server::Vllm,
            method: "POST",
            path: "/v1/chat/completions",
            caller: &world.caller,
            workload: &world.workload,
            posture: world.posture,
            now: world.now,
            rates: &world.rates,
        };
        explain(&set, query, &context)
    };
    let explanation = explained("2026-11-23T10:00:00Z", &user("hello"));
    let rule = &explanation.policies[0].rules[0];
    assert!(matches!(&rule.reason, Reason::Matched(findings) if findings.len() == 1), "{rule:?}");
    assert_eq!(rule.exception.as_ref().map(|exception| exception.approver.as_str()), Some("alice"));
    let gap = explained("2026-11-23T10:00:00Z", &super::excepting::image()).gaps.remove(0);
    assert_eq!(gap.said[0].exception.as_ref().map(|exception| exception.name.as_str()), Some("f"));
    assert!(explained(END, &user("hello")).policies[0].rules[0].exception.is_none());
}
