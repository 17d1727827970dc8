//! The interpreter: walks a tape by a shape and fills the query. Recursion is bounded by the depth of the tape.

use super::super::DecodeError;
use super::super::json::{At, Kind, Node, Tape, unescape};
use super::markdown::images;
use super::object::Tags;
use super::{Description, Shape, Stream};
use crate::base::limits::JSON_VALUES_MAX;
use crate::query::{Builder, GapKind, Origin, PartId, PartKind, Piece, Place, Role, Span};

/// Reads the body on the tape by its description.
pub(in crate::wire) fn walk(
    description: &Description,
    tape: &Tape<'_>,
    builder: &mut Builder,
) -> Result<(), DecodeError> {
    builder.query().stream = description.stream == Stream::On;
    let mut walk = Walk {
        tape,
        source: Source::Body,
        builder,
        markdown: Markdown::Plain,
        values_left: JSON_VALUES_MAX.saturating_sub(tape.len()),
    };
    let root = Spot { at: Tape::ROOT, place: Place::ROOT, role: Role::Setting };
    if !description.root.takes(tape.node(Tape::ROOT).kind) {
        return Err(DecodeError::Shape { place: "body".to_owned(), expected: "an object" });
    }
    walk.shape(&description.root, root)
}

/// A value and what is known of it from above.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) at: At,
    pub(super) place: Place,
    /// Who speaks.
    pub(super) role: Role,
}

/// What the tape was read from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// The body.
    Body,
    /// The text of a part, which is kept at `piece`; so deep in strings.
    Nested { outer: PartId, piece: Piece, depth: usize },
}

/// What `![](...)` in a text is to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Markdown {
    /// Text.
    Plain,
    /// Images.
    Images,
}

pub(super) struct Walk<'w, 'a> {
    pub(super) tape: &'w Tape<'a>,
    pub(super) source: Source,
    pub(super) builder: &'w mut Builder,
    /// What images in texts are to the server.
    pub(super) markdown: Markdown,
    /// How many more values nested documents may hold, all together.
    pub(super) values_left: usize,
}

type Walked = Result<(), DecodeError>;

impl Walk<'_, '_> {
    pub(super) fn shape(&mut self, shape: &Shape, spot: Spot) -> Walked {
        let node = self.tape.node(spot.at);
        if !shape.takes(node.kind) {
            self.strange(GapKind::UnknownType, spot);
            return Ok(());
        }
        match *shape {
            Shape::Object(object) => return self.object(object, Tags::default(), spot),
            Shape::Tagged(tagged) => return self.tagged(tagged, Tags::default(), spot),
            Shape::Message(message) => return self.message(message, Tags::default(), spot),
            Shape::List(element) => return self.list(element, spot),
            Shape::OneOf(shapes) => {
                if let Some(shape) = shapes.iter().find(|shape| shape.takes(node.kind)) {
                    return self.shape(shape, spot);
                }
            }
            Shape::Markdown(inner) => {
                let around = std::mem::replace(&mut self.markdown, Markdown::Images);
                let walked = self.shape(inner, spot);
                self.markdown = around;
                return walked;
            }
            Shape::As(role, inner) => return self.shape(inner, Spot { role, ..spot }),
            Shape::Both(kind, inner) => {
                self.builder.gap(kind, spot.place);
                return self.shape(inner, spot);
            }
            Shape::Gap(kind) => self.strange(kind, spot),
            Shape::GapUnlessEmpty(kind) if !self.is_empty(spot.at) => self.strange(kind, spot),
            Shape::Free | Shape::GapUnlessEmpty(_) => self.free(spot),
            Shape::Opaque(kind) => self.opaque(kind, spot),
            Shape::Encoded => self.encoded(spot),
            Shape::Media(kind) => self.media(kind, spot),
            Shape::GapWhenTrue(kind) => self.gap_when(node.kind == Kind::True, kind, spot),
            Shape::GapWhenFalse(kind) => self.gap_when(node.kind == Kind::False, kind, spot),
            Shape::Stream => self.builder.query().stream = node.kind == Kind::True,
            Shape::Text => self.leaf_of(PartKind::Text, spot),
            Shape::Word => self.leaf_of(PartKind::Word, spot),
            Shape::OneWordOf(words) => self.one_word_of(words, spot),
            Shape::Number => self.leaf_of(PartKind::Number, spot),
            Shape::Model | Shape::Adapter | Shape::ToolName => self.named(shape, spot),
            Shape::TokensMax | Shape::Choices => self.counted(shape, spot),
            Shape::Bool | Shape::Null => {}
        }
        Ok(())
    }

