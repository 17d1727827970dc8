//! Who is asked and who is alerted, where nobody is: holds are refused, and alerts are log lines.

use std::future::{pending, ready};

use jiff::Timestamp;

use crate::approvals::{Ask, Hold, Phase, Release};
use crate::base::{Digest, GrantId, HoldId, QueryId};
use crate::rules::{Finding, Held};
use crate::sidecar::{Alerts, HoldFailure, Holds, Recall, Recalled, Wait};

/// Nobody.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nobody;

/// A hold that is not there: none ever is.
fn unknown<'a, T: Send + 'a>(id: HoldId) -> Wait<'a, Result<T, HoldFailure>> {
    Box::pin(ready(Err(HoldFailure::Unknown(id))))
}

impl Holds for Nobody {
    fn recall(&self, _: Recall, held: Box<Held>) -> Wait<'_, Result<Recalled, HoldFailure>> {
        Box::pin(ready(Ok(Recalled::Nothing(held))))
    }

    fn revoked(&self, _: GrantId) -> Wait<'_, ()> {
        Box::pin(pending())
    }

    fn open(&self, _: Ask) -> Wait<'_, Result<HoldId, HoldFailure>> {
        Box::pin(ready(Err(HoldFailure::NobodyToAsk)))
    }

    fn look_up(&self, id: HoldId) -> Wait<'_, Result<Hold, HoldFailure>> {
        unknown(id)
    }

    fn attend(&self, id: HoldId, _: Timestamp) -> Wait<'_, Result<(), HoldFailure>> {
        unknown(id)
    }

    fn settled(&self, id: HoldId) -> Wait<'_, Result<Phase, HoldFailure>> {
        unknown(id)
    }

    fn claim(&self, id: HoldId, _: Held, _: Digest) -> Wait<'_, Result<Release, HoldFailure>> {
        unknown(id)
    }

    fn delivered(&self, id: HoldId) -> Wait<'_, Result<(), HoldFailure>> {
        unknown(id)
    }
}

impl Alerts for Nobody {
    fn raise(&self, query: QueryId, _: &str, route: Option<&str>, finding: &Finding) {
        let policy = &*finding.policy;
        tracing::warn!(%query, %policy, rule = &*finding.rule, matcher = &*finding.matcher, route, "alert raised");
    }
}
