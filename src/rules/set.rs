//! The rule set: all policies of a workload, compiled once, immutable, named by its revision.
//!
//! Guarantees: the order in which policies come does not matter; what cannot be judged safely or fast enough is refused
//! here, naming the rule, so that judging needs no limits of time.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::cel::Patterns;
use super::concerned::Concerned;
use super::exception::{Exception, Exceptions};
use super::lexicon::{Gathering, Lexicon, Unit};
use super::limits::{NODES_MAX, POLICIES_MAX, RULES_MAX};
use super::node::{Compiler, Node, Wrong};
use super::pattern;
use super::revision::{rate_key, revision, rule_key};
use super::{
    Action, ChainRef, CoverageRule, Disposition, Failure, Fallbacks, Matcher, Mode, OnError, Policy, PolicyRef,
    Retention, Rule, TextMatch,
};
use crate::base::{Digest, apart, discard};
use crate::query::RoleSet;

/// All policies that apply to one workload, compiled; immutable; named by its revision.
pub struct RuleSet {
    pub(super) revision: Digest,
    pub(super) policies: Vec<Compiled>,
    pub(super) concerned: Concerned,
    pub(super) lexicon: Lexicon,
    /// What `matches` in expressions looks for.
    pub(super) patterns: Patterns,
    /// What lifts rules for a time.
    pub(super) exceptions: Exceptions,
    /// How many rates the rules hold.
    pub(super) rates: usize,
    pub(super) retention: Retention,
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revision, policies, .. } = self;
        f.debug_struct("RuleSet").field("revision", revision).field("policies", &policies.len()).finish_non_exhaustive()
    }
}

/// One policy, ready to judge.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) name: Arc<PolicyRef>,
    pub(super) mode: Mode,
    pub(super) fallbacks: Fallbacks,
    /// How long a release carries queries that repeat the approved texts.
    pub(super) carry: Duration,
    pub(super) routes: Vec<String>,
    pub(super) coverage: Vec<(Arc<str>, CoverageRule)>,
    pub(super) rules: Vec<CompiledRule>,
}

/// One rule, ready to judge.
#[derive(Debug)]
pub(super) struct CompiledRule {
    pub(super) name: Arc<str>,
    /// Names the rule as it stands, for what is remembered of it.
    pub(super) key: Digest,
    pub(super) roles: RoleSet,
    pub(super) node: Node,
    pub(super) action: Action,
    pub(super) on_error: OnError,
}

impl Compiled {
    /// The same in memory of its own.
    fn copy(&self) -> Self {
        let rules = self.rules.iter().map(|rule| CompiledRule {
            name: Arc::from(&*rule.name),
            key: rule.key,
            roles: rule.roles,
            node: rule.node.copy(),
            action: rule.action.clone(),
            on_error: rule.on_error,
        });
        Self {
            name: Arc::new(PolicyRef::clone(&self.name)),
            mode: self.mode,
            fallbacks: self.fallbacks,
            carry: self.carry,
            routes: self.routes.clone(),
            coverage: self.coverage.iter().map(|(name, rule)| (Arc::from(&**name), rule.clone())).collect(),
            rules: rules.collect(),
        }
    }
}

/// Why a set of policies cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy `{policy}`, `{path}`: {why}")]
pub struct BuildFailure {
    /// Whose.
    pub policy: PolicyRef,
    /// The field, as `rules[2].match.anyOf[0].regex`, from `spec`.
    pub path: String,
    /// What is wrong and what to do.
    pub why: String,
}

impl RuleSet {
    /// Compiles policies. The revision depends on their content only, not on the order of the list.
    pub fn build(policies: Vec<Policy>) -> Result<Self, Vec<BuildFailure>> {
        let built = Self::of(&policies);
        drop(policies);
        built
    }

