//! Routes of Ollama (`server/routes.go`). Data only.

use super::table::{Row, admin, judge, pass, protocol, state};
use crate::wire::Format;

pub(super) const ROWS: &[Row] = &[
    judge("/api/chat", Format::OllamaChat),
    judge("/api/generate", Format::OllamaGenerate),
    judge("/api/embed", Format::OllamaEmbed),
    judge("/api/embeddings", Format::OllamaEmbed),
    judge("/v1/chat/completions", Format::OpenaiChat),
    judge("/v1/completions", Format::OpenaiCompletions),
    judge("/v1/embeddings", Format::OpenaiEmbeddings),
    judge("/v1/responses", Format::OpenaiResponses),
    judge("/v1/messages", Format::AnthropicMessages).with(&["beta"]),
    protocol("/v1/audio/transcriptions"),
    protocol("/v1/images/generations"),
    protocol("/v1/images/edits"),
    state("/v1/responses/{id}"),
    pass("/"),
    pass("/api/version"),
    pass("/api/status"),
    pass("/api/tags"),
    pass("/api/ps"),
    pass("/v1/models"),
    pass("/v1/models/{model}"),
    pass("/v1/models/{owner}/{name}"),
    // Models are fetched, sent away, made, aliased and removed here; `show` tells the system prompt baked into one.
    admin("/api/pull"),
    admin("/api/push"),
    admin("/api/create"),
    admin("/api/copy"),
    admin("/api/delete"),
    admin("/api/show"),
    admin("/api/blobs/{digest}"),
    // Accounts, and requests that the server makes to the outside.
    admin("/api/me"),
    admin("/api/signout"),
    admin("/api/user/keys/{key}"),
    admin("/api/experimental/web_search"),
    admin("/api/experimental/web_fetch"),
    admin("/api/experimental/model-recommendations"),
    admin("/api/experimental/{*}"),
];
