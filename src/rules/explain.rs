//! Why each rule did or did not apply to a query, for people.
//!
//! Asks the very conditions that judging asks; says more about each. Knows nothing of how it is shown.

use std::sync::Arc;

use super::coverage::{gaps, sayings};
use super::evaluate::{Answer, Counted, Evidence, Sight};
use super::node::{Join, Leaf, Node};
use super::opinion::{finding, verdict_of};
use super::scan::scan;
use super::set::{CompiledRule, RuleSet};
use super::{Context, Disposition, Exception, Finding, Mode, PolicyRef, Verdict};
use crate::base::Digest;
use crate::base::limits::FINDINGS_MAX;
use crate::query::{GapKind, Query, RoleSet};

/// What every rule says of a query, and why.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The rule set that was asked.
    pub revision: Digest,
    /// Every policy, in canonical order.
    pub policies: Vec<PolicyExplanation>,
    /// Every gap in the coverage, in order.
    pub gaps: Vec<GapExplanation>,
}

/// What the rules of one policy say.
#[derive(Debug, Clone)]
pub struct PolicyExplanation {
    /// Which policy.
    pub policy: Arc<PolicyRef>,
    /// Whether it interferes.
    pub mode: Mode,
    /// Its rules, in order.
    pub rules: Vec<RuleExplanation>,
}

/// What one rule says.
#[derive(Debug, Clone)]
pub struct RuleExplanation {
    /// Which rule.
    pub rule: Arc<str>,
    /// What it wants when it matches.
    pub verdict: Verdict,
    /// Whether it does, and why.
    pub reason: Reason,
    /// What lifts it: then it asks for nothing, whether or not it matches.
    pub exception: Option<Arc<Exception>>,
}

/// Why a rule applies or does not.
#[derive(Debug, Clone)]
pub enum Reason {
    /// It matches, here.
    Matched(Vec<Finding>),
    /// It does not, because of these conditions.
    NotMatched(Vec<Because>),
    /// It could not be judged.
    Failed(String),
}

/// One condition that kept a rule from matching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Because {
    /// Which condition: `match.allOf[1].keywords`.
    pub path: String,
    /// What it answered.
    pub why: String,
}

/// What is done about one gap in the coverage.
#[derive(Debug, Clone)]
pub struct GapExplanation {
    /// Why it cannot be judged.
    pub kind: GapKind,
    /// Where.
    pub place: String,
    /// What each entry that concerns it says.
    pub said: Vec<GapSaying>,
}

/// What one entry says of a gap.
#[derive(Debug, Clone)]
pub struct GapSaying {
    /// Whose entry.
    pub policy: Arc<PolicyRef>,
    /// The entry's name.
    pub rule: Arc<str>,
    /// What it says.
    pub disposition: Disposition,
    /// What lifts it: `Deny` counts as if it were not there, `Hold` as `Allow`.
    pub exception: Option<Arc<Exception>>,
}

/// Explains a query. Rates are counted as by judging, so give a context with counters of its own.
#[must_use]
pub fn explain(set: &RuleSet, query: &Query, context: &Context<'_>) -> Explanation {
    let scan = scan(&set.lexicon, query);
    let mut counted = Counted::new(set.rates);
    let mut sight = Sight::new(set, query, context, &scan, &mut counted);
    let mut policies = Vec::with_capacity(set.policies.len());
    for policy in &set.policies {
        let rules = policy.rules.iter().map(|rule| {
            let mut evidence = Vec::new();
            let reason = match sight.ask(&rule.node, rule.roles, &mut evidence) {
                Answer::Yes => {
                    let shown = evidence.iter().take(FINDINGS_MAX);
                    Reason::Matched(shown.map(|one| finding(query, policy, rule, one)).collect())
                }
                Answer::No => Reason::NotMatched(reasons(&mut sight, rule)),
                Answer::Unknown(why) => Reason::Failed(why),
            };
            let exception = set.exceptions.from(&policy.name, &rule.name, context.now).cloned();
            RuleExplanation { rule: Arc::clone(&rule.name), verdict: verdict_of(&rule.action), reason, exception }
        });
        let rules = rules.collect();
        policies.push(PolicyExplanation { policy: Arc::clone(&policy.name), mode: policy.mode, rules });
    }
    let gaps = gaps(query, &scan.beyond).into_iter().map(|gap| {
        let said = sayings(set, &gap, context.now).into_iter().map(|one| GapSaying {
            policy: Arc::clone(one.policy),
            rule: Arc::clone(one.rule),
            disposition: one.action.clone(),
            exception: one.exception.cloned(),
        });
        let said = said.collect();
        GapExplanation { kind: gap.kind, place: gap.place, said }
    });
    Explanation { revision: set.revision, policies, gaps: gaps.collect() }
}

