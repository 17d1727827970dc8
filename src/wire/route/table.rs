//! The shape of a route table: rows, patterns and what a path or a parameter may look like.
//!
//! Knows nothing of the servers. Guarantees that a pattern matches whole segments only, and that names in a path are of
//! a narrow alphabet, so that no server can read another path out of a matching one.

use super::{PARAMETERS_BYTES_MAX, PATH_BYTES_MAX, Route, RouteRefusal};
use crate::wire::Format;

/// Which methods a row answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Methods {
    /// `GET` and `HEAD`.
    Read,
    /// `POST`.
    Post,
    /// `POST` and `PUT` (SGLang registers both).
    PostPut,
    /// Every method: rows that refuse, whatever the method.
    Any,
}

impl Methods {
    /// Whether `method`, as written in the request line, is one of them. Methods are case-sensitive (RFC 9110, 9.1).
    #[must_use]
    pub fn hold(self, method: &str) -> bool {
        match self {
            Self::Read => matches!(method, "GET" | "HEAD"),
            Self::Post => method == "POST",
            Self::PostPut => matches!(method, "POST" | "PUT"),
            Self::Any => true,
        }
    }

    /// For documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "GET, HEAD",
            Self::Post => "POST",
            Self::PostPut => "POST, PUT",
            Self::Any => "any",
        }
    }
}

/// One row of a route table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Methods it answers.
    pub methods: Methods,
    /// The path. `{name}` stands for one segment or its beginning (`{model}:predict`); a last `{*}` for all that follow.
    pub pattern: &'static str,
    /// What it means.
    pub meaning: Route,
    /// Query parameters it takes.
    pub parameters: &'static [&'static str],
}

const fn row(methods: Methods, pattern: &'static str, meaning: Route) -> Row {
    Row { methods, pattern, meaning, parameters: &[] }
}

/// A query.
pub(super) const fn judge(pattern: &'static str, format: Format) -> Row {
    row(Methods::Post, pattern, Route::Judge(format))
}

/// Health or listing.
pub(super) const fn pass(pattern: &'static str) -> Row {
    row(Methods::Read, pattern, Route::Pass)
}

/// Administration, whatever the method.
pub(super) const fn admin(pattern: &'static str) -> Row {
    row(Methods::Any, pattern, Route::Refuse(RouteRefusal::Administration))
}

/// The server's memory, whatever the method.
pub(super) const fn state(pattern: &'static str) -> Row {
    row(Methods::Any, pattern, Route::Refuse(RouteRefusal::State))
}

/// Something no decoder exists for, whatever the method.
pub(super) const fn protocol(pattern: &'static str) -> Row {
    row(Methods::Any, pattern, Route::Refuse(RouteRefusal::Protocol))
}

impl Row {
    pub(super) const fn with(mut self, parameters: &'static [&'static str]) -> Self {
        self.parameters = parameters;
        self
    }

    pub(super) const fn or_put(mut self) -> Self {
        self.methods = Methods::PostPut;
        self
    }

    /// Whether a path that has one spelling is of this row.
    pub(super) fn matches(&self, path: &str) -> bool {
        let mut given = path.split('/');
        let mut wanted = self.pattern.split('/');
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some("{*}"), Some(first)) => return !first.is_empty(),
                (Some(segment), Some(text)) if stands_for(segment, text).is_some() => {}
                _ => return false,
            }
        }
    }

    /// What stands for `{model}` in a matching path.
    pub(super) fn model<'p>(&self, path: &'p str) -> Option<&'p str> {
        let segments = self.pattern.split('/').zip(path.split('/'));
        segments
            .filter(|(segment, _)| segment.starts_with("{model}"))
            .find_map(|(segment, text)| stands_for(segment, text))
    }

    /// Whether a query string holds nothing but parameters of this row, each once, in plain characters.
    pub(super) fn takes(&self, query: Option<&str>) -> bool {
        let Some(query) = query else { return true };
        if query.len() > PARAMETERS_BYTES_MAX {
            return false;
        }
        let mut seen: Vec<&str> = Vec::new();
        query.split('&').all(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let fresh = !seen.contains(&name);
            seen.push(name);
            fresh && self.parameters.contains(&name) && value.bytes().all(plain)
        })
    }
}

/// What of `text` the placeholder in `segment` stands for (the whole text when there is none), if they match.
fn stands_for<'p>(segment: &str, text: &'p str) -> Option<&'p str> {
    if !segment.starts_with('{') {
        return (segment == text).then_some(text);
    }
    let (_, tail) = segment.split_once('}')?;
    let name = text.strip_suffix(tail)?;
    (!name.is_empty() && name.bytes().all(plain)).then_some(name)
}

const fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'@' | b'-')
}

/// Whether no server could read `path` in another way: absolute, printable ASCII of one alphabet, no empty, `.` or `..`
/// segment and no trailing slash. Percent-encoding is refused as a whole: no route needs it.
pub(super) fn one_spelling(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let segments = || rest.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
    path.len() <= PATH_BYTES_MAX
        && path.bytes().all(|byte| byte == b'/' || plain(byte))
        && (rest.is_empty() || segments())
}
