//! `POST /v1/chat/completions`: messages in, message out.
//!
//! Sources: OpenAI's API reference (chat, create); `openai-python` `types/chat/completion_create_params.py` and the
//! message and content-part types beside it; vLLM `entrypoints/openai/chat_completion/protocol.py` and
//! `entrypoints/chat_utils.py`; SGLang, llama.cpp and TGI for the fields they add.

use super::super::shape::Shape::{
    Adapter, As, Bool, Both, Encoded, Free, Gap, List, Media, Number, OneOf, Opaque, Text, TokensMax, ToolName, Word,
};
use super::super::shape::{Description, Field, Message, Object, Shape, Stream, Tagged, field, required};
use super::sampling::{COMMON, FILE, LLAMACPP, SCHEMA, SGLANG, VLLM, WORDS};
use crate::query::GapKind::{self, State, TokenIds};
use crate::query::{Operation, Role};

/// How a chat body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Chat, stream: Stream::Off, root: Shape::Object(&ROOT) };

static ROOT: Object =
    Object::new(&[&[required("messages", List(&Shape::Message(&MESSAGE)))], COMMON, OWN, VLLM, SGLANG, LLAMACPP]);

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
    field("chat_template", As(Role::Template, &Gap(GapKind::Template))),
    field("chat_template_kwargs", As(Role::Template, &Gap(GapKind::Template))),
    field("chat_template_content_format", As(Role::Template, &Gap(GapKind::Template))),
    field("add_generation_prompt", Bool),
    field("continue_final_message", Bool),
    field("media_io_kwargs", Gap(GapKind::Template)),
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

static MESSAGE: Message = Message { roles: ROLES, absent: None, object: &MESSAGE_FIELDS };

/// The closed set of roles; vLLM would take any string.
pub(super) static ROLES: &[(&str, Role)] = &[
    ("user", Role::User),
    ("assistant", Role::Assistant),
    ("system", Role::System),
    ("developer", Role::System),
    ("tool", Role::Tool),
    ("function", Role::Tool),
];

static MESSAGE_FIELDS: Object = Object::new(&[&[
    field("content", CONTENT),
    field("tool_calls", List(&As(Role::Assistant, &Shape::Tagged(&TOOL_CALL)))),
    field("tool_call_id", Word),
    field("name", Text),
    field("refusal", Text),
    field("function_call", As(Role::Assistant, &Shape::Object(&CALL))),
    field("reasoning_content", Text),
    field("reasoning", Text),
    field("reasoning_details", Free),
    field("thinking", Text),
    field("audio", Gap(State)),
    field("annotations", Free),
    field("prefix", Bool),
    field("partial", Bool),
    field("tools", List(&TOOL)),
]]);

const CONTENT: Shape = OneOf(&[Text, List(&OneOf(&[Text, Shape::Tagged(&PART)])), Shape::Tagged(&PART)]);

static PART: Tagged = Tagged {
    key: "type",
    cases: &[
        ("text", Shape::Object(&TEXT_PART)),
        ("input_text", Shape::Object(&TEXT_PART)),
        ("output_text", Shape::Object(&TEXT_PART)),
        ("refusal", Shape::Object(&REFUSAL_PART)),
        ("thinking", Shape::Object(&THINKING_PART)),
        ("image_url", Shape::Object(&IMAGE_PART)),
        ("input_image", Shape::Object(&IMAGE_PART)),
        ("input_audio", Shape::Object(&INPUT_AUDIO_PART)),
        ("audio_url", Shape::Object(&AUDIO_PART)),
        ("video_url", Shape::Object(&VIDEO_PART)),
        ("file", Shape::Object(&FILE_PART)),
        ("image_embeds", Both(GapKind::Embeddings, &Shape::Object(&EMBEDS_PART))),
        ("audio_embeds", Both(GapKind::Embeddings, &Shape::Object(&EMBEDS_PART))),
        ("prompt_embeds", Both(GapKind::Embeddings, &Shape::Object(&EMBEDS_PART))),
    ],
    absent: None,
};

