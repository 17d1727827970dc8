//! Tests of identity.

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_795_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// An Ed25519 key in PKCS #8 (RFC 8410), of a seed that everybody may know.
fn key(seed: u8) -> EncodingKey {
    let prefix = hex::decode("302e020100300506032b657004220420").unwrap();
    EncodingKey::from_ed_der(&[prefix.as_slice(), &[seed; 32]].concat())
}

fn jwks(seed: u8, id: &str) -> Vec<u8> {
    let mut jwk = Jwk::from_encoding_key(&key(seed), Algorithm::EdDSA).unwrap();
    jwk.common.key_id = Some(id.to_owned());
    serde_json::to_vec(&JwkSet { keys: vec![jwk] }).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": "https://issuer", "aud": ["gate", "other"], "exp": NOW + 300, "sub": "bob", "groups": ["legal", "eu"],
    })
}

fn token(seed: u8, id: &str, claims: &Value) -> String {
    headed(seed, &Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::EdDSA) }, claims)
}

fn headed(seed: u8, header: &Header, claims: &Value) -> String {
    jsonwebtoken::encode(header, claims, &key(seed)).unwrap()
}

fn settings() -> IdentitySettings {
    let digest = crate::base::Digest::of(b"sk-1").to_string();
    let keys = format!("# keys\n\ncarol: red, blue :{}\n", &digest["sha256:".len()..]);
    IdentitySettings {
        jwt: Some(JwtSettings {
            keys: Arc::new(Jwks::parse(&jwks(1, "a")).unwrap()),
            url: None,
            issuer: "https://issuer".to_owned(),
            audience: "gate".to_owned(),
            user_claim: "sub".to_owned(),
            groups_claim: "groups".to_owned(),
        }),
        api_keys: Some(Arc::new(ApiKeys::parse(&keys).unwrap())),
        trusted_proxy: Some(TrustedProxy {
            networks: vec!["10.1.0.0/16".parse().unwrap(), "::1".parse().unwrap()],
            user_header: HeaderName::from_static("x-user"),
            groups_header: Some(HeaderName::from_static("x-groups")),
        }),
        anonymous: Anonymous::Allowed,
    }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
}

/// Who `pairs` speak of, from an address of no meaning; with the headers that are left.
#[track_caller]
fn check(settings: &IdentitySettings, pairs: &[(&'static str, &str)], expected: Result<(Option<&str>, Proof), &str>) {
    let mut headers = headers(pairs);
    let found = identify(settings, "192.0.2.1".parse().unwrap(), &mut headers, now());
    let found = found.as_ref().map(|identity| (identity.user.as_deref(), identity.proof)).map_err(Refusal::code);
    assert_eq!(found, expected, "{pairs:?}");
    let used = matches!(expected, Ok((Some(_), _)));
    assert!(!used || !headers.contains_key("authorization"), "a credential that was used is not forwarded");
}

#[test]
fn token_names_its_user_and_groups() {
    let mut headers = headers(&[("authorization", &format!("Bearer {}", token(1, "a", &claims())))]);
    let identity = identify(&settings(), "192.0.2.1".parse().unwrap(), &mut headers, now()).unwrap();
    assert_eq!(identity.user.as_deref(), Some("bob"));
    assert_eq!(identity.groups, ["legal", "eu"]);
    assert!(headers.is_empty());
}

#[test]
fn token_that_does_not_hold_is_refused_and_never_anonymous() {
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        token(1, "a", &claims)
    };
    let without = |name: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        token(1, "a", &claims)
    };
    let good = token(1, "a", &claims());
    let (head, signature) = good.rsplit_once('.').unwrap();
    let none = format!("eyJhbGciOiJub25lIn0.{}.", head.split('.').nth(1).unwrap());
    let hmac =
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims(), &EncodingKey::from_secret(&jwks(1, "a")));
    let critical = |names: &[&str]| {
        let crit = Some(names.iter().map(|name| (*name).to_owned()).collect());
        headed(1, &Header { kid: Some("a".to_owned()), crit, ..Header::new(Algorithm::EdDSA) }, &claims())
    };
    let mut flipped = signature.to_owned();
    flipped.replace_range(..1, if signature.starts_with('A') { "B" } else { "A" });
    for bad in [
        token(2, "a", &claims()),
        token(1, "b", &claims()),
        with("iss", json!("https://other")),
        with("aud", json!("other")),
        with("aud", json!(["other"])),
        with("exp", json!(NOW - 61)),
        with("exp", json!("tomorrow")),
        with("nbf", json!(NOW + 61)),
        with("nbf", json!("yesterday")),
        with("sub", json!("")),
        with("sub", json!(7)),
        without("iss"),
        without("aud"),
        without("exp"),
        without("sub"),
        none,
        hmac.unwrap(),
        critical(&["b64"]),
        critical(&[]),
        format!("{head}.{flipped}"),
        format!("{head}."),
        "eyJ.eyJ.x".to_owned(),
    ] {
        check(&settings(), &[("authorization", &format!("Bearer {bad}"))], Err("credential_invalid"));
    }
    for good in [with("exp", json!(NOW - 59)), with("nbf", json!(NOW + 59)), with("aud", json!("gate"))] {
        check(&settings(), &[("authorization", &format!("Bearer {good}"))], Ok((Some("bob"), Proof::Jwt)));
    }
}

