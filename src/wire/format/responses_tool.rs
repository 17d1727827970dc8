//! Tools of the responses format. Those that the client runs are definitions like any other; those that the server would
//! run reach beyond the query and are gaps.
//!
//! Source: `openai-python` `types/responses/tool_param.py`.

use super::super::shape::Shape::{Bool, Free, Gap, List, Text, ToolName, Word};
use super::super::shape::{Field, Object, Shape, Tagged, field};
use super::sampling::WORDS;
use crate::query::GapKind::{Code, Remote};

/// One tool.
pub(super) static TOOL: Shape = Shape::Tagged(&KINDS);

static KINDS: Tagged = Tagged {
    key: "type",
    cases: &[
        ("function", Shape::Object(&FUNCTION)),
        ("custom", Shape::Object(&CUSTOM)),
        ("namespace", Shape::Object(&NAMESPACE)),
        ("tool_search", Free),
        ("computer", Free),
        ("computer_use_preview", Free),
        ("local_shell", Shape::Object(&PLAIN)),
        ("apply_patch", Shape::Object(&PLAIN)),
        ("shell", Shape::Object(&SHELL)),
        ("web_search", Gap(Remote)),
        ("web_search_2025_08_26", Gap(Remote)),
        ("web_search_preview", Gap(Remote)),
        ("web_search_preview_2025_03_11", Gap(Remote)),
        ("file_search", Gap(Remote)),
        ("mcp", Gap(Remote)),
        ("image_generation", Gap(Remote)),
        ("code_interpreter", Gap(Code)),
        ("programmatic_tool_calling", Gap(Code)),
    ],
    absent: None,
};

/// Who may call a tool, and when it is shown.
static CALLING: &[Field] = &[field("defer_loading", Bool), field("allowed_callers", WORDS)];

static FUNCTION: Object = Object::new(&[
    &[
        field("name", ToolName),
        field("description", Text),
        field("parameters", Free),
        field("output_schema", Free),
        field("strict", Bool),
    ],
    CALLING,
]);
static CUSTOM: Object =
    Object::new(&[&[field("name", ToolName), field("description", Text), field("format", Free)], CALLING]);
static NAMESPACE: Object =
    Object::new(&[&[field("name", Text), field("description", Text), field("tools", List(&TOOL))], CALLING]);
static PLAIN: Object = Object::new(&[CALLING]);
/// Where the server runs the commands is its matter; where the client does, nothing leaves the query.
static SHELL: Object = Object::new(&[&[field("environment", Shape::Tagged(&ENVIRONMENT))], CALLING]);
static ENVIRONMENT: Tagged = Tagged {
    key: "type",
    cases: &[("local", Shape::Object(&LOCAL)), ("container_auto", Gap(Code)), ("container_reference", Gap(Code))],
    absent: None,
};
static LOCAL: Object = Object::new(&[&[field("skills", Free), field("name", Word)]]);
