//! Every refusal that a client can meet, one of each code: for documentation, and for tests that must not miss one.
//!
//! Knows nothing that [`super::Refusal`] does not say itself; a test holds that no code is left out.

use std::time::Duration;

use jiff::Timestamp;

use super::{Again, EncodingRefusal, NotOffered, Refusal, Retry, Violation};
use crate::base::HoldId;
use crate::base::limits::BODY_BYTES_MAX;
use crate::rules::{Denial, DenialCode};
use crate::wire::{DecodeError, RouteRefusal};

/// What a client is told in one kind of refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldRefusal {
    /// The word that never changes.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What `x-should-retry` says, if anything.
    pub should_retry: Option<bool>,
    /// An example of the message; a rule that denies has its own.
    pub message: String,
}

/// One of each, by code.
#[must_use]
pub fn refusals() -> Vec<ToldRefusal> {
    let mut told: Vec<_> = examples().iter().map(told).collect();
    told.sort_by_key(|told| told.code);
    told
}

fn told(refusal: &Refusal) -> ToldRefusal {
    let should_retry = match refusal.retry() {
        Retry::Never => Some(false),
        Retry::Unsaid => None,
        Retry::After(_) => Some(true),
    };
    ToldRefusal { code: refusal.code(), status: refusal.status().as_u16(), should_retry, message: refusal.message() }
}

fn examples() -> Vec<Refusal> {
    let hold = HoldId::of(Timestamp::UNIX_EPOCH, [0; 10]);
    let mut all = vec![
        Refusal::Framing(Violation::LengthAndChunks),
        Refusal::Framing(Violation::HeadTooLarge),
        Refusal::Upgrade,
        Refusal::Host,
        Refusal::ContentType("a query must be `application/json`"),
        Refusal::Encoding(EncodingRefusal::Unknown),
        Refusal::Encoding(EncodingRefusal::Broken),
        Refusal::BodyTooLarge { bytes_max: BODY_BYTES_MAX },
        Refusal::BodyTimeout,
        Refusal::BodyIncomplete,
        Refusal::Overloaded,
        Refusal::Credential("the token has expired"),
        Refusal::IdentityRequired,
        Refusal::IdentityUnavailable,
        Refusal::BodyNotExpected,
        Refusal::NotReady,
        Refusal::Stale,
        Refusal::Unreadable(DecodeError::DuplicateKey { place: "messages[0]".to_owned(), at: 29 }),
        Refusal::NotOffered(NotOffered::Model),
        Refusal::NotOffered(NotOffered::Adapter),
        Refusal::AuditUnavailable,
        Refusal::ApprovalPending { hold, retry_after: Duration::from_mins(1), again: Again::Conflict },
        Refusal::ApprovalDenied(hold),
        Refusal::ApprovalExpired(hold),
        Refusal::ApprovalCancelled(hold),
        Refusal::ApprovalMuted(hold),
        Refusal::ApprovalRevoked(hold),
        Refusal::ApprovalUnknown,
        Refusal::CallbackNotAllowed,
        Refusal::NotReleased(hold),
        Refusal::UnknownChain("models/owners".to_owned()),
        Refusal::ApprovalUnavailable,
        Refusal::NobodyToAsk,
        Refusal::TooManyHeld,
        Refusal::UpstreamFailed,
        Refusal::UpstreamTimeout,
    ];
    all.extend(RouteRefusal::ALL.map(Refusal::Route));
    all.extend(DenialCode::ALL.map(|code| Refusal::Denied(denial(code))));
    all
}

fn denial(code: DenialCode) -> Denial {
    let message = match code {
        DenialCode::PolicyDenied => "the rule's own message",
        DenialCode::NotCovered => "what cannot be judged, and where",
        DenialCode::NoPolicy => "no policy applies to this workload",
        DenialCode::JudgingFailed => "which rule could not be judged",
        DenialCode::RedactionFailed => "redaction left text that must not pass",
    };
    Denial { code, message: message.to_owned(), policy: None, rule: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts in quotes between two marks of a source.
    fn quoted<'a>(source: &'a str, from: &str, to: &str) -> Vec<&'a str> {
        let start = source.find(from).unwrap();
        let body = &source[start..start + source[start..].find(to).unwrap()];
        body.split('"').skip(1).step_by(2).collect()
    }

    #[test]
    fn no_code_is_left_out_or_told_twice() {
        let told: Vec<_> = refusals().into_iter().map(|told| told.code).collect();
        assert!(told.windows(2).all(|pair| pair[0] != pair[1]), "{told:?}");
        let source = include_str!("../refusal.rs");
        let mut expected = quoted(source, "const fn code(", "/// The same word for dashboards");
        expected.extend(RouteRefusal::ALL.map(RouteRefusal::code));
        expected.extend(DenialCode::ALL.map(DenialCode::name));
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(told, expected);
    }
}
