//! `POST /completion` and `/completions` of llama.cpp: its native completion.
//!
//! Sources: llama.cpp `tools/server/README.md` (POST /completion) and `tools/server/server-task.cpp`.

use super::super::shape::Shape::{As, Number, Object as Obj};
use super::super::shape::{Description, Field, Object, Shape, Stream, field};
use super::openai_completions::PROMPT;
use super::sampling::{COMMON, LLAMACPP};
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Completion, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[&[field("prompt", As(Role::User, &PROMPT))], COMMON, LLAMACPP, OWN]);

/// What the shared groups do not have; infill takes it too.
pub(super) static OWN: &[Field] = &[
    field("top_k", Number),
    field("min_p", Number),
    field("n_cmpl", Shape::Choices),
    field("n_cache_reuse", Number),
    field("sse_ping_interval", Number),
    field("ignore_eos", Shape::Bool),
    // llama.vim and llama.vscode
    field("t_max_prompt_ms", Number),
];
