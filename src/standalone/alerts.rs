//! Alerts of the stand-alone gate: a log event each, and signed webhooks, grouped and limited in rate.
//!
//! # Flow
//! [`Webhooks::raise`](crate::sidecar::Alerts::raise) logs the alert and puts it into its route's queue; a task per route
//! groups ([`group`]) and sends ([`send`]). [`Settings::load`] reads `alerts.yaml`:
//!
//! ```yaml
//! routes:
//! - name: default                        # where rules that name no route go
//!   url: https://hooks.example.com/countersign
//!   secretFile: alerts.secret            # beside this file; at least 16 bytes
//!   groupBy: [policy, rule, caller]      # alerts alike in these are one message; this is the default
//!   groupFor: 30s                        # the first is sent at once, those after it together, this long apart
//!   ratePerMinute: 30                    # messages of this route
//! ```
//!
//! # Guarantees
//! * No text of a query leaves: a message names query, caller, policy, rule, matcher and place.
//! * Raising never blocks. Every queue, group and attempt is bounded; what is dropped is counted in the metrics, logged,
//!   and told with the route's next message (`suppressed`).
//!
//! # Errors
//! [`SettingsFailure`] at start. Later nothing fails but by log and metric: an alert is no gate.
//!
//! Knows nothing of how queries are judged.

mod group;
mod message;
mod run;
mod send;
mod settings;

pub use message::{SIGNATURE_HEADER, SignatureFailure, sign, verify_signature};
pub use run::{Sending, Webhooks, start};
pub(super) use send::{Receivers, SendFailure, Sender};
pub(super) use settings::Secret;
pub use settings::{Settings, SettingsFailure};
