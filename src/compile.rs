//! Resources -> rule set and chains, with diagnostics that point at the field.
//!
//! # Flow
//! [`read`] turns the text of a file into [`Document`]s; [`compile`] turns documents into what one workload's gate
//! loads ([`load`] for the gate itself), [`check`] does the same for no workload in particular; [`ended`] says which exceptions
//! have ended, which is no matter of compiling; [`render`] shows a [`Diagnostic`] to people.
//!
//! # Guarantees
//! * What compiles can be loaded: admission, controllers, the command line and the stand-alone gate call this room.
//! * All or nothing, and every problem is reported, not only the first.
//! * Texts that other YAML readers take for something else (`no`, `on`, `1e3`, duplicate keys) are refused or warned of.
//!
//! # Limits
//! Files, documents, nesting and values are bounded: see `node` and `document`; lists and texts: see `limits`.
//!
//! Knows nothing of files on disk, Kubernetes' API server, or who asks.

mod action;
mod build;
mod chain;
mod de;
mod diagnostic;
mod document;
mod duration;
mod exception;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod limits;
mod matcher;
mod names;
mod node;
mod path;
mod policy;
mod render;
mod report;
mod selector;
mod suggest;
#[cfg(test)]
mod tests;
mod text;

pub use build::{Compilation, check, compile, load, selects};
pub use diagnostic::{Diagnostic, Location, Severity};
pub use document::{Document, read, read_value};
pub use duration::{DurationFlaw, duration, show as show_duration};
pub use exception::{end_of, ended};
pub use render::{position, render};
