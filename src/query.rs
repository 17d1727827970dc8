//! What was asked of a model, free of the format it came in.
//!
//! # Flow
//! `wire::decode` fills a [`Builder`]; `rules::judge` reads the finished [`Query`].
//!
//! # Guarantees
//! * Every string, number and free key of the body belongs to exactly one [`Part`] (nested JSON adds parts inside
//!   a part), or is named by a [`Gap`].
//! * A part knows its place, its role, its text, and the bytes of the body that its text came from.
//! * The query owns the very bytes that were judged; texts are slices of them or of one arena, never copies per part.
//!
//! # Limits
//! Offsets are `u32`: bodies end at [`crate::base::limits::BODY_BYTES_MAX`], far below.
//!
//! Knows nothing of HTTP, JSON or policies.

mod builder;
mod canonical;
mod coverage;
mod operation;
mod part;
mod path;

pub use builder::Builder;
pub use canonical::Query;
pub use coverage::{Gap, GapKind};
pub use operation::Operation;
pub use part::{Origin, Part, PartId, PartKind, Piece, Role, RoleSet, Span};
pub use path::Place;
