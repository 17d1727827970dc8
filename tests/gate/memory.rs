//! What a decision is remembered for, over HTTP: conversations that go on, and those that do not.

use super::bench::{self, Bench};
use super::raw::{Raw, Response, post_with};
use super::upstream::{self, Step, Upstream, chunk, stream_head};
use super::{CHAT, Decision, Outcome, outcomes};

use std::sync::Arc;
use std::time::Duration;

use countersign::approvals::{Hold, Lasting};
use countersign::audit::AnswerEnd;
use countersign::base::Digest;
use countersign::sidecar::ApiKeys;
use serde_json::json;

const BOB: &str = "x-api-key: sk-bob\r\n";
const EVE: &str = "x-api-key: sk-eve\r\n";

/// A gate that knows bob and eve, whose releases carry for eight hours.
async fn bench() -> Bench {
    bench_before(Upstream::plain().await)
}

fn bench_before(upstream: Upstream) -> Bench {
    let line = |user: &str| format!("{user}::{}", &Digest::of(format!("sk-{user}").as_bytes()).to_string()[7..]);
    let keys = Arc::new(ApiKeys::parse(&[line("bob"), line("eve")].join("\n")).unwrap());
    let bench = Bench::with(upstream, |settings| settings.identity.api_keys = Some(keys));
    bench.rulebook.replace(bench::carrying(Duration::from_hours(8)));
    bench
}

type Turn = (&'static str, String);

fn body(turns: &[Turn]) -> String {
    let messages: Vec<_> = turns.iter().map(|(role, text)| json!({"role": role, "content": text})).collect();
    json!({"model": "m", "messages": messages}).to_string()
}

/// Twenty turns, of which the third speaks of a contract.
fn conversation() -> Vec<Turn> {
    (1..=20)
        .map(|n| match n {
            3 => ("user", "the contract with Acme".to_owned()),
            n if n % 2 == 1 => ("user", format!("question {n}")),
            n => ("assistant", format!("answer {n}")),
        })
        .collect()
}

async fn ask(bench: &Bench, who: &str, turns: &[Turn]) -> Response {
    Raw::ask(bench.address, post_with(CHAT, who, &body(turns))).await
}

/// Asks, and lets people approve.
async fn approved(bench: &Bench, who: &str, turns: &[Turn]) -> Response {
    let known: Vec<_> = bench.desk.holds().iter().map(Hold::id).collect();
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post_with(CHAT, who, &body(turns))).await;
    let id = bench.desk.opened_besides(&known).await;
    bench.desk.decide(id, Decision::Approve);
    raw.response().await
}

#[tokio::test(start_paused = true)]
async fn twenty_turns_whose_third_was_approved_once_go_on_without_a_new_hold() {
    let bench = bench().await;
    let turns = conversation();
    for n in (1..=19).step_by(2) {
        let answer = match n {
            3 => approved(&bench, BOB, &turns[..n]).await,
            n => ask(&bench, BOB, &turns[..n]).await,
        };
        assert_eq!(answer.status, 200, "turn {n}");
    }
    let hold = bench.desk.holds()[0].id();
    assert_eq!(bench.desk.holds().len(), 1, "people were asked once");
    let mut expected = vec![Outcome::Allowed, Outcome::Held, Outcome::Released];
    expected.extend([Outcome::Carried; 8]);
    assert_eq!(outcomes(&bench), expected);
    for judged in bench.ledger.judged().iter().filter(|judged| judged.outcome == Outcome::Carried) {
        assert_eq!((&judged.carried_from, judged.hold), (&vec![hold], None));
        assert!(judged.findings.iter().any(|finding| finding.rule == "ask"), "the match is in the record");
    }
    let last = bench.upstream.received().last().unwrap().body.clone();
    assert_eq!(last, body(&turns[..19]).as_bytes(), "what is carried arrives byte for byte");
}

/// Approves the first three turns for bob, then asks; answers whether people are asked again.
#[track_caller]
fn held_again(answer: &Response) -> bool {
    let held = answer.status == 409;
    assert!(if held { answer.code() == "approval_pending" } else { answer.status == 200 }, "{}", answer.text());
    held
}

