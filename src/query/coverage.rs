//! Coverage: what of a body the decoder did not understand or cannot judge, by name. Everything else is a part.

use super::Place;

/// Why something in a body cannot be judged as text. What happens then is the rule set's word; without one, Deny.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub enum GapKind {
    /// Text given as token ids.
    TokenIds,
    /// Text given as vectors, or tensors of a type that is not text.
    Embeddings,
    /// An image, inline.
    Image,
    /// Sound, inline.
    Audio,
    /// Video, inline.
    Video,
    /// A file, inline or by id.
    File,
    /// Something the server would fetch: a URL, a path of its file system.
    Remote,
    /// A field this format's description does not know.
    UnknownField,
    /// A known field with a value of a type its description does not know.
    UnknownType,
    /// A role outside the format's closed set.
    UnknownRole,
    /// What the server remembers under a name: earlier answers, sessions, slots, stored prompts, caches.
    State,
    /// A template or rule chosen by the client for how the prompt is put together.
    Template,
    /// A setting that suppresses or steers words, logs or caches past the policy: `logit_bias`, `no_logs`.
    Steering,
    /// Code or objects the server would load or run.
    Code,
    /// A limit was reached: what lies beyond was not looked at.
    Limit,
}

impl GapKind {
    /// The name used in policies and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokenIds => "TokenIds",
            Self::Embeddings => "Embeddings",
            Self::Image => "Image",
            Self::Audio => "Audio",
            Self::Video => "Video",
            Self::File => "File",
            Self::Remote => "Remote",
            Self::UnknownField => "UnknownField",
            Self::UnknownType => "UnknownType",
            Self::UnknownRole => "UnknownRole",
            Self::State => "State",
            Self::Template => "Template",
            Self::Steering => "Steering",
            Self::Code => "Code",
            Self::Limit => "Limit",
        }
    }
}

/// One place that cannot be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub kind: GapKind,
    /// Where.
    pub place: Place,
}
