//! `POST /v1/responses`: items in, items out.
//!
//! Sources: OpenAI's API reference (responses, create); `openai-python` `types/responses/response_create_params.py`;
//! vLLM `entrypoints/openai/responses/protocol.py` for the fields it adds. Items are in [`super::responses_item`], tools
//! in [`super::responses_tool`].

use super::super::shape::Shape::{
    As, Bool, Free, Gap, GapUnlessEmpty, GapWhenTrue, List, Number, OneOf, Text, TokensMax, Word,
};
use super::super::shape::{Description, Field, Object, Shape, Stream, Tagged, field};
use super::responses_item::ITEM;
use super::responses_tool::TOOL;
use super::sampling::{COMMON, LLAMACPP, SCHEMA, SGLANG, VLLM};
use crate::query::GapKind::State;
use crate::query::{Operation, Role};

/// How a responses body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Chat, stream: Stream::Off, root: Shape::Object(&ROOT) };

static ROOT: Object = Object::new(&[OWN, COMMON, VLLM, SGLANG, LLAMACPP]);

static OWN: &[Field] = &[
    field("input", As(Role::User, &OneOf(&[Text, List(&ITEM)]))),
    field("instructions", As(Role::System, &OneOf(&[Text, List(&ITEM)]))),
    field("tools", List(&As(Role::ToolDefinition, &TOOL))),
    field("tool_choice", OneOf(&[Word, SCHEMA])),
    field("parallel_tool_calls", Bool),
    field("max_output_tokens", TokensMax),
    field("max_tool_calls", Number),
    field("reasoning", Shape::Object(&REASONING)),
    field("text", Shape::Object(&TEXT)),
    field("truncation", Word),
    field("top_logprobs", Number),
    field("verbosity", Word),
    field("prompt_cache_key", Word),
    field("prompt_cache_retention", Word),
    field("prompt_cache_options", Free),
    field("safety_identifier", Word),
    field("moderation", Free),
    // What the server remembers, or is asked to.
    field("previous_response_id", Gap(State)),
    field("previous_response", Gap(State)),
    field("previous_input_messages", GapUnlessEmpty(State)),
    field("conversation", Gap(State)),
    field("prompt", Gap(State)),
    field("background", GapWhenTrue(State)),
    field("include", GapUnlessEmpty(State)),
    field("context_management", GapUnlessEmpty(State)),
    // vLLM
    field("enable_response_messages", Bool),
];

static REASONING: Object = Object::new(&[&[
    field("effort", Word),
    field("summary", Word),
    field("generate_summary", Word),
    field("mode", Word),
    field("context", Word),
]]);

static TEXT: Object = Object::new(&[&[
    field("format", As(Role::ToolDefinition, &Shape::Tagged(&FORMAT_KINDS))),
    field("verbosity", Word),
]]);
static FORMAT_KINDS: Tagged = Tagged {
    key: "type",
    cases: &[
        ("text", Shape::Object(&PLAIN_FORMAT)),
        ("json_object", Shape::Object(&PLAIN_FORMAT)),
        ("json_schema", Shape::Object(&SCHEMA_FORMAT)),
    ],
    absent: None,
};
static PLAIN_FORMAT: Object = Object::new(&[]);
static SCHEMA_FORMAT: Object =
    Object::new(&[&[field("name", Text), field("description", Text), field("schema", Free), field("strict", Bool)]]);
