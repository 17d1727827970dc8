//! What a receiver gets: the body, a contract, and its signature.
//!
//! Must not know how it travels. Guarantees that no text of a query is in it.

use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use serde::Serialize;
use sha2::Sha256;

use super::group::Batch;
use crate::base::{Digest, QueryId};
use crate::rules::Verdict;

/// The header that carries the signature: `t=<Unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`.
pub const SIGNATURE_HEADER: &str = "countersign-signature";

/// One message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    /// The same in every attempt to deliver it.
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    route: &'a str,
    query: QueryId,
    caller: &'a str,
    policy: &'a str,
    rule: &'a str,
    matcher: &'a str,
    place: &'a str,
    verdict: Verdict,
    audit_only: bool,
    count: u64,
    first: Timestamp,
    last: Timestamp,
    suppressed: u64,
}

/// The body of the message about `batch`.
pub(super) fn body(route: &str, batch: &Batch) -> Vec<u8> {
    let alert = &batch.latest;
    let named = format!("{route}\n{}\n{}", alert.query, batch.number);
    let message = Message {
        id: hex::encode(Digest::of(named.as_bytes()).as_bytes()).split_off(32),
        kind: "alert",
        route,
        query: alert.query,
        caller: &alert.caller,
        policy: &alert.policy,
        rule: &alert.rule,
        matcher: &alert.matcher,
        place: &alert.place,
        verdict: alert.verdict,
        audit_only: alert.audit_only,
        count: batch.count,
        first: batch.first,
        last: alert.at,
        suppressed: batch.suppressed,
    };
    serde_json::to_vec(&message).expect("texts, numbers and times are JSON")
}

fn mac(secret: &[u8], at: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(at.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

/// The value of [`SIGNATURE_HEADER`] for `body` at the time `at`.
#[must_use]
pub fn sign(secret: &[u8], at: Timestamp, body: &[u8]) -> String {
    let at = at.as_second();
    format!("t={at},v1={}", hex::encode(mac(secret, at, body).finalize().into_bytes()))
}

/// Why a message is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFailure {
    /// The header is not a signature.
    #[error("expected `t=<seconds>,v1=<hex>`")]
    Shape,
    /// It is older or newer than allowed: a replay, or a clock that is wrong.
    #[error("the signature's time is too far from now")]
    Time,
    /// It is for another body or by another secret.
    #[error("the signature does not match")]
    Wrong,
}

/// Checks the signature of a received message; what a receiver does, and an example of how.
///
/// ```
/// use countersign::standalone::alerts::{sign, verify_signature};
///
/// let (secret, body) = (b"0123456789abcdef", br#"{"type":"alert"}"#);
/// let now: jiff::Timestamp = "2026-11-23T06:00:00Z".parse()?;
/// let header = sign(secret, now, body);
/// assert!(verify_signature(secret, &header, body, now, 300).is_ok());
/// assert!(verify_signature(secret, &header, b"other", now, 300).is_err());
/// # Ok::<(), jiff::Error>(())
/// ```
pub fn verify_signature(
    secret: &[u8],
    header: &str,
    body: &[u8],
    now: Timestamp,
    age_seconds_max: u64,
) -> Result<(), SignatureFailure> {
    let field = |name: &str| header.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    let at: i64 = field("t").and_then(|t| t.parse().ok()).ok_or(SignatureFailure::Shape)?;
    let tag = field("v1").and_then(|v| hex::decode(v).ok()).ok_or(SignatureFailure::Shape)?;
    mac(secret, at, body).verify_slice(&tag).map_err(|_| SignatureFailure::Wrong)?;
    if now.as_second().abs_diff(at) > age_seconds_max { Err(SignatureFailure::Time) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_hmac_sha256_of_time_dot_body() {
        // RFC 4231 has no such input; computed with `printf '1.{}' | openssl dgst -sha256 -hmac 0123456789abcdef`.
        let header = sign(b"0123456789abcdef", Timestamp::from_second(1).unwrap(), b"{}");
        assert_eq!(header, "t=1,v1=2af693cb56b22c16912222aeefdc75a01de562bf70ee2015f41ecea48382997f");
    }

    #[test]
    fn another_secret_body_or_time_is_refused() {
        let at = Timestamp::from_second(1_000).unwrap();
        let header = sign(b"secret", at, b"{}");
        let check = |secret: &[u8], header: &str, body: &[u8], second| {
            verify_signature(secret, header, body, Timestamp::from_second(second).unwrap(), 300)
        };
        assert_eq!(check(b"secret", &header, b"{}", 1_300), Ok(()));
        assert_eq!(check(b"secret", &header, b"{}", 1_301), Err(SignatureFailure::Time));
        assert_eq!(check(b"other", &header, b"{}", 1_000), Err(SignatureFailure::Wrong));
        assert_eq!(check(b"secret", &header, b"{ }", 1_000), Err(SignatureFailure::Wrong));
        assert_eq!(check(b"secret", &header.replace("t=1000", "t=1001"), b"{}", 1_000), Err(SignatureFailure::Wrong));
        assert_eq!(check(b"secret", "v1=00", b"{}", 1_000), Err(SignatureFailure::Shape));
    }
}
