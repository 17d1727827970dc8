//! `POST|PUT /encode` and `/classify` of SGLang: vectors and rewards.
//!
//! Sources: SGLang `managers/io_struct.py` (EmbeddingReqInput).

use super::super::shape::Shape::{As, Bool, List, Number, Object as Obj, OneOf, Text};
use super::super::shape::{Description, Object, Shape, Stream, field};
use super::sampling::{FILE, TEXTS};
use super::sglang_generate::{INPUT, ROUTING, SAMPLING};
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Embedding, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[
    INPUT,
    ROUTING,
    &[
        field("text", As(Role::Document, &TEXT)),
        field("is_cross_encoder_request", Bool),
        field("dimensions", Number),
        field("sampling_params", OneOf(&[Obj(&SAMPLING), List(&Obj(&SAMPLING))])),
    ],
]);
/// A text, texts, or pairs to compare; several kinds of input at once in an object.
const TEXT: Shape = OneOf(&[Text, Obj(&MIXED), List(&OneOf(&[TEXTS, Obj(&MIXED)]))]);
static MIXED: Object = Object::new(&[&[field("text", Text), field("image", FILE)]]);
