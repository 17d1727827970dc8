//! The room's promises by example: each matcher, each action, and how verdicts combine.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::*;
use crate::query::{Builder, GapKind, Operation, Origin, PartKind, Place, Query, Role, RoleSet, Span};
use crate::wire::{Format, Server};

/// A chat query of these messages, put together by hand: the body holds the texts one after another.
fn chat(messages: &[(Role, &str)]) -> Query {
    let texts: Vec<&str> = messages.iter().map(|(_, text)| *text).collect();
    let body = format!("{}\n", texts.join("\n"));
    let mut builder = Builder::new(Bytes::from(body), Operation::Chat);
    let mut at = 0;
    for (index, (role, text)) in messages.iter().enumerate() {
        let list = builder.field(Place::ROOT, "messages");
        let message = builder.index(list, index);
        let place = builder.field(message, "content");
        let span = Span::new(at, at + text.len());
        builder.part(place, *role, PartKind::Text, crate::query::Piece::Body(span), Origin::Body(span));
        at += text.len() + 1;
    }
    let query = builder.query();
    query.model = Some("llama3".to_owned());
    query.tools = vec!["search".to_owned()];
    builder.finish()
}

fn user(text: &str) -> Query {
    chat(&[(Role::User, text)])
}

fn policy(name: &str, rules: Vec<Rule>) -> Policy {
    Policy {
        name: PolicyRef { namespace: Some("models".to_owned()), name: name.to_owned() },
        mode: Mode::Enforce,
        fallbacks: Fallbacks { on_error: Failure::Deny, on_audit_unavailable: Failure::Deny },
        retention: None,
        carry: Duration::ZERO,
        routes: Vec::new(),
        coverage: Vec::new(),
        rules,
    }
}

fn when(matcher: Matcher, action: Action) -> Rule {
    Rule {
        name: format!("{:?}", opinion::verdict_of(&action)).to_lowercase(),
        subject: Subject::Query,
        roles: RoleSet::ALL,
        matcher,
        action,
        on_error: Failure::Deny,
    }
}

fn deny() -> Action {
    Action::Deny { message: Some("not this".to_owned()) }
}

fn hold(chain: &str) -> Action {
    Action::Hold { chain: PolicyRef { namespace: Some("models".to_owned()), name: chain.to_owned() } }
}

fn words(words: &[&str]) -> Matcher {
    let any = words.iter().map(|w| (*w).to_owned()).collect();
    Matcher::Text(TextMatch::Keywords { any, whole_words: true })
}

fn regex(source: &str) -> Matcher {
    Matcher::Text(TextMatch::Regex(source.to_owned()))
}

fn set(rules: Vec<Rule>) -> RuleSet {
    RuleSet::build(vec![policy("p", rules)]).unwrap()
}

struct World {
    caller: Caller,
    workload: Workload,
    rates: Rates,
    posture: Posture,
    now: Timestamp,
}

impl Default for World {
    fn default() -> Self {
        Self {
            caller: Caller {
                user: Some("ada".to_owned()),
                groups: vec!["research".to_owned()],
                rate_key: "ada".to_owned(),
            },
            workload: Workload { namespace: "models".to_owned(), name: "llama".to_owned(), labels: [("app".to_owned(), "llama".to_owned())].into() },
            rates: Rates::default(),
            posture: Posture::Enforce,
            now: "2026-11-23T10:00:00Z".parse().unwrap(),
        }
    }
}

impl World {
    fn judge(&self, set: &RuleSet, query: Query) -> Judgement {
        let context = Context {
            format: Format::OpenaiChat,
            server: Server::Vllm,
            method: "POST",
            path: "/v1/chat/completions",
            caller: &self.caller,
            workload: &self.workload,
            posture: self.posture,
            now: self.now,
            rates: &self.rates,
        };
        judge(set, query, &context)
    }
}

#[track_caller]
fn check(matcher: Matcher, text: &str, expected: Verdict) {
    let judgement = World::default().judge(&set(vec![when(matcher, deny())]), user(text));
    assert_eq!(judgement.verdict, expected, "{text:?}: {:?}", judgement.findings);
}

const YES: Verdict = Verdict::Deny;
const NO: Verdict = Verdict::Allow;

