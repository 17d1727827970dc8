//! The plain part of the language: comparisons of facts with literals, joined by not, and, or. Most conditions of policies
//! are no more than that, and need no evaluator: nothing is put together for them, and nothing in them can fail.
//!
//! Guarantees: answers as the evaluator does; an expression that holds anything else is not plain.

use cel::common::ast::operators::{self, LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SelectExpr};

use super::super::Context;
use super::{MATCHES, Patterns};
use crate::query::Query;

/// An expression that is true or false.
#[derive(Debug, Clone)]
pub(super) enum Plain {
    Literal(bool),
    Stream,
    Authenticated,
    Not(Box<Plain>),
    And(Box<[Plain; 2]>),
    Or(Box<[Plain; 2]>),
    Texts(Comparison, Box<[Text; 2]>),
    Numbers(Relation, [Number; 2]),
    In(Text, List),
    Matches(Text, usize),
}

/// How two texts are compared.
#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
}

/// How two numbers are compared.
#[derive(Debug, Clone, Copy)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone)]
pub(super) enum Text {
    Literal(String),
    Fact(Fact),
}

/// A text that is known of every query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Fact {
    Operation,
    Model,
    Adapter,
    Route,
    User,
    Namespace,
    Workload,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Literal(i64),
    Tokens,
    TextBytes,
    Choices,
    TokensMax,
}

#[derive(Debug, Clone)]
pub(super) enum List {
    Literal(Vec<String>),
    Groups,
    Tools,
}

/// What plain expressions look at.
pub(super) struct Seen<'a> {
    pub(super) query: &'a Query,
    pub(super) context: &'a Context<'a>,
    pub(super) patterns: &'a Patterns,
    pub(super) tokens: u64,
    pub(super) text_bytes: u64,
}

impl Plain {
    /// Reads a checked expression; `None` when it is not plain.
    pub(super) fn of(node: &IdedExpr) -> Option<Self> {
        match &node.expr {
            Expr::Literal(LiteralValue::Boolean(is)) => Some(Self::Literal(*is.inner())),
            Expr::Select(select) => field(select).and_then(|(variable, field)| Self::named(variable, field)),
            Expr::Call(call) => Self::call(call),
            _ => None,
        }
    }

    /// A field that is true or false.
    pub(super) fn named(variable: &str, field: &str) -> Option<Self> {
        match (variable, field) {
            ("query", "stream") => Some(Self::Stream),
            ("caller", "authenticated") => Some(Self::Authenticated),
            _ => None,
        }
    }

    /// Whether it depends on the query.
    pub(super) fn reads_query(&self) -> bool {
        let text = |text: &Text| matches!(text, Text::Fact(fact) if fact.is_of_query());
        match self {
            Self::Literal(_) | Self::Authenticated => false,
            Self::Stream => true,
            Self::Not(inner) => inner.reads_query(),
            Self::And(both) | Self::Or(both) => both.iter().any(Self::reads_query),
            Self::Texts(_, texts) => texts.iter().any(text),
            Self::Numbers(_, numbers) => numbers.iter().any(|number| !matches!(number, Number::Literal(_))),
            Self::In(one, list) => text(one) || matches!(list, List::Tools),
            Self::Matches(one, _) => text(one),
        }
    }

