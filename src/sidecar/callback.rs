//! Where the client of a held query wants to be told of the end: checked against what the gate allows.
//!
//! Guarantees that nobody makes the gate talk to an address that its operator did not name: scheme, host and port are
//! compared as they are, and a path only leads further down. Knows nothing of how a message is sent.

use http::{HeaderMap, Uri};

use super::refusal::Refusal;

/// The header that names the address.
const CALLBACK: &str = "countersign-callback";
/// Longest address; longer ones are cut by servers anyway.
const URL_BYTES_MAX: usize = 2048;

/// The addresses that callbacks may go to. None unless they are named.
#[derive(Debug, Clone, Default)]
pub struct CallbackRules(Vec<Uri>);

/// A text that is no address for callbacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address for callbacks: `https://HOST[:PORT][/PATH]`, without user, parameters or encoding")]
pub struct CallbackParse(String);

impl CallbackRules {
    /// Addresses, each with everything below it.
    pub fn parse(texts: &[String]) -> Result<Self, CallbackParse> {
        let one = |text: &String| match address(text) {
            Some(uri) if uri.query().is_none() => Ok(uri),
            _ => Err(CallbackParse(text.clone())),
        };
        texts.iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// Whether messages may go there.
    fn permits(&self, url: &Uri) -> bool {
        self.0.iter().any(|allowed| {
            let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
            let rest = url.path().strip_prefix(allowed.path().trim_end_matches('/'));
            let below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            allowed.scheme() == url.scheme() && host(allowed) == host(url) && port(allowed) == port(url) && below
        })
    }

    /// The address that the client names, if it names one.
    pub(super) fn asked(&self, headers: &HeaderMap) -> Result<Option<String>, Refusal> {
        let mut values = headers.get_all(CALLBACK).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let url = value.to_str().ok().and_then(address).filter(|url| self.permits(url));
        match (url, values.next()) {
            (Some(url), None) => Ok(Some(url.to_string())),
            (None | Some(_), _) => Err(Refusal::CallbackNotAllowed),
        }
    }
}

fn port(uri: &Uri) -> Option<u16> {
    uri.port_u16().or(match uri.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    })
}

/// An address that every program reads alike: no user, no fragment, no dot segments, no encoding in its path.
fn address(text: &str) -> Option<Uri> {
    let plain =
        text.len() <= URL_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\\@".contains(&byte));
    let uri: Uri = text.parse().ok().filter(|_| plain)?;
    let http = matches!(uri.scheme_str(), Some("https" | "http")) && uri.host().is_some_and(|host| !host.is_empty());
    let segments = uri.path().split('/').all(|segment| !matches!(segment, "." | ".."));
    (http && segments && !uri.path().contains(['%', ';'])).then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HeaderValue;

    #[track_caller]
    fn check(allowed: &[&str], url: &str, expected: bool) {
        let allowed: Vec<String> = allowed.iter().map(|text| (*text).to_owned()).collect();
        let mut headers = HeaderMap::new();
        headers.insert(CALLBACK, HeaderValue::from_str(url).unwrap());
        let asked = CallbackRules::parse(&allowed).unwrap().asked(&headers);
        assert_eq!(asked.is_ok(), expected, "{url}");
    }

    #[test]
    fn callbacks_go_where_the_operator_allows_and_nowhere_else() {
        check(&[], "https://hooks.example.org/", false);
        let allowed = &["https://hooks.example.org/team", "http://127.0.0.1:9000"];
        for good in [
            "https://hooks.example.org/team",
            "https://HOOKS.example.org:443/team/a?b=%41",
            "http://127.0.0.1:9000/",
            "http://127.0.0.1:9000/any/where",
        ] {
            check(allowed, good, true);
        }
        for bad in [
            "http://hooks.example.org/team",
            "https://hooks.example.org/",
            "https://hooks.example.org/teammates",
            "https://hooks.example.org/team/../admin",
            "https://hooks.example.org/team/%2e%2e/admin",
            "https://hooks.example.org/team/..;/admin",
            "https://hooks.example.org/team\\..\\admin",
            "https://hooks.example.org:8443/team",
            "https://hooks.example.org@evil.example/team",
            "https://evil.example/team",
            "https://hooks.example.org.evil.example/team",
            "http://127.0.0.1:9001/",
            "http://127.0.0.1/",
            "http://localhost:9000/",
            "http://[::1]:9000/",
            "http://169.254.169.254/latest/meta-data",
            "ftp://hooks.example.org/team",
            "//hooks.example.org/team",
            "/team",
            "",
        ] {
            check(allowed, bad, false);
        }
        check(allowed, &format!("http://127.0.0.1:9000/{}", "x".repeat(URL_BYTES_MAX)), false);
    }

    #[test]
    fn two_addresses_are_two_opinions_and_what_is_allowed_is_plain() {
        let rules = CallbackRules::parse(&["http://h".to_owned()]).unwrap();
        let mut headers = HeaderMap::new();
        headers.append(CALLBACK, HeaderValue::from_static("http://h/a"));
        assert_eq!(rules.asked(&headers).unwrap().as_deref(), Some("http://h/a"));
        headers.append(CALLBACK, HeaderValue::from_static("http://h/b"));
        assert!(rules.asked(&headers).is_err());
        for wrong in ["hooks.example.org", "https://", "https://u:p@h/", "https://h/?a=b", "https://h/%41", "*"] {
            assert!(CallbackRules::parse(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
