//! `POST /v1/chat/completions`: messages in, message out.
//!
//! Sources: OpenAI's API reference (chat, create); `openai-python` `types/chat/completion_create_params.py` and the
//! message and content-part types beside it; vLLM `entrypoints/openai/chat_completion/protocol.py` and
//! `entrypoints/chat_utils.py`; SGLang, llama.cpp and TGI for the fields they add.

use super::super::shape::Shape::{
    Adapter, As, Bool, Both, Free, Gap, GapUnlessEmpty, List, Number, OneOf, Opaque, Text, TokensMax, Word,
};
use super::super::shape::{Description, Field, Object, Shape, Stream, Tagged, field, required};
use super::openai_message::{CONTENT, MESSAGE};
use super::openai_tools::{FUNCTION, NAMED, RESPONSE_FORMAT, TOOL, TOOL_CHOICE};
use super::sampling::{COMMON, LLAMACPP, SGLANG, VLLM, WORDS};
use crate::query::GapKind::{self, State, TokenIds};
use crate::query::{Operation, Role};

/// How a chat body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Chat, stream: Stream::Off, root: Shape::Object(&ROOT) };

/// The body; routes that render a chat without answering it take it too.
pub(super) static ROOT: Object = Object::new(&[&[required("messages", MESSAGES)], COMMON, OWN, VLLM, SGLANG, LLAMACPP]);

static OWN: &[Field] = &[
    field("max_completion_tokens", TokensMax),
    field("tools", List(&TOOL)),
    field("tool_choice", TOOL_CHOICE),
    field("parallel_tool_calls", Bool),
    field("parallel_tool_call", Bool),
    field("response_format", RESPONSE_FORMAT),
    field("reasoning_effort", OneOf(&[Word, Number])),
    field("reasoning", Free),
    field("verbosity", Word),
    field("top_logprobs", Number),
    field("functions", List(&As(Role::ToolDefinition, &Shape::Object(&FUNCTION)))),
    field("function_call", OneOf(&[Word, Shape::Object(&NAMED)])),
    field("modalities", WORDS),
    field("audio", Shape::Object(&AUDIO_OUT)),
    field("prediction", As(Role::Assistant, &Shape::Tagged(&PREDICTION))),
    field("web_search_options", Gap(GapKind::Remote)),
    field("prompt_cache_key", Word),
    field("prompt_cache_retention", Word),
    field("prompt_cache_options", Free),
    field("safety_identifier", Word),
    field("moderation", Free),
    // vLLM, SGLang
    field("include_reasoning", Bool),
    field("documents", List(&As(Role::Document, &Free))),
    field("chat_template", As(Role::Template, &GapUnlessEmpty(GapKind::Template))),
    field("chat_template_kwargs", As(Role::Template, &GapUnlessEmpty(GapKind::Template))),
    field("chat_template_content_format", As(Role::Template, &Gap(GapKind::Template))),
    field("add_generation_prompt", Bool),
    field("continue_final_message", Bool),
    field("media_io_kwargs", GapUnlessEmpty(GapKind::Template)),
    field("input_ids", Opaque(TokenIds)),
    field("prompt_token_ids", Opaque(TokenIds)),
    field("prompt_embeds", Opaque(GapKind::Embeddings)),
    field("max_dynamic_patch", Number),
    field("min_dynamic_patch", Number),
    // TGI
    field("tool_prompt", As(Role::Template, &Text)),
    field("guideline", As(Role::Template, &Text)),
    field("adapter_id", Adapter),
    // llama.cpp, and routers in front of any of them
    field("thinking_budget_tokens", Number),
    field("thinking", Free),
];

/// vLLM's batch route takes several conversations.
const MESSAGES: Shape = List(&OneOf(&[Shape::Message(&MESSAGE), List(&Shape::Message(&MESSAGE))]));

static AUDIO_OUT: Object =
    Object::new(&[&[field("voice", OneOf(&[Word, Both(State, &Shape::Object(&VOICE))])), field("format", Word)]]);
static VOICE: Object = Object::new(&[&[field("id", Word)]]);

static PREDICTION: Tagged = Tagged { key: "type", cases: &[("content", Shape::Object(&PREDICTED))], absent: None };
static PREDICTED: Object = Object::new(&[&[field("content", CONTENT)]]);
