//! Which rules have to be asked of a query: most answer no unless a text of theirs is there, the query is as large as they
//! say, or a fact is what they say.
//!
//! Guarantees: a rule that is left out would answer no. Knows nothing of how rules are asked.

use std::collections::{BTreeMap, HashMap};

use super::cel::{Expression, Fact};
use super::evaluate::Sight;
use super::lexicon::Unit;
use super::node::{Join, Leaf, Node};
use super::set::Compiled;

/// Names a rule by the places of its policy and of itself.
pub(super) type RuleAt = (u32, u32);

/// What a condition cannot say yes, or fail, without.
enum Needs<'n> {
    /// One of these texts.
    Texts(Vec<Unit>),
    /// More bytes of text.
    BytesOver(u64),
    /// More tokens.
    TokensOver(u64),
    /// A fact that is this text.
    Equal(Fact, &'n str),
}

/// Which rules have to be asked.
#[derive(Debug, Default)]
pub(super) struct Concerned {
    /// Whatever the query.
    always: Vec<RuleAt>,
    /// By unit, its part of `by_text`.
    ends: Vec<u32>,
    by_text: Vec<RuleAt>,
    /// In ascending order of size.
    by_bytes: Vec<(u64, RuleAt)>,
    by_tokens: Vec<(u64, RuleAt)>,
    by_fact: BTreeMap<Fact, HashMap<String, Vec<RuleAt>>>,
}

impl Concerned {
    /// Sorts rules by what they need; there are so many units.
    pub(super) fn of(policies: &[Compiled], units: usize) -> Self {
        let mut concerned = Self::default();
        let mut by_unit = vec![Vec::new(); units];
        for (policy, compiled) in (0..).zip(policies) {
            for (rule, compiled) in (0..).zip(&compiled.rules) {
                let at = (policy, rule);
                match needs(&compiled.node) {
                    None => concerned.always.push(at),
                    Some(Needs::Texts(units)) => units.iter().for_each(|unit| {
                        if let Some(rules) = by_unit.get_mut(unit.index()) {
                            rules.push(at);
                        }
                    }),
                    Some(Needs::BytesOver(bytes)) => concerned.by_bytes.push((bytes, at)),
                    Some(Needs::TokensOver(tokens)) => concerned.by_tokens.push((tokens, at)),
                    Some(Needs::Equal(fact, text)) => {
                        concerned.by_fact.entry(fact).or_default().entry(text.to_owned()).or_default().push(at);
                    }
                }
            }
        }
        concerned.by_bytes.sort_unstable();
        concerned.by_tokens.sort_unstable();
        for rules in &mut by_unit {
            concerned.by_text.append(rules);
            concerned.ends.push(u32::try_from(concerned.by_text.len()).unwrap_or(u32::MAX));
        }
        concerned
    }

    /// The rules to ask, in the order of their policies.
    pub(super) fn by(&self, sight: &Sight<'_>) -> Vec<RuleAt> {
        let mut due = self.always.clone();
        for unit in sight.scan.units() {
            let end = |index: usize| self.ends.get(index).map_or(0, |end| *end as usize);
            let range = unit.index().checked_sub(1).map_or(0, end)..end(unit.index());
            due.extend_from_slice(self.by_text.get(range).unwrap_or_default());
        }
        for (sizes, size) in [(&self.by_bytes, sight.text_bytes), (&self.by_tokens, sight.tokens)] {
            due.extend(sizes.iter().take_while(|(over, _)| size > *over).map(|(_, rule)| *rule));
        }
        for (fact, rules) in &self.by_fact {
            match sight.variables.fact(*fact) {
                Some(text) => due.extend_from_slice(rules.get(text).map_or(&[], |rules| rules)),
                // Expressions fail then, all of them.
                None => due.extend(rules.values().flatten()),
            }
        }
        if due.len() > self.always.len() {
            due.sort_unstable();
            due.dedup();
        }
        due
    }
}

/// What a condition needs; `None` when nothing can be said.
fn needs(node: &Node) -> Option<Needs<'_>> {
    match node {
        Node::Leaf(Leaf::Text(unit, _)) => Some(Needs::Texts(vec![*unit])),
        Node::Leaf(Leaf::TextBytesOver(bytes)) => Some(Needs::BytesOver(*bytes)),
        Node::Leaf(Leaf::TokensOver(tokens)) => Some(Needs::TokensOver(*tokens)),
        Node::Leaf(Leaf::Cel(expression)) => Expression::needs(expression).map(|(fact, text)| Needs::Equal(fact, text)),
        Node::Leaf(Leaf::RateOver(_) | Leaf::Operations(_) | Leaf::Routes(_) | Leaf::Models(_))
        | Node::Branch(Join::None, _) => None,
        Node::Branch(Join::Any, children) => {
            let texts = children.iter().map(|child| match needs(&child.node) {
                Some(Needs::Texts(units)) => Some(units),
                Some(Needs::BytesOver(_) | Needs::TokensOver(_) | Needs::Equal(..)) | None => None,
            });
            texts.collect::<Option<Vec<_>>>().map(|texts| Needs::Texts(texts.concat()))
        }
        // INVARIANT: a no of one child is a no of all, also beside a child that cannot be asked.
        Node::Branch(Join::All, children) => {
            children.iter().filter_map(|child| needs(&child.node)).min_by_key(|needs| match needs {
                Needs::Texts(units) => units.len(),
                Needs::BytesOver(_) | Needs::TokensOver(_) | Needs::Equal(..) => usize::MAX,
            })
        }
    }
}