#[test]
fn keywords_match_whole_words_whatever_their_case_width_and_spacing() {
    for (word, text, expected) in [
        ("secret", "this is Secret.", YES),
        ("secret", "secrets", NO),
        ("secret", "top_secret", NO),
        ("secret", "ｓｅｃｒｅｔ", YES),
        ("secret", "s\u{200b}ecret", YES),
        ("secret", "\u{200b}secret\u{200b}!", YES),
        ("sécret", "SECRET", YES),
        ("top secret", "top  \n\t secret", YES),
        ("top secret", "top\u{a0}secret", YES),
        ("top  secret", "this is top secret", YES),
        ("top secret", "topsecret", NO),
        ("机密", "这是机密文件", YES),
        ("C++", "I write c++ code", YES),
        ("secret", "c2VjcmV0IGlzIG91dCBub3cgZXZlcnlvbmU=", YES),
    ] {
        check(words(&[word]), text, expected);
    }
}

#[test]
fn keywords_may_be_part_of_a_word_when_asked() {
    let inside = || Matcher::Text(TextMatch::Keywords { any: vec!["cret".to_owned()], whole_words: false });
    check(inside(), "secrets", YES);
    check(inside(), "sec rets", NO);
}

#[test]
fn patterns_match_as_written_and_folded() {
    for (pattern, text, expected) in [
        ("AKIA[0-9A-Z]{16}", "key AKIAABCDEFGHIJKLMNOP end", YES),
        ("AKIA[0-9A-Z]{16}", "key akiaABCDEFGHIJKLMNOP end", NO),
        ("AKIA[0-9A-Z]{16}", "key ＡKIAABCDEFGHIJKLMNOP end", YES),
        (r"\b\d{3}-\d{2}-\d{4}\b", "ssn 078-05-1120.", YES),
        (r"\b\d{3}-\d{2}-\d{4}\b", "ssn 1078-05-1120.", NO),
        (r"a\s+b", "a \n b", YES),
        (r"^hello$", "hello", YES),
        (r"^hello$", "hello you", NO),
        (r"(?i)straße", "STRAßE", YES),
        (r"[a-z]+ly\b", "quickly", YES),
        (r"\w+", "…", NO),
        (r"x\d*y\d*z", "xyz", YES),
    ] {
        check(regex(pattern), text, expected);
    }
}

#[test]
fn a_word_split_over_two_parts_is_found() {
    let split = |first: &str, second: &str, matcher: Matcher| {
        let query = chat(&[(Role::User, first), (Role::User, second)]);
        World::default().judge(&set(vec![when(matcher, deny())]), query)
    };
    for (first, second) in [("say pass", "word now"), ("say pass  ", "word now"), ("say pass\u{200b}", "word")] {
        let phrase = if first.contains("  ") { words(&["pass word"]) } else { words(&["password"]) };
        let judgement = split(first, second, phrase);
        assert_eq!(judgement.verdict, YES, "{first:?} {second:?}");
        assert_eq!(judgement.findings[0].at.len(), 2);
        assert_eq!(judgement.findings[0].place, "messages[0].content to messages[1].content");
    }
    assert_eq!(split("a 078-05", "-1120 b", regex(r"\b\d{3}-\d{2}-\d{4}\b")).verdict, YES);
    assert_eq!(split("a key AKIAABCDEFGH", "IJKLMNOP", regex("AKIA[0-9A-Z]{16}")).verdict, YES);
    assert_eq!(split("no pass", "es word", words(&["password"])).verdict, NO);
    let letters: Vec<_> = "password".chars().map(String::from).collect();
    let messages: Vec<_> = letters.iter().map(|c| (Role::User, c.as_str())).collect();
    let judgement = World::default().judge(&set(vec![when(words(&["password"]), deny())]), chat(&messages));
    assert_eq!(judgement.findings[0].at.len(), 8);
}

#[test]
fn plain_matchers_look_at_the_query_not_its_text() {
    let any = || vec![words(&["hello"]), words(&["you"])];
    for (matcher, expected) in [
        (Matcher::TextBytesOver(4), YES),
        (Matcher::TextBytesOver(9), NO),
        (Matcher::TokensOver(2), YES),
        (Matcher::TokensOver(3), NO),
        (Matcher::Operations(vec![Operation::Chat]), YES),
        (Matcher::Operations(vec![Operation::Embedding]), NO),
        (Matcher::Routes(vec!["/v1/chat/*".to_owned()]), YES),
        (Matcher::Routes(vec!["/v1/chat".to_owned()]), NO),
        (Matcher::Models(vec!["LLAMA*".to_owned()]), YES),
        (Matcher::Models(vec!["llama".to_owned()]), NO),
        (Matcher::Any(any()), YES),
        (Matcher::All(any()), NO),
        (Matcher::None(any()), NO),
        (Matcher::None(vec![words(&["you"])]), YES),
        (Matcher::None(vec![]), YES),
        (Matcher::Any(vec![]), NO),
    ] {
        let shown = format!("{matcher:?}");
        let judgement = World::default().judge(&set(vec![when(matcher, deny())]), user("hello all"));
        assert_eq!(judgement.verdict, expected, "{shown}");
    }
}