    fn call(call: &CallExpr) -> Option<Self> {
        match (call.func_name.as_str(), call.target.as_deref(), call.args.as_slice()) {
            (LOGICAL_NOT, None, [inner]) => Some(Self::Not(Box::new(Self::of(inner)?))),
            (LOGICAL_AND, None, [a, b]) => Some(Self::And(Box::new([Self::of(a)?, Self::of(b)?]))),
            (LOGICAL_OR, None, [a, b]) => Some(Self::Or(Box::new([Self::of(a)?, Self::of(b)?]))),
            (operators::IN, None, [text, list]) => Some(Self::In(Text::of(text)?, List::of(list)?)),
            (MATCHES, None, [text, number]) => {
                let Number::Literal(number) = Number::of(number)? else { return None };
                Some(Self::Matches(Text::of(text)?, usize::try_from(number).ok()?))
            }
            ("contains", Some(text), [part]) => Self::texts(Comparison::Contains, text, part),
            ("startsWith", Some(text), [part]) => Self::texts(Comparison::StartsWith, text, part),
            ("endsWith", Some(text), [part]) => Self::texts(Comparison::EndsWith, text, part),
            (name, None, [a, b]) => {
                let relation = match name {
                    operators::EQUALS => Relation::Equal,
                    operators::NOT_EQUALS => Relation::NotEqual,
                    operators::LESS => Relation::Less,
                    operators::LESS_EQUALS => Relation::LessOrEqual,
                    operators::GREATER => Relation::Greater,
                    operators::GREATER_EQUALS => Relation::GreaterOrEqual,
                    _ => return None,
                };
                match (relation, Number::of(a).zip(Number::of(b))) {
                    (relation, Some((a, b))) => Some(Self::Numbers(relation, [a, b])),
                    (Relation::Equal, None) => Self::texts(Comparison::Equal, a, b),
                    (Relation::NotEqual, None) => Self::texts(Comparison::NotEqual, a, b),
                    (_, None) => None,
                }
            }
            _ => None,
        }
    }

    fn texts(comparison: Comparison, a: &IdedExpr, b: &IdedExpr) -> Option<Self> {
        Some(Self::Texts(comparison, Box::new([Text::of(a)?, Text::of(b)?])))
    }

    /// A fact and the text that it must be for this to hold.
    pub(super) fn needs(&self) -> Option<(Fact, &str)> {
        match self {
            Self::Texts(Comparison::Equal, texts) => match &**texts {
                [Text::Fact(fact), Text::Literal(text)] | [Text::Literal(text), Text::Fact(fact)] => {
                    Some((*fact, text))
                }
                _ => None,
            },
            Self::And(both) => both.iter().find_map(Self::needs),
            _ => None,
        }
    }

    /// Whether it holds.
    pub(super) fn holds(&self, seen: &Seen<'_>) -> bool {
        match self {
            Self::Literal(is) => *is,
            Self::Stream => seen.query.stream,
            Self::Authenticated => seen.context.caller.user.is_some(),
            Self::Not(inner) => !inner.holds(seen),
            Self::And(both) => both.iter().all(|one| one.holds(seen)),
            Self::Or(both) => both.iter().any(|one| one.holds(seen)),
            Self::Texts(comparison, texts) => {
                let [a, b] = &**texts;
                let (a, b) = (a.read(seen), b.read(seen));
                match comparison {
                    Comparison::Equal => a == b,
                    Comparison::NotEqual => a != b,
                    Comparison::Contains => a.contains(b),
                    Comparison::StartsWith => a.starts_with(b),
                    Comparison::EndsWith => a.ends_with(b),
                }
            }
            Self::Numbers(relation, [a, b]) => {
                let (a, b) = (a.read(seen), b.read(seen));
                match relation {
                    Relation::Equal => a == b,
                    Relation::NotEqual => a != b,
                    Relation::Less => a < b,
                    Relation::LessOrEqual => a <= b,
                    Relation::Greater => a > b,
                    Relation::GreaterOrEqual => a >= b,
                }
            }
            Self::In(text, list) => {
                let text = text.read(seen);
                let list = match list {
                    List::Literal(list) => list,
                    List::Groups => &seen.context.caller.groups,
                    List::Tools => &seen.query.tools,
                };
                list.iter().any(|one| one == text)
            }
            Self::Matches(text, number) => {
                seen.patterns.0.get(*number).is_some_and(|pattern| pattern.is_match(text.read(seen)))
            }
        }
    }
}

/// `query.model` as its two names; not what stands on anything else than a variable, and no test for presence.
fn field(select: &SelectExpr) -> Option<(&str, &str)> {
    match &select.operand.expr {
        Expr::Ident(name) if !select.test => Some((name, &select.field)),
        _ => None,
    }
}

