//! `POST /api/generate` of Ollama. Streams unless told not to.
//!
//! Sources: Ollama `api/types.go` (GenerateRequest) and `docs/api.md`.

use super::super::shape::Shape::{As, GapUnlessEmpty, GapWhenTrue, Object as Obj, Opaque, Text};
use super::super::shape::{Description, Object, Stream, field};
use super::ollama_chat::{IMAGES, SETTINGS};
use crate::query::GapKind::{Template, TokenIds};
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Completion, stream: Stream::On, root: Obj(&ROOT) };

/// Nothing is required: a body with the model alone loads it.
static ROOT: Object = Object::new(&[
    SETTINGS,
    &[
        field("prompt", As(Role::User, &Text)),
        field("suffix", As(Role::User, &Text)),
        field("system", As(Role::System, &Text)),
        field("template", As(Role::Template, &GapUnlessEmpty(Template))),
        // The prompt is passed on without the template, so the client writes every role itself.
        field("raw", GapWhenTrue(Template)),
        // An earlier conversation as token ids.
        field("context", Opaque(TokenIds)),
        field("images", IMAGES),
    ],
]);
