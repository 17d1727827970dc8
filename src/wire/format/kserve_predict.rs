//! `POST /v1/models/{model}:predict` and `:explain`: instances of the model's own shape.
//!
//! Nothing says what an instance is. Texts and named numbers are judged; a list of numbers may be token ids or a vector
//! and is a gap, and so is inline binary.
//!
//! Sources: KServe `docs/modelserving/data_plane/v1_protocol.md`; TensorFlow Serving's REST interface.

use super::super::shape::Shape::{As, Bool, List, Null, Number, Object as Obj, OneOf, Opaque, Text, Word};
use super::super::shape::{Description, Object, Shape, Stream, field};
use super::sampling::FILE;
use crate::query::GapKind::TokenIds;
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Infer, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[&[
    field("instances", As(Role::User, &VALUE)),
    field("inputs", As(Role::User, &VALUE)),
    field("parameters", Obj(&INSTANCE)),
    field("signature_name", Word),
]]);

static VALUE: Shape = OneOf(&[Text, Obj(&INSTANCE), List(&ELEMENT), Number, Bool, Null]);
static ELEMENT: Shape = OneOf(&[Text, Obj(&INSTANCE), List(&ELEMENT), Bool, Null, Opaque(TokenIds)]);
static INSTANCE: Object =
    Object::open(&[&[field("b64", FILE)]], OneOf(&[Text, Obj(&INSTANCE), List(&ELEMENT), Number, Bool, Null]));
