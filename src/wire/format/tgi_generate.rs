//! `POST /generate`, `/generate_stream` and `/` of Text Generation Inference.
//!
//! Sources: TGI `router/src/lib.rs` (GenerateRequest, GenerateParameters, GrammarType) and `router/src/validation.rs`:
//! `![](...)` in a prompt is an image, fetched where it is a URL.

use super::super::shape::Shape::{
    Adapter, As, Bool, Free, Number, Object as Obj, OneOf, Tagged as Kinds, Text, TokensMax, Word,
};
use super::super::shape::{Description, Object, Shape, Stream, Tagged, field, required};
use super::sampling::TEXTS;
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Completion, stream: Stream::Off, root: BODY };

/// What tokenize takes too.
pub(super) const BODY: Shape = Shape::Markdown(&Obj(&ROOT));

static ROOT: Object = Object::new(&[&[
    required("inputs", As(Role::User, &Text)),
    field("parameters", Obj(&PARAMETERS)),
    field("stream", Shape::Stream),
    field("add_special_tokens", Bool),
]]);

static PARAMETERS: Object = Object::new(&[&[
    field("best_of", Number),
    field("temperature", Number),
    field("repetition_penalty", Number),
    field("frequency_penalty", Number),
    field("top_k", Number),
    field("top_p", Number),
    field("typical_p", Number),
    field("do_sample", Bool),
    field("max_new_tokens", TokensMax),
    field("return_full_text", Bool),
    field("stop", TEXTS),
    field("truncate", Number),
    field("watermark", Bool),
    field("details", Bool),
    field("decoder_input_details", Bool),
    field("seed", Number),
    field("top_n_tokens", Number),
    field("grammar", Kinds(&GRAMMAR)),
    field("adapter_id", Adapter),
]]);

static GRAMMAR: Tagged = Tagged {
    key: "type",
    cases: &[
        ("json", As(Role::ToolDefinition, &Obj(&SCHEMA))),
        ("json_object", As(Role::ToolDefinition, &Obj(&SCHEMA))),
        ("json_schema", As(Role::ToolDefinition, &Obj(&NAMED))),
        ("regex", As(Role::ToolDefinition, &Obj(&REGEX))),
    ],
    absent: None,
};
static SCHEMA: Object = Object::new(&[&[field("value", Free)]]);
static REGEX: Object = Object::new(&[&[field("value", Text)]]);
static NAMED: Object = Object::new(&[&[field("value", OneOf(&[Obj(&NAMED_SCHEMA), Free]))]]);
static NAMED_SCHEMA: Object = Object::new(&[&[field("name", Word), field("schema", Free), field("strict", Bool)]]);
