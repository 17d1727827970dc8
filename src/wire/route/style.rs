//! What an error body must look like for the client of a path. Works for every path, known or not, so that a refusal
//! has the shape of the interface the client meant.

use super::Server;

/// The shape of an error body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorStyle {
    /// `{"error": {"message", "type", "param", "code"}}`: OpenAI, and the native routes of vLLM, SGLang and llama.cpp.
    Openai,
    /// `{"type": "error", "error": {"type", "message"}, "request_id"}`.
    Anthropic,
    /// `{"error": "message"}`: Ollama.
    Ollama,
    /// `{"error": "message", "error_type": "..."}`: TGI.
    Tgi,
    /// `{"error": "message"}`: KServe and Triton.
    Kserve,
}

/// The shape that a client of `path` on `server` expects.
#[must_use]
pub fn error_style(server: Server, path: &str) -> ErrorStyle {
    let under = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if under("/v1/messages") {
        return ErrorStyle::Anthropic;
    }
    if under("/api") {
        return ErrorStyle::Ollama;
    }
    match server {
        Server::Kserve if under("/openai") => ErrorStyle::Openai,
        Server::Kserve => ErrorStyle::Kserve,
        Server::Tgi | Server::Ollama if under("/v1") => ErrorStyle::Openai,
        Server::Tgi if under("/v2") => ErrorStyle::Kserve,
        Server::Tgi => ErrorStyle::Tgi,
        Server::Ollama => ErrorStyle::Ollama,
        Server::Vllm | Server::Llamacpp | Server::Sglang | Server::Openai => ErrorStyle::Openai,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_shape_of_the_interface_that_was_called() {
        for (server, path, style) in [
            (Server::Vllm, "/v1/chat/completions", ErrorStyle::Openai),
            (Server::Vllm, "/v1/messages", ErrorStyle::Anthropic),
            (Server::Vllm, "/v1/messages/count_tokens", ErrorStyle::Anthropic),
            (Server::Vllm, "/v1/messages_of_mine", ErrorStyle::Openai),
            (Server::Vllm, "/pooling", ErrorStyle::Openai),
            (Server::Ollama, "/api/chat", ErrorStyle::Ollama),
            (Server::Ollama, "/v1/chat/completions", ErrorStyle::Openai),
            (Server::Ollama, "/nowhere", ErrorStyle::Ollama),
            (Server::Sglang, "/api/chat", ErrorStyle::Ollama),
            (Server::Sglang, "/generate", ErrorStyle::Openai),
            (Server::Llamacpp, "/completion", ErrorStyle::Openai),
            (Server::Tgi, "/generate", ErrorStyle::Tgi),
            (Server::Tgi, "/", ErrorStyle::Tgi),
            (Server::Tgi, "/v1/chat/completions", ErrorStyle::Openai),
            (Server::Kserve, "/v2/models/m/infer", ErrorStyle::Kserve),
            (Server::Kserve, "/v1/models/m:predict", ErrorStyle::Kserve),
            (Server::Kserve, "/openai/v1/chat/completions", ErrorStyle::Openai),
        ] {
            assert_eq!(error_style(server, path), style, "{path}");
        }
    }
}
