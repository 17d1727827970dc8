//! The record of a gate: the audit log of its folder, counted.
//!
//! Knows nothing of what is recorded. Guarantees that an entry that was not written is told to who asked for it, and counted.

use std::path::Path;
use std::sync::Arc;

use super::ports::{RecordFailure, Recorder};
use crate::audit::{AppendFailure, Durability, Event, Log, OpenFailure, Options};
use crate::base::{Clock, Digest};
use crate::rules::Posture;
use crate::telemetry::Metrics;

/// The record.
pub struct Trail {
    log: Log,
    metrics: Metrics,
}

impl Trail {
    /// Opens the log of a folder, and mends its end if it is torn.
    pub fn open(
        folder: &Path,
        clock: Arc<dyn Clock>,
        durability: Durability,
        metrics: Metrics,
    ) -> Result<Self, OpenFailure> {
        let options = Options { durability, ..Options::default() };
        let (log, opened) = Log::open_with(folder, clock, options)?;
        if let Some(kept) = &opened.kept_in {
            tracing::warn!(
                bytes = opened.repaired_bytes,
                file = %kept.display(),
                "the audit log ended in an unfinished entry, which was moved aside"
            );
        }
        Ok(Self { log, metrics })
    }

    /// The gate begins to serve, with this rule set if it has any.
    pub fn started(&self, revision: Option<Digest>, posture: Posture) -> Result<(), RecordFailure> {
        let posture = match posture {
            Posture::Enforce => "Enforce",
            Posture::Observe => "Observe",
        };
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.append(Event::GateStarted { version, revision, posture: posture.to_owned() })
    }

    fn counted(&self, appended: Result<(), AppendFailure>) -> Result<(), RecordFailure> {
        match appended {
            Ok(()) => {
                self.metrics.audit_written();
                Ok(())
            }
            Err(error) => {
                self.metrics.audit_failed();
                tracing::error!(%error, "the audit record cannot be written");
                Err(RecordFailure)
            }
        }
    }
}

impl Recorder for Trail {
    fn append(&self, event: Event) -> Result<(), RecordFailure> {
        self.counted(self.log.append(&event))
    }

    fn append_soon(&self, event: Event) -> Result<(), RecordFailure> {
        self.counted(self.log.append_soon(&event))
    }
}
