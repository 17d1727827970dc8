//! `POST /pooling`, `/classify` and `/v2/embed` of vLLM, `/v1/classify` of SGLang: texts or a chat in, vectors or labels out.
//!
//! Sources: vLLM `entrypoints/pooling/{base,pooling,classify,embed}/protocol.py` (the Cohere form of `/v2/embed` too);
//! SGLang `entrypoints/openai/protocol.py` (ClassifyRequest).

use super::super::shape::Shape::{
    As, Bool, Both, Gap, List, Media, Message as Msg, Model, Number, Object as Obj, OneOf, Opaque, Tagged as Kinds, Text,
    Word,
};
use super::super::shape::{Description, Field, Object, Shape, Stream, field};
use super::openai_chat::{MESSAGE, PART};
use super::sampling::{TEXTS, WORDS};
use crate::query::GapKind::{Image, State, Steering, Template, TokenIds, UnknownType};
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Classify, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[
    POOLING,
    RENDERING,
    &[
        field("input", As(Role::Document, &PROMPT)),
        field("messages", List(&Msg(&MESSAGE))),
        field("task", Word),
        field("encoding_format", Word),
        field("embed_dtype", Word),
        field("endianness", Word),
        field("dimensions", Number),
        field("normalize", Bool),
        field("softmax", Bool),
        field("activation", Bool),
        field("use_activation", Bool),
        // What a plug-in of the installation reads.
        field("data", As(Role::Document, &Gap(UnknownType))),
        // SGLang
        field("rid", Both(Steering, &Word)),
        // Cohere's form
        field("texts", As(Role::Document, &TEXTS)),
        field("images", List(&Media(Image))),
        field("inputs", List(&As(Role::Document, &Obj(&MIXED)))),
        field("input_type", Word),
        field("embedding_types", WORDS),
        field("output_dimension", Number),
        field("truncate", Word),
        field("max_tokens", Number),
    ],
]);
static MIXED: Object = Object::new(&[&[field("content", OneOf(&[Text, List(&Kinds(&PART))]))]]);

/// One text or several, or token ids in their place.
pub(super) const PROMPT: Shape = OneOf(&[Text, List(&OneOf(&[Text, List(&ID), Opaque(TokenIds)])), Opaque(TokenIds)]);
static ID: Shape = Opaque(TokenIds);

/// What every pooling route takes.
pub(super) static POOLING: &[Field] = &[
    field("model", Model),
    field("user", Word),
    field("truncate_prompt_tokens", Number),
    field("truncation_side", Word),
    field("padding", Word),
    field("request_id", Both(Steering, &Word)),
    field("priority", Both(Steering, &Number)),
    field("cache_salt", Both(State, &Word)),
    field("mm_processor_kwargs", Gap(Template)),
];

/// How a chat becomes a prompt.
pub(super) static RENDERING: &[Field] = &[
    field("add_special_tokens", Bool),
    field("add_generation_prompt", Bool),
    field("continue_final_message", Bool),
    field("chat_template", As(Role::Template, &Gap(Template))),
    field("chat_template_kwargs", As(Role::Template, &Gap(Template))),
    field("media_io_kwargs", Gap(Template)),
];
