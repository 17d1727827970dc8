//! Why a query is held, by the very texts that hold it: what a release may be remembered for.
//!
//! Asked of held queries only, and anew: judging stops where the verdict is known and keeps a limited number of findings,
//! while a cause that is overlooked here would let text pass that nobody has seen. Guarantees: whatever holds a query is
//! either a [`Cause`], inside texts that the cause names by their digests, or said to lie beyond. Knows nothing of people,
//! of time, or of what was released before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::coverage::{gaps, sayings};
use super::evaluate::{Answer, Counted, Sight};
use super::node::{Child, Join, Leaf, Node};
use super::scan::{Found, Scan};
use super::set::{Compiled, CompiledRule, RuleSet};
use super::similar::{Likeness, Similar};
use super::{Action, ChainRef, Context, Disposition, Mode, PolicyRef};
use crate::base::limits::FINDINGS_MAX;
use crate::base::{Digest, Hasher};
use crate::query::{PartId, Query, RoleSet};

/// Most causes of one query: with more, nobody has seen them all, as no more findings than this are shown either.
pub const CAUSES_MAX: usize = FINDINGS_MAX;

/// A match of a holding rule that lies wholly inside texts of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Whose rule.
    pub policy: Arc<PolicyRef>,
    /// The rule's name.
    pub rule: Arc<str>,
    /// Who has to be asked.
    pub chain: ChainRef,
    /// Names workload, caller, the rule as it stands, and the texts with their roles, in order.
    pub key: Digest,
    /// How long the policy lets a release carry it; zero for not at all.
    pub carry_for: Duration,
}

/// Everything that holds a query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Causes {
    /// Inside texts. Distinct, in the order of policies and rules.
    pub texts: Vec<Cause>,
    /// Whether something holds it that is not inside texts, or more than can be kept: no release is remembered for that.
    pub beyond: bool,
}

impl Causes {
    fn beyond() -> Self {
        Self { texts: Vec::new(), beyond: true }
    }
}

/// What holds the query, of policies in force, and what makes others like it.
pub(super) fn causes(
    set: &RuleSet,
    query: &Query,
    context: &Context<'_>,
    scan: &Scan,
    counted: &mut Counted,
) -> (Causes, Option<Similar>) {
    let mut gathered = Gathered { query, digests: BTreeMap::new(), seen: BTreeSet::new(), causes: Causes::default() };
    let mut likeness = Likeness::default();
    if holding_gap(set, query, context, scan) {
        gathered.causes.beyond = true;
        likeness.unlike();
    }
    let mut sight = Sight::new(set, query, context, scan, counted);
    for policy in set.policies.iter().filter(|policy| policy.mode == Mode::Enforce) {
        for rule in &policy.rules {
            let Action::Hold { chain } = &rule.action else { continue };
            let mut ignored = Vec::new();
            let lifted = set.exceptions.from(&policy.name, &rule.name, context.now).is_some();
            if lifted || sight.ask(&rule.node, rule.roles, &mut ignored) != Answer::Yes {
                continue;
            }
            likeness.rule(&mut sight, rule, chain);
            let user = context.caller.user.as_deref();
            let inside = user.is_some() && sort(&rule.node, Under::Nothing) == Sort::Text;
            let mut walk = Walk { sight: &mut sight, roles: rule.roles };
            let texts = inside.then(|| walk.holds(&rule.node)).flatten().flatten().unwrap_or_default().texts;
            if texts.is_empty() {
                gathered.causes.beyond = true;
                continue;
            }
            let mut start = Hasher::default();
            start.field(b"countersign.dev/cause/v1");
            start.field(context.workload.namespace.as_bytes());
            start.field(context.workload.name.as_bytes());
            start.field(user.unwrap_or_default().as_bytes());
            start.field(rule.key.as_bytes());
            for witness in &texts {
                if !gathered.add(policy, rule, chain, &start, witness) {
                    return (Causes::beyond(), None);
                }
            }
        }
    }
    let similar = likeness.finish(query, context);
    (gathered.causes, similar)
}

