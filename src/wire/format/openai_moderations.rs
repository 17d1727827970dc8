//! `POST /v1/moderations`: texts and images in, labels out.
//!
//! Source: OpenAI's API reference (moderations, create).

use super::super::shape::Shape::{As, List, Model, OneOf, Text};
use super::super::shape::{Description, Object, Shape, Stream, field, required};
use super::openai_message::PART;
use crate::query::{Operation, Role};

/// How a moderations body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Classify, stream: Stream::Off, root: Shape::Object(&ROOT) };

static ROOT: Object = Object::new(&[&[required("input", As(Role::Document, &INPUT)), field("model", Model)]]);

const INPUT: Shape = OneOf(&[Text, List(&OneOf(&[Text, Shape::Tagged(&PART)]))]);
