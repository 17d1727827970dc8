//! Route tables: what a request line means on each model server.
//!
//! # Flow
//! [`route`] checks that the path has one spelling only, finds the row of the server's table, then looks at the method
//! and the query parameters. [`header_use`] says which request headers go on to the server, [`error_style`] what an
//! error must look like to the client of a path, [`canonical_model`] what a model name means, [`fingerprints`] how a
//! server is told from the others.
//!
//! # Guarantees
//! * What no row names is refused: path, method, parameter and header alike. `GET` is not safe by itself.
//! * Two spellings that a server might take for the same path are never both let through.
//!
//! Knows nothing of bodies, connections or policies: which administration routes a policy allows is for the gate.

mod fingerprint;
mod header;
mod kserve;
mod llamacpp;
mod model;
mod ollama;
mod openai;
mod sglang;
mod style;
mod table;
mod tgi;
mod vllm;

pub use fingerprint::{ANSWER_BYTES_MAX, Evidence, Fingerprint, fingerprints};
pub use header::{HeaderUse, header_use};
pub use model::{ModelName, canonical_model};
pub use style::{ErrorStyle, error_style};
pub use table::{Methods, Row};

use super::Format;

/// Longest path that is looked at: the longest row has about 60 characters, model names and ids take the rest.
const PATH_BYTES_MAX: usize = 512;
/// Longest query string: the longest row takes three short parameters.
const PARAMETERS_BYTES_MAX: usize = 256;

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

impl Server {
    /// All servers.
    pub const ALL: [Self; 7] =
        [Self::Vllm, Self::Ollama, Self::Llamacpp, Self::Tgi, Self::Sglang, Self::Kserve, Self::Openai];

    /// The name used on the command line, in records and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vllm => "vllm",
            Self::Ollama => "ollama",
            Self::Llamacpp => "llamacpp",
            Self::Tgi => "tgi",
            Self::Sglang => "sglang",
            Self::Kserve => "kserve",
            Self::Openai => "openai",
        }
    }
}

/// What a request line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// A query: judge its body by this format.
    Judge(Format),
    /// Health or listing: carries no query, passes.
    Pass,
    /// Not let through.
    Refuse(RouteRefusal),
}

/// Why a request line is refused before its body is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl RouteRefusal {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Unknown, Self::Administration, Self::State, Self::Method, Self::Path, Self::Parameter, Self::Protocol];

    /// The word that clients, records and tests of policies know it by; never changed.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "route_unknown",
            Self::Administration => "route_administration",
            Self::State => "route_state",
            Self::Method => "method_not_allowed",
            Self::Path => "path_not_normal",
            Self::Parameter => "parameter_not_allowed",
            Self::Protocol => "protocol_not_supported",
        }
    }

    /// What clients are told.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Unknown => "this route is not one that can be judged, so it is refused",
            Self::Administration => "administration routes are refused unless a policy allows them",
            Self::State => "routes to what the server remembers are refused unless a policy allows them",
            Self::Method => "the route does not have this method",
            Self::Path => "the path is not in its normal form",
            Self::Parameter => "a query parameter is not one that is known for this route",
            Self::Protocol => "the protocol of this route (WebSocket, gRPC, multipart) cannot be judged",
        }
    }
}

/// What `method` on `path` with the parameters `query` (without `?`; `None` when the target has none) means on `server`.
#[must_use]
pub fn route(server: Server, method: &str, path: &str, query: Option<&str>) -> Route {
    if !table::one_spelling(path) {
        return Route::Refuse(RouteRefusal::Path);
    }
    let rows = routes_named(server);
    let Some(first) = rows.iter().find(|row| row.matches(path)) else {
        return Route::Refuse(RouteRefusal::Unknown);
    };
    let Some(row) = rows.iter().find(|row| row.pattern == first.pattern && row.methods.hold(method)) else {
        return Route::Refuse(RouteRefusal::Method);
    };
    if matches!(row.meaning, Route::Refuse(_)) || row.takes(query) {
        row.meaning
    } else {
        Route::Refuse(RouteRefusal::Parameter)
    }
}

/// Every row of a server's table, most specific pattern first: what [`route`] reads, what documentation lists.
#[must_use]
pub fn routes_named(server: Server) -> &'static [Row] {
    match server {
        Server::Vllm => vllm::ROWS,
        Server::Ollama => ollama::ROWS,
        Server::Llamacpp => llamacpp::ROWS,
        Server::Tgi => tgi::ROWS,
        Server::Sglang => sglang::ROWS,
        Server::Kserve => kserve::ROWS,
        Server::Openai => openai::ROWS,
    }
}

/// The model that the path itself names (`/v2/models/{model}/infer`); `None` where the body does.
#[must_use]
pub fn path_model(server: Server, path: &str) -> Option<&str> {
    if !table::one_spelling(path) {
        return None;
    }
    routes_named(server).iter().find(|row| row.matches(path))?.model(path)
}

#[cfg(test)]
mod tests;