static TEXT_PART: Object =
    Object::new(&[&[field("text", Text), field("annotations", Free), field("cache_control", Free), PROMPT_CACHE]]);
/// Where OpenAI keeps a cached prefix; it carries a mode and no text.
const PROMPT_CACHE: Field = field("prompt_cache_breakpoint", Free);
static REFUSAL_PART: Object = Object::new(&[&[field("refusal", Text)]]);
static THINKING_PART: Object =
    Object::new(&[&[field("thinking", Text), field("signature", Word), field("closed", Bool)]]);

static IMAGE_PART: Object = Object::new(&[&[
    field("image_url", OneOf(&[Media(GapKind::Image), Shape::Object(&IMAGE_URL)])),
    field("detail", Word),
    field("uuid", Both(State, &Word)),
    PROMPT_CACHE,
]]);
static IMAGE_URL: Object = Object::new(&[&[
    field("url", Media(GapKind::Image)),
    field("detail", Word),
    field("max_dynamic_patch", Number),
    field("min_dynamic_patch", Number),
]]);
static INPUT_AUDIO_PART: Object = Object::new(&[&[
    field("input_audio", Shape::Object(&INPUT_AUDIO)),
    field("uuid", Both(State, &Word)),
    PROMPT_CACHE,
]]);
static INPUT_AUDIO: Object = Object::new(&[&[field("data", Opaque(GapKind::Audio)), field("format", Word)]]);
static AUDIO_PART: Object = Object::new(&[&[
    field("audio_url", OneOf(&[Media(GapKind::Audio), Shape::Object(&AUDIO_URL)])),
    field("uuid", Both(State, &Word)),
]]);
static AUDIO_URL: Object = Object::new(&[&[field("url", Media(GapKind::Audio))]]);
static VIDEO_PART: Object = Object::new(&[&[
    field("video_url", OneOf(&[Media(GapKind::Video), Shape::Object(&VIDEO_URL)])),
    field("uuid", Both(State, &Word)),
]]);
static VIDEO_URL: Object = Object::new(&[&[field("url", Media(GapKind::Video)), field("fps", Number)]]);
static FILE_PART: Object = Object::new(&[&[field("file", Shape::Object(&FILE_BY)), PROMPT_CACHE]]);
static FILE_BY: Object =
    Object::new(&[&[field("file_data", FILE), field("file_id", Both(State, &Word)), field("filename", Text)]]);
static EMBEDS_PART: Object = Object::new(&[&[
    field("image_embeds", Opaque(GapKind::Embeddings)),
    field("audio_embeds", Opaque(GapKind::Embeddings)),
    field("prompt_embeds", Opaque(GapKind::Embeddings)),
    field("uuid", Both(State, &Word)),
]]);

static TOOL_CALL: Tagged = Tagged {
    key: "type",
    cases: &[("function", Shape::Object(&FUNCTION_CALL)), ("custom", Shape::Object(&CUSTOM_CALL))],
    absent: Some(Shape::Object(&FUNCTION_CALL)),
};
static FUNCTION_CALL: Object =
    Object::new(&[&[field("id", Word), field("index", Number), field("function", Shape::Object(&CALL))]]);
/// Arguments are JSON in a string; Ollama's clients send the object itself.
static CALL: Object = Object::new(&[&[field("name", Text), field("arguments", OneOf(&[Encoded, Free]))]]);
static CUSTOM_CALL: Object =
    Object::new(&[&[field("id", Word), field("index", Number), field("custom", Shape::Object(&CUSTOM_INPUT))]]);
static CUSTOM_INPUT: Object = Object::new(&[&[field("name", Text), field("input", Text)]]);

