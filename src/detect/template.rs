//! Control tokens of chat templates written inside content: they end a message and begin another in a role of the
//! writer's choosing, for models that do not keep them apart.
//!
//! Facts from the published templates of the model families.

use super::Detector;
use super::check::always;

/// The detectors of this theme.
pub(super) static TABLE: &[Detector] = &[Detector::new(
    "template-tokens",
    "CONTROL_TOKEN",
    "Control tokens of chat templates inside text, such as `<|im_start|>` or `[INST]`.",
    concat!(
        r"<\|[A-Za-z][A-Za-z0-9_]{1,40}\|>", // ChatML, Llama 3, Phi, GPT, Qwen, Command-R, GLM, harmony
        r"|<\x{ff5c}[A-Za-z](?:[A-Za-z0-9_]|\x{2581}){1,40}\x{ff5c}>", // DeepSeek, full width bars
        r"|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|IMG|THINK)\]", // Mistral
        r"|<</?SYS>>",                       // Llama 2
        r"|</?s>|<[be]os>|<pad>|<unk>",      // Llama, Mistral, Gemma
        r"|<(?:start|end)_of_(?:turn|image|role|text)>|<end_of_utterance>", // Gemma, Granite, Idefics
        r"|</?(?:tool_call|tool_response|function_call|function_calls|tool_calls|think|TOOLCALL)>", // Hermes, Qwen
        r"|<(?:extra_id_[01]|reserved_[0-9]{1,3})>", // Nemotron
    ),
    always,
)
.with(&[
    "<|",
    "\u{ff5c}>",
    "INST]",
    "SYSTEM_PROMPT]",
    "AVAILABLE_TOOLS]",
    "TOOL_",
    "[IMG]",
    "[/IMG]",
    "THINK]",
    "SYS>>",
    "<s>",
    "</s>",
    "<bos>",
    "<eos>",
    "<pad>",
    "<unk>",
    "_of_",
    "tool_",
    "function_call",
    "<think>",
    "</think>",
    "TOOLCALL>",
    "<extra_id_",
    "<reserved_",
])];
