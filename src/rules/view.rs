//! Texts derived from a text, so that a rule sees through disguise: the folded text and what encoded runs say.
//!
//! # Flow
//! The matcher reads a text as written, then [`folded`] and each of [`decoded`]; a match in a view is mapped back to
//! the characters it came from with [`View::original`].
//!
//! # Guarantees
//! * Pure and total: no text makes a view panic, and the same text gives the same views.
//! * Mapped ranges lie on character boundaries of the text they name, in bounds, and keep their order.
//! * Work grows with the length of the text, never with what it holds; looking stops at the [`DecodeBudget`], which
//!   says so.
//!
//! Knows nothing of queries, policies or what is looked for.

mod decode;
mod escape;
mod fold;
mod letters;
mod map;
mod noise;
mod spell;

use std::ops::Range;

use super::marks::Marks;
pub(super) use decode::decoded_by;
pub use decode::{DecodeBudget, decoded};
pub use fold::{folded, foldings};
use map::Map;

/// How a view was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ViewKind {
    /// Invisible characters stripped, look-alikes, widths, marks and non-ASCII case folded.
    Folded,
    /// A run of base64, standard or URL-safe.
    Base64,
    /// A run of hexadecimal bytes.
    Hex,
    /// Percent-encoding.
    Url,
    /// HTML character references.
    Html,
    /// Escapes of programming languages, `\u0041` and `\x41`.
    Escape,
    /// Single letters with one sign between them, `p.r.o.j.e.c.t`.
    Spelled,
    /// Text smuggled in invisible characters: tags or variation selectors.
    Hidden,
}

impl ViewKind {
    /// The name used in explanations and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Folded => "folded",
            Self::Base64 => "base64",
            Self::Hex => "hex",
            Self::Url => "url",
            Self::Html => "html",
            Self::Escape => "escape",
            Self::Spelled => "spelled",
            Self::Hidden => "hidden",
        }
    }
}

/// A derived text with a map back to the text it came from.
#[derive(Clone)]
pub struct View {
    /// How it was made; of nested views the innermost step.
    pub kind: ViewKind,
    /// The derived text.
    pub text: String,
    /// From this text to the one before, and so on to the original.
    maps: Vec<Map>,
}

impl View {
    fn new(kind: ViewKind, text: String, map: Map) -> Self {
        Self { kind, text, maps: vec![map] }
    }

    /// The smallest range of the original text that these derived bytes came from. A range that is out of bounds or
    /// cuts a character is first clamped and widened to whole characters.
    #[must_use]
    pub fn original(&self, range: Range<usize>) -> Range<usize> {
        let start = self.text.floor_char_boundary(range.start.min(self.text.len()));
        let end = self.text.ceil_char_boundary(range.end.clamp(start, self.text.len()));
        self.maps.iter().fold(start..end, |range, map| map.back(range))
    }

    /// The range of the original text that this view was made from as a whole.
    #[must_use]
    pub fn source(&self) -> Range<usize> {
        self.original(0..self.text.len())
    }

    /// The folding of this view, mapped to the same original; `None` when it is its own folding.
    #[must_use]
    pub fn folded(&self) -> Option<Self> {
        folded(&self.text).map(|view| view.on(self))
    }

    /// What encoded runs in this view say, mapped to the same original.
    #[must_use]
    pub fn decoded(&self, budget: &mut DecodeBudget) -> Vec<Self> {
        decoded(&self.text, budget).into_iter().map(|view| view.on(self)).collect()
    }

    /// What encoded runs in this folding of `original`, of these marks, say that `original` does not say as plainly, mapped to it.
    pub(super) fn decoded_anew(&self, marks: &Marks, original: &str, budget: &mut DecodeBudget) -> Vec<Self> {
        decode::decoded_anew(self, marks, original, budget).into_iter().map(|view| view.on(self)).collect()
    }

    /// This view, made from the text of `below`, as a view of the original of `below`.
    fn on(mut self, below: &Self) -> Self {
        self.maps.extend(below.maps.iter().cloned());
        self
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("kind", &self.kind).field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