#[tokio::test(start_paused = true)]
async fn what_people_did_not_see_is_held_again() {
    let bench = bench().await;
    let turns = conversation();
    assert_eq!(approved(&bench, BOB, &turns[..3]).await.status, 200);
    let changed = |n: usize, turn: Turn| {
        let mut turns = turns[..5].to_vec();
        turns[n] = turn;
        turns
    };
    let straddling =
        [turns[..3].to_vec(), vec![("user", "what does the side".to_owned()), ("user", "letter say".to_owned())]];
    for (what, who, turns, expected) in [
        ("goes on", BOB, turns[..5].to_vec(), false),
        ("another identity", EVE, turns[..5].to_vec(), true),
        ("nobody in particular", "", turns[..5].to_vec(), true),
        ("a character changed", BOB, changed(2, ("user", "the contract with Acme.".to_owned())), true),
        ("moved to another role", BOB, changed(2, ("system", turns[2].1.clone())), true),
        ("a new match", BOB, changed(4, ("user", "which contract".to_owned())), true),
        ("a match over two texts", BOB, straddling.concat(), true),
        ("still goes on", BOB, turns[..7].to_vec(), false),
    ] {
        assert_eq!(held_again(&ask(&bench, who, &turns).await), expected, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_carries_no_longer_than_the_policy_says_and_at_no_time_what_is_refused() {
    let bench = bench().await;
    let mut turns = conversation();
    turns[0].1 = "my nickname is Bo".to_owned();
    assert_eq!(approved(&bench, BOB, &turns[..3]).await.status, 200);
    assert!(!held_again(&ask(&bench, BOB, &turns[..5]).await));
    let sent = String::from_utf8(bench.upstream.received().last().unwrap().body.clone()).unwrap();
    assert!(!sent.contains("nickname") && sent.contains("contract"), "a redaction is made each time: {sent}");

    let mut refused = turns[..5].to_vec();
    refused[4].1 = "a forbidden word".to_owned();
    let answer = ask(&bench, BOB, &refused).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "policy_denied"));

    bench.rulebook.replace(bench::carrying(Duration::ZERO));
    assert!(held_again(&ask(&bench, BOB, &turns[..5]).await), "a policy without a time carries nothing");
    bench.rulebook.replace(bench::carrying(Duration::from_hours(8)));
    assert!(!held_again(&ask(&bench, BOB, &turns[..7]).await));
    bench.desk.pass(Duration::from_hours(8) + Duration::from_secs(1));
    assert!(held_again(&ask(&bench, BOB, &turns[..7]).await), "the time is over");
}

#[tokio::test(start_paused = true)]
async fn a_denied_query_carries_nothing_and_an_unrecorded_one_goes_nowhere() {
    let bench = bench().await;
    let turns = conversation();
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post_with(CHAT, BOB, &body(&turns[..3]))).await;
    bench.desk.decide(bench.desk.opened().await, Decision::Deny);
    assert_eq!(raw.response().await.code(), "approval_denied");
    assert!(held_again(&ask(&bench, BOB, &turns[..5]).await));

    assert_eq!(approved(&bench, EVE, &turns[..3]).await.status, 200);
    let before = bench.upstream.received().len();
    bench.ledger.break_it();
    let answer = ask(&bench, EVE, &turns[..5]).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "audit_unavailable"));
    assert_eq!(bench.upstream.received().len(), before);
}

fn lasting(hours: u64, uses: Option<u32>) -> Lasting {
    Lasting { lasts: Duration::from_hours(hours), uses }
}

/// Bob asks about a contract, and people decide about that one and those like it.
async fn decided(bench: &Bench, who: &str, decision: Decision, lasting: Lasting) -> Response {
    let known: Vec<_> = bench.desk.holds().iter().map(Hold::id).collect();
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post_with(CHAT, who, &body(&[("user", "the contract of May".to_owned())]))).await;
    let id = bench.desk.opened_besides(&known).await;
    bench.desk.decide_for(id, decision, Some(lasting));
    raw.response().await
}

fn alike(text: &str) -> Vec<Turn> {
    vec![("user", text.to_owned())]
}

