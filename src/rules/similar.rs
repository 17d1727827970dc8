//! Which held queries are alike: what a decision may stand for beyond the query that people saw.
//!
//! Guarantees: queries are alike only when the same rules, as they stand, hold them for the same words; what is said
//! besides may differ. Where that cannot be said in full, a query is like no other. Knows nothing of decisions.

use std::collections::BTreeSet;

use super::cause::{CAUSES_MAX, nested_none};
use super::evaluate::{Answer, Sight};
use super::node::{Join, Leaf, Node};
use super::set::CompiledRule;
use super::{ChainRef, Context, view};
use crate::base::{Digest, Hasher};
use crate::query::{Query, Role, RoleSet};

/// What a held query has in common with those like it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Similar {
    /// The same caller, workload, route, model, instructions and tools, held by the same rules for the same words, and none
    /// of them brought by a tool or a document that was not before.
    pub exact: Digest,
    /// The same workload, held by the same rules for the same words, whoever asks.
    pub words: Digest,
}

/// Gathers what holds a query.
#[derive(Default)]
pub(super) struct Likeness {
    marks: BTreeSet<Digest>,
    /// Those of words that tools or documents brought: nobody in the conversation said them.
    brought: BTreeSet<Digest>,
    unlike: bool,
}

impl Likeness {
    /// Something holds the query of which no two are alike, or that cannot be told.
    pub(super) fn unlike(&mut self) {
        self.unlike = true;
    }

    /// A rule that holds: everything its conditions find, also where the answer was known without it.
    pub(super) fn rule(&mut self, sight: &mut Sight<'_>, rule: &CompiledRule, chain: &ChainRef) {
        let mut start = Hasher::default();
        start.field(rule.key.as_bytes());
        start.field(chain.namespace.as_deref().unwrap_or_default().as_bytes());
        start.field(chain.name.as_bytes());
        self.marks.insert(start.clone().finish());
        self.node(sight, &start, &rule.node, rule.roles);
    }

    fn node(&mut self, sight: &mut Sight<'_>, start: &Hasher, node: &Node, roles: RoleSet) {
        match node {
            Node::Leaf(Leaf::Text(unit, _)) => {
                let (query, scan) = (sight.query, sight.scan);
                let mut seen = BTreeSet::new();
                for found in scan.found(*unit, roles).chain(scan.accidents(*unit, roles)) {
                    let pieces =
                        found.at.iter().filter_map(|(id, bytes)| query.text(query.part(*id)?).get(bytes.clone()));
                    let text: Vec<&str> = pieces.collect();
                    let brought = found.at.iter().filter_map(|(id, _)| query.part(*id)).any(|part| brings(part.role));
                    if seen.insert((text.clone(), brought)) {
                        let mark = self.mark(start, "text", &folded(&text.join("\u{1f}")));
                        self.brought.extend(brought.then_some(mark));
                    }
                    if self.unlike {
                        return;
                    }
                }
                self.unlike |= scan.overflowed(*unit);
            }
            // A rate that its rule did not ask is not asked here: asking counts the query.
            Node::Leaf(Leaf::RateOver(rate)) if !sight.counted.knows(rate.index) => {}
            Node::Leaf(leaf) => {
                let mut evidence = Vec::new();
                let answer = sight.leaf(leaf, roles, &mut evidence);
                self.unlike |= matches!(answer, Answer::Unknown(_));
                let kept = matches!(leaf, Leaf::Operations(_) | Leaf::Routes(_) | Leaf::Models(_));
                for one in evidence {
                    let measured = if kept { one.measured.as_str() } else { "" };
                    self.mark(start, one.matcher.as_str(), measured);
                }
            }
            // That something is missing makes no query like another.
            Node::Branch(Join::None, children) => self.unlike |= nested_none(children),
            Node::Branch(Join::Any | Join::All, children) => {
                for child in children {
                    self.node(sight, start, &child.node, roles);
                }
            }
        }
    }

    fn mark(&mut self, start: &Hasher, kind: &str, text: &str) -> Digest {
        let mut hasher = start.clone();
        hasher.field(kind.as_bytes());
        hasher.field(text.as_bytes());
        let mark = hasher.finish();
        self.marks.insert(mark);
        self.unlike |= self.marks.len() > CAUSES_MAX;
        mark
    }

    pub(super) fn finish(self, query: &Query, context: &Context<'_>) -> Option<Similar> {
        if self.unlike || self.marks.is_empty() {
            return None;
        }
        let mut words = Hasher::default();
        words.field(b"countersign.dev/similar/v1");
        words.field(context.workload.namespace.as_bytes());
        words.field(context.workload.name.as_bytes());
        for mark in &self.marks {
            words.field(mark.as_bytes());
        }
        let words = words.finish();
        let mut exact = Hasher::default();
        exact.field(words.as_bytes());
        for mark in &self.brought {
            exact.field(b"brought");
            exact.field(mark.as_bytes());
        }
        for named in [&context.caller.user, &query.model, &query.adapter] {
            exact.field(if named.is_some() { b"named" } else { b"none" });
            exact.field(named.as_deref().unwrap_or_default().as_bytes());
        }
        exact.field(context.method.as_bytes());
        exact.field(context.path.as_bytes());
        let frame = |role| matches!(role, Role::System | Role::ToolDefinition | Role::Template);
        for part in query.parts().iter().filter(|part| frame(part.role)) {
            exact.field(part.role.name().as_bytes());
            exact.field(&[part.kind as u8]);
            exact.field(query.text(part).as_bytes());
        }
        Some(Similar { exact: exact.finish(), words })
    }
}

/// Whether a text comes from outside the conversation: what people allow a caller to say is not what a page may say.
const fn brings(role: Role) -> bool {
    matches!(role, Role::Tool | Role::Document)
}

/// The words as rules read them: case, width, look-alikes and runs of white space do not matter.
fn folded(text: &str) -> String {
    let folded = view::folded(text).map_or_else(|| text.to_owned(), |view| view.text);
    let lower = folded.to_lowercase();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}
