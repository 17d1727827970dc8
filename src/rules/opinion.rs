//! What all rules say of one query, before anything is done about it.
//!
//! Guarantees: every rule and every gap is weighed; errors count as their rule's `onError`; policies in Audit mode are
//! weighed apart; a rule that an exception lifts is asked all the same, and what it would have done is kept. Knows nothing of bytes, postures and clearances.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::coverage::{self, NamedGap, refusal, sayings, weighty_gaps};
use super::evaluate::{Answer, Counted, Evidence, Sight};
use super::layer::Pieces;
use super::lexicon::Unit;
use super::redaction::Redaction;
use super::scan::{Scan, scan};
use super::set::{Compiled, CompiledRule, RuleSet};
use super::{
    Action, ChainRef, Context, Denial, DenialCode, Disposition, Excepted, Exception, Failure, Finding, Mode, PolicyRef,
    Verdict,
};
use crate::base::limits::FINDINGS_MAX;
use crate::query::{PartId, Query, RoleSet};

/// What all rules say together.
#[derive(Debug)]
pub(super) struct Opinion {
    pub(super) findings: Vec<Finding>,
    pub(super) alerts: Vec<(Option<String>, usize)>,
    /// Of policies in force.
    pub(super) verdict: Verdict,
    /// With every policy in force.
    pub(super) verdict_if_enforced: Verdict,
    pub(super) chains: BTreeSet<ChainRef>,
    pub(super) denial: Option<Denial>,
    pub(super) redactions: Vec<Redaction>,
    /// Whether a rule in force asks for a redaction but names no text.
    pub(super) redacts_nothing: bool,
    /// Whether an error was let through by a switch.
    pub(super) failed_open: bool,
    /// Rules that exceptions lifted, at most `FINDINGS_MAX`.
    pub(super) excepted: Vec<Excepted>,
}

/// Looks for everything and weighs it. What `counted` holds already is not counted again.
pub(super) fn opinion(set: &RuleSet, query: &Query, context: &Context<'_>, counted: &mut Counted) -> (Opinion, Scan) {
    let scan = scan(&set.lexicon, query);
    let mut weighing = Weighing::new(set, query, context.now);
    for gap in weighty_gaps(set, query, &scan.beyond) {
        weighing.gap(&gap);
    }
    let mut sight = Sight::new(set, query, context, &scan, counted);
    let mut evidence = Vec::new();
    for (policy, rule) in set.concerned.by(&sight) {
        let Some(policy) = set.policies.get(policy as usize) else { continue };
        let Some(rule) = policy.rules.get(rule as usize) else { continue };
        evidence.clear();
        match sight.ask(&rule.node, rule.roles, &mut evidence) {
            Answer::No => {}
            Answer::Yes | Answer::Unknown(_) if weighing.lifted(policy, rule) => {}
            Answer::Yes => weighing.matched(policy, rule, &evidence),
            Answer::Unknown(why) => weighing.failed(policy, rule, &why),
        }
    }
    (weighing.finish(), scan)
}

/// The verdict an action asks for.
pub(super) const fn verdict_of(action: &Action) -> Verdict {
    match action {
        Action::Allow => Verdict::Allow,
        Action::Alert { .. } => Verdict::Alert,
        Action::Redact => Verdict::Redact,
        Action::Hold { .. } => Verdict::Hold,
        Action::Deny { .. } => Verdict::Deny,
    }
}

/// How many verdicts there are.
const RANKS: usize = Verdict::Deny as usize + 1;

struct Weighing<'a> {
    set: &'a RuleSet,
    query: &'a Query,
    now: Timestamp,
    opinion: Opinion,
    /// What was found, by whom: made a finding only when it is kept.
    found_by: Vec<Draft<'a>>,
    /// Units whose every finding in these roles is to be redacted already.
    redacted: Vec<(Unit, RoleSet)>,
    /// Routes to alert, by the number of the finding before findings are put in order.
    alerts: Vec<(Option<String>, usize)>,
    /// The first finding of each rule: kept before any other.
    first: BTreeSet<usize>,
    /// How many findings of rules there are of each verdict.
    found: BTreeMap<Verdict, usize>,
}

