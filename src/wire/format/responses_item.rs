//! Items of the responses format: messages, calls of tools and what they returned, reasoning.
//!
//! Sources: `openai-python` `types/responses/response_input_item_param.py` and the item types beside it.

use super::super::shape::Shape::{As, Bool, Both, Encoded, Free, Gap, List, Media, OneOf, Opaque, Text, Word};
use super::super::shape::{Field, Message, Object, Shape, Tagged, field};
use super::openai_message::{PART, ROLES};
use super::sampling::FILE;
use crate::query::GapKind::{self, State};
use crate::query::Role;

/// One item. Without a type it is a message.
pub(super) const ITEM: Shape = Shape::Tagged(&Tagged {
    key: "type",
    cases: &[
        ("message", Shape::Message(&MESSAGE)),
        ("function_call", As(Role::Assistant, &Shape::Object(&CALL))),
        ("function_call_output", As(Role::Tool, &Shape::Object(&OUTPUT))),
        ("custom_tool_call", As(Role::Assistant, &Shape::Object(&CUSTOM_CALL))),
        ("custom_tool_call_output", As(Role::Tool, &Shape::Object(&OUTPUT))),
        ("reasoning", As(Role::Assistant, &Shape::Object(&REASONING))),
        ("item_reference", Gap(State)),
        ("compaction", As(Role::Assistant, &Shape::Object(&COMPACTION))),
        ("compaction_trigger", Gap(State)),
        ("computer_call", As(Role::Assistant, &Shape::Object(&ACTION_CALL))),
        ("computer_call_output", As(Role::Tool, &Shape::Object(&SCREENSHOT_OUTPUT))),
        ("file_search_call", As(Role::Tool, &Shape::Object(&FILE_SEARCH))),
        ("web_search_call", As(Role::Assistant, &Shape::Object(&ACTION_CALL))),
        ("code_interpreter_call", As(Role::Assistant, &Shape::Object(&INTERPRETER))),
        ("image_generation_call", As(Role::Assistant, &Shape::Object(&IMAGE_CALL))),
        ("local_shell_call", As(Role::Assistant, &Shape::Object(&ACTION_CALL))),
        ("local_shell_call_output", As(Role::Tool, &Shape::Object(&OUTPUT))),
        ("shell_call", As(Role::Assistant, &Shape::Object(&ACTION_CALL))),
        ("shell_call_output", As(Role::Tool, &Shape::Object(&SHELL_OUTPUT))),
        ("apply_patch_call", As(Role::Assistant, &Shape::Object(&ACTION_CALL))),
        ("apply_patch_call_output", As(Role::Tool, &Shape::Object(&OUTPUT))),
        ("mcp_list_tools", As(Role::ToolDefinition, &Shape::Object(&MCP_TOOLS))),
        ("mcp_approval_request", As(Role::Assistant, &Shape::Object(&MCP_CALL))),
        ("mcp_approval_response", Shape::Object(&MCP_APPROVAL)),
        ("mcp_call", As(Role::Assistant, &Shape::Object(&MCP_CALL))),
        ("tool_search_call", As(Role::Assistant, &Free)),
        ("tool_search_output", As(Role::ToolDefinition, &Free)),
    ],
    absent: Some(Shape::Message(&MESSAGE)),
});

static MESSAGE: Message = Message { roles: ROLES, absent: None, object: &MESSAGE_FIELDS };
static MESSAGE_FIELDS: Object =
    Object::new(&[&[field("content", CONTENT), field("phase", Word), field("name", Text)], STANDING]);

/// What items carry about themselves.
static STANDING: &[Field] =
    &[field("id", Word), field("status", Word), field("call_id", Word), field("agent", Free), field("caller", Free)];

