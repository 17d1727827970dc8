//! An explanation as programs get it. Texts of the query are made visible here, once for both outputs.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Serialize;

use super::super::trial::{self, Answer, Trial};
use crate::approvals::{Lines, visible};
use crate::base::Digest;
use crate::compile::Compilation;
use crate::query::{PartId, Query};
use crate::rules::{
    self, Because, Disposition, Exception, Explanation, Finding, GapExplanation, GapSaying, Judgement, Mode,
    PolicyExplanation, PolicyRef, Rates, Reason, RuleExplanation, Ruling, Verdict,
};

/// How much text is shown on each side of a match, in characters.
const AROUND_CHARS: usize = 40;
/// Longest match shown in full, in characters.
const MATCH_CHARS_MAX: usize = 120;

/// What was made of a query.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Described {
    pub(super) verdict: Verdict,
    /// The verdict if policies in Audit mode interfered too.
    pub(super) verdict_if_enforced: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'static str>,
    /// What the client would be told, or why the query is not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    pub(super) revision: Digest,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) chains: Vec<String>,
    /// The exceptions without which the verdict could be another one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) exceptions: Vec<String>,
    pub(super) policies: Vec<PolicyPart>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) gaps: Vec<GapPart>,
    /// The body as it would be forwarded, now or after a release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) forwarded: Option<String>,
    /// Whether that differs from what was asked.
    pub(super) changed: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct PolicyPart {
    pub(super) policy: String,
    pub(super) mode: &'static str,
    pub(super) rules: Vec<RulePart>,
}

#[derive(Debug, Serialize)]
pub(super) struct RulePart {
    pub(super) rule: String,
    pub(super) verdict: Verdict,
    pub(super) result: Outcome,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) matches: Vec<MatchPart>,
    /// Why it does not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) because: Vec<BecausePart>,
    /// What lifts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exception: Option<ExceptionPart>,
}

#[derive(Debug, Serialize)]
pub(super) struct ExceptionPart {
    pub(super) name: String,
    pub(super) until: String,
    pub(super) approver: String,
    pub(super) reason: String,
}

/// What a rule said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Matched,
    Unmatched,
    Failed,
}

#[derive(Debug, Serialize)]
pub(super) struct MatchPart {
    pub(super) matcher: String,
    pub(super) place: String,
    /// Each stretch of text that matched; one match may span several parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) texts: Vec<TextPart>,
}

#[derive(Debug, Serialize)]
pub(super) struct TextPart {
    pub(super) place: String,
    pub(super) role: &'static str,
    /// Bytes of the part's text.
    pub(super) bytes: Range<usize>,
    pub(super) before: String,
    pub(super) text: String,
    pub(super) after: String,
}

#[derive(Debug, Serialize)]
pub(super) struct BecausePart {
    pub(super) field: String,
    pub(super) why: String,
}

#[derive(Debug, Serialize)]
pub(super) struct GapPart {
    pub(super) kind: &'static str,
    pub(super) place: String,
    /// What each policy says of it; Deny when none says anything.
    pub(super) said: Vec<String>,
}

impl Described {
    /// Judges the query, and asks every rule why.
    pub(super) fn of(trial: &Trial<'_>, compilation: &Compilation) -> Self {
        match trial.judge(compilation) {
            Answer::Passed => Self::plain(Verdict::Allow, None, "the route carries no query: it passes", compilation),
            Answer::Refused { code, why } => Self::plain(Verdict::Deny, Some(code), &why, compilation),
            Answer::Judged { format, judgement } => {
                // Judging has counted the query already; the reasons are asked with counters of their own.
                let rates = Rates::default();
                let context = rules::Context { rates: &rates, ..trial.context(format) };
                let explanation = trial::query(&judgement)
                    .map(|query| (query, rules::explain(&compilation.rule_set, query, &context)));
                Self::judged(trial, &judgement, explanation, compilation)
            }
        }
    }

    fn plain(verdict: Verdict, code: Option<&'static str>, message: &str, compilation: &Compilation) -> Self {
        Self {
            verdict,
            verdict_if_enforced: verdict,
            code,
            message: Some(message.to_owned()),
            revision: compilation.rule_set.revision(),
            chains: Vec::new(),
            exceptions: Vec::new(),
            policies: Vec::new(),
            gaps: Vec::new(),
            forwarded: None,
            changed: false,
        }
    }

    fn judged(
        trial: &Trial<'_>,
        judgement: &Judgement,
        explanation: Option<(&Query, Explanation)>,
        compilation: &Compilation,
    ) -> Self {
        let (code, message, chains) = match &judgement.ruling {
            Ruling::Clear(_) => (None, None, Vec::new()),
            Ruling::Hold(held) => (None, None, held.chains().iter().map(ToString::to_string).collect()),
            Ruling::Deny(denial) => (Some(denial.code.name()), Some(denial.message.clone()), Vec::new()),
        };
        let (policies, gaps) = explanation.map_or_else(Default::default, |(query, explanation)| {
            let policies = explanation.policies.iter().map(|p| policy(query, p, compilation)).collect();
            (policies, explanation.gaps.iter().map(gap).collect())
        });
        let forwarded = trial::forwarded(judgement);
        let exceptions: BTreeSet<_> = judgement.excepted.iter().map(|one| one.exception.name.clone()).collect();
        Self {
            verdict: judgement.verdict,
            verdict_if_enforced: judgement.verdict_if_enforced,
            code,
            message: message.map(|m| visible(&m, Lines::Escape)),
            revision: judgement.revision,
            chains,
            exceptions: exceptions.into_iter().collect(),
            policies,
            gaps,
            changed: forwarded.is_some_and(|body| *body != trial.body),
            forwarded: forwarded.map(|body| visible(&String::from_utf8_lossy(body), Lines::Keep)),
        }
    }
}

