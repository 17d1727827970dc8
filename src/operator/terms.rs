//! On what terms rule sets are given out, and what it is that is given out, but for how new it is.

use std::time::Duration;

use super::selection::Selection;
use super::workloads::{Enrolled, Owned, order};
use crate::api::gate::Distribution;
use crate::base::{Digest, Hasher};
use crate::distribution::Order;

/// What all that is given out has in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// The epoch in force.
    pub(super) epoch: u64,
    /// How long a gate may judge without news.
    pub(super) age_max: Duration,
}

impl Terms {
    /// The digest of all that the gates of a workload are told, but for how new it is. Made of digests: it is asked for again
    /// and again, of every workload.
    pub(super) fn content(&self, owned: &Owned, selection: &Selection, revision: Digest) -> Digest {
        let mut hasher = Hasher::default();
        hasher.field(b"countersign content 1");
        hasher.field(&self.age_max.as_secs().to_be_bytes());
        hasher.field(owned.uid.as_bytes());
        let workload = &owned.workload;
        let labels = workload.labels.iter().flat_map(|(key, value)| [key, value]);
        [&workload.namespace, &workload.name].into_iter().chain(labels).for_each(|text| hasher.field(text.as_bytes()));
        hasher.field(selection.digest.as_bytes());
        hasher.field(revision.as_bytes());
        hasher.finish()
    }

    /// What is to be recorded as given out to a workload: what is recorded already, unless it is something else or of an
    /// older epoch. `None` where nothing compiled since this process began and nothing is recorded.
    pub(super) fn distribution(&self, enrolled: &Enrolled) -> Option<Distribution> {
        let recorded = enrolled.recorded.clone();
        let Some(selection) = &enrolled.in_force else { return recorded };
        let Ok(revision) = selection.revision else { return recorded };
        let content = self.content(&enrolled.owned, selection, revision).to_string();
        let next = match &recorded {
            Some(recorded) if recorded.epoch >= self.epoch && recorded.content == content => {
                return Some(recorded.clone());
            }
            Some(recorded) if recorded.epoch >= self.epoch => {
                Order { epoch: recorded.epoch, sequence: recorded.sequence.saturating_add(1) }
            }
            Some(_) | None => Order { epoch: self.epoch, sequence: 1 },
        };
        Some(Distribution { epoch: next.epoch, sequence: next.sequence, content, revision: revision.to_string() })
    }

    /// How new what is in force of a workload is, if it is what is recorded as given out.
    pub(super) fn given(&self, enrolled: &Enrolled) -> Option<Order> {
        let (recorded, selection) = (enrolled.recorded.as_ref()?, enrolled.in_force.as_ref()?);
        let revision = *selection.revision.as_ref().ok()?;
        let content = self.content(&enrolled.owned, selection, revision).to_string();
        (recorded.content == content).then(|| order(recorded))
    }
}
