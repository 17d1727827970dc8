//! Judging what an approver made of a held query: when it is proposed, and again when it is released.
//!
//! Guarantees that it is judged as the same caller's query on the same route by the rule set in force, and that judging it
//! counts nobody's rate a second time. Knows nothing of who edits.

use std::sync::Arc;

use bytes::Bytes;

use super::open::chains;
use super::queries::HeldQueries;
use super::texts::Kept;
use super::{refused, were_asked};
use crate::approvals::{Excerpt, Form, Hold, Release, excerpt, reasons};
use crate::base::{Digest, HoldId};
use crate::query::{PartKind, Query};
use crate::rules::{self, Caller, Context, Judgement, Rates, Ruling};
use crate::sidecar::accept::Shared;
use crate::sidecar::offered::{self, Named, NotOffered};
use crate::sidecar::refusal::Refusal;
use crate::sidecar::rulebook::InForce;
use crate::sidecar::visit::Visit;
use crate::wire::{self, DecodeError, Format};

/// Why an edit cannot take the place of a query.
#[derive(Debug, thiserror::Error)]
pub enum EditFailure {
    /// Without the query it is not known what it would take the place of.
    #[error("the gate no longer has the text of hold `{0}`; it comes back when the client asks again")]
    Gone(HoldId),
    /// No rule set is in force.
    #[error("no policies are loaded yet")]
    NotReady,
    /// It is no query.
    #[error("the edited query cannot be read: {0}")]
    Unreadable(DecodeError),
    /// The client waits for another shape of answer.
    #[error(
        "the edit changes whether the answer is streamed, and the client waits for what it asked for: leave `stream` alone"
    )]
    Stream,
    /// It names what the workload does not offer.
    #[error("the edited query names a {0} that is not offered here")]
    NotOffered(&'static str),
    /// The rules refuse it.
    #[error("the rules refuse the edited query: {0}")]
    Denied(String),
    /// A chain that the rules name is not known.
    #[error("approval chain `{0}` does not exist")]
    UnknownChain(String),
    /// Judging broke down.
    #[error("the edited query could not be judged")]
    NotJudged,
}

/// An edit that may be proposed.
#[derive(Debug)]
pub struct JudgedEdit {
    /// What a release would forward: the edited bytes, redacted where the rules want that.
    pub body: Bytes,
    /// What it is read as.
    pub format: Format,
    /// What people are asked about.
    pub form: Form,
}

impl HeldQueries {
    /// What the rules in force say of an edit, as if the same caller had sent it.
    pub async fn judge(&self, id: HoldId, body: Bytes) -> Result<JudgedEdit, EditFailure> {
        let kept = self.shared.texts.get(id).ok_or(EditFailure::Gone(id))?;
        let in_force = self.shared.ports.rulebook.current().ok_or(EditFailure::NotReady)?;
        let query = wire::decode(kept.format, body).map_err(EditFailure::Unreadable)?;
        if query.stream != kept.stream {
            return Err(EditFailure::Stream);
        }
        may_name(&self.shared, &kept.path, &query).map_err(|what| {
            EditFailure::NotOffered(match what {
                NotOffered::Model => "model",
                NotOffered::Adapter => "adapter",
            })
        })?;
        let asked = Asked { format: kept.format, method: kept.method, path: kept.path, caller: kept.caller };
        let judgement = beside(&self.shared, &in_force, asked, query).await.ok_or(EditFailure::NotJudged)?;
        form(&in_force, judgement, kept.format)
    }
}

/// What stays of a query when it is edited.
struct Asked {
    format: Format,
    method: String,
    path: String,
    caller: Caller,
}

fn may_name(shared: &Shared, path: &str, query: &Query) -> Result<(), NotOffered> {
    let in_path = || wire::path_model(shared.settings.server, path);
    let named = Named { model: query.model.as_deref().or_else(in_path), adapter: query.adapter.as_deref() };
    offered::check(&shared.settings, named)
}

