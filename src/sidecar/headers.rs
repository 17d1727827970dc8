//! Which headers travel, and in which direction: an allow-list towards the model server, a strip-list back.
//!
//! Guarantees that no hop-by-hop header crosses the gate either way, and that nothing claims an identity or a framing
//! upstream. Knows nothing of values but that they are plain text.

use http::HeaderMap;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};

use super::refusal::{APPROVAL_ID, QUERY_ID};
use crate::wire::{self, HeaderUse, Server};

/// Headers about one connection (RFC 9110, 7.6.1), either way.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a body was judged as, whatever the client called it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyKind {
    /// Judged as JSON: it goes out as JSON.
    Json,
    /// Not judged: it keeps its name.
    AsNamed,
}

/// The headers that go upstream, of those that came.
pub(super) fn outbound(server: Server, came: HeaderMap, kind: BodyKind) -> HeaderMap {
    let mut out = came;
    let dropped: Vec<HeaderName> = out.keys().filter(|name| !travels(server, name)).cloned().collect();
    for name in &dropped {
        out.remove(name);
    }
    if !out.values().all(is_plain) {
        out = out
            .iter()
            .filter(|(_, value)| is_plain(value))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
    }
    if kind == BodyKind::Json {
        out.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    out
}

fn travels(server: Server, name: &HeaderName) -> bool {
    wire::header_use(server, name.as_str()) == HeaderUse::Forward
}

/// Without a short cut out of the loop, so that it runs on many bytes at a time.
fn is_plain(value: &HeaderValue) -> bool {
    value.as_bytes().iter().fold(true, |all, byte| all & matches!(byte, b'\t' | 0x20..=0x7e))
}

/// Everything that is not about the connection, for posture `Observe`.
pub(super) fn observed(came: HeaderMap) -> HeaderMap {
    let named = named_by_connection(&came);
    let own = ["host", "content-length", "expect", super::framing::FRAMING_HEADER];
    let mut out = came;
    for name in HOP_BY_HOP.iter().copied().chain(own) {
        out.remove(name);
    }
    for name in &named {
        out.remove(name);
    }
    out
}

/// Takes what does not belong to the client out of an answer's head.
pub(super) fn inbound(headers: &mut HeaderMap) {
    let named = named_by_connection(headers);
    let ours = |name: &&HeaderName| {
        let name = name.as_str();
        HOP_BY_HOP.contains(&name) || [QUERY_ID, APPROVAL_ID].contains(&name)
    };
    // Looked for first: most answers have none of them.
    let found: Vec<HeaderName> = headers.keys().filter(ours).cloned().collect();
    for name in &found {
        headers.remove(name);
    }
    for name in &named {
        headers.remove(name);
    }
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}