impl Text {
    fn of(node: &IdedExpr) -> Option<Self> {
        match &node.expr {
            Expr::Literal(LiteralValue::String(text)) => Some(Self::Literal(text.inner().to_owned())),
            Expr::Select(select) => {
                field(select).and_then(|(variable, field)| Fact::named(variable, field)).map(Self::Fact)
            }
            _ => None,
        }
    }

    fn read<'s>(&'s self, seen: &Seen<'s>) -> &'s str {
        match self {
            Self::Literal(text) => text,
            Self::Fact(fact) => fact.read(seen),
        }
    }
}

impl Relation {
    /// By its sign.
    pub(super) fn named(sign: &str) -> Option<Self> {
        Some(match sign {
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }
}

impl Fact {
    /// The fact in a field.
    pub(super) fn named(variable: &str, field: &str) -> Option<Self> {
        Some(match (variable, field) {
            ("query", "operation") => Self::Operation,
            ("query", "model") => Self::Model,
            ("query", "adapter") => Self::Adapter,
            ("query", "route") => Self::Route,
            ("caller", "user") => Self::User,
            ("workload", "namespace") => Self::Namespace,
            ("workload", "name") => Self::Workload,
            _ => return None,
        })
    }

    const fn is_of_query(self) -> bool {
        match self {
            Self::Operation | Self::Model | Self::Adapter | Self::Route => true,
            Self::User | Self::Namespace | Self::Workload => false,
        }
    }

    pub(super) fn read<'s>(self, seen: &Seen<'s>) -> &'s str {
        match self {
            Self::Operation => seen.query.operation.name(),
            Self::Model => seen.query.model.as_deref().unwrap_or_default(),
            Self::Adapter => seen.query.adapter.as_deref().unwrap_or_default(),
            Self::Route => seen.context.path,
            Self::User => seen.context.caller.user.as_deref().unwrap_or_default(),
            Self::Namespace => &seen.context.workload.namespace,
            Self::Workload => &seen.context.workload.name,
        }
    }
}

impl Number {
    fn of(node: &IdedExpr) -> Option<Self> {
        match &node.expr {
            Expr::Literal(LiteralValue::Int(number)) => Some(Self::Literal(*number.inner())),
            Expr::Select(select) => field(select).and_then(|(variable, field)| Self::named(variable, field)),
            _ => None,
        }
    }

    /// The number in a field.
    pub(super) fn named(variable: &str, field: &str) -> Option<Self> {
        Some(match (variable, field) {
            ("query", "tokensEstimate") => Self::Tokens,
            ("query", "textBytes") => Self::TextBytes,
            ("query", "choices") => Self::Choices,
            ("query", "tokensMax") => Self::TokensMax,
            _ => return None,
        })
    }

    fn read(self, seen: &Seen<'_>) -> i64 {
        let number = match self {
            Self::Literal(number) => return number,
            Self::Tokens => seen.tokens,
            Self::TextBytes => seen.text_bytes,
            Self::Choices => seen.query.choices,
            Self::TokensMax => seen.query.tokens_max.unwrap_or(0),
        };
        i64::try_from(number).unwrap_or(i64::MAX)
    }
}

impl List {
    fn of(node: &IdedExpr) -> Option<Self> {
        match &node.expr {
            Expr::Select(select) => field(select).and_then(|(variable, field)| Self::named(variable, field)),
            Expr::List(list) if list.optional_indices.is_empty() => {
                let texts = list.elements.iter().map(|element| match Text::of(element) {
                    Some(Text::Literal(text)) => Some(text),
                    _ => None,
                });
                texts.collect::<Option<_>>().map(Self::Literal)
            }
            _ => None,
        }
    }

    /// The list in a field.
    pub(super) fn named(variable: &str, field: &str) -> Option<Self> {
        match (variable, field) {
            ("caller", "groups") => Some(Self::Groups),
            ("query", "tools") => Some(Self::Tools),
            _ => None,
        }
    }
}
