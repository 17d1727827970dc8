//! What a workload's gates are to judge by, from the operator to each gate: signed, ordered, and checked before it counts.
//!
//! # Flow
//! The operator makes a [`Bundle`] of the policies and chains that apply to a workload and gives it to [`publish`] with its
//! [`Signer`]. The gate offers the bytes to [`Intake::take`], which checks them, compiles them with the `compile` that
//! everybody uses, judges a test query by the outcome, and keeps the bytes on its [`Shelf`]. A gate that starts again takes
//! from its shelf what it had, by [`Intake::resume`].
//!
//! On the way between them are [`follow`], the gate's half of a stream of [`protocol`] messages, and `serve`, the operator's.
//! Both sides prove themselves on each connection, by statements over what only this connection has.
//!
//! # Guarantees
//! * A gate takes what is signed by its anchor, or by a key that the anchor leads to; what is for its own workload; what is
//!   newer than what it has; and what compiles to the revision that it says. Anything else has its own [`Refusal`].
//! * Newer is said by epoch and sequence, never by content: a policy that is reverted arrives, an older bundle does not.
//! * A key that signed its successor is not followed any more, once a bundle of the successor was taken.
//! * What is refused changes nothing: the last good one stays in force.
//! * What comes from the shelf is checked like what comes from anywhere.
//!
//! # Limits
//! All in `limits`. Age is counted by the monotonic clock from the moment at which a bundle was taken. A newer bundle renews it,
//! and so does a voucher of the operator, from the moment at which the gate asked for it; offering the same bundle again does
//! not. What was taken from the shelf counts from the start of the process. A shelf that is lost takes with it which bundles are
//! old, and the key by which the operator knows the gate.
//! The revision names the policies; chains are held by the signature alone.
//!
//! # Errors
//! [`Refusal`] says why a bundle is not taken, [`Unproven`] why what is said around it is not believed, [`Unpublishable`] why none
//! is made, [`ShelfFailure`] why a file is not read or written, [`follow::Broken`] why a connection ended. None holds text of
//! policies, but for what the compiler says of a field.
//!
//! Knows nothing of Kubernetes, or of what a gate does with a rule set; only `follow`, `serve` and `stream` know of connections.

mod bundle;
mod bytes;
mod compilations;
mod contents;
mod envelope;
pub mod follow;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod intake;
#[cfg(feature = "operator")]
mod kept;
mod key;
mod limits;
#[rustfmt::skip]
pub mod protocol;
mod refusal;
#[cfg(feature = "operator")]
pub mod serve;
mod shelf;
mod statement;
mod stream;
#[cfg(test)]
mod tests;
mod way;

pub use bundle::{Bundle, Order};
pub use compilations::Compilations;
pub use envelope::{Signer, publish};
pub use intake::{Accepted, Intake, Taken};
#[cfg(feature = "operator")]
pub use kept::Kept;
pub use key::{KeyFailure, PublicKey, SigningKey, Succession};
pub use limits::{BUNDLE_BYTES_MAX, DOCUMENTS_MAX};
pub use refusal::{Refusal, Unproven, Unpublishable};
pub use shelf::{Shelf, ShelfFailure};
pub use statement::Nonce;
