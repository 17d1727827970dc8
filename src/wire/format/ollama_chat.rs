//! `POST /api/chat` of Ollama. Streams unless told not to.
//!
//! Sources: Ollama `api/types.go` (ChatRequest, Message, Tool, Options) and `docs/api.md`.

use super::super::shape::Shape::{
    As, Bool, Encoded, Free, GapWhenTrue, List, Model, Number, Object as Obj, OneOf, Opaque, Text, TokensMax, ToolName,
    Word,
};
use super::super::shape::{Description, Field, Message, Object, Shape, Stream, field, required};
use super::sampling::{SCHEMA, TEXTS};
use crate::query::GapKind::{Image, Template};
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Chat, stream: Stream::On, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[
    SETTINGS,
    &[
        required("messages", List(&Shape::Message(&MESSAGE))),
        field("tools", List(&As(Role::ToolDefinition, &Obj(&TOOL)))),
    ],
]);

/// What chat and generate share.
pub(super) static SETTINGS: &[Field] = &[
    field("model", Model),
    field("stream", Shape::Stream),
    field("format", OneOf(&[Word, SCHEMA])),
    field("keep_alive", KEEP_ALIVE),
    field("options", Obj(&OPTIONS)),
    field("think", OneOf(&[Bool, Word])),
    field("truncate", Bool),
    field("shift", Bool),
    field("logprobs", Bool),
    field("top_logprobs", Number),
    // Answers with the prompt as the template puts it together.
    field("_debug_render_only", GapWhenTrue(Template)),
];

/// A duration: `5m`, or seconds.
pub(super) const KEEP_ALIVE: Shape = OneOf(&[Word, Number]);

/// Images as base64.
pub(super) const IMAGES: Shape = List(&Opaque(Image));

/// Settings of the run and of the runner. Names that Ollama knew once are kept: it ignores them, clients still send them.
pub(super) static OPTIONS: Object = Object::new(&[&[
    field("num_predict", TokensMax),
    field("num_keep", Number),
    field("num_ctx", Number),
    field("num_batch", Number),
    field("num_gpu", Number),
    field("main_gpu", Number),
    field("num_thread", Number),
    field("num_gqa", Number),
    field("draft_num_predict", Number),
    field("seed", Number),
    field("temperature", Number),
    field("top_k", Number),
    field("top_p", Number),
    field("min_p", Number),
    field("tfs_z", Number),
    field("typical_p", Number),
    field("repeat_last_n", Number),
    field("repeat_penalty", Number),
    field("presence_penalty", Number),
    field("frequency_penalty", Number),
    field("penalize_newline", Bool),
    field("mirostat", Number),
    field("mirostat_tau", Number),
    field("mirostat_eta", Number),
    field("stop", TEXTS),
    field("numa", Bool),
    field("use_mmap", Bool),
    field("use_mlock", Bool),
    field("low_vram", Bool),
    field("f16_kv", Bool),
    field("vocab_only", Bool),
    field("logits_all", Bool),
]]);

static MESSAGE: Message = Message {
    roles: &[("system", Role::System), ("user", Role::User), ("assistant", Role::Assistant), ("tool", Role::Tool)],
    absent: None,
    object: &MESSAGE_FIELDS,
};
static MESSAGE_FIELDS: Object = Object::new(&[&[
    field("content", Text),
    field("thinking", Text),
    field("images", IMAGES),
    field("tool_calls", List(&As(Role::Assistant, &Obj(&TOOL_CALL)))),
    field("tool_name", Text),
    field("tool_call_id", Word),
]]);
static TOOL_CALL: Object = Object::new(&[&[field("id", Word), field("type", Word), field("function", Obj(&CALL))]]);
static CALL: Object =
    Object::new(&[&[field("index", Number), field("name", Text), field("arguments", OneOf(&[Encoded, Free]))]]);

static TOOL: Object = Object::new(&[&[field("type", Word), field("items", Free), field("function", Obj(&FUNCTION))]]);
static FUNCTION: Object = Object::new(&[&[
    field("name", ToolName),
    field("description", Text),
    field("parameters", Free),
    field("strict", Bool),
]]);