    /// The same of policies that stay.
    pub fn of<'p>(policies: impl IntoIterator<Item = &'p Policy>) -> Result<Self, Vec<BuildFailure>> {
        Self::excepting(policies, &[])
    }

    /// The same with exceptions from some of their rules. The revision depends on those too.
    pub fn excepting<'p>(
        policies: impl IntoIterator<Item = &'p Policy>,
        exceptions: &[Exception],
    ) -> Result<Self, Vec<BuildFailure>> {
        let mut policies: Vec<&Policy> = policies.into_iter().collect();
        policies.sort_by(|a, b| a.name.cmp(&b.name));
        let failures = counts(&policies);
        if !failures.is_empty() {
            return Err(failures);
        }
        let mut exceptions: Vec<&Exception> = exceptions.iter().collect();
        exceptions.sort();
        let revision = revision(&policies, &exceptions);
        let retention = policies.iter().filter_map(|policy| policy.retention).min().unwrap_or(Retention::Digest);
        let ahead = pattern::ahead(policies.iter().flat_map(|p| &p.rules).flat_map(|rule| texts(&rule.matcher)));
        let (builder, built, failures) = apart(|| {
            let (mut builder, mut failures) = (Builder::default(), Vec::new());
            let built: Vec<_> = policies.iter().map(|policy| builder.policy(policy, &mut failures)).collect();
            (builder, built, failures)
        });
        if !failures.is_empty() {
            return Err(failures);
        }
        drop(ahead);
        let Builder { gathering, patterns, rates, origins } = builder;
        let lexicon = match gathering.finish() {
            Ok(lexicon) => lexicon,
            Err(costly) => return Err(vec![blame(costly.unit, costly.why, origins)]),
        };
        // INVARIANT: of what was built apart copies stay.
        let policies: Vec<_> = built.iter().map(Compiled::copy).collect();
        discard((gathering, built, origins));
        let concerned = Concerned::of(&policies, lexicon.units);
        let exceptions = Exceptions::of(&exceptions);
        Ok(Self { revision, policies, concerned, lexicon, patterns, exceptions, rates, retention })
    }

    /// Its name.
    #[must_use]
    pub const fn revision(&self) -> Digest {
        self.revision
    }

    /// How many policies it holds.
    #[must_use]
    pub fn policies(&self) -> usize {
        self.policies.len()
    }

    /// How much of a query is kept: the least that any policy says, digests where none does.
    #[must_use]
    pub const fn retention(&self) -> Retention {
        self.retention
    }

    /// Whether a policy in force lets a route of administration or state pass by name.
    #[must_use]
    pub fn allows_route(&self, method: &str, path: &str) -> bool {
        let wanted = |route: &String| route.split_once(' ') == Some((method, path));
        self.enforced().any(|policy| policy.routes.iter().any(wanted))
    }

    /// What happens to a query whose record cannot be written: refused, unless every policy in force says otherwise.
    #[must_use]
    pub fn on_audit_unavailable(&self) -> Failure {
        let mut said = self.enforced().map(|policy| policy.fallbacks.on_audit_unavailable).peekable();
        if said.peek().is_some() && said.all(|failure| failure == Failure::Allow) {
            Failure::Allow
        } else {
            Failure::Deny
        }
    }

    /// Every approval chain that its rules name, in order.
    #[must_use]
    pub fn chains(&self) -> BTreeSet<&ChainRef> {
        let of_rules = self.policies.iter().flat_map(|policy| &policy.rules).filter_map(|rule| match &rule.action {
            Action::Hold { chain } => Some(chain),
            Action::Allow | Action::Alert { .. } | Action::Redact | Action::Deny { .. } => None,
        });
        let coverage = self.policies.iter().flat_map(|policy| &policy.coverage);
        let of_coverage = coverage.filter_map(|(_, rule)| match &rule.action {
            Disposition::Hold(chain) => Some(chain),
            Disposition::Allow | Disposition::Deny => None,
        });
        of_rules.chain(of_coverage).collect()
    }

    fn enforced(&self) -> impl Iterator<Item = &Compiled> {
        self.policies.iter().filter(|policy| policy.mode == Mode::Enforce)
    }
}

/// Every condition on texts, down to the depth that a rule may have.
fn texts(matcher: &Matcher) -> Vec<&TextMatch> {
    let mut found = Vec::new();
    let mut open = vec![matcher];
    for _ in 0..NODES_MAX {
        match open.pop() {
            Some(Matcher::Any(children) | Matcher::All(children) | Matcher::None(children)) => open.extend(children),
            Some(Matcher::Text(text)) => found.push(text),
            Some(_) => {}
            None => break,
        }
    }
    found
}

