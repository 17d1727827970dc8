//! The wire formats the gate can read: their names, and one file each that writes down what stands where.

pub(in crate::wire) mod anthropic_count_tokens;
pub(in crate::wire) mod anthropic_messages;
pub(in crate::wire) mod kserve_infer;
pub(in crate::wire) mod kserve_predict;
pub(in crate::wire) mod llamacpp_completion;
pub(in crate::wire) mod llamacpp_embedding;
pub(in crate::wire) mod llamacpp_infill;
pub(in crate::wire) mod llamacpp_template;
pub(in crate::wire) mod llamacpp_tokenize;
pub(in crate::wire) mod ollama_chat;
pub(in crate::wire) mod ollama_embed;
pub(in crate::wire) mod ollama_generate;
pub(in crate::wire) mod openai_chat;
pub(in crate::wire) mod openai_completions;
pub(in crate::wire) mod openai_embeddings;
mod openai_message;
pub(in crate::wire) mod openai_moderations;
pub(in crate::wire) mod openai_responses;
mod openai_tools;
mod responses_item;
mod responses_tool;
mod sampling;
pub(in crate::wire) mod sglang_encode;
pub(in crate::wire) mod sglang_generate;
pub(in crate::wire) mod tgi_chat;
pub(in crate::wire) mod tgi_chat_tokenize;
pub(in crate::wire) mod tgi_completions;
pub(in crate::wire) mod tgi_generate;
pub(in crate::wire) mod tgi_tokenize;
pub(in crate::wire) mod triton_generate;
pub(in crate::wire) mod vllm_generate;
pub(in crate::wire) mod vllm_pooling;
pub(in crate::wire) mod vllm_rerank;
pub(in crate::wire) mod vllm_score;
pub(in crate::wire) mod vllm_tokenize;

/// A wire format: which description a body is read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `POST /v1/chat/completions`.
    OpenaiChat,
    /// `POST /v1/completions`.
    OpenaiCompletions,
    /// `POST /v1/responses`.
    OpenaiResponses,
    /// `POST /v1/embeddings`.
    OpenaiEmbeddings,
    /// `POST /v1/moderations`.
    OpenaiModerations,
    /// `POST /v1/messages`.
    AnthropicMessages,
    /// `POST /v1/messages/count_tokens`.
    AnthropicCountTokens,
    /// `POST /api/chat`.
    OllamaChat,
    /// `POST /api/generate`.
    OllamaGenerate,
    /// `POST /api/embed` and `/api/embeddings`.
    OllamaEmbed,
    /// `POST /completion` of llama.cpp.
    LlamacppCompletion,
    /// `POST /infill`.
    LlamacppInfill,
    /// `POST /embedding` of llama.cpp.
    LlamacppEmbedding,
    /// `POST /tokenize`, `/detokenize` of llama.cpp.
    LlamacppTokenize,
    /// `POST /apply-template` of llama.cpp.
    LlamacppTemplate,
    /// `POST /`, `/generate`, `/generate_stream` of TGI.
    TgiGenerate,
    /// `POST /v1/chat/completions` of TGI, which reads images out of texts.
    TgiChat,
    /// `POST /v1/completions` of TGI, likewise.
    TgiCompletions,
    /// `POST /invocations` of TGI: whichever of its three formats the body is.
    TgiInvocations,
    /// `POST /tokenize` and `/chat_tokenize` of TGI.
    TgiTokenize,
    /// `POST|PUT /generate` of SGLang.
    SglangGenerate,
    /// `POST /encode`, `/classify` of SGLang.
    SglangEncode,
    /// `POST /v2/models/{m}/infer`.
    KserveInfer,
    /// `POST /v1/models/{m}:predict`.
    KservePredict,
    /// `POST /v2/models/{m}/generate` of Triton.
    TritonGenerate,
    /// `POST /pooling` of vLLM (also `/classify`, `/v2/embed`).
    VllmPooling,
    /// `POST /score`.
    VllmScore,
    /// `POST /rerank`.
    VllmRerank,
    /// `POST /tokenize`, `/detokenize` of vLLM.
    VllmTokenize,
    /// `POST /inference/v1/generate` of vLLM: token ids.
    VllmGenerate,
    /// `POST /invocations` of vLLM: whichever of the server's formats the body is.
    Invocations,
}
