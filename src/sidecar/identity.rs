//! Who asks: a signed token, an API key, a trusted proxy's word, or nobody in particular.
//!
//! # Guarantees
//! * A credential that is bad is refused; it never makes its bearer anonymous.
//! * A credential that the gate used is not forwarded; one that it has no use for is the upstream's own business.
//! * Headers that name a user count only when they come from a trusted proxy's address.
//!
//! Knows nothing of policies or of what is asked.

mod fetch;
mod jwt;
mod keys;
mod proxy;

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use jiff::Timestamp;

use super::refusal::Refusal;

pub use fetch::JwksUrl;
pub(super) use fetch::{allowed, keep_fresh};
pub use jwt::{Jwks, JwksParse, JwtSettings};
pub use keys::{ApiKeys, ApiKeysParse};
pub use proxy::{Network, NetworkParse, TrustedProxy};

/// `x-api-key` of Anthropic's SDKs.
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// `api-key` of Azure's.
const API_KEY: HeaderName = HeaderName::from_static("api-key");
/// Headers that hold a bare key.
const KEY_HEADERS: [HeaderName; 2] = [X_API_KEY, API_KEY];

/// How callers prove who they are. Nothing configured: everybody is anonymous.
#[derive(Debug, Clone, Default)]
pub struct IdentitySettings {
    /// Signed tokens.
    pub jwt: Option<JwtSettings>,
    /// API keys.
    pub api_keys: Option<Arc<ApiKeys>>,
    /// A proxy that authenticates callers; stand-alone only.
    pub trusted_proxy: Option<TrustedProxy>,
    /// What happens to callers who prove nothing.
    pub anonymous: Anonymous,
}

/// What happens to callers who prove nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Anonymous {
    /// They may ask; policies see no user.
    #[default]
    Allowed,
    /// They are refused.
    Refused,
}

/// How a caller proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    Jwt,
    ApiKey,
    TrustedProxy,
    Nothing,
}

impl Proof {
    /// The word in records.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::ApiKey => "api-key",
            Self::TrustedProxy => "trusted-proxy",
            Self::Nothing => "anonymous",
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) user: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) proof: Proof,
}

impl Identity {
    pub(super) const fn anonymous() -> Self {
        Self { user: None, groups: Vec::new(), proof: Proof::Nothing }
    }
}

/// Finds out who asks, and takes the credentials that were used, and every header that claims an identity, out of
/// `headers`.
pub(super) fn identify(
    settings: &IdentitySettings,
    peer: IpAddr,
    headers: &mut HeaderMap,
    now: Timestamp,
) -> Result<Identity, Refusal> {
    let vouched = settings.trusted_proxy.as_ref().and_then(|proxy| proxy.take(peer, headers));
    let identity = match by_credential(settings, headers, now)? {
        Some(identity) => identity,
        None => vouched.unwrap_or_else(Identity::anonymous),
    };
    if identity.user.is_none() && settings.anonymous == Anonymous::Refused {
        return Err(Refusal::IdentityRequired);
    }
    Ok(identity)
}

fn by_credential(
    settings: &IdentitySettings,
    headers: &mut HeaderMap,
    now: Timestamp,
) -> Result<Option<Identity>, Refusal> {
    if let Some(token) = bearer(headers)? {
        if let Some(jwt) = settings.jwt.as_ref().filter(|_| jwt::looks_like_one(&token)) {
            let identity = jwt.verify(&token, now)?;
            headers.remove(AUTHORIZATION);
            settings.api_keys.as_ref().map_or(Ok(()), |keys| only_one(keys, headers))?;
            return Ok(Some(identity));
        }
        if let Some(keys) = &settings.api_keys {
            let identity = keys.find(token.as_bytes()).ok_or(Refusal::Credential("the API key is not known"))?;
            headers.remove(AUTHORIZATION);
            only_one(keys, headers)?;
            return Ok(Some(identity));
        }
    }
    let Some(keys) = &settings.api_keys else { return Ok(None) };
    for name in KEY_HEADERS {
        if let Some(value) = single(headers, &name)? {
            let identity = keys.find(value.as_bytes()).ok_or(Refusal::Credential("the API key is not known"))?;
            headers.remove(&name);
            only_one(keys, headers)?;
            return Ok(Some(identity));
        }
    }
    Ok(None)
}

/// Refuses a second key of ours beside the one that was used: it would go upstream. Other keys are the upstream's.
fn only_one(keys: &ApiKeys, headers: &HeaderMap) -> Result<(), Refusal> {
    let ours = |name: &HeaderName| headers.get_all(name).iter().any(|value| keys.find(value.as_bytes()).is_some());
    if KEY_HEADERS.iter().any(ours) { Err(Refusal::Credential("it is given twice")) } else { Ok(()) }
}

/// The one value of a header; two values are two opinions.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(Refusal::Credential("it is given twice")) } else { Ok(first) }
}

fn bearer(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = single(headers, &AUTHORIZATION)? else { return Ok(None) };
    let Ok(text) = value.to_str() else { return Err(Refusal::Credential("it is not plain text")) };
    // `Bearer`, a tab and a key, or the two run together: lenient servers read it, so it must not pass for nobody's.
    let meant = text.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"));
    let spaced = text.contains(' ') && !text.contains('\t');
    if meant && !spaced {
        return Err(Refusal::Credential("it is not `Bearer`, a space and a token"));
    }
    let Some((scheme, token)) = text.split_once(' ') else { return Ok(None) };
    Ok(scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned()))
}

#[cfg(test)]
mod tests;
