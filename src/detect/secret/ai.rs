//! Keys of model providers and their tools.
//!
//! Facts from the issuers' documentation. Rows only.

use super::super::check::random;
use super::{Detector, KEY, assigned, key};

/// The detectors of this theme.
pub(in super::super) static TABLE: &[Detector] = &[
    key(
        "openai-key",
        "An API key of OpenAI.",
        r"(?-u:\b)sk-(?:proj|svcacct|admin|service)-[A-Za-z0-9_-]{20,250}|(?-u:\b)sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}|(?-u:\b)sk-[A-Za-z0-9]{48}(?-u:\b)",
        &["sk-"],
    ),
    key(
        "anthropic-key",
        "An API key or token of Anthropic.",
        r"sk-ant-[a-z]{3,8}[0-9]{2}-[A-Za-z0-9_-]{32,160}",
        &["sk-ant-"],
    ),
    key(
        "huggingface-token",
        "A token of Hugging Face.",
        r"(?-u:\b)hf_[A-Za-z0-9]{34,40}|api_org_[A-Za-z0-9]{34}",
        &["hf_", "api_org_"],
    ),
    key("replicate-token", "A token of Replicate.", r"(?-u:\b)r8_[A-Za-z0-9]{37}(?-u:\b)", &["r8_"]),
    key("groq-key", "An API key of Groq.", r"gsk_[A-Za-z0-9]{48,56}", &["gsk_"]),
    key("xai-key", "An API key of xAI.", r"(?-u:\b)xai-[A-Za-z0-9]{70,90}", &["xai-"]),
    key("perplexity-key", "An API key of Perplexity.", r"pplx-[A-Za-z0-9]{40,60}", &["pplx-"]),
    key("openrouter-key", "An API key of OpenRouter.", r"sk-or-v1-[a-f0-9]{64}", &["sk-or-v1-"]),
    key("deepseek-key", "An API key of DeepSeek.", r"(?-u:\b)sk-[a-f0-9]{32}(?-u:\b)", &["sk-"]),
    Detector::new(
        "cohere-key",
        KEY,
        "An API key of Cohere, after its name.",
        assigned!("cohere|co_api_key", "[A-Za-z0-9]{40}"),
        random,
    )
    .with(&["cohere", "co_api_key"]),
    Detector::new(
        "mistral-key",
        KEY,
        "An API key of Mistral, after its name.",
        assigned!("mistral", "[A-Za-z0-9]{32}"),
        random,
    )
    .with(&["mistral"]),
    key("together-key", "An API key of Together.", r"tgp_v1_[A-Za-z0-9_-]{43}", &["tgp_v1_"]),
    key("fireworks-key", "An API key of Fireworks.", r"(?-u:\b)fw_[A-Za-z0-9]{22,24}(?-u:\b)", &["fw_"]),
    key("nvidia-key", "An API key of NVIDIA.", r"nvapi-[A-Za-z0-9_-]{60,70}", &["nvapi-"]),
    key("cerebras-key", "An API key of Cerebras.", r"(?-u:\b)csk-[a-z0-9]{48}(?-u:\b)", &["csk-"]),
    key("elevenlabs-key", "An API key of ElevenLabs.", r"(?-u:\b)sk_[a-f0-9]{48}(?-u:\b)", &["sk_"]),
    key("langsmith-key", "An API key of LangSmith.", r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}", &["lsv2_"]),
    key(
        "langfuse-key",
        "A secret key of Langfuse.",
        r"sk-lf-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        &["sk-lf-"],
    ),
    Detector::new(
        "wandb-key",
        KEY,
        "An API key of Weights & Biases, after its name.",
        assigned!("wandb|wandb[_ -]?api", "[a-f0-9]{40}"),
        random,
    )
    .with(&["wandb"]),
    key("pinecone-key", "An API key of Pinecone.", r"pcsk_[A-Za-z0-9]{4,8}_[A-Za-z0-9]{60,70}", &["pcsk_"]),
    key("jina-key", "An API key of Jina.", r"jina_[a-f0-9]{32}[A-Za-z0-9_-]{28}", &["jina_"]),
    key("tavily-key", "An API key of Tavily.", r"tvly-(?:dev-|prod-)?[A-Za-z0-9]{32}", &["tvly-"]),
    key("databricks-token", "A token of Databricks.", r"(?-u:\b)dapi[a-f0-9]{32}(?:-[0-9])?(?-u:\b)", &["dapi"]),
    key("apify-token", "A token of Apify.", r"apify_api_[A-Za-z0-9]{36}", &["apify_api_"]),
];
