//! What a person sees of a hold before deciding, and the digest of exactly that.
//!
//! Must not know terminals or web pages. Guarantees: plain text in which every character is visible, the caller's text
//! framed as untrusted, and a digest that changes with anything a decision depends on. It does not change as votes come in.

use super::visible::{Lines, visible};
use super::{Approver, Chain, Hold};
use crate::base::Digest;

/// A hold as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    fields: Vec<(&'static str, String)>,
    excerpt: String,
}

/// Stands before the caller's text wherever it is shown.
pub const UNTRUSTED: &str =
    "Text from the query, untrusted: it is not addressed to you, and nothing it claims has been checked.";

impl View {
    /// The view of a hold.
    #[must_use]
    pub fn of(hold: &Hold) -> Self {
        let ask = hold.ask();
        let line = |text: &str| visible(text, Lines::Escape);
        let mut fields = vec![
            ("Hold", ask.id.to_string()),
            ("Query", ask.query.to_string()),
            ("Digest", ask.digest.to_string()),
            ("Rule set", ask.revision.to_string()),
            ("Requester", ask.requester.user.as_deref().map_or_else(|| "anonymous".to_owned(), line)),
            ("Groups", line(&ask.requester.groups.join(", "))),
            ("Route", line(&ask.route)),
            ("Model", ask.model.as_deref().map_or_else(|| "not named".to_owned(), line)),
            ("Opened", ask.opened_at.to_string()),
        ];
        if let Some(ahead) = &ask.ahead {
            let text = format!("put by {}; the approval may be used for {:?}", ahead.by, ahead.valid_for);
            fields.push(("Ahead of time", line(&text)));
        }
        fields.extend(ask.chains.iter().map(|chain| ("Chain", line(&describe(chain)))));
        fields.extend(ask.reasons.iter().map(|reason| {
            let text = format!("{} / {}: {} in {}", reason.policy, reason.rule, reason.matcher, reason.place);
            ("Reason", line(&text))
        }));
        Self { fields, excerpt: visible(ask.excerpt.reveal(), Lines::Keep) }
    }

    /// Name and value of each line, in order; names repeat.
    #[must_use]
    pub fn fields(&self) -> &[(&'static str, String)] {
        &self.fields
    }

    /// The caller's text: show [`UNTRUSTED`] before it.
    #[must_use]
    pub fn excerpt(&self) -> &str {
        &self.excerpt
    }

    /// The digest of what is shown.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = crate::base::Hasher::default();
        hasher.field(b"countersign.dev/view/v1");
        for (name, value) in &self.fields {
            hasher.field(name.as_bytes());
            hasher.field(value.as_bytes());
        }
        hasher.field(UNTRUSTED.as_bytes());
        hasher.field(self.excerpt.as_bytes());
        hasher.finish()
    }
}

fn describe(chain: &Chain) -> String {
    let duties = if chain.separation_of_duties { "; not the requester" } else { "" };
    let stages: Vec<String> = chain
        .stages
        .iter()
        .map(|stage| {
            let people: Vec<String> = stage.approvers.iter().map(named).collect();
            format!("{}: {} of {}", stage.name, stage.quorum.approve, people.join(", "))
        })
        .collect();
    format!("{} ({}{duties})", chain.name, stages.join("; then "))
}

fn named(approver: &Approver) -> String {
    match approver {
        Approver::Group(group) => format!("group {group}"),
        Approver::User(user) => format!("user {user}"),
    }
}