#[test]
fn api_key_is_found_in_each_header_and_an_unknown_one_refused() {
    for name in ["x-api-key", "api-key"] {
        check(&settings(), &[(name, "sk-1")], Ok((Some("carol"), Proof::ApiKey)));
        check(&settings(), &[(name, "sk-2")], Err("credential_invalid"));
        check(&settings(), &[(name, "sk-1"), (name, "sk-1")], Err("credential_invalid"));
    }
    check(&settings(), &[("authorization", "Bearer sk-1")], Ok((Some("carol"), Proof::ApiKey)));
    check(&settings(), &[("authorization", "bearer sk-2")], Err("credential_invalid"));
    for run_together in ["Bearer\tsk-1", "Bearer\tsk-1 x", "Bearersk-1", "BEARER"] {
        check(&settings(), &[("authorization", run_together)], Err("credential_invalid"));
    }
    check(&settings(), &[("authorization", "Bearer sk-1"), ("authorization", "Bearer x")], Err("credential_invalid"));
}

#[test]
fn second_key_of_ours_is_refused_and_never_forwarded() {
    for (first, second) in [("x-api-key", "api-key"), ("authorization", "x-api-key"), ("authorization", "api-key")] {
        let bearer = if first == "authorization" { "Bearer sk-1" } else { "sk-1" };
        check(&settings(), &[(first, bearer), (second, "sk-1")], Err("credential_invalid"));
        check(&settings(), &[(first, bearer), (second, "of-the-upstream")], Ok((Some("carol"), Proof::ApiKey)));
    }
}

#[test]
fn credential_that_is_the_upstreams_own_business_is_left_alone() {
    let nothing = IdentitySettings::default();
    let jwt_only = IdentitySettings { api_keys: None, ..settings() };
    let token = format!("Bearer {}", token(9, "z", &claims()));
    for (settings, value) in [(&nothing, token.as_str()), (&nothing, "Bearer sk-9"), (&jwt_only, "Bearer sk-9")] {
        let mut headers = headers(&[("authorization", value)]);
        let identity = identify(settings, "192.0.2.1".parse().unwrap(), &mut headers, now()).unwrap();
        assert_eq!(identity, Identity::anonymous());
        assert_eq!(headers.get("authorization").unwrap(), value);
    }
    check(&settings(), &[("authorization", "Basic Ym9iOng=")], Ok((None, Proof::Nothing)));
}

