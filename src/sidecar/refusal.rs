//! The one place where a refusal becomes an HTTP answer: status, stable code, message, and the shape of the API spoken.
//!
//! Guarantees that every refusal has an answer (the matches have no catch-all), that a final one says
//! `x-should-retry: false`, and that no answer shows a rule's pattern or a query's text. Knows nothing of how it came
//! to the refusal.

mod catalogue;
mod shape;

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, LINK, RETRY_AFTER};
use http::{Response, StatusCode};

use super::encoding::EncodingRefusal;
use super::framing::Violation;
use super::offered::NotOffered;
use super::settings::Again;
use super::status;
use crate::audit::Outcome;
use crate::base::{HoldId, QueryId};
use crate::rules::Denial;
use crate::telemetry::Label;
use crate::wire::{DecodeError, ErrorStyle, RouteRefusal};

pub use catalogue::{ToldRefusal, refusals};
pub(super) use shape::{Told, event};

/// The header that names the query in every answer.
pub(super) const QUERY_ID: &str = "countersign-query-id";
/// The header that names the approval a client waits for, and by which an anonymous client joins its own hold again.
pub(super) const APPROVAL_ID: &str = "countersign-approval-id";

/// Why a query is not forwarded, or not answered.
#[derive(Debug, Clone)]
pub(super) enum Refusal {
    /// Broken framing.
    Framing(Violation),
    /// An upgrade to another protocol was asked for.
    Upgrade,
    /// No `Host`, or two different ones.
    Host,
    /// The route table says no.
    Route(RouteRefusal),
    /// The content type cannot be a query.
    ContentType(&'static str),
    /// The content encoding cannot be undone.
    Encoding(EncodingRefusal),
    /// The body is over the limit.
    BodyTooLarge { bytes_max: usize },
    /// The body came too slowly.
    BodyTimeout,
    /// The body ended before its length.
    BodyIncomplete,
    /// Too much is being read at once.
    Overloaded,
    /// A credential that does not hold.
    Credential(&'static str),
    /// Nobody in particular asks, and the gate wants to know.
    IdentityRequired,
    /// Credentials cannot be checked now.
    IdentityUnavailable,
    /// A body on a route that has none.
    BodyNotExpected,
    /// No rule set was loaded yet.
    NotReady,
    /// Nothing was heard for longer than the rule set may be judged by.
    Stale,
    /// The body is not a query of its format.
    Unreadable(DecodeError),
    /// The workload does not offer the model.
    NotOffered(NotOffered),
    /// The engine says no.
    Denied(Denial),
    /// The record cannot be written.
    AuditUnavailable,
    /// People have not decided yet.
    ApprovalPending { hold: HoldId, retry_after: Duration, again: Again },
    /// People said no.
    ApprovalDenied(HoldId),
    /// Nobody decided in time.
    ApprovalExpired(HoldId),
    /// There is no such approval for this caller.
    ApprovalUnknown,
    /// The client wants to be called back where the gate calls nobody.
    CallbackNotAllowed,
    /// It was withdrawn, or nobody waited for it.
    ApprovalCancelled(HoldId),
    /// A query like it was denied, and people do not want to be asked about such for a while.
    ApprovalMuted(HoldId),
    /// The grant it went by was revoked while it was answered.
    ApprovalRevoked(HoldId),
    /// The release was for other bytes, or is used up.
    NotReleased(HoldId),
    /// A rule names a chain that does not exist.
    UnknownChain(String),
    /// People cannot be asked now.
    ApprovalUnavailable,
    /// Nor at any time, by this gate.
    NobodyToAsk,
    /// Too many wait already.
    TooManyHeld,
    /// The model server cannot be reached, or broke off before it answered.
    UpstreamFailed,
    /// The model server took too long.
    UpstreamTimeout,
}

/// A refusal's code as a label.
#[derive(Debug, Clone, Copy)]
pub(super) struct Code(&'static str);

impl Label for Code {
    fn label(self) -> &'static str {
        self.0
    }
}

/// Whether the same query may fare better later; told to SDKs by `x-should-retry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    Never,
    /// Left to the client's own rules.
    Unsaid,
    After(Duration),
}

impl Refusal {
    /// The word that never changes.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Framing(Violation::HeadTooLarge) => "head_too_large",
            Self::Framing(_) => "framing_broken",
            Self::Upgrade => "upgrade_not_supported",
            Self::Host => "host_required",
            Self::Route(refusal) => refusal.code(),
            Self::ContentType(_) => "content_type_not_supported",
            Self::Encoding(EncodingRefusal::Unknown) => "encoding_not_supported",
            Self::Encoding(EncodingRefusal::Broken) => "encoding_broken",
            Self::Encoding(EncodingRefusal::TooLarge) | Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::BodyIncomplete => "body_incomplete",
            Self::Overloaded => "overloaded",
            Self::Credential(_) => "credential_invalid",
            Self::IdentityRequired => "identity_required",
            Self::IdentityUnavailable => "identity_unavailable",
            Self::BodyNotExpected => "body_not_expected",
            Self::NotReady => "not_ready",
            Self::Stale => "rule_set_stale",
            Self::Unreadable(_) => "query_unreadable",
            Self::NotOffered(NotOffered::Model) => "model_not_offered",
            Self::NotOffered(NotOffered::Adapter) => "adapter_not_offered",
            Self::Denied(denial) => denial.code.name(),
            Self::AuditUnavailable => "audit_unavailable",
            Self::ApprovalPending { .. } => "approval_pending",
            Self::ApprovalDenied(_) => "approval_denied",
            Self::ApprovalExpired(_) => "approval_expired",
            Self::ApprovalCancelled(_) => "approval_cancelled",
            Self::ApprovalMuted(_) => "approval_muted",
            Self::ApprovalRevoked(_) => "approval_revoked",
            Self::ApprovalUnknown => "approval_unknown",
            Self::CallbackNotAllowed => "callback_not_allowed",
            Self::NotReleased(_) => "approval_not_released",
            Self::UnknownChain(_) => "approval_chain_unknown",
            Self::ApprovalUnavailable => "approval_unavailable",
            Self::NobodyToAsk => "approval_not_supported",
            Self::TooManyHeld => "approval_overloaded",
            Self::UpstreamFailed => "upstream_failed",
            Self::UpstreamTimeout => "upstream_timeout",
        }
    }

    /// The same word for dashboards.
    pub(super) const fn label(&self) -> Code {
        Code(self.code())
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Framing(Violation::HeadTooLarge) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Framing(_)
            | Self::Host
            | Self::BodyIncomplete
            | Self::BodyNotExpected
            | Self::CallbackNotAllowed
            | Self::Unreadable(_)
            | Self::Encoding(EncodingRefusal::Broken) => StatusCode::BAD_REQUEST,
            Self::Route(refusal) => route_status(*refusal),
            Self::ContentType(_) | Self::Encoding(EncodingRefusal::Unknown) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Encoding(EncodingRefusal::TooLarge) | Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Overloaded | Self::TooManyHeld | Self::ApprovalPending { again: Again::TooManyRequests, .. } => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::Credential(_) | Self::IdentityRequired => StatusCode::UNAUTHORIZED,
            Self::NotOffered(_) | Self::ApprovalUnknown => StatusCode::NOT_FOUND,
            Self::ApprovalPending { again: Again::Conflict, .. } => StatusCode::CONFLICT,
            Self::Upgrade
            | Self::Denied(_)
            | Self::ApprovalDenied(_)
            | Self::ApprovalExpired(_)
            | Self::ApprovalCancelled(_)
            | Self::ApprovalMuted(_)
            | Self::ApprovalRevoked(_)
            | Self::NotReleased(_)
            | Self::NobodyToAsk
            | Self::UnknownChain(_) => StatusCode::FORBIDDEN,
            Self::IdentityUnavailable
            | Self::NotReady
            | Self::Stale
            | Self::AuditUnavailable
            | Self::ApprovalUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::UpstreamFailed => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// What the client is told.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Framing(violation) => format!("broken HTTP framing: {violation}"),
            Self::Upgrade => "upgrades (WebSocket, h2c) are not supported: their queries cannot be judged".to_owned(),
            Self::Host => "exactly one `Host` is required".to_owned(),
            Self::Route(refusal) => refusal.message().to_owned(),
            Self::ContentType(why) => (*why).to_owned(),
            Self::Encoding(why) => why.to_string(),
            Self::BodyTooLarge { bytes_max } => format!("the body is larger than {bytes_max} bytes"),
            Self::BodyTimeout => "the body came too slowly".to_owned(),
            Self::BodyIncomplete => "the body ended before its announced end".to_owned(),
            Self::Overloaded => "too many queries are being read at once".to_owned(),
            Self::Credential(why) => format!("the credential is not valid: {why}"),
            Self::IdentityRequired => "a credential is required".to_owned(),
            Self::IdentityUnavailable => "credentials cannot be checked at the moment".to_owned(),
            Self::BodyNotExpected => "this route has no body".to_owned(),
            Self::NotReady => "no rule set has been loaded yet".to_owned(),
            Self::Stale => "the gate has not heard from its operator for longer than its rule set may be judged by".to_owned(),
            Self::Unreadable(why) => why.to_string(),
            Self::NotOffered(NotOffered::Model) => "this workload does not offer the model that was named".to_owned(),
            Self::NotOffered(NotOffered::Adapter) => {
                "this workload does not offer the adapter that was named; adapters have to be listed".to_owned()
            }
            Self::Denied(denial) => denial.message.clone(),
            Self::AuditUnavailable => "the audit record cannot be written, so nothing is forwarded".to_owned(),
            Self::ApprovalPending { hold, .. } => {
                format!(
                    "waiting for approval `{hold}`: send the same query again to join it (without a credential, with the \
                     header `{APPROVAL_ID}: {hold}`)"
                )
            }
            Self::ApprovalDenied(hold) => format!("approval `{hold}` was denied"),
            Self::ApprovalExpired(hold) => format!("nobody decided about approval `{hold}` in time"),
            Self::ApprovalCancelled(hold) => format!("approval `{hold}` was cancelled"),
            Self::CallbackNotAllowed => "this gate does not call back to that address".to_owned(),
            Self::ApprovalMuted(hold) => {
                format!(
                    "approval `{hold}` was denied, and queries like it are refused for a time without asking anybody"
                )
            }
            Self::ApprovalRevoked(hold) => format!("the grant from approval `{hold}` was revoked"),
            Self::ApprovalUnknown => "there is no such approval for this caller".to_owned(),
            Self::NotReleased(hold) => format!("approval `{hold}` does not release this query, or was used up"),
            Self::UnknownChain(chain) => format!("approval chain `{chain}` does not exist"),
            Self::ApprovalUnavailable => "approvals are unavailable at the moment".to_owned(),
            Self::NobodyToAsk => {
                "a policy asks for approval, and this gate has nobody to ask: approvals do not reach gates of a cluster yet"
                    .to_owned()
            }
            Self::TooManyHeld => "too many queries are waiting for approval".to_owned(),
            Self::UpstreamFailed => "the model server cannot be reached or broke off".to_owned(),
            Self::UpstreamTimeout => "the model server took too long to answer".to_owned(),
        }
    }

    const fn retry(&self) -> Retry {
        match self {
            Self::ApprovalPending { retry_after, .. } => Retry::After(*retry_after),
            Self::BodyTimeout
            | Self::BodyIncomplete
            | Self::IdentityUnavailable
            | Self::NotReady
            | Self::Stale
            | Self::AuditUnavailable
            | Self::ApprovalUnavailable
            | Self::UpstreamFailed
            | Self::UpstreamTimeout => Retry::Unsaid,
            Self::Framing(_)
            | Self::Upgrade
            | Self::Host
            | Self::Route(_)
            | Self::ContentType(_)
            | Self::Encoding(_)
            | Self::BodyTooLarge { .. }
            | Self::Overloaded
            | Self::BodyNotExpected
            | Self::Credential(_)
            | Self::IdentityRequired
            | Self::Unreadable(_)
            | Self::NotOffered(_)
            | Self::Denied(_)
            | Self::ApprovalDenied(_)
            | Self::ApprovalExpired(_)
            | Self::ApprovalCancelled(_)
            | Self::ApprovalMuted(_)
            | Self::ApprovalRevoked(_)
            | Self::ApprovalUnknown
            | Self::CallbackNotAllowed
            | Self::NotReleased(_)
            | Self::UnknownChain(_)
            | Self::NobodyToAsk
            | Self::TooManyHeld => Retry::Never,
        }
    }

    /// The approval it is about.
    pub(super) const fn hold(&self) -> Option<HoldId> {
        match self {
            Self::ApprovalPending { hold, .. }
            | Self::ApprovalDenied(hold)
            | Self::ApprovalExpired(hold)
            | Self::ApprovalCancelled(hold)
            | Self::ApprovalMuted(hold)
            | Self::ApprovalRevoked(hold)
            | Self::NotReleased(hold) => Some(*hold),
            _ => None,
        }
    }

    /// Whether the connection cannot be used for another query.
    const fn closes(&self) -> bool {
        matches!(
            self,
            Self::Framing(_) | Self::Upgrade | Self::BodyTooLarge { .. } | Self::BodyTimeout | Self::BodyIncomplete
        )
    }

    /// What the record says of it; `None` when the record says enough already.
    pub(super) const fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::ApprovalPending { .. } => None,
            Self::ApprovalExpired(_) => Some(Outcome::Expired),
            Self::ApprovalCancelled(_) => Some(Outcome::Cancelled),
            Self::Denied(_)
            | Self::NotOffered(_)
            | Self::ApprovalDenied(_)
            | Self::ApprovalMuted(_)
            | Self::ApprovalRevoked(_)
            | Self::NotReleased(_) => Some(Outcome::Denied),
            Self::Framing(_)
            | Self::Upgrade
            | Self::Host
            | Self::Route(_)
            | Self::ContentType(_)
            | Self::Encoding(_)
            | Self::BodyTooLarge { .. }
            | Self::BodyTimeout
            | Self::BodyIncomplete
            | Self::Overloaded
            | Self::Credential(_)
            | Self::IdentityRequired
            | Self::IdentityUnavailable
            | Self::BodyNotExpected
            | Self::NotReady
            | Self::Stale
            | Self::Unreadable(_)
            | Self::AuditUnavailable
            | Self::NobodyToAsk
            | Self::UnknownChain(_)
            | Self::ApprovalUnknown
            | Self::CallbackNotAllowed
            | Self::ApprovalUnavailable
            | Self::TooManyHeld
            | Self::UpstreamFailed
            | Self::UpstreamTimeout => Some(Outcome::Rejected),
        }
    }

    /// Whether posture `Observe` lets the query through all the same. Not broken framing; not a tunnel, of which nothing
    /// could be observed; not a body that never came.
    pub(super) const fn may_be_observed(&self) -> bool {
        !matches!(self, Self::Framing(_) | Self::Upgrade | Self::BodyTimeout | Self::BodyIncomplete)
    }

    /// What a client is told, apart from its shape.
    pub(super) fn told(&self, query: QueryId) -> Told {
        Told { status: self.status(), code: self.code(), message: self.message(), query, hold: self.hold() }
    }

    /// The answer.
    pub(super) fn answer(&self, style: ErrorStyle, query: QueryId) -> Response<Bytes> {
        let mut response = Response::new(shape::body(style, &self.told(query)));
        *response.status_mut() = self.status();
        response.extensions_mut().insert(self.told(query));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self.retry() {
            Retry::Never => {
                headers.insert("x-should-retry", HeaderValue::from_static("false"));
            }
            Retry::Unsaid => {}
            Retry::After(wait) => {
                headers.insert("x-should-retry", HeaderValue::from_static("true"));
                headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().clamp(1, 60)));
            }
        }
        let of_hold =
            self.hold().map(|hold| [(HeaderName::from_static(APPROVAL_ID), hold.to_string()), (LINK, link(hold))]);
        for (name, value) in of_hold.into_iter().flatten() {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        if matches!(self, Self::Route(RouteRefusal::Method)) {
            headers.insert(ALLOW, HeaderValue::from_static("POST, GET"));
        }
        if self.closes() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// `Link` to the status of an approval (relation `status`, RFC 8631).
pub(super) fn link(hold: HoldId) -> String {
    format!("<{}>; rel=\"status\"", status::path(hold))
}

const fn route_status(refusal: RouteRefusal) -> StatusCode {
    match refusal {
        RouteRefusal::Unknown => StatusCode::NOT_FOUND,
        RouteRefusal::Administration | RouteRefusal::State | RouteRefusal::Protocol => StatusCode::FORBIDDEN,
        RouteRefusal::Method => StatusCode::METHOD_NOT_ALLOWED,
        RouteRefusal::Path | RouteRefusal::Parameter => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests;
