//! Compiled conditions: trees whose leaves know what the one pass over the texts answers for them.
//!
//! Guarantees: children stand in the order in which they are asked, cheapest first, and their place in the policy is kept
//! for explanations. Knows nothing of a single query.

use std::sync::Arc;

use super::cel::{Expression, Patterns};
use super::lexicon::{Gathering, Unit};
use super::limits::{NODE_DEPTH_MAX, NODES_MAX};
use super::{Matcher, Rate, TextMatch};
use crate::base::Digest;
use crate::query::Operation;

/// A condition.
#[derive(Debug)]
pub(super) enum Node {
    /// Some of these.
    Branch(Join, Vec<Child>),
    Leaf(Leaf),
}

/// How a branch reads its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    Any,
    All,
    None,
}

impl Join {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Any => "anyOf",
            Self::All => "allOf",
            Self::None => "noneOf",
        }
    }
}

/// A child with its place in the policy.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) position: usize,
    pub(super) cost: Cost,
    pub(super) node: Node,
}

impl Node {
    /// The same in memory of its own.
    pub(super) fn copy(&self) -> Self {
        match self {
            Self::Branch(join, children) => {
                let copy = |child: &Child| Child { node: child.node.copy(), ..*child };
                Self::Branch(*join, children.iter().map(copy).collect())
            }
            Self::Leaf(Leaf::Text(unit, name)) => Self::Leaf(Leaf::Text(*unit, Arc::from(&**name))),
            Self::Leaf(leaf) => Self::Leaf(leaf.clone()),
        }
    }
}

/// What asking a node takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cost {
    /// A look at what is known already.
    Look,
    /// An evaluation.
    Evaluate,
    /// A count that changes with being asked, so it comes last and only where it matters.
    Count,
}

/// A condition without parts.
#[derive(Debug, Clone)]
pub(super) enum Leaf {
    Text(Unit, Arc<str>),
    Cel(Expression),
    TextBytesOver(u64),
    TokensOver(u64),
    RateOver(RateLeaf),
    Operations(Vec<Operation>),
    Routes(Vec<Glob>),
    Models(Vec<Glob>),
}

/// A rate with its counters' key, and its place among all rates of the set.
#[derive(Debug, Clone)]
pub(super) struct RateLeaf {
    pub(super) key: Digest,
    pub(super) rate: Rate,
    pub(super) index: usize,
}

/// A text, or what it begins with.
#[derive(Debug, Clone)]
pub(super) enum Glob {
    Exactly(String),
    Beginning(String),
}

impl Glob {
    fn new(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(head) => Self::Beginning(head.to_owned()),
            None => Self::Exactly(text.to_owned()),
        }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exactly(whole) => whole == text,
            Self::Beginning(head) => text.starts_with(head.as_str()),
        }
    }

    /// The same with ASCII case left out, for names that servers look up without it.
    pub(super) fn matches_any_case(&self, text: &str) -> bool {
        match self {
            Self::Exactly(whole) => whole.eq_ignore_ascii_case(text),
            Self::Beginning(head) => {
                text.as_bytes().get(..head.len()).is_some_and(|start| start.eq_ignore_ascii_case(head.as_bytes()))
            }
        }
    }
}

/// Something wrong with a matcher: where, from the rule on, and what.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) path: String,
    pub(super) why: String,
}

/// Compiles the conditions of a whole set.
pub(super) struct Compiler<'g> {
    pub(super) gathering: &'g mut Gathering,
    /// How many rates there are so far in the set.
    pub(super) rates: &'g mut usize,
    /// What `matches` in expressions looks for.
    pub(super) patterns: &'g mut Patterns,
    /// The key of the nth rate of the rule at hand.
    pub(super) rate_key: &'g dyn Fn(&Rate, usize) -> Digest,
    /// Which units the rule at hand added first, by path, to lay blame.
    pub(super) added: &'g mut Vec<(Unit, String)>,
    pub(super) nodes: usize,
    pub(super) rates_here: usize,
}

impl Compiler<'_> {
    /// Compiles a condition that stands at `path`.
    pub(super) fn node(&mut self, matcher: &Matcher, path: &str, depth: usize) -> Result<(Node, Cost), Wrong> {
        let wrong = |why: String| Wrong { path: path.to_owned(), why };
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(wrong(format!("more than {NODES_MAX} conditions in one rule; split the rule")));
        }
        if depth > NODE_DEPTH_MAX {
            return Err(wrong(format!("nested deeper than {NODE_DEPTH_MAX}; split the rule")));
        }
        let look = |leaf| Ok((Node::Leaf(leaf), Cost::Look));
        match matcher {
            Matcher::Any(children) => self.branch(Join::Any, children, path, depth),
            Matcher::All(children) => self.branch(Join::All, children, path, depth),
            Matcher::None(children) => self.branch(Join::None, children, path, depth),
            Matcher::Text(text) => {
                let path = format!("{path}.{}", text_field(text));
                let unit = self.gathering.add(text).map_err(|why| Wrong { path: path.clone(), why })?;
                self.added.push((unit, path));
                look(Leaf::Text(unit, text_name(text)))
            }
            Matcher::Cel(source) => {
                let expression = Expression::compile(source, self.patterns);
                let expression = expression.map_err(|why| Wrong { path: format!("{path}.cel"), why })?;
                Ok((Node::Leaf(Leaf::Cel(expression)), Cost::Evaluate))
            }
            Matcher::TextBytesOver(bytes) => look(Leaf::TextBytesOver(*bytes)),
            Matcher::TokensOver(tokens) => look(Leaf::TokensOver(*tokens)),
            Matcher::RateOver(rate) => {
                let key = (self.rate_key)(rate, self.rates_here);
                let leaf = RateLeaf { key, rate: *rate, index: *self.rates };
                self.rates_here += 1;
                *self.rates += 1;
                Ok((Node::Leaf(Leaf::RateOver(leaf)), Cost::Count))
            }
            Matcher::Operations(operations) => look(Leaf::Operations(operations.clone())),
            Matcher::Routes(routes) => look(Leaf::Routes(routes.iter().map(|r| Glob::new(r)).collect())),
            Matcher::Models(models) => look(Leaf::Models(models.iter().map(|m| Glob::new(m)).collect())),
        }
    }

    fn branch(&mut self, join: Join, matchers: &[Matcher], path: &str, depth: usize) -> Result<(Node, Cost), Wrong> {
        let mut children = Vec::with_capacity(matchers.len());
        for (position, matcher) in matchers.iter().enumerate() {
            let path = format!("{path}.{}[{position}]", join.name());
            let (node, cost) = self.node(matcher, &path, depth + 1)?;
            children.push(Child { position, cost, node });
        }
        children.sort_by_key(|child| child.cost);
        let cost = children.last().map_or(Cost::Look, |child| child.cost);
        Ok((Node::Branch(join, children), cost))
    }
}

fn text_field(text: &TextMatch) -> &'static str {
    match text {
        TextMatch::Keywords { .. } => "keywords",
        TextMatch::Regex(_) => "regex",
        TextMatch::Detector(_) => "detectors",
    }
}

/// What findings call the matcher; never the pattern.
fn text_name(text: &TextMatch) -> Arc<str> {
    match text {
        TextMatch::Keywords { .. } => "keyword".into(),
        TextMatch::Regex(_) => "regex".into(),
        TextMatch::Detector(detector) => detector.name.into(),
    }
}
