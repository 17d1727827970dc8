//! Asks the conditions of a rule about one query.
//!
//! Three answers: yes, no, and an error. An error is never taken for a no: a branch answers with the error wherever
//! the child's true answer could have changed its own. Knows nothing of actions and verdicts.

use std::borrow::Cow;
use std::sync::Arc;

use super::cel::Variables;
use super::layer::Pieces;
use super::lexicon::Unit;
use super::node::{Child, Cost, Glob, Join, Leaf, Node, RateLeaf};
use super::rates::Reading;
use super::scan::Scan;
use super::{Context, RateUnit, RuleSet};
use crate::query::{Query, RoleSet};
use crate::wire::{self, Server};

/// What a condition answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// It could not be asked; why, without any text of the query.
    Unknown(String),
}

/// What a matcher is called. Borrowed, since far more is found than is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name<'a> {
    Fixed(&'static str),
    Shared(&'a Arc<str>),
}

impl Name<'_> {
    /// For whoever keeps it.
    pub(super) fn shared(self) -> Arc<str> {
        match self {
            Self::Fixed(name) => name.into(),
            Self::Shared(name) => Arc::clone(name),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Fixed(name) => name,
            Self::Shared(name) => name,
        }
    }
}

/// Why a condition answered yes.
#[derive(Debug, Clone)]
pub(super) struct Evidence<'a> {
    /// `keyword`, `regex`, a detector's name, `cel`, `size`...
    pub(super) matcher: Name<'a>,
    /// What was measured, where it was not a text.
    pub(super) measured: String,
    /// The text, if one.
    pub(super) text: Option<(Unit, &'a Pieces)>,
}

/// What the rates said of this query: counted once, however often it is judged.
#[derive(Debug, Default)]
pub(super) struct Counted(Vec<Option<Reading>>);

impl Counted {
    /// For a set with so many rates.
    pub(super) fn new(rates: usize) -> Self {
        Self(vec![None; rates])
    }

    /// Whether a rate was asked.
    pub(super) fn knows(&self, index: usize) -> bool {
        self.0.get(index).is_some_and(Option::is_some)
    }
}

/// All that conditions look at.
pub(super) struct Sight<'a> {
    pub(super) query: &'a Query,
    pub(super) context: &'a Context<'a>,
    pub(super) scan: &'a Scan,
    pub(super) counted: &'a mut Counted,
    pub(super) variables: Variables<'a>,
    pub(super) text_bytes: u64,
    pub(super) tokens: u64,
}

impl<'a> Sight<'a> {
    pub(super) fn new(
        set: &'a RuleSet,
        query: &'a Query,
        context: &'a Context<'a>,
        scan: &'a Scan,
        counted: &'a mut Counted,
    ) -> Self {
        Self {
            query,
            context,
            scan,
            counted,
            variables: Variables::new(query, context, &set.patterns),
            text_bytes: query.text_bytes() as u64,
            tokens: query.tokens_estimate(),
        }
    }

    /// Asks a condition; what speaks for a yes is added to `evidence`.
    pub(super) fn ask<'n>(&mut self, node: &'n Node, roles: RoleSet, evidence: &mut Vec<Evidence<'n>>) -> Answer
    where
        'a: 'n,
    {
        match node {
            Node::Leaf(leaf) => self.leaf(leaf, roles, evidence),
            Node::Branch(join, children) => {
                let before = evidence.len();
                let answer = match join {
                    Join::Any => self.any(children, roles, evidence),
                    Join::All => self.all(children, roles, evidence),
                    Join::None => match self.any(children, roles, evidence) {
                        Answer::Yes => Answer::No,
                        Answer::No => {
                            evidence.truncate(before);
                            evidence.push(Evidence::measured("noneOf", "none of the conditions holds".to_owned()));
                            Answer::Yes
                        }
                        unknown @ Answer::Unknown(_) => unknown,
                    },
                };
                if answer != Answer::Yes {
                    evidence.truncate(before);
                }
                answer
            }
        }
    }

    /// Every text is asked, so that all that is to be redacted is found; expressions only while nothing else says yes.
    fn any<'n>(&mut self, children: &'n [Child], roles: RoleSet, evidence: &mut Vec<Evidence<'n>>) -> Answer
    where
        'a: 'n,
    {
        let mut answer = Answer::No;
        for child in children {
            if answer == Answer::Yes && child.cost == Cost::Evaluate {
                continue;
            }
            match (self.ask(&child.node, roles, evidence), &answer) {
                (Answer::Yes, _) => answer = Answer::Yes,
                (unknown @ Answer::Unknown(_), Answer::No) => answer = unknown,
                (Answer::No | Answer::Unknown(_), _) => {}
            }
        }
        answer
    }

