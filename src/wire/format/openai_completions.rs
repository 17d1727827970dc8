//! `POST /v1/completions`: text in, continuation out.
//!
//! Sources: OpenAI's API reference (completions, create); vLLM `entrypoints/openai/completion/protocol.py`; llama.cpp
//! `tools/server/README.md` for prompts of mixed text and ids and for `multimodal_data`.

use super::super::shape::Shape::{Adapter, As, List, OneOf, Opaque, Text};
use super::super::shape::{Description, Field, Object, Shape, Stream, field};
use super::openai_tools::RESPONSE_FORMAT;
use super::sampling::{COMMON, LLAMACPP, SGLANG, VLLM};
use crate::query::GapKind::{Embeddings, Image, TokenIds};
use crate::query::{Operation, Role};

/// How a completions body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Completion, stream: Stream::Off, root: Shape::Object(&ROOT) };

/// The body; TGI takes it too.
pub(super) static ROOT: Object = Object::new(&[OWN, COMMON, VLLM, SGLANG, LLAMACPP]);

static OWN: &[Field] = &[
    field("prompt", As(Role::User, &PROMPT)),
    field("suffix", As(Role::User, &Text)),
    field("prompt_embeds", Opaque(Embeddings)),
    field("prompt_token_ids", Opaque(TokenIds)),
    field("response_format", RESPONSE_FORMAT),
    field("adapter_id", Adapter),
];

/// A text, token ids, several of either, or both mixed.
pub(super) const PROMPT: Shape =
    OneOf(&[Text, Shape::Object(&WITH_MEDIA), List(&OneOf(&[Text, Shape::Object(&WITH_MEDIA), Opaque(TokenIds)]))]);

/// llama.cpp's prompt with images, given as base64.
static WITH_MEDIA: Object =
    Object::new(&[&[field("prompt_string", Text), field("multimodal_data", List(&Opaque(Image)))]]);
