//! `POST /v1/messages`: Anthropic's messages, as vLLM, SGLang, Ollama and llama.cpp read them too.
//!
//! Sources: Anthropic's API reference (messages, create) and the parameter types of its SDKs, beta ones included; vLLM
//! `entrypoints/anthropic/protocol.py`. vLLM takes the roles `ctx` and `msg` for the person's; they are unknown here.

use super::super::shape::Shape::{
    As, Bool, Both, Free, Gap, GapUnlessEmpty, List, Media, Model, Number, Object as Obj, OneOf, OneWordOf, Opaque,
    Tagged as Kinds, Text, TokensMax, ToolName, Word,
};
use super::super::shape::{Description, Field, Message, Object, Shape, Stream, Tagged, field, required};
use super::sampling::{FILE, TEXTS, WORDS};
use crate::query::GapKind::{self, Image, Remote, State, Template};
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Chat, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[PROMPT, SETTINGS]);

/// What is counted, and what is answered.
pub(super) static PROMPT: &[Field] = &[
    required("messages", List(&Shape::Message(&MESSAGE))),
    field("model", Model),
    field("system", As(Role::System, &OneOf(&[Text, List(&Kinds(&TEXT_BLOCKS))]))),
    field("tools", List(&As(Role::ToolDefinition, &Kinds(&TOOLS)))),
    field("tool_choice", Obj(&TOOL_CHOICE)),
    field("thinking", Obj(&THINKING)),
    field("output_config", Obj(&OUTPUT_CONFIG)),
    field("output_format", Obj(&OUTPUT_FORMAT)),
    field("cache_control", Obj(&CACHE)),
    field("mcp_servers", GapUnlessEmpty(Remote)),
    field("context_management", Gap(State)),
    field("speed", Word),
    // vLLM
    field("chat_template_kwargs", As(Role::Template, &Gap(Template))),
];

static SETTINGS: &[Field] = &[
    field("max_tokens", TokensMax),
    field("stream", Shape::Stream),
    field("temperature", Number),
    field("top_p", Number),
    field("top_k", Number),
    field("stop_sequences", TEXTS),
    field("metadata", Obj(&METADATA)),
    field("service_tier", Word),
    field("inference_geo", Word),
    field("container", Gap(State)),
    // vLLM
    field("kv_transfer_params", Gap(State)),
];

static METADATA: Object = Object::new(&[&[field("user_id", Word)]]);
static CACHE: Object = Object::new(&[&[field("type", Word), field("ttl", Word), field("scope", Word)]]);
/// Where a prefix is cached.
const CACHED: Field = field("cache_control", As(Role::Setting, &CACHE_CONTROL));
static CACHE_CONTROL: Shape = Obj(&CACHE);
static THINKING: Object = Object::new(&[&[
    field("type", OneWordOf(&["enabled", "disabled", "adaptive"])),
    field("budget_tokens", Number),
    field("display", Word),
]]);
static OUTPUT_CONFIG: Object =
    Object::new(&[&[field("effort", Word), field("format", Obj(&OUTPUT_FORMAT)), field("task_budget", Free)]]);
static OUTPUT_FORMAT: Object =
    Object::new(&[&[field("type", OneWordOf(&["json_schema"])), field("schema", As(Role::ToolDefinition, &Free))]]);
static TOOL_CHOICE: Object = Object::new(&[&[
    field("type", OneWordOf(&["auto", "any", "tool", "none"])),
    field("name", Word),
    field("disable_parallel_tool_use", Bool),
]]);

static MESSAGE: Message = Message {
    roles: &[("user", Role::User), ("assistant", Role::Assistant), ("system", Role::System)],
    absent: None,
    object: &MESSAGE_FIELDS,
};
static MESSAGE_FIELDS: Object = Object::new(&[&[required("content", OneOf(&CONTENT))]]);

static CONTENT: [Shape; 2] = [Text, List(&BLOCK)];
static BLOCK: Shape = Kinds(&BLOCKS);

static TEXT_BLOCKS: Tagged = Tagged { key: "type", cases: &[("text", Obj(&TEXT))], absent: None };

