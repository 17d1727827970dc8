//! Hold, chain, vote, timers, release: a pure state machine.
//!
//! # Flow
//! A [`Hold`] opens from an [`Ask`], whose excerpt [`excerpt`] makes; [`advance`] applies one [`Event`] at a time; people
//! see a [`View`]; once it is approved and the store has persisted the claim, the engine's own `Held` becomes a [`Release`].
//!
//! # Guarantees
//! * A terminal phase is never left. The same events in the same order give the same hold.
//! * A [`Release`] can be made here only, owns the bytes that were held, and needs an approved hold of exactly that digest.
//! * Two decisions at once are serialised by the store's version check; a decision on a finished hold is an error.
//! * The people of a quorum are distinct, named by the stage, and not the requester where the chain separates duties.
//! * What a caller wrote is shown as visible characters only, and framed as untrusted.
//!
//! # Limits
//! Excerpt, reasons and fields of a hold are cut as it opens; an approval is claimed at most [`CLAIMS_MAX`] times within
//! [`CLAIM_WINDOW`].
//!
//! # Errors
//! [`Refused`]: the event does not apply, and the hold stays as it was. [`NotReleased`]: the bytes may not go.
//!
//! Knows nothing of SQL, Kubernetes, HTTP or where time comes from.

mod advance;
mod ask;
mod chain;
mod excerpt;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod hold;
mod join;
mod person;
mod release;
mod view;
mod visible;

pub use advance::{CLAIM_WINDOW, CLAIMS_MAX, Effect, Event, Refused, Step, advance, who_may_decide};
pub use ask::{Ask, Reason, Requester};
pub use chain::{Approver, Chain, Quorum, Stage};
pub use excerpt::excerpt;
pub use hold::{Claim, EXCERPT_BYTES_MAX, Ending, Hold, Obstacle, Phase, Track, Vote};
pub use join::{ANSWER_WINDOW, joins};
pub use person::{Ballot, Decision, Person};
pub use release::{NotReleased, Release};
pub use view::{UNTRUSTED, View};
pub use visible::{Lines, visible};

#[cfg(test)]
mod tests;
