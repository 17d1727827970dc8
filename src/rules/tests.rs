//! The room's promises by example: each matcher, each action, and how verdicts combine.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::*;
use crate::query::{Builder, GapKind, Operation, Origin, PartKind, Place, Query, Role, RoleSet, Span};
use crate::wire::{Format, Server};

/// A chat query of these messages, put together by hand: the body holds the texts one after another.
fn chat(messages: &[(Role, &str)]) -> Query {
    let body: String = messages.iter().map(|(_, text)| format!("{text}\n")).collect();
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
