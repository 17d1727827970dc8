//! What a row about a hold says, in lists and while watching.
//!
//! Guarantees that each cell is one line of visible characters, and short.

use jiff::{SignedDuration, Timestamp};

use crate::approvals::{Hold, Phase};
use crate::standalone::approval_request;

/// Longest cell, in characters: rows are for finding, `show` is for reading.
const CELL_CHARS_MAX: usize = 48;

/// The cells of a row.
pub(super) struct Cells {
    pub(super) id: String,
    pub(super) phase: String,
    pub(super) age: String,
    pub(super) requester: String,
    pub(super) model: String,
    pub(super) rule: String,
    pub(super) approvers: String,
    pub(super) expires: String,
}

impl Cells {
    pub(super) fn of(hold: &Hold, now: Timestamp) -> Self {
        let request = approval_request(hold);
        let (spec, status) = (&request.spec, &request.status);
        let rule = match spec.reasons.as_slice() {
            [] => String::new(),
            [one] => format!("{}/{}", one.policy, one.rule),
            [one, rest @ ..] => format!("{}/{} +{}", one.policy, one.rule, rest.len()),
        };
        Self {
            phase: format!("{:?}", status.phase),
            age: span(now.duration_since(hold.ask().opened_at)),
            requester: clip(spec.requester.user.as_deref().unwrap_or("anonymous")),
            model: clip(spec.model.as_deref().unwrap_or("-")),
            rule: clip(&rule),
            approvers: clip(status.approvers.as_deref().unwrap_or("-")),
            expires: hold.deadline().map_or_else(|| "-".to_owned(), |at| span(at.duration_since(now))),
            id: request.metadata.name,
        }
    }
}

/// Whether two holds are one row: both wait, for the same people, about the same question.
pub(super) fn similar(one: &Hold, other: &Hold) -> bool {
    let pending = one.phase() == Phase::Pending && other.phase() == Phase::Pending;
    pending && one.group() == other.group() && stand(one) == stand(other)
}

/// Where each chain is, and whether anybody has spoken: rows that stand for others must not hide that.
fn stand(hold: &Hold) -> Vec<(usize, usize, bool)> {
    hold.tracks().map(|(_, track)| (track.stage(), track.votes().len(), track.escalated_at().is_some())).collect()
}

/// `45s`, `12m`, `3h`, `2d`.
pub(super) fn span(duration: SignedDuration) -> String {
    match duration.as_secs().max(0) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7200 => format!("{}m", seconds / 60),
        seconds @ 7200..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

pub(super) fn clip(text: &str) -> String {
    match text.char_indices().nth(CELL_CHARS_MAX) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
