//! The language in which a wire format is written down: static tables that say what stands where and what it means.
//!
//! A format is a [`Description`]; its root and everything below it is a [`Shape`]. [`walk`] reads a body by it and fills
//! a query: what the description knows becomes parts, what it does not know, or cannot judge, becomes a gap. Shapes hold
//! no roles of their own: a leaf speaks with the role of the nearest [`Shape::As`] or [`Message`] around it, `Setting`
//! at the root.
//!
//! ```text
//! static MESSAGE: Message = Message { roles: &[("user", Role::User), ..], absent: None, object: &MESSAGE_FIELDS };
//! static MESSAGE_FIELDS: Object = Object::new(&[&[field("content", OneOf(&[Text, List(&PART)])), field("name", Word)]]);
//! static ROOT: Object = Object::new(&[&[required("messages", List(&Shape::Message(&MESSAGE))), ..], SAMPLING]);
//! ```
//!
//! # Guarantees
//! * Every string, number and free key becomes a part, or stands in or below a place that a gap names.
//! * A key that some parser would take for a known one (other case, U+017F, U+212A) refuses the body.
//!
//! Knows nothing of any format.

mod fold;
mod markdown;
mod nested;
mod object;
mod walk;

pub(in crate::wire) use walk::walk;

use super::json::Kind;
use crate::query::{GapKind, Operation, Role};

/// How bodies of one format are read.
#[derive(Debug)]
pub(in crate::wire) struct Description {
    /// What kind of work the format asks for.
    pub(in crate::wire) operation: Operation,
    /// Whether answers are streamed when the body does not say.
    pub(in crate::wire) stream: Stream,
    /// What the body is.
    pub(in crate::wire) root: Shape,
}

/// Whether a format streams by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) enum Stream {
    /// Only when asked.
    Off,
    /// Unless told not to.
    On,
}

