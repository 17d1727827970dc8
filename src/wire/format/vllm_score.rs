//! `POST /score` and `/generative_scoring` of vLLM, `/v1/score` of SGLang: pairs of texts in, scores out.
//!
//! Sources: vLLM `entrypoints/pooling/scoring/protocol.py`; SGLang `entrypoints/openai/protocol.py` (ScoringRequest).

use super::super::shape::Shape::{As, Bool, List, Object as Obj, OneOf, Opaque, Tagged as Kinds, Text, Word};
use super::super::shape::{Description, Object, Shape, Stream, field};
use super::openai_embeddings::POOLING;
use super::openai_message::PART;
use super::sampling::NUMBERS;
use crate::query::GapKind::TokenIds;
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Rerank, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[
    POOLING,
    &[
        field("text_1", As(Role::User, &INPUTS)),
        field("text_2", As(Role::Document, &INPUTS)),
        field("data_1", As(Role::User, &INPUTS)),
        field("data_2", As(Role::Document, &INPUTS)),
        field("query", As(Role::User, &INPUTS)),
        field("queries", As(Role::User, &INPUTS)),
        field("documents", As(Role::Document, &INPUTS)),
        field("items", As(Role::Document, &INPUTS)),
        field("encoding_format", Word),
        field("label_token_ids", NUMBERS),
        field("apply_softmax", Bool),
        field("item_first", Bool),
    ],
]);

/// One or several of: a text, token ids, parts with media.
pub(super) const INPUTS: Shape = OneOf(&[Text, Obj(&MIXED), List(&INPUT), Opaque(TokenIds)]);
static INPUT: Shape = OneOf(&[Text, Obj(&MIXED), List(&ID), Opaque(TokenIds)]);
static ID: Shape = Opaque(TokenIds);
static MIXED: Object = Object::new(&[&[
    field("text", Text),
    field("title", Text),
    field("content", OneOf(&[Text, List(&Kinds(&PART))])),
    field("multi_modal", List(&Kinds(&PART))),
]]);