fn reasons(sight: &mut Sight<'_>, rule: &CompiledRule) -> Vec<Because> {
    let mut out = Vec::new();
    Asking { sight, roles: rule.roles, out: &mut out }.not(&rule.node, "match");
    out
}

/// Finds the conditions behind a no.
struct Asking<'s, 'a> {
    sight: &'s mut Sight<'a>,
    roles: RoleSet,
    out: &'s mut Vec<Because>,
}

impl Asking<'_, '_> {
    fn not(&mut self, node: &Node, path: &str) {
        let (join, children) = match node {
            Node::Leaf(leaf) => {
                let (field, why) = self.absent(leaf);
                self.out.push(Because { path: format!("{path}.{field}"), why });
                return;
            }
            Node::Branch(join, children) => (*join, children),
        };
        if children.is_empty() {
            self.out.push(Because { path: path.to_owned(), why: "holds no condition".to_owned() });
        }
        let mut children: Vec<_> = children.iter().collect();
        children.sort_by_key(|child| child.position);
        for child in children {
            let mut evidence = Vec::new();
            let answer = self.sight.ask(&child.node, self.roles, &mut evidence);
            let path = format!("{path}.{}[{}]", join.name(), child.position);
            match (join, answer) {
                (Join::Any | Join::All, Answer::No) => self.not(&child.node, &path),
                (Join::None, Answer::Yes) => {
                    self.out.push(Because { path, why: format!("holds: {}", self.shown(&evidence)) });
                }
                (_, Answer::Unknown(why)) => self.out.push(Because { path, why }),
                (Join::Any | Join::All, Answer::Yes) | (Join::None, Answer::No) => {}
            }
        }
    }

    fn shown(&self, evidence: &[Evidence<'_>]) -> String {
        let Some(first) = evidence.first() else { return "it does".to_owned() };
        let part = first.text.as_ref().and_then(|(_, at)| at.first()).and_then(|(id, _)| self.sight.query.part(*id));
        let place = part.map_or_else(|| first.measured.clone(), |part| self.sight.query.place(part.place));
        format!("{} ({place})", first.matcher.as_str())
    }

    /// What a leaf that says no is called in policies, and what it saw.
    fn absent(&self, leaf: &Leaf) -> (&'static str, String) {
        match leaf {
            Leaf::Text(unit, name) => {
                let elsewhere = self.sight.scan.found(*unit, RoleSet::ALL).next().is_some();
                let field = match &**name {
                    "keyword" => "keywords",
                    "regex" => "regex",
                    _ => "detectors",
                };
                let what = if field == "detectors" { format!("`{name}` ") } else { String::new() };
                let why = if elsewhere { "found only in the text of other roles" } else { "not found" };
                (field, format!("{what}{why}"))
            }
            Leaf::Cel(_) => ("cel", "the expression is false".to_owned()),
            Leaf::TextBytesOver(bytes) => {
                ("size.textBytesOver", format!("{} bytes of text, not over {bytes}", self.sight.text_bytes))
            }
            Leaf::TokensOver(tokens) => {
                ("size.tokensOver", format!("about {} tokens, not over {tokens}", self.sight.tokens))
            }
            Leaf::RateOver(_) => ("rate", "within the rate".to_owned()),
            Leaf::Operations(_) => ("operations", format!("the operation is {}", self.sight.query.operation.name())),
            Leaf::Routes(_) => ("routes", format!("the path is {}", self.sight.context.path)),
            Leaf::Models(_) => {
                let model = self.sight.query.model.as_deref().map(|model| format!("the model is {model}"));
                ("models", model.unwrap_or_else(|| "the query names no such model".to_owned()))
            }
        }
    }
}
