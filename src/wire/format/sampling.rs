//! Fields that the routes of OpenAI-compatible servers share: how to sample, how to answer, and what servers add.
//!
//! Sources: OpenAI's API reference for chat and completions; vLLM `entrypoints/openai/*/protocol.py`; SGLang
//! `entrypoints/openai/protocol.py`; llama.cpp `tools/server/README.md`; TGI `router/src/lib.rs`.

use super::super::shape::Shape::{
    Adapter, Bool, Both, Choices, Encoded, Free, Gap, GapUnlessEmpty, GapWhenTrue, List, Model, Null, Number, OneOf,
    Opaque, Stream, Text, TokensMax, Word,
};
use super::super::shape::{Field, Object, Shape, field};
use crate::query::GapKind::{Code, Remote, State, Steering, Template};
use crate::query::Role;

/// A list of ids, tags or options.
pub(super) const WORDS: Shape = List(&Word);
/// A list of numbers.
pub(super) const NUMBERS: Shape = List(&Number);
/// One text or several.
pub(super) const TEXTS: Shape = OneOf(&[Text, List(&Text)]);
/// A JSON schema or the like, as an object or as JSON in a string: what an answer must look like.
pub(super) const SCHEMA: Shape = Shape::As(Role::ToolDefinition, &OneOf(&[Encoded, Free]));

static STREAM_OPTIONS: Object = Object::new(&[&[
    field("include_usage", Bool),
    field("continuous_usage_stats", Bool),
    field("include_obfuscation", Bool),
]]);

/// What every generating route takes.
pub(super) static COMMON: &[Field] = &[
    field("model", Model),
    field("stream", Stream),
    field("temperature", Number),
    field("max_tokens", TokensMax),
    field("top_p", Number),
    field("n", Choices),
    field("stop", TEXTS),
    field("seed", Number),
    field("user", Word),
    field("stream_options", Shape::Object(&STREAM_OPTIONS)),
    field("presence_penalty", Number),
    field("frequency_penalty", Number),
    field("logit_bias", GapUnlessEmpty(Steering)),
    field("logprobs", OneOf(&[Bool, Number])),
    field("metadata", Free),
    field("store", GapWhenTrue(State)),
    field("service_tier", Word),
];

static STRUCTURED_OUTPUTS: Object = Object::new(&[&[
    field("json", SCHEMA),
    field("regex", Text),
    field("choice", List(&Text)),
    field("grammar", Text),
    field("structural_tag", SCHEMA),
    field("json_object", Bool),
    field("disable_fallback", Bool),
    field("disable_any_whitespace", Bool),
    field("disable_additional_properties", Bool),
    field("whitespace_pattern", Text),
]]);

/// What vLLM adds to sampling.
pub(super) static VLLM: &[Field] = &[
    field("top_k", Number),
    field("min_p", Number),
    field("repetition_penalty", Number),
    field("length_penalty", Number),
    field("min_tokens", Number),
    field("use_beam_search", Bool),
    field("best_of", Choices),
    field("stop_token_ids", NUMBERS),
    field("include_stop_str_in_output", Bool),
    field("ignore_eos", Bool),
    field("skip_special_tokens", Bool),
    field("spaces_between_special_tokens", Bool),
    field("truncate_prompt_tokens", Number),
    field("truncation_side", Word),
    field("add_special_tokens", Bool),
    field("echo", Bool),
    field("return_tokens_as_token_ids", Bool),
    field("return_token_ids", Bool),
    field("return_prompt_text", Bool),
    field("structured_outputs", Shape::Object(&STRUCTURED_OUTPUTS)),
    field("guided_json", SCHEMA),
    field("guided_regex", Text),
    field("guided_choice", List(&Text)),
    field("guided_grammar", Text),
    field("guided_decoding_backend", Word),
    field("guided_whitespace_pattern", Text),
    field("structural_tag", SCHEMA),
    field("thinking_token_budget", Number),
    field("max_repetition_pattern_size", Number),
    field("min_repetition_pattern_size", Number),
    field("repetition_min_count", Number),
    field("prompt_logprobs", Both(Steering, &Number)),
    field("allowed_token_ids", GapUnlessEmpty(Steering)),
    field("bad_words", GapUnlessEmpty(Steering)),
    field("logits_processors", GapUnlessEmpty(Code)),
    field("priority", Both(Steering, &Number)),
    field("request_id", Both(Steering, &Word)),
    field("cache_salt", Both(State, &Word)),
    field("kv_transfer_params", GapUnlessEmpty(State)),
    field("ec_transfer_params", GapUnlessEmpty(State)),
    field("vllm_xargs", GapUnlessEmpty(Steering)),
    field("mm_processor_kwargs", GapUnlessEmpty(Template)),
];

/// What SGLang adds to sampling.
pub(super) static SGLANG: &[Field] = &[
    field("lora_path", OneOf(&[Adapter, List(&OneOf(&[Adapter, Null]))])),
    field("session_params", GapUnlessEmpty(State)),
    field("custom_logit_processor", Gap(Code)),
    field("custom_params", GapUnlessEmpty(Code)),
    field("regex", Text),
    field("ebnf", Text),
    field("stop_regex", TEXTS),
    field("no_stop_trim", Bool),
    field("return_hidden_states", Bool),
    field("return_routed_experts", Bool),
    field("return_cached_tokens_details", Bool),
    field("separate_reasoning", Bool),
    field("stream_reasoning", Bool),
    field("rid", Both(Steering, &Word)),
    field("extra_key", Both(State, &Word)),
    field("bootstrap_host", Both(Remote, &Text)),
    field("bootstrap_port", Both(Remote, &Number)),
    field("bootstrap_room", Both(State, &Number)),
    field("data_parallel_rank", Both(Steering, &Number)),
    field("no_logs", GapWhenTrue(Steering)),
];

/// What llama.cpp adds to sampling.
pub(super) static LLAMACPP: &[Field] = &[
    field("n_predict", TokensMax),
    field("typical_p", Number),
    field("repeat_penalty", Number),
    field("repeat_last_n", Number),
    field("min_keep", Number),
    field("n_probs", Number),
    field("n_keep", Number),
    field("n_discard", Number),
    field("n_indent", Number),
    field("mirostat", Number),
    field("mirostat_tau", Number),
    field("mirostat_eta", Number),
    field("dynatemp_range", Number),
    field("dynatemp_exponent", Number),
    field("xtc_probability", Number),
    field("xtc_threshold", Number),
    field("top_n_sigma", Number),
    field("dry_multiplier", Number),
    field("dry_base", Number),
    field("dry_allowed_length", Number),
    field("dry_penalty_last_n", Number),
    field("dry_sequence_breakers", List(&Text)),
    field("samplers", OneOf(&[Word, WORDS])),
    field("t_max_predict_ms", Number),
    field("cache_prompt", Bool),
    field("timings_per_token", Bool),
    field("return_tokens", Bool),
    field("return_progress", Bool),
    field("post_sampling_probs", Bool),
    field("response_fields", WORDS),
    field("reasoning_format", Word),
    field("thinking_forced_open", Bool),
    field("parse_tool_calls", Bool),
    field("grammar", Text),
    field("grammar_lazy", Bool),
    field("json_schema", SCHEMA),
    field("id_slot", Both(State, &Number)),
    // An empty list switches every adapter of the server off.
    field("lora", Gap(Code)),
];

/// Base64 or files as the value of a field.
pub(super) const FILE: Shape = Opaque(crate::query::GapKind::File);