const CONTENT: Shape = OneOf(&[Text, List(&OneOf(&[Text, Shape::Tagged(&CONTENT_PART)]))]);
static CONTENT_PART: Tagged = Tagged {
    key: "type",
    cases: &[
        ("input_text", Shape::Object(&TEXT_PART)),
        ("output_text", Shape::Object(&TEXT_PART)),
        ("text", Shape::Object(&TEXT_PART)),
        ("summary_text", Shape::Object(&TEXT_PART)),
        ("reasoning_text", Shape::Object(&TEXT_PART)),
        ("refusal", Shape::Object(&REFUSAL_PART)),
        ("input_image", Shape::Object(&IMAGE_PART)),
        ("computer_screenshot", Shape::Object(&IMAGE_PART)),
        ("input_file", Shape::Object(&FILE_PART)),
        ("input_audio", Shape::Object(&AUDIO_PART)),
        ("image_url", Shape::Tagged(&PART)),
        ("encrypted_content", Gap(State)),
    ],
    absent: None,
};
static TEXT_PART: Object = Object::new(&[&[
    field("text", Text),
    field("annotations", Free),
    field("logprobs", Free),
    field("prompt_cache_breakpoint", Free),
]]);
static REFUSAL_PART: Object = Object::new(&[&[field("refusal", Text)]]);
static IMAGE_PART: Object = Object::new(&[&[
    field("image_url", Media(GapKind::Image)),
    field("file_id", Both(State, &Word)),
    field("detail", Word),
    field("prompt_cache_breakpoint", Free),
]]);
static FILE_PART: Object = Object::new(&[&[
    field("file_data", FILE),
    field("file_url", Media(GapKind::File)),
    field("file_id", Both(State, &Word)),
    field("filename", Text),
    field("detail", Word),
    field("prompt_cache_breakpoint", Free),
]]);
static AUDIO_PART: Object = Object::new(&[&[field("input_audio", Shape::Object(&AUDIO))]]);
static AUDIO: Object = Object::new(&[&[field("data", Opaque(GapKind::Audio)), field("format", Word)]]);

static CALL: Object = Object::new(&[
    &[
        field("name", Word),
        field("namespace", Word),
        field("arguments", OneOf(&[Encoded, Free])),
        field("parsed_arguments", Free),
    ],
    STANDING,
]);
static CUSTOM_CALL: Object =
    Object::new(&[&[field("name", Word), field("namespace", Word), field("input", Text)], STANDING]);
static OUTPUT: Object = Object::new(&[&[field("output", CONTENT), field("name", Text)], STANDING]);

static REASONING: Object = Object::new(&[
    &[field("summary", CONTENT), field("content", CONTENT), field("encrypted_content", Opaque(State))],
    STANDING,
]);
static COMPACTION: Object = Object::new(&[&[field("encrypted_content", Opaque(State))], STANDING]);

static ACTION_CALL: Object = Object::new(&[
    &[
        field("action", Free),
        field("actions", Free),
        field("operation", Free),
        field("environment", Free),
        field("pending_safety_checks", Free),
        field("max_output_length", Shape::Number),
        field("created_by", Word),
    ],
    STANDING,
]);
static SCREENSHOT_OUTPUT: Object = Object::new(&[
    &[field("output", Shape::Tagged(&CONTENT_PART)), field("acknowledged_safety_checks", Free)],
    STANDING,
]);
static SHELL_OUTPUT: Object =
    Object::new(&[&[field("output", Free), field("max_output_length", Shape::Number)], STANDING]);
static FILE_SEARCH: Object = Object::new(&[&[field("queries", List(&Text)), field("results", Free)], STANDING]);
static INTERPRETER: Object = Object::new(&[
    &[field("code", Text), field("container_id", Both(State, &Word)), field("outputs", List(&Shape::Tagged(&RESULT)))],
    STANDING,
]);
static RESULT: Tagged = Tagged {
    key: "type",
    cases: &[("logs", Shape::Object(&LOGS)), ("image", Shape::Object(&IMAGE_RESULT))],
    absent: None,
};
static LOGS: Object = Object::new(&[&[field("logs", Text)]]);
static IMAGE_RESULT: Object = Object::new(&[&[field("url", Media(GapKind::Image))]]);
static IMAGE_CALL: Object = Object::new(&[
    &[
        field("result", Opaque(GapKind::Image)),
        field("revised_prompt", Text),
        field("action", Word),
        field("background", Word),
        field("output_format", Word),
        field("quality", Word),
        field("size", Word),
    ],
    STANDING,
]);

static MCP_TOOLS: Object =
    Object::new(&[&[field("server_label", Text), field("tools", Free), field("error", Free)], STANDING]);
static MCP_CALL: Object = Object::new(&[
    &[
        field("server_label", Word),
        field("name", Word),
        field("arguments", OneOf(&[Encoded, Free])),
        field("output", As(Role::Tool, &Text)),
        field("error", As(Role::Tool, &Free)),
        field("approval_request_id", Word),
    ],
    STANDING,
]);
/// Consent given on the caller's side; the gate's own approvals are another matter.
static MCP_APPROVAL: Object =
    Object::new(&[&[field("approval_request_id", Word), field("approve", Bool), field("reason", Text)], STANDING]);
