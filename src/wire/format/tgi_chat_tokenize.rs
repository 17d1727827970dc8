//! `POST /chat_tokenize` of Text Generation Inference: a chat, rendered and cut into tokens, not answered.
//!
//! Sources: TGI `router/src/server.rs` (`get_chat_tokenize`); it reads the body as a chat.

use super::super::shape::{Description, Stream};
use super::tgi_chat;
use crate::query::Operation;

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Tokenize, stream: Stream::Off, root: tgi_chat::BODY };