static BLOCKS: Tagged = Tagged {
    key: "type",
    cases: &[
        ("text", Obj(&TEXT)),
        ("image", Obj(&IMAGE)),
        ("document", As(Role::Document, &Obj(&DOCUMENT))),
        ("search_result", As(Role::Document, &Obj(&SEARCH_RESULT))),
        ("thinking", As(Role::Assistant, &Obj(&THOUGHT))),
        // Ciphertext that only its maker can read.
        ("redacted_thinking", As(Role::Assistant, &Obj(&REDACTED))),
        ("compaction", As(Role::Assistant, &Obj(&COMPACTION))),
        ("tool_use", As(Role::Assistant, &Obj(&TOOL_USE))),
        ("server_tool_use", As(Role::Assistant, &Obj(&TOOL_USE))),
        ("mcp_tool_use", As(Role::Assistant, &Obj(&TOOL_USE))),
        ("tool_result", As(Role::Tool, &Obj(&TOOL_RESULT))),
        ("mcp_tool_result", As(Role::Tool, &Obj(&TOOL_RESULT))),
        ("tool_reference", As(Role::Tool, &Obj(&TOOL_REFERENCE))),
        ("web_search_tool_result", As(Role::Tool, &Obj(&WEB_SEARCH_RESULT))),
        ("web_fetch_tool_result", As(Role::Tool, &Obj(&SERVER_RESULT))),
        ("code_execution_tool_result", As(Role::Tool, &Obj(&SERVER_RESULT))),
        ("bash_code_execution_tool_result", As(Role::Tool, &Obj(&SERVER_RESULT))),
        ("text_editor_code_execution_tool_result", As(Role::Tool, &Obj(&SERVER_RESULT))),
        ("tool_search_tool_result", As(Role::Tool, &Obj(&SERVER_RESULT))),
        ("container_upload", Both(GapKind::File, &Obj(&UPLOAD))),
    ],
    absent: None,
};

static TEXT: Object = Object::new(&[&[field("text", Text), field("citations", Free), CACHED]]);
static IMAGE: Object = Object::new(&[&[field("source", Kinds(&IMAGE_SOURCES)), CACHED]]);
static IMAGE_SOURCES: Tagged = Tagged {
    key: "type",
    cases: &[("base64", Obj(&IMAGE_DATA)), ("url", Obj(&IMAGE_URL)), ("file", Obj(&FILE_ID))],
    absent: None,
};
static IMAGE_DATA: Object = Object::new(&[&[field("media_type", Word), field("data", Opaque(Image))]]);
static IMAGE_URL: Object = Object::new(&[&[field("url", Media(Image))]]);
static FILE_ID: Object = Object::new(&[&[field("file_id", Both(State, &Word))]]);

static DOCUMENT: Object = Object::new(&[&[
    field("source", Kinds(&DOCUMENT_SOURCES)),
    field("title", Text),
    field("context", Text),
    field("citations", Obj(&CITATIONS)),
    CACHED,
]]);
static CITATIONS: Object = Object::new(&[&[field("enabled", Bool)]]);
static DOCUMENT_SOURCES: Tagged = Tagged {
    key: "type",
    cases: &[
        ("base64", Obj(&DOCUMENT_DATA)),
        ("text", Obj(&DOCUMENT_TEXT)),
        ("url", Obj(&DOCUMENT_URL)),
        ("content", Obj(&DOCUMENT_CONTENT)),
        ("file", Obj(&FILE_ID)),
    ],
    absent: None,
};
static DOCUMENT_DATA: Object = Object::new(&[&[field("media_type", Word), field("data", FILE)]]);
static DOCUMENT_TEXT: Object = Object::new(&[&[field("media_type", Word), field("data", Text)]]);
static DOCUMENT_URL: Object = Object::new(&[&[field("url", Media(GapKind::File))]]);
static DOCUMENT_CONTENT: Object = Object::new(&[&[field("content", OneOf(&CONTENT))]]);

static SEARCH_RESULT: Object = Object::new(&[&[
    field("source", Text),
    field("title", Text),
    field("content", List(&Kinds(&TEXT_BLOCKS))),
    field("citations", Obj(&CITATIONS)),
    CACHED,
]]);

static THOUGHT: Object = Object::new(&[&[field("thinking", Text), field("signature", Word), CACHED]]);
static REDACTED: Object = Object::new(&[&[field("data", Opaque(State))]]);
static COMPACTION: Object = Object::new(&[&[field("content", Text), CACHED]]);

