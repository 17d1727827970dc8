//! The engine and a naive evaluator agree on every rule set and every query, and the engine's promises hold for all.

#[path = "support/naive.rs"]
mod naive;
#[path = "support/naive_carry.rs"]
mod naive_carry;

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use countersign::query::{Query, Role, RoleSet};
use countersign::rules::{
    self, Action, Caller, CelExpr, Context, DenialCode, Exception, Failure, Fallbacks, Judgement, Matcher, Mode,
    Policy, PolicyRef, Posture, Rates, Rule, RuleSet, Ruling, Subject, TextMatch, Verdict, Workload,
};
use countersign::wire::{self, Format, Server};
use jiff::{Timestamp, ToSpan as _};
use naive::Truth;
use proptest::prelude::*;

const WORDS: [&str; 6] = ["password", "top secret", "Geheim", "müller", "access key", "ab"];
const PATTERNS: [&str; 6] = [
    r"AKIA[0-9A-Z]{6}",
    r"(?-u:\b)[0-9]{3}-[0-9]{2}-[0-9]{4}(?-u:\b)",
    r"(?:key|token)[=:][a-z0-9]{4,8}",
    r"[a-z]{3}[0-9]{2}",
    r"x[ab]{1,3}y",
    r"(?:ab){2}",
];
const DETECTORS: [&str; 2] = ["email", "ip-address"];
/// Expressions and what they answer in the context below.
const EXPRESSIONS: [(&str, Truth); 4] = [
    ("'research' in caller.groups", Truth::Yes),
    ("query.stream", Truth::No),
    ("workload.labels['absent'] == 'x'", Truth::Error),
    ("query.operation == 'chat'", Truth::Yes),
];
const ERROR: &str = EXPRESSIONS[2].0;
const FRAGMENTS: [&str; 32] = [
    "pass",
    "word",
    "password",
    " ",
    "  \n",
    "top",
    "secret",
    "TOP",
    "geheim",
    "müller",
    "MÜLLER",
    "mu\u{308}ller",
    "\u{200b}",
    "ｐass",
    "p\u{430}ss",
    "access",
    "key",
    "key=",
    "abcd1",
    "AKIA",
    "A1B2C3",
    "123-45-",
    "6789",
    "_",
    ".",
    "abab",
    "xab",
    "ay",
    "a@b.example.com",
    "10.1.2.3",
    "dG9wIHNlY3JldCBwYXNzd29yZCBpcyBoZXJl",
    "ab",
];

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&FRAGMENTS[..]), 0..7).prop_map(|parts| parts.concat())
}

