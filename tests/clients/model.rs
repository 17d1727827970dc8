//! The model server's answers: the same sentence in each interface, whole or streamed, as its own server words it.

use serde_json::{Value, json};

use super::upstream::{Received, Step, chunk, end, json as whole, stream_head};

/// What the model says, in pieces.
const PIECES: [&str; 3] = ["The answer ", "is 42: ", "Grüße."];

pub fn answer() -> String {
    PIECES.concat()
}

/// The script of the model server.
pub fn script(received: &Received) -> Vec<Step> {
    let path = received.line().split(' ').nth(1).unwrap_or_default();
    let body: Value = serde_json::from_slice(&received.body).unwrap_or_default();
    let streamed = body["stream"].as_bool().unwrap_or(path.starts_with("/api/"));
    match (path, streamed) {
        ("/v1/chat/completions", false) => ok(&chat()),
        ("/v1/chat/completions", true) => events(&[chat_chunks(), vec![("", Value::Null)]].concat()),
        ("/v1/completions", false) => ok(&completion(&answer(), Some("stop"))),
        ("/v1/completions", true) => {
            let pieces = PIECES.map(|piece| ("", completion(piece, None)));
            events(&[pieces.to_vec(), vec![("", completion("", Some("stop"))), ("", Value::Null)]].concat())
        }
        ("/v1/responses", false) => ok(&response("completed", &[item("completed", &answer())])),
        ("/v1/responses", true) => events(&response_events()),
        ("/v1/messages" | "/v1/messages?beta=true", false) => {
            ok(&message(&[json!({"type": "text", "text": answer()})]))
        }
        ("/v1/messages" | "/v1/messages?beta=true", true) => events(&message_events()),
        ("/api/chat", false) => ok(&line(&json!({"message": {"role": "assistant", "content": answer()}}), true)),
        ("/api/generate", false) => ok(&line(&json!({"response": answer()}), true)),
        ("/api/chat", true) => lines(|piece| json!({"message": {"role": "assistant", "content": piece}})),
        ("/api/generate", true) => lines(|piece| json!({"response": piece})),
        _ => vec![whole("404 Not Found", r#"{"error":"no such route"}"#)],
    }
}

fn ok(value: &Value) -> Vec<Step> {
    vec![whole("200 OK", &value.to_string())]
}

/// Server-sent events; `null` stands for the `[DONE]` of OpenAI's older interfaces.
fn events(events: &[(&str, Value)]) -> Vec<Step> {
    let mut steps = vec![stream_head()];
    for (name, data) in events {
        let name = if name.is_empty() { String::new() } else { format!("event: {name}\n") };
        let data = if data.is_null() { "[DONE]".to_owned() } else { data.to_string() };
        steps.push(chunk(&format!("{name}data: {data}\n\n")));
    }
    steps.push(end());
    steps
}

fn lines(of: impl Fn(&str) -> Value) -> Vec<Step> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut steps = vec![Step::Send(head.as_bytes().to_vec())];
    steps.extend(PIECES.map(|piece| chunk(&format!("{}\n", line(&of(piece), false)))));
    steps.extend([chunk(&format!("{}\n", line(&of(""), true))), end()]);
    steps
}

fn line(said: &Value, done: bool) -> Value {
    let mut line = json!({"model": "demo", "created_at": "2026-11-23T12:00:00Z", "done": done});
    if let (Value::Object(line), Value::Object(said)) = (&mut line, said) {
        line.extend(said.clone());
    }
    line
}

fn chat() -> Value {
    let message = json!({"role": "assistant", "content": answer()});
    json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "demo",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
}

fn chat_chunks() -> Vec<(&'static str, Value)> {
    let chunk = |delta: Value, finish: Option<&str>| {
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "demo",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    };
    let mut chunks = vec![("", chunk(json!({"role": "assistant", "content": ""}), None))];
    chunks.extend(PIECES.map(|piece| ("", chunk(json!({"content": piece}), None))));
    chunks.push(("", chunk(json!({}), Some("stop"))));
    chunks
}

fn completion(text: &str, finish: Option<&str>) -> Value {
    json!({"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "demo",
        "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": finish}]})
}

fn item(status: &str, text: &str) -> Value {
    json!({"type": "message", "id": "msg-1", "status": status, "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": []}]})
}

fn response(status: &str, output: &[Value]) -> Value {
    json!({"id": "resp-1", "object": "response", "created_at": 1, "status": status, "model": "demo", "output": output,
        "parallel_tool_calls": true, "tool_choice": "auto", "tools": [], "error": null, "incomplete_details": null,
        "instructions": null, "metadata": {}, "temperature": 1.0, "top_p": 1.0})
}

fn response_events() -> Vec<(&'static str, Value)> {
    let place = json!({"item_id": "msg-1", "output_index": 0, "content_index": 0});
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
    let mut empty = item("in_progress", "");
    empty["content"] = json!([]);
    let mut events = vec![
        ("response.created", json!({"response": response("in_progress", &[])})),
        ("response.output_item.added", json!({"output_index": 0, "item": empty})),
        ("response.content_part.added", with(&place, json!({"part": part("")}))),
    ];
    events.extend(
        PIECES.map(|piece| ("response.output_text.delta", with(&place, json!({"delta": piece, "logprobs": []})))),
    );
    events.extend([
        ("response.output_text.done", with(&place, json!({"text": answer(), "logprobs": []}))),
        ("response.content_part.done", with(&place, json!({"part": part(&answer())}))),
        ("response.output_item.done", json!({"output_index": 0, "item": item("completed", &answer())})),
        ("response.completed", json!({"response": response("completed", &[item("completed", &answer())])})),
    ]);
    for (number, (name, data)) in events.iter_mut().enumerate() {
        data["type"] = json!(name);
        data["sequence_number"] = json!(number);
    }
    events
}

fn with(place: &Value, mut more: Value) -> Value {
    if let (Value::Object(more), Value::Object(place)) = (&mut more, place) {
        more.extend(place.clone());
    }
    more
}

fn message(content: &[Value]) -> Value {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "demo", "content": content,
        "stop_reason": "end_turn", "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}})
}

fn message_events() -> Vec<(&'static str, Value)> {
    let mut start = message(&[]);
    start["stop_reason"] = Value::Null;
    let mut events = vec![
        ("message_start", json!({"message": start})),
        ("content_block_start", json!({"index": 0, "content_block": {"type": "text", "text": ""}})),
    ];
    let delta = |piece| json!({"index": 0, "delta": {"type": "text_delta", "text": piece}});
    events.extend(PIECES.map(|piece| ("content_block_delta", delta(piece))));
    events.extend([
        ("content_block_stop", json!({"index": 0})),
        (
            "message_delta",
            json!({"delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 1}}),
        ),
        ("message_stop", json!({})),
    ]);
    for (name, data) in &mut events {
        data["type"] = json!(name);
    }
    events
}