static TOOL_USE: Object = Object::new(&[&[
    field("id", Word),
    field("name", Text),
    field("server_name", Word),
    field("input", Free),
    field("caller", Obj(&CALLER)),
    CACHED,
]]);
static CALLER: Object = Object::new(&[&[field("type", Word), field("tool_id", Word)]]);
static TOOL_RESULT: Object =
    Object::new(&[&[field("tool_use_id", Word), field("content", OneOf(&CONTENT)), field("is_error", Bool), CACHED]]);
static TOOL_REFERENCE: Object = Object::new(&[&[field("tool_name", Word), CACHED]]);
static SERVER_RESULT: Object =
    Object::new(&[&[field("tool_use_id", Word), field("content", Free), field("caller", Obj(&CALLER)), CACHED]]);
static WEB_SEARCH_RESULT: Object = Object::new(&[&[
    field("tool_use_id", Word),
    field("content", OneOf(&[List(&Kinds(&WEB_RESULTS)), Free])),
    field("caller", Obj(&CALLER)),
    CACHED,
]]);
static WEB_RESULTS: Tagged = Tagged { key: "type", cases: &[("web_search_result", Obj(&WEB_RESULT))], absent: None };
static WEB_RESULT: Object = Object::new(&[&[
    field("url", Text),
    field("title", Text),
    field("encrypted_content", Opaque(State)),
    field("page_age", Text),
]]);
static UPLOAD: Object = Object::new(&[&[field("file_id", Both(State, &Word)), CACHED]]);

/// Tools that the caller runs have no gap; those that the server runs reach out or run code.
static TOOLS: Tagged = Tagged {
    key: "type",
    cases: &[
        ("custom", Obj(&CUSTOM_TOOL)),
        ("bash_20241022", Obj(&BUILT_IN)),
        ("bash_20250124", Obj(&BUILT_IN)),
        ("text_editor_20241022", Obj(&BUILT_IN)),
        ("text_editor_20250124", Obj(&BUILT_IN)),
        ("text_editor_20250429", Obj(&BUILT_IN)),
        ("text_editor_20250728", Obj(&BUILT_IN)),
        ("computer_20241022", Obj(&BUILT_IN)),
        ("computer_20250124", Obj(&BUILT_IN)),
        ("computer_20251124", Obj(&BUILT_IN)),
        ("memory_20250818", Obj(&BUILT_IN)),
        ("tool_search_tool_bm25_20251119", Obj(&BUILT_IN)),
        ("tool_search_tool_regex_20251119", Obj(&BUILT_IN)),
        ("web_search_20250305", Both(Remote, &Obj(&BUILT_IN))),
        ("web_search_20260209", Both(Remote, &Obj(&BUILT_IN))),
        ("web_fetch_20250910", Both(Remote, &Obj(&BUILT_IN))),
        ("web_fetch_20260209", Both(Remote, &Obj(&BUILT_IN))),
        ("code_execution_20250522", Both(GapKind::Code, &Obj(&BUILT_IN))),
        ("code_execution_20250825", Both(GapKind::Code, &Obj(&BUILT_IN))),
        ("mcp_toolset", Gap(Remote)),
    ],
    absent: Some(Obj(&CUSTOM_TOOL)),
};
/// What every tool takes.
static TOOL: &[Field] = &[
    field("name", ToolName),
    field("strict", Bool),
    field("defer_loading", Bool),
    field("allowed_callers", WORDS),
    field("input_examples", Free),
    CACHED,
];
static CUSTOM_TOOL: Object = Object::new(&[
    TOOL,
    &[field("description", Text), field("input_schema", Free), field("eager_input_streaming", Bool)],
]);
static BUILT_IN: Object = Object::new(&[
    TOOL,
    &[
        field("display_width_px", Number),
        field("display_height_px", Number),
        field("display_number", Number),
        field("enable_zoom", Bool),
        field("max_characters", Number),
        field("max_uses", Number),
        field("max_content_tokens", Number),
        field("allowed_domains", WORDS),
        field("blocked_domains", WORDS),
        field("user_location", Free),
        field("citations", Obj(&CITATIONS)),
    ],
]);
