//! `POST /api/embed` of Ollama, and its older form `/api/embeddings`.
//!
//! Sources: Ollama `api/types.go` (EmbedRequest, EmbeddingRequest) and `docs/api.md`.

use super::super::shape::Shape::{As, Bool, Model, Number, Object as Obj, Text};
use super::super::shape::{Description, Object, Stream, field};
use super::ollama_chat::{KEEP_ALIVE, OPTIONS};
use super::sampling::TEXTS;
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Embedding, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[&[
    field("model", Model),
    field("input", As(Role::Document, &TEXTS)),
    field("prompt", As(Role::Document, &Text)),
    field("truncate", Bool),
    field("dimensions", Number),
    field("keep_alive", KEEP_ALIVE),
    field("options", Obj(&OPTIONS)),
]]);