/// Limits of number, and names that are not unique.
fn counts(policies: &[&Policy]) -> Vec<BuildFailure> {
    let failure = |policy: &Policy, path: &str, why: String| BuildFailure {
        policy: policy.name.clone(),
        path: path.to_owned(),
        why,
    };
    let mut failures = Vec::new();
    if let Some(policy) = policies.get(POLICIES_MAX) {
        let why = format!("more than {POLICIES_MAX} policies apply to one workload; narrow their selectors");
        failures.push(failure(policy, "selector", why));
    }
    let mut rules = 0;
    for policy in policies {
        rules += policy.rules.len() + policy.coverage.len();
        if rules > RULES_MAX {
            let why = format!("more than {RULES_MAX} rules apply to one workload; join rules that do the same");
            failures.push(failure(policy, "rules", why));
            break;
        }
    }
    for (one, other) in policies.iter().zip(policies.iter().skip(1)) {
        if one.name == other.name {
            failures.push(failure(other, "metadata.name", "there are two policies of this name".to_owned()));
        }
    }
    failures
}

#[derive(Default)]
struct Builder {
    gathering: Gathering,
    patterns: Patterns,
    rates: usize,
    /// Where each unit was asked for first, by its number.
    origins: Vec<(Unit, BuildFailure)>,
}

impl Builder {
    fn policy(&mut self, policy: &Policy, failures: &mut Vec<BuildFailure>) -> Compiled {
        let name = Arc::new(policy.name.clone());
        let mut rules = Vec::with_capacity(policy.rules.len());
        let compiled = policy.rules.iter().enumerate();
        rules.extend(compiled.filter_map(|(index, rule)| self.rule(&name, index, rule, failures)));
        let coverage = policy.coverage.iter().map(|rule| (Arc::from(rule.name.as_str()), rule.clone())).collect();
        Compiled {
            name,
            mode: policy.mode,
            fallbacks: policy.fallbacks,
            carry: policy.carry,
            routes: policy.routes.clone(),
            coverage,
            rules,
        }
    }

    fn rule(
        &mut self,
        policy: &Arc<PolicyRef>,
        index: usize,
        rule: &Rule,
        failures: &mut Vec<BuildFailure>,
    ) -> Option<CompiledRule> {
        let mut added = Vec::new();
        let mut compiler = Compiler {
            gathering: &mut self.gathering,
            rates: &mut self.rates,
            patterns: &mut self.patterns,
            rate_key: &|rate, nth| rate_key(policy, &rule.name, rate, nth),
            added: &mut added,
            nodes: 0,
            rates_here: 0,
        };
        let at = format!("rules[{index}].match");
        let compiled = compiler.node(&rule.matcher, &at, 0);
        for (unit, path) in added {
            if self.origins.len() == unit.index() {
                let failure = BuildFailure { policy: PolicyRef::clone(policy), path, why: String::new() };
                self.origins.push((unit, failure));
            }
        }
        match compiled {
            Ok((node, _)) => Some(CompiledRule {
                key: rule_key(policy, rule),
                name: rule.name.as_str().into(),
                roles: rule.roles,
                node,
                action: rule.action.clone(),
                on_error: rule.on_error,
            }),
            Err(Wrong { path, why }) => {
                failures.push(BuildFailure { policy: PolicyRef::clone(policy), path, why });
                None
            }
        }
    }
}

/// The failure of a whole set, laid at the matcher that takes the largest share.
fn blame(unit: Unit, why: String, origins: Vec<(Unit, BuildFailure)>) -> BuildFailure {
    let nobody = BuildFailure {
        policy: PolicyRef { namespace: None, name: String::new() },
        path: "rules".to_owned(),
        why: String::new(),
    };
    let origin = origins.into_iter().find(|(asked, _)| *asked == unit).map_or(nobody, |(_, failure)| failure);
    BuildFailure { why, ..origin }
}
