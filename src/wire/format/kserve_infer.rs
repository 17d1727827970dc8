//! `POST /v2/models/{model}/infer`: named tensors, of which those of type `BYTES` are text.
//!
//! Sources: Open Inference Protocol, `inference_rest.md`; Triton `docs/protocol/extension_{binary_data,shared_memory,
//! sequence,parameters}.md`; TGI with `kserve`, whose `BYTES` are numbers.

use super::super::shape::Shape::{
    As, Bool, Free, Gap, List, Object as Obj, OneOf, Opaque, Tagged as Kinds, Text, Word,
};
use super::super::shape::{Description, Field, Object, Shape, Stream, Tagged, field, required};
use super::sampling::NUMBERS;
use crate::query::GapKind::{Embeddings, Remote, State, TokenIds};
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Infer, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[&[
    required("inputs", List(&Kinds(&TENSOR))),
    field("id", Word),
    field("model_name", Shape::Model),
    field("model_version", Word),
    field("parameters", Obj(&PARAMETERS)),
    field("outputs", List(&Obj(&OUTPUT))),
]]);

static TENSOR: Tagged = Tagged {
    key: "datatype",
    cases: &[
        ("BYTES", Obj(&TEXTS)),
        ("BOOL", Obj(&TRUTHS)),
        ("INT8", Obj(&IDS)),
        ("INT16", Obj(&IDS)),
        ("INT32", Obj(&IDS)),
        ("INT64", Obj(&IDS)),
        ("UINT8", Obj(&IDS)),
        ("UINT16", Obj(&IDS)),
        ("UINT32", Obj(&IDS)),
        ("UINT64", Obj(&IDS)),
        ("FP16", Obj(&VECTORS)),
        ("FP32", Obj(&VECTORS)),
        ("FP64", Obj(&VECTORS)),
        ("BF16", Obj(&VECTORS)),
    ],
    absent: None,
};

/// What every tensor has.
static TENSOR_HEAD: &[Field] = &[field("name", Word), field("shape", NUMBERS), field("parameters", Obj(&PARAMETERS))];
static TEXTS: Object = Object::new(&[TENSOR_HEAD, &[field("data", As(Role::User, &BYTES))]]);
static TRUTHS: Object = Object::new(&[TENSOR_HEAD, &[field("data", TRUTH)]]);
static IDS: Object = Object::new(&[TENSOR_HEAD, &[field("data", Opaque(TokenIds))]]);
static VECTORS: Object = Object::new(&[TENSOR_HEAD, &[field("data", Opaque(Embeddings))]]);

/// Texts in lists as deep as the tensor's shape.
static BYTES: Shape = OneOf(&[Text, List(&BYTES), Opaque(TokenIds)]);
static TRUTH: Shape = OneOf(&[Bool, List(&TRUTH), Opaque(Embeddings)]);

static OUTPUT: Object = Object::new(&[&[field("name", Word), field("parameters", Obj(&PARAMETERS))]]);

/// Parameters are the model's own, but for those by which a tensor's data are elsewhere.
static PARAMETERS: Object = Object::open(
    &[&[
        field("binary_data_size", Gap(Embeddings)),
        field("binary_data", Bool),
        field("binary_data_output", Bool),
        field("classification", Shape::Number),
        field("shared_memory_region", Gap(Remote)),
        field("shared_memory_offset", Gap(Remote)),
        field("shared_memory_byte_size", Gap(Remote)),
        field("sequence_id", Gap(State)),
        field("sequence_start", Gap(State)),
        field("sequence_end", Gap(State)),
    ]],
    Free,
);
