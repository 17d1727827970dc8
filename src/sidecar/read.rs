//! From an HTTP head and a body to bytes that can be decoded: framing, host, route, content type, encoding.
//!
//! Guarantees that the content type decides nothing but refusals: a body is read by its route's format. Knows nothing
//! of policies.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HOST, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, Method};
use subtle::ConstantTimeEq as _;

use super::body::Source;
use super::encoding::Encoding;
use super::framing::{FRAMING_HEADER, Violation};
use super::refusal::Refusal;
use super::visit::Visit;

/// Checks everything of a head that no rule has a say in.
pub(super) fn head(visit: &Visit) -> Result<(), Refusal> {
    let head = &visit.head;
    framing(&head.headers, &visit.shared.nonce)?;
    let connection = head.headers.get_all(CONNECTION).iter();
    let upgrade = connection.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let upgrade = upgrade.map(<[u8]>::trim_ascii).any(|name| name.eq_ignore_ascii_case(b"upgrade"));
    if upgrade || head.headers.contains_key(UPGRADE) || head.method == Method::CONNECT {
        return Err(Refusal::Upgrade);
    }
    host(head)
}

/// Whether the head is the framing guard's own, which stands for a violation.
fn framing(headers: &HeaderMap, nonce: &str) -> Result<(), Refusal> {
    let value = headers.get(FRAMING_HEADER).and_then(|value| value.to_str().ok());
    let Some((given, word)) = value.and_then(|value| value.split_once(' ')) else { return Ok(()) };
    match Violation::of_word(word) {
        Some(violation) if bool::from(given.as_bytes().ct_eq(nonce.as_bytes())) => Err(Refusal::Framing(violation)),
        _ => Ok(()),
    }
}

/// Exactly one host; over HTTP/2 `:authority` and `host` must be the same.
fn host(head: &Parts) -> Result<(), Refusal> {
    let authority = head.uri.authority().map(|authority| authority.as_str().as_bytes());
    let mut named = head.headers.get_all(HOST).iter().map(http::HeaderValue::as_bytes);
    let host = named.next();
    let agreed = match (authority, host) {
        (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host),
        (Some(one), None) | (None, Some(one)) => !one.is_empty(),
        (None, None) => false,
    };
    if agreed && named.next().is_none() { Ok(()) } else { Err(Refusal::Host) }
}

/// The body as it is to be judged: whole, without its content encoding. Refuses what can be refused before anything
/// is read, so that `Expect: 100-continue` is answered only for a body that is wanted.
pub(super) async fn body(visit: &mut Visit, source: &mut Source) -> Result<Bytes, Refusal> {
    let encodings = visit.head.headers.get_all(CONTENT_ENCODING).iter().map(http::HeaderValue::as_bytes);
    let encoding = Encoding::of(encodings).map_err(Refusal::Encoding)?;
    let limits = &visit.shared.settings.limits;
    let body = source.read(limits, &mut visit.reserved).await?;
    visit.read_at = Some(visit.monotonic());
    visit.entry.body_bytes = body.len() as u64;
    let Some(encoding) = encoding else { return Ok(body) };
    let decoded = encoding.undo(&body, limits.body_bytes_max).map_err(Refusal::Encoding)?;
    visit.reserved.grow(body.len() + decoded.len(), limits.bytes_in_flight_max)?;
    visit.entry.body_bytes = decoded.len() as u64;
    visit.decoded = true;
    Ok(decoded)
}

/// How content types of several parts begin.
const MULTIPART: &str = "multipart/";

/// What a content type may not be. Everything else is read by the route, whatever it is called.
pub(super) fn content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let Some(value) = values.next() else { return Ok(()) };
    if values.next().is_some() {
        return Err(Refusal::ContentType("more than one content type is given"));
    }
    let text = value.to_str().map_err(|_| Refusal::ContentType("the content type is not plain text"))?;
    let mut pieces = text.split(';').map(str::trim);
    let media = pieces.next().unwrap_or_default();
    if media.get(..MULTIPART.len()).is_some_and(|start| start.eq_ignore_ascii_case(MULTIPART)) {
        return Err(Refusal::ContentType("multipart bodies cannot be judged"));
    }
    for (name, value) in pieces.filter_map(|piece| piece.split_once('=')) {
        let charset = value.trim().trim_matches('"');
        if name.trim().eq_ignore_ascii_case("charset")
            && !["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known))
        {
            return Err(Refusal::ContentType("only the charset utf-8 can be judged"));
        }
    }
    Ok(())
}

/// Whether a body is announced as a form; `curl -d` says so of JSON as well.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
}
