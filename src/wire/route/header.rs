//! Which request headers go on to a server. Everything not named is dropped: adapter and method-override headers
//! (`X-Amzn-SageMaker-*`, `X-HTTP-Method-Override`), rank and session headers (`X-Data-Parallel-Rank`), conditions,
//! ranges, encodings and hop-by-hop headers never arrive. The gate writes `Host` and `Content-Length` itself.

use super::Server;

/// What becomes of a request header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderUse {
    /// It is sent on as it came.
    Forward,
    /// It is left out.
    Drop,
}

/// Headers that no server reads as part of the query, but for the key to the server itself.
const COMMON: &[&str] = &[
    "accept",
    "accept-language",
    "anthropic-beta",
    "anthropic-version",
    "authorization",
    "baggage",
    "content-type",
    "openai-beta",
    "openai-organization",
    "openai-project",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-api-key",
    "x-client-request-id",
    "x-request-id",
];

/// The telemetry of the OpenAI and Anthropic SDKs.
const COMMON_PREFIX: &str = "x-stainless-";

const fn additions(server: Server) -> &'static [&'static str] {
    match server {
        Server::Ollama => &["x-requested-with"],
        Server::Vllm => &["x-correlation-id"],
        Server::Kserve => &["triton-request-id"],
        Server::Openai => &["http-referer", "x-title"],
        Server::Llamacpp | Server::Tgi | Server::Sglang => &[],
    }
}

/// What becomes of the header `name` of a request to `server`. Case does not matter.
#[must_use]
pub fn header_use(server: Server, name: &str) -> HeaderUse {
    // Most are told apart by their length alone.
    let same = |known: &str| known.len() == name.len() && known.eq_ignore_ascii_case(name);
    let named = |list: &[&str]| list.iter().any(|known| same(known));
    let prefixed = name.get(..COMMON_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(COMMON_PREFIX));
    if named(COMMON) || prefixed || named(additions(server)) { HeaderUse::Forward } else { HeaderUse::Drop }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_change_what_a_server_does_are_dropped() {
        for server in Server::ALL {
            for name in [
                "X-Amzn-SageMaker-Adapter-Identifier",
                "X-Amzn-SageMaker-Session-Id",
                "X-data-parallel-rank",
                "X-HTTP-Method-Override",
                "X-Method-Override",
                "X-Original-URL",
                "X-Rewrite-URL",
                "X-Forwarded-For",
                "Inference-Header-Content-Length",
                "Content-Encoding",
                "Accept-Encoding",
                "Transfer-Encoding",
                "Connection",
                "Upgrade",
                "Cookie",
                "Range",
                "Last-Event-ID",
                "Idempotency-Key",
                "x-stainles",
                "",
                "ſtainless",
            ] {
                assert_eq!(header_use(server, name), HeaderUse::Drop, "{name}");
            }
        }
    }

    #[test]
    fn headers_of_honest_clients_go_on() {
        for server in Server::ALL {
            for name in ["Content-Type", "AUTHORIZATION", "anthropic-version", "X-Stainless-Retry-Count", "traceparent"]
            {
                assert_eq!(header_use(server, name), HeaderUse::Forward, "{name}");
            }
        }
        assert_eq!(header_use(Server::Ollama, "X-Requested-With"), HeaderUse::Forward);
        assert_eq!(header_use(Server::Tgi, "X-Requested-With"), HeaderUse::Drop);
    }
}
