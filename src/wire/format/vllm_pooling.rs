//! `POST /pooling`, `/classify` and `/v2/embed` of vLLM, `/v1/classify` of SGLang: texts or a chat in, vectors or labels out.
//!
//! Sources: vLLM `entrypoints/pooling/{base,pooling,classify,embed}/protocol.py` (the Cohere form of `/v2/embed` too);
//! SGLang `entrypoints/openai/protocol.py` (ClassifyRequest).

use super::super::shape::Shape::{As, Gap, List, Media, Number, Object as Obj, OneOf, Tagged as Kinds, Text, Word};
use super::super::shape::{Description, Object, Stream, field};
use super::openai_embeddings::{INPUT, POOLING};
use super::openai_message::PART;
use super::sampling::{TEXTS, WORDS};
use crate::query::GapKind::{Image, UnknownType};
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Classify, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[
    POOLING,
    &[
        field("input", As(Role::Document, &INPUT)),
        field("task", Word),
        field("encoding_format", Word),
        field("dimensions", Number),
        // What a plug-in of the installation reads.
        field("data", As(Role::Document, &Gap(UnknownType))),
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
