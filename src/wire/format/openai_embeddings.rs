//! `POST /v1/embeddings`: texts in, vectors out.
//!
//! Sources: OpenAI's API reference (embeddings, create); vLLM `entrypoints/pooling/*/protocol.py` (completion- and
//! chat-shaped requests); SGLang `entrypoints/openai/protocol.py` (multimodal inputs); llama.cpp `tools/server/README.md`.

use super::super::shape::Shape::{
    Adapter, As, Bool, Both, GapUnlessEmpty, List, Media, Model, Null, Number, OneOf, Opaque, Text, Word,
};
use super::super::shape::{Description, Field, Object, Shape, Stream, field};
use super::openai_message::MESSAGE;
use crate::query::GapKind::{self, State, Steering, TokenIds};
use crate::query::{Operation, Role};

/// How an embeddings body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Embedding, stream: Stream::Off, root: Shape::Object(&ROOT) };

static ROOT: Object = Object::new(&[OWN, POOLING]);

static OWN: &[Field] = &[
    field("input", As(Role::Document, &INPUT)),
    field("encoding_format", Word),
    field("dimensions", Number),
    // llama.cpp
    field("content", As(Role::Document, &INPUT)),
    field("embd_normalize", Number),
];

/// What vLLM's and SGLang's pooling routes share.
pub(super) static POOLING: &[Field] = &[
    field("model", Model),
    field("user", Word),
    field("messages", List(&Shape::Message(&MESSAGE))),
    field("truncate_prompt_tokens", Number),
    field("truncation_side", Word),
    field("add_special_tokens", Bool),
    field("add_generation_prompt", Bool),
    field("continue_final_message", Bool),
    field("chat_template", As(Role::Template, &GapUnlessEmpty(GapKind::Template))),
    field("chat_template_kwargs", As(Role::Template, &GapUnlessEmpty(GapKind::Template))),
    field("mm_processor_kwargs", GapUnlessEmpty(GapKind::Template)),
    field("media_io_kwargs", GapUnlessEmpty(GapKind::Template)),
    field("normalize", Bool),
    field("use_activation", Bool),
    field("activation", Bool),
    field("softmax", Bool),
    field("embed_dtype", Word),
    field("endianness", Word),
    field("priority", Both(Steering, &Number)),
    field("request_id", Both(Steering, &Word)),
    field("rid", Both(Steering, &OneOf(&[Word, List(&Word)]))),
    field("cache_salt", Both(State, &Word)),
    field("lora_path", OneOf(&[Adapter, List(&OneOf(&[Adapter, Null]))])),
];

/// A text, token ids, several of either, or texts with images.
pub(super) const INPUT: Shape =
    OneOf(&[Text, Shape::Object(&WITH_IMAGE), List(&OneOf(&[Text, Shape::Object(&WITH_IMAGE), Opaque(TokenIds)]))]);

static WITH_IMAGE: Object = Object::new(&[&[
    field("text", Text),
    field("image", Media(GapKind::Image)),
    field("video", Media(GapKind::Video)),
]]);
