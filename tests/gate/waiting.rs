//! How clients wait: at once with a place to ask, by slices, as a stream; who may ask, and who counts as gone.

use std::sync::Arc;
use std::time::Duration;

use countersign::approvals::{ClientGone, Phase};
use countersign::base::{Digest, HoldId};
use countersign::sidecar::{ApiKeys, GateSettings};
use countersign::wire::Server;

use super::*;

const BOB: &str = "authorization: Bearer sk-bob\r\n";
const EVE: &str = "authorization: Bearer sk-eve\r\n";
const ASYNC: &str = "prefer: respond-async\r\n";

/// What a model server does, made anew for each query.
type Script = fn() -> Vec<Step>;

/// A gate that knows bob and eve.
fn known(upstream: Upstream) -> Bench {
    known_with(upstream, |_| {})
}

fn known_with(upstream: Upstream, adjust: impl FnOnce(&mut GateSettings)) -> Bench {
    let line = |user: &str| {
        let digest = Digest::of(format!("sk-{user}").as_bytes()).to_string();
        format!("{user}::{}\n", &digest["sha256:".len()..])
    };
    let keys = Arc::new(ApiKeys::parse(&(line("bob") + &line("eve"))).unwrap());
    Bench::with(upstream, |settings| {
        settings.identity.api_keys = Some(keys);
        adjust(settings);
    })
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: gate\r\n{headers}\r\n")
}

fn status_path(id: HoldId) -> String {
    format!("/countersign/v1/approvals/{id}")
}

async fn phase(bench: &Bench, id: HoldId, headers: &str) -> String {
    let response = Raw::ask(bench.address, get(&status_path(id), headers)).await;
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()["status"]["phase"].as_str().unwrap().to_owned()
}

fn named(id: HoldId) -> String {
    format!("countersign-approval-id: {id}\r\n")
}

#[tokio::test(start_paused = true)]
async fn client_that_asks_for_it_gets_202_polls_and_sends_the_body_again() {
    for (who, body) in [(BOB, chat("the contract")), ("", chat("the contract")), (BOB, streamed("the contract"))] {
        let bench = known(Upstream::plain().await);
        let start = tokio::time::Instant::now();
        let accepted = Raw::ask(bench.address, post_with(CHAT, &format!("{who}{ASYNC}"), &body)).await;
        assert_eq!(accepted.status, 202);
        assert!(start.elapsed() < Duration::from_secs(1), "it is answered at once");
        let id = bench.desk.opened().await;
        assert_eq!(accepted.header("preference-applied"), Some("respond-async"));
        assert_eq!(accepted.header("location"), Some(status_path(id).as_str()));
        assert_eq!(accepted.header("link"), Some(format!("<{}>; rel=\"status\"", status_path(id)).as_str()));
        assert_eq!(accepted.header("countersign-approval-id"), Some(id.to_string().as_str()));
        assert_eq!(accepted.header("retry-after"), Some("5"));
        assert_eq!(accepted.json()["metadata"]["name"], id.to_string());
        assert_eq!(accepted.json()["status"]["phase"], "Pending");
        assert_eq!(phase(&bench, id, who).await, "Pending");
        bench.desk.decide(id, Decision::Approve);
        let polled = Raw::ask(bench.address, get(&status_path(id), who)).await;
        assert_eq!((polled.json()["status"]["phase"].as_str(), polled.header("retry-after")), (Some("Approved"), None));
        assert!(bench.upstream.received().is_empty(), "the gate keeps no body");
        let again = Raw::ask(bench.address, post_with(CHAT, &format!("{who}{ASYNC}{}", named(id)), &body)).await;
        assert_eq!(again.status, 200);
        assert_eq!(bench.upstream.received().len(), 1);
        assert_eq!(bench.upstream.received()[0].header("countersign-approval-id"), None);
        assert_eq!(bench.desk.holds().len(), 1);
        assert_eq!(outcomes(&bench), [Outcome::Held, Outcome::Held, Outcome::Released]);
    }
}

