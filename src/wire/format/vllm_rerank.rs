//! `POST /rerank` in the form of Jina and Cohere, as vLLM, SGLang, llama.cpp and KServe take it.
//!
//! Sources: vLLM `entrypoints/pooling/scoring/protocol.py` (RerankRequest); SGLang `entrypoints/openai/protocol.py`
//! (V1RerankReqInput); llama.cpp `tools/server/README.md` (POST /reranking); Jina's and Cohere's references.

use super::super::shape::Shape::{As, Bool, Number, Object as Obj, Text, Word};
use super::super::shape::{Description, Object, Stream, field, required};
use super::openai_embeddings::POOLING;
use super::sampling::{TEXTS, WORDS};
use super::vllm_score::INPUTS;
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Rerank, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[
    POOLING,
    &[
        required("query", As(Role::User, &INPUTS)),
        field("documents", As(Role::Document, &INPUTS)),
        // TEI's name for documents, which llama.cpp takes.
        field("texts", As(Role::Document, &TEXTS)),
        field("instruct", As(Role::System, &Text)),
        field("top_n", Number),
        field("top_k", Number),
        field("max_tokens_per_doc", Number),
        field("max_chunks_per_doc", Number),
        field("rank_fields", WORDS),
        field("encoding_format", Word),
        field("return_documents", Bool),
        field("return_text", Bool),
    ],
]);
