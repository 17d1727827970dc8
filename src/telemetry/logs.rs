//! Logs on standard error, JSON for machines or text for people.
//!
//! # Fields
//! The same idea has the same name everywhere: `query` and `hold` (ids), `policy` (`namespace/name`), `rule`, `matcher`,
//! `code` (a refusal's), `revision`, `file`, `address`, `error` (an error's message without its causes) and `cause` (the
//! innermost one). Text of a query is never a field and never in a message: errors do not carry it and
//! [`Content`](crate::base::Content) does not print it. Nor is a place where something matched: it may hold keys that the
//! caller chose.
//!
//! Messages are plain sentences in lower case, the same text each time, so that they can be searched for.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    #[default]
    Text,
}

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LogFailure {
    /// The filter is not one.
    #[error("`{filter}` is not a log filter; try `info` or `warn,countersign=debug`")]
    Filter {
        /// As given.
        filter: String,
        /// Why.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// Logging has begun before.
    #[error("logging has been set up already")]
    Twice,
}

/// Sends all logs that pass `filter` (`info`, `warn,countersign=debug`) to standard error. Once per process.
pub fn init(format: LogFormat, filter: &str) -> Result<(), LogFailure> {
    let filter = parse(filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Json => registry.with(layer.json().flatten_event(true).with_current_span(false)).try_init(),
        LogFormat::Text => {
            let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
            registry.with(layer.with_target(false).with_ansi(ansi)).try_init()
        }
    }
    .map_err(|_| LogFailure::Twice)
}

fn parse(filter: &str) -> Result<EnvFilter, LogFailure> {
    let wrong = |source| LogFailure::Filter { filter: filter.to_owned(), source };
    EnvFilter::builder().parse(filter).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_is_named_with_an_example() {
        assert!(parse("warn,countersign=debug").is_ok());
        let message = parse("countersign=loud").unwrap_err().to_string();
        assert!(message.contains("`countersign=loud`") && message.contains("info"), "{message}");
    }
}
