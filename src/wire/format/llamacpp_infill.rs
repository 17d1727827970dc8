//! `POST /infill` of llama.cpp: code between a prefix and a suffix.
//!
//! Sources: llama.cpp `tools/server/README.md` (POST /infill).

use super::super::shape::Shape::{As, List, Object as Obj, Text};
use super::super::shape::{Description, Object, Stream, field};
use super::llamacpp_completion::OWN;
use super::openai_completions::PROMPT;
use super::sampling::{COMMON, LLAMACPP};
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Completion, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[
    &[
        field("input_prefix", As(Role::User, &Text)),
        field("input_suffix", As(Role::User, &Text)),
        field("input_extra", List(&As(Role::Document, &Obj(&EXTRA)))),
        field("prompt", As(Role::User, &PROMPT)),
    ],
    COMMON,
    LLAMACPP,
    OWN,
]);
static EXTRA: Object = Object::new(&[&[field("filename", Text), field("text", Text)]]);
