//! What the gate of a Pod is told, on its command line or in its environment. A table instead of a parser of the registry: there
//! are few, none has a short form, and the program stays small.
//!
//! Guarantees: nothing is ignored. What is not known, is given twice on the command line, or cannot be read, is an error that
//! names it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use http::Uri;

use super::serve::Resident;
use crate::audit::Durability;
use crate::rules::{Failure, Posture};
use crate::sidecar::GateSettings;
use crate::telemetry::logs::LogFormat;
use crate::wire::Server;

/// How a variable of the environment begins; the rest is the flag in capitals.
const PREFIX: &str = "COUNTERSIGN_";

/// What is taken when nothing is said.
enum Otherwise {
    Required,
    Value(&'static str),
    Nothing,
}

struct Setting {
    flag: &'static str,
    value: &'static str,
    help: &'static str,
    otherwise: Otherwise,
}

const fn setting(flag: &'static str, value: &'static str, help: &'static str, otherwise: Otherwise) -> Setting {
    Setting { flag, value, help, otherwise }
}

const SETTINGS: &[Setting] = &[
    setting("upstream", "URL", "The model server, in the same Pod: `http://127.0.0.1:8000`", Otherwise::Required),
    setting("server", "NAME", "What it is: vllm, ollama, llamacpp, tgi, sglang, kserve, openai", Otherwise::Required),
    setting("listen", "ADDR", "Where queries come in", Otherwise::Value("0.0.0.0:8080")),
    setting(
        "health-listen",
        "ADDR",
        "Where metrics and health are served (/metrics, /livez, /readyz)",
        Otherwise::Value("0.0.0.0:9464"),
    ),
    setting("data", "DIR", "Where the rule set, the key and the record are kept", Otherwise::Required),
    setting("operator", "HOST:PORT", "Where the operator distributes rule sets", Otherwise::Required),
    setting(
        "anchor",
        "KEY",
        "The key that bundles are signed with, or that leads to it: `ed25519:…`",
        Otherwise::Required,
    ),
    setting(
        "token",
        "FILE",
        "The Pod's token for the audience `countersign.dev/gate`",
        Otherwise::Value("/var/run/secrets/countersign.dev/gate/token"),
    ),
    setting("workload-uid", "UID", "The UID of the workload, whose rule sets are taken", Otherwise::Required),
    setting("pod-uid", "UID", "The UID of the Pod", Otherwise::Required),
    setting("models", "NAME,NAME", "The models that the workload offers; any when left out", Otherwise::Nothing),
    setting("adapters", "NAME,NAME", "The adapters that it offers; none when left out", Otherwise::Nothing),
    setting("posture", "NAME", "enforce, or observe: record, and never interfere", Otherwise::Value("enforce")),
    setting(
        "on-stale",
        "NAME",
        "deny, or allow: what becomes of queries while the rule set is past its maximum age",
        Otherwise::Value("deny"),
    ),
    setting(
        "audit",
        "NAME",
        "buffered: an entry counts once the system has it; synced: once the disk has it",
        Otherwise::Value("buffered"),
    ),
    setting("log-format", "NAME", "json or text", Otherwise::Value("json")),
    setting(
        "log-level",
        "FILTER",
        "warn, info, debug, or a filter such as `warn,countersign=debug`",
        Otherwise::Value("info"),
    ),
];

/// What is wrong with the arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// There is no such argument.
    #[error("there is no argument `{0}`; `--help` lists all")]
    Unknown(String),
    /// It is given twice.
    #[error("`--{0}` is given twice")]
    Twice(&'static str),
    /// Nothing follows it.
    #[error("`--{0}` needs a value")]
    NoValue(&'static str),
    /// It has to be given.
    #[error("`--{0}` (or `{variable}`) is required", variable = variable(.0))]
    Missing(&'static str),
    /// It cannot be read.
    #[error("`--{flag}`: expected {expected}, found `{found}`")]
    Unreadable {
        /// Which.
        flag: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
}

/// What the program is to do.
#[derive(Debug)]
pub enum Asked {
    /// Serve.
    Serve(Box<Arguments>),
    /// Print this.
    Print(String),
}

/// Everything that the program is told.
#[derive(Debug)]
pub struct Arguments {
    /// The gate.
    pub resident: Resident,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which there are.
    pub log_level: String,
}

/// Reads the arguments behind the program's name; what they leave out is looked up in the environment.
pub fn parse(
    arguments: impl IntoIterator<Item = String>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Asked, Wrong> {
    let mut given = Given { values: BTreeMap::new() };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(Asked::Print(help())),
            "--version" | "-V" => {
                return Ok(Asked::Print(format!("countersign-sidecar {}\n", env!("CARGO_PKG_VERSION"))));
            }
            _ => {}
        }
        let (flag, value) = match argument.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let known = flag.strip_prefix("--").and_then(|flag| SETTINGS.iter().find(|setting| setting.flag == flag));
        // Only the flag is named: a value may be anything.
        let flag = known.ok_or_else(|| Wrong::Unknown(flag.to_owned()))?.flag;
        let value = value.or_else(|| arguments.next()).ok_or(Wrong::NoValue(flag))?;
        if given.values.insert(flag, value).is_some() {
            return Err(Wrong::Twice(flag));
        }
    }
    for setting in SETTINGS {
        if let Some(value) = environment(&variable(setting.flag)).filter(|value| !value.is_empty()) {
            given.values.entry(setting.flag).or_insert(value);
        }
    }
    given.arguments().map(|arguments| Asked::Serve(Box::new(arguments)))
}

fn variable(flag: &str) -> String {
    PREFIX.to_owned() + &flag.replace('-', "_").to_ascii_uppercase()
}

/// Every argument, for people.
#[must_use]
pub fn help() -> String {
    let mut text =
        "The gate in front of the model server of a Pod. Every argument can be a variable of the environment: \
                    `--pod-uid` is `COUNTERSIGN_POD_UID`.\n\nUsage: countersign-sidecar --NAME VALUE ...\n\n"
            .to_owned();
    for Setting { flag, value, help, otherwise } in SETTINGS {
        let otherwise = match otherwise {
            Otherwise::Required => " [required]".to_owned(),
            Otherwise::Value(value) => format!(" [default: {value}]"),
            Otherwise::Nothing => String::new(),
        };
        let _ = write!(text, "  --{flag} <{value}>\n          {help}{otherwise}\n");
    }
    text
}

/// What was given, by flag.
struct Given {
    values: BTreeMap<&'static str, String>,
}

impl Given {
    fn arguments(&self) -> Result<Arguments, Wrong> {
        let upstream = self.read("upstream", "`http://HOST:PORT` or `https://HOST`", upstream)?;
        let server = self.read("server", "the name of a server", |name| {
            Server::ALL.into_iter().find(|server| server.name() == name)
        })?;
        let address = |flag| self.read(flag, "an address and a port", |text| text.parse().ok());
        let mut settings = GateSettings::new(address("listen")?, upstream, server);
        settings.health_listen = Some(address("health-listen")?);
        settings.models = self.list("models");
        settings.adapters = self.list("adapters");
        settings.posture = self.one_of(
            "posture",
            "enforce or observe",
            [("enforce", Posture::Enforce), ("observe", Posture::Observe)],
        )?;
        settings.on_stale =
            self.one_of("on-stale", "deny or allow", [("deny", Failure::Deny), ("allow", Failure::Allow)])?;
        let durability = self.one_of(
            "audit",
            "buffered or synced",
            [("buffered", Durability::Buffered), ("synced", Durability::Synced)],
        )?;
        let log_format =
            self.one_of("log-format", "json or text", [("json", LogFormat::Json), ("text", LogFormat::Text)])?;
        let whole = |text: &str| Some(text.to_owned());
        let resident = Resident {
            settings,
            data: self.read("data", "a folder", |text| Some(text.into()))?,
            operator: self.read("operator", "HOST:PORT", |text| {
                let authority: http::uri::Authority = text.parse().ok()?;
                (authority.port().is_some() && !text.contains('@')).then_some(authority)
            })?,
            anchor: self.read("anchor", "`ed25519:` and 64 hex digits", |text| text.parse().ok())?,
            workload_uid: self.read("workload-uid", "a UID", whole)?,
            pod_uid: self.read("pod-uid", "a UID", whole)?,
            token: self.read("token", "a file", |text| Some(text.into()))?,
            durability,
        };
        Ok(Arguments { resident, log_format, log_level: self.read("log-level", "a filter", whole)? })
    }

    /// The value as it was given, or what is taken otherwise.
    fn value(&self, flag: &'static str) -> Option<&str> {
        let given = self.values.get(flag).map(String::as_str);
        given.or_else(|| {
            SETTINGS.iter().find(|setting| setting.flag == flag).and_then(|setting| match setting.otherwise {
                Otherwise::Value(value) => Some(value),
                Otherwise::Required | Otherwise::Nothing => None,
            })
        })
    }

    fn read<T>(
        &self,
        flag: &'static str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Wrong> {
        let value = self.value(flag).filter(|value| !value.is_empty()).ok_or(Wrong::Missing(flag))?;
        read(value).ok_or_else(|| Wrong::Unreadable { flag, expected, found: value.to_owned() })
    }

    fn one_of<T: Copy>(&self, flag: &'static str, expected: &'static str, names: [(&str, T); 2]) -> Result<T, Wrong> {
        self.read(flag, expected, |text| names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value))
    }

    fn list(&self, flag: &'static str) -> Vec<String> {
        let names = self.value(flag).unwrap_or_default().split(',').map(str::trim);
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }
}

fn upstream(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let whole = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    whole.then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANCHOR: &str = "ed25519:0000000000000000000000000000000000000000000000000000000000000001";

    /// As few as there may be.
    fn least() -> Vec<String> {
        let least = [
            "--upstream=http://127.0.0.1:8000",
            "--server=vllm",
            "--data=/data",
            "--operator=countersign-operator.countersign-system.svc:9466",
            "--workload-uid=w",
            "--pod-uid=p",
        ];
        least.into_iter().map(str::to_owned).chain([format!("--anchor={ANCHOR}")]).collect()
    }

    #[track_caller]
    fn parsed(more: &[&str], environment: &[(&str, &str)]) -> Result<Arguments, Wrong> {
        let arguments = least().into_iter().chain(more.iter().map(|text| (*text).to_owned()));
        let find =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        match parse(arguments, find)? {
            Asked::Serve(arguments) => Ok(*arguments),
            Asked::Print(text) => panic!("{text}"),
        }
    }

    #[test]
    fn everything_that_may_be_left_out_has_a_value() {
        let told = parsed(&[], &[]).unwrap();
        let settings = &told.resident.settings;
        assert_eq!(settings.listen.to_string(), "0.0.0.0:8080");
        assert_eq!((settings.posture, settings.on_stale), (Posture::Enforce, Failure::Deny));
        assert_eq!((settings.models.len(), settings.adapters.len()), (0, 0));
        assert_eq!(told.resident.token.display().to_string(), "/var/run/secrets/countersign.dev/gate/token");
        assert_eq!((told.log_format, told.log_level.as_str()), (LogFormat::Json, "info"));
        assert!(matches!(parse(["--help".to_owned()], |_| None), Ok(Asked::Print(text)) if text == help()));
    }

    #[test]
    fn the_environment_says_what_arguments_leave_out() {
        let environment =
            [("COUNTERSIGN_POD_UID", "other"), ("COUNTERSIGN_ON_STALE", "allow"), ("COUNTERSIGN_MODELS", "a, b,")];
        let told = parsed(&["--posture", "observe"], &environment).unwrap();
        assert_eq!(told.resident.pod_uid, "p");
        assert_eq!(
            (told.resident.settings.posture, told.resident.settings.on_stale),
            (Posture::Observe, Failure::Allow)
        );
        assert_eq!(told.resident.settings.models, ["a", "b"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |more: &[&str]| parsed(more, &[]).unwrap_err().to_string();
        assert_eq!(wrong(&["--port", "1"]), "there is no argument `--port`; `--help` lists all");
        assert_eq!(wrong(&["serve"]), "there is no argument `serve`; `--help` lists all");
        assert_eq!(wrong(&["--data", "/x"]), "`--data` is given twice");
        assert_eq!(wrong(&["--listen"]), "`--listen` needs a value");
        assert_eq!(wrong(&["--listen", "80"]), "`--listen`: expected an address and a port, found `80`");
        assert_eq!(wrong(&["--on-stale=maybe"]), "`--on-stale`: expected deny or allow, found `maybe`");
        let missing = parse(least().into_iter().filter(|text| !text.starts_with("--anchor")), |_| None);
        let expected = "`--anchor` (or `COUNTERSIGN_ANCHOR`) is required";
        assert_eq!(missing.unwrap_err().to_string(), expected);
        for (flag, value) in
            [("--operator", "host"), ("--operator", "u@h:1"), ("--upstream", "127.0.0.1:80"), ("--anchor", "x")]
        {
            let arguments = least().into_iter().filter(|text| !text.starts_with(flag));
            let found = parse(arguments.chain([format!("{flag}={value}")]), |_| None);
            assert!(matches!(found, Err(Wrong::Unreadable { .. })), "{flag} {value}");
        }
    }
}