#[tokio::test(start_paused = true)]
async fn client_may_say_how_long_it_wants_to_wait_first() {
    let bench = known(Upstream::plain().await);
    let start = tokio::time::Instant::now();
    let prefer = format!("{BOB}prefer: respond-async, wait=7\r\n");
    let request = post_with(CHAT, &prefer, &chat("the contract"));
    let accepted = Raw::ask(bench.address, &request).await;
    assert_eq!((accepted.status, start.elapsed().as_secs()), (202, 7));
    assert_eq!(accepted.header("preference-applied"), Some("respond-async, wait=7"));
    let mut raw = Raw::connect(bench.address).await;
    raw.send(&request).await;
    bench.desk.decide(bench.desk.opened().await, Decision::Approve);
    assert_eq!(raw.response().await.status, 200, "a decision within the wait has its true status");
    let start = tokio::time::Instant::now();
    let request = post_with(CHAT, &format!("{BOB}prefer: wait=20\r\n"), &chat("another contract"));
    let pending = Raw::ask(bench.address, request).await;
    assert_eq!((pending.status, start.elapsed().as_secs()), (409, 20), "without `respond-async` it never gets a 202");
}

#[tokio::test(start_paused = true)]
async fn approval_is_shown_to_who_asked_and_its_path_never_leads_to_the_model() {
    let bench = known(Upstream::plain().await);
    Raw::ask(bench.address, post_with(CHAT, &format!("{BOB}{ASYNC}"), &chat("the contract"))).await;
    let bobs = bench.desk.opened().await;
    let anonymous = Raw::ask(bench.address, post_with(CHAT, ASYNC, &chat("the contract"))).await;
    let anonymous: HoldId = anonymous.header("countersign-approval-id").unwrap().parse().unwrap();
    let other = status_path(HoldId::of(jiff::Timestamp::UNIX_EPOCH, [7; 10]));
    assert_eq!(phase(&bench, anonymous, "").await, "Pending");
    for (line, headers, status, code) in [
        (format!("GET {}", status_path(bobs)), EVE, 404, "approval_unknown"),
        (format!("GET {}", status_path(bobs)), "", 404, "approval_unknown"),
        (format!("GET {}", status_path(anonymous)), EVE, 404, "approval_unknown"),
        (format!("GET {other}"), BOB, 404, "approval_unknown"),
        (format!("GET {}x", status_path(bobs)), BOB, 404, "approval_unknown"),
        (format!("GET {}?a=b", status_path(bobs)), BOB, 400, "parameter_not_allowed"),
        (format!("POST {}", status_path(bobs)), BOB, 405, "method_not_allowed"),
        ("GET /countersign/v1/other".to_owned(), BOB, 404, "route_unknown"),
        ("GET /countersign".to_owned(), BOB, 404, "route_unknown"),
        (format!("GET {}", status_path(bobs)), "authorization: Bearer sk-nobody\r\n", 401, "credential_invalid"),
    ] {
        let response = Raw::ask(bench.address, format!("{line} HTTP/1.1\r\nhost: gate\r\n{headers}\r\n")).await;
        assert_eq!((response.status, response.code().as_str()), (status, code), "{line} {headers}");
    }
    let shown = Raw::ask(bench.address, get(&status_path(bobs), BOB)).await;
    assert!(!shown.text().contains("contract") && !shown.text().contains("alice"), "{}", shown.text());
    assert!(bench.upstream.received().is_empty());

    let observing = Bench::with(Upstream::plain().await, |settings| settings.posture = Posture::Observe);
    for path in ["/countersign/v1/other", other.as_str()] {
        assert_eq!(Raw::ask(observing.address, get(path, "")).await.status, 404);
    }
    assert!(observing.upstream.received().is_empty(), "not under posture observe either");
}

#[tokio::test(start_paused = true)]
async fn asking_for_the_status_may_wait_for_the_decision() {
    let bench = known(Upstream::plain().await);
    Raw::ask(bench.address, post_with(CHAT, &format!("{BOB}{ASYNC}"), &chat("the contract"))).await;
    let id = bench.desk.opened().await;
    let waiting = get(&status_path(id), &format!("{BOB}prefer: wait=600\r\n"));
    let start = tokio::time::Instant::now();
    let pending = Raw::ask(bench.address, &waiting).await;
    assert_eq!((pending.json()["status"]["phase"].as_str(), start.elapsed().as_secs()), (Some("Pending"), 50));
    let (answer, ()) = tokio::join!(Raw::ask(bench.address, &waiting), async {
        tokio::time::sleep(Duration::from_secs(9)).await;
        bench.desk.decide(id, Decision::Deny);
    });
    assert_eq!((answer.json()["status"]["phase"].as_str(), start.elapsed().as_secs()), (Some("Denied"), 59));
}

