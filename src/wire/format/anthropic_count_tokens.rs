//! `POST /v1/messages/count_tokens`: the prompt of a message, without the settings of an answer.
//!
//! Sources: as `anthropic_messages`.

use super::super::shape::{Description, Object, Shape, Stream};
use super::anthropic_messages::PROMPT;
use crate::query::Operation;

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Tokenize, stream: Stream::Off, root: Shape::Object(&ROOT) };

static ROOT: Object = Object::new(&[PROMPT]);
