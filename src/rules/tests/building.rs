//! What is refused when a set is built, and what names it.

use super::*;

#[track_caller]
fn refused(matcher: Matcher, path: &str, why: &str) {
    let failures = RuleSet::build(vec![policy("p", vec![when(matcher, deny())])]).expect_err("is refused");
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].path, path);
    assert_eq!(failures[0].policy.to_string(), "models/p");
    assert!(failures[0].why.contains(why), "{}", failures[0]);
}

#[test]
fn what_cannot_be_judged_is_refused_when_it_is_built() {
    let path = "rules[0].match.cel";
    refused(cel("query.colour == 'red'"), path, "`query.colour` is not known");
    refused(cel("prompt == ''"), path, "`prompt` is not known");
    refused(cel("shout(query.model)"), path, "no function `shout`");
    refused(cel("query.model"), path, "gives string");
    refused(cel("query.model > 3"), path, "cannot be evaluated");
    refused(cel("query.model.matches(caller.user)"), path, "as a literal");
    refused(cel("query.model.matches('(')"), path, "`matches`: the pattern is not a regular expression");
    refused(cel("query.tools.exists(t, caller.groups.exists(g, g == t))"), path, "a macro inside a macro");
    refused(cel("query.model =="), path, "is not CEL");
    refused(cel(&format!("{}true", "!".repeat(60))), path, "nested deeper");
    refused(cel(&format!("{}true{}", "(".repeat(60), ")".repeat(60))), path, "nested deeper");
    refused(cel(&format!("'{}' == ''", "x".repeat(5000))), path, "longer than");
    let path = "rules[0].match.regex";
    refused(regex("("), path, "is not a regular expression");
    refused(regex(r"(a)\1"), path, "backreferences are not supported");
    refused(regex("(?=x)y"), path, "look-around");
    refused(regex("a*"), path, "matches the empty text");
    refused(regex(r"\p{L}{1000}"), path, "too large");
    refused(regex("(?:a|b)*a(?:a|b){18}c"), path, "more memory");
    refused(regex(&"x".repeat(5000)), path, "longer than");
    refused(words(&["\u{200b}"]), "rules[0].match.keywords", "holds nothing");
    refused(Matcher::Any(vec![words(&["x"]), regex("(")]), "rules[0].match.anyOf[1].regex", "regular expression");
    let deep = (0..20).fold(words(&["x"]), |inner, _| Matcher::Any(vec![inner]));
    let failures = RuleSet::build(vec![policy("p", vec![when(deep, deny())])]).expect_err("is refused");
    assert!(failures[0].why.contains("nested deeper"));
}

#[test]
fn a_set_that_could_make_a_prompt_slow_is_refused_naming_a_rule() {
    let patterns = |count: usize, form: &dyn Fn(usize) -> String| {
        let rules = (0..count).map(|i| Rule { name: format!("r{i}"), ..when(regex(&form(i)), deny()) }).collect();
        RuleSet::build(vec![policy("p", rules)])
    };
    let failures = patterns(200, &|i| format!("[a-z]{{{},}}[b-y]", i + 1)).expect_err("is refused");
    assert!(failures[0].path.starts_with("rules["), "{}", failures[0]);
    assert!(failures[0].why.contains("longer literal"), "{}", failures[0]);
    // One literal in a prompt would start all of these at once.
    patterns(900, &|i| format!("token{{1}}[a-z]{{0,900}}{i}")).expect_err("is refused");
    patterns(500, &|i| format!("key{i}-[a-z0-9]{{20}}")).unwrap();
}

#[test]
fn the_revision_depends_on_content_and_not_on_order() {
    let one = || policy("one", vec![when(words(&["x"]), deny())]);
    let two = || policy("two", vec![when(words(&["y"]), deny())]);
    let revision = |policies: Vec<Policy>| RuleSet::build(policies).unwrap().revision();
    assert_eq!(revision(vec![one(), two()]), revision(vec![two(), one()]));
    let mut seen = std::collections::BTreeSet::from([revision(vec![one(), two()])]);
    let changes: Vec<Policy> = vec![
        Policy { mode: Mode::Audit, ..one() },
        Policy { retention: Some(Retention::Full), ..one() },
        Policy { carry: Duration::from_secs(1), ..one() },
        Policy { routes: vec!["POST /x".to_owned()], ..one() },
        Policy { fallbacks: Fallbacks { on_error: Failure::Allow, on_audit_unavailable: Failure::Deny }, ..one() },
        policy("one", vec![when(words(&["x", "y"]), deny())]),
        policy("one", vec![when(regex("xyz"), deny())]),
        policy("one", vec![when(words(&["x"]), hold("a"))]),
        policy("one", vec![when(Matcher::Any(vec![words(&["x"])]), deny())]),
        policy("one", vec![Rule { roles: RoleSet::of(&[Role::User]), ..when(words(&["x"]), deny()) }]),
        policy("one", vec![Rule { on_error: Failure::Allow, ..when(words(&["x"]), deny()) }]),
        one(),
    ];
    for changed in changes {
        assert!(seen.insert(revision(vec![changed])));
    }
    let twice = RuleSet::build(vec![one(), one()]).expect_err("is refused");
    assert!(twice[0].why.contains("two policies"));
}

#[test]
fn the_least_retention_of_all_policies_wins() {
    let with = |name: &str, retention| Policy { retention, ..policy(name, Vec::new()) };
    let kept = |policies: Vec<Policy>| World::default().judge(&RuleSet::build(policies).unwrap(), user("x")).retention;
    assert_eq!(kept(vec![with("a", None)]), Retention::Digest);
    assert_eq!(kept(vec![with("a", Some(Retention::Full)), with("b", None)]), Retention::Full);
    assert_eq!(kept(vec![with("a", Some(Retention::Full)), with("b", Some(Retention::Masked))]), Retention::Masked);
}

#[test]
fn all_detectors_together_stay_within_the_budget() {
    let rules = vec![when(Matcher::Any(crate::detect::names().map(detector).collect()), deny())];
    RuleSet::build(vec![policy("p", rules)]).unwrap();
}
