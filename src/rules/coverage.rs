//! What policies say of the gaps in a query's coverage: the most restrictive of all that say something, Deny where none
//! does. Policies in Audit mode neither loosen nor tighten; what they would have said is recorded.
//!
//! An exception from an entry loosens that entry and nothing else. Of `Deny` nothing is left: what other policies say counts,
//! and Deny where they say nothing, for that is nobody's entry. `Hold`, which has taken the place of that Deny, becomes `Allow`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::set::{Compiled, RuleSet};
use super::{CoverageRule, Disposition, Exception, Mode, PolicyRef, Verdict};
use crate::base::limits::FINDINGS_MAX;
use crate::query::{GapKind, PartId, Place, Query};

/// One gap, with its place written out.
#[derive(Debug)]
pub(super) struct NamedGap {
    pub(super) kind: GapKind,
    pub(super) place: String,
}

/// What one policy's entry says of a gap.
#[derive(Debug)]
pub(super) struct Saying<'s> {
    pub(super) policy: &'s Arc<PolicyRef>,
    pub(super) rule: &'s Arc<str>,
    pub(super) mode: Mode,
    pub(super) action: &'s Disposition,
    /// What lifts it.
    pub(super) exception: Option<&'s Arc<Exception>>,
}

impl Saying<'_> {
    /// What counts of it.
    pub(super) fn counts(&self) -> Option<&Disposition> {
        match (self.exception, self.action) {
            (None, action) => Some(action),
            (Some(_), Disposition::Allow | Disposition::Hold(_)) => Some(&Disposition::Allow),
            (Some(_), Disposition::Deny) => None,
        }
    }

    /// What lifts it, where there is anything to lift.
    pub(super) fn lifted(&self) -> Option<&Arc<Exception>> {
        self.exception.filter(|_| *self.action != Disposition::Allow)
    }
}

/// The verdict that an entry asks for.
pub(super) const fn verdict_of(action: &Disposition) -> Verdict {
    match action {
        Disposition::Allow => Verdict::Allow,
        Disposition::Hold(_) => Verdict::Hold,
        Disposition::Deny => Verdict::Deny,
    }
}

/// All gaps: those the decoder named, and texts whose encoded runs were too many to look into.
pub(super) fn gaps(query: &Query, beyond: &[PartId]) -> Vec<NamedGap> {
    all(query, beyond).map(|gap| named(query, gap)).collect()
}

/// The gaps that a verdict and its findings depend on. Where no policy tells places apart, gaps of one kind are all
/// judged alike, and more of them than findings are kept change nothing.
pub(super) fn weighty_gaps(set: &RuleSet, query: &Query, beyond: &[PartId]) -> Vec<NamedGap> {
    if query.gaps().is_empty() && beyond.is_empty() {
        return Vec::new();
    }
    let rules = set.policies.iter().flat_map(|policy| &policy.coverage);
    let by_place: BTreeSet<GapKind> =
        rules.filter(|(_, rule)| !rule.places.is_empty()).flat_map(|(_, rule)| rule.kinds.iter().copied()).collect();
    let mut seen: BTreeMap<GapKind, usize> = BTreeMap::new();
    let weighty = all(query, beyond).filter(|(kind, _)| {
        let seen = seen.entry(*kind).or_default();
        *seen += 1;
        *seen <= FINDINGS_MAX || by_place.contains(kind)
    });
    weighty.map(|gap| named(query, gap)).collect()
}

fn all(query: &Query, beyond: &[PartId]) -> impl Iterator<Item = (GapKind, Place)> {
    let parts = beyond.iter().filter_map(|id| query.part(*id));
    let of_decoder = query.gaps().iter().map(|gap| (gap.kind, gap.place));
    of_decoder.chain(parts.map(|part| (GapKind::Limit, part.place)))
}

fn named(query: &Query, (kind, place): (GapKind, Place)) -> NamedGap {
    NamedGap { kind, place: query.place(place) }
}

/// Everything that policies say of a gap at a moment, in canonical order.
pub(super) fn sayings<'s>(set: &'s RuleSet, gap: &NamedGap, now: Timestamp) -> Vec<Saying<'s>> {
    let of_policy = |policy: &'s Compiled| policy.coverage.iter().map(move |(rule, says)| (policy, rule, says));
    let all = set.policies.iter().flat_map(of_policy).filter(|(_, _, says)| concerns(says, gap));
    let said = all.map(|(policy, rule, says)| Saying {
        policy: &policy.name,
        rule,
        mode: policy.mode,
        action: &says.action,
        exception: set.exceptions.from(&policy.name, rule, now),
    });
    said.collect()
}

fn concerns(rule: &CoverageRule, gap: &NamedGap) -> bool {
    rule.kinds.contains(&gap.kind) && (rule.places.is_empty() || rule.places.iter().any(|p| covers(p, &gap.place)))
}

/// Whether a place pattern names a place or something above it; `[*]` stands for any index.
fn covers(pattern: &str, place: &str) -> bool {
    let (mut pattern, mut place) = (pattern, place);
    while let Some((head, rest)) = pattern.split_once("[*]") {
        let Some(after) = place.strip_prefix(head).and_then(|p| p.strip_prefix('[')) else { return false };
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let Some(after) = after.get(digits..).filter(|_| digits > 0).and_then(|p| p.strip_prefix(']')) else {
            return false;
        };
        (pattern, place) = (rest, after);
    }
    place.strip_prefix(pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '(']))
}

/// Why a gap of this kind is refused, for the client.
pub(super) fn refusal(gap: &NamedGap) -> String {
    let holds = match gap.kind {
        GapKind::TokenIds => "holds token ids, which cannot be judged",
        GapKind::Embeddings => "holds vectors, which cannot be judged",
        GapKind::Image => "holds an image, which cannot be judged",
        GapKind::Audio => "holds audio, which cannot be judged",
        GapKind::Video => "holds video, which cannot be judged",
        GapKind::File => "holds a file, which cannot be judged",
        GapKind::Remote => "names something the model server would fetch, which cannot be judged",
        GapKind::UnknownField => "is a field this gate does not know",
        GapKind::UnknownType => "has a type this gate does not know there",
        GapKind::UnknownRole => "names a role this gate does not know",
        GapKind::State => "refers to what the server remembers, which cannot be judged",
        GapKind::Template => "chooses how the prompt is put together",
        GapKind::Steering => "steers or hides what the model does past the policy",
        GapKind::Code => "holds code or objects the server would load",
        GapKind::Limit => "is larger than what can be judged",
    };
    format!(
        "`{}` {holds}; remove it, or ask for a policy whose `coverage` allows `{}` there",
        gap.place,
        gap.kind.name()
    )
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_place_pattern_ends_at_a_dot_or_bracket() {
        for (pattern, place, expected) in [
            ("temperature", "temperature", true),
            ("temp", "temperature", false),
            ("messages[*].content", "messages[12].content", true),
            ("messages[*].content", "messages[12].content[3].text", true),
            ("messages[*].content", "messages[12].contents", false),
            ("messages[*]", "messages[x]", false),
            ("messages[*]", "messages[]", false),
            ("messages", "messages[0].content", true),
            ("messages[0]", "messages[0].content", true),
            ("messages[0]", "messages[01]", false),
            ("tools[*].a[*].b", "tools[1].a[2].b", true),
            ("arguments", "arguments(json).x", true),
        ] {
            assert_eq!(covers(pattern, place), expected, "{pattern} {place}");
        }
    }
}
