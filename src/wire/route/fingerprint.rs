//! How a server is told from the others by what it answers to a harmless `GET`. Data and a pure comparison; whoever
//! probes an upstream walks the list in order and believes the first that holds.

use super::Server;

/// Most of an answer that is looked at: what identifies a server stands at the beginning of small documents.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;

/// What in an answer identifies a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// A response header with this value at its beginning.
    Header {
        /// Its name, lower case.
        name: &'static str,
        /// Its beginning.
        value: &'static str,
    },
    /// A body with all these pieces, white space left out.
    Body(&'static [&'static str]),
}

/// One way to know a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// The server.
    pub server: Server,
    /// What to `GET`.
    pub path: &'static str,
    /// What the answer, of status 200, must hold.
    pub evidence: Evidence,
}

/// All ways, the most telling first; paths repeat, so an answer should be fetched once.
#[must_use]
pub const fn fingerprints() -> &'static [Fingerprint] {
    FINGERPRINTS
}

const fn body(server: Server, path: &'static str, pieces: &'static [&'static str]) -> Fingerprint {
    Fingerprint { server, path, evidence: Evidence::Body(pieces) }
}

const FINGERPRINTS: &[Fingerprint] = &[
    Fingerprint {
        server: Server::Llamacpp,
        path: "/v1/models",
        evidence: Evidence::Header { name: "server", value: "llama.cpp" },
    },
    body(Server::Llamacpp, "/v1/models", &["\"owned_by\":\"llamacpp\""]),
    body(Server::Vllm, "/v1/models", &["\"owned_by\":\"vllm\""]),
    body(Server::Sglang, "/v1/models", &["\"owned_by\":\"sglang\""]),
    body(Server::Ollama, "/", &["Ollamaisrunning"]),
    body(Server::Tgi, "/info", &["\"docker_label\"", "\"model_id\""]),
    body(Server::Tgi, "/info", &["\"max_concurrent_requests\"", "\"model_id\""]),
    body(Server::Kserve, "/v2", &["\"name\":\"triton\""]),
    body(Server::Kserve, "/v2", &["\"name\":", "\"extensions\":["]),
    body(Server::Llamacpp, "/props", &["\"default_generation_settings\""]),
    body(Server::Sglang, "/get_model_info", &["\"model_path\"", "\"is_generation\""]),
];

impl Fingerprint {
    /// Whether an answer of status 200 to `GET` [`Fingerprint::path`] identifies the server.
    pub fn holds<'h>(&self, headers: impl IntoIterator<Item = (&'h str, &'h [u8])>, body: &[u8]) -> bool {
        match self.evidence {
            Evidence::Header { name, value } => headers
                .into_iter()
                .any(|(given, text)| given.eq_ignore_ascii_case(name) && text.starts_with(value.as_bytes())),
            Evidence::Body(pieces) => {
                let seen = body.iter().take(ANSWER_BYTES_MAX).filter(|byte| !byte.is_ascii_whitespace());
                let dense: Vec<u8> = seen.copied().collect();
                pieces.iter().all(|piece| memchr::memmem::find(&dense, piece.as_bytes()).is_some())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, headers: &[(&str, &[u8])], body: &str, expected: Option<Server>) {
        let found = fingerprints().iter().filter(|f| f.path == path);
        let found = found.clone().find(|f| f.holds(headers.iter().copied(), body.as_bytes()));
        assert_eq!(found.map(|f| f.server), expected, "{path} {body}");
    }

    #[test]
    fn servers_are_told_apart_by_their_answers() {
        let vllm = r#"{"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "vllm"}]}"#;
        check("/v1/models", &[], vllm, Some(Server::Vllm));
        check("/v1/models", &[], &vllm.replace("vllm", "sglang"), Some(Server::Sglang));
        check("/v1/models", &[], &vllm.replace("vllm", "llamacpp"), Some(Server::Llamacpp));
        check("/v1/models", &[("Server", b"llama.cpp")], &vllm.replace("vllm", "x"), Some(Server::Llamacpp));
        check("/v1/models", &[], &vllm.replace("vllm", "library"), None);
        check("/", &[], "Ollama is running", Some(Server::Ollama));
        check("/", &[], "It works", None);
        check("/info", &[], r#"{"model_id":"m","docker_label":"sha"}"#, Some(Server::Tgi));
        check("/v2", &[], r#"{"name":"triton","version":"2","extensions":["classification"]}"#, Some(Server::Kserve));
        check("/get_model_info", &[], r#"{"model_path":"m","is_generation":true}"#, Some(Server::Sglang));
        check("/props", &[], r#"{"default_generation_settings":{}}"#, Some(Server::Llamacpp));
    }

    #[test]
    fn every_fingerprint_asks_for_a_route_that_passes() {
        for f in fingerprints() {
            assert_eq!(super::super::route(f.server, "GET", f.path, None), super::super::Route::Pass, "{}", f.path);
        }
    }
}
