//! Ends an answer whose grant is revoked while it runs: at once, with an error event where the answer is a stream.
//!
//! Knows nothing of who revokes. Guarantees that nothing of the answer is handed on after the revocation is known.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::accept::Shared;
use super::hold::Framing;
use super::refusal::{Refusal, event};
use super::visit::Visit;
use crate::approvals::Terms;
use crate::base::GrantId;
use crate::query::Query;

/// What a revocation would do to an answer.
#[derive(Debug)]
pub(super) struct Revocable {
    grant: GrantId,
    event: Option<Bytes>,
}

impl Revocable {
    /// The answer to a query that a grant lets go.
    pub(super) fn of(visit: &Visit, query: &Query, terms: &Terms) -> Self {
        let told = Refusal::ApprovalRevoked(terms.hold).told(visit.id);
        let event = Framing::of(visit, query).map(|framing| event(visit.style, framing, &told));
        Self { grant: terms.id, event }
    }
}

/// Waits for a revocation beside an answer.
pub(super) struct Cut {
    revoked: Pin<Box<dyn Future<Output = ()> + Send>>,
    event: Option<Bytes>,
}

impl Cut {
    /// Begins to wait.
    pub(super) fn armed(shared: &Shared, Revocable { grant, event }: Revocable) -> Self {
        let holds = Arc::clone(&shared.ports.holds);
        Self { revoked: Box::pin(async move { holds.revoked(grant).await }), event }
    }

    /// Ready when the grant was revoked.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.revoked.as_mut().poll(cx)
    }

    /// The same, before there is an answer.
    pub(super) async fn revoked(&mut self) {
        self.revoked.as_mut().await;
    }

    /// What a stream says last.
    pub(super) fn last_words(&mut self) -> Option<Bytes> {
        self.event.take()
    }
}