#[tokio::test(start_paused = true)]
async fn a_grant_lets_alike_queries_go_until_its_uses_are_gone() {
    let bench = bench().await;
    assert_eq!(decided(&bench, BOB, Decision::Approve, lasting(8, Some(2))).await.status, 200);
    let framed = [vec![("system", "be rude".to_owned())], alike("the contract of June")].concat();
    for (what, who, turns, expected) in [
        ("alike", BOB, alike("and the Contract of June?"), false),
        ("another identity", EVE, alike("the contract of June"), true),
        ("other words", BOB, alike("the contract and the side letter"), true),
        ("other instructions", BOB, framed, true),
        ("the second use", BOB, alike("the contract of July"), false),
        ("a third", BOB, alike("the contract of August"), true),
    ] {
        assert_eq!(held_again(&ask(&bench, who, &turns).await), expected, "{what}");
    }
    let used: Vec<_> = bench.ledger.judged().into_iter().filter_map(|judged| judged.grant).collect();
    assert_eq!(used.len(), 2);
    assert!(used.iter().all(|one| one.by == ["alice"] && one.grant == used[0].grant));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_again_takes_its_own_approval_not_a_use_of_the_grant() {
    let bench = bench().await;
    assert!(held_again(&ask(&bench, BOB, &alike("the contract of May")).await));
    bench.desk.decide_for(bench.desk.opened().await, Decision::Approve, Some(lasting(8, Some(1))));
    assert!(!held_again(&ask(&bench, BOB, &alike("the contract of May")).await));
    assert!(!held_again(&ask(&bench, BOB, &alike("the contract of June")).await));
    assert!(held_again(&ask(&bench, BOB, &alike("the contract of July")).await));
}

#[tokio::test(start_paused = true)]
async fn a_grant_ends_with_its_time_and_at_once_when_it_is_revoked() {
    let bench = bench().await;
    decided(&bench, BOB, Decision::Approve, lasting(1, None)).await;
    assert!(!held_again(&ask(&bench, BOB, &alike("the contract of June")).await));
    bench.desk.pass(Duration::from_mins(61));
    assert!(held_again(&ask(&bench, BOB, &alike("the contract of July")).await), "the time is over");
    let bench = self::bench().await;
    decided(&bench, BOB, Decision::Approve, lasting(1, None)).await;
    bench.desk.revoke();
    assert!(held_again(&ask(&bench, BOB, &alike("the contract of July")).await), "revoked");
}

#[tokio::test]
async fn a_revoked_grant_cuts_the_answers_that_run_under_it() {
    let script = |received: &upstream::Received| match String::from_utf8_lossy(&received.body) {
        body if body.contains("stream") => vec![stream_head(), chunk("data: one\n\n"), Step::Wait],
        body if body.contains("slowly") => vec![Step::Wait],
        _ => vec![upstream::json("200 OK", "{}")],
    };
    let bench = bench_before(Upstream::start(script).await);
    decided(&bench, BOB, Decision::Approve, lasting(8, None)).await;
    bench.ledger.completed(0).await;
    let mut stream = Raw::connect(bench.address).await;
    let streamed = body(&alike("the contract of June")).replacen('{', "{\"stream\":true,", 1);
    stream.send(post_with(CHAT, BOB, &streamed)).await;
    assert_eq!(stream.head().await.0, 200);
    assert_eq!(stream.chunk().await.unwrap(), b"data: one\n\n");
    let mut waiting = Raw::connect(bench.address).await;
    waiting.send(post_with(CHAT, BOB, &body(&alike("the contract, slowly")))).await;
    bench.upstream.request(2).await;
    bench.desk.revoke();
    let last = String::from_utf8(stream.chunk().await.unwrap()).unwrap();
    let event: serde_json::Value = serde_json::from_str(last.trim().strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(event["error"]["code"], "approval_revoked");
    assert_eq!(stream.chunk().await, None, "the stream ends");
    let refused = waiting.response().await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "approval_revoked"));
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    for index in [1, 2] {
        assert_eq!(bench.ledger.completed(index).await.end, AnswerEnd::Revoked);
    }
}

#[tokio::test(start_paused = true)]
async fn muted_queries_are_refused_at_once_and_nobody_is_asked() {
    let bench = bench().await;
    for who in [BOB, ""] {
        let denied = decided(&bench, who, Decision::Deny, lasting(1, None)).await;
        assert_eq!(denied.code(), "approval_denied");
    }
    let holds = bench.desk.holds().len();
    let framed = [vec![("system", "be rude".to_owned())], alike("the contract of June")].concat();
    for (who, turns, muted) in [
        (BOB, alike("the contract of June"), true),
        ("", framed.clone(), true),
        (BOB, framed, false),
        (EVE, alike("the contract of June"), false),
    ] {
        let answer = ask(&bench, who, &turns).await;
        let expected = if muted { (403, "approval_muted") } else { (409, "approval_pending") };
        assert_eq!((answer.status, answer.code().as_str()), expected, "{who}");
        if muted {
            assert_eq!(answer.header("x-should-retry"), Some("false"));
            assert!(bench.desk.holds().iter().any(|hold| answer.text().contains(&hold.id().to_string())));
        }
    }
    assert_eq!(bench.desk.holds().len(), holds + 2);
    bench.desk.revoke();
    assert!(held_again(&ask(&bench, BOB, &alike("the contract of July")).await), "people can be asked again");
}
