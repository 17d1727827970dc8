//! Why a body is not a query. Messages name the place and the rule that was broken, never the text.

/// A body that is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not UTF-8.
    #[error("the body is not valid UTF-8 at byte {at}")]
    Utf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// Not JSON, or not strict JSON.
    #[error("the body is not strict JSON at byte {at}: {why}")]
    Json {
        /// Offset.
        at: usize,
        /// What was expected, in the grammar's words.
        why: &'static str,
    },
    /// The same key twice in one object.
    #[error("duplicate key in `{place}` at byte {at}")]
    DuplicateKey {
        /// The object.
        place: String,
        /// Offset of the second key.
        at: usize,
    },
    /// A key that some parsers would take for a known one.
    #[error("key at byte {at} in `{place}` is a spelling variant of `{known}`")]
    VariantKey {
        /// The object.
        place: String,
        /// Offset of the key.
        at: usize,
        /// The key it would be taken for.
        known: &'static str,
    },
    /// A limit of `base::limits`.
    #[error("the body exceeds the limit of {limit} {what}")]
    Limit {
        /// What is limited.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The body cannot be one of this format at all.
    #[error("`{place}`: expected {expected}")]
    Shape {
        /// Where.
        place: String,
        /// What the format wants there.
        expected: &'static str,
    },
}
