//! `alerts.yaml`: where alerts go.
//!
//! Must not know how they are sent. Guarantees that what is returned can be used: names are unique, secrets are read,
//! addresses are addresses.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// Most routes: each has a task and a queue.
const ROUTES_MAX: usize = 32;
/// Shortest secret: half a SHA-256, which nobody guesses.
const SECRET_BYTES_MIN: usize = 16;
/// The route of rules that name none.
const DEFAULT_ROUTE: &str = "default";

/// What alerts are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum GroupBy {
    /// Whose rule.
    Policy,
    /// Which rule.
    Rule,
    /// Who asked.
    Caller,
    /// What matched.
    Matcher,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    routes: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    name: String,
    url: String,
    secret_file: PathBuf,
    #[serde(default = "group_by")]
    group_by: Vec<GroupBy>,
    #[serde(default = "group_for")]
    group_for: String,
    #[serde(default = "rate_per_minute")]
    rate_per_minute: u32,
}

fn group_by() -> Vec<GroupBy> {
    vec![GroupBy::Policy, GroupBy::Rule, GroupBy::Caller]
}

fn group_for() -> String {
    "30s".to_owned()
}

const fn rate_per_minute() -> u32 {
    30
}

/// A secret that does not print.
#[derive(Clone)]
pub(in crate::standalone) struct Secret(pub(super) Vec<u8>);

impl Secret {
    /// Reads a secret from a file of its own.
    pub(in crate::standalone) fn load(path: &Path) -> Result<Self, SettingsFailure> {
        let bytes = std::fs::read(path);
        let bytes = bytes.map_err(|source| SettingsFailure::Read { path: path.to_owned(), source })?;
        Self::of(&bytes).ok_or_else(|| SettingsFailure::ShortSecret(path.to_owned()))
    }

