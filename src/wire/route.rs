//! Route tables: what a request line means on each model server.

use super::Format;

/// A model server whose routes are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Server {
    /// vLLM.
    Vllm,
    /// Ollama.
    Ollama,
    /// llama.cpp's server.
    Llamacpp,
    /// Text Generation Inference.
    Tgi,
    /// SGLang.
    Sglang,
    /// KServe runtimes and Triton.
    Kserve,
    /// Any other server that speaks the OpenAI or Anthropic interface.
    Openai,
}

/// What a request line means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// A query: judge its body by this format.
    Judge(Format),
    /// Health or listing: carries no query, passes.
    Pass,
    /// Not let through.
    Refuse(RouteRefusal),
}

/// Why a request line is refused before its body is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteRefusal {
    /// No route of this server.
    Unknown,
    /// Administration: needs a policy that allows the route.
    Administration,
    /// The server's memory of earlier queries.
    State,
    /// A known route with another method.
    Method,
    /// A path with more than one spelling (`//`, `%2f`, `;`, `..`, a trailing slash).
    Path,
    /// A query parameter that is not on the server's list.
    Parameter,
    /// A protocol no decoder exists for: WebSocket, gRPC, multipart.
    Protocol,
}

/// What `method` on `path` with the parameters `query` means on `server`.
#[must_use]
pub fn route(_server: Server, _method: &str, _path: &str, _query: Option<&str>) -> Route {
    Route::Refuse(RouteRefusal::Unknown)
}
