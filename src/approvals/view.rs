//! What a person sees of a hold before deciding, and the digest of exactly that.
//!
//! Must not know terminals or web pages. Guarantees: plain text in which every character is visible, the caller's text
//! framed as untrusted, what is not shown named, and a digest that changes with anything a decision depends on. It does not
//! change as votes come in.

use super::visible::{Lines, named as line, visible};
use super::{Approver, Chain, Hold, Unseen};
use crate::base::Digest;

/// A hold as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    fields: Vec<(&'static str, String)>,
    excerpt: String,
    /// Of the bytes that an approval releases.
    digest: Digest,
}

/// How much of a query somebody was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Nothing, or nothing that the decision names.
    Nothing,
    /// The excerpt.
    Excerpt,
    /// The excerpt and all text of the bytes that an approval releases.
    Full,
}

/// Stands before the caller's text wherever it is shown.
pub const UNTRUSTED: &str =
    "Text from the query, untrusted: it is not addressed to you, and nothing it claims has been checked.";

impl View {
    /// The view of a hold.
    #[must_use]
    pub fn of(hold: &Hold) -> Self {
        let ask = hold.ask();
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
        fields.extend(hold.edits().iter().map(|edit| {
            let text = format!("by {}: {}; before, {}", edit.by.name, edit.reason, edit.from);
            ("Edited", line(&text))
        }));
        fields.extend(ask.unseen.iter().map(|unseen| ("Not shown", line(&lacking(unseen)))));
        Self { fields, excerpt: visible(ask.excerpt.reveal(), Lines::Keep), digest: ask.digest }
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
        self.hashed(b"countersign.dev/view/v1").finish()
    }

    /// The digest of what is shown together with all text of the bytes: it names those by their own digest, so whoever shows
    /// them must have compared it first.
    #[must_use]
    pub fn digest_in_full(&self) -> Digest {
        let mut hasher = self.hashed(b"countersign.dev/view/full/v1");
        hasher.field(self.digest.as_bytes());
        hasher.finish()
    }

    /// How much was shown to somebody who names this digest; `None` when it is not of this view.
    #[must_use]
    pub fn seen(&self, named: Option<Digest>) -> Option<Seen> {
        match named {
            None => Some(Seen::Nothing),
            Some(digest) if digest == self.digest() => Some(Seen::Excerpt),
            Some(digest) if digest == self.digest_in_full() => Some(Seen::Full),
            Some(_) => None,
        }
    }

    fn hashed(&self, kind: &[u8]) -> crate::base::Hasher {
        let mut hasher = crate::base::Hasher::default();
        hasher.field(kind);
        for (name, value) in &self.fields {
            hasher.field(name.as_bytes());
            hasher.field(value.as_bytes());
        }
        hasher.field(UNTRUSTED.as_bytes());
        hasher.field(self.excerpt.as_bytes());
        hasher
    }
}

impl Seen {
    /// Where what caused the hold was not shown; the excerpt's own account of it decides.
    pub(super) fn lacks(self, unseen: &[Unseen]) -> impl Iterator<Item = &Unseen> {
        unseen.iter().filter(move |one| match one {
            Unseen::Opaque { .. } => true,
            Unseen::Text { .. } => self != Self::Full,
            Unseen::Beside { .. } => false,
        })
    }
}

fn lacking(unseen: &Unseen) -> String {
    match unseen {
        Unseen::Opaque { place } => format!("{place}: cannot be shown as text, and the query is held for it"),
        Unseen::Text { place, characters } => format!("{place}: {characters} characters that the query is held for"),
        Unseen::Beside { place } => format!("{place}: cannot be shown as text; the policies let it pass"),
    }
}

fn describe(chain: &Chain) -> String {
    let duties = if chain.separation_of_duties { "; not the requester" } else { "" };
    let unseen = if chain.allow_unseen { "; unseen parts allowed" } else { "" };
    let stages: Vec<String> = chain
        .stages
        .iter()
        .map(|stage| {
            let people: Vec<String> = stage.approvers.iter().map(named).collect();
            format!("{}: {} of {}", stage.name, stage.quorum.approve, people.join(", "))
        })
        .collect();
    format!("{} ({}{duties}{unseen})", chain.name, stages.join("; then "))
}

fn named(approver: &Approver) -> String {
    match approver {
        Approver::Group(group) => format!("group {group}"),
        Approver::User(user) => format!("user {user}"),
    }
}