    /// `None` when it is too short to be one.
    fn of(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.trim_ascii();
        (bytes.len() >= SECRET_BYTES_MIN).then(|| Self(bytes.to_vec()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// One route.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) name: String,
    pub(super) url: http::Uri,
    pub(super) secret: Secret,
    pub(super) group_by: Vec<GroupBy>,
    pub(super) group_for: Duration,
    pub(super) rate_per_minute: u32,
}

/// Where alerts go. The default is nowhere but the log.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub(super) routes: Vec<Route>,
}

/// Why alerts cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SettingsFailure {
    /// The file or a secret cannot be read.
    #[error("cannot read `{}`", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("`{}` is not a list of alert routes", .path.display())]
    Parse {
        /// Which.
        path: PathBuf,
        /// Why, with line and column.
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    /// A route cannot be used.
    #[error("`{}`, route `{route}`: {why}", .path.display())]
    Route {
        /// Which file.
        path: PathBuf,
        /// Which route.
        route: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// A secret that could be guessed.
    #[error("`{}` must hold at least {SECRET_BYTES_MIN} bytes; try `openssl rand -hex 32`", .0.display())]
    ShortSecret(PathBuf),
    /// There are no certificates to check receivers against.
    #[error("cannot load the system's root certificates; install them (ca-certificates)")]
    Roots(#[source] io::Error),
}

impl Settings {
    /// Reads the file at `path`; secrets are looked up beside it.
    pub fn load(path: &Path) -> Result<Self, SettingsFailure> {
        let read =
            |path: &Path| std::fs::read(path).map_err(|source| SettingsFailure::Read { path: path.to_owned(), source });
        let text = read(path)?;
        let file: File = serde_saphyr::from_slice(&text)
            .map_err(|source| SettingsFailure::Parse { path: path.to_owned(), source: Box::new(source) })?;
        let dir = path.parent().unwrap_or(Path::new(""));
        let mut routes: Vec<Route> = Vec::new();
        for written in file.routes {
            let wrong = |route: &str, why: String| SettingsFailure::Route {
                path: path.to_owned(),
                route: route.to_owned(),
                why,
            };
            if routes.len() == ROUTES_MAX {
                return Err(wrong(&written.name, format!("at most {ROUTES_MAX} routes are allowed")));
            }
            if routes.iter().any(|known| known.name == written.name) {
                return Err(wrong(&written.name, "another route has this name".to_owned()));
            }
            let secret = read(&dir.join(&written.secret_file))?;
            let name = written.name.clone();
            routes.push(strict(written, &secret).map_err(|why| wrong(&name, why))?);
        }
        Ok(Self { routes })
    }

    /// The route of that name, or the default one: `default`, or the first where none is called so.
    pub(super) fn find(&self, name: Option<&str>) -> Option<usize> {
        let at = |name: &str| self.routes.iter().position(|route| route.name == name);
        name.and_then(at).or_else(|| at(DEFAULT_ROUTE)).or_else(|| (!self.routes.is_empty()).then_some(0))
    }
}

fn strict(written: Written, secret: &[u8]) -> Result<Route, String> {
    let url: http::Uri = written.url.parse().map_err(|_| "`url` is not a URL".to_owned())?;
    if !matches!(url.scheme_str(), Some("https" | "http")) || url.host().is_none_or(str::is_empty) {
        return Err("`url` must begin with `https://` (or `http://`) and name a host".to_owned());
    }
    if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("`url` must not hold a user or password; messages are signed instead".to_owned());
    }
    let secret = Secret::of(secret).ok_or_else(|| {
        format!("`secretFile` must hold at least {SECRET_BYTES_MIN} bytes; try `openssl rand -hex 32`")
    })?;
    let group_for = written.group_for.parse::<jiff::SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok());
    let group_for = group_for
        .filter(|d| *d <= Duration::from_hours(24))
        .ok_or("`groupFor` must be a time up to 24h: `30s`, `5m`")?;
    if written.rate_per_minute == 0 {
        return Err("`ratePerMinute` must be at least 1".to_owned());
    }
    Ok(Route {
        name: written.name,
        url,
        secret,
        group_by: written.group_by,
        group_for,
        rate_per_minute: written.rate_per_minute,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(yaml: &str, secret: &str) -> Result<Settings, SettingsFailure> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("s"), secret).unwrap();
        let path = dir.path().join("alerts.yaml");
        std::fs::write(&path, yaml).unwrap();
        Settings::load(&path)
    }

    const SECRET: &str = "0123456789abcdef\n";

    #[test]
    fn a_route_has_defaults_and_its_secret_does_not_print() {
        let settings = load("routes:\n- {name: ops, url: 'https://h.example/x', secretFile: s}\n", SECRET).unwrap();
        let route = &settings.routes[0];
        assert_eq!((route.group_for, route.rate_per_minute), (Duration::from_secs(30), 30));
        assert_eq!(route.secret.0, b"0123456789abcdef");
        assert!(!format!("{settings:?}").contains("0123456789"));
        assert_eq!(settings.find(None), Some(0));
        assert_eq!(settings.find(Some("other")), Some(0));
        assert_eq!(Settings::default().find(None), None);
    }

    #[track_caller]
    fn check(yaml: &str, secret: &str, part: &str) {
        let failure = load(yaml, secret).unwrap_err();
        let cause = std::error::Error::source(&failure).map(ToString::to_string).unwrap_or_default();
        assert!(format!("{failure}: {cause}").contains(part), "{failure}: {cause}");
    }

    #[test]
    fn wrong_settings_say_what_to_do() {
        let route = |rest: &str| format!("routes:\n- {{name: a, secretFile: s, {rest}}}\n");
        check(&route("url: 'ftp://h/x'"), SECRET, "https://");
        check(&route("url: 'https://u:p@h/x'"), SECRET, "signed instead");
        check(&route("url: 'https://h/x', groupFor: soon"), SECRET, "`30s`");
        check(&route("url: 'https://h/x', ratePerMinute: 0"), SECRET, "at least 1");
        check(&route("url: 'https://h/x', colour: red"), SECRET, "colour");
        check(&route("url: 'https://h/x'"), "short", "openssl rand -hex 32");
        check("routes:\n- {name: a, url: 'https://h/x', secretFile: gone}\n", SECRET, "gone");
        let twice = "- {name: a, url: 'https://h/x', secretFile: s}\n".repeat(2);
        check(&format!("routes:\n{twice}"), SECRET, "another route");
    }
}
