//! A standing decision as the API has it.
//!
//! Guarantees that every text in the result is made of visible characters only, so that it may be printed anywhere.

use jiff::Timestamp;

use crate::api;
use crate::api::grant::{ApprovalGrant, ApprovalGrantSpec, ApprovalGrantStatus, GrantPerson, GrantPhase};
use crate::api::request::{RequestMetadata, RequestReason};
use crate::approvals::{Decision, Giver, Lines, Standing, StandingPhase, visible};

/// The grant or mute as commands print it.
#[must_use]
pub fn approval_grant(standing: &Standing, now: Timestamp) -> ApprovalGrant {
    let terms = standing.terms();
    let kind = match terms.decision {
        Decision::Approve => "ApprovalGrant",
        Decision::Deny => "ApprovalMute",
    };
    let reasons = terms.reasons.iter().map(|reason| RequestReason {
        policy: line(&reason.policy.to_string()),
        rule: line(&reason.rule),
        matcher: line(&reason.matcher),
        place: line(&reason.place),
    });
    ApprovalGrant {
        api_version: api::API_VERSION.to_owned(),
        kind: kind.to_owned(),
        metadata: RequestMetadata { name: terms.id.to_string(), creation_timestamp: terms.given_at.to_string() },
        spec: ApprovalGrantSpec {
            hold: terms.hold.to_string(),
            requester: terms.requester.as_deref().map(line),
            route: line(&terms.route),
            model: terms.model.as_deref().map(line),
            reasons: reasons.collect(),
            given_by: terms.given_by.iter().map(person).collect(),
            until: terms.until.to_string(),
            uses_max: terms.uses_max,
        },
        status: ApprovalGrantStatus {
            phase: match standing.phase(now) {
                StandingPhase::Active => GrantPhase::Active,
                StandingPhase::UsedUp => GrantPhase::UsedUp,
                StandingPhase::Expired => GrantPhase::Expired,
                StandingPhase::Revoked => GrantPhase::Revoked,
            },
            uses: standing.uses(),
            revoked_by: standing.revoked().map(|(by, _)| person(by)),
            revoked_at: standing.revoked().map(|(_, at)| at.to_string()),
        },
    }
}

fn line(text: &str) -> String {
    visible(text, Lines::Escape)
}

fn person(giver: &Giver) -> GrantPerson {
    GrantPerson { by: line(&giver.name), authenticated_by: line(&giver.authenticated_by), reason: line(&giver.reason) }
}
