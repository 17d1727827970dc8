//! `POST /apply-template` of llama.cpp: a chat, rendered and not answered.
//!
//! Sources: llama.cpp `tools/server/README.md` (POST /apply-template); it reads the body as a chat.

use super::super::shape::{Description, Shape, Stream};
use super::openai_chat;
use crate::query::Operation;

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Tokenize, stream: Stream::Off, root: Shape::Object(&openai_chat::ROOT) };
