//! Tools that are offered, which of them is to be used, and what an answer must look like.
//!
//! Sources: `openai-python` `types/shared_params/*`, `types/chat/chat_completion_tool_*_param.py`; llama.cpp and TGI for
//! the response formats they add.

use super::super::shape::Shape::{As, Bool, Free, List, OneOf, Text, ToolName, Word};
use super::super::shape::{Object, Shape, Tagged, field};
use super::sampling::SCHEMA;
use crate::query::Role;

/// A tool that is offered.
pub(super) const TOOL: Shape = As(Role::ToolDefinition, &Shape::Tagged(&TOOL_KINDS));
static TOOL_KINDS: Tagged = Tagged {
    key: "type",
    cases: &[("function", Shape::Object(&FUNCTION_TOOL)), ("custom", Shape::Object(&CUSTOM_TOOL))],
    absent: Some(Shape::Object(&FUNCTION_TOOL)),
};
static FUNCTION_TOOL: Object =
    Object::new(&[&[field("function", Shape::Object(&FUNCTION)), field("cache_control", Free)]]);
/// A function by name, description and schema.
pub(super) static FUNCTION: Object = Object::new(&[&[
    field("name", ToolName),
    field("description", Text),
    field("parameters", Free),
    field("arguments", Free),
    field("strict", Bool),
]]);
static CUSTOM_TOOL: Object = Object::new(&[&[field("custom", Shape::Object(&CUSTOM))]]);
static CUSTOM: Object = Object::new(&[&[field("name", ToolName), field("description", Text), field("format", Free)]]);

/// Which tool is to be used.
pub(super) const TOOL_CHOICE: Shape = OneOf(&[Word, As(Role::ToolDefinition, &Shape::Tagged(&CHOICE_KINDS))]);
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
/// A tool by name.
pub(super) static NAMED: Object = Object::new(&[&[field("name", Word)]]);
static ALLOWED_CHOICE: Object = Object::new(&[&[field("allowed_tools", Shape::Object(&ALLOWED))]]);
static ALLOWED: Object = Object::new(&[&[field("mode", Word), field("tools", List(&Free))]]);

/// What an answer must look like.
pub(super) const RESPONSE_FORMAT: Shape = As(Role::ToolDefinition, &Shape::Tagged(&FORMAT_KINDS));
static FORMAT_KINDS: Tagged = Tagged {
    key: "type",
    cases: &[
        ("text", Shape::Object(&PLAIN_FORMAT)),
        ("json_object", Shape::Object(&PLAIN_FORMAT)),
        ("json_schema", Shape::Object(&SCHEMA_FORMAT)),
        ("structural_tag", Shape::Object(&TAG_FORMAT)),
        // TGI
        ("json", Shape::Object(&VALUE_FORMAT)),
        ("regex", Shape::Object(&REGEX_FORMAT)),
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
static REGEX_FORMAT: Object = Object::new(&[&[field("value", Text)]]);
static VALUE_FORMAT: Object = Object::new(&[&[field("value", SCHEMA)]]);