/// Judged beside the serving thread: nobody who asks waits for people who edit.
async fn beside(shared: &Arc<Shared>, in_force: &Arc<InForce>, asked: Asked, query: Query) -> Option<Judgement> {
    let (shared, in_force) = (Arc::clone(shared), Arc::clone(in_force));
    let judging = tokio::task::spawn_blocking(move || {
        let settings = &shared.settings;
        let context = Context {
            format: asked.format,
            server: settings.server,
            method: &asked.method,
            path: &asked.path,
            caller: &asked.caller,
            workload: in_force.workload(&settings.workload),
            posture: settings.posture,
            now: shared.ports.clock.now(),
            // The query was counted when it came.
            rates: &Rates::default(),
        };
        rules::judge(&in_force.rules, query, &context)
    });
    judging.await.ok()
}

fn form(in_force: &InForce, judgement: Judgement, format: Format) -> Result<JudgedEdit, EditFailure> {
    let Judgement { findings, retention, revision, query, ruling, .. } = judgement;
    let (query, body, digest, names) = match &ruling {
        Ruling::Deny(denial) => return Err(EditFailure::Denied(denial.message.clone())),
        Ruling::Hold(held) => (held.query(), held.body(), held.digest(), held.chains().to_vec()),
        Ruling::Clear(clear) => {
            (query.as_ref().ok_or(EditFailure::NotJudged)?, clear.body(), clear.digest(), Vec::new())
        }
    };
    let find = |name| in_force.chains.get(name).cloned().ok_or_else(|| EditFailure::UnknownChain(name.to_string()));
    let chains = names.iter().map(find).collect::<Result<_, _>>()?;
    let Excerpt { text, unseen } = excerpt(query, &findings, retention);
    let texts = query.parts().iter().filter(|part| matches!(part.kind, PartKind::Text | PartKind::Key));
    let form = Form {
        digest,
        revision,
        model: query.model.clone(),
        chains,
        reasons: reasons(&findings),
        excerpt: text,
        unseen,
        characters: texts.map(|part| query.text(part).chars().count()).sum(),
    };
    Ok(JudgedEdit { body: body.clone(), format, form })
}

/// Releases what an approver made of a query, when the rules of now still let it go. The entry keeps the digest of what the
/// client sent, beside that of what is forwarded.
pub(super) async fn release(visit: &mut Visit, hold: &Hold, join: Digest) -> Result<Release, Refusal> {
    let id = hold.id();
    let body = visit.shared.ports.holds.edited(id).await.map_err(refused)?.ok_or(Refusal::NotReleased(id))?;
    let in_force = visit.shared.ports.rulebook.current().ok_or(Refusal::NotReady)?;
    let format = visit.format.ok_or(Refusal::NotReady)?;
    let query = wire::decode(format, body).map_err(Refusal::Unreadable)?;
    may_name(&visit.shared, visit.head.uri.path(), &query).map_err(Refusal::NotOffered)?;
    let asked = Asked {
        format,
        method: visit.head.method.as_str().to_owned(),
        path: visit.head.uri.path().to_owned(),
        caller: visit.caller.clone(),
    };
    let judgement = beside(&visit.shared, &in_force, asked, query).await.ok_or(Refusal::NotReleased(id))?;
    visit.in_force = Some(in_force);
    let sent = visit.entry.body_digest;
    visit.judged(&judgement);
    let forwarded = visit.entry.forwarded_digest.or(visit.entry.body_digest);
    (visit.entry.body_digest, visit.entry.forwarded_digest) = (sent, forwarded.filter(|digest| Some(*digest) != sent));
    match judgement.ruling {
        Ruling::Deny(denial) => Err(Refusal::Denied(denial)),
        ruling @ (Ruling::Hold(_) | Ruling::Clear(_)) => {
            if let Ruling::Hold(held) = &ruling {
                were_asked(&chains(visit, held)?, hold)?;
            }
            visit.shared.ports.holds.claim_edited(id, ruling, join).await.map_err(refused)
        }
    }
}

/// What is needed of a query that waits to judge an edit of it.
impl Kept {
    pub(super) fn of(visit: &Visit, held: &crate::rules::Held) -> Option<Self> {
        Some(Self {
            body: held.body().clone(),
            format: visit.format?,
            stream: held.query().stream,
            caller: visit.caller.clone(),
            method: visit.head.method.as_str().to_owned(),
            path: visit.head.uri.path().to_owned(),
            number: 0,
        })
    }
}
