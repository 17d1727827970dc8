//! `POST /v1/chat/completions` of Text Generation Inference: a chat whose texts may bring images.
//!
//! Sources: TGI `router/src/lib.rs` (ChatRequest); `router/src/validation.rs` for the images.

use super::super::shape::{Description, Shape, Stream};
use super::openai_chat;
use crate::query::Operation;

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Chat, stream: Stream::Off, root: BODY };

/// What `chat_tokenize` takes too.
pub(super) const BODY: Shape = Shape::Markdown(&Shape::Object(&openai_chat::ROOT));
