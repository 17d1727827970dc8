//! What kinds of work are asked of models, by name.

/// What kind of work is asked of the model; `query.operation` in CEL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub enum Operation {
    /// Messages in, message out.
    Chat,
    /// Text in, continuation out.
    Completion,
    /// Text in, vectors out.
    Embedding,
    /// Text pairs or lists in, scores out.
    Rerank,
    /// Text in, labels or scores out.
    Classify,
    /// Text in, token ids or a count out; ids in, text out.
    Tokenize,
    /// Named tensors in, named tensors out.
    Infer,
}

impl Operation {
    /// The name used in CEL, records and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completion => "completion",
            Self::Embedding => "embedding",
            Self::Rerank => "rerank",
            Self::Classify => "classify",
            Self::Tokenize => "tokenize",
            Self::Infer => "infer",
        }
    }
}