/// Whether a gap in the coverage holds the query: nobody can say what stands there.
fn holding_gap(set: &RuleSet, query: &Query, context: &Context<'_>, scan: &Scan) -> bool {
    let gaps = gaps(query, &scan.beyond);
    let mut said = gaps.iter().flat_map(|gap| sayings(set, gap, context.now));
    said.any(|one| one.mode == Mode::Enforce && matches!(one.counts(), Some(Disposition::Hold(_))))
}

struct Gathered<'q> {
    query: &'q Query,
    digests: BTreeMap<PartId, Digest>,
    seen: BTreeSet<Digest>,
    causes: Causes,
}

impl Gathered<'_> {
    /// Adds one match; false when there are too many.
    fn add(
        &mut self,
        policy: &Compiled,
        rule: &CompiledRule,
        chain: &ChainRef,
        start: &Hasher,
        witness: &Witness,
    ) -> bool {
        let mut hasher = start.clone();
        hasher.field(&witness.facts.len().to_be_bytes());
        for fact in &witness.facts {
            hasher.field(fact.as_bytes());
        }
        for parts in &witness.at {
            hasher.field(&parts.len().to_be_bytes());
            for part in parts {
                hasher.field(self.digest(*part).as_bytes());
            }
        }
        let key = hasher.finish();
        if !self.seen.insert(key) {
            return true;
        }
        self.causes.texts.push(Cause {
            policy: Arc::clone(&policy.name),
            rule: Arc::clone(&rule.name),
            chain: chain.clone(),
            key,
            carry_for: policy.carry,
        });
        self.causes.texts.len() <= CAUSES_MAX
    }

    /// Of role, kind and text. Not of the place: clients drop the oldest turns, and all others move.
    fn digest(&mut self, id: PartId) -> Digest {
        let query = self.query;
        *self.digests.entry(id).or_insert_with(|| {
            let mut hasher = Hasher::default();
            if let Some(part) = query.part(id) {
                hasher.field(part.role.name().as_bytes());
                hasher.field(&[part.kind as u8]);
                hasher.field(query.text(part).as_bytes());
            }
            hasher.finish()
        })
    }
}

/// What it takes for a condition to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    /// A text that matches, whatever else.
    Text,
    /// No text by itself: facts that are the same ones each time or asked each time (who asks, when, which model and
    /// route), and texts where such a fact would be enough.
    Beside,
    /// Anything else.
    Other,
}

/// Whether a `noneOf` stands above a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Under {
    Nothing,
    NoneOf,
}

/// INVARIANT: a condition of sort `Text` cannot be made to hold without a match that [`Walk`] finds.
fn sort(node: &Node, under: Under) -> Sort {
    match node {
        Node::Leaf(Leaf::Text(..)) => Sort::Text,
        Node::Leaf(Leaf::Cel(expression)) if !expression.reads_query() => Sort::Beside,
        Node::Leaf(Leaf::Operations(_) | Leaf::Routes(_) | Leaf::Models(_)) if under == Under::Nothing => Sort::Beside,
        Node::Leaf(_) => Sort::Other,
        Node::Branch(join, children) => {
            let under = if *join == Join::None { Under::NoneOf } else { under };
            let sorts: BTreeSet<Sort> = children.iter().map(|child| sort(&child.node, under)).collect();
            let (text, beside) = (sorts.contains(&Sort::Text), sorts.contains(&Sort::Beside));
            match join {
                _ if sorts.is_empty() || sorts.contains(&Sort::Other) => Sort::Other,
                // What a `noneOf` inside a `noneOf` finds is a match again, and nobody would say where.
                Join::None if nested_none(children) => Sort::Other,
                Join::All if text => Sort::Text,
                // One of them alone is enough, so with a fact among texts no text is needed.
                Join::Any if text && !beside => Sort::Text,
                // That a text is missing was so when people looked, and is asked each time.
                Join::All | Join::Any | Join::None => Sort::Beside,
            }
        }
    }
}

pub(super) fn nested_none(children: &[Child]) -> bool {
    children.iter().any(|child| match &child.node {
        Node::Leaf(_) => false,
        Node::Branch(Join::None, _) => true,
        Node::Branch(Join::Any | Join::All, children) => nested_none(children),
    })
}