#[test]
fn a_rule_scoped_to_roles_counts_only_what_lies_wholly_in_them() {
    let mut rule = when(words(&["password"]), deny());
    rule.roles = RoleSet::of(&[Role::User]);
    let set = set(vec![rule]);
    let judge = |messages: &[(Role, &str)]| World::default().judge(&set, chat(messages)).verdict;
    assert_eq!(judge(&[(Role::System, "password")]), NO);
    assert_eq!(judge(&[(Role::User, "password")]), YES);
    assert_eq!(judge(&[(Role::System, "pass"), (Role::User, "word")]), NO);
    assert_eq!(judge(&[(Role::User, "pass"), (Role::User, "word")]), YES);
}

fn cel(source: &str) -> Matcher {
    Matcher::Cel(CelExpr(source.to_owned()))
}

#[test]
fn cel_sees_query_caller_workload_and_time() {
    for (source, expected) in [
        ("'research' in caller.groups", YES),
        ("!('research' in caller.groups)", NO),
        ("caller.user == 'ada' && caller.authenticated", YES),
        ("query.model.startsWith('llama') && query.operation == 'chat'", YES),
        ("query.tools.exists(t, t == 'search')", YES),
        ("query.tools.filter(t, t != 'x').map(t, t + '!').exists(t, t == 'search!')", YES),
        ("query.tokensEstimate > 100", NO),
        ("query.textBytes == 5 && query.choices == 1 && query.tokensMax == 0", YES),
        ("workload.labels['app'] == 'llama' && workload.name == 'llama'", YES),
        ("now.getHours() == 10 && now > timestamp('2026-01-01T00:00:00Z')", YES),
        ("query.route.matches('^/v1/')", YES),
        ("query.model.matches(r'^gpt-\\d$')", NO),
        ("'User' in query.roles && !query.stream", YES),
        ("has(query.model)", YES),
    ] {
        check(cel(source), "hello", expected);
    }
}

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
            assert!(denial.message.starts_with("`prompt` holds token ids, which cannot be judged"), "{}", denial.message);
        }
    }
}

#[test]
fn encoded_text_beyond_the_limit_is_a_gap() {
    let run = format!("{} ", "c2VjcmV0IGlzIG91dCBub3cgZXZlcnlvbmU=").repeat(300);
    let judgement = World::default().judge(&set(vec![when(words(&["other"]), deny())]), user(&run));
    assert!(matches!(&judgement.ruling, Ruling::Deny(denial) if denial.code == DenialCode::NotCovered), "{judgement:?}");
}

