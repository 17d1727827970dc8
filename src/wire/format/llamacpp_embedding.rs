//! `POST /embedding` and `/embeddings` of llama.cpp.
//!
//! Sources: llama.cpp `tools/server/README.md` (POST /embedding, POST /embeddings).

use super::super::shape::Shape::{As, Model, Number, Object as Obj, Word};
use super::super::shape::{Description, Object, Stream, field};
use super::openai_completions::PROMPT;
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Embedding, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[&[
    field("model", Model),
    field("content", As(Role::Document, &PROMPT)),
    field("input", As(Role::Document, &PROMPT)),
    field("embd_normalize", Number),
    field("encoding_format", Word),
    field("user", Word),
]]);
