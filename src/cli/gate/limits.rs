//! Limits and waits of the gate, as flags.

use std::time::Duration;

use crate::approvals::PaceLimits;
use crate::compile::duration;
use crate::sidecar::GateSettings;
use crate::standalone::{HoldLimits, PENDING_MAX, PENDING_PER_REQUESTER_MAX};

#[derive(Debug, clap::Args)]
pub(super) struct LimitArguments {
    /// Largest body, compressed or not.
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    body_bytes_max: Option<usize>,
    /// Most bytes of bodies in memory at once.
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    bytes_in_flight_max: Option<usize>,
    /// Most connections of clients.
    #[arg(long, value_name = "N", help_heading = "Limits")]
    connections_max: Option<usize>,
    /// How long the model server may take to begin an answer.
    #[arg(long, value_name = "DURATION", value_parser = waiting, help_heading = "Limits")]
    first_byte_timeout: Option<Duration>,
    /// How long a held client that does not stream is kept before it is told to ask again; below the shortest time-out of
    /// any proxy on the way.
    #[arg(long, value_name = "DURATION", value_parser = waiting, help_heading = "Limits")]
    hold_slice: Option<Duration>,
    /// What a held client is told to wait before it asks again: 1s to 60s.
    #[arg(long, value_name = "DURATION", value_parser = waiting, help_heading = "Limits")]
    hold_retry_after: Option<Duration>,
    /// Most bytes of held queries in memory; a query for which there is no room is held all the same, and its client told to
    /// come again.
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    held_bytes_max: Option<usize>,
    /// Most held queries that wait with their connection open; one caller may take a quarter of them.
    #[arg(long, value_name = "N", help_heading = "Limits")]
    held_max: Option<usize>,
    /// Most queries that wait for people, in all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..), default_value_t = PENDING_MAX, help_heading = "Limits")]
    pending_max: i64,
    /// Most of one caller; anonymous callers are one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..), default_value_t = PENDING_PER_REQUESTER_MAX, help_heading = "Limits")]
    pending_per_caller_max: i64,
    /// Most new holds a minute of one caller; anonymous callers are one.
    #[arg(long, value_name = "N", default_value_t = PaceLimits::default().per_caller, help_heading = "Limits")]
    holds_per_minute: u32,
    /// Most new holds a minute by one rule.
    #[arg(long, value_name = "N", default_value_t = PaceLimits::default().per_rule, help_heading = "Limits")]
    holds_per_minute_rule: u32,
    /// Most new holds a minute in all.
    #[arg(long, value_name = "N", default_value_t = PaceLimits::default().per_namespace, help_heading = "Limits")]
    holds_per_minute_all: u32,
    /// Clients that retry `429` but not `409`, by the beginning of their `User-Agent` [default: curl/, python-requests/,
    /// python-urllib3/].
    #[arg(long, value_name = "PREFIX", value_delimiter = ',', help_heading = "Limits")]
    retry_by_429: Option<Vec<String>>,
    /// How long answers under way may take to finish at a shutdown.
    #[arg(long, value_name = "DURATION", value_parser = waiting, help_heading = "Limits")]
    shutdown_grace: Option<Duration>,
}

fn waiting(text: &str) -> Result<Duration, String> {
    duration(text).map_err(|flaw| flaw.to_string())
}

impl LimitArguments {
    pub(super) const fn holds(&self) -> HoldLimits {
        HoldLimits {
            pending_per_requester_max: self.pending_per_caller_max,
            pending_max: self.pending_max,
            pace: PaceLimits {
                per_caller: self.holds_per_minute,
                per_rule: self.holds_per_minute_rule,
                per_namespace: self.holds_per_minute_all,
            },
        }
    }

    pub(super) fn apply(&self, settings: &mut GateSettings) {
        fn set<T: Copy>(slot: &mut T, given: Option<T>) {
            if let Some(given) = given {
                *slot = given;
            }
        }
        set(&mut settings.limits.body_bytes_max, self.body_bytes_max);
        set(&mut settings.limits.bytes_in_flight_max, self.bytes_in_flight_max);
        set(&mut settings.limits.connections_max, self.connections_max);
        set(&mut settings.upstream.first_byte_timeout, self.first_byte_timeout);
        set(&mut settings.hold.slice, self.hold_slice);
        set(&mut settings.hold.retry_after, self.hold_retry_after);
        set(&mut settings.hold.bytes_max, self.held_bytes_max);
        set(&mut settings.hold.waiting_max, self.held_max);
        if let Some(agents) = &self.retry_by_429 {
            settings.hold.retry_by_429.clone_from(agents);
        }
        set(&mut settings.shutdown_grace, self.shutdown_grace);
    }
}
