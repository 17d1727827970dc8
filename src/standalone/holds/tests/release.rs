//! The whole way of a held query: the engine's own `Held` comes out as a release of its bytes, or never does.

use bytes::Bytes;

use super::*;
use crate::approvals::excerpt;
use crate::query::RoleSet;
use crate::rules::{
    Action, Caller, Context, Failure, Fallbacks, Matcher, Mode, Policy, Posture, Rates, Rule, RuleSet, Ruling, Subject,
    TextMatch, Workload, judge,
};
use crate::wire::{Format, Server, decode};

pub(super) const BODY: &[u8] =
    br#"{"model":"m","messages":[{"role":"user","content":"Tell me about nightingale, please"}]}"#;

fn policy(chain: &str) -> Policy {
    let action = Action::Hold { chain: PolicyRef { namespace: None, name: chain.to_owned() } };
    let words = TextMatch::Keywords { any: vec!["nightingale".to_owned()], whole_words: true };
    let rule = Rule {
        name: "ask".to_owned(),
        subject: Subject::Query,
        roles: RoleSet::ALL,
        matcher: Matcher::Text(words),
        action,
        on_error: Failure::Deny,
    };
    Policy {
        name: PolicyRef { namespace: None, name: format!("policy-{chain}") },
        mode: Mode::Enforce,
        fallbacks: Fallbacks { on_error: Failure::Deny, on_audit_unavailable: Failure::Deny },
        retention: None,
        carry: Duration::from_hours(8),
        routes: vec![],
        coverage: vec![],
        rules: vec![rule],
    }
}

/// What the engine holds, and its excerpt.
pub(super) fn held(chains: &[&str], body: &'static [u8]) -> (Held, Content) {
    judged(None, chains, Bytes::from_static(body))
}

/// A chat of one person.
pub(super) fn conversation(texts: &[&str]) -> String {
    let messages: Vec<_> = texts.iter().map(|text| serde_json::json!({"role": "user", "content": text})).collect();
    serde_json::json!({"model": "m", "messages": messages}).to_string()
}

/// What the engine holds of this caller.
pub(super) fn held_for(user: Option<&str>, body: &str) -> Box<Held> {
    Box::new(judged(user, &["legal"], Bytes::from(body.to_owned())).0)
}

fn judged(user: Option<&str>, chains: &[&str], body: Bytes) -> (Held, Content) {
    let set = RuleSet::build(chains.iter().map(|chain| policy(chain)).collect()).unwrap();
    let caller = Caller { user: user.map(str::to_owned), ..Caller::default() };
    let (workload, rates) = (Workload::default(), Rates::default());
    let context = Context {
        format: Format::OpenaiChat,
        server: Server::Openai,
        method: "POST",
        path: "/v1/chat/completions",
        caller: &caller,
        workload: &workload,
        posture: Posture::Enforce,
        now: start(),
        rates: &rates,
    };
    let query = decode(Format::OpenaiChat, body).unwrap();
    let judgement = judge(&set, query, &context);
    match judgement.ruling {
        Ruling::Hold(held) => {
            let excerpt = excerpt(held.query(), &judgement.findings, judgement.retention);
            (*held, excerpt.text)
        }
        other => panic!("{other:?}"),
    }
}

/// Asks about the body, and has it approved.
async fn approved(desk: &Desk) -> (HoldId, Digest) {
    let (held, excerpt) = held(&["legal"], BODY);
    let ask = Ask { digest: held.digest(), excerpt, ..desk.question(Some("rita"), "body") };
    let join = ask.join;
    let id = desk.gate.open(ask).await.unwrap();
    approve(&desk.elsewhere().await, id).await;
    (id, join)
}

#[tokio::test]
async fn an_approved_query_is_released_with_its_own_bytes() {
    let desk = Desk::new().await;
    let (id, join) = approved(&desk).await;
    let release = desk.gate.claim(id, held(&["legal"], BODY).0, join).await.unwrap();
    assert_eq!((release.body().as_ref(), release.hold()), (BODY, id));
    assert_eq!(release.digest(), Digest::of(BODY));
}

#[tokio::test]
async fn other_bytes_another_caller_or_another_chain_are_not_released() {
    let desk = Desk::new().await;
    let (id, join) = approved(&desk).await;
    let other = br#"{"model":"m","messages":[{"role":"user","content":"All about nightingale, please"}]}"#;
    let refused = Some(HoldFailure::NotReleased(id));
    assert_eq!(desk.gate.claim(id, held(&["legal"], other).0, join).await.err(), refused);
    assert_eq!(desk.gate.claim(id, held(&["legal"], BODY).0, Digest::of(b"somebody")).await.err(), refused);
    // The rules have become stricter since people were asked.
    let stricter = held(&["legal", "security"], BODY).0;
    assert_eq!(desk.gate.claim(id, stricter, join).await.err(), refused);
    assert!(desk.gate.claim(id, held(&["legal"], BODY).0, join).await.is_ok());
}

#[tokio::test]
async fn people_see_what_they_are_asked_about() {
    let (_, excerpt) = held(&["legal"], BODY);
    let expected = "messages[0].content (User):\n| Tell me about ⟪nightingale⟫, please\n";
    assert_eq!(excerpt.reveal(), expected);
}
