//! The body of an error, and the error event of a stream, in the shape of each API. Knows nothing of why.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use crate::base::{HoldId, QueryId};
use crate::sidecar::hold::Framing;
use crate::wire::ErrorStyle;

/// What a client is told; also an extension of the answer, for a stream that has got its head already.
#[derive(Debug, Clone)]
pub(in crate::sidecar) struct Told {
    pub(in crate::sidecar) status: StatusCode,
    pub(in crate::sidecar) code: &'static str,
    pub(in crate::sidecar) message: String,
    pub(in crate::sidecar) query: QueryId,
    pub(in crate::sidecar) hold: Option<HoldId>,
}

/// The code that is a type of its own: no type of either interface says "come again, it is being decided".
const PENDING: &str = "approval_pending";

/// The whole body.
pub(super) fn body(style: ErrorStyle, told: &Told) -> Bytes {
    Bytes::from(value(style, told).to_string())
}

/// One event of a stream that says the same, for a client that has already got its head.
pub(in crate::sidecar) fn event(style: ErrorStyle, framing: Framing, told: &Told) -> Bytes {
    let value = match framing {
        Framing::Responses => json!({
            "type": "error", "code": told.code, "message": told.message, "param": null, "sequence_number": 0,
            "query_id": told.query, "approval_id": told.hold,
            // SDKs raise an error for this field only; the rest is what the interface documents.
            "error": {"message": told.message, "type": openai_type(told), "code": told.code, "approval_id": told.hold},
        }),
        _ => value(style, told),
    };
    Bytes::from(match framing {
        Framing::Lines => format!("{value}\n"),
        Framing::Messages | Framing::Responses => format!("event: error\ndata: {value}\n\n"),
        Framing::Chat | Framing::Completions | Framing::Comments => format!("data: {value}\n\n"),
    })
}

fn value(style: ErrorStyle, told: &Told) -> Value {
    let mut value = match style {
        ErrorStyle::Openai => json!({"error": {
            "message": told.message, "type": openai_type(told), "param": null, "code": told.code,
        }}),
        ErrorStyle::Anthropic => json!({
            "type": "error",
            "error": {"type": anthropic_type(told), "message": told.message, "code": told.code},
            "request_id": told.query,
        }),
        ErrorStyle::Ollama | ErrorStyle::Kserve => json!({"error": told.message, "code": told.code}),
        ErrorStyle::Tgi => json!({"error": told.message, "error_type": "validation", "code": told.code}),
    };
    let place = match style {
        ErrorStyle::Openai | ErrorStyle::Anthropic => value.get_mut("error"),
        ErrorStyle::Ollama | ErrorStyle::Kserve | ErrorStyle::Tgi => Some(&mut value),
    };
    if let Some(object) = place.and_then(Value::as_object_mut) {
        object.insert("query_id".to_owned(), json!(told.query));
        if let Some(hold) = told.hold {
            object.insert("approval_id".to_owned(), json!(hold));
        }
    }
    value
}

/// OpenAI's closed set of error types; what is particular to the gate is in `code`.
fn openai_type(told: &Told) -> &'static str {
    match told.status.as_u16() {
        _ if told.code == PENDING => PENDING,
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

/// Anthropic's closed set of error types.
fn anthropic_type(told: &Told) -> &'static str {
    match told.status.as_u16() {
        _ if told.code == PENDING => PENDING,
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}
