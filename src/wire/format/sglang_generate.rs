//! `POST|PUT /generate` of SGLang.
//!
//! Sources: SGLang `managers/io_struct.py` (GenerateReqInput), `sampling/sampling_params.py`.

use super::super::shape::Shape::{
    Adapter, As, Bool, Both, Choices, Encoded, Gap, GapUnlessEmpty, GapWhenFalse, GapWhenTrue, List, Media, Null,
    Number, Object as Obj, OneOf, Opaque, Text, TokensMax, Word,
};
use super::super::shape::{Description, Field, Object, Shape, Stream, field};
use super::sampling::{NUMBERS, TEXTS, WORDS};
use crate::query::GapKind::{Audio, Code, Embeddings, Image, Remote, State, Steering, Template, TokenIds, Video};
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Completion, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[
    INPUT,
    ROUTING,
    &[
        field("text", As(Role::User, &TEXTS)),
        field("stream", Shape::Stream),
        field("sampling_params", OneOf(&[Obj(&SAMPLING), List(&Obj(&SAMPLING))])),
        field("return_logprob", PER_PROMPT_BOOL),
        field("logprob_start_len", PER_PROMPT_NUMBER),
        field("top_logprobs_num", PER_PROMPT_NUMBER),
        field("token_ids_logprob", OneOf(&[Number, List(&PER_PROMPT_NUMBER)])),
        field("return_text_in_logprobs", Bool),
        field("return_hidden_states", OneOf(&[Bool, Word, List(&OneOf(&[Bool, Word]))])),
        field("return_routed_experts", Bool),
        field("return_prompt_token_ids", Bool),
        field("return_entropy", Bool),
        field("return_bytes", Bool),
        field("require_reasoning", Bool),
        field("max_thinking_tokens", Number),
        field("custom_logit_processor", Gap(Code)),
    ],
]);

/// Every way but `text` to say something.
pub(super) static INPUT: &[Field] = &[
    field("input_ids", Opaque(TokenIds)),
    field("input_embeds", Opaque(Embeddings)),
    field("positional_embed_overrides", Opaque(Embeddings)),
    field("image_data", As(Role::User, &IMAGES)),
    field("video_data", As(Role::User, &VIDEOS)),
    field("audio_data", As(Role::User, &AUDIOS)),
    field("modalities", WORDS),
    field("max_dynamic_patch", Number),
    field("min_dynamic_patch", Number),
    field("video_config", Gap(Template)),
    field("images_config", Gap(Template)),
];
// A file name, a URL, base64, or an object of these; one, some, or some for each prompt.
static IMAGES: Shape = OneOf(&[Media(Image), List(&OneOf(&[Media(Image), List(&IMAGE), Gap(Image)])), Gap(Image)]);
static IMAGE: Shape = OneOf(&[Media(Image), Gap(Image)]);
static VIDEOS: Shape = OneOf(&[Media(Video), List(&OneOf(&[Media(Video), List(&VIDEO), Gap(Video)])), Gap(Video)]);
static VIDEO: Shape = OneOf(&[Media(Video), Gap(Video)]);
static AUDIOS: Shape = OneOf(&[Media(Audio), List(&OneOf(&[Media(Audio), List(&AUDIO), Gap(Audio)])), Gap(Audio)]);
static AUDIO: Shape = OneOf(&[Media(Audio), Gap(Audio)]);

/// Who answers, with what memory, and what is written down of it.
pub(super) static ROUTING: &[Field] = &[
    field("model", Shape::Model),
    field("rid", OneOf(&[Both(Steering, &Word), List(&Both(Steering, &Word))])),
    field("session_id", Both(State, &Word)),
    field("session_params", Gap(State)),
    field("conversation_id", Both(State, &Word)),
    field("background", GapWhenTrue(State)),
    // One for all prompts, or one a prompt.
    field("lora_path", OneOf(&[Adapter, List(&OneOf(&[Adapter, Null]))])),
    field("lora_id", Gap(State)),
    field("bootstrap_host", Gap(Remote)),
    field("bootstrap_port", Gap(Remote)),
    field("bootstrap_room", Gap(State)),
    field("bootstrap_pair_key", Gap(State)),
    field("data_parallel_rank", Gap(Steering)),
    field("routed_dp_rank", Gap(Steering)),
    field("disagg_prefill_dp_rank", Gap(Steering)),
    field("routing_key", Gap(Steering)),
    field("extra_key", Gap(State)),
    field("cache_salt", Gap(State)),
    field("priority", Both(Steering, &Number)),
    field("log_metrics", GapWhenFalse(Steering)),
    field("no_logs", GapWhenTrue(Steering)),
];

const PER_PROMPT_BOOL: Shape = OneOf(&[Bool, List(&Bool)]);
const PER_PROMPT_NUMBER: Shape = OneOf(&[Number, NUMBERS]);

/// How to sample one prompt.
pub(super) static SAMPLING: Object = Object::new(&[&[
    field("max_new_tokens", TokensMax),
    field("min_new_tokens", Number),
    field("n", Choices),
    field("temperature", Number),
    field("top_p", Number),
    field("top_k", Number),
    field("min_p", Number),
    field("frequency_penalty", Number),
    field("presence_penalty", Number),
    field("repetition_penalty", Number),
    field("sampling_seed", Number),
    field("stop", TEXTS),
    field("stop_regex", TEXTS),
    field("stop_token_ids", NUMBERS),
    field("ignore_eos", Bool),
    field("skip_special_tokens", Bool),
    field("spaces_between_special_tokens", Bool),
    field("no_stop_trim", Bool),
    field("stream_interval", Number),
    field("json_schema", As(Role::ToolDefinition, &Encoded)),
    field("regex", As(Role::ToolDefinition, &Text)),
    field("ebnf", As(Role::ToolDefinition, &Text)),
    field("structural_tag", As(Role::ToolDefinition, &Encoded)),
    field("logit_bias", GapUnlessEmpty(Steering)),
    field("custom_params", Gap(Code)),
]]);
