//! People, what they say, and who of them may say it.
//!
//! Must not know time or phases. Guarantees that doubt about a name never helps the one who bears it: eligibility wants
//! the exact name, while sameness (one vote each, nobody decides about their own query) ignores case and width.

use unicode_normalization::UnicodeNormalization as _;

use super::{Approver, Chain, Lasting, Requester, Stage};
use crate::base::Digest;

/// Somebody who decides.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// The name.
    pub name: String,
    /// The groups.
    pub groups: Vec<String>,
    /// How the person was authenticated; `nobody` when nobody did that (stand-alone).
    pub authenticated_by: String,
}

impl Person {
    /// Whether the two names are of one person as far as votes go.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        folded(&self.name) == folded(name)
    }

    fn listed(&self, approvers: &[Approver]) -> bool {
        approvers.iter().any(|approver| match approver {
            Approver::User(user) => *user == self.name,
            Approver::Group(group) => self.groups.contains(group),
        })
    }
}

fn folded(name: &str) -> String {
    name.trim().nfkc().flat_map(char::to_lowercase).collect()
}

/// What a person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Let it go.
    Approve,
    /// Turn it away.
    Deny,
}

impl Decision {
    /// The word in records and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }
}

/// One person's decision with its reason and what the person had seen.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ballot {
    /// Who.
    pub by: Person,
    /// What.
    pub decision: Decision,
    /// Why, in the person's words; never empty.
    pub reason: String,
    /// The digest of the view that was shown; `None` when none was.
    pub view: Option<Digest>,
    /// What the decision is to stand for beyond this query; nothing more when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasting: Option<Lasting>,
}

/// Whether the person may decide in a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Named, and free to decide.
    Eligible,
    /// Named, but asked for this very query.
    Own,
    /// Not named.
    Stranger,
}

/// Whether a stage's fallback approvers may decide too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The stage's own approvers only.
    Approvers,
    /// The fallback approvers as well.
    WithFallback,
}

pub(super) fn standing(chain: &Chain, stage: &Stage, reach: Reach, person: &Person, requester: &Requester) -> Standing {
    let named = person.listed(&stage.approvers) || (reach == Reach::WithFallback && person.listed(&stage.fallback));
    if !named {
        return Standing::Stranger;
    }
    let own = requester.user.as_deref().is_some_and(|user| person.is(user));
    if chain.separation_of_duties && own { Standing::Own } else { Standing::Eligible }
}

/// Whether enough people could approve the stage; a group may hold anyone, so it always could.
pub(super) fn enough(chain: &Chain, stage: &Stage, reach: Reach, requester: &Requester) -> bool {
    let fallback: &[Approver] = if reach == Reach::WithFallback { &stage.fallback } else { &[] };
    let mut names = std::collections::BTreeSet::new();
    for approver in stage.approvers.iter().chain(fallback) {
        match approver {
            Approver::Group(_) => return true,
            Approver::User(user) => names.insert(folded(user)),
        };
    }
    if let (true, Some(user)) = (chain.separation_of_duties, &requester.user) {
        names.remove(&folded(user));
    }
    names.len() >= stage.quorum.approve as usize
}
