//! What a release speaks for, naively: every match of every rule that holds, as the texts it touches.
//!
//! Knows nothing of how the engine finds causes but its documented meaning.

use std::collections::BTreeSet;
use std::ops::Range;

use countersign::query::{Query, Role};
use countersign::rules::{Action, Matcher, Mode, Policy, Rule, TextMatch};

use super::naive::{Asked, Sight, Touched, Truth, places, readings};

/// The texts of those parts with their roles.
type Texts = Vec<(Role, String)>;

/// Whether people who released `first` have seen everything that holds `second`, rule by rule.
pub(crate) fn carries(
    policies: &[Policy],
    first: &Query,
    second: &Query,
    asked: Asked<'_>,
    cel: &dyn Fn(&str) -> Truth,
) -> bool {
    let all = |query: &Query| {
        let readings = readings(query);
        let sight = Sight { query, readings: &readings, asked, cel };
        let enforced = policies.iter().filter(|policy| policy.mode == Mode::Enforce);
        let rules = enforced.flat_map(|policy| policy.rules.iter().map(move |rule| (&policy.name, rule)));
        let holding = rules.filter(|(_, rule)| {
            matches!(rule.action, Action::Hold { .. }) && sight.truth(&rule.matcher, rule) == Truth::Yes
        });
        let (mut seen, mut beyond) = (BTreeSet::new(), false);
        for (policy, rule) in holding {
            let bound = of_texts(&rule.matcher, false) && !without_texts(&rule.matcher).0;
            match witnesses(&sight, &rule.matcher, rule).filter(|_| bound) {
                Some(texts) => seen.extend(texts.into_iter().map(|texts| (policy.clone(), rule.name.clone(), texts))),
                None => beyond = true,
            }
        }
        (seen, beyond)
    };
    let (seen, _) = all(first);
    let (wanted, beyond) = all(second);
    !beyond && !wanted.is_empty() && wanted.is_subset(&seen)
}

/// Whether a condition looks at texts, caller, workload and time only, and nowhere twice at what is missing.
fn of_texts(matcher: &Matcher, under_none: bool) -> bool {
    match matcher {
        Matcher::Text(_) => true,
        Matcher::Cel(source) => !source.0.contains("query"),
        Matcher::Any(children) | Matcher::All(children) => children.iter().all(|child| of_texts(child, under_none)),
        Matcher::None(children) => !under_none && children.iter().all(|child| of_texts(child, true)),
        _ => false,
    }
}

/// Whether a condition can hold, and can fail to, where no text matches.
fn without_texts(matcher: &Matcher) -> (bool, bool) {
    let all = |children: &[Matcher]| children.iter().map(without_texts).collect::<Vec<_>>();
    match matcher {
        Matcher::Any(children) => (all(children).iter().any(|c| c.0), all(children).iter().all(|c| c.1)),
        Matcher::All(children) => (all(children).iter().all(|c| c.0), all(children).iter().any(|c| c.1)),
        Matcher::None(children) => (all(children).iter().all(|c| c.1), all(children).iter().any(|c| c.0)),
        Matcher::Text(_) => (false, true),
        _ => (true, true),
    }
}

/// Every match that speaks for a condition; `None` when that cannot be said.
fn witnesses(sight: &Sight<'_>, matcher: &Matcher, rule: &Rule) -> Option<Vec<Texts>> {
    match matcher {
        Matcher::Text(text) => Some(texts(sight, text, rule)),
        Matcher::All(children) => {
            if children.iter().any(|child| sight.truth(child, rule) == Truth::No) {
                return Some(Vec::new());
            }
            let each = children.iter().map(|child| witnesses(sight, child, rule));
            Some(each.collect::<Option<Vec<_>>>()?.concat())
        }
        Matcher::Any(children) => {
            let each = children.iter().map(|child| witnesses(sight, child, rule));
            Some(each.collect::<Option<Vec<_>>>()?.concat())
        }
        other => (sight.truth(other, rule) != Truth::Error).then(Vec::new),
    }
}

fn texts(sight: &Sight<'_>, text: &TextMatch, rule: &Rule) -> Vec<Texts> {
    let all: Vec<Touched> = sight.readings.iter().flat_map(|reading| places(reading, text, rule)).collect();
    let inside: Vec<_> = all.iter().filter(|touched| touched.len() == 1).map(|touched| &touched[0]).collect();
    // Joined over speakers, and begun or ended by a match that stands by itself: that one is what was meant.
    let accident = |touched: &Touched| {
        let mixed = touched.iter().any(|(_, role, _)| *role != touched[0].1);
        let overlaps = |(part, _, bytes): &(usize, Role, Range<usize>)| {
            inside.iter().any(|(at, _, one)| at == part && one.start < bytes.end && bytes.start < one.end)
        };
        touched.len() > 1 && mixed && touched.iter().any(overlaps)
    };
    let whole = |(part, role, _): &(usize, Role, _)| (*role, sight.query.text(&sight.query.parts()[*part]).to_owned());
    all.iter().filter(|touched| !accident(touched)).map(|touched| touched.iter().map(whole).collect()).collect()
}
