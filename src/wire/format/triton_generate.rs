//! `POST /v2/models/{model}/generate` and `generate_stream` of Triton.
//!
//! Any property is a tensor or a parameter of the model there, so the list is that of the TensorRT-LLM and vLLM backends
//! and everything else is unknown.
//!
//! Sources: Triton `docs/protocol/extension_generate.md`; the examples of `tensorrtllm_backend` and `vllm_backend`.

use super::super::shape::Shape::{
    Adapter, As, Bool, Choices, Encoded, Gap, GapUnlessEmpty, Number, Object as Obj, Opaque, TokensMax, Word,
};
use super::super::shape::{Description, Field, Object, Shape, Stream, field};
use super::sampling::{NUMBERS, TEXTS};
use crate::query::GapKind::{Embeddings, Image, State, Steering};
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Completion, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[
    SETTINGS,
    &[
        field("id", Word),
        field("text_input", As(Role::User, &TEXTS)),
        field("system_prompt", As(Role::System, &TEXTS)),
        field("image", Opaque(Image)),
        field("parameters", Obj(&PARAMETERS)),
        field("sampling_parameters", Encoded),
        field("exclude_input_in_output", Bool),
        field("prompt_embedding_table", Opaque(Embeddings)),
        field("prompt_vocab_size", Number),
        field("request_output_len", TokensMax),
    ],
]);

static PARAMETERS: Object = Object::new(&[
    SETTINGS,
    &[
        field("lora_name", Adapter),
        field("sequence_id", Gap(State)),
        field("sequence_start", Gap(State)),
        field("sequence_end", Gap(State)),
        field("priority", Gap(Steering)),
        field("timeout", Number),
    ],
]);

/// Settings stand beside the text or in `parameters`, by backend.
static SETTINGS: &[Field] = &[
    field("stream", Shape::Stream),
    field("max_tokens", TokensMax),
    field("min_tokens", Number),
    field("min_length", Number),
    field("n", Choices),
    field("beam_width", Number),
    field("num_return_sequences", Choices),
    field("temperature", Number),
    field("top_k", Number),
    field("top_p", Number),
    field("min_p", Number),
    field("seed", Number),
    field("random_seed", Number),
    field("length_penalty", Number),
    field("repetition_penalty", Number),
    field("presence_penalty", Number),
    field("frequency_penalty", Number),
    field("early_stopping", Bool),
    field("ignore_eos", Bool),
    field("end_id", Number),
    field("pad_id", Number),
    field("stop", TEXTS),
    field("stop_words", TEXTS),
    field("stop_token_ids", NUMBERS),
    field("bad_words", GapUnlessEmpty(Steering)),
    field("embedding_bias_words", GapUnlessEmpty(Steering)),
    field("embedding_bias_weights", GapUnlessEmpty(Steering)),
    field("return_log_probs", Bool),
    field("return_context_logits", Bool),
    field("return_generation_logits", Bool),
    field("return_finish_reason", Bool),
    field("return_num_input_tokens", Bool),
    field("return_num_output_tokens", Bool),
];
