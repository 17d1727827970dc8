//! A deliberately naive evaluator: every rule, every text, plain regular expressions, no automaton, no windows. What it
//! says of verdicts and matched rules, the engine must say too.
//!
//! Knows nothing of how the engine works but its documented meaning. Slow, and meant to be.

use std::collections::BTreeSet;

use countersign::query::{Origin, PartKind, Query, Role};
use countersign::rules::{
    Action, Caller, DecodeBudget, Failure, Matcher, Mode, Policy, Rule, TextMatch, Verdict, View, decoded, folded,
    foldings,
};
use regex_automata::meta::Regex;

/// What a rule or condition answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// It cannot be said.
    Error,
}

/// What all rules say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opinion {
    /// Of policies in force.
    pub(crate) verdict: Verdict,
    /// With every policy in force.
    pub(crate) verdict_if_enforced: Verdict,
    /// Policy and rule of everything that matched or failed.
    pub(crate) matched: BTreeSet<(String, String)>,
}

/// One reading of a text, with whom each stretch of the original belongs to.
struct Reading {
    text: String,
    view: Option<View>,
    /// Ends of stretches in the original, with their roles.
    stretches: Vec<(usize, usize, Role)>,
    joined: bool,
}

/// Judges a query. `cel` says what an expression answers.
pub(crate) fn judge(policies: &[Policy], query: &Query, caller: &Caller, cel: &dyn Fn(&str) -> Truth) -> Opinion {
    let readings = readings(query);
    let mut opinion =
        Opinion { verdict: Verdict::Allow, verdict_if_enforced: Verdict::Allow, matched: BTreeSet::new() };
    let _ = caller;
    for policy in policies {
        for rule in &policy.rules {
            let wants = match truth(&rule.matcher, rule, query, &readings, cel) {
                Truth::No => continue,
                Truth::Yes => match &rule.action {
                    Action::Allow => Verdict::Allow,
                    Action::Alert { .. } => Verdict::Alert,
                    Action::Redact => Verdict::Redact,
                    Action::Hold { .. } => Verdict::Hold,
                    Action::Deny { .. } => Verdict::Deny,
                },
                Truth::Error if rule.on_error == Failure::Deny => Verdict::Deny,
                Truth::Error => Verdict::Allow,
            };
            opinion.matched.insert((policy.name.to_string(), rule.name.clone()));
            opinion.verdict_if_enforced = opinion.verdict_if_enforced.max(wants);
            if policy.mode == Mode::Enforce {
                opinion.verdict = opinion.verdict.max(wants);
            }
        }
    }
    opinion
}

fn truth(matcher: &Matcher, rule: &Rule, query: &Query, readings: &[Reading], cel: &dyn Fn(&str) -> Truth) -> Truth {
    let all = |children: &[Matcher]| -> Vec<Truth> {
        children.iter().map(|child| truth(child, rule, query, readings, cel)).collect()
    };
    let plain = |holds: bool| if holds { Truth::Yes } else { Truth::No };
    match matcher {
        Matcher::Any(children) => any(&all(children)),
        Matcher::None(children) => not(any(&all(children))),
        Matcher::All(children) => not(any(&all(children).into_iter().map(not).collect::<Vec<_>>())),
        Matcher::Text(text) => plain(readings.iter().any(|reading| holds(reading, text, rule))),
        Matcher::Cel(source) => cel(&source.0),
        Matcher::TextBytesOver(bytes) => plain(query.text_bytes() as u64 > *bytes),
        Matcher::TokensOver(tokens) => plain(query.tokens_estimate() > *tokens),
        Matcher::Operations(operations) => plain(operations.contains(&query.operation)),
        // Not generated: whoever does finds out by a disagreement.
        Matcher::RateOver(_) | Matcher::Routes(_) | Matcher::Models(_) => Truth::Error,
    }
}

fn any(children: &[Truth]) -> Truth {
    if children.contains(&Truth::Yes) {
        Truth::Yes
    } else if children.contains(&Truth::Error) {
        Truth::Error
    } else {
        Truth::No
    }
}

fn not(truth: Truth) -> Truth {
    match truth {
        Truth::Yes => Truth::No,
        Truth::No => Truth::Yes,
        Truth::Error => Truth::Error,
    }
}

