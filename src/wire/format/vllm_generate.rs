//! `POST /inference/v1/generate` of vLLM: token ids in, token ids out. Nothing in it can be read; it is decoded so that
//! the coverage names what it is and a policy may allow it.
//!
//! Sources: vLLM `entrypoints/serve/disagg/protocol.py`.

use super::super::shape::Shape::{Both, Gap, Model, Number, Object as Obj, Opaque, Word};
use super::super::shape::{Description, Object, Shape, Stream, field, required};
use super::sampling::{COMMON, VLLM};
use crate::query::GapKind::{Embeddings, State, Steering, TokenIds};
use crate::query::Operation;

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Completion, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[&[
    required("token_ids", Opaque(TokenIds)),
    field("model", Model),
    field("features", Gap(Embeddings)),
    field("sampling_params", Obj(&SAMPLING)),
    field("stream", Shape::Stream),
    field("stream_options", Shape::Free),
    field("request_id", Both(Steering, &Word)),
    field("priority", Both(Steering, &Number)),
    field("cache_salt", Both(State, &Word)),
    field("kv_transfer_params", Gap(State)),
]]);
static SAMPLING: Object = Object::new(&[COMMON, VLLM, &[field("detokenize", Shape::Bool)]]);
