//! What the engine says of a query, and the proofs that only it can hand out.

use std::sync::Arc;

use bytes::Bytes;

use super::{Causes, ChainRef, Excepted, PolicyRef, Retention, Similar};
use crate::base::{Content, Digest};
use crate::query::{PartId, Query};

/// What the engine says, least restrictive first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Verdict {
    /// Let through.
    Allow,
    /// Let through and tell somebody.
    Alert,
    /// Let through with parts replaced.
    Redact,
    /// Ask people first.
    Hold,
    /// Refuse.
    Deny,
}

/// One match of one rule.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Whose rule.
    pub policy: Arc<PolicyRef>,
    /// The rule's name.
    pub rule: Arc<str>,
    /// What the rule wants.
    pub verdict: Verdict,
    /// Whether the policy is in Audit mode: recorded, without effect.
    pub audit_only: bool,
    /// What matched: `keyword`, `regex`, a detector's name, `cel`, `size`, `rate`, `coverage`, `error`.
    pub matcher: Arc<str>,
    /// Where, for text: the part and the bytes of its text.
    pub at: smallvec::SmallVec<[(PartId, std::ops::Range<usize>); 1]>,
    /// The place as people write it, or what was measured.
    pub place: Arc<str>,
}

/// Why a clearance was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// No rule objects.
    Allowed,
    /// Rules asked for redaction only, and it was done.
    Redacted,
    /// A failure switch says to let it through.
    AllowedByFailure,
    /// Posture `Observe`: it would have been refused, held or changed.
    WouldRefuse,
    /// A route without a query.
    Passed,
}

/// Proof that the engine lets these bytes through. Made in this room only.
///
/// ```compile_fail,E0451
/// use countersign::base::Digest;
/// use countersign::rules::{Basis, Clearance};
///
/// let digest = Digest::of(b"");
/// Clearance { body: bytes::Bytes::new(), digest, revision: digest, basis: Basis::Allowed };
/// ```
///
/// Nor can one be used twice:
///
/// ```compile_fail,E0277
/// fn twice<T: Clone>() {}
/// twice::<countersign::rules::Clearance>();
/// ```
#[derive(Debug)]
pub struct Clearance {
    pub(super) body: Bytes,
    pub(super) digest: Digest,
    pub(super) revision: Digest,
    pub(super) basis: Basis,
}

impl Clearance {
    /// The bytes that may be forwarded.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// SHA-256 of those bytes.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The rule set in force.
    #[must_use]
    pub const fn revision(&self) -> Digest {
        self.revision
    }

    /// Why.
    #[must_use]
    pub const fn basis(&self) -> Basis {
        self.basis
    }
}

/// A query that needs people. Made in this room only; `approvals` turns it into a release or never does.
///
/// ```compile_fail,E0451
/// use countersign::rules::{Held, Judgement, Ruling};
///
/// fn relabel(held: Held, other: Held) -> Held {
///     Held { chains: Vec::new(), ..held }
/// }
/// ```
#[derive(Debug)]
pub struct Held {
    pub(super) query: Query,
    /// As it would be forwarded, redactions applied.
    pub(super) body: Bytes,
    pub(super) digest: Digest,
    pub(super) revision: Digest,
    pub(super) chains: Vec<ChainRef>,
    pub(super) causes: Causes,
    pub(super) similar: Option<Similar>,
}

impl Held {
    /// The query as it was judged.
    #[must_use]
    pub const fn query(&self) -> &Query {
        &self.query
    }

    /// The bytes that a release would forward.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// SHA-256 of those bytes.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The rule set in force.
    #[must_use]
    pub const fn revision(&self) -> Digest {
        self.revision
    }

    /// Every chain that must be satisfied, distinct, in order of name.
    #[must_use]
    pub fn chains(&self) -> &[ChainRef] {
        &self.chains
    }

    /// What holds it, by the texts that do.
    #[must_use]
    pub const fn causes(&self) -> &Causes {
        &self.causes
    }

    /// What it has in common with queries like it; `None` when none is.
    #[must_use]
    pub const fn similar(&self) -> Option<Similar> {
        self.similar
    }
}

/// Why a query is refused, in a word that never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenialCode {
    /// A rule says so.
    PolicyDenied,
    /// Something in the body cannot be judged and no policy allows it.
    NotCovered,
    /// No policy applies to the workload.
    NoPolicy,
    /// Judging failed.
    JudgingFailed,
    /// A redaction could not be applied.
    RedactionFailed,
}

impl DenialCode {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::PolicyDenied, Self::NotCovered, Self::NoPolicy, Self::JudgingFailed, Self::RedactionFailed];

    /// The word that clients, records and metrics know it by; never changed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PolicyDenied => "policy_denied",
            Self::NotCovered => "not_covered",
            Self::NoPolicy => "no_policy",
            Self::JudgingFailed => "judging_failed",
            Self::RedactionFailed => "redaction_failed",
        }
    }
}

/// A refusal.
#[derive(Debug, Clone)]
pub struct Denial {
    /// The word.
    pub code: DenialCode,
    /// What the client is told: the policy's message, or our own; never a pattern.
    pub message: String,
    /// Whose rule, if a rule's.
    pub policy: Option<Arc<PolicyRef>>,
    /// The rule's name.
    pub rule: Option<Arc<str>>,
}

/// What is to happen.
#[derive(Debug)]
pub enum Ruling {
    /// Forward.
    Clear(Clearance),
    /// Ask people.
    Hold(Box<Held>),
    /// Refuse.
    Deny(Denial),
}

/// The engine's answer.
#[derive(Debug)]
pub struct Judgement {
    /// The verdict in force (policies in Audit mode left out).
    pub verdict: Verdict,
    /// What would have been the verdict with every policy enforced and no posture; for the record.
    pub verdict_if_enforced: Verdict,
    /// Everything that matched, most restrictive first, at most `FINDINGS_MAX`.
    pub findings: Vec<Finding>,
    /// Alert routes to tell, with the index of the finding.
    pub alerts: Vec<(Option<String>, usize)>,
    /// Rules that would have matched, or failed, had exceptions not lifted them; at most `FINDINGS_MAX`.
    pub excepted: Vec<Excepted>,
    /// The rule set in force.
    pub revision: Digest,
    /// What to keep of the query.
    pub retention: Retention,
    /// What is kept of its text: with `Masked`, every part with everything masked that any rule looks for, however many
    /// findings that are; with `Full`, the body.
    pub content: Option<Content>,
    /// The query, when it is not inside the ruling: for the record and for explanations.
    pub query: Option<Query>,
    /// What is to happen.
    pub ruling: Ruling,
}
