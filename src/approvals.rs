//! Hold, chain, vote, timers, release: a pure state machine.
//!
//! # Flow
//! A [`Hold`] opens from an [`Ask`], whose excerpt [`excerpt`] makes; [`advance`] applies one [`Event`] at a time; people
//! see a [`View`]; once it is approved and the store has persisted the claim, the engine's own `Held` becomes a [`Release`].
//!
//! # Guarantees
//! * A terminal phase is never left. The same events in the same order give the same hold.
//! * A [`Release`] can be made here only, owns the bytes that were held, and needs an approved hold of exactly that digest.
//! * A query that repeats released texts is [`Carried`] only when nothing else holds it.
//! * Two decisions at once are serialised by the store's version check; a decision on a finished hold is an error.
//! * The people of a quorum are distinct, named by the stage, and not the requester where the chain separates duties.
//! * An approval is of one form of the query, named by its digest; after an edit the others approve the edited form.
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
mod decoding;
mod edit;
mod excerpt;
mod full;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod hold;
mod join;
mod memory;
mod pace;
mod person;
mod release;
mod standing;
mod unseen;
mod view;
mod visible;

pub use advance::{CLAIM_WINDOW, CLAIMS_MAX, Effect, Event, Refused, Step, advance, who_may_decide};
pub use ask::{Ahead, Ask, Reason, Requester, reasons};
pub use chain::{Approver, Chain, ClientGone, Quorum, Stage, VALID_FOR_MAX_DEFAULT};
pub use edit::{EDITS_MAX, Edit, Edited, Form, edited};
pub use excerpt::{Excerpt, excerpt};
pub use full::full;
pub use hold::{ATTENDED_FOR, Claim, EXCERPT_BYTES_MAX, Ending, Hold, Obstacle, Phase, Track, Vote, later};
pub use join::{ANSWER_WINDOW, join_key, joins};
pub use memory::{Carried, Remembered, carry, carrying, remember};
pub use pace::{Pace, PaceLimits};
pub use person::{Ballot, Decision, Person};
pub use release::{NotReleased, Release};
pub use standing::{
    Giver, Granted, Lasting, NotRevoked, STANDING_MAX, Standing, StandingKeys, StandingPhase, Terms, USES_MAX,
};
pub use unseen::Unseen;
pub use view::{Seen, UNTRUSTED, View};
pub use visible::{Lines, named, visible};

#[cfg(test)]
mod tests;