#[test]
fn proxy_is_believed_from_its_own_addresses_only_and_its_headers_never_pass() {
    for (peer, user) in [
        ("10.1.2.3", Some("dave")),
        ("::ffff:10.1.2.3", Some("dave")),
        ("::1", Some("dave")),
        ("10.2.0.1", None),
        ("::2", None),
    ] {
        let mut headers = headers(&[("x-user", "dave"), ("x-groups", "a, b")]);
        let identity = identify(&settings(), peer.parse().unwrap(), &mut headers, now()).unwrap();
        assert_eq!(identity.user.as_deref(), user, "{peer}");
        assert_eq!(identity.groups.len(), if user.is_some() { 2 } else { 0 });
        assert!(headers.is_empty());
    }
    let mut twice = headers(&[("x-user", "dave"), ("x-user", "root")]);
    let identity = identify(&settings(), "10.1.2.3".parse().unwrap(), &mut twice, now()).unwrap();
    assert_eq!(identity.user, None, "two names are no name");
}

#[test]
fn anonymous_callers_are_refused_where_an_identity_is_required() {
    let settings = IdentitySettings { anonymous: Anonymous::Refused, ..settings() };
    check(&settings, &[], Err("identity_required"));
    check(&settings, &[("x-api-key", "sk-1")], Ok((Some("carol"), Proof::ApiKey)));
}

#[test]
fn keys_that_were_not_loaded_make_tokens_uncheckable_not_wrong() {
    let mut settings = settings();
    settings.jwt.as_mut().unwrap().keys = Arc::default();
    let token = format!("Bearer {}", token(1, "a", &claims()));
    check(&settings, &[("authorization", &token)], Err("identity_unavailable"));
}

#[test]
fn key_sets_without_asymmetric_keys_are_refused_and_replacing_keeps_the_last_good_one() {
    let secret = br#"{"keys":[{"kty":"oct","k":"c2VjcmV0","alg":"HS256"}]}"#;
    assert!(matches!(Jwks::parse(secret), Err(JwksParse::NoKey)));
    assert!(matches!(Jwks::parse(b"{"), Err(JwksParse::Document(_))));
    let settings = settings();
    let keys = &settings.jwt.as_ref().unwrap().keys;
    assert!(keys.replace(secret).is_err());
    let authorization = format!("Bearer {}", token(1, "a", &claims()));
    check(&settings, &[("authorization", &authorization)], Ok((Some("bob"), Proof::Jwt)));
    keys.replace(&jwks(2, "b")).unwrap();
    check(&settings, &[("authorization", &authorization)], Err("credential_invalid"));
}

#[test]
fn groups_claim_leads_into_objects() {
    let mut settings = settings();
    settings.jwt.as_mut().unwrap().groups_claim = "realm_access.roles".to_owned();
    let mut claims = claims();
    claims["realm_access"] = json!({"roles": ["x"]});
    let mut headers = headers(&[("authorization", &format!("Bearer {}", token(1, "a", &claims)))]);
    let identity = identify(&settings, "192.0.2.1".parse().unwrap(), &mut headers, now()).unwrap();
    assert_eq!(identity.groups, ["x"]);
}

#[test]
fn key_files_name_the_line_that_is_wrong() {
    let digest = "0".repeat(64);
    for (text, line) in [
        ("bob:x:12".to_owned(), 1),
        (format!("a::{digest}\n:x:{digest}"), 2),
        (format!("bob:{digest}"), 1),
        (format!("bob::{}", "g".repeat(64)), 1),
    ] {
        assert_eq!(ApiKeys::parse(&text), Err(ApiKeysParse::Line { line }), "{text}");
    }
}

#[test]
fn ranges_hold_their_addresses() {
    for (range, inside, outside) in [
        ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
        ("192.0.2.128/25", "192.0.2.200", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("2001:db8::/32", "2001:db8:1::", "2001:db9::"),
        ("::/0", "2001:db8::1", "192.0.2.1"),
    ] {
        let network: Network = range.parse().unwrap();
        assert!(network.holds(inside.parse().unwrap()), "{range} {inside}");
        assert!(!network.holds(outside.parse().unwrap()), "{range} {outside}");
    }
    for wrong in ["", "a", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1"] {
        assert!(wrong.parse::<Network>().is_err(), "{wrong}");
    }
}
