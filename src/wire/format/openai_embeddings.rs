//! stub
use super::super::shape::{Description, Object, Shape, Stream};
use crate::query::Operation;
static ROOT: Object = Object::new(&[]);
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Completion, stream: Stream::Off, root: Shape::Object(&ROOT) };
