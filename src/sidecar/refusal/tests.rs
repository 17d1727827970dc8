//! Tests of refusals as answers.

use jiff::Timestamp;
use serde_json::Value;

use super::*;
use crate::sidecar::hold::Framing;

fn query() -> QueryId {
    QueryId::of(Timestamp::UNIX_EPOCH, [1; 10])
}

fn hold() -> HoldId {
    HoldId::of(Timestamp::UNIX_EPOCH, [2; 10])
}

#[track_caller]
fn check(refusal: &Refusal, status: u16, should_retry: Option<&str>, retry_after: Option<&str>) {
    let answer = refusal.answer(ErrorStyle::Openai, query());
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap());
    assert_eq!(answer.status().as_u16(), status, "{refusal:?}");
    assert_eq!((header("x-should-retry"), header("retry-after")), (should_retry, retry_after), "{refusal:?}");
}

#[test]
fn clients_are_told_whether_to_come_again() {
    for (asked, told) in [(0, "1"), (30, "30"), (600, "60")] {
        let retry_after = Duration::from_secs(asked);
        let pending = |again| Refusal::ApprovalPending { hold: hold(), retry_after, again };
        check(&pending(Again::Conflict), 409, Some("true"), Some(told));
        check(&pending(Again::TooManyRequests), 429, Some("true"), Some(told));
    }
    check(&Refusal::ApprovalDenied(hold()), 403, Some("false"), None);
    check(&Refusal::ApprovalExpired(hold()), 403, Some("false"), None);
    check(&Refusal::TooManyHeld, 429, Some("false"), None);
    check(&Refusal::Overloaded, 429, Some("false"), None);
    check(&Refusal::BodyTooLarge { bytes_max: 1 }, 413, Some("false"), None);
    check(&Refusal::UpstreamFailed, 502, None, None);
    check(&Refusal::UpstreamTimeout, 504, None, None);
    check(&Refusal::NotReady, 503, None, None);
}

#[test]
fn each_interface_gets_errors_in_its_own_shape() {
    let body = |style| -> Value {
        let answer = Refusal::ApprovalDenied(hold()).answer(style, query());
        serde_json::from_slice(answer.body()).unwrap()
    };
    let (id, approval) = (query().to_string(), hold().to_string());
    let openai = body(ErrorStyle::Openai);
    let error = &openai["error"];
    assert_eq!(
        (&error["code"], &error["type"], &error["param"]),
        (&"approval_denied".into(), &"permission_error".into(), &Value::Null)
    );
    assert_eq!((&error["query_id"], &error["approval_id"]), (&id.as_str().into(), &approval.as_str().into()));
    let anthropic = body(ErrorStyle::Anthropic);
    assert_eq!((&anthropic["type"], &anthropic["error"]["type"]), (&"error".into(), &"permission_error".into()));
    assert_eq!(anthropic["request_id"], id);
    for style in [ErrorStyle::Ollama, ErrorStyle::Tgi, ErrorStyle::Kserve] {
        let body = body(style);
        assert!(body["error"].as_str().unwrap().contains(&approval));
        assert_eq!((&body["code"], &body["query_id"]), (&"approval_denied".into(), &id.as_str().into()));
    }
}

#[test]
fn error_events_fit_the_stream_they_end() {
    let told = Refusal::ApprovalExpired(hold()).told(query());
    let text = |style, framing| String::from_utf8(event(style, framing, &told).to_vec()).unwrap();
    assert!(text(ErrorStyle::Openai, Framing::Chat).starts_with("data: {\"error\":{"));
    assert!(text(ErrorStyle::Anthropic, Framing::Messages).starts_with("event: error\ndata: {"));
    let responses = text(ErrorStyle::Openai, Framing::Responses);
    let data: Value = serde_json::from_str(responses.strip_prefix("event: error\ndata: ").unwrap()).unwrap();
    // The SDKs raise what is in `error`, and only that.
    assert_eq!((&data["type"], &data["code"]), (&"error".into(), &"approval_expired".into()));
    assert_eq!(
        (&data["error"]["message"], &data["error"]["approval_id"]),
        (&data["message"], &hold().to_string().into())
    );
    let line = text(ErrorStyle::Ollama, Framing::Lines);
    assert!(line.ends_with("}\n") && serde_json::from_str::<Value>(&line).is_ok());
}

#[test]
fn broken_framing_closes_the_connection() {
    let answer = Refusal::Framing(Violation::BareLf).answer(ErrorStyle::Openai, query());
    assert_eq!(answer.headers().get("connection").unwrap(), "close");
    assert_eq!(Refusal::Host.answer(ErrorStyle::Openai, query()).headers().get("connection"), None);
}
