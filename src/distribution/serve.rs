//! The operator's half: gates come, prove who they are, and follow what is published for their workload.
//!
//! # Flow
//! [`serve`] accepts connections; each is greeted with a statement over its own certificate, its claim is looked at, its Pod is
//! looked up and pinned by the [`Registry`], and then it is sent the [`Offer`] of its workload whenever that changes, one at a
//! time, each after the one before was acknowledged or refused.
//!
//! # Guarantees
//! * Nothing of a workload is said to anybody whose key is not pinned to one of its Pods, persisted.
//! * A gate that is slow, or says nothing, or breaks the protocol, costs nobody else anything: every wait for a gate has an end,
//!   and nothing that others wait for is kept meanwhile.
//! * A bundle is one buffer, however many gates it is sent to.
//!
//! # Limits
//! [`Settings`]; messages of gates end at 64 KB.
//!
//! # Errors
//! A stream that is refused ends with a status whose message says why and what to do.
//!
//! Knows nothing of Kubernetes: the [`Registry`] does.

mod accept;
mod admit;
mod frame;
mod ports;
mod seats;
mod session;
mod settings;
mod strangers;

pub use accept::{Certificates, serve};
pub use ports::{Denied, Offer, PodIdentity, Registry, Rejection, Wait};
pub use settings::Settings;
