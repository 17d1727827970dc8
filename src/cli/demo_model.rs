//! `countersign demo-model`: a small model server that speaks the OpenAI and the Ollama interface and answers with what
//! it received, so that everyone can see what reached it.
//!
//! It judges nothing and knows nothing of policies: it stands where vLLM or Ollama would stand.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use axum::Json;
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::channel::Channel;
use serde_json::{Value, json};

use super::{Console, Exit};

/// The model's name.
const MODEL: &str = "demo";
/// How long the model "thinks" between two words of a stream, so that streaming can be seen.
const WORD_PAUSE: Duration = Duration::from_millis(40);

/// A small OpenAI- and Ollama-compatible model that answers with what it received.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where to listen.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
}

/// Runs until it is interrupted.
pub(super) fn run(args: &Arguments, console: &mut Console) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(args.listen)
            .await
            .with_context(|| format!("cannot listen on {}; choose another address with --listen", args.listen))?;
        console.note(format!("countersign demo-model: listening on http://{}", listener.local_addr()?))?;
        axum::serve(listener, routes()).with_graceful_shutdown(super::interrupted()).await?;
        Ok(Exit::Done)
    })
}

fn routes() -> axum::Router {
    axum::Router::new()
        .route("/", get(|| async { "Ollama is running (a demonstration that speaks its interface)" }))
        .route("/health", get(|| async { "ok" }))
        .route("/v1/models", get(models))
        .route("/v1/chat/completions", post(openai_chat))
        .route("/v1/completions", post(openai_completion))
        .route("/v1/embeddings", post(openai_embeddings))
        .route("/api/version", get(|| async { Json(json!({"version": "0.0.0-demo"})) }))
        .route(
            "/api/tags",
            get(|| async { Json(json!({"models": [{"name": "demo:latest", "model": "demo:latest"}]})) }),
        )
        .route("/api/chat", post(ollama_chat))
        .route("/api/generate", post(ollama_generate))
}

async fn models() -> Json<Value> {
    Json(
        json!({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "countersign-demo"}]}),
    )
}

/// The body, whatever its content type says, as Ollama reads it; what is no JSON reads as nothing.
fn read(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

/// The last text of a list of messages.
fn last_text(body: &Value) -> String {
    let content = body["messages"].as_array().and_then(|m| m.last()).map_or(&Value::Null, |m| &m["content"]);
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|p| p["text"].as_str()).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

fn answer_to(text: &str) -> String {
    format!("I received: {text}")
}

fn words(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

/// Bytes of `text` in quarters: near enough to tokens for a usage block.
fn tokens(text: &str) -> usize {
    text.len().div_ceil(4)
}

async fn openai_chat(bytes: Bytes) -> Response {
    let body = read(&bytes);
    let asked = last_text(&body);
    let answer = answer_to(&asked);
    if body["stream"] != true {
        return Json(json!({
            "id": "chatcmpl-demo", "object": "chat.completion", "created": 0, "model": MODEL,
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": answer}}],
            "usage": {"prompt_tokens": tokens(&asked), "completion_tokens": tokens(&answer),
                      "total_tokens": tokens(&asked) + tokens(&answer)},
        }))
        .into_response();
    }
    let chunk = |delta: Value, finish: Option<&str>| {
        let chunk = json!({"id": "chatcmpl-demo", "object": "chat.completion.chunk", "created": 0, "model": MODEL,
                           "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {chunk}\n\n")
    };
    let mut lines = vec![chunk(json!({"role": "assistant", "content": ""}), None)];
    lines.extend(words(&answer).into_iter().map(|word| chunk(json!({"content": word}), None)));
    lines.push(chunk(json!({}), Some("stop")));
    lines.push("data: [DONE]\n\n".to_owned());
    streamed("text/event-stream", lines)
}

async fn openai_completion(bytes: Bytes) -> Response {
    let body = read(&bytes);
    let answer = answer_to(body["prompt"].as_str().unwrap_or_default());
    Json(json!({"id": "cmpl-demo", "object": "text_completion", "created": 0, "model": MODEL,
                "choices": [{"index": 0, "text": answer, "finish_reason": "stop", "logprobs": null}]}))
    .into_response()
}

async fn openai_embeddings(bytes: Bytes) -> Response {
    let body = read(&bytes);
    let count = body["input"].as_array().map_or(1, Vec::len);
    let data: Vec<Value> =
        (0..count).map(|i| json!({"object": "embedding", "index": i, "embedding": [0.0, 1.0]})).collect();
    Json(json!({"object": "list", "model": MODEL, "data": data, "usage": {"prompt_tokens": 0, "total_tokens": 0}}))
        .into_response()
}

async fn ollama_chat(bytes: Bytes) -> Response {
    let body = read(&bytes);
    let answer = answer_to(&last_text(&body));
    ollama(&body, &answer, |text| json!({"message": {"role": "assistant", "content": text}}))
}

async fn ollama_generate(bytes: Bytes) -> Response {
    let body = read(&bytes);
    let answer = answer_to(body["prompt"].as_str().unwrap_or_default());
    ollama(&body, &answer, |text| json!({"response": text}))
}

/// Ollama streams unless told not to.
fn ollama(body: &Value, answer: &str, shape: impl Fn(&str) -> Value) -> Response {
    let line = |text: &str, done: bool| {
        let mut line = shape(text);
        line["model"] = MODEL.into();
        line["created_at"] = "1970-01-01T00:00:00Z".into();
        line["done"] = done.into();
        line
    };
    if body["stream"] == false {
        return Json(line(answer, true)).into_response();
    }
    let mut lines: Vec<String> = words(answer).iter().map(|word| format!("{}\n", line(word, false))).collect();
    lines.push(format!("{}\n", line("", true)));
    streamed("application/x-ndjson", lines)
}

fn streamed(content_type: &'static str, lines: Vec<String>) -> Response {
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    tokio::spawn(async move {
        for line in lines {
            if sender.send_data(Bytes::from(line)).await.is_err() {
                return;
            }
            tokio::time::sleep(WORD_PAUSE).await;
        }
    });
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
