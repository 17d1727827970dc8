//! Signed tokens, checked against a key set (RFC 7517, 7519): asymmetric algorithms only, issuer, audience and times always.
//!
//! Guarantees that the key decides which algorithms are possible, never the token alone, and that time is the clock passed
//! in. Knows nothing of where keys come from: [`Jwks`] holds the current set and is replaced as a whole.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::Uri;
use jiff::Timestamp;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Validation};
use serde_json::{Map, Value};

use super::{Identity, Proof};
use crate::sidecar::refusal::Refusal;

/// How far clocks may be apart, in seconds.
const SKEW_SECONDS: f64 = 60.0;
/// Longest token: identity providers stay below 8 KB, heads end at 32.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Most groups taken from a token.
const GROUPS_MAX: usize = 1024;

/// What tokens must say.
#[derive(Debug, Clone)]
pub struct JwtSettings {
    /// The keys of the issuer.
    pub keys: Arc<Jwks>,
    /// Where they are fetched from, again and again while the gate serves; `None` for a fixed set.
    pub url: Option<Uri>,
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must contain.
    pub audience: String,
    /// The claim with the user's name: `sub`, `email`, `preferred_username`.
    pub user_claim: String,
    /// The claim with the user's groups: `groups`; dots lead into objects (`realm_access.roles`).
    pub groups_claim: String,
}

/// The current key set; empty until the first one has been loaded.
#[derive(Default)]
pub struct Jwks(ArcSwapOption<Vec<Key>>);

struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

impl std::fmt::Debug for Jwks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = self.0.load();
        f.debug_struct("Jwks").field("keys", &keys.as_ref().map(|keys| keys.len())).finish()
    }
}

/// A document that is not a usable key set.
#[derive(Debug, thiserror::Error)]
pub enum JwksParse {
    /// Not a key set at all.
    #[error("not a JSON Web Key Set")]
    Document(#[source] serde_json::Error),
    /// None of its keys can check a signature.
    #[error("the key set holds no key for an asymmetric signature (RS, PS, ES or EdDSA)")]
    NoKey,
}

impl Jwks {
    /// A set read from a document.
    pub fn parse(document: &[u8]) -> Result<Self, JwksParse> {
        let keys = Self::default();
        keys.replace(document)?;
        Ok(keys)
    }

    /// Replaces the whole set; on an error the one before stays.
    pub fn replace(&self, document: &[u8]) -> Result<(), JwksParse> {
        let set: JwkSet = serde_json::from_slice(document).map_err(JwksParse::Document)?;
        let keys: Vec<Key> = set.keys.iter().filter_map(key).collect();
        if keys.is_empty() {
            return Err(JwksParse::NoKey);
        }
        self.0.store(Some(Arc::new(keys)));
        Ok(())
    }
}

fn key(jwk: &Jwk) -> Option<Key> {
    if matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption)) {
        return None;
    }
    let decoding = DecodingKey::from_jwk(jwk).ok()?;
    let family = decoding.family();
    if family == AlgorithmFamily::Hmac {
        return None;
    }
    let named = jwk.common.key_algorithm.map(|algorithm| algorithm.to_string());
    let algorithms: Vec<Algorithm> = family
        .algorithms()
        .iter()
        .copied()
        .filter(|algorithm| named.as_ref().is_none_or(|name| *name == format!("{algorithm:?}")))
        .collect();
    (!algorithms.is_empty()).then(|| Key { id: jwk.common.key_id.clone(), algorithms, decoding })
}

/// Whether a bearer token has the form of a signed token at all: three dotted parts, the first an encoded JSON object.
pub(super) fn looks_like_one(token: &str) -> bool {
    token.starts_with("ey") && token.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl JwtSettings {
    /// Checks a token and reads who it speaks of.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, Refusal> {
        let keys = self.keys.0.load();
        let keys = keys.as_ref().ok_or(Refusal::IdentityUnavailable)?;
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refusal::Credential("the token is too long"));
        }
        let header =
            jsonwebtoken::decode_header(token).map_err(|_| Refusal::Credential("the token's header is unreadable"))?;
        // RFC 7515, 4.1.11: what must be understood and is not makes the token invalid. No extension is understood here.
        if header.crit.is_some() {
            return Err(Refusal::Credential("the token's header names extensions that are not understood"));
        }
        let key = keys
            .iter()
            .filter(|key| header.kid.is_none() || key.id.is_none() || key.id == header.kid)
            .find(|key| key.algorithms.contains(&header.alg))
            .ok_or(Refusal::Credential("no key of the issuer fits the token"))?;
        let mut validation = Validation::new(header.alg);
        // Times are checked below by the clock that was passed in; issuer and audience there too, as they are required.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let token = jsonwebtoken::decode::<Map<String, Value>>(token, &key.decoding, &validation)
            .map_err(|_| Refusal::Credential("the token's signature does not fit"))?;
        self.read(&token.claims, now)
    }

    fn read(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Identity, Refusal> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(Refusal::Credential("the token is from another issuer"));
        }
        if !names(claims.get("aud")).any(|audience| audience == self.audience) {
            return Err(Refusal::Credential("the token is for another audience"));
        }
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit a double exactly")]
        let now = now.as_second() as f64;
        let expires = claims.get("exp").and_then(Value::as_f64);
        if expires.is_none_or(|expires| expires + SKEW_SECONDS <= now) {
            return Err(Refusal::Credential("the token has expired"));
        }
        let begins = claims.get("nbf").map(|begins| begins.as_f64().unwrap_or(f64::INFINITY));
        if begins.is_some_and(|begins| begins - SKEW_SECONDS > now) {
            return Err(Refusal::Credential("the token is not valid yet"));
        }
        let user = claims.get(&self.user_claim).and_then(Value::as_str).filter(|user| !user.is_empty());
        let user = user.ok_or(Refusal::Credential("the token names no user"))?.to_owned();
        let groups = self.groups_claim.split('.').try_fold(None, |at: Option<&Value>, step| match at {
            None => claims.get(step).map(Some),
            Some(value) => value.get(step).map(Some),
        });
        let groups = names(groups.flatten()).take(GROUPS_MAX).map(str::to_owned).collect();
        Ok(Identity { user: Some(user), groups, proof: Proof::Jwt })
    }
}

/// A claim that is one text or a list of texts.
fn names(claim: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = claim.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    claim.and_then(Value::as_str).into_iter().chain(list.iter().filter_map(Value::as_str))
}
