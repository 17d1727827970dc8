//! Objects: known fields, tags, speakers, and what to do with keys that are none of these.

use super::super::DecodeError;
use super::super::json::{At, Kind};
use super::walk::{Spot, Walk};
use super::{Field, Message, Need, Object, Rest, Shape, Tagged, fold};
use crate::query::{GapKind, PartKind, Role};

type Walked = Result<(), DecodeError>;

/// The keys of an object that were understood before its fields: a tag, a role.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tags([Option<Tag>; 3]);

#[derive(Debug, Clone, Copy)]
struct Tag {
    name: &'static str,
    /// Where it stands, if it does.
    key: Option<At>,
}

impl Tags {
    /// These and one more. No description nests more than two tags and a role.
    fn and(mut self, name: &'static str, key: Option<At>) -> Self {
        if let Some(slot) = self.0.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(Tag { name, key });
        }
        self
    }

    fn holds(&self, key: At) -> bool {
        self.iter().any(|tag| tag.key == Some(key))
    }

    fn iter(&self) -> impl Iterator<Item = Tag> {
        self.0.iter().flatten().copied()
    }
}

impl Walk<'_, '_> {
    /// An object with known fields.
    pub(super) fn object(&mut self, object: &Object, tags: Tags, spot: Spot) -> Walked {
        let tape = self.tape;
        for key in tape.children(spot.at).filter(|key| !tags.holds(*key)) {
            let mut scratch = String::new();
            let name = tape.resolved(tape.node(key), &mut scratch);
            match object.field(name) {
                Some(field) => self.field(field, key, spot)?,
                None => self.other_key(object, tags, key, name, spot)?,
            }
        }
        for field in object.fields().filter(|field| field.need == Need::Required) {
            if self.find(spot.at, field.name).is_none() {
                let place = self.builder.query().place(spot.place);
                return Err(DecodeError::Shape { place, expected: field.name });
            }
        }
        Ok(())
    }

    fn field(&mut self, field: &'static Field, key: At, spot: Spot) -> Walked {
        if self.tape.node(key + 1).kind == Kind::Null {
            return Ok(());
        }
        let place = self.builder.field(spot.place, field.name);
        self.shape(&field.shape, Spot { at: key + 1, place, role: spot.role })
    }

    /// A key that the object does not know.
    fn other_key(&mut self, object: &Object, tags: Tags, key: At, name: &str, spot: Spot) -> Walked {
        let known = object.fields().map(|field| field.name).chain(tags.iter().map(|tag| tag.name));
        if let Some(known) = fold::variant_of(name, known) {
            let place = self.builder.query().place(spot.place);
            return Err(DecodeError::VariantKey { place, at: self.tape.node(key).start as usize, known });
        }
        match object.rest {
            Rest::Known(shape) => {
                let place = self.free_key(key, spot);
                self.shape(&shape, Spot { at: key + 1, place, role: spot.role })
            }
            Rest::Unknown => {
                let unknown = Spot { role: Role::Setting, ..spot };
                let place = self.free_key(key, unknown);
                self.strange(GapKind::UnknownField, Spot { at: key + 1, place, ..unknown });
                Ok(())
            }
        }
    }

    /// The key of that name in an object.
    fn find(&self, object: At, name: &str) -> Option<At> {
        let tape = self.tape;
        tape.children(object).find(|key| {
            let node = tape.node(*key);
            if node.escaped { tape.resolved(node, &mut String::new()) == name } else { tape.raw(node) == name }
        })
    }

    /// An object whose fields depend on a tag.
    pub(super) fn tagged(&mut self, tagged: &Tagged, tags: Tags, spot: Spot) -> Walked {
        let tape = self.tape;
        let key = self.find(spot.at, tagged.key);
        let tags = tags.and(tagged.key, key);
        let shape = match key {
            None => tagged.absent.as_ref(),
            Some(key) => {
                let value = tape.node(key + 1);
                let mut scratch = String::new();
                let name = tape.resolved(value, &mut scratch);
                let case = tagged.cases.iter().find(|(case, _)| value.kind == Kind::String && *case == name);
                case.map(|(_, shape)| shape)
            }
        };
        let Some(shape) = shape else {
            self.strange(GapKind::UnknownType, spot);
            return Ok(());
        };
        if let (Some(key), true) = (key, shape.has_fields()) {
            let place = self.builder.field(spot.place, tagged.key);
            self.leaf(tape.node(key + 1), place, Role::Setting, PartKind::Word);
        }
        self.case(shape, tags, spot)
    }

    /// One case of a tagged object. A case that has no fields of its own (a gap, free JSON) takes the whole, tag included.
    fn case(&mut self, shape: &Shape, tags: Tags, spot: Spot) -> Walked {
        match *shape {
            Shape::Object(object) => self.object(object, tags, spot),
            Shape::Message(message) => self.message(message, tags, spot),
            Shape::Tagged(tagged) => self.tagged(tagged, tags, spot),
            Shape::As(role, inner) => self.case(inner, tags, Spot { role, ..spot }),
            Shape::Both(kind, inner) => {
                self.builder.gap(kind, spot.place);
                self.case(inner, tags, spot)
            }
            ref other => self.shape(other, spot),
        }
    }

    /// An object with a speaker.
    pub(super) fn message(&mut self, message: &Message, tags: Tags, spot: Spot) -> Walked {
        let key = self.find(spot.at, "role");
        let tags = tags.and("role", key);
        let role = match key {
            Some(key) => self.speaker(message, key, spot),
            None => message.absent,
        };
        if role.is_none() && key.is_none() {
            self.builder.gap(GapKind::UnknownRole, spot.place);
        }
        // What an unknown speaker says is judged as the person's words.
        self.object(message.object, tags, Spot { role: role.unwrap_or(Role::User), ..spot })
    }

    /// The role a message names; one that the format does not know is a gap.
    fn speaker(&mut self, message: &Message, key: At, spot: Spot) -> Option<Role> {
        let tape = self.tape;
        let value = tape.node(key + 1);
        let place = self.builder.field(spot.place, "role");
        if value.kind != Kind::String {
            self.builder.gap(GapKind::UnknownRole, place);
            self.free(Spot { at: key + 1, place, role: Role::Setting });
            return None;
        }
        let mut scratch = String::new();
        let name = tape.resolved(value, &mut scratch);
        let role = message.roles.iter().find(|(known, _)| *known == name).map(|(_, role)| *role);
        if role.is_none() {
            self.builder.gap(GapKind::UnknownRole, place);
        }
        self.leaf(value, place, Role::Setting, PartKind::Word);
        role
    }
}
