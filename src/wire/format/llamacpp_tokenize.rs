//! `POST /tokenize` and `/detokenize` of llama.cpp.
//!
//! Sources: llama.cpp `tools/server/README.md` (POST /tokenize, POST /detokenize).

use super::super::shape::Shape::{As, Bool, Model, Object as Obj, Opaque};
use super::super::shape::{Description, Object, Stream, field};
use super::openai_completions::PROMPT;
use crate::query::GapKind::TokenIds;
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Tokenize, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[&[
    field("model", Model),
    field("content", As(Role::User, &PROMPT)),
    field("tokens", Opaque(TokenIds)),
    field("add_special", Bool),
    field("parse_special", Bool),
    field("with_pieces", Bool),
]]);
