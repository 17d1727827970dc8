//! Bytes <-> query: route tables per model server, one decoder per wire format, and the writer of redacted bodies.
//!
//! # Flow
//! [`route`] says what a request line means on a server; [`decode`] turns a body into a [`Query`] by the format's
//! description; [`redact`] writes the body again with nothing but the redacted characters changed.
//!
//! # Guarantees
//! * A decoder is a description of a format (`shape`), walked over a strict reading of the body (`json`): UTF-8, no
//!   duplicate keys, no case-variants of known keys, bounded depth and size.
//! * Every leaf becomes a part or a gap. Reaching a limit is a gap, never a skip.
//!
//! # Errors
//! [`DecodeError`]: the body is refused as a whole, with the place and never with its text.
//!
//! Knows nothing of policies, HTTP connections or time.

mod decode;
mod error;
mod format;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod json;
mod redact;
mod route;
mod shape;

pub use decode::decode;
pub use error::DecodeError;
pub use format::Format;
pub use redact::{Mark, RedactError, redact};
pub use route::{
    ANSWER_BYTES_MAX, ErrorStyle, Evidence, Fingerprint, HeaderUse, Methods, ModelName, Route, RouteRefusal, Row,
    Server, canonical_model, error_style, fingerprints, header_use, path_model, route, routes_named,
};
