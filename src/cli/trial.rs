//! A query judged outside any gate: routed, decoded and judged exactly as a gate would, but nothing is forwarded, held or
//! recorded.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;

use crate::compile::Compilation;
use crate::query::Query;
use crate::rules::{self, Caller, Context, Judgement, Posture, Rates, Ruling, Workload};
use crate::wire::{self, Format, Route, RouteRefusal, Server};

/// The route of trials that name none.
pub(super) const ROUTE_DEFAULT: &str = "POST /v1/chat/completions";

/// What is tried.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    pub(super) server: Server,
    pub(super) line: &'a RequestLine,
    pub(super) caller: &'a Caller,
    pub(super) workload: &'a Workload,
    pub(super) now: Timestamp,
    pub(super) rates: &'a Rates,
    pub(super) body: Bytes,
}

/// A method and a target: `POST /v1/chat/completions?x=y`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestLine {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) parameters: Option<String>,
}

impl std::str::FromStr for RequestLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected a method and a path, as in `{ROUTE_DEFAULT}`");
        let (method, target) = text.split_once(' ').ok_or_else(wrong)?;
        if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase()) || !target.starts_with('/') {
            return Err(wrong());
        }
        let (path, parameters) = match target.split_once('?') {
            Some((path, parameters)) => (path, Some(parameters.to_owned())),
            None => (target, None),
        };
        Ok(Self { method: method.to_owned(), path: path.to_owned(), parameters })
    }
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Answer {
    /// It was judged.
    Judged { format: Format, judgement: Box<Judgement> },
    /// A route without a query, or one that a policy allows by name: it passes unread.
    Passed,
    /// It was refused before any rule looked at it.
    Refused { code: &'static str, why: String },
}

impl Trial<'_> {
    /// Judges it.
    pub(super) fn judge(&self, compilation: &Compilation) -> Answer {
        let RequestLine { method, path, parameters } = self.line;
        let format = match wire::route(self.server, method, path, parameters.as_deref()) {
            Route::Judge(format) => format,
            Route::Pass => return Answer::Passed,
            Route::Refuse(RouteRefusal::Administration | RouteRefusal::State)
                if compilation.rule_set.allows_route(method, path) =>
            {
                return Answer::Passed;
            }
            Route::Refuse(refusal) => {
                return Answer::Refused { code: refusal.code(), why: refusal.message().to_owned() };
            }
        };
        let query = match wire::decode(format, self.body.clone()) {
            Ok(query) => query,
            Err(error) => return Answer::Refused { code: "query_unreadable", why: error.to_string() },
        };
        let judgement = Box::new(rules::judge(&compilation.rule_set, query, &self.context(format)));
        Answer::Judged { format, judgement }
    }

    /// What the query is judged in.
    pub(super) fn context(&self, format: Format) -> Context<'_> {
        Context {
            format,
            server: self.server,
            method: &self.line.method,
            path: &self.line.path,
            caller: self.caller,
            workload: self.workload,
            posture: Posture::Enforce,
            now: self.now,
            rates: self.rates,
        }
    }
}

/// The query of a judgement, wherever it is kept.
pub(super) fn query(judgement: &Judgement) -> Option<&Query> {
    match &judgement.ruling {
        Ruling::Hold(held) => Some(held.query()),
        Ruling::Clear(_) | Ruling::Deny(_) => judgement.query.as_ref(),
    }
}

/// The bytes that would be forwarded, now or after a release.
pub(super) fn forwarded(judgement: &Judgement) -> Option<&Bytes> {
    match &judgement.ruling {
        Ruling::Clear(clearance) => Some(clearance.body()),
        Ruling::Hold(held) => Some(held.body()),
        Ruling::Deny(_) => None,
    }
}

/// The texts of a body by place.
pub(super) fn texts(format: Format, body: &Bytes) -> BTreeMap<String, String> {
    let Ok(query) = wire::decode(format, body.clone()) else { return BTreeMap::new() };
    query.parts().iter().map(|part| (query.place(part.place), query.text(part).to_owned())).collect()
}

/// A server by the name it has on the command line.
pub(super) fn server(name: &str) -> Result<Server, String> {
    let names: Vec<_> = Server::ALL.iter().map(|s| s.name()).collect();
    Server::ALL.into_iter().find(|s| s.name() == name).ok_or_else(|| format!("expected one of {}", names.join(", ")))
}

/// A label, `app=llama`.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected `key=value`")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_lines_are_a_method_and_a_target() {
        let line: RequestLine = "POST /v1/x?a=b".parse().unwrap();
        assert_eq!((line.path.as_str(), line.parameters.as_deref()), ("/v1/x", Some("a=b")));
        for wrong in ["/v1/x", "post /v1/x", "POST v1", "POST", ""] {
            assert!(wrong.parse::<RequestLine>().is_err(), "{wrong}");
        }
    }
}
