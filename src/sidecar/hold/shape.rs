//! What a held stream says while it waits, in the shape its client reads: comments, and empty deltas where the format has
//! them. Measured with the SDKs: an empty delta without a role is harmless, one before `response.created` is not.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;

use super::Visit;
use crate::query::Query;
use crate::wire::Format;

/// How a stream is framed, and what may stand in it before the first answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sidecar) enum Framing {
    /// OpenAI chat: server-sent events, empty deltas.
    Chat,
    /// OpenAI completions: server-sent events, empty texts.
    Completions,
    /// OpenAI responses: server-sent events, comments only.
    Responses,
    /// Anthropic messages: server-sent events, pings.
    Messages,
    /// Ollama: a JSON object a line.
    Lines,
    /// Server-sent events of other servers, comments only.
    Comments,
}

impl Framing {
    /// How the answer to this query will be streamed; `None` when it will not be.
    pub(in crate::sidecar) fn of(visit: &Visit, query: &Query) -> Option<Self> {
        let path = visit.head.uri.path();
        if !query.stream && !path.ends_with("/generate_stream") {
            return None;
        }
        Some(match visit.format? {
            Format::OpenaiChat | Format::TgiChat => Self::Chat,
            Format::OpenaiCompletions | Format::TgiCompletions => Self::Completions,
            Format::OpenaiResponses => Self::Responses,
            Format::AnthropicMessages | Format::AnthropicCountTokens => Self::Messages,
            Format::OllamaChat | Format::OllamaGenerate | Format::OllamaEmbed => Self::Lines,
            _ => Self::Comments,
        })
    }

    /// The media type of the stream.
    pub(super) const fn media(self) -> &'static str {
        match self {
            Self::Lines => "application/x-ndjson",
            Self::Chat | Self::Completions | Self::Responses | Self::Messages | Self::Comments => {
                "text/event-stream; charset=utf-8"
            }
        }
    }

    /// Keeps hops alive. Lines have no comments; an empty message stands in.
    pub(super) fn comment(self, waiting: &Words<'_>) -> Bytes {
        match self {
            Self::Lines => self.delta(waiting),
            _ => Bytes::from(format!(": waiting for approval {}\n\n", waiting.hold)),
        }
    }

    /// Keeps clients alive that count data only.
    pub(super) fn delta(self, waiting: &Words<'_>) -> Bytes {
        let model = waiting.model;
        let created = waiting.now.as_second();
        Bytes::from(match self {
            Self::Chat => {
                let choice = json!({"index": 0, "delta": {"content": ""}, "finish_reason": null});
                let chunk = json!({"id": waiting.query, "object": "chat.completion.chunk", "created": created,
                    "model": model, "choices": [choice]});
                format!("data: {chunk}\n\n")
            }
            Self::Completions => {
                let choice = json!({"index": 0, "text": "", "logprobs": null, "finish_reason": null});
                let chunk = json!({"id": waiting.query, "object": "text_completion", "created": created,
                    "model": model, "choices": [choice]});
                format!("data: {chunk}\n\n")
            }
            Self::Messages => "event: ping\ndata: {\"type\": \"ping\"}\n\n".to_owned(),
            Self::Lines => {
                let at = waiting.now.to_string();
                let line = if waiting.chat {
                    let message = json!({"role": "assistant", "content": ""});
                    json!({"model": model, "created_at": at, "message": message, "done": false})
                } else {
                    json!({"model": model, "created_at": at, "response": "", "done": false})
                };
                format!("{line}\n")
            }
            Self::Responses | Self::Comments => format!(": waiting for approval {}\n\n", waiting.hold),
        })
    }
}

/// What keep-alives are made of.
pub(super) struct Words<'a> {
    pub(super) query: String,
    pub(super) hold: String,
    pub(super) model: &'a str,
    pub(super) chat: bool,
    pub(super) now: Timestamp,
}

#[cfg(test)]
mod tests;
