//! A hold as the API has it.
//!
//! Guarantees that every text in the result is made of visible characters only, so that it may be printed anywhere.

use crate::api;
use crate::api::request::{
    ApprovalRequest, ApprovalRequestSpec, ApprovalRequestStatus, RequestChain, RequestEdit, RequestMetadata,
    RequestPhase, RequestReason, RequestUnseen, RequestVote, RequestedBy,
};
use crate::approvals::{
    Approver, Chain, Edited, Ending, Hold, Lines, Phase, Stage, Track, Unseen, View, Vote, visible, who_may_decide,
};

/// The hold as commands print it.
#[must_use]
pub fn approval_request(hold: &Hold) -> ApprovalRequest {
    let ask = hold.ask();
    ApprovalRequest {
        api_version: api::API_VERSION.to_owned(),
        kind: "ApprovalRequest".to_owned(),
        metadata: RequestMetadata { name: ask.id.to_string(), creation_timestamp: ask.opened_at.to_string() },
        spec: spec(hold),
        status: status(hold),
    }
}

fn line(text: &str) -> String {
    visible(text, Lines::Escape)
}

fn lines<'a>(texts: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    texts.into_iter().map(|text| line(text)).collect()
}

fn spec(hold: &Hold) -> ApprovalRequestSpec {
    let ask = hold.ask();
    ApprovalRequestSpec {
        query: ask.query.to_string(),
        digest: ask.digest.to_string(),
        revision: ask.revision.to_string(),
        requester: RequestedBy { user: ask.requester.user.as_deref().map(line), groups: lines(&ask.requester.groups) },
        route: line(&ask.route),
        model: ask.model.as_deref().map(line),
        reasons: ask
            .reasons
            .iter()
            .map(|reason| RequestReason {
                policy: line(&reason.policy.to_string()),
                rule: line(&reason.rule),
                matcher: line(&reason.matcher),
                place: line(&reason.place),
            })
            .collect(),
        chains: ask.chains.iter().map(chain).collect(),
        excerpt: visible(ask.excerpt.reveal(), Lines::Keep),
        full: None,
        unseen: ask.unseen.iter().map(unseen).collect(),
        deadline: hold.deadline().map(|at| at.to_string()),
        view: (hold.phase() == Phase::Pending).then(|| View::of(hold).digest().to_string()),
    }
}

fn unseen(unseen: &Unseen) -> RequestUnseen {
    let (kind, characters) = match unseen {
        Unseen::Opaque { .. } => ("opaque", None),
        Unseen::Text { characters, .. } => ("text", Some(*characters)),
        Unseen::Beside { .. } => ("beside", None),
    };
    RequestUnseen { kind: kind.to_owned(), place: line(unseen.place()), characters }
}

fn chain(chain: &Chain) -> RequestChain {
    RequestChain {
        name: line(&chain.name.to_string()),
        separation_of_duties: chain.separation_of_duties,
        allow_unseen: chain.allow_unseen,
        stages: chain.stages.iter().map(stage).collect(),
    }
}

fn stage(stage: &Stage) -> api::chain::Stage {
    api::chain::Stage {
        name: line(&stage.name),
        approvers: stage.approvers.iter().map(approver).collect(),
        quorum: api::chain::Quorum { approve: stage.quorum.approve, deny: stage.quorum.deny },
        escalate_after: stage.escalate_after.map(|after| format!("{}s", after.as_secs())),
        fallback: stage.fallback.iter().map(approver).collect(),
    }
}

fn approver(approver: &Approver) -> api::chain::Approver {
    match approver {
        Approver::Group(group) => api::chain::Approver { group: Some(line(group)), user: None },
        Approver::User(user) => api::chain::Approver { group: None, user: Some(line(user)) },
    }
}

fn status(hold: &Hold) -> ApprovalRequestStatus {
    let pending = hold.phase() == Phase::Pending;
    let open = hold.tracks().find_map(|(chain, track)| track.current(chain));
    ApprovalRequestStatus {
        phase: match hold.phase() {
            Phase::Pending => RequestPhase::Pending,
            Phase::Approved => RequestPhase::Approved,
            Phase::Denied => RequestPhase::Denied,
            Phase::Expired => RequestPhase::Expired,
            Phase::Cancelled => RequestPhase::Cancelled,
        },
        message: line(&message(hold)),
        stage: open.filter(|_| pending).map(|stage| line(&stage.name)),
        approvers: pending.then(|| line(&who_may_decide(hold))),
        votes: votes(hold, Track::votes),
        lapsed: votes(hold, Track::lapsed),
        edits: hold.edits().iter().map(edit).collect(),
        ended_at: hold.ending().map(|(_, at)| at.to_string()),
        claimed_at: hold.claims().iter().map(|claim| claim.at.to_string()).collect(),
        delivered_at: hold.delivered_at().map(|at| at.to_string()),
    }
}

fn edit(edit: &Edited) -> RequestEdit {
    RequestEdit {
        by: line(&edit.by.name),
        reason: line(&edit.reason),
        at: edit.at.to_string(),
        original: edit.from.to_string(),
        edited: edit.to.to_string(),
    }
}

fn votes(hold: &Hold, which: impl Fn(&Track) -> &[Vote]) -> Vec<RequestVote> {
    let mut votes = Vec::new();
    for (chain, track) in hold.tracks() {
        votes.extend(which(track).iter().map(|vote| RequestVote {
            chain: line(&chain.name.to_string()),
            stage: chain.stages.get(vote.stage).map(|stage| line(&stage.name)).unwrap_or_default(),
            decision: vote.ballot.decision.name().to_owned(),
            by: line(&vote.ballot.by.name),
            authenticated_by: line(&vote.ballot.by.authenticated_by),
            reason: line(&vote.ballot.reason),
            at: vote.at.to_string(),
            view: vote.ballot.view.map(|digest| digest.to_string()),
        }));
    }
    votes.sort_by(|a, b| a.at.cmp(&b.at));
    votes
}

/// Why a hold stands as it does.
fn message(hold: &Hold) -> String {
    match hold.ending() {
        None => format!("waiting for {}", who_may_decide(hold)),
        Some((Ending::Approved, _)) => "every chain is satisfied".to_owned(),
        Some((Ending::Denied(chain), _)) => format!("denied in chain {chain}"),
        Some((Ending::NeverApprovable(obstacle), _)) => format!("refused at once: {obstacle}"),
        Some((Ending::Expired(chain), _)) => format!("chain {chain} was not satisfied in time"),
        Some((Ending::ClientGone, _)) => "the client went away".to_owned(),
        Some((Ending::Withdrawn { by, reason }, _)) => format!("withdrawn by {by}: {reason}"),
    }
}