impl<'a> Weighing<'a> {
    fn new(set: &'a RuleSet, query: &'a Query, now: Timestamp) -> Self {
        let opinion = Opinion {
            findings: Vec::new(),
            alerts: Vec::new(),
            verdict: Verdict::Allow,
            verdict_if_enforced: Verdict::Allow,
            chains: BTreeSet::new(),
            denial: None,
            redactions: Vec::new(),
            redacts_nothing: false,
            failed_open: false,
            excepted: Vec::new(),
        };
        let (found_by, redacted) = (Vec::new(), Vec::new());
        Self {
            set,
            query,
            now,
            opinion,
            found_by,
            redacted,
            alerts: Vec::new(),
            first: BTreeSet::new(),
            found: BTreeMap::new(),
        }
    }

    fn weigh(&mut self, verdict: Verdict, mode: Mode) {
        let opinion = &mut self.opinion;
        opinion.verdict_if_enforced = opinion.verdict_if_enforced.max(verdict);
        if mode == Mode::Enforce {
            opinion.verdict = opinion.verdict.max(verdict);
        }
    }

    /// Keeps the denial to tell the client of: a rule's before a gap's before an error's, the first of each.
    fn deny(&mut self, denial: Denial) {
        let rank = |denial: &Denial| match denial.code {
            DenialCode::PolicyDenied => 0,
            DenialCode::NotCovered => 1,
            DenialCode::NoPolicy | DenialCode::JudgingFailed | DenialCode::RedactionFailed => 2,
        };
        if self.opinion.denial.as_ref().is_none_or(|known| rank(&denial) < rank(known)) {
            self.opinion.denial = Some(denial);
        }
    }

    /// Whether an exception lifts a rule that would have counted: then it asks for nothing, also where it failed.
    fn lifted(&mut self, policy: &Compiled, rule: &CompiledRule) -> bool {
        let Some(exception) = self.set.exceptions.from(&policy.name, &rule.name, self.now) else { return false };
        self.excepted(exception, &policy.name, &rule.name, verdict_of(&rule.action));
        true
    }

    /// Keeps what was lifted, each rule once.
    fn excepted(&mut self, exception: &Arc<Exception>, policy: &Arc<PolicyRef>, rule: &Arc<str>, verdict: Verdict) {
        let known = &mut self.opinion.excepted;
        let same = |one: &Excepted| Arc::ptr_eq(&one.policy, policy) && Arc::ptr_eq(&one.rule, rule);
        if known.len() < FINDINGS_MAX && !known.iter().any(same) {
            let (exception, policy, rule) = (Arc::clone(exception), Arc::clone(policy), Arc::clone(rule));
            known.push(Excepted { exception, policy, rule, verdict });
        }
    }