    /// A list; numbers that cannot be judged are one gap of the list, not one each.
    fn list(&mut self, element: &Shape, spot: Spot) -> Walked {
        let mut numbers_named = false;
        let tape = self.tape;
        for (index, at) in tape.children(spot.at).enumerate() {
            if tape.node(at).kind == Kind::Number
                && let Some(kind) = opaque_number(element)
            {
                if !numbers_named {
                    self.builder.gap(kind, spot.place);
                }
                numbers_named = true;
                continue;
            }
            let place = self.builder.index(spot.place, index);
            self.shape(element, Spot { at, place, role: spot.role })?;
        }
        Ok(())
    }

    /// A gap whose text is judged all the same.
    pub(super) fn strange(&mut self, kind: GapKind, spot: Spot) {
        self.builder.gap(kind, spot.place);
        self.free(spot);
    }

    /// Any JSON: every key, string and number is a part.
    pub(super) fn free(&mut self, spot: Spot) {
        let tape = self.tape;
        match tape.node(spot.at).kind {
            Kind::String if matches!(self.source, Source::Nested { .. }) => self.encoded(spot),
            Kind::String => self.leaf_of(PartKind::Text, spot),
            Kind::Number => self.leaf_of(PartKind::Number, spot),
            Kind::List => {
                for (index, at) in tape.children(spot.at).enumerate() {
                    if self.speaks(at) {
                        let place = self.builder.index(spot.place, index);
                        self.free(Spot { at, place, role: spot.role });
                    }
                }
            }
            Kind::Object => {
                for key in tape.children(spot.at) {
                    let place = self.free_key(key, spot);
                    self.free(Spot { at: key + 1, place, role: spot.role });
                }
            }
            Kind::Null | Kind::True | Kind::False | Kind::Key => {}
        }
    }

    /// Something that cannot be read, but strings and keys inside containers are judged.
    fn opaque(&mut self, kind: GapKind, spot: Spot) {
        self.gap_when(!self.is_empty(spot.at), kind, spot);
        self.strings_inside(spot);
    }

    fn strings_inside(&mut self, spot: Spot) {
        let tape = self.tape;
        let kind = tape.node(spot.at).kind;
        for (index, at) in tape.children(spot.at).enumerate() {
            match kind {
                Kind::Object => {
                    let place = self.free_key(at, spot);
                    self.free(Spot { at: at + 1, place, role: spot.role });
                }
                Kind::List if matches!(tape.node(at).kind, Kind::String | Kind::Object) => {
                    let place = self.builder.index(spot.place, index);
                    self.free(Spot { at, place, role: spot.role });
                }
                Kind::List if tape.node(at).kind == Kind::List => self.strings_inside(Spot { at, ..spot }),
                _ => {}
            }
        }
    }

    /// Whether a value is `""`, `[]` or `{}`.
    fn is_empty(&self, at: At) -> bool {
        let node = self.tape.node(at);
        match node.kind {
            Kind::String => node.start == node.end,
            Kind::List | Kind::Object => self.tape.children(at).next().is_none(),
            Kind::Null | Kind::True | Kind::False | Kind::Number | Kind::Key => false,
        }
    }

    /// Whether a value can carry text: booleans and nulls cannot.
    fn speaks(&self, at: At) -> bool {
        !matches!(self.tape.node(at).kind, Kind::Null | Kind::True | Kind::False)
    }

    /// A key that is text of the caller: a part, and the place of its value.
    pub(super) fn free_key(&mut self, key: At, spot: Spot) -> Place {
        let node = self.tape.node(key);
        let piece = self.piece(node);
        let place = self.builder.key_at(spot.place, piece);
        self.kept_leaf(node, piece, place, spot.role, PartKind::Key);
        place
    }

    fn leaf_of(&mut self, kind: PartKind, spot: Spot) {
        let node = self.tape.node(spot.at);
        self.leaf(node, spot.place, spot.role, kind);
    }

    /// Adds a part for a string, key or number.
    pub(super) fn leaf(&mut self, node: Node, place: Place, role: Role, kind: PartKind) -> (PartId, Piece) {
        let piece = self.piece(node);
        (self.kept_leaf(node, piece, place, role, kind), piece)
    }

    /// Adds a part whose text is kept at `piece`.
    fn kept_leaf(&mut self, node: Node, piece: Piece, place: Place, role: Role, kind: PartKind) -> PartId {
        if self.markdown == Markdown::Images && kind != PartKind::Number {
            self.images(node, place);
        }
        self.builder.part(place, role, kind, piece, self.source.origin(node))
    }

