//! The gate on loopback: framing, encodings, limits, streaming, holds, shutdown. Each test says what the client gets and
//! what reached the model server.

#![expect(unreachable_pub, reason = "the support files are shared between test binaries")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail loudly")]

#[path = "support/bench.rs"]
mod bench;
#[path = "gate/memory.rs"]
mod memory;
#[path = "support/raw.rs"]
mod raw;
#[path = "support/upstream.rs"]
mod upstream;
#[path = "gate/waiting.rs"]
mod waiting;

use bench::Bench;
use countersign::approvals::Decision;
use countersign::audit::{AnswerEnd, Outcome};
use countersign::rules::{Posture, Retention};
use raw::{Raw, Response, post, post_with};
use upstream::{Step, Upstream, chunk, end, json, stream_head};

const CHAT: &str = "/v1/chat/completions";

fn chat(text: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

fn streamed(text: &str) -> String {
    format!(r#"{{"model":"m","stream":true,"messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

fn outcomes(bench: &Bench) -> Vec<Outcome> {
    bench.ledger.judged().iter().map(|judged| judged.outcome).collect()
}

#[tokio::test]
async fn clean_query_arrives_byte_for_byte_and_is_recorded_before_and_after() {
    let bench = Bench::start(Upstream::plain().await);
    let body = r#"{ "messages" : [{"content":"hi \u00e9","role":"user"}],   "model":"m", "temperature":1.50 }"#;
    let response = Raw::ask(bench.address, post(CHAT, body)).await;
    assert_eq!((response.status, response.text()), (200, r#"{"ok":true}"#));
    let received = bench.upstream.request(0).await;
    assert_eq!(received.line(), "POST /v1/chat/completions HTTP/1.1");
    assert_eq!(received.body, body.as_bytes());
    assert_eq!(received.header("host"), Some(bench.upstream.address.to_string().as_str()));
    let completed = bench.ledger.completed(0).await;
    assert_eq!((completed.end, completed.status, completed.answer_bytes), (AnswerEnd::Complete, 200, 11));
    let judged = &bench.ledger.judged()[0];
    assert_eq!(judged.outcome, Outcome::Allowed);
    assert_eq!(response.header("countersign-query-id"), Some(judged.query.to_string().as_str()));
    assert_eq!(judged.body_digest, Some(countersign::base::Digest::of(body.as_bytes())));
}

#[tokio::test]
async fn denied_query_never_leaves_and_says_why_without_the_pattern() {
    let bench = Bench::start(Upstream::plain().await);
    let response = Raw::ask(bench.address, post(CHAT, &chat("a forbidden word"))).await;
    assert_eq!((response.status, response.code().as_str()), (403, "policy_denied"));
    assert_eq!(response.header("x-should-retry"), Some("false"));
    assert_eq!(response.json()["error"]["message"], "Not that word.");
    assert!(bench.upstream.received().is_empty());
    assert_eq!(outcomes(&bench), [Outcome::Denied]);
}

#[tokio::test]
async fn redacted_query_differs_only_inside_the_redaction() {
    let bench = Bench::start(Upstream::plain().await);
    let response = Raw::ask(bench.address, post(CHAT, &chat("my nickname is"))).await;
    assert_eq!(response.status, 200);
    let body = String::from_utf8(bench.upstream.request(0).await.body).unwrap();
    let (before, after) = (r#"{"model":"m","messages":[{"role":"user","content":"my ["#, r#" is"}]}"#);
    assert!(body.starts_with(before) && body.ends_with(after) && !body.contains("nickname"), "{body}");
    let judged = &bench.ledger.judged()[0];
    assert_eq!(judged.outcome, Outcome::Redacted);
    assert!(judged.forwarded_digest.is_some() && judged.forwarded_digest != judged.body_digest);
}

#[tokio::test]
async fn alert_is_raised_and_the_query_passes() {
    let bench = Bench::start(Upstream::plain().await);
    assert_eq!(Raw::ask(bench.address, post(CHAT, &chat("curious"))).await.status, 200);
    assert_eq!(*bench.bell.0.lock().unwrap(), ["tell"]);
}

#[tokio::test]
async fn nothing_is_forwarded_when_the_record_cannot_be_written() {
    let bench = Bench::start(Upstream::plain().await);
    bench.ledger.break_it();
    let response = Raw::ask(bench.address, post(CHAT, &chat("hi"))).await;
    assert_eq!((response.status, response.code().as_str()), (503, "audit_unavailable"));
    assert!(bench.upstream.received().is_empty());
}

#[tokio::test]
async fn broken_framing_is_answered_400_and_closes_and_nothing_leaves() {
    let bench = Bench::start(Upstream::plain().await);
    let body = chat("hi");
    let length = body.len();
    let cases = [
        format!(
            "POST {CHAT} HTTP/1.1\r\nhost: g\r\ncontent-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n{body}"
        ),
        format!("POST {CHAT} HTTP/1.1\nhost: g\ncontent-length: {length}\n\n{body}"),
        format!("POST {CHAT} HTTP/1.1\r\nhost: g\r\nx: a\r\n b\r\ncontent-length: {length}\r\n\r\n{body}"),
        format!(
            "POST {CHAT} HTTP/1.1\r\nhost: g\r\ncontent-length: {length}\r\ncontent-length: {length}\r\n\r\n{body}"
        ),
        format!("POST http://other{CHAT} HTTP/1.1\r\nhost: g\r\ncontent-length: {length}\r\n\r\n{body}"),
        format!(
            "POST {CHAT} HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n{length:x};a=b\r\n{body}\r\n0\r\n\r\n"
        ),
        format!(
            "POST {CHAT} HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\nx: y\r\n\r\n"
        ),
    ];
    for case in &cases {
        let mut raw = Raw::connect(bench.address).await;
        raw.send(case).await;
        let response = raw.response().await;
        assert_eq!((response.status, response.code().as_str()), (400, "framing_broken"), "{case}");
        assert_eq!(response.header("connection"), Some("close"), "{case}");
        assert!(raw.rest().await.is_empty(), "{case}");
    }
    assert!(bench.upstream.received().is_empty());
    assert_eq!(outcomes(&bench), vec![Outcome::Rejected; cases.len()]);
}

#[tokio::test]
async fn smuggled_second_request_is_never_answered_as_one() {
    let bench = Bench::start(Upstream::plain().await);
    let mut raw = Raw::connect(bench.address).await;
    let body = chat("hi");
    let nonce = "countersign-framing: 00000000000000000000000000000000 bare-lf\r\n";
    raw.send(post_with(CHAT, nonce, &body) + "GET / HTTP/1.1\nhost: g\n\n").await;
    assert_eq!(raw.response().await.status, 200, "a forged framing header means nothing");
    let second = raw.response().await;
    assert_eq!((second.status, second.code().as_str()), (400, "framing_broken"));
    assert!(raw.rest().await.is_empty());
    assert_eq!(bench.upstream.received().len(), 1);
    assert_eq!(bench.upstream.received()[0].header("countersign-framing"), None);
}

#[track_caller]
fn check(response: &Response, status: u16, code: &str) {
    assert_eq!((response.status, response.code().as_str()), (status, code));
}

#[tokio::test]
async fn unknown_routes_upgrades_and_wrong_methods_are_refused() {
    let bench = Bench::start(Upstream::plain().await);
    let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nhost: g\r\n{more}\r\n");
    check(&Raw::ask(bench.address, get("/nowhere", "")).await, 404, "route_unknown");
    check(&Raw::ask(bench.address, get(CHAT, "")).await, 405, "method_not_allowed");
    check(&Raw::ask(bench.address, get("/v1//models", "")).await, 400, "path_not_normal");
    let upgrade = get("/v1/models", "connection: upgrade\r\nupgrade: websocket\r\n");
    check(&Raw::ask(bench.address, upgrade).await, 403, "upgrade_not_supported");
    check(&Raw::ask(bench.address, "GET /v1/models HTTP/1.1\r\n\r\n").await, 400, "host_required");
    assert!(bench.upstream.received().is_empty());
    assert_eq!(Raw::ask(bench.address, get("/v1/models", "")).await.status, 200);
    assert_eq!(bench.upstream.received().len(), 1);
}

#[tokio::test]
async fn expectation_is_met_only_for_a_body_that_is_wanted() {
    let bench = Bench::start(Upstream::plain().await);
    let body = chat("hi");
    let head = |path: &str, length: usize| {
        format!("POST {path} HTTP/1.1\r\nhost: g\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n")
    };
    let mut raw = Raw::connect(bench.address).await;
    raw.send(head(CHAT, body.len())).await;
    assert_eq!(raw.head().await.0, 100);
    raw.send(&body).await;
    assert_eq!(raw.response().await.status, 200);
    assert_eq!(Raw::ask(bench.address, head("/nowhere", 10)).await.status, 404);
    assert_eq!(Raw::ask(bench.address, head(CHAT, 1 << 30)).await.status, 413);
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused_with_and_without_a_length() {
    let bench = Bench::with(Upstream::plain().await, |settings| settings.limits.body_bytes_max = 1000);
    let large = chat(&"x".repeat(2000));
    assert_eq!(Raw::ask(bench.address, post(CHAT, &large)).await.status, 413);
    let chunked = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        large.len()
    );
    assert_eq!(Raw::ask(bench.address, chunked).await.status, 413);
    assert!(bench.upstream.received().is_empty());
}

#[tokio::test]
async fn bytes_in_flight_are_capped_over_all_connections() {
    let bench = Bench::with(Upstream::plain().await, |settings| settings.limits.bytes_in_flight_max = 100);
    let response = Raw::ask(bench.address, post(CHAT, &chat(&"x".repeat(100)))).await;
    assert_eq!((response.status, response.code().as_str()), (429, "overloaded"));
    assert_eq!(response.header("x-should-retry"), Some("false"));
    assert_eq!(Raw::ask(bench.address, post(CHAT, &chat("hi"))).await.status, 200, "the share was given back");
}

#[tokio::test(start_paused = true)]
async fn slow_bodies_are_given_up() {
    let bench = Bench::start(Upstream::plain().await);
    let mut raw = Raw::connect(bench.address).await;
    raw.send(format!("POST {CHAT} HTTP/1.1\r\nhost: g\r\ncontent-length: 100\r\n\r\n{{")).await;
    let response = raw.response().await;
    assert_eq!((response.status, response.code().as_str()), (408, "body_timeout"));
    assert!(raw.rest().await.is_empty());
}

#[tokio::test]
async fn content_types_decide_nothing_but_refusals() {
    let bench = Bench::start(Upstream::plain().await);
    let body = chat("hi");
    let typed = |value: &str, body: &str| {
        let length = body.len();
        format!("POST {CHAT} HTTP/1.1\r\nhost: g\r\ncontent-type: {value}\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    for value in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=UTF-8"] {
        assert_eq!(Raw::ask(bench.address, typed(value, &body)).await.status, 200, "{value}");
    }
    for received in bench.upstream.received() {
        assert_eq!(received.header("content-type"), Some("application/json"));
    }
    for value in ["multipart/form-data; boundary=x", "application/json; charset=utf-16"] {
        assert_eq!(Raw::ask(bench.address, typed(value, &body)).await.status, 415, "{value}");
    }
    let form = typed("application/x-www-form-urlencoded", "prompt=hi");
    assert_eq!(Raw::ask(bench.address, form).await.status, 415);
    assert_eq!(bench.upstream.received().len(), 3);
}

#[tokio::test]
async fn encoded_body_is_judged_and_forwarded_decoded() {
    use std::io::Write as _;
    let bench = Bench::start(Upstream::plain().await);
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let encoded = |encoding: &str, bytes: &[u8]| {
        let length = bytes.len();
        let head = format!(
            "POST {CHAT} HTTP/1.1\r\nhost: g\r\ncontent-encoding: {encoding}\r\ncontent-length: {length}\r\n\r\n"
        );
        [head.as_bytes(), bytes].concat()
    };
    let body = chat("hi");
    assert_eq!(Raw::ask(bench.address, encoded("gzip", &gzip(&body))).await.status, 200);
    let received = bench.upstream.request(0).await;
    assert_eq!((received.body.as_slice(), received.header("content-encoding")), (body.as_bytes(), None));
    let denied = Raw::ask(bench.address, encoded("gzip", &gzip(&chat("forbidden")))).await;
    assert_eq!(denied.code(), "policy_denied");
    assert_eq!(Raw::ask(bench.address, encoded("gzip, gzip", &gzip(&body))).await.status, 415);
    assert_eq!(Raw::ask(bench.address, encoded("compress", &gzip(&body))).await.status, 415);
    assert_eq!(Raw::ask(bench.address, encoded("gzip", body.as_bytes())).await.status, 400);
    assert_eq!(Raw::ask(bench.address, encoded("gzip", &gzip(&"x".repeat(9 << 20)))).await.status, 413);
    assert_eq!(bench.upstream.received().len(), 1);
}

#[tokio::test]
async fn stream_is_passed_on_chunk_by_chunk_as_it_comes() {
    let script = |_: &upstream::Received| {
        vec![stream_head(), Step::Wait, chunk("data: one\n\n"), Step::Wait, chunk("data: two\n\n"), end()]
    };
    let bench = Bench::start(Upstream::start(script).await);
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post(CHAT, &streamed("hi"))).await;
    assert_eq!(raw.head().await.0, 200);
    bench.upstream.go_on();
    assert_eq!(raw.chunk().await.unwrap(), b"data: one\n\n");
    bench.upstream.go_on();
    assert_eq!(raw.chunk().await.unwrap(), b"data: two\n\n");
    assert_eq!(raw.chunk().await, None);
    let completed = bench.ledger.completed(0).await;
    assert_eq!((completed.end, completed.answer_bytes), (AnswerEnd::Complete, 22));
    let digest = countersign::base::Digest::of(b"data: one\n\ndata: two\n\n");
    assert_eq!(completed.answer_digest, Some(digest));
}

#[tokio::test]
async fn client_that_leaves_closes_the_way_to_the_model() {
    let script = |_: &upstream::Received| vec![stream_head(), chunk("data: one\n\n"), Step::Wait];
    let bench = Bench::start(Upstream::start(script).await);
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post(CHAT, &streamed("hi"))).await;
    raw.head().await;
    raw.chunk().await;
    drop(raw);
    bench.upstream.closed(1).await;
    assert_eq!(bench.ledger.completed(0).await.end, AnswerEnd::ClientGone);
}

#[tokio::test]
async fn slow_reader_stops_the_upstream_and_costs_no_memory() {
    let total = 64 << 20;
    let script = move |_: &upstream::Received| vec![stream_head(), Step::Flood(total), end()];
    let bench = Bench::start(Upstream::start(script).await);
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post(CHAT, &streamed("hi"))).await;
    raw.head().await;
    // Nothing is read: what goes out ends when the buffers of the system are full.
    let mut before = usize::MAX;
    while before != bench.upstream.sent() {
        before = bench.upstream.sent();
        for _ in 0..2000 {
            tokio::task::yield_now().await;
        }
    }
    assert!(before < total / 2, "{before} bytes were taken of a stream that nobody reads");
    let mut read = 0;
    while let Some(chunk) = raw.chunk().await {
        read += chunk.len();
    }
    assert_eq!(read, total);
}

#[tokio::test]
async fn connection_to_the_model_is_used_again_and_a_dead_one_is_not() {
    let script = |received: &upstream::Received| match received.connection {
        0 if received.body.windows(4).any(|w| w == b"last") => vec![json("200 OK", "{}"), Step::Close],
        _ => vec![json("200 OK", "{}")],
    };
    let bench = Bench::start(Upstream::start(script).await);
    for text in ["first", "second", "last"] {
        assert_eq!(Raw::ask(bench.address, post(CHAT, &chat(text))).await.status, 200);
    }
    assert_eq!(bench.upstream.connections(), 1);
    bench.upstream.closed(1).await;
    assert_eq!(Raw::ask(bench.address, post(CHAT, &chat("again"))).await.status, 200);
    assert_eq!(bench.upstream.connections(), 2);
    assert_eq!(bench.upstream.received().len(), 4, "nothing was sent twice");
}

#[tokio::test]
async fn model_server_that_breaks_off_is_a_502_and_recorded() {
    let bench = Bench::start(Upstream::start(|_| vec![Step::Close]).await);
    let response = Raw::ask(bench.address, post(CHAT, &chat("hi"))).await;
    assert_eq!((response.status, response.code().as_str()), (502, "upstream_failed"));
    let completed = bench.ledger.completed(0).await;
    assert_eq!((completed.end, completed.status), (AnswerEnd::UpstreamFailed, 0));
    assert_eq!(bench.upstream.received().len(), 1, "what was sent is not sent again");
}

#[tokio::test]
async fn hop_by_hop_headers_and_forged_identities_do_not_cross() {
    let answer = "HTTP/1.1 200 OK\r\nconnection: x-secret\r\nx-secret: 1\r\nkeep-alive: timeout=1\r\n\
        countersign-query-id: forged\r\nx-kept: 2\r\ncontent-length: 2\r\n\r\n{}";
    let script = move |_: &upstream::Received| vec![Step::Send(answer.as_bytes().to_vec())];
    let bench = Bench::with(Upstream::start(script).await, |settings| {
        settings.identity.trusted_proxy = Some(countersign::sidecar::TrustedProxy {
            networks: vec!["10.0.0.0/8".parse().unwrap()],
            user_header: http::HeaderName::from_static("x-user"),
            groups_header: None,
        });
    });
    let more = "x-user: root\r\ncookie: a\r\nx-forwarded-for: 1\r\nte: trailers\r\nauthorization: Bearer sk-theirs\r\n";
    let response = Raw::ask(bench.address, post_with(CHAT, more, &chat("hi"))).await;
    assert_eq!((response.header("x-secret"), response.header("keep-alive")), (None, None));
    assert_eq!(response.header("x-kept"), Some("2"));
    let judged = &bench.ledger.judged()[0];
    assert_eq!(response.header("countersign-query-id"), Some(judged.query.to_string().as_str()));
    assert_eq!((judged.caller.user.as_deref(), judged.caller.authenticated_by.as_str()), (None, "anonymous"));
    let received = bench.upstream.request(0).await;
    for name in ["x-user", "cookie", "x-forwarded-for", "te"] {
        assert_eq!(received.header(name), None, "{name}");
    }
    assert_eq!(received.header("authorization"), Some("Bearer sk-theirs"));
}

#[tokio::test]
async fn retention_decides_what_the_record_keeps() {
    for (retention, digest, content) in
        [(Retention::None, false, false), (Retention::Digest, true, false), (Retention::Masked, true, true)]
    {
        let bench = Bench::start(Upstream::plain().await);
        bench.rulebook.replace(bench::with_retention(retention));
        assert_eq!(Raw::ask(bench.address, post(CHAT, &chat("my nickname"))).await.status, 200);
        let judged = &bench.ledger.judged()[0];
        assert_eq!((judged.body_digest.is_some(), judged.content.is_some()), (digest, content), "{retention:?}");
        assert!(!judged.content.as_deref().unwrap_or_default().contains("nickname"));
        assert_eq!(bench.ledger.completed(0).await.answer_digest.is_some(), digest);
    }
}

#[tokio::test]
async fn models_that_the_workload_does_not_offer_are_refused() {
    let bench = Bench::with(Upstream::plain().await, |settings| settings.models = vec!["m".to_owned()]);
    assert_eq!(Raw::ask(bench.address, post(CHAT, &chat("hi"))).await.status, 200);
    let other = chat("hi").replace("\"m\"", "\"other\"");
    assert_eq!(Raw::ask(bench.address, post(CHAT, &other)).await.code(), "model_not_offered");
}

#[tokio::test(start_paused = true)]
async fn held_query_is_released_with_its_true_status_when_approved_in_time() {
    let bench = Bench::start(Upstream::plain().await);
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post(CHAT, &chat("the contract"))).await;
    let id = bench.desk.opened().await;
    assert!(bench.upstream.received().is_empty(), "nothing leaves while people decide");
    bench.desk.decide(id, Decision::Approve);
    let response = raw.response().await;
    assert_eq!((response.status, response.text()), (200, r#"{"ok":true}"#));
    assert_eq!(response.header("countersign-approval-id"), Some(id.to_string().as_str()));
    assert_eq!(bench.upstream.request(0).await.body, chat("the contract").as_bytes());
    assert_eq!(outcomes(&bench), [Outcome::Held, Outcome::Released]);
}

#[tokio::test(start_paused = true)]
async fn denied_and_expired_holds_are_final() {
    for (decision, code, outcome) in
        [(Some(Decision::Deny), "approval_denied", Outcome::Denied), (None, "approval_expired", Outcome::Expired)]
    {
        let bench = Bench::start(Upstream::plain().await);
        let mut raw = Raw::connect(bench.address).await;
        raw.send(post(CHAT, &chat("the contract"))).await;
        let id = bench.desk.opened().await;
        match decision {
            Some(decision) => bench.desk.decide(id, decision),
            None => bench.desk.expire(id),
        }
        let response = raw.response().await;
        assert_eq!((response.status, response.code().as_str()), (403, code));
        assert_eq!(response.header("x-should-retry"), Some("false"));
        assert_eq!(response.json()["error"]["approval_id"], id.to_string());
        assert!(bench.upstream.received().is_empty());
        assert_eq!(outcomes(&bench), [Outcome::Held, outcome]);
    }
}

#[tokio::test(start_paused = true)]
async fn plain_query_waits_a_slice_and_its_retry_joins_the_same_hold() {
    let keys = format!("bob::{}", &countersign::base::Digest::of(b"sk-bob").to_string()["sha256:".len()..]);
    for (credential, known) in [("authorization: Bearer sk-bob\r\n", true), ("", false)] {
        let keys = std::sync::Arc::new(countersign::sidecar::ApiKeys::parse(&keys).unwrap());
        let bench = Bench::with(Upstream::plain().await, |settings| settings.identity.api_keys = Some(keys));
        let body = chat("the contract");
        let first = Raw::ask(bench.address, post_with(CHAT, credential, &body)).await;
        assert_eq!((first.status, first.code().as_str()), (409, "approval_pending"));
        assert_eq!((first.header("retry-after"), first.header("x-should-retry")), (Some("60"), Some("true")));
        let id = bench.desk.opened().await;
        assert_eq!(first.header("countersign-approval-id"), Some(id.to_string().as_str()));
        bench.desk.decide(id, Decision::Approve);
        // Who is known joins by being the same; who is not must name the hold.
        let more = if known { credential.to_owned() } else { format!("countersign-approval-id: {id}\r\n") };
        let second = Raw::ask(bench.address, post_with(CHAT, &more, &body)).await;
        assert_eq!(second.status, 200);
        assert_eq!(bench.desk.holds().len(), 1);
        assert_eq!(bench.upstream.received().len(), 1);
        assert_eq!(bench.upstream.received()[0].header("authorization"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn anonymous_caller_cannot_use_the_hold_of_another_query() {
    let bench = Bench::start(Upstream::plain().await);
    let first = Raw::ask(bench.address, post(CHAT, &chat("the contract"))).await;
    assert_eq!(first.status, 409);
    let id = bench.desk.opened().await;
    bench.desk.decide(id, Decision::Approve);
    let named = format!("countersign-approval-id: {id}\r\n");
    let other = Raw::ask(bench.address, post_with(CHAT, &named, &chat("another contract"))).await;
    assert_eq!((other.status, other.code().as_str()), (403, "approval_not_released"));
    assert!(bench.upstream.received().is_empty());
}

#[tokio::test(start_paused = true)]
async fn client_deadline_shortens_the_slice() {
    let bench = Bench::start(Upstream::plain().await);
    let start = tokio::time::Instant::now();
    let more = "x-stainless-read-timeout: 20\r\n";
    let response = Raw::ask(bench.address, post_with(CHAT, more, &chat("the contract"))).await;
    assert_eq!(response.status, 409);
    assert_eq!(start.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn held_stream_is_kept_alive_and_continues_with_the_models_own_stream() {
    let script =
        |_: &upstream::Received| vec![stream_head(), chunk("data: {\"a\":1}\n\n"), chunk("data: [DONE]\n\n"), end()];
    let bench = Bench::start(Upstream::start(script).await);
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post(CHAT, &streamed("the contract"))).await;
    let (status, headers) = raw.head().await;
    assert_eq!(status, 200);
    assert!(headers.iter().any(|(name, value)| name == "content-type" && value.starts_with("text/event-stream")));
    let mut comments = 0;
    let delta = loop {
        let chunk = String::from_utf8(raw.chunk().await.unwrap()).unwrap();
        if chunk.starts_with(": ") {
            comments += 1;
        } else {
            break chunk;
        }
    };
    assert_eq!(comments, 5, "one at once, then every 10 s up to the delta at 45");
    let delta: serde_json::Value = serde_json::from_str(delta.trim().strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(delta["choices"][0]["delta"], serde_json::json!({"content": ""}));
    assert_eq!(delta["id"], bench.ledger.judged()[0].query.to_string());
    bench.desk.decide(bench.desk.opened().await, Decision::Approve);
    let mut rest = String::new();
    while let Some(chunk) = raw.chunk().await {
        rest.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(rest.ends_with("data: {\"a\":1}\n\ndata: [DONE]\n\n"), "{rest}");
    assert_eq!(bench.ledger.completed(0).await.end, AnswerEnd::Complete);
}

#[tokio::test(start_paused = true)]
async fn denied_stream_ends_with_an_error_event_that_names_the_approval() {
    let bench = Bench::start(Upstream::plain().await);
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post(CHAT, &streamed("the contract"))).await;
    raw.head().await;
    let id = bench.desk.opened().await;
    bench.desk.decide(id, Decision::Deny);
    let mut last = Vec::new();
    while let Some(chunk) = raw.chunk().await {
        last = chunk;
    }
    let event = String::from_utf8(last).unwrap();
    let event: serde_json::Value = serde_json::from_str(event.trim().strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(event["error"]["code"], "approval_denied");
    assert_eq!(event["error"]["approval_id"], id.to_string());
    assert_eq!(outcomes(&bench), [Outcome::Held, Outcome::Denied]);
}

#[tokio::test(start_paused = true)]
async fn held_query_whose_client_leaves_is_recorded_as_cancelled() {
    for body in [chat("the contract"), streamed("the contract")] {
        let bench = Bench::start(Upstream::plain().await);
        let mut raw = Raw::connect(bench.address).await;
        raw.send(post(CHAT, &body)).await;
        bench.desk.opened().await;
        drop(raw);
        while outcomes(&bench).len() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(outcomes(&bench), [Outcome::Held, Outcome::Cancelled]);
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_sends_held_queries_away_to_come_again() {
    let bench = Bench::start(Upstream::plain().await);
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post(CHAT, &chat("the contract"))).await;
    bench.desk.opened().await;
    bench.stop.notify_one();
    let response = raw.response().await;
    assert_eq!((response.status, response.code().as_str()), (409, "approval_pending"));
    bench.serving.await.unwrap();
}

#[tokio::test]
async fn shutdown_lets_answers_finish() {
    let script =
        |_: &upstream::Received| vec![stream_head(), chunk("data: one\n\n"), Step::Wait, chunk("data: two\n\n"), end()];
    let bench = Bench::start(Upstream::start(script).await);
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post(CHAT, &streamed("hi"))).await;
    raw.head().await;
    raw.chunk().await;
    bench.stop.notify_one();
    let ready = ask_health(&bench, "/readyz").await;
    assert!(matches!(ready, 200 | 503));
    bench.upstream.go_on();
    assert_eq!(raw.chunk().await.unwrap(), b"data: two\n\n");
    assert_eq!(raw.chunk().await, None);
    bench.serving.await.unwrap();
    assert_eq!(bench.ledger.completed(0).await.end, AnswerEnd::Complete);
}

#[tokio::test(start_paused = true)]
async fn shutdown_closes_what_does_not_finish_within_the_grace() {
    let script = |_: &upstream::Received| vec![stream_head(), chunk("data: one\n\n"), Step::Wait];
    let bench = Bench::start(Upstream::start(script).await);
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post(CHAT, &streamed("hi"))).await;
    raw.head().await;
    raw.chunk().await;
    bench.stop.notify_one();
    bench.serving.await.unwrap();
    assert_eq!(bench.ledger.completed(0).await.end, AnswerEnd::Shutdown);
}

async fn ask_health(bench: &Bench, path: &str) -> u16 {
    Raw::ask(bench.health, format!("GET {path} HTTP/1.1\r\nhost: g\r\n\r\n")).await.status
}

#[tokio::test]
async fn health_port_says_little() {
    let bench = Bench::start(Upstream::plain().await);
    assert_eq!(ask_health(&bench, "/livez").await, 200);
    assert_eq!(ask_health(&bench, "/readyz").await, 200);
    assert_eq!(ask_health(&bench, CHAT).await, 404);
    Raw::ask(bench.address, post(CHAT, &chat("forbidden"))).await;
    let metrics = Raw::ask(bench.health, "GET /metrics HTTP/1.1\r\nhost: g\r\n\r\n").await;
    assert!(metrics.text().contains(r#"countersign_denials_total{code="policy_denied"} 1"#), "{}", metrics.text());
    assert!(!metrics.text().contains("forbidden"));
}

#[tokio::test]
async fn observe_interferes_with_nothing_but_broken_framing() {
    let bench = Bench::with(Upstream::plain().await, |settings| {
        settings.posture = Posture::Observe;
        settings.limits.body_bytes_max = 200;
    });
    let large = chat(&"x".repeat(500));
    let requests = [
        post(CHAT, &chat("a forbidden word")),
        post(CHAT, &chat("the contract")),
        post(CHAT, &large),
        post("/nowhere?a=b", "not json"),
        post_with(CHAT, "content-encoding: compress\r\n", "junk"),
    ];
    for request in &requests {
        assert_eq!(Raw::ask(bench.address, request).await.status, 200, "{request}");
    }
    assert_eq!(outcomes(&bench), [Outcome::WouldRefuse; 5]);
    let received = bench.upstream.received();
    assert_eq!(received[2].body, large.as_bytes());
    assert_eq!(
        (received[3].line(), received[3].body.as_slice()),
        ("POST /nowhere?a=b HTTP/1.1", b"not json".as_slice())
    );
    assert_eq!(received[4].header("content-encoding"), Some("compress"));
    assert_eq!(Raw::ask(bench.address, "GET / HTTP/1.1\nhost: g\n\n").await.status, 400);
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_judged_alike() {
    use http_body_util::{BodyExt as _, Full};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let bench = Bench::start(Upstream::plain().await);
    let stream = tokio::net::TcpStream::connect(bench.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for (text, status) in [("hi", 200), ("forbidden", 403)] {
        let request =
            http::Request::post(format!("http://gate{CHAT}")).body(Full::new(bytes::Bytes::from(chat(text)))).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), status);
        response.into_body().collect().await.unwrap();
    }
    assert_eq!(bench.upstream.received().len(), 1);
    assert_eq!(bench.upstream.received()[0].body, chat("hi").as_bytes());
}

#[tokio::test(start_paused = true)]
async fn heads_that_do_not_come_and_idle_connections_are_closed() {
    let bench = Bench::start(Upstream::plain().await);
    for started in ["", "P", "PRI * HTTP/2.0", "POST / HTTP/1.1\r\nhost"] {
        let mut raw = Raw::connect(bench.address).await;
        raw.send(started).await;
        let start = tokio::time::Instant::now();
        assert!(raw.rest().await.is_empty(), "{started}");
        assert!(start.elapsed().as_secs() <= 31, "{started}");
    }
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post(CHAT, &chat("hi"))).await;
    assert_eq!(raw.response().await.status, 200);
    assert!(raw.rest().await.is_empty());
}

#[tokio::test]
async fn old_clients_without_chunks_get_their_stream_to_the_end_of_the_connection() {
    let script = |_: &upstream::Received| vec![stream_head(), chunk("data: one\n\n"), end()];
    let bench = Bench::start(Upstream::start(script).await);
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post(CHAT, &streamed("hi")).replace("HTTP/1.1", "HTTP/1.0")).await;
    assert_eq!(raw.head().await.0, 200);
    assert_eq!(raw.rest().await, b"data: one\n\n");
}

#[tokio::test(start_paused = true)]
async fn rule_set_that_changed_while_people_decided_has_its_say() {
    let bench = Bench::start(Upstream::plain().await);
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post(CHAT, &chat("the contract"))).await;
    let id = bench.desk.opened().await;
    bench.rulebook.replace(bench::refusing("contract"));
    bench.desk.decide(id, Decision::Approve);
    let response = raw.response().await;
    assert_eq!((response.status, response.code().as_str()), (403, "policy_denied"));
    assert!(bench.upstream.received().is_empty());
}

#[tokio::test(start_paused = true)]
async fn people_who_are_not_asked_any_more_release_nothing() {
    let bench = Bench::start(Upstream::plain().await);
    let mut raw = Raw::connect(bench.address).await;
    raw.send(post(CHAT, &chat("the contract"))).await;
    let id = bench.desk.opened().await;
    bench.rulebook.replace(bench::with_other_people());
    bench.desk.decide(id, Decision::Approve);
    let response = raw.response().await;
    assert_eq!((response.status, response.code().as_str()), (403, "approval_not_released"));
    assert!(bench.upstream.received().is_empty());
}

#[tokio::test(start_paused = true)]
async fn released_answer_that_breaks_off_may_be_claimed_again() {
    let script = |received: &upstream::Received| match received.connection {
        0 => vec![Step::Close],
        _ => vec![json("200 OK", "{}")],
    };
    let keys = format!("bob::{}", &countersign::base::Digest::of(b"sk-bob").to_string()["sha256:".len()..]);
    let keys = std::sync::Arc::new(countersign::sidecar::ApiKeys::parse(&keys).unwrap());
    let bench = Bench::with(Upstream::start(script).await, |settings| settings.identity.api_keys = Some(keys));
    let request = post_with(CHAT, "x-api-key: sk-bob\r\n", &chat("the contract"));
    let mut raw = Raw::connect(bench.address).await;
    raw.send(&request).await;
    bench.desk.decide(bench.desk.opened().await, Decision::Approve);
    assert_eq!(raw.response().await.status, 502);
    assert_eq!(Raw::ask(bench.address, &request).await.status, 200);
    assert_eq!(bench.desk.holds().len(), 1, "people are not asked again");
}
