//! Places as a tree of steps: a part costs four bytes of place, and a name is put together only when somebody reads it.

use std::fmt::Write as _;

use super::Piece;

/// Longest key of the caller that a place spells out. Names of fields are shorter; places go into records, answers and
/// alerts, which are no place for the caller's texts.
const KEY_CHARS_MAX: usize = 64;

/// Names a place within its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place(u32);

impl Place {
    /// The body as a whole.
    pub const ROOT: Self = Self(0);
}

#[derive(Debug, Clone)]
enum Step {
    Root,
    Field(&'static str),
    Key(Box<str>),
    /// A key whose text the query keeps.
    KeyAt(Piece),
    Index(u32),
    Nested,
}

#[derive(Debug, Clone)]
pub(super) struct Paths(Vec<(Place, Step)>);

impl Paths {
    pub(super) fn new() -> Self {
        // What most queries have.
        let mut steps = Vec::with_capacity(32);
        steps.push((Place::ROOT, Step::Root));
        Self(steps)
    }

    fn push(&mut self, parent: Place, step: Step) -> Place {
        let place = Place(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        self.0.push((parent, step));
        place
    }

    pub(super) fn field(&mut self, parent: Place, name: &'static str) -> Place {
        self.push(parent, Step::Field(name))
    }

    pub(super) fn key(&mut self, parent: Place, name: &str) -> Place {
        self.push(parent, Step::Key(name.into()))
    }

    pub(super) fn key_at(&mut self, parent: Place, piece: Piece) -> Place {
        self.push(parent, Step::KeyAt(piece))
    }

    pub(super) fn index(&mut self, parent: Place, index: usize) -> Place {
        self.push(parent, Step::Index(u32::try_from(index).unwrap_or(u32::MAX)))
    }

    pub(super) fn nested(&mut self, parent: Place) -> Place {
        self.push(parent, Step::Nested)
    }

    /// The place above, if there is one.
    pub(super) fn above(&self, place: Place) -> Place {
        self.0.get(place.0 as usize).map_or(Place::ROOT, |(parent, _)| *parent)
    }

    pub(super) fn show<'q>(&self, place: Place, text: impl Fn(Piece) -> &'q str) -> String {
        let mut steps = Vec::with_capacity(8);
        let mut at = place;
        while let Some((parent, step)) = self.0.get(at.0 as usize) {
            if matches!(step, Step::Root) {
                break;
            }
            steps.push(step);
            at = *parent;
        }
        // Most places are shorter: a message, its content and a piece of it.
        let mut out = String::with_capacity(32);
        for step in steps.iter().rev() {
            match step {
                Step::Root => {}
                Step::Field(name) => dotted(&mut out, name),
                Step::Key(name) => keyed(&mut out, name),
                Step::KeyAt(piece) => keyed(&mut out, text(*piece)),
                Step::Index(index) => {
                    let _ = write!(out, "[{index}]");
                }
                Step::Nested => out.push_str("(json)"),
            }
        }
        if out.is_empty() { "body".to_owned() } else { out }
    }
}

fn keyed(out: &mut String, name: &str) {
    // A key that is cut is written in brackets, so that no cut key reads like another one.
    match name.char_indices().nth(KEY_CHARS_MAX) {
        None if plain(name) => dotted(out, name),
        None => {
            let _ = write!(out, "[{name:?}]");
        }
        Some((end, _)) => {
            let _ = write!(out, "[{:?}..]", name.get(..end).unwrap_or_default());
        }
    }
}

fn dotted(out: &mut String, name: &str) {
    if !out.is_empty() {
        out.push('.');
    }
    out.push_str(name);
}

fn plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_spell_no_long_key_and_no_control_character() {
        let shown = |key: &str| {
            let mut paths = Paths::new();
            let place = paths.key(Place::ROOT, key);
            paths.show(place, |_| "")
        };
        assert_eq!(shown("a_name"), "a_name");
        assert_eq!(shown("a\nb\u{1b}[31m\u{202e}"), r#"["a\nb\u{1b}[31m\u{202e}"]"#);
        assert_eq!(shown(&"k".repeat(64)), "k".repeat(64));
        assert_eq!(shown(&"k".repeat(65)), format!("[\"{}\"..]", "k".repeat(64)));
        assert_eq!(shown(&"\u{e9}".repeat(1 << 20)).chars().count(), 64 + 6);
    }
}
