//! Messages of the chat format, their content parts and tool calls; other formats that speak it use them too.
//!
//! Sources: `openai-python` `types/chat/chat_completion_*_param.py`; vLLM `entrypoints/chat_utils.py`; DeepSeek and
//! Moonshot for `prefix` and `partial`; llama.cpp and Ollama for what their clients send back.

use super::super::shape::Shape::{As, Bool, Both, Encoded, Free, Gap, List, Media, Number, OneOf, Opaque, Text, Word};
use super::super::shape::{Field, Message, Object, Shape, Tagged, field};
use super::openai_tools::TOOL;
use super::sampling::FILE;
use crate::query::GapKind::{self, State};
use crate::query::Role;

/// One message of a conversation.
pub(super) static MESSAGE: Message = Message { roles: ROLES, absent: None, object: &MESSAGE_FIELDS };

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
    field("parsed", Free),
    field("prefix", Bool),
    field("partial", Bool),
    field("tools", List(&TOOL)),
]]);

/// What a message says: text, or parts.
pub(super) const CONTENT: Shape = OneOf(&[Text, List(&OneOf(&[Text, Shape::Tagged(&PART)])), Shape::Tagged(&PART)]);

/// One part of a content.
pub(super) static PART: Tagged = Tagged {
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
static CALL: Object = Object::new(&[&[
    field("name", Word),
    field("arguments", OneOf(&[Encoded, Free])),
    field("parsed_arguments", Free),
]]);
static CUSTOM_CALL: Object =
    Object::new(&[&[field("id", Word), field("index", Number), field("custom", Shape::Object(&CUSTOM_INPUT))]]);
static CUSTOM_INPUT: Object = Object::new(&[&[field("name", Word), field("input", Text)]]);