    fn matched(&mut self, policy: &'a Compiled, rule: &'a CompiledRule, evidence: &[Evidence<'a>]) {
        let verdict = verdict_of(&rule.action);
        self.weigh(verdict, policy.mode);
        let first = self.found_by.len();
        self.first.insert(first);
        let found = evidence.iter().take(self.room(verdict).max(1));
        self.found_by.extend(found.map(|one| Draft::Match(policy, rule, one.clone())));
        *self.found.entry(verdict).or_default() += self.found_by.len() - first;
        if policy.mode == Mode::Audit {
            return;
        }
        match &rule.action {
            Action::Allow => {}
            Action::Alert { route } => self.alerts.push((route.clone(), first)),
            Action::Redact => self.redact(rule.roles, evidence),
            Action::Hold { chain } => {
                self.opinion.chains.insert(chain.clone());
            }
            Action::Deny { message } => {
                let said = message
                    .clone()
                    .unwrap_or_else(|| format!("refused by rule `{}` of policy `{}`", rule.name, policy.name));
                self.deny(denial(DenialCode::PolicyDenied, said, policy, rule));
            }
        }
    }

    /// How many more findings of a verdict could be kept in the end: those before them of the same or a more restrictive
    /// verdict go first. A rule's first finding is kept whatever this says.
    fn room(&self, verdict: Verdict) -> usize {
        FINDINGS_MAX.saturating_sub(self.found.range(verdict..).map(|(_, count)| count).sum())
    }

    /// Rules often look for the same: what one of them brings already is not brought again.
    fn redact(&mut self, roles: RoleSet, evidence: &[Evidence<'_>]) {
        let known = self.redacted.len();
        let mut names_text = false;
        for same in evidence.chunk_by(|a, b| a.text.map(|text| text.0) == b.text.map(|text| text.0)) {
            let Some(Evidence { text: Some((unit, _)), .. }) = same.first() else { continue };
            names_text = true;
            if self.redacted.iter().take(known).any(|one| *one == (*unit, roles)) {
                continue;
            }
            self.redacted.push((*unit, roles));
            let name = self.set.lexicon.mark(*unit);
            let texts = same.iter().filter_map(|one| one.text);
            self.opinion.redactions.extend(texts.map(|(_, at)| Redaction { at: Pieces::clone(at), name }));
        }
        self.opinion.redacts_nothing |= !names_text;
    }

    fn failed(&mut self, policy: &Compiled, rule: &CompiledRule, why: &str) {
        let verdict = match rule.on_error {
            Failure::Deny => Verdict::Deny,
            Failure::Allow => Verdict::Allow,
        };
        self.weigh(verdict, policy.mode);
        self.first.insert(self.found_by.len());
        self.found_by.push(Draft::Made(Finding {
            policy: Arc::clone(&policy.name),
            rule: Arc::clone(&rule.name),
            verdict,
            audit_only: policy.mode == Mode::Audit,
            matcher: "error".into(),
            at: Pieces::new(),
            place: why.into(),
        }));
        match (policy.mode, rule.on_error) {
            (Mode::Audit, _) => {}
            (Mode::Enforce, Failure::Allow) => self.opinion.failed_open = true,
            (Mode::Enforce, Failure::Deny) => {
                let said = format!("rule `{}` of policy `{}` could not be judged", rule.name, policy.name);
                self.deny(denial(DenialCode::JudgingFailed, said, policy, rule));
            }
        }
    }

    /// A gap counts as the most restrictive of what policies in force say of it, and as Deny when they say nothing.
    fn gap(&mut self, gap: &NamedGap) {
        let said = sayings(self.set, gap, self.now);
        let mut said_in_force = false;
        for one in &said {
            if let Some(exception) = one.lifted() {
                self.excepted(exception, one.policy, one.rule, coverage::verdict_of(one.action));
            }
            let Some(action) = one.counts() else { continue };
            let verdict = coverage::verdict_of(action);
            self.weigh(verdict, one.mode);
            self.first.insert(self.found_by.len());
            self.found_by.push(Draft::Made(Finding {
                policy: Arc::clone(one.policy),
                rule: Arc::clone(one.rule),
                verdict,
                audit_only: one.mode == Mode::Audit,
                matcher: "coverage".into(),
                at: Pieces::new(),
                place: format!("{} ({})", gap.place, gap.kind.name()).into(),
            }));
            if one.mode == Mode::Enforce {
                said_in_force = true;
                match action {
                    Disposition::Allow => {}
                    Disposition::Hold(chain) => {
                        self.opinion.chains.insert(chain.clone());
                    }
                    Disposition::Deny => self.deny(Denial {
                        code: DenialCode::NotCovered,
                        message: refusal(gap),
                        policy: Some(Arc::clone(one.policy)),
                        rule: Some(Arc::clone(one.rule)),
                    }),
                }
            }
        }
        if !said_in_force {
            self.weigh(Verdict::Deny, Mode::Enforce);
            self.deny(Denial { code: DenialCode::NotCovered, message: refusal(gap), policy: None, rule: None });
        }
    }

    /// The numbers of the findings that are kept: those that alerts point at, the first of each rule, the rest; the most
    /// restrictive of each.
    fn kept(&self) -> Vec<usize> {
        if self.found_by.len() <= FINDINGS_MAX {
            return (0..self.found_by.len()).collect();
        }
        // What is least dispensable has the lowest rank.
        let (alerting, first) = (2 * RANKS, RANKS);
        let of_verdict = |draft: &Draft<'_>| Verdict::Deny as usize - draft.verdict() as usize;
        let mut ranks: Vec<usize> = self.found_by.iter().map(|draft| alerting + first + of_verdict(draft)).collect();
        let alerted: BTreeSet<usize> = self.alerts.iter().map(|(_, finding)| *finding).collect();
        for (indexes, less) in [(&alerted, alerting), (&self.first, first)] {
            for index in indexes {
                if let Some(rank) = ranks.get_mut(*index) {
                    *rank -= less;
                }
            }
        }
        let mut by_rank: [Vec<usize>; 4 * RANKS] = Default::default();
        for (index, rank) in ranks.into_iter().enumerate() {
            if let Some(same) = by_rank.get_mut(rank).filter(|same| same.len() < FINDINGS_MAX) {
                same.push(index);
            }
        }
        by_rank.into_iter().flatten().take(FINDINGS_MAX).collect()
    }

    /// Puts findings in order and cuts them to what is kept.
    fn finish(mut self) -> Opinion {
        let mut order = self.kept();
        let verdict = |index: &usize| self.found_by.get(*index).map(Draft::verdict);
        order.sort_by_key(|index| (std::cmp::Reverse(verdict(index)), *index));
        let alerts = std::mem::take(&mut self.alerts).into_iter();
        let placed = |finding: usize| order.iter().position(|index| *index == finding);
        self.opinion.alerts = alerts.filter_map(|(route, finding)| Some((route, placed(finding)?))).collect();
        let mut places = Places { query: self.query, last: None };
        let mut findings = Vec::with_capacity(order.len());
        findings.extend(order.iter().filter_map(|index| Some(self.found_by.get(*index)?.finding(&mut places))));
        self.opinion.findings = findings;
        self.opinion
    }
}

/// A finding in the making: more are found than are kept, and most of the work is to say where.
enum Draft<'a> {
    Made(Finding),
    Match(&'a Compiled, &'a CompiledRule, Evidence<'a>),
}

impl Draft<'_> {
    const fn verdict(&self) -> Verdict {
        match self {
            Self::Made(finding) => finding.verdict,
            Self::Match(_, rule, _) => verdict_of(&rule.action),
        }
    }

    fn finding(&self, places: &mut Places<'_>) -> Finding {
        match self {
            Self::Made(finding) => finding.clone(),
            Self::Match(policy, rule, evidence) => shown(places, policy, rule, evidence),
        }
    }
}

/// Places as people write them. Findings of one part stand together, so the last one is kept.
struct Places<'q> {
    query: &'q Query,
    last: Option<(PartId, Arc<str>)>,
}