/// What stands at a place.
#[derive(Debug, Clone, Copy)]
pub(in crate::wire) enum Shape {
    /// A string the model may read.
    Text,
    /// A string with meaning to the server: ids, tags, formats, names.
    Word,
    /// One of these strings; another one is of unknown type.
    OneWordOf(&'static [&'static str]),
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`, where it is not a field (fields may always be null).
    Null,
    /// Any JSON: keys, strings and numbers are all judged.
    Free,
    /// A string that may hold JSON: judged as written, and its content, where it is JSON, once more.
    Encoded,
    /// An object with known fields.
    Object(&'static Object),
    /// An object whose fields depend on a tag.
    Tagged(&'static Tagged),
    /// An object whose `role` says who speaks in it.
    Message(&'static Message),
    /// A list of elements of one shape.
    List(&'static Shape),
    /// The first of these that can be of the value's JSON type. Shapes that can be of any type stand last.
    OneOf(&'static [Shape]),
    /// The shape, spoken by this role.
    As(Role, &'static Shape),
    /// Known, but it escapes judgement in this way; all its text is judged like [`Shape::Free`] nevertheless.
    Gap(GapKind),
    /// Like [`Shape::Gap`], but `""`, `[]` and `{}` say nothing and are no gap. Not where an empty object switches
    /// something on.
    GapUnlessEmpty(GapKind),
    /// Known and not readable (token ids, vectors, base64): a gap. Only strings and keys deeper inside are judged.
    Opaque(GapKind),
    /// The shape, on a server that takes `![](...)` anywhere in a text for an image: a gap there beside the part. Stands at
    /// the root of a description.
    Markdown(&'static Shape),
    /// Of the shape, and a gap beside.
    Both(GapKind, &'static Shape),
    /// `true` or `false`, and `true` is a gap.
    GapWhenTrue(GapKind),
    /// `true` or `false`, and `false` is a gap.
    GapWhenFalse(GapKind),
    /// A string: inline data (`data:`) is a gap of this kind, anything else is a URL or path, judged and `Remote`.
    Media(GapKind),
    /// The model's name.
    Model,
    /// An adapter's name.
    Adapter,
    /// `true` or `false`: whether the answer is streamed.
    Stream,
    /// A number: the most tokens to generate. Of several fields the largest counts.
    TokensMax,
    /// A number: how many answers.
    Choices,
    /// The name of a tool that is offered.
    ToolName,
}

/// An object with known fields, in groups so that formats can share some.
#[derive(Debug)]
pub(in crate::wire) struct Object {
    groups: &'static [&'static [Field]],
    rest: Rest,
}

/// What keys mean that an object does not know.
#[derive(Debug, Clone, Copy)]
enum Rest {
    Unknown,
    Known(Shape),
}

impl Object {
    /// An object whose other keys are unknown fields.
    pub(in crate::wire) const fn new(groups: &'static [&'static [Field]]) -> Self {
        Self { groups, rest: Rest::Unknown }
    }

    /// An object whose other keys are free, with values of a shape. The keys are judged.
    pub(in crate::wire) const fn open(groups: &'static [&'static [Field]], rest: Shape) -> Self {
        Self { groups, rest: Rest::Known(rest) }
    }

    fn fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.groups.iter().copied().flatten()
    }

    pub(in crate::wire) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.name == name)
    }
}

/// A known key.
#[derive(Debug)]
pub(in crate::wire) struct Field {
    /// Its spelling.
    pub(in crate::wire) name: &'static str,
    shape: Shape,
    need: Need,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Optional,
    Required,
}

/// A field that may be absent or null.
pub(in crate::wire) const fn field(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, need: Need::Optional }
}

/// A field without which a body cannot be of the format.
pub(in crate::wire) const fn required(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, need: Need::Required }
}

/// An object whose fields depend on the value of one of them, which may stand anywhere in it.
#[derive(Debug)]
pub(in crate::wire) struct Tagged {
    /// The tag's key, usually `type`. The objects do not repeat it.
    pub(in crate::wire) key: &'static str,
    /// What each tag means.
    pub(in crate::wire) cases: &'static [(&'static str, Shape)],
    /// What the object is without the tag; `None` when that is not known.
    pub(in crate::wire) absent: Option<Shape>,
}

/// An object with a speaker.
#[derive(Debug)]
pub(in crate::wire) struct Message {
    /// The closed set of roles by their names in the format. The object does not repeat the field `role`.
    pub(in crate::wire) roles: &'static [(&'static str, Role)],
    /// Who speaks without a role; `None` when the format wants one.
    pub(in crate::wire) absent: Option<Role>,
    /// The other fields.
    pub(in crate::wire) object: &'static Object,
}

impl Shape {
    /// Whether the shape is an object with fields of its own, that leaves a tag to whoever read it.
    fn has_fields(&self) -> bool {
        match self {
            Self::Object(_) | Self::Tagged(_) | Self::Message(_) => true,
            Self::As(_, shape) | Self::Both(_, shape) => shape.has_fields(),
            _ => false,
        }
    }

    /// Whether a value of this JSON type can be of the shape, as far as the type tells.
    fn takes(&self, kind: Kind) -> bool {
        match self {
            Self::Text
            | Self::Word
            | Self::OneWordOf(_)
            | Self::Encoded
            | Self::Media(_)
            | Self::Model
            | Self::Adapter
            | Self::ToolName => kind == Kind::String,
            Self::Number | Self::TokensMax | Self::Choices => kind == Kind::Number,
            Self::Bool | Self::Stream | Self::GapWhenTrue(_) | Self::GapWhenFalse(_) => {
                matches!(kind, Kind::True | Kind::False)
            }
            Self::Null => kind == Kind::Null,
            Self::Object(_) | Self::Tagged(_) | Self::Message(_) => kind == Kind::Object,
            Self::List(_) => kind == Kind::List,
            Self::OneOf(shapes) => shapes.iter().any(|shape| shape.takes(kind)),
            Self::As(_, shape) | Self::Both(_, shape) | Self::Markdown(shape) => shape.takes(kind),
            Self::Free | Self::Gap(_) | Self::GapUnlessEmpty(_) | Self::Opaque(_) => true,
        }
    }
}
