//! Why a bundle is not taken, or not made, and why what is said around it is not believed.

use super::bundle::Order;
use super::bytes::Malformed;
use super::key::KeyFailure;
use super::limits::BUNDLE_BYTES_MAX;
use crate::base::Digest;

/// Why a gate does not take a bundle. What it had stays in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Longer than any bundle.
    #[error("the bundle has more than {BUNDLE_BYTES_MAX} bytes")]
    TooLarge,
    /// Something else altogether.
    #[error("this is no bundle")]
    NotABundle,
    /// Written by another release.
    #[error("the bundle has format {found}, and this gate reads format {known}; update gates before their operator")]
    UnknownVersion {
        /// What it says.
        found: u16,
        /// What is read here.
        known: u16,
    },
    /// Its bytes do not fit.
    #[error("the bundle is damaged: its {field} does not fit")]
    Malformed {
        /// Which of its fields.
        field: &'static str,
    },
    /// Nothing leads from the anchor to the key.
    #[error("the bundle is signed with key `{0}`, to which nothing leads from this gate's anchor")]
    UnknownKey(Digest),
    /// The gate has already followed another key.
    #[error("the bundle is signed with key `{0}`, which has handed over to another")]
    RetiredKey(Digest),
    /// Not what the key signed.
    #[error("the signature of the bundle does not hold")]
    WrongSignature,
    /// Not for this gate.
    #[error("the bundle is for workload `{offered}`, and this gate is of `{own}`")]
    OtherWorkload {
        /// The UID of this gate's workload.
        own: String,
        /// The UID that the bundle is for.
        offered: String,
    },
    /// Older than what the gate has.
    #[error("the bundle is older ({offered}) than what is in force ({held})")]
    Replayed {
        /// What is in force.
        held: Order,
        /// What was offered.
        offered: Order,
    },
    /// As new as what the gate has, and not the same.
    #[error("there are two bundles of {0}")]
    Contradiction(Order),
    /// What it holds does not compile here.
    #[error("the policies do not compile: {0}")]
    Uncompilable(String),
    /// What it holds compiles to something else.
    #[error("the bundle says revision `{said}`, and its policies have `{found}`")]
    OtherRevision {
        /// What it says.
        said: Digest,
        /// What it holds.
        found: Digest,
    },
    /// What it holds does not judge.
    #[error("the rule set failed its test: {0}")]
    SelfTest(&'static str),
    /// It would do, but the gate cannot put it in force.
    #[error("the gate cannot put the rule set in force: {0}")]
    NotInForce(&'static str),
}

impl Refusal {
    /// One word that never changes, for statuses and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotABundle => "not_a_bundle",
            Self::UnknownVersion { .. } => "unknown_version",
            Self::Malformed { .. } => "malformed",
            Self::UnknownKey(_) => "unknown_key",
            Self::RetiredKey(_) => "retired_key",
            Self::WrongSignature => "wrong_signature",
            Self::OtherWorkload { .. } => "other_workload",
            Self::Replayed { .. } => "replayed",
            Self::Contradiction(_) => "contradiction",
            Self::Uncompilable(_) => "uncompilable",
            Self::OtherRevision { .. } => "other_revision",
            Self::SelfTest(_) => "self_test",
            Self::NotInForce(_) => "not_in_force",
        }
    }
}

/// Why a gate does not believe what is said around bundles. What it has stays in force, and does not grow younger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// Its bytes do not fit.
    #[error("the statement is damaged: its {field} does not fit")]
    Malformed {
        /// Which of its fields.
        field: &'static str,
    },
    /// Nothing leads from the anchor to the key.
    #[error("the statement is signed with key `{0}`, to which nothing leads from this gate's anchor")]
    UnknownKey(Digest),
    /// The gate has already followed another key.
    #[error("the statement is signed with key `{0}`, which has handed over to another")]
    RetiredKey(Digest),
    /// Not what the key signed: another nonce, another certificate, another bundle, or not the key at all.
    #[error("the signature of the statement does not hold here")]
    WrongSignature,
    /// There is nothing in force that could be vouched for.
    #[error("there is no bundle to vouch for")]
    NothingHeld,
}

impl From<Malformed> for Unproven {
    fn from(Malformed(field): Malformed) -> Self {
        Self::Malformed { field }
    }
}

impl From<Malformed> for Refusal {
    fn from(Malformed(field): Malformed) -> Self {
        Self::Malformed { field }
    }
}

/// Why no bundle is made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unpublishable {
    /// Every gate would refuse it.
    #[error("no gate would take the bundle")]
    Unacceptable(#[source] Refusal),
    /// It cannot be signed.
    #[error("the bundle cannot be signed")]
    Unsigned(#[source] KeyFailure),
}

impl Unpublishable {
    pub(super) fn of(malformed: Malformed) -> Self {
        Self::Unacceptable(malformed.into())
    }
}

impl From<KeyFailure> for Unpublishable {
    fn from(failure: KeyFailure) -> Self {
        Self::Unsigned(failure)
    }
}