/// Asks every condition of a rule, also where the answer is known already, and gathers all that speaks for it.
struct Walk<'w, 'a> {
    sight: &'w mut Sight<'a>,
    roles: RoleSet,
}

/// What speaks for a condition that holds.
#[derive(Default)]
struct Evidence {
    /// Every match, each once.
    texts: BTreeSet<Witness>,
    /// Which model, route or operation.
    facts: BTreeSet<String>,
}

/// A match, and the facts that had to stand beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Witness {
    /// The parts it lies in, those of each condition that it takes in a list of their own.
    at: Vec<Vec<PartId>>,
    facts: BTreeSet<String>,
}

impl Witness {
    fn of(found: &Found) -> Self {
        Self { at: vec![found.at.iter().map(|(part, _)| *part).collect()], facts: BTreeSet::new() }
    }

    fn with(&self, other: &Self) -> Self {
        let at = self.at.iter().chain(&other.at).cloned().collect();
        Self { at, facts: self.facts.union(&other.facts).cloned().collect() }
    }
}

impl Walk<'_, '_> {
    /// `Some(None)` when it does not hold, `None` when that cannot be said in full.
    #[expect(clippy::option_option, reason = "unknown and no are different answers")]
    fn holds(&mut self, node: &Node) -> Option<Option<Evidence>> {
        match node {
            Node::Leaf(Leaf::Text(unit, _)) => {
                let scan = self.sight.scan;
                if scan.overflowed(*unit) {
                    return None;
                }
                let mut texts: BTreeSet<Witness> = scan.found(*unit, self.roles).map(Witness::of).collect();
                if texts.is_empty() {
                    return Some(None);
                }
                texts.extend(scan.accidents(*unit, self.roles).map(Witness::of));
                Some(Some(Evidence { texts, facts: BTreeSet::new() }))
            }
            Node::Leaf(_) | Node::Branch(Join::None, _) => {
                let mut evidence = Vec::new();
                match self.sight.ask(node, self.roles, &mut evidence) {
                    Answer::Yes => {
                        let fact = matches!(node, Node::Leaf(Leaf::Operations(_) | Leaf::Routes(_) | Leaf::Models(_)));
                        let facts = evidence.iter().filter(|_| fact);
                        let facts = facts.map(|one| format!("{} {}", one.matcher.as_str(), one.measured)).collect();
                        Some(Some(Evidence { texts: BTreeSet::new(), facts }))
                    }
                    Answer::No => Some(None),
                    Answer::Unknown(_) => None,
                }
            }
            Node::Branch(Join::Any, children) => {
                let mut any: Option<Evidence> = None;
                for child in children {
                    if let Some(one) = self.holds(&child.node)? {
                        let all = any.get_or_insert_default();
                        all.texts.extend(one.texts);
                        all.facts.extend(one.facts);
                    }
                }
                Some(any)
            }
            Node::Branch(Join::All, children) => self.all(children),
        }
    }

    /// What takes several texts is a match of these very texts together: each of them may have been released beside
    /// another one, and people have not seen these two side by side.
    #[expect(clippy::option_option, reason = "as in `holds`")]
    fn all(&mut self, children: &[Child]) -> Option<Option<Evidence>> {
        let mut all = Evidence::default();
        for child in children {
            let Some(one) = self.holds(&child.node)? else { return Some(None) };
            all.facts.extend(one.facts);
            if all.texts.is_empty() {
                all.texts = one.texts;
            } else if !one.texts.is_empty() {
                if all.texts.len().saturating_mul(one.texts.len()) > CAUSES_MAX {
                    return None;
                }
                let pairs = all.texts.iter().flat_map(|first| one.texts.iter().map(|second| first.with(second)));
                all.texts = pairs.collect();
            }
        }
        let facts = &all.facts;
        let beside = |mut witness: Witness| {
            witness.facts.extend(facts.iter().cloned());
            witness
        };
        all.texts = std::mem::take(&mut all.texts).into_iter().map(beside).collect();
        Some(Some(all))
    }
}
