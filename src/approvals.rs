//! Hold, chain, vote, timers, release: a pure state machine.
//!
//! # Flow
//! A [`Hold`](crate::approvals) opens from an [`Ask`]; `advance` applies one event at a time; once it is approved and the
//! store has persisted the claim, the engine's own `Held` becomes a [`Release`].
//!
//! # Guarantees
//! * A terminal phase is never left. The same events in the same order give the same hold.
//! * A [`Release`] can be made here only, owns the bytes that were held, and needs an approved hold of exactly that digest.
//! * Two decisions at once are serialised by the store's revision check; a decision on a finished hold is an error.
//!
//! Knows nothing of SQL, Kubernetes, HTTP or where time comes from.

mod chain;
mod hold;
mod release;

pub use chain::{Approver, Chain, Quorum, Stage};
pub use hold::{Ask, Phase, Reason, Requester};
pub use release::Release;
