//! A part: one piece of text or data of a query, with its place and its role.

use std::ops::Range;

use super::Place;

/// A range of bytes; `u32` because there may be hundreds of thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span of these offsets, saturated; bodies are limited far below `u32::MAX`.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Self { start: u32::try_from(start).unwrap_or(u32::MAX), end: u32::try_from(end).unwrap_or(u32::MAX) }
    }

    /// As a range to slice with.
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Bytes in the span.
    #[must_use]
    pub const fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether the span holds nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// Names a part within its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartId(u32);

impl PartId {
    /// The id of the part at `index`.
    #[must_use]
    pub fn at(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The position among [`super::Query::parts`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Who speaks in a part, or what it is for. Rules may be scoped to roles; by default they look at all.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[repr(u8)]
pub enum Role {
    /// Instructions of the operator of the application: `system`, `developer`, `instructions`.
    System,
    /// The person, or the prompt of a plain completion.
    User,
    /// Earlier answers of the model, tool calls it made and their arguments, prefilled answers.
    Assistant,
    /// What tools returned.
    Tool,
    /// Names, descriptions and schemas of tools and of structured answers.
    ToolDefinition,
    /// Documents, passages and texts to embed, rank, score or classify.
    Document,
    /// Chat templates and whatever else decides how the prompt is put together.
    Template,
    /// Settings of the run: numbers, stop words, formats, ids, tags.
    Setting,
}

impl Role {
    /// All roles, in the order of their bits.
    pub const ALL: [Self; 8] = [
        Self::System,
        Self::User,
        Self::Assistant,
        Self::Tool,
        Self::ToolDefinition,
        Self::Document,
        Self::Template,
        Self::Setting,
    ];

    /// The name used in policies, CEL and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::User => "User",
            Self::Assistant => "Assistant",
            Self::Tool => "Tool",
            Self::ToolDefinition => "ToolDefinition",
            Self::Document => "Document",
            Self::Template => "Template",
            Self::Setting => "Setting",
        }
    }
}

/// A set of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleSet(u8);

impl RoleSet {
    /// Every role: the default scope of a rule.
    pub const ALL: Self = Self(u8::MAX);

    /// The roles given; all of them when none is.
    #[must_use]
    pub fn of(roles: &[Role]) -> Self {
        if roles.is_empty() {
            return Self::ALL;
        }
        Self(roles.iter().fold(0, |bits, role| bits | 1 << *role as u8))
    }

    /// Whether `role` is in the set.
    #[must_use]
    pub const fn holds(self, role: Role) -> bool {
        self.0 & (1 << role as u8) != 0
    }
}

/// What sort of leaf a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartKind {
    /// A string value: free text that the model may read. Redactable.
    Text,
    /// A key of a free-form object (tool arguments, schema properties). Redactable.
    Key,
    /// A number, as it is spelled. Judged, never redacted: a redaction that matches here refuses.
    Number,
    /// A string with meaning to the server (model names, ids, tags, formats). Judged, never redacted.
    Word,
}

/// Where the text of a part is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// In the body itself: the leaf has no escapes.
    Body(Span),
    /// In the query's arena: escapes were resolved.
    Arena(Span),
}

impl Piece {
    /// The span, wherever it is.
    #[must_use]
    pub const fn span(self) -> Span {
        match self {
            Self::Body(span) | Self::Arena(span) => span,
        }
    }
}

/// Which bytes a part's text was read from, for redaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The raw leaf in the body, quotes left out.
    Body(Span),
    /// The raw leaf inside the text of another part that holds JSON, quotes left out.
    Nested {
        /// The part whose text is JSON.
        outer: PartId,
        /// The raw leaf within that text.
        raw: Span,
    },
}

/// One leaf of the body.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Where it stands.
    pub place: Place,
    /// Who speaks.
    pub role: Role,
    /// What sort of leaf it is.
    pub kind: PartKind,
    /// Where its text is kept.
    pub piece: Piece,
    /// Which bytes it came from.
    pub origin: Origin,
}