    /// Where the text of a leaf is kept: where it stands, or, with its escapes resolved, in the arena.
    fn piece(&mut self, node: Node) -> Piece {
        if node.escaped {
            let raw = self.tape.raw(node);
            self.builder.intern_with(|arena| unescape(raw, arena))
        } else {
            self.source.piece(Span { start: node.start, end: node.end })
        }
    }

    fn images(&mut self, node: Node, place: Place) {
        let mut scratch = String::new();
        let images = images(self.tape.resolved(node, &mut scratch));
        for (found, kind) in [(images.inline, GapKind::Image), (images.remote, GapKind::Remote)] {
            if found {
                self.builder.gap(kind, place);
            }
        }
    }

    fn one_word_of(&mut self, words: &[&str], spot: Spot) {
        let node = self.tape.node(spot.at);
        if !words.contains(&self.tape.resolved(node, &mut String::new())) {
            self.builder.gap(GapKind::UnknownType, spot.place);
        }
        self.leaf_of(PartKind::Word, spot);
    }

    fn media(&mut self, kind: GapKind, spot: Spot) {
        let node = self.tape.node(spot.at);
        let mut scratch = String::new();
        let scheme = self.tape.resolved(node, &mut scratch).as_bytes().first_chunk::<5>();
        if scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"data:")) {
            self.builder.gap(kind, spot.place);
        } else {
            self.builder.gap(GapKind::Remote, spot.place);
            self.leaf_of(PartKind::Text, spot);
        }
    }

    fn gap_when(&mut self, applies: bool, kind: GapKind, spot: Spot) {
        if applies {
            self.builder.gap(kind, spot.place);
        }
    }

    /// A string that the query also carries by name.
    fn named(&mut self, shape: &Shape, spot: Spot) {
        let node = self.tape.node(spot.at);
        let mut scratch = String::new();
        let name = self.tape.resolved(node, &mut scratch).to_owned();
        let query = self.builder.query();
        match shape {
            Shape::Model => query.model = Some(name),
            // The query names one adapter; a rule could not see the others.
            Shape::Adapter if query.adapter.as_ref().is_some_and(|other| *other != name) => {
                self.builder.gap(GapKind::UnknownType, spot.place);
            }
            Shape::Adapter => query.adapter = Some(name),
            _ => query.tools.push(name),
        }
        self.leaf_of(PartKind::Word, spot);
    }

    /// A number that the query also carries. A negative one means no limit to the servers that take it.
    fn counted(&mut self, shape: &Shape, spot: Spot) {
        let count = whole(self.tape.raw(self.tape.node(spot.at)));
        let query = self.builder.query();
        match (shape, count) {
            (Shape::TokensMax, Some(count)) => query.tokens_max = query.tokens_max.max(Some(count)),
            (_, Some(count)) => query.choices = query.choices.max(count),
            (_, None) => {}
        }
        self.leaf_of(PartKind::Number, spot);
    }
}

impl Source {
    fn origin(self, node: Node) -> Origin {
        let raw = Span { start: node.start, end: node.end };
        match self {
            Self::Body => Origin::Body(raw),
            Self::Nested { outer, .. } => Origin::Nested { outer, raw },
        }
    }

    /// Where the text of an unescaped leaf is kept.
    fn piece(self, raw: Span) -> Piece {
        let shifted = |base: Span| Span { start: base.start + raw.start, end: base.start + raw.end };
        match self {
            Self::Body => Piece::Body(raw),
            Self::Nested { piece: Piece::Body(base), .. } => Piece::Body(shifted(base)),
            Self::Nested { piece: Piece::Arena(base), .. } => Piece::Arena(shifted(base)),
        }
    }
}

/// A number that is not negative, however it is spelled (`64`, `64.0`, `6.4e1`), rounded up.
fn whole(raw: &str) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and negative ones are out")]
    let spelled = || raw.parse::<f64>().ok().filter(|count| *count >= 0.0).map(|count| count.ceil() as u64);
    raw.parse().ok().or_else(spelled)
}

/// What gap a number is as an element of this shape, if it is one that is not judged.
fn opaque_number(shape: &Shape) -> Option<GapKind> {
    match shape {
        Shape::Opaque(kind) => Some(*kind),
        Shape::As(_, inner) => opaque_number(inner),
        Shape::OneOf(shapes) => shapes.iter().find(|shape| shape.takes(Kind::Number)).and_then(opaque_number),
        _ => None,
    }
}