/// A role and what it says.
type Turn = (&'static str, String);

fn query() -> impl Strategy<Value = Vec<Turn>> {
    prop::collection::vec((prop::sample::select(&["user", "system", "assistant"][..]), text()), 1..5)
}

fn leaf() -> impl Strategy<Value = Matcher> {
    prop_oneof![
        4 => (prop::sample::subsequence(&WORDS[..], 1..3), any::<bool>()).prop_map(|(words, whole_words)| {
            let any = words.into_iter().map(str::to_owned).collect();
            Matcher::Text(TextMatch::Keywords { any, whole_words })
        }),
        3 => prop::sample::select(&PATTERNS[..]).prop_map(|p| Matcher::Text(TextMatch::Regex(p.to_owned()))),
        2 => prop::sample::select(&DETECTORS[..]).prop_map(detector),
        2 => prop::sample::select(&EXPRESSIONS[..]).prop_map(|(source, _)| Matcher::Cel(CelExpr(source.to_owned()))),
        1 => (0u64..60).prop_map(Matcher::TextBytesOver),
    ]
}

fn detector(name: &str) -> Matcher {
    Matcher::Text(TextMatch::Detector(countersign::detect::by_name(name).expect("is in the table")))
}

fn matcher() -> impl Strategy<Value = Matcher> {
    leaf().prop_recursive(3, 8, 3, |inner| {
        let children = prop::collection::vec(inner, 1..4);
        (children, 0..3).prop_map(|(children, join)| match join {
            0 => Matcher::Any(children),
            1 => Matcher::All(children),
            _ => Matcher::None(children),
        })
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    let chain = |name: &str| PolicyRef { namespace: None, name: name.to_owned() };
    let actions = vec![
        Action::Allow,
        Action::Alert { route: None },
        Action::Redact,
        Action::Hold { chain: chain("one") },
        Action::Hold { chain: chain("two") },
        Action::Deny { message: None },
    ];
    let roles = vec![RoleSet::ALL, RoleSet::of(&[Role::User]), RoleSet::of(&[Role::User, Role::Assistant])];
    let failures = vec![Failure::Deny, Failure::Allow];
    (matcher(), prop::sample::select(actions), prop::sample::select(roles), prop::sample::select(failures)).prop_map(
        |(matcher, action, roles, on_error)| Rule {
            name: String::new(),
            subject: Subject::Query,
            roles,
            matcher,
            action,
            on_error,
        },
    )
}

fn policies() -> impl Strategy<Value = Vec<Policy>> {
    let policy = (prop::collection::vec(rule(), 0..4), prop::bool::weighted(0.2));
    prop::collection::vec(policy, 1..4).prop_map(|policies| {
        let numbered = policies.into_iter().enumerate();
        numbered
            .map(|(index, (rules, audit))| policy_of(index, rules, if audit { Mode::Audit } else { Mode::Enforce }))
            .collect()
    })
}

fn policy_of(index: usize, rules: Vec<Rule>, mode: Mode) -> Policy {
    let rules = rules.into_iter().enumerate().map(|(i, rule)| Rule { name: format!("r{i}"), ..rule }).collect();
    Policy {
        name: PolicyRef { namespace: None, name: format!("p{index}") },
        mode,
        fallbacks: Fallbacks { on_error: Failure::Deny, on_audit_unavailable: Failure::Deny },
        retention: None,
        carry: Duration::ZERO,
        routes: Vec::new(),
        coverage: Vec::new(),
        rules,
    }
}

fn decode(messages: &[(&str, String)]) -> Query {
    let messages: Vec<_> =
        messages.iter().map(|(role, text)| serde_json::json!({"role": role, "content": text})).collect();
    let body = serde_json::json!({"model": "m", "messages": messages}).to_string();
    wire::decode(Format::OpenaiChat, Bytes::from(body)).expect("is a chat query")
}

fn caller() -> Caller {
    Caller { user: Some("ada".to_owned()), groups: vec!["research".to_owned()], rate_key: "ada".to_owned() }
}

fn judge(policies: Vec<Policy>, query: Query) -> Judgement {
    judged(&RuleSet::build(policies).expect("is within all limits"), query)
}

fn judge_excepting(policies: &[Policy], exceptions: &[Exception], query: Query) -> Judgement {
    judged(&RuleSet::excepting(policies, exceptions).expect("is within all limits"), query)
}

fn judged(set: &RuleSet, query: Query) -> Judgement {
    let (caller, workload, rates) = (caller(), Workload::default(), Rates::default());
    let context = Context {
        format: Format::OpenaiChat,
        server: Server::Vllm,
        method: "POST",
        path: "/v1/chat/completions",
        caller: &caller,
        workload: &workload,
        posture: Posture::Enforce,
        now: NOW,
        rates: &rates,
    };
    rules::judge(set, query, &context)
}

fn naively(policies: &[Policy], query: &Query) -> naive::Opinion {
    naive::judge(policies, query, ASKED, &answered)
}

/// 2026-11-23T10:00:00Z.
const NOW: Timestamp = Timestamp::constant(1_795_428_000, 0);

const ASKED: naive::Asked<'_> =
    naive::Asked { server: Server::Vllm, path: "/v1/chat/completions", now: NOW, exceptions: &[] };

fn answered(source: &str) -> Truth {
    EXPRESSIONS.iter().find(|(known, _)| *known == source).expect("is in the table").1
}

/// Exceptions from some rules of some policies, and from some that are not there; some have just ended.
fn exceptions() -> impl Strategy<Value = Vec<Exception>> {
    let one = (0..4usize, prop::sample::subsequence(&["r0", "r1", "r2", "r3"][..], 1..4), any::<bool>());
    prop::collection::vec(one, 0..4).prop_map(|all| {
        let numbered = all.into_iter().enumerate();
        numbered.map(|(number, (policy, rules, ended))| exception(number, policy, &rules, ended)).collect()
    })
}

fn exception(number: usize, policy: usize, rules: &[&str], ended: bool) -> Exception {
    Exception {
        name: format!("e{number}"),
        policy: PolicyRef { namespace: None, name: format!("p{policy}") },
        rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
        until: if ended { NOW } else { NOW + 1.nanosecond() },
        reason: "a test".to_owned(),
        approver: "ada".to_owned(),
    }
}

/// Everything that a judgement says of one rule, in order.
fn said_of(judgement: &Judgement, lifted: &BTreeSet<(String, String)>) -> Vec<String> {
    let others = judgement.findings.iter().filter(|f| !lifted.contains(&(f.policy.to_string(), f.rule.to_string())));
    others.map(|finding| format!("{finding:?}")).collect()
}

/// Mostly conditions that a release can be remembered for.
fn bound() -> impl Strategy<Value = Matcher> {
    let texts = || leaf().prop_filter("is a text", |leaf| matches!(leaf, Matcher::Text(_)));
    let beside = prop::sample::select(vec![
        Matcher::Cel(CelExpr(EXPRESSIONS[0].0.to_owned())),
        Matcher::None(vec![Matcher::Text(TextMatch::Regex(PATTERNS[3].to_owned()))]),
    ]);
    prop_oneof![
        4 => texts(),
        1 => (texts(), texts()).prop_map(|(one, other)| Matcher::Any(vec![one, other])),
        1 => (texts(), texts()).prop_map(|(one, other)| Matcher::All(vec![one, other])),
        2 => (texts(), texts(), beside).prop_map(|(one, other, beside)| {
            Matcher::Any(vec![one, Matcher::All(vec![beside, other])])
        }),
    ]
}

/// Policies of which most rules hold, a conversation, and another one made of some of its turns and some new ones.
fn conversations() -> impl Strategy<Value = (Vec<Policy>, Vec<Turn>, Vec<Turn>)> {
    let held = prop::option::weighted(0.8, prop_oneof![4 => bound(), 1 => matcher()]);
    let policies = (policies(), prop::collection::vec(held, 12)).prop_map(|(mut policies, held)| {
        let rules = policies.iter_mut().flat_map(|policy| &mut policy.rules);
        for (rule, matcher) in rules.zip(held) {
            if let Some(matcher) = matcher {
                rule.action = Action::Hold { chain: PolicyRef { namespace: None, name: "one".to_owned() } };
                rule.matcher = matcher;
            }
            // A pattern that reaches further than 128 bytes is not looked for over a seam, whatever it is asked for.
            let mut leaves = Vec::new();
            gather(&mut rule.matcher, &mut leaves);
            for leaf in leaves {
                if matches!(leaf, Matcher::Text(TextMatch::Detector(known)) if known.name == "email") {
                    *leaf = detector("ip-address");
                }
            }
        }
        policies
    });
    let turns = query().prop_flat_map(|first| {
        let again = prop::sample::subsequence(first.clone(), 1..=first.len());
        let new = prop::collection::vec((prop::sample::select(&["user", "assistant"][..]), text()), 0..2);
        let second = (again, new, any::<bool>())
            .prop_map(|(again, new, before)| if before { [new, again].concat() } else { [again, new].concat() });
        (Just(first), second)
    });
    (policies, turns).prop_map(|(policies, (first, second))| (policies, first, second))
}

/// Keeps all patterns compiled while the tests run.
static WARM: LazyLock<RuleSet> = LazyLock::new(|| {
    let patterns = PATTERNS.iter().map(|p| Matcher::Text(TextMatch::Regex((*p).to_owned())));
    let all = patterns.chain(DETECTORS.iter().map(|name| detector(name))).collect();
    let rule = Rule {
        name: String::new(),
        subject: Subject::Query,
        roles: RoleSet::ALL,
        matcher: Matcher::Any(all),
        action: Action::Allow,
        on_error: Failure::Deny,
    };
    RuleSet::build(vec![policy_of(0, vec![rule], Mode::Enforce)]).expect("is within all limits")
});

fn redaction_failed(judgement: &Judgement) -> bool {
    matches!(&judgement.ruling, Ruling::Deny(denial) if denial.code == DenialCode::RedactionFailed)
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn engine_and_naive_evaluator_agree(policies in policies(), messages in query()) {
        LazyLock::force(&WARM);
        let query = decode(&messages);
        let expected = naively(&policies, &query);
        let judgement = judge(policies.clone(), query.clone());
        let matched: BTreeSet<_> =
            judgement.findings.iter().map(|f| (f.policy.to_string(), f.rule.to_string())).collect();
        prop_assert_eq!(&matched, &expected.matched);
        if !redaction_failed(&judgement) {
            prop_assert_eq!(judgement.verdict, expected.verdict);
            prop_assert_eq!(judgement.verdict_if_enforced, expected.verdict_if_enforced);
        }
        match &judgement.ruling {
            Ruling::Clear(clearance) if judgement.verdict == Verdict::Redact => {
                prop_assert_ne!(clearance.body(), query.body());
                let again = wire::decode(Format::OpenaiChat, clearance.body().clone()).expect("still decodes");
                prop_assert!(naively(&policies, &again).verdict < Verdict::Redact);
            }
            Ruling::Clear(clearance) => prop_assert_eq!(clearance.body(), query.body()),
            Ruling::Hold(_) | Ruling::Deny(_) => {}
        }
    }

    #[test]
    fn what_is_carried_was_seen((policies, first, second) in conversations()) {
        LazyLock::force(&WARM);
        let (before, after) = (decode(&first), decode(&second));
        let seen = naive_carry::carries(&policies, &before, &after, ASKED, &answered);
        let refused = naively(&policies, &after).verdict == Verdict::Deny;
        let (one, other) = (judge(policies.clone(), before), judge(policies.clone(), after));
        let (Ruling::Hold(one), Ruling::Hold(other)) = (one.ruling, other.ruling) else { return Ok(()) };
        prop_assert!(!refused, "a denial stays one");
        let keys = |held: &rules::Held| held.causes().texts.iter().map(|cause| cause.key).collect::<BTreeSet<_>>();
        let carried = !other.causes().beyond && keys(&other).is_subset(&keys(&one));
        prop_assert_eq!(carried, seen);
        let sent = wire::decode(Format::OpenaiChat, other.body().clone()).expect("still decodes");
        let again = judge(policies, sent);
        let masks = |finding: &rules::Finding| finding.verdict == Verdict::Redact && !finding.audit_only;
        prop_assert!(!again.findings.iter().any(masks), "a redaction is made each time");
    }

    #[test]
    fn adding_a_rule_never_loosens(policies in policies(), more in rule(), messages in query()) {
        let before = judge(policies.clone(), decode(&messages));
        let mut with = policies;
        with.push(policy_of(9, vec![more], Mode::Enforce));
        prop_assert!(judge(with, decode(&messages)).verdict >= before.verdict);
    }

    #[test]
    fn an_exception_lifts_the_rules_that_it_names_and_nothing_else(
        policies in policies(), exceptions in exceptions(), messages in query()
    ) {
        LazyLock::force(&WARM);
        let query = decode(&messages);
        let expected = naive::judge(&policies, &query, naive::Asked { exceptions: &exceptions, ..ASKED }, &answered);
        let without = judge(policies.clone(), query.clone());
        let with = judge_excepting(&policies, &exceptions, query);
        let name = |one: &rules::Excepted| (one.exception.name.clone(), one.policy.to_string(), one.rule.to_string());
        let lifted: BTreeSet<_> = with.excepted.iter().map(name).collect();
        prop_assert_eq!(&lifted, &expected.lifted);
        let lifted: BTreeSet<_> = lifted.into_iter().map(|(_, policy, rule)| (policy, rule)).collect();
        prop_assert_eq!(said_of(&with, &BTreeSet::new()), said_of(&without, &lifted));
        if !redaction_failed(&without) && !redaction_failed(&with) {
            prop_assert!(with.verdict <= without.verdict && with.verdict_if_enforced <= without.verdict_if_enforced);
        }
        if !redaction_failed(&with) {
            prop_assert_eq!(with.verdict, expected.verdict);
            prop_assert_eq!(with.verdict_if_enforced, expected.verdict_if_enforced);
        }
    }

    #[test]
    fn exceptions_that_have_ended_change_nothing(
        policies in policies(), exceptions in exceptions(), messages in query()
    ) {
        let ended: Vec<_> = exceptions.into_iter().map(|one| Exception { until: NOW, ..one }).collect();
        let (without, with) = (judge(policies.clone(), decode(&messages)), judge_excepting(&policies, &ended, decode(&messages)));
        let said = |judgement: &Judgement| {
            let Judgement { verdict, verdict_if_enforced, findings, alerts, excepted, .. } = judgement;
            let ruling = match &judgement.ruling {
                Ruling::Clear(clearance) => format!("{:?} {:?}", clearance.basis(), clearance.body()),
                Ruling::Hold(held) => format!("{:?} {:?} {:?}", held.body(), held.chains(), held.causes()),
                Ruling::Deny(denial) => format!("{denial:?}"),
            };
            format!("{verdict:?} {verdict_if_enforced:?} {findings:?} {alerts:?} {excepted:?} {ruling}")
        };
        prop_assert_eq!(said(&without), said(&with));
        prop_assert_eq!(without.revision == with.revision, ended.is_empty());
    }

    #[test]
    fn an_injected_error_never_loosens(policies in policies(), at in any::<prop::sample::Index>(), messages in query()) {
        let before = judge(policies.clone(), decode(&messages));
        let mut broken = policies;
        let mut leaves: Vec<&mut Matcher> = Vec::new();
        for policy in &mut broken {
            policy.rules.iter_mut().for_each(|rule| rule.on_error = Failure::Deny);
            policy.rules.iter_mut().for_each(|rule| gather(&mut rule.matcher, &mut leaves));
        }
        let count = leaves.len();
        prop_assume!(count > 0);
        *leaves.swap_remove(at.index(count)) = Matcher::Cel(CelExpr(ERROR.to_owned()));
        prop_assert!(judge(broken, decode(&messages)).verdict >= before.verdict);
    }

    #[test]
    fn the_order_of_policies_does_not_matter(policies in policies(), messages in query()) {
        let mut turned = policies.clone();
        turned.reverse();
        let (one, other) = (judge(policies, decode(&messages)), judge(turned, decode(&messages)));
        prop_assert_eq!(one.revision, other.revision);
        prop_assert_eq!(one.verdict, other.verdict);
        prop_assert_eq!(one.findings.len(), other.findings.len());
    }

    #[test]
    fn audit_mode_never_changes_bytes(policies in policies(), messages in query()) {
        let audit: Vec<_> = policies.into_iter().map(|policy| Policy { mode: Mode::Audit, ..policy }).collect();
        let query = decode(&messages);
        let body = query.body().clone();
        let judgement = judge(audit, query);
        prop_assert_eq!(judgement.verdict, Verdict::Allow);
        prop_assert!(judgement.alerts.is_empty());
        prop_assert!(matches!(&judgement.ruling, Ruling::Clear(clearance) if *clearance.body() == body));
    }
}

fn gather<'m>(matcher: &'m mut Matcher, leaves: &mut Vec<&'m mut Matcher>) {
    match matcher {
        Matcher::Any(children) | Matcher::All(children) | Matcher::None(children) => {
            for child in children {
                gather(child, leaves);
            }
        }
        Matcher::Text(_)
        | Matcher::Cel(_)
        | Matcher::TextBytesOver(_)
        | Matcher::TokensOver(_)
        | Matcher::RateOver(_)
        | Matcher::Operations(_)
        | Matcher::Routes(_)
        | Matcher::Models(_) => leaves.push(matcher),
    }
}
