//! Builds a query leaf by leaf. Used by `wire` only; a finished [`Query`] never changes.

use bytes::Bytes;

use super::path::Paths;
use super::{Gap, GapKind, Operation, Origin, Part, PartId, PartKind, Piece, Place, Query, Role, Span};

/// A query in the making.
pub struct Builder {
    query: Query,
}

impl Builder {
    /// Starts with the bytes that will be judged; they must be valid UTF-8.
    #[must_use]
    pub fn new(body: Bytes, operation: Operation) -> Self {
        Self {
            query: Query {
                body,
                arena: String::new(),
                paths: Paths::new(),
                // What most queries have.
                parts: Vec::with_capacity(16),
                gaps: Vec::new(),
                operation,
                model: None,
                adapter: None,
                stream: false,
                tools: Vec::new(),
                tokens_max: None,
                choices: 1,
            },
        }
    }

    /// The query so far, to read texts and set its plain fields.
    pub const fn query(&mut self) -> &mut Query {
        &mut self.query
    }

    /// The place of a field known to the format.
    pub fn field(&mut self, parent: Place, name: &'static str) -> Place {
        self.query.paths.field(parent, name)
    }

    /// The place of a free key.
    pub fn key(&mut self, parent: Place, name: &str) -> Place {
        self.query.paths.key(parent, name)
    }

    /// The place of a free key whose text is kept already.
    pub fn key_at(&mut self, parent: Place, text: Piece) -> Place {
        self.query.paths.key_at(parent, text)
    }

    /// The place of a list element.
    pub fn index(&mut self, parent: Place, index: usize) -> Place {
        self.query.paths.index(parent, index)
    }

    /// The place of the JSON document inside the string at `parent`.
    pub fn nested(&mut self, parent: Place) -> Place {
        self.query.paths.nested(parent)
    }

    /// Keeps resolved text in the arena.
    pub fn intern(&mut self, text: &str) -> Piece {
        self.intern_with(|arena| arena.push_str(text))
    }

    /// Keeps what `write` appends to the arena.
    pub fn intern_with(&mut self, write: impl FnOnce(&mut String)) -> Piece {
        let start = self.query.arena.len();
        write(&mut self.query.arena);
        Piece::Arena(Span::new(start, self.query.arena.len()))
    }

    /// Adds a part.
    pub fn part(&mut self, place: Place, role: Role, kind: PartKind, piece: Piece, origin: Origin) -> PartId {
        let id = PartId::at(self.query.parts.len());
        self.query.parts.push(Part { place, role, kind, piece, origin });
        id
    }

    /// Names something that cannot be judged.
    pub fn gap(&mut self, kind: GapKind, place: Place) {
        self.query.gaps.push(Gap { kind, place });
    }

    /// Ends the query.
    #[must_use]
    pub fn finish(self) -> Query {
        self.query
    }
}
