//! What a client prefers (RFC 7240): to be answered at once and ask later, or to wait so long at most.
//!
//! Guarantees that what cannot be read is as if it were not there, as the standard says. Knows nothing of holds.

use std::time::Duration;

use http::HeaderMap;

/// Preferences that the gate knows; others are ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Prefer {
    /// How the answer to a held query is to come.
    pub(super) answer: Answering,
    /// How long the client wants to wait for it first.
    pub(super) wait: Option<Duration>,
}

/// How the answer to a held query comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Answering {
    /// On this request, however long it takes, or by the retry answer.
    #[default]
    InLine,
    /// By `202` with a place to ask: only for clients that say they know it, since to others it looks like success.
    Async,
}

impl Prefer {
    /// Reads `Prefer`. Of a preference that is given twice, the first counts (RFC 7240, 2).
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut prefer = Self::default();
        let mut wait = None;
        let lines = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        for preference in lines.flat_map(|line| line.split(',')) {
            let token = preference.split(';').next().unwrap_or_default().trim();
            let (name, value) = token.split_once('=').map_or((token, ""), |(name, value)| (name.trim(), value.trim()));
            if name.eq_ignore_ascii_case("respond-async") {
                prefer.answer = Answering::Async;
            } else if name.eq_ignore_ascii_case("wait") && wait.is_none() {
                wait = Some(value.trim_matches('"').parse().ok().map(Duration::from_secs));
            }
        }
        Self { wait: wait.flatten(), ..prefer }
    }

    /// What of it was followed, as `Preference-Applied` says it.
    pub(super) fn applied(self) -> String {
        let wait = self.wait.map(|wait| format!(", wait={}", wait.as_secs()));
        format!("respond-async{}", wait.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HeaderValue;

    #[track_caller]
    fn check(lines: &[&'static str], answer: Answering, wait: Option<u64>) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("prefer", HeaderValue::from_static(line));
        }
        assert_eq!(Prefer::of(&headers), Prefer { answer, wait: wait.map(Duration::from_secs) }, "{lines:?}");
    }

    #[test]
    fn preferences_are_read_as_the_standard_has_them() {
        check(&[], Answering::InLine, None);
        check(&["respond-async"], Answering::Async, None);
        check(&["Respond-Async, wait=10"], Answering::Async, Some(10));
        check(&["wait=10", "respond-async; foo=bar"], Answering::Async, Some(10));
        check(&["wait = \"7\" , wait=9"], Answering::InLine, Some(7));
        check(&["handling=lenient, return=minimal"], Answering::InLine, None);
        check(&["wait=soon, wait=9"], Answering::InLine, None);
        check(&["wait=-1"], Answering::InLine, None);
        check(&["respond-asynchronously"], Answering::InLine, None);
    }
}
