//! Strings that hold JSON, as tool calls carry their arguments: judged as written and once more as what they say.

use super::super::json::{self, Fault, Tape};
use super::walk::{Source, Spot, Walk};
use crate::base::limits::NESTED_JSON_DEPTH_MAX;
use crate::query::{GapKind, PartKind};

impl Walk<'_, '_> {
    /// A string that may hold JSON.
    pub(super) fn encoded(&mut self, spot: Spot) {
        let node = self.tape.node(spot.at);
        let (outer, piece) = self.leaf(node, spot.place, spot.role, PartKind::Text);
        let depth = match self.source {
            Source::Body => 0,
            Source::Nested { depth, .. } => depth,
        };
        let mut scratch = String::new();
        let text = self.tape.resolved(node, &mut scratch);
        if !opens_like_json(text) {
            return;
        }
        match json::read(text, self.values_left) {
            Ok(_) if depth >= NESTED_JSON_DEPTH_MAX => self.builder.gap(GapKind::Limit, spot.place),
            Ok(tape) => self.inside(&tape, Source::Nested { outer, piece, depth: depth + 1 }, spot),
            Err(Fault::Depth | Fault::Values) => self.builder.gap(GapKind::Limit, spot.place),
            // A laxer parser than ours may still read it, and without a reading its escapes hide text. Deeper down
            // no server looks, and code in strings often begins like JSON.
            Err(_) if depth == 0 && text.contains('\\') => self.builder.gap(GapKind::UnknownType, spot.place),
            Err(_) => {}
        }
    }

    fn inside(&mut self, tape: &Tape<'_>, source: Source, spot: Spot) {
        let place = self.builder.nested(spot.place);
        let values_left = self.values_left.saturating_sub(tape.len());
        let mut walk = Walk { tape, source, builder: &mut *self.builder, markdown: self.markdown, values_left };
        walk.free(Spot { at: Tape::ROOT, place, role: spot.role });
        self.values_left = walk.values_left;
    }
}

/// Whether the text begins like a document that can have escapes; numbers and words read the same either way.
fn opens_like_json(text: &str) -> bool {
    matches!(text.trim_start_matches([' ', '\n', '\r', '\t']).as_bytes().first(), Some(b'{' | b'[' | b'"'))
}
