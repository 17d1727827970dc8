//! Rule set x query -> judgement.
//!
//! # Flow
//! `compile` hands in [`Policy`] values; [`RuleSet::build`] makes one immutable, matched-in-one-pass set, named by its
//! revision; [`judge`] reads a query against it and answers with a [`Judgement`].
//!
//! Inside: `set` compiles policies, with `node` for conditions, `lexicon`, `pattern` and `atoms` for what is looked for in
//! texts, and `cel`; `scan` reads a query once (`layer`, `view`); `concerned` says which conditions `evaluate` asks,
//! `opinion` and `coverage` gather what they say, `exception` lifts some of it, `judge` and `redaction` do it; `cause` and
//! `similar` say what holds a query and which others are like it, `explain` says why.
//!
//! # Guarantees
//! * All rules are judged; the most restrictive verdict wins; an error counts as the rule's `onError`.
//! * Adding a rule never loosens a verdict; adding an [`Exception`] loosens the rules that it names, until its end, and nothing
//!   else.
//! * A [`Clearance`] can be made here only, and owns the very bytes that may be forwarded.
//! * No prompt makes matching slow: patterns run only where a literal of theirs was found, in bounded windows, and a
//!   rule set whose worst case is over its budget is refused by [`RuleSet::build`].
//!
//! # Limits
//! All in `limits`, and those of the whole decision path in [`crate::base::limits`]. Policies in Audit mode count as
//! policies: a workload that has only such lets queries pass, and records them.
//!
//! # Errors
//! [`BuildFailure`] names the policy, the field and what to do. Judging itself never fails.
//!
//! Knows nothing of Kubernetes, YAML, HTTP or where time comes from.

mod ascii;
mod atoms;
mod cause;
mod cel;
mod concerned;
mod context;
mod coverage;
mod engine;
mod evaluate;
mod exception;
mod explain;
mod guard;
mod judge;
mod judgement;
mod layer;
mod lexicon;
mod limits;
mod literals;
mod marks;
mod node;
mod numbers;
mod opinion;
mod pattern;
mod policy;
mod probe;
mod rates;
mod redaction;
mod revision;
mod scan;
mod set;
mod similar;
mod view;

pub use cause::{CAUSES_MAX, Cause, Causes};
pub use context::{Caller, Context, Posture, Workload};
pub use exception::{Excepted, Exception};
pub use explain::{
    Because, Explanation, GapExplanation, GapSaying, PolicyExplanation, Reason, RuleExplanation, explain,
};
pub use judge::{judge, observe, pass};
pub use judgement::{Basis, Clearance, Denial, DenialCode, Finding, Held, Judgement, Ruling, Verdict};
pub use policy::{
    Action, CelExpr, ChainRef, CoverageRule, Disposition, Failure, Fallbacks, Matcher, Mode, OnError, Policy,
    PolicyRef, Rate, RateUnit, Retention, Rule, Subject, TextMatch,
};
pub use rates::Rates;
pub use set::{BuildFailure, RuleSet};
pub use similar::Similar;
pub use view::{DecodeBudget, View, ViewKind, decoded, folded, foldings};

#[cfg(test)]
mod detector_tests;
#[cfg(test)]
mod tests;
