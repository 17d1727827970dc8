//! The finished query: parts, gaps and the bytes they came from. Only the builder fills it; it never changes then.

use bytes::Bytes;

use super::path::Paths;
use super::{Gap, Operation, Origin, Part, PartId, PartKind, Piece, Place};

/// The canonical query.
#[derive(Clone)]
pub struct Query {
    pub(super) body: Bytes,
    pub(super) arena: String,
    pub(super) paths: Paths,
    pub(super) parts: Vec<Part>,
    pub(super) gaps: Vec<Gap>,
    /// What kind of work is asked.
    pub operation: Operation,
    /// The model the caller named, as written; `None` when the body names none.
    pub model: Option<String>,
    /// The adapter the caller named, as written.
    pub adapter: Option<String>,
    /// Whether the answer is to be streamed, the format's default applied.
    pub stream: bool,
    /// Names of the tools offered to the model, in order.
    pub tools: Vec<String>,
    /// The most tokens the caller wants generated.
    pub tokens_max: Option<u64>,
    /// How many answers are asked for.
    pub choices: u64,
}

impl Query {
    /// The bytes that were decoded and judged.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// All parts in document order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// A part by id.
    #[must_use]
    pub fn part(&self, id: PartId) -> Option<&Part> {
        self.parts.get(id.index())
    }

    /// Everything in the body that was not understood.
    #[must_use]
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// The text of a part, escapes resolved.
    #[must_use]
    pub fn text(&self, part: &Part) -> &str {
        self.kept(part.piece)
    }

    fn kept(&self, piece: Piece) -> &str {
        match piece {
            // The body was checked to be UTF-8 as a whole; a span that cut a character would read as empty, and
            // the property `every_part_reads_back` holds decoders to that never happening.
            Piece::Body(span) => {
                self.body.get(span.range()).and_then(|b| simdutf8::basic::from_utf8(b).ok()).unwrap_or_default()
            }
            Piece::Arena(span) => self.arena.get(span.range()).unwrap_or_default(),
        }
    }

    /// A place as people write it, `messages[2].content[0].text`.
    #[must_use]
    pub fn place(&self, place: Place) -> String {
        self.paths.show(place, |piece| self.kept(piece))
    }

    /// The place of a part as records and alerts have it: of a key that was found to hold something, the object it is in,
    /// because the key itself is what was found.
    #[must_use]
    pub fn place_of(&self, part: &Part) -> String {
        match part.kind {
            PartKind::Key => format!("{} (key)", self.place(self.paths.above(part.place))),
            PartKind::Text | PartKind::Word | PartKind::Number => self.place(part.place),
        }
    }

    /// Bytes of text in all parts but those inside nested JSON, which would count twice.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.parts.iter().filter(|p| matches!(p.origin, Origin::Body(_))).map(|p| p.piece.span().len()).sum()
    }

    /// A rough number of tokens: four bytes a token, rounded up. Good to a factor of two for prose.
    #[must_use]
    pub fn tokens_estimate(&self) -> u64 {
        self.text_bytes().div_ceil(4) as u64
    }
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Query")
            .field("operation", &self.operation)
            .field("bytes", &self.body.len())
            .field("parts", &self.parts.len())
            .field("gaps", &self.gaps.len())
            .finish_non_exhaustive()
    }
}
