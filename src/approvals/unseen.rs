//! What a view does not show of a query, by place: what people must have seen before they approve, and what nobody can
//! see.
//!
//! Must not know how a view is made. Guarantees that no text of the query is in it but places.

use crate::query::{GapKind, Query};
use crate::rules::{Finding, Verdict};

/// Most entries kept with a hold: more than anybody reads, and the gravest come first.
pub(super) const UNSEEN_MAX: usize = 32;

/// Something that an excerpt does not show. The order is that of gravity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Unseen {
    /// It caused the hold, and nobody can be shown it as text: an image, sound, token ids.
    Opaque {
        /// Where, and what it is.
        place: String,
    },
    /// Text that caused the hold; the full form shows it.
    Text {
        /// Where.
        place: String,
        /// How much of it.
        characters: usize,
    },
    /// It cannot be shown either, but the policies let it pass unjudged: it did not cause the hold.
    Beside {
        /// Where, and what it is.
        place: String,
    },
}

impl Unseen {
    /// Where, and what it is.
    #[must_use]
    pub fn place(&self) -> &str {
        match self {
            Self::Opaque { place } | Self::Text { place, .. } | Self::Beside { place } => place,
        }
    }

    pub(super) fn place_mut(&mut self) -> &mut String {
        match self {
            Self::Opaque { place } | Self::Text { place, .. } | Self::Beside { place } => place,
        }
    }
}

/// What of a query no text can show.
pub(super) fn opaque(query: &Query, findings: &[Finding]) -> Vec<Unseen> {
    let causes = findings.iter().filter(|finding| holds(finding) && &*finding.matcher == "coverage");
    let causes: Vec<&str> = causes.map(|finding| &*finding.place).collect();
    let gaps = query.gaps().iter().filter(|gap| is_opaque(gap.kind)).map(|gap| {
        let place = format!("{} ({})", query.place(gap.place), gap.kind.name());
        if causes.contains(&place.as_str()) { Unseen::Opaque { place } } else { Unseen::Beside { place } }
    });
    let mut unseen: Vec<Unseen> = gaps.collect();
    unseen.sort();
    unseen.truncate(UNSEEN_MAX);
    unseen
}

/// Whether a rule holds the query without pointing at anything in it: then all of it is the cause. Sizes and rates are
/// numbers, which the reason says; coverage names its places.
pub(super) fn everything(findings: &[Finding]) -> bool {
    let measured = |finding: &Finding| matches!(&*finding.matcher, "size" | "rate" | "coverage");
    let points = |one: &Finding| {
        let same = |other: &&Finding| other.policy == one.policy && other.rule == one.rule;
        findings.iter().filter(same).any(|finding| !finding.at.is_empty() || measured(finding))
    };
    findings.iter().filter(|finding| holds(finding)).any(|finding| !points(finding))
}

fn holds(finding: &Finding) -> bool {
    finding.verdict == Verdict::Hold && !finding.audit_only
}

/// Whether text cannot show what is there. All other gaps are text that is not judged, and the full form shows it.
pub(super) const fn is_opaque(kind: GapKind) -> bool {
    match kind {
        GapKind::TokenIds
        | GapKind::Embeddings
        | GapKind::Image
        | GapKind::Audio
        | GapKind::Video
        | GapKind::File
        | GapKind::Remote
        | GapKind::State
        | GapKind::Code => true,
        GapKind::UnknownField
        | GapKind::UnknownType
        | GapKind::UnknownRole
        | GapKind::Template
        | GapKind::Steering
        | GapKind::Limit => false,
    }
}