    fn all<'n>(&mut self, children: &'n [Child], roles: RoleSet, evidence: &mut Vec<Evidence<'n>>) -> Answer
    where
        'a: 'n,
    {
        let mut answer = Answer::Yes;
        for child in children {
            match (self.ask(&child.node, roles, evidence), &answer) {
                (Answer::No, _) => return Answer::No,
                (unknown @ Answer::Unknown(_), Answer::Yes) => answer = unknown,
                (Answer::Yes | Answer::Unknown(_), _) => {}
            }
        }
        answer
    }

    pub(super) fn leaf<'n>(&mut self, leaf: &'n Leaf, roles: RoleSet, evidence: &mut Vec<Evidence<'n>>) -> Answer
    where
        'a: 'n,
    {
        let before = evidence.len();
        match leaf {
            Leaf::Text(unit, matcher) => {
                let scan = self.scan;
                evidence.extend(scan.found(*unit, roles).map(|found| Evidence {
                    matcher: Name::Shared(matcher),
                    measured: String::new(),
                    text: Some((*unit, &found.at)),
                }));
            }
            Leaf::Cel(expression) => match expression.evaluate(&mut self.variables) {
                Ok(true) => evidence.push(Evidence::measured("cel", "the expression is true".to_owned())),
                Ok(false) => {}
                Err(why) => return Answer::Unknown(why),
            },
            Leaf::TextBytesOver(bytes) => {
                if self.text_bytes > *bytes {
                    evidence
                        .push(Evidence::measured("size", format!("{} bytes of text, over {bytes}", self.text_bytes)));
                }
            }
            Leaf::TokensOver(tokens) => {
                if self.tokens > *tokens {
                    evidence.push(Evidence::measured("size", format!("about {} tokens, over {tokens}", self.tokens)));
                }
            }
            Leaf::RateOver(rate) => evidence.extend(self.rate(rate)),
            Leaf::Operations(operations) => {
                if operations.contains(&self.query.operation) {
                    evidence.push(Evidence::measured("operation", self.query.operation.name().to_owned()));
                }
            }
            Leaf::Routes(routes) => {
                if routes.iter().any(|route| route.matches(self.context.path)) {
                    evidence.push(Evidence::measured("route", self.context.path.to_owned()));
                }
            }
            Leaf::Models(models) => evidence.extend(self.model(models)),
        }
        if evidence.len() > before { Answer::Yes } else { Answer::No }
    }

    /// Names are compared in the one form that the server gives them, so that no second spelling slips past a rule.
    fn model(&self, models: &[Glob]) -> Option<Evidence<'static>> {
        let server = self.context.server;
        let named = self.query.model.as_deref().or_else(|| wire::path_model(server, self.context.path))?;
        let name = in_one_form(server, named);
        let matches = |glob: &Glob| match glob {
            Glob::Exactly(model) => {
                model.eq_ignore_ascii_case(named) || in_one_form(server, model).eq_ignore_ascii_case(&name)
            }
            Glob::Beginning(_) => glob.matches_any_case(named) || glob.matches_any_case(&name),
        };
        models.iter().any(matches).then(|| Evidence::measured("model", named.to_owned()))
    }

    fn rate(&mut self, leaf: &RateLeaf) -> Option<Evidence<'static>> {
        let RateLeaf { key, rate, index } = leaf;
        let known = self.counted.0.get(*index).copied().flatten();
        let reading = known.unwrap_or_else(|| {
            let amount = match rate.unit {
                RateUnit::Queries => 1,
                RateUnit::Tokens => self.tokens,
            };
            self.context.rates.count(*key, &self.context.caller.rate_key, rate, amount, self.context.now)
        });
        if let Some(slot) = self.counted.0.get_mut(*index) {
            *slot = Some(reading);
        }
        let unit = match rate.unit {
            RateUnit::Queries => "queries",
            RateUnit::Tokens => "tokens",
        };
        let over = format!("over {} {unit} in {} s", rate.count_max, rate.window.as_secs_f64());
        (reading == Reading::Over).then(|| Evidence::measured("rate", over))
    }
}

/// A model name in its one form; a name that the server would not take stays as it is.
fn in_one_form(server: Server, name: &str) -> Cow<'_, str> {
    wire::canonical_model(server, name).map_or(Cow::Borrowed(name), |name| Cow::Owned(name.model))
}

impl Evidence<'_> {
    const fn measured(matcher: &'static str, measured: String) -> Self {
        Self { matcher: Name::Fixed(matcher), measured, text: None }
    }
}