#[test]
fn a_rate_counts_each_query_once_per_caller_and_frees_up_with_time() {
    let rate = Rate { unit: RateUnit::Queries, count_max: 2, window: Duration::from_mins(1) };
    let set = set(vec![when(Matcher::All(vec![words(&["hello"]), Matcher::RateOver(rate)]), deny())]);
    let mut world = World::default();
    let ask = |world: &World, text: &str| world.judge(&set, user(text)).verdict;
    assert_eq!(ask(&world, "hello"), NO);
    assert_eq!(ask(&world, "unrelated"), NO);
    assert_eq!(ask(&world, "hello"), NO);
    assert_eq!(ask(&world, "hello"), YES);
    assert_eq!(ask(&world, "unrelated"), NO);
    world.caller.rate_key = "bob".to_owned();
    assert_eq!(ask(&world, "hello"), NO);
    world.caller.rate_key = "ada".to_owned();
    world.now = world.now.checked_add(jiff::SignedDuration::from_mins(1)).unwrap();
    assert_eq!(ask(&world, "hello"), YES, "the window before still counts in full");
    world.now = world.now.checked_add(jiff::SignedDuration::from_secs(31)).unwrap();
    assert_eq!(ask(&world, "hello"), NO, "half of it has passed");
    let tokens = Rate { unit: RateUnit::Tokens, count_max: 3, window: Duration::from_mins(1) };
    let set = super::tests::set(vec![when(Matcher::RateOver(tokens), deny())]);
    assert_eq!(world.judge(&set, user("hello")).verdict, NO);
    assert_eq!(world.judge(&set, user("hello")).verdict, YES);
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
    assert!(matches!(&second.reason, Reason::Matched(findings) if findings[0].place == "messages[0].content"));
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

/// A chat query as a client writes it.
fn posted(body: &str) -> Query {
    crate::wire::decode(Format::OpenaiChat, Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn said(text: &str) -> Query {
    posted(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":{}}}]}}"#, serde_json::json!(text)))
}

fn detector(name: &str) -> Matcher {
    Matcher::Text(TextMatch::Detector(crate::detect::by_name(name).unwrap()))
}

#[track_caller]
fn redacts(rules: Vec<Rule>, text: &str, expected: &str) {
    let judgement = World::default().judge(&set(rules), said(text));
    assert_eq!(judgement.verdict, Verdict::Redact, "{text}: {judgement:?}");
    let Ruling::Clear(clearance) = judgement.ruling else { panic!("passes") };
    assert_eq!(clearance.basis(), Basis::Redacted);
    assert_eq!(clearance.digest(), crate::base::Digest::of(clearance.body()));
    let expected = format!(r#"{{"model":"m","messages":[{{"role":"user","content":{}}}]}}"#, serde_json::json!(expected));
    assert_eq!(std::str::from_utf8(clearance.body()).unwrap(), expected);
}

#[test]
fn a_redaction_changes_what_matched_and_nothing_else() {
    let email = || when(detector("email"), Action::Redact);
    let word = || when(words(&["project x"]), Action::Redact);
    redacts(vec![email()], "a@b.example.com, c@d.example.com, a@b.example.com", "[EMAIL_1], [EMAIL_2], [EMAIL_1]");
    redacts(vec![word()], "about Project\n X!", "about [REDACTED_1]!");
    redacts(vec![word(), email()], "project x: a@b.example.com", "[REDACTED_1]: [EMAIL_1]");
    redacts(vec![when(words(&["ab cd"]), Action::Redact), when(words(&["cd ef"]), Action::Redact)], "ab cd ef", "[REDACTED_1]");
    redacts(vec![word()], "\u{201c}ｐroject\u{200b} x\u{201d} é", "\u{201c}[REDACTED_1]\u{201d} é");
    redacts(vec![when(regex(r"\bsk-[a-z]+"), Action::Redact)], "sk-abc \"q\" sk-abc", "[REDACTED_1] \"q\" [REDACTED_1]");
}

#[test]
fn a_redaction_that_is_not_possible_refuses() {
    let number = posted(r#"{"model":"m","seed":4111,"messages":[{"role":"user","content":"hi"}]}"#);
    let rules = vec![when(regex("411[0-9]"), Action::Redact)];
    let judgement = World::default().judge(&set(rules), number);
    let Ruling::Deny(denial) = judgement.ruling else { panic!("is refused") };
    assert_eq!(denial.code, DenialCode::RedactionFailed);
    assert!(denial.message.starts_with("`seed` "), "{}", denial.message);
    // The mark itself matches what must be redacted.
    let marks = Matcher::Text(TextMatch::Keywords { any: vec!["red".to_owned()], whole_words: false });
    let judgement = World::default().judge(&set(vec![when(marks, Action::Redact)]), said("red"));
    assert!(matches!(judgement.ruling, Ruling::Deny(denial) if denial.code == DenialCode::RedactionFailed));
    // Nothing to redact.
    let judgement = World::default().judge(&set(vec![when(Matcher::TextBytesOver(1), Action::Redact)]), said("red"));
    assert!(matches!(judgement.ruling, Ruling::Deny(denial) if denial.code == DenialCode::RedactionFailed));
}

#[test]
fn what_is_held_is_redacted_and_a_rate_counts_it_once() {
    let rate = Rate { unit: RateUnit::Queries, count_max: 1, window: Duration::from_mins(1) };
    let rules = vec![
        when(detector("email"), Action::Redact),
        when(words(&["contract"]), hold("legal")),
        when(Matcher::RateOver(rate), deny()),
    ];
    let judgement = World::default().judge(&set(rules), said("contract for a@b.example.com"));
    let Ruling::Hold(held) = judgement.ruling else { panic!("is held") };
    assert!(std::str::from_utf8(held.body()).unwrap().contains("contract for [EMAIL_1]"));
    assert!(std::str::from_utf8(held.query().body()).unwrap().contains("a@b.example.com"));
}

#[test]
fn a_policy_in_audit_mode_never_changes_bytes() {
    let audit = Policy { mode: Mode::Audit, ..policy("p", vec![when(detector("email"), Action::Redact)]) };
    let query = said("a@b.example.com");
    let body = query.body().clone();
    let judgement = World::default().judge(&RuleSet::build(vec![audit]).unwrap(), query);
    assert_eq!(judgement.verdict_if_enforced, Verdict::Redact);
    assert!(matches!(judgement.ruling, Ruling::Clear(clearance) if *clearance.body() == body));
}

#[test]
fn masked_text_holds_nothing_a_rule_looks_for() {
    let set = set(vec![when(detector("email"), Action::Allow), when(words(&["secret"]), deny())]);
    let text = masked(&set, &said("the secret of a@b.example.com and b"));
    assert!(text.contains("messages[0].content: the [REDACTED_1] of [EMAIL_1] and b\n"), "{text}");
}

#[test]
fn a_model_is_matched_in_the_form_its_server_gives_it() {
    let set = set(vec![when(Matcher::Models(vec!["llama3:latest".to_owned()]), deny())]);
    let world = World::default();
    let judge_on = |server: Server, model: &str| {
        let mut query = Builder::new(Bytes::from_static(b"{}"), Operation::Chat);
        query.query().model = Some(model.to_owned());
        let context = Context {
            format: Format::OllamaChat,
            server,
            method: "POST",
            path: "/api/chat",
            caller: &world.caller,
            workload: &world.workload,
            posture: Posture::Enforce,
            now: world.now,
            rates: &world.rates,
        };
        judge(&set, query.finish(), &context).verdict
    };
    assert_eq!(judge_on(Server::Ollama, "registry.ollama.ai/library/Llama3"), YES);
    assert_eq!(judge_on(Server::Ollama, "llama3:8b"), NO);
    assert_eq!(judge_on(Server::Vllm, "llama3"), NO);
}

#[test]
fn all_detectors_together_stay_within_the_budget() {
    let rules = vec![when(Matcher::Any(crate::detect::names().map(detector).collect()), deny())];
    RuleSet::build(vec![policy("p", rules)]).unwrap();
}

#[test]
fn of_matches_that_overlap_across_seams_each_counts_for_its_roles() {
    let mut rule = when(regex("[abc]{2}"), deny());
    rule.roles = RoleSet::of(&[Role::User]);
    let query = chat(&[(Role::System, "a"), (Role::User, "b"), (Role::User, "c")]);
    assert_eq!(World::default().judge(&set(vec![rule]), query).verdict, YES);
}

#[test]
fn a_caller_for_whom_there_is_no_room_counts_as_over_the_rate() {
    let rates = Rates::default();
    let rate = Rate { unit: RateUnit::Queries, count_max: 5, window: Duration::from_secs(1) };
    let rule = crate::base::Digest::of(b"rule");
    let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
    let count = |caller: usize, now| rates.count(rule, &format!("caller {caller}"), &rate, 1, now);
    let over = (0..110_000).filter(|caller| count(*caller, now) == rates::Reading::Over).count();
    assert!((9_000..=11_000).contains(&over), "{over}");
    assert_eq!(count(0, now), rates::Reading::Within, "who is known goes on");
    let later = now.checked_add(jiff::SignedDuration::from_secs(3)).unwrap();
    assert_eq!(count(200_000, later), rates::Reading::Within, "stale counters make room");
}

proptest::proptest! {
    #[test]
    fn whatever_the_texts_findings_lie_on_characters(texts in proptest::collection::vec("(?s).{0,40}|[a\u{430} \u{200b}@.1-]{0,60}", 1..5)) {
        let inside = Matcher::Text(TextMatch::Keywords { any: vec!["a".to_owned(), "a 1".to_owned()], whole_words: false });
        let rules = vec![when(Matcher::Any(vec![inside, regex("[a1]{2}"), regex(r"\S@\S"), detector("email")]), Action::Allow)];
        let messages: Vec<_> = texts.iter().map(|text| (Role::User, text.as_str())).collect();
        let query = chat(&messages);
        let judgement = World::default().judge(&set(rules), query);
        let query = judgement.query.unwrap();
        for (part, range) in judgement.findings.iter().flat_map(|finding| &finding.at) {
            let text = query.text(query.part(*part).unwrap());
            proptest::prop_assert!(text.get(range.clone()).is_some_and(|found| !found.is_empty()));
        }
    }
}