#[tokio::test(start_paused = true)]
async fn named_approval_answers_for_its_query_only_and_asks_nobody_again() {
    let bench = known(Upstream::plain().await);
    let body = chat("the contract");
    Raw::ask(bench.address, post_with(CHAT, &format!("{BOB}{ASYNC}"), &body)).await;
    let id = bench.desk.opened().await;
    bench.desk.decide(id, Decision::Deny);
    bench.desk.pass(Duration::from_hours(2));
    let other = chat("another contract");
    let unknown = "countersign-approval-id: h-1\r\n".to_owned();
    for (who, header, body, status, code) in [
        (BOB, named(id), &body, 403, "approval_denied"),
        (BOB, named(id), &other, 403, "approval_not_released"),
        (EVE, named(id), &body, 404, "approval_unknown"),
        ("", named(id), &body, 404, "approval_unknown"),
        (BOB, unknown, &body, 404, "approval_unknown"),
        (BOB, named(id) + &named(id), &body, 404, "approval_unknown"),
    ] {
        let response = Raw::ask(bench.address, post_with(CHAT, &format!("{who}{header}"), body)).await;
        assert_eq!((response.status, response.code().as_str()), (status, code), "{who} {header}");
        assert_eq!(response.header("x-should-retry"), Some("false"));
    }
    assert_eq!(bench.desk.holds().len(), 1);
    assert!(bench.upstream.received().is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_clients_that_retry_nothing_else_are_sent_away_with_429() {
    let bench = Bench::start(Upstream::plain().await);
    for (agent, status) in [("curl/8.14.1", 429), ("AsyncOpenAI/Python 3.54.0", 409), ("ollama-python/0.6", 409)] {
        let more = format!("user-agent: {agent}\r\n");
        let response = Raw::ask(bench.address, post_with(CHAT, &more, &chat("the contract"))).await;
        assert_eq!((response.status, response.code().as_str()), (status, "approval_pending"), "{agent}");
        assert_eq!(response.json()["error"]["type"], "approval_pending");
        assert_eq!((response.header("retry-after"), response.header("x-should-retry")), (Some("60"), Some("true")));
        let id: HoldId = response.header("countersign-approval-id").unwrap().parse().unwrap();
        assert_eq!(response.header("link"), Some(format!("<{}>; rel=\"status\"", status_path(id)).as_str()));
    }
}

#[tokio::test(start_paused = true)]
async fn query_that_finds_no_room_is_held_all_the_same_and_its_client_told_to_come_again() {
    for body in [chat("the contract"), streamed("the contract")] {
        let bench = Bench::with(Upstream::plain().await, |settings| settings.hold.bytes_max = 10);
        let start = tokio::time::Instant::now();
        let pending = Raw::ask(bench.address, post(CHAT, &body)).await;
        assert_eq!((pending.status, pending.code().as_str()), (409, "approval_pending"));
        assert!(start.elapsed() < Duration::from_secs(1), "nothing of it waits in memory");
        let id = bench.desk.opened().await;
        assert_eq!(pending.header("countersign-approval-id"), Some(id.to_string().as_str()));
        bench.desk.decide(id, Decision::Approve);
        let released = Raw::ask(bench.address, post_with(CHAT, &named(id), &body)).await;
        assert_eq!((released.status, bench.desk.holds().len()), (200, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_takes_all_the_places_of_those_who_wait() {
    let bench = known_with(Upstream::plain().await, |settings| settings.hold.waiting_max = 4);
    let mut first = Raw::connect(bench.address).await;
    first.send(post_with(CHAT, BOB, &chat("the contract"))).await;
    bench.desk.opened().await;
    let start = tokio::time::Instant::now();
    let second = Raw::ask(bench.address, post_with(CHAT, BOB, &chat("another contract"))).await;
    assert_eq!((second.status, start.elapsed().as_secs()), (409, 0), "a second of the same caller does not wait");
    let start = tokio::time::Instant::now();
    let eves = Raw::ask(bench.address, post_with(CHAT, EVE, &chat("the contract"))).await;
    assert_eq!((eves.status, start.elapsed().as_secs()), (409, 50), "somebody else does");
    assert_eq!(first.response().await.status, 409);
}

/// What becomes of the hold when its client leaves, by what the chain says.
async fn left(on_client_gone: ClientGone, body: &str) -> Phase {
    let bench = known(Upstream::plain().await);
    bench.rulebook.replace(bench::holding(on_client_gone));
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post_with(CHAT, BOB, body)).await;
    bench.desk.opened().await;
    bench.desk.pass(Duration::from_secs(25));
    assert_eq!(bench.desk.holds()[0].phase(), Phase::Pending, "not while it waits");
    drop(raw);
    while outcomes(&bench).len() < 2 {
        tokio::task::yield_now().await;
    }
    bench.desk.pass(Duration::from_secs(30));
    bench.desk.holds()[0].phase()
}

#[tokio::test(start_paused = true)]
async fn hold_whose_client_left_lives_on_or_ends_as_the_chain_says() {
    for body in [chat("the contract"), streamed("the contract")] {
        assert_eq!(left(ClientGone::Detach, &body).await, Phase::Pending);
        assert_eq!(left(ClientGone::Cancel, &body).await, Phase::Cancelled);
    }
}

#[tokio::test(start_paused = true)]
async fn client_between_two_slices_counts_as_waiting_until_it_is_late() {
    for (late, phase) in [(69, Phase::Pending), (71, Phase::Cancelled)] {
        let bench = known(Upstream::plain().await);
        bench.rulebook.replace(bench::holding(ClientGone::Cancel));
        let request = post_with(CHAT, BOB, &chat("the contract"));
        assert_eq!(Raw::ask(bench.address, &request).await.status, 409);
        bench.desk.pass(Duration::from_secs(late));
        assert_eq!(bench.desk.holds()[0].phase(), phase, "after {late} s");
        assert_eq!(Raw::ask(bench.address, &request).await.status, 409);
        let holds = if phase == Phase::Pending { 1 } else { 2 };
        assert_eq!(bench.desk.holds().len(), holds);
    }
}

#[tokio::test(start_paused = true)]
async fn client_that_polls_counts_as_waiting() {
    let bench = known(Upstream::plain().await);
    bench.rulebook.replace(bench::holding(ClientGone::Cancel));
    Raw::ask(bench.address, post_with(CHAT, &format!("{BOB}{ASYNC}"), &chat("the contract"))).await;
    let id = bench.desk.opened().await;
    for _ in 0..6 {
        bench.desk.pass(Duration::from_secs(14));
        assert_eq!(self::phase(&bench, id, BOB).await, "Pending");
    }
    bench.desk.pass(Duration::from_secs(16));
    assert_eq!(self::phase(&bench, id, BOB).await, "Cancelled");
}

#[tokio::test(start_paused = true)]
async fn stream_is_spoken_to_before_its_client_gives_up() {
    let bench = Bench::start(Upstream::plain().await);
    let start = tokio::time::Instant::now();
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post_with(CHAT, "x-stainless-read-timeout: 3\r\n", &streamed("the contract"))).await;
    raw.head().await;
    assert!(start.elapsed() < Duration::from_secs(2), "the head");
    for _ in 0..5 {
        let last = tokio::time::Instant::now();
        raw.chunk().await.unwrap();
        assert!(last.elapsed() < Duration::from_secs(2), "every comment");
    }
}

#[tokio::test(start_paused = true)]
async fn approval_is_used_up_by_an_answer_and_not_by_a_failure() {
    let broken = || vec![stream_head(), chunk("data: 1\n\n"), Step::Close];
    let scripts: [(&str, Script); 4] = [
        ("broken before the head", || vec![Step::Close]),
        ("overloaded", || vec![json("503 Service Unavailable", "{}")]),
        ("slow down", || vec![json("429 Too Many Requests", "{}")]),
        ("broken in the middle", broken),
    ];
    for (what, script) in scripts {
        for body in [chat("the contract"), streamed("the contract")] {
            let first = std::sync::atomic::AtomicBool::new(true);
            let upstream = Upstream::start(move |_: &upstream::Received| {
                let first = first.swap(false, std::sync::atomic::Ordering::SeqCst);
                if first { script() } else { vec![json("200 OK", "{}")] }
            });
            let bench = known(upstream.await);
            let request = post_with(CHAT, BOB, &body);
            let mut raw = Raw::connect(bench.address).await;
            raw.send(&request).await;
            bench.desk.decide(bench.desk.opened().await, Decision::Approve);
            let _ = raw.rest().await;
            bench.ledger.completed(0).await;
            assert_eq!(Raw::ask(bench.address, &request).await.status, 200, "{what}");
            assert_eq!(bench.desk.holds().len(), 1, "{what}: people are not asked again");
            while bench.desk.holds()[0].delivered_at().is_none() {
                tokio::task::yield_now().await;
            }
            assert_eq!(bench.desk.holds()[0].claims().len(), 2);
            let used = Raw::ask(bench.address, post_with(CHAT, &format!("{BOB}{ASYNC}"), &body)).await;
            assert_eq!((used.status, bench.desk.holds().len()), (202, 2), "{what}: a delivered answer is the last");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_connections_never_use_one_approval_at_once() {
    for body in [chat("the contract"), streamed("the contract")] {
        let script = |_: &upstream::Received| vec![Step::Wait, json("200 OK", "{}")];
        let bench = known(Upstream::start(script).await);
        let request = post_with(CHAT, BOB, &body);
        let (mut first, mut second) = (Raw::connect(bench.address).await, Raw::connect(bench.address).await);
        first.send(&request).await;
        let id = bench.desk.opened().await;
        second.send(&request).await;
        while outcomes(&bench).len() < 2 {
            tokio::task::yield_now().await;
        }
        bench.desk.decide(id, Decision::Approve);
        let told = tokio::select! {
            told = first.response() => told,
            told = second.response() => told,
        };
        assert_eq!((told.status, told.code().as_str()), (409, "approval_pending"));
        bench.upstream.go_on();
        bench.ledger.completed(0).await;
        assert_eq!((bench.upstream.received().len(), bench.desk.holds()[0].claims().len()), (1, 1));
    }
}

/// A stream of each format while it waits, and how it ends when people say no.
struct Format {
    server: Server,
    path: &'static str,
    body: &'static str,
    media: &'static str,
    /// What comes at once and every 10 s.
    comment: fn(&str) -> bool,
    /// What comes at the latest every 45 s.
    delta: fn(&str) -> bool,
    /// The word of an approval that was denied, where the format's clients look for it.
    ended: fn(&str) -> String,
}

const EVENTS: &str = "text/event-stream; charset=utf-8";

fn is_comment(chunk: &str) -> bool {
    chunk.starts_with(": waiting for approval h-") && chunk.ends_with("\n\n")
}

fn data(chunk: &str) -> serde_json::Value {
    serde_json::from_str(chunk.split_once("data: ").map_or(chunk, |(_, data)| data).trim()).unwrap()
}

fn code(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

const FORMATS: [Format; 7] = [
    Format {
        server: Server::Openai,
        path: CHAT,
        body: r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"contract"}]}"#,
        media: EVENTS,
        comment: is_comment,
        delta: |chunk| data(chunk)["choices"][0]["delta"] == serde_json::json!({"content": ""}),
        ended: |chunk| code(&data(chunk)["error"]["code"]),
    },
    Format {
        server: Server::Openai,
        path: "/v1/completions",
        body: r#"{"model":"m","stream":true,"prompt":"contract"}"#,
        media: EVENTS,
        comment: is_comment,
        delta: |chunk| data(chunk)["choices"][0]["text"] == "",
        ended: |chunk| code(&data(chunk)["error"]["code"]),
    },
    Format {
        server: Server::Openai,
        path: "/v1/responses",
        body: r#"{"model":"m","stream":true,"store":false,"input":"contract"}"#,
        media: EVENTS,
        comment: is_comment,
        delta: is_comment,
        ended: |chunk| {
            assert!(chunk.starts_with("event: error\n"), "{chunk}");
            assert_eq!(data(chunk)["code"], data(chunk)["error"]["code"]);
            code(&data(chunk)["code"])
        },
    },
    Format {
        server: Server::Openai,
        path: "/v1/messages",
        body: r#"{"model":"m","stream":true,"max_tokens":5,"messages":[{"role":"user","content":"contract"}]}"#,
        media: EVENTS,
        comment: is_comment,
        delta: |chunk| chunk == "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        ended: |chunk| {
            assert!(chunk.starts_with("event: error\n") && data(chunk)["type"] == "error", "{chunk}");
            code(&data(chunk)["error"]["code"])
        },
    },
    Format {
        server: Server::Ollama,
        path: "/api/chat",
        body: r#"{"model":"m","messages":[{"role":"user","content":"contract"}]}"#,
        media: "application/x-ndjson",
        comment: |chunk| data(chunk)["message"]["content"] == "" && data(chunk)["done"] == false,
        delta: |chunk| data(chunk)["message"]["content"] == "",
        ended: |chunk| code(&data(chunk)["code"]),
    },
    Format {
        server: Server::Ollama,
        path: "/api/generate",
        body: r#"{"model":"m","prompt":"contract"}"#,
        media: "application/x-ndjson",
        comment: |chunk| data(chunk)["response"] == "" && data(chunk)["done"] == false,
        delta: |chunk| data(chunk)["response"] == "",
        ended: |chunk| code(&data(chunk)["code"]),
    },
    Format {
        server: Server::Tgi,
        path: "/generate_stream",
        body: r#"{"inputs":"contract"}"#,
        media: EVENTS,
        comment: is_comment,
        delta: is_comment,
        ended: |chunk| code(&data(chunk)["code"]),
    },
];

#[tokio::test(start_paused = true)]
async fn stream_of_every_format_is_kept_alive_and_refused_in_its_own_words() {
    for format in &FORMATS {
        let bench = Bench::with(Upstream::plain().await, |settings| settings.server = format.server);
        let mut raw = Raw::connect(bench.address).await;
        raw.send(post(format.path, format.body)).await;
        let (status, headers) = raw.head().await;
        let media = headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
        assert_eq!((status, media), (200, Some(format.media)), "{}", format.path);
        let chunks = async |raw: &mut Raw, count: usize| {
            let mut chunks = Vec::new();
            for _ in 0..count {
                chunks.push(String::from_utf8(raw.chunk().await.unwrap()).unwrap());
            }
            chunks
        };
        // At 0, 10, 20, 30 and 40 s; then the delta at 45 s.
        let said = chunks(&mut raw, 6).await;
        assert!(said[..5].iter().all(|chunk| (format.comment)(chunk)), "{}: {said:?}", format.path);
        assert!((format.delta)(&said[5]), "{}: {}", format.path, said[5]);
        bench.desk.decide(bench.desk.opened().await, Decision::Deny);
        let last = chunks(&mut raw, 1).await;
        assert_eq!((format.ended)(&last[0]), "approval_denied", "{}: {}", format.path, last[0]);
        assert!(last[0].contains(&bench.desk.opened().await.to_string()), "it names the approval");
        assert_eq!(raw.chunk().await, None, "and the stream ends");
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_sends_every_kind_of_client_away_to_come_again() {
    let bench = known(Upstream::plain().await);
    let later = Raw::ask(bench.address, post_with(CHAT, &format!("{BOB}{ASYNC}"), &chat("the contract"))).await;
    let id: HoldId = later.header("countersign-approval-id").unwrap().parse().unwrap();
    let mut connections = Vec::new();
    let waits = format!("{BOB}prefer: respond-async, wait=40\r\n");
    let polls = get(&status_path(id), &format!("{BOB}prefer: wait=40\r\n"));
    for request in [post_with(CHAT, &waits, &chat("the contract")), polls, post_with(CHAT, BOB, &chat("the contract"))]
    {
        let mut raw = Raw::connect(bench.address).await;
        raw.send(request).await;
        connections.push(raw);
    }
    let mut stream = Raw::connect(bench.address).await;
    stream.send(post_with(CHAT, BOB, &streamed("the contract"))).await;
    stream.head().await;
    bench.stop.notify_one();
    let mut answers = Vec::new();
    for raw in &mut connections {
        answers.push(raw.response().await);
    }
    let codes: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(codes, [202, 200, 409]);
    let mut last = Vec::new();
    while let Some(chunk) = stream.chunk().await {
        last = chunk;
    }
    assert_eq!(code(&data(std::str::from_utf8(&last).unwrap())["error"]["code"]), "approval_pending");
    bench.serving.await.unwrap();
    assert!(bench.desk.holds().iter().all(|hold| hold.phase() == Phase::Pending), "nothing that was accepted is lost");
}