/// Every part as written and in each view, and all texts joined, directly and with a space.
fn readings(query: &Query) -> Vec<Reading> {
    let mut out = Vec::new();
    let mut budget = DecodeBudget::default();
    for part in query.parts() {
        let text = query.text(part);
        let stretches = vec![(0, text.len(), part.role)];
        out.push(Reading { text: text.to_owned(), view: None, stretches: stretches.clone(), joined: false });
        if part.kind == PartKind::Number {
            continue;
        }
        let mut views = decoded(text, &mut budget);
        if let Some(view) = folded(text) {
            views.extend(view.decoded(&mut budget));
            views.push(view);
        }
        let folded: Vec<View> = views.iter().filter_map(View::folded).collect();
        for view in views.into_iter().chain(folded) {
            out.push(Reading {
                text: view.text.clone(),
                view: Some(view),
                stretches: stretches.clone(),
                joined: false,
            });
        }
    }
    for between in ["", " "] {
        let mut text = String::new();
        let mut stretches = Vec::new();
        let texts = query.parts().iter().filter(|p| p.kind == PartKind::Text && matches!(p.origin, Origin::Body(_)));
        for part in texts.filter(|part| !query.text(part).is_empty()) {
            if !text.is_empty() {
                text.push_str(between);
            }
            stretches.push((text.len(), text.len() + query.text(part).len(), part.role));
            text.push_str(query.text(part));
        }
        if let Some(view) = folded(&text) {
            out.push(Reading { text: view.text.clone(), view: Some(view), stretches: stretches.clone(), joined: true });
        }
        out.push(Reading { text, view: None, stretches, joined: true });
    }
    out
}

/// Whether a reading holds the text in parts of the rule's roles.
fn holds(reading: &Reading, text: &TextMatch, rule: &Rule) -> bool {
    let patterns: Vec<(Regex, bool)> = match text {
        TextMatch::Keywords { any, whole_words } => {
            any.iter().flat_map(|word| foldings(word)).map(|form| (keyword(&form), *whole_words)).collect()
        }
        TextMatch::Regex(source) => vec![(compiled(source), false)],
        TextMatch::Detector(detector) => vec![(compiled(detector.pattern), false)],
    };
    patterns.iter().any(|(regex, whole)| {
        matches(regex, &reading.text).into_iter().any(|range| {
            let confirmed = match text {
                TextMatch::Detector(detector) => detector.confirms(&reading.text[range.clone()]),
                TextMatch::Keywords { .. } => !whole || alone(&reading.text, &range),
                TextMatch::Regex(_) => true,
            };
            let original = reading.view.as_ref().map_or(range.clone(), |view| view.original(range.clone()));
            let touched: Vec<_> = reading
                .stretches
                .iter()
                .filter(|(start, end, _)| *start < original.end && original.start < *end)
                .collect();
            confirmed
                && touched.iter().all(|(_, _, role)| rule.roles.holds(*role))
                && (!reading.joined || touched.len() > 1)
        })
    })
}

/// All matches, those that begin inside others too.
fn matches(regex: &Regex, text: &str) -> Vec<std::ops::Range<usize>> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let Some(found) = regex.search(&regex_automata::Input::new(text).range(at..)) else { break };
        out.push(found.range());
        at = text.ceil_char_boundary(found.start() + 1);
    }
    out
}

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the tests give good patterns only")
}

fn keyword(form: &str) -> Regex {
    let words: Vec<_> = form.split_whitespace().map(regex_syntax::escape).collect();
    // Any run of white space, or one and the same joint between all words.
    let joints = [r"[\t-\r ]+", "-", "_", r"\.", "/"];
    let pattern: Vec<_> = joints.iter().map(|joint| words.join(joint)).collect();
    compiled(&ascii_any_case(&pattern.join("|")))
}

/// ASCII letters in both cases, others as they are.
fn ascii_any_case(pattern: &str) -> String {
    let mut out = String::new();
    let mut escaped = false;
    let mut class = false;
    for c in pattern.chars() {
        class = (class || c == '[') && c != ']';
        if c.is_ascii_alphabetic() && !escaped && !class {
            out.extend(['[', c.to_ascii_lowercase(), c.to_ascii_uppercase(), ']']);
        } else {
            out.push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    out
}

fn alone(text: &str, range: &std::ops::Range<usize>) -> bool {
    let word = |c: char| c == '_' || c.is_alphanumeric();
    let pair = |a: Option<char>, b: Option<char>| a.is_some_and(word) && b.is_some_and(word);
    let inside = &text[range.clone()];
    !pair(text[..range.start].chars().next_back(), inside.chars().next())
        && !pair(inside.chars().next_back(), text[range.end..].chars().next())
}