/// A tool that is offered.
const TOOL: Shape = As(Role::ToolDefinition, &Shape::Tagged(&TOOL_KINDS));
static TOOL_KINDS: Tagged = Tagged {
    key: "type",
    cases: &[("function", Shape::Object(&FUNCTION_TOOL)), ("custom", Shape::Object(&CUSTOM_TOOL))],
    absent: Some(Shape::Object(&FUNCTION_TOOL)),
};
static FUNCTION_TOOL: Object =
    Object::new(&[&[field("function", Shape::Object(&FUNCTION)), field("cache_control", Free)]]);
static FUNCTION: Object = Object::new(&[&[
    field("name", ToolName),
    field("description", Text),
    field("parameters", Free),
    field("arguments", Free),
    field("strict", Bool),
]]);
static CUSTOM_TOOL: Object = Object::new(&[&[field("custom", Shape::Object(&CUSTOM))]]);
static CUSTOM: Object = Object::new(&[&[field("name", ToolName), field("description", Text), field("format", Free)]]);

const TOOL_CHOICE: Shape = OneOf(&[Word, As(Role::ToolDefinition, &Shape::Tagged(&CHOICE_KINDS))]);
static CHOICE_KINDS: Tagged = Tagged {
    key: "type",
    cases: &[
        ("function", Shape::Object(&NAMED_CHOICE)),
        ("custom", Shape::Object(&NAMED_CHOICE)),
        ("allowed_tools", Shape::Object(&ALLOWED_CHOICE)),
    ],
    absent: Some(Shape::Object(&NAMED_CHOICE)),
};
static NAMED_CHOICE: Object =
    Object::new(&[&[field("function", Shape::Object(&NAMED)), field("custom", Shape::Object(&NAMED))]]);
static NAMED: Object = Object::new(&[&[field("name", Word)]]);
static ALLOWED_CHOICE: Object = Object::new(&[&[field("allowed_tools", Shape::Object(&ALLOWED))]]);
static ALLOWED: Object = Object::new(&[&[field("mode", Word), field("tools", List(&Free))]]);

const RESPONSE_FORMAT: Shape = As(Role::ToolDefinition, &Shape::Tagged(&FORMAT_KINDS));
static FORMAT_KINDS: Tagged = Tagged {
    key: "type",
    cases: &[
        ("text", Shape::Object(&PLAIN_FORMAT)),
        ("json_object", Shape::Object(&PLAIN_FORMAT)),
        ("json_schema", Shape::Object(&SCHEMA_FORMAT)),
        ("structural_tag", Shape::Object(&TAG_FORMAT)),
        // TGI
        ("json", Shape::Object(&VALUE_FORMAT)),
        ("regex", Shape::Object(&VALUE_FORMAT)),
    ],
    absent: None,
};
/// llama.cpp takes a schema beside `json_object`.
static PLAIN_FORMAT: Object = Object::new(&[&[field("schema", Free)]]);
static SCHEMA_FORMAT: Object =
    Object::new(&[&[field("json_schema", Shape::Object(&NAMED_SCHEMA)), field("schema", Free)]]);
static NAMED_SCHEMA: Object =
    Object::new(&[&[field("name", Text), field("description", Text), field("schema", Free), field("strict", Bool)]]);
static TAG_FORMAT: Object =
    Object::new(&[&[field("format", Free), field("structures", Free), field("triggers", Free)]]);
static VALUE_FORMAT: Object = Object::new(&[&[field("value", SCHEMA)]]);

static AUDIO_OUT: Object =
    Object::new(&[&[field("voice", OneOf(&[Word, Both(State, &Shape::Object(&VOICE))])), field("format", Word)]]);
static VOICE: Object = Object::new(&[&[field("id", Word)]]);

static PREDICTION: Tagged = Tagged { key: "type", cases: &[("content", Shape::Object(&PREDICTED))], absent: None };
static PREDICTED: Object = Object::new(&[&[field("content", CONTENT)]]);