impl Places<'_> {
    fn of(&mut self, part: PartId) -> Arc<str> {
        if let Some((last, place)) = &self.last
            && *last == part
        {
            return Arc::clone(place);
        }
        let place = self.query.part(part).map(|part| self.query.place_of(part)).unwrap_or_default();
        Arc::clone(&self.last.insert((part, place.into())).1)
    }
}

fn denial(code: DenialCode, message: String, policy: &Compiled, rule: &CompiledRule) -> Denial {
    Denial { code, message, policy: Some(Arc::clone(&policy.name)), rule: Some(Arc::clone(&rule.name)) }
}

/// A finding as people and records see it.
pub(super) fn finding(query: &Query, policy: &Compiled, rule: &CompiledRule, evidence: &Evidence<'_>) -> Finding {
    shown(&mut Places { query, last: None }, policy, rule, evidence)
}

fn shown(places: &mut Places<'_>, policy: &Compiled, rule: &CompiledRule, evidence: &Evidence<'_>) -> Finding {
    let at = evidence.text.map_or_else(Pieces::new, |(_, at)| at.clone());
    let place = match at.as_slice() {
        [] => evidence.measured.as_str().into(),
        [only] => places.of(only.0),
        [first, .., last] => format!("{} to {}", places.of(first.0), places.of(last.0)).into(),
    };
    Finding {
        policy: Arc::clone(&policy.name),
        rule: Arc::clone(&rule.name),
        verdict: verdict_of(&rule.action),
        audit_only: policy.mode == Mode::Audit,
        matcher: evidence.matcher.shared(),
        at,
        place,
    }
}
