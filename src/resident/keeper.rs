//! Puts in force what comes from the operator, and says how it goes on with it: in the record, in logs, in metrics.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use crate::audit::Event;
use crate::distribution::Accepted;
use crate::distribution::follow::{Broken, Keeper, News};
use crate::sidecar::{InForce, Recorder, Rulebook};
use crate::telemetry::Metrics;

/// The gate's own.
pub(super) struct Own {
    pub(super) rulebook: Arc<Rulebook>,
    pub(super) recorder: Arc<dyn Recorder>,
    pub(super) metrics: Metrics,
}

impl Own {
    /// Puts in force what the record names already.
    pub(super) fn begin(&self, accepted: &Accepted) {
        let compilation = &accepted.compilation;
        let revision = compilation.rule_set.revision();
        self.metrics.rule_set_loaded(revision, compilation.policies);
        let (order, policies) = (accepted.bundle.order, compilation.policies);
        tracing::info!(%revision, epoch = order.epoch, sequence = order.sequence, policies, "rule set in force");
        self.rulebook.replace(InForce {
            rules: Arc::clone(&compilation.rule_set),
            chains: compilation.chains.clone(),
            workload: Some(accepted.bundle.workload.clone()),
        });
    }

    fn lost(&self, broken: &Broken, pause: Duration) {
        self.metrics.operator_connected(false);
        let cause = broken.source().map(ToString::to_string);
        let again = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(error = %broken, cause, again_in_ms = again, "not following the operator");
    }
}

impl Keeper for Own {
    fn put_in_force(&mut self, accepted: &Accepted) -> Result<(), &'static str> {
        let revision = accepted.compilation.rule_set.revision();
        let policies = u32::try_from(accepted.compilation.policies).unwrap_or(u32::MAX);
        // A rule set that the record does not name must not judge: without the entry the old one stays.
        let recorded = self.recorder.append(Event::RuleSetLoaded { revision, policies });
        recorded.map_err(|_| "the audit record cannot be written")?;
        self.begin(accepted);
        Ok(())
    }

    fn hear(&mut self, news: News<'_>) {
        match news {
            News::Admitted => {
                self.metrics.operator_connected(true);
                tracing::info!("following the operator");
            }
            News::Kept(Ok(())) => {}
            News::Kept(Err(failure)) => {
                let cause = failure.source().map(ToString::to_string);
                tracing::error!(error = %failure, cause, "a restart will not find the rule set in force");
            }
            News::Refused(refusal) => {
                self.metrics.rule_set_failed();
                tracing::error!(error = %refusal, "a rule set was refused, the one before stays in force");
            }
            News::FreshUntil(moment) => self.rulebook.fresh_until(moment),
            News::NotRenewed(unproven) => tracing::warn!(error = %unproven, "the rule set in force grows no younger"),
            News::Lost(broken, pause) => self.lost(broken, pause),
        }
    }
}
