//! `POST /v1/completions` of Text Generation Inference: a prompt that may bring images.
//!
//! Sources: TGI `router/src/lib.rs` (CompletionRequest); `router/src/validation.rs` for the images.

use super::super::shape::{Description, Shape, Stream};
use super::openai_completions;
use crate::query::Operation;

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description = Description {
    operation: Operation::Completion,
    stream: Stream::Off,
    root: Shape::Markdown(&Shape::Object(&openai_completions::ROOT)),
};
