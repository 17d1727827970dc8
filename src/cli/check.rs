//! `countersign check`: what stands between clients and a gate must allow for the time that queries are held.
//!
//! Knows the defaults of common proxies and of unchanged SDKs, and asks nobody. Guarantees that every setting it prints is
//! long enough for the slice it was asked about.

use std::time::Duration;

use comfy_table::{Table, presets};
use serde::Serialize;

use super::{Console, Exit, Output};
use crate::compile::{duration, show_duration};
use crate::sidecar::HoldSettings;

/// What a proxy must wait beyond the slice: the answer has to travel, and clocks differ.
const MARGIN: Duration = Duration::from_secs(10);
/// Node's HTTP client (undici) gives up when no head has come for so long, whatever time-out its user sets.
const NODE_HEADERS_MAX: Duration = Duration::from_mins(5);
/// How often SDKs ask: once, and two retries.
const SDK_ATTEMPTS: u32 = 3;

/// Print what proxies on the way must allow for a hold slice, and how long unchanged SDKs wait with it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The gate's `--hold-slice`.
    #[arg(long, value_name = "DURATION", value_parser = time, default_value = "50s")]
    hold_slice: Duration,
    /// The gate's `--hold-retry-after`.
    #[arg(long, value_name = "DURATION", value_parser = time, default_value = "60s")]
    hold_retry_after: Duration,
    /// How to write it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

fn time(text: &str) -> Result<Duration, String> {
    duration(text).map_err(|flaw| flaw.to_string())
}

/// A kind of proxy: how long it waits for an answer unless it is told to wait longer.
struct Hop {
    name: &'static str,
    default: Duration,
    setting: fn(u64) -> String,
}

/// From the documentation of each.
const HOPS: [Hop; 6] = [
    Hop {
        name: "nginx",
        default: Duration::from_mins(1),
        setting: |s| format!("proxy_read_timeout {s}s; proxy_send_timeout {s}s;"),
    },
    Hop {
        name: "ingress-nginx",
        default: Duration::from_mins(1),
        setting: |s| format!("nginx.ingress.kubernetes.io/proxy-read-timeout: \"{s}\""),
    },
    Hop {
        name: "Envoy",
        default: Duration::from_secs(15),
        setting: |s| format!("route: {{timeout: {s}s}} (0s for routes that stream)"),
    },
    Hop { name: "HAProxy", default: Duration::from_secs(50), setting: |s| format!("timeout server {s}s") },
    Hop {
        name: "AWS load balancer",
        default: Duration::from_mins(1),
        setting: |s| format!("idle_timeout.timeout_seconds={s}"),
    },
    Hop {
        name: "Google Cloud load balancer",
        default: Duration::from_secs(30),
        setting: |s| format!("backend service: timeoutSec: {s}"),
    },
];

/// What is found about one kind of proxy.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    hop: &'static str,
    default_seconds: u64,
    enough: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    setting: Option<String>,
}

fn hops(slice: Duration) -> Vec<Found> {
    let needed = slice.saturating_add(MARGIN);
    let one = |hop: &Hop| {
        let enough = hop.default >= needed;
        let setting = (!enough).then(|| (hop.setting)(needed.as_secs()));
        Found { hop: hop.name, default_seconds: hop.default.as_secs(), enough, setting }
    };
    HOPS.iter().map(one).collect()
}

/// How long an unchanged SDK waits in all: its attempts, and the pauses between them.
fn sdk_waits(slice: Duration, retry_after: Duration) -> Duration {
    slice * SDK_ATTEMPTS + retry_after * (SDK_ATTEMPTS - 1)
}

pub(super) fn run(arguments: &Arguments, console: &mut Console) -> anyhow::Result<Exit> {
    let slice = arguments.hold_slice;
    let found = hops(slice);
    let waits = sdk_waits(slice, arguments.hold_retry_after);
    let too_long = slice.saturating_add(MARGIN) > NODE_HEADERS_MAX;
    match arguments.output {
        Output::Json => console.json(&serde_json::json!({
            "holdSliceSeconds": slice.as_secs(), "sdkWaitsSeconds": waits.as_secs(), "hops": found,
            "nodeGivesUpFirst": too_long,
        }))?,
        Output::Table => {
            console.text(table(&found))?;
            let told =
                format!("\nAn unchanged SDK waits about {} in all: {SDK_ATTEMPTS} slices of", show_duration(waits));
            let pauses = show_duration(arguments.hold_retry_after);
            console.line(format!("{told} {}, {pauses} apart.", show_duration(slice)))?;
            let comment = show_duration(HoldSettings::default().comment_every);
            console.line(format!("Streams need nothing longer than {comment}: they are kept alive."))?;
        }
    }
    if too_long {
        let most = show_duration(NODE_HEADERS_MAX.saturating_sub(MARGIN));
        console.note(format!("warning: clients on Node give up after 5m without an answer; use {most} at most"))?;
        return Ok(Exit::Findings);
    }
    Ok(Exit::Done)
}

fn table(found: &[Found]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["ON THE WAY", "WAITS", "NEEDS"]);
    for one in found {
        let default = show_duration(Duration::from_secs(one.default_seconds));
        table.add_row([one.hop.to_owned(), default, one.setting.clone().unwrap_or_else(|| "nothing".to_owned())]);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim().to_owned()).collect();
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_longer_than_the_slice_and_enough_is_left_alone() {
        for found in hops(Duration::from_secs(50)) {
            assert_eq!(found.enough, found.default_seconds >= 60, "{found:?}");
            assert_eq!(found.setting.is_some(), !found.enough);
        }
        let long = hops(Duration::from_secs(290));
        assert!(long.iter().all(|found| found.setting.as_ref().is_some_and(|setting| setting.contains("300"))));
    }

    #[test]
    fn the_default_slice_keeps_an_sdk_waiting_for_four_and_a_half_minutes() {
        let settings = HoldSettings::default();
        assert_eq!(sdk_waits(settings.slice, settings.retry_after), Duration::from_secs(270));
    }
}
