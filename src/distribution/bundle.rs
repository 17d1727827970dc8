//! What a bundle says, and its bytes without key and signature.
//!
//! Guarantees: what is read is written again as the same bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::bytes::{Malformed, Reader, Writer};
use super::limits::{
    AGE_MAX_MAX, BUNDLE_BYTES_MAX, DOCUMENTS_MAX, LABEL_BYTES_MAX, LABELS_MAX, NAME_BYTES_MAX, UID_BYTES_MAX,
};
use super::refusal::Unpublishable;
use crate::base::Digest;
use crate::rules::Workload;

/// The order comes first, so that the rest is the content.
pub(super) const ORDER_BYTES: usize = 16;

/// Which bundle is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    /// Raised by an administrator when what gave the sequences was restored from a backup.
    pub epoch: u64,
    /// Raised by every bundle of a workload.
    pub sequence: u64,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {}, sequence {}", self.epoch, self.sequence)
    }
}

/// What the gates of one workload are to judge by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// How new it is.
    pub order: Order,
    /// The revision of the rule set that its documents compile to.
    pub revision: Digest,
    /// The UID of the workload.
    pub uid: String,
    /// The workload as selectors and expressions see it.
    pub workload: Workload,
    /// How long it may be judged by without news, in whole seconds, at least one.
    pub age_max: Duration,
    /// The policies and chains that apply, an object each, as `compile` reads them.
    pub documents: Vec<String>,
}

impl Bundle {
    /// What everything but the order comes to: bundles of one content differ in nothing that a gate judges by. The documents
    /// count in the order in which they are.
    pub fn content(&self) -> Result<Digest, Unpublishable> {
        let bytes = self.write().map_err(Unpublishable::of)?;
        Ok(Digest::of(bytes.get(ORDER_BYTES..).unwrap_or_default()))
    }

    /// The bytes that are signed, or the field that no gate would take.
    pub(super) fn write(&self) -> Result<Vec<u8>, Malformed> {
        let mut out = Writer::default();
        out.long(self.order.epoch);
        out.long(self.order.sequence);
        out.raw(self.revision.as_bytes());
        out.long(self.age_max.as_secs());
        out.text(&self.uid);
        out.text(&self.workload.namespace);
        out.text(&self.workload.name);
        out.count(self.workload.labels.len());
        for (key, value) in &self.workload.labels {
            out.text(key);
            out.text(value);
        }
        out.count(self.documents.len());
        for document in &self.documents {
            out.text(document);
        }
        // One list of limits, where strangers' bytes are read, is enough.
        if Self::read(&out.0)? == *self { Ok(out.0) } else { Err(Malformed("maximum age")) }
    }

    /// Reads what [`Self::write`] wrote, and nothing else.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut from = Reader(bytes);
        let order = Order { epoch: from.long("epoch")?, sequence: from.long("sequence")? };
        let revision = Digest::from_bytes(from.array("revision")?);
        let age_max = Duration::from_secs(from.long("maximum age")?);
        if age_max.is_zero() || age_max > AGE_MAX_MAX {
            return Err(Malformed("maximum age"));
        }
        let uid = from.text(UID_BYTES_MAX, "workload UID")?.to_owned();
        let workload = workload(&mut from)?;
        let count = from.count(DOCUMENTS_MAX, "number of documents")?;
        let documents = (0..count).map(|_| from.text(BUNDLE_BYTES_MAX, "document").map(str::to_owned));
        let documents = documents.collect::<Result<_, _>>()?;
        from.end()?;
        Ok(Self { order, revision, uid, workload, age_max, documents })
    }
}

fn workload(from: &mut Reader<'_>) -> Result<Workload, Malformed> {
    let namespace = from.text(NAME_BYTES_MAX, "namespace")?.to_owned();
    let name = from.text(NAME_BYTES_MAX, "name")?.to_owned();
    let mut labels = BTreeMap::new();
    for _ in 0..from.count(LABELS_MAX, "number of labels")? {
        let key = from.text(LABEL_BYTES_MAX, "label")?;
        let value = from.text(LABEL_BYTES_MAX, "label")?;
        // In order and once each, so that there is one way to write them.
        if labels.last_key_value().is_some_and(|(last, _): (&String, _)| last.as_str() >= key) {
            return Err(Malformed("label"));
        }
        labels.insert(key.to_owned(), value.to_owned());
    }
    Ok(Workload { namespace, name, labels })
}