fn policy(query: &Query, explained: &PolicyExplanation, compilation: &Compilation) -> PolicyPart {
    let rules = explained.rules.iter().enumerate();
    PolicyPart {
        policy: explained.policy.to_string(),
        mode: match explained.mode {
            Mode::Enforce => "Enforce",
            Mode::Audit => "Audit",
        },
        rules: rules.map(|(i, r)| rule(query, i, r, &explained.policy, compilation)).collect(),
    }
}

fn rule(
    query: &Query,
    index: usize,
    explained: &RuleExplanation,
    policy: &PolicyRef,
    compilation: &Compilation,
) -> RulePart {
    let (result, matches, because) = match &explained.reason {
        Reason::Matched(findings) => (Outcome::Matched, findings.iter().map(|f| found(query, f)).collect(), Vec::new()),
        Reason::NotMatched(reasons) => (Outcome::Unmatched, Vec::new(), why_not(index, reasons, policy, compilation)),
        Reason::Failed(why) => {
            let why = visible(why, Lines::Escape);
            let field = format!("spec.rules[{index}]");
            (Outcome::Failed, Vec::new(), vec![BecausePart { field, why }])
        }
    };
    let exception = explained.exception.as_deref().map(exception);
    RulePart { rule: explained.rule.to_string(), verdict: explained.verdict, result, matches, because, exception }
}

fn exception(exception: &Exception) -> ExceptionPart {
    let Exception { name, until, approver, reason, .. } = exception;
    let shown = |text: &str| visible(text, Lines::Escape);
    ExceptionPart { name: name.clone(), until: until.to_string(), approver: shown(approver), reason: shown(reason) }
}

/// The conditions that kept a rule from matching, by the field people wrote: a group of detectors is one field.
fn why_not(index: usize, reasons: &[Because], policy: &PolicyRef, compilation: &Compilation) -> Vec<BecausePart> {
    let mut order = Vec::new();
    let mut by_field: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for reason in reasons {
        let field = compilation.written(policy, &format!("rules[{index}].{}", reason.path));
        if !by_field.contains_key(&field) {
            order.push(field.clone());
        }
        by_field.entry(field).or_default().push(&reason.why);
    }
    let told = |field: String| {
        let whys = by_field.get(&field).map(Vec::as_slice).unwrap_or_default();
        let why = match whys {
            [one] => visible(one, Lines::Escape),
            many => format!("none of {} found", many.len()),
        };
        BecausePart { field, why }
    };
    order.into_iter().map(told).collect()
}

fn found(query: &Query, finding: &Finding) -> MatchPart {
    MatchPart {
        matcher: finding.matcher.to_string(),
        place: visible(&finding.place, Lines::Escape),
        texts: finding.at.iter().filter_map(|(part, range)| text(query, *part, range)).collect(),
    }
}

fn text(query: &Query, id: PartId, range: &Range<usize>) -> Option<TextPart> {
    let part = query.part(id)?;
    let whole = query.text(part);
    let (before, text, after) = (whole.get(..range.start)?, whole.get(range.clone())?, whole.get(range.end..)?);
    let skipped = before.chars().count().saturating_sub(AROUND_CHARS);
    let before: String = before.chars().skip(skipped).collect();
    Some(TextPart {
        place: visible(&query.place(part.place), Lines::Escape),
        role: part.role.name(),
        bytes: range.clone(),
        before: format!("{}{}", if skipped > 0 { "…" } else { "" }, visible(&before, Lines::Escape)),
        text: shortened(text, MATCH_CHARS_MAX),
        after: shortened(after, AROUND_CHARS),
    })
}

fn shortened(text: &str, most: usize) -> String {
    let short: String = text.chars().take(most).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("{}{dots}", visible(&short, Lines::Escape))
}

fn gap(gap: &GapExplanation) -> GapPart {
    let said = gap.said.iter().map(|GapSaying { policy, rule, disposition, exception }| {
        let what = match disposition {
            Disposition::Allow => "Allow".to_owned(),
            Disposition::Hold(chain) => format!("Hold for {chain}"),
            Disposition::Deny => "Deny".to_owned(),
        };
        let lifted = exception.as_ref().map(|e| format!(", lifted by exception {} until {}", e.name, e.until));
        format!("{policy}/{rule}: {what}{}", lifted.unwrap_or_default())
    });
    GapPart { kind: gap.kind.name(), place: visible(&gap.place, Lines::Escape), said: said.collect() }
}
