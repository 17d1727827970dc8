//! The room's promises by example: each matcher, each action, and how verdicts combine.

mod building;
mod carrying;
mod excepting;
mod matching;
mod redacting;
mod verdicts;

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::*;
use crate::query::{Builder, GapKind, Operation, Origin, PartKind, Place, Query, Role, RoleSet, Span};
use crate::wire::{self, Format, Server};

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

pub(super) fn user(text: &str) -> Query {
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
            workload: Workload {
                namespace: "models".to_owned(),
                name: "llama".to_owned(),
                labels: [("app".to_owned(), "llama".to_owned())].into(),
            },
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

fn cel(source: &str) -> Matcher {
    Matcher::Cel(CelExpr(source.to_owned()))
}

fn detector(name: &str) -> Matcher {
    Matcher::Text(TextMatch::Detector(crate::detect::by_name(name).unwrap()))
}
