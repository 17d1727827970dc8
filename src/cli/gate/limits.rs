//! Limits and waits of the gate, as flags.

use std::time::Duration;

use crate::compile::duration;
use crate::sidecar::GateSettings;

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
    /// How long answers under way may take to finish at a shutdown.
    #[arg(long, value_name = "DURATION", value_parser = waiting, help_heading = "Limits")]
    shutdown_grace: Option<Duration>,
}

fn waiting(text: &str) -> Result<Duration, String> {
    duration(text).map_err(|flaw| flaw.to_string())
}

impl LimitArguments {
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
        set(&mut settings.shutdown_grace, self.shutdown_grace);
    }
}
