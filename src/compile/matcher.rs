//! Conditions -> strict matchers. Keeps which field each matcher came from, so that what only building finds out can be
//! shown at that field.

use std::collections::{BTreeMap, BTreeSet};

use super::limits::{CEL_BYTES_MAX, COUNT_MAX, MATCH_DEPTH_MAX, RATE_WINDOW_MAX, RATE_WINDOW_MIN};
use super::path::FieldPath;
use super::report::Report;
use super::suggest;
use super::text::{bounded_list, keywords, pattern_name, regex, span_of_time};
use crate::api::policy::{self as loose, Keywords, Match, OneOrMany};
use crate::detect;
use crate::rules::{CelExpr, Matcher, Rate, RateUnit, TextMatch};

/// Where matchers came from: the path of the strict matcher from `spec`, and the field as it was written.
#[derive(Debug, Default)]
pub(super) struct Trail(BTreeMap<String, Written>);

/// What people wrote for a strict matcher.
#[derive(Debug)]
pub(super) struct Written {
    /// The field.
    pub(super) field: FieldPath,
    /// Which detector, when the field names a group of them.
    pub(super) detector: Option<&'static str>,
}

impl Trail {
    fn mark(&mut self, strict: &FieldPath, loose: &FieldPath) {
        self.mark_detector(strict, loose, None);
    }

    fn mark_detector(&mut self, strict: &FieldPath, loose: &FieldPath, detector: Option<&'static str>) {
        self.0.insert(strict.as_str().to_owned(), Written { field: loose.clone(), detector });
    }

    /// What stands behind a strict path: the nearest matcher around it.
    pub(super) fn find(&self, strict: &str) -> Option<&Written> {
        let mut path = strict;
        loop {
            if let Some(found) = self.0.get(path) {
                return Some(found);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}

/// One condition being read.
struct Conditions<'a, 'r> {
    report: &'a mut Report<'r>,
    trail: &'a mut Trail,
}

/// Checks a condition. `strict` is its path in the strict policy, from `spec`.
pub(super) fn strict(
    condition: &Match,
    path: &FieldPath,
    strict: &FieldPath,
    trail: &mut Trail,
    report: &mut Report<'_>,
) -> Option<Matcher> {
    Conditions { report, trail }.condition(condition, path, strict, 1)
}

impl Conditions<'_, '_> {
    fn condition(&mut self, m: &Match, path: &FieldPath, strict: &FieldPath, depth: usize) -> Option<Matcher> {
        self.trail.mark(strict, path);
        if depth > MATCH_DEPTH_MAX {
            self.report.error(path, format!("conditions nest deeper than {MATCH_DEPTH_MAX} levels"));
            return None;
        }
        let given = given(m);
        if given == 0 {
            self.report.error(path, "an empty condition matches nothing").help(
                "give at least one of `anyOf`, `allOf`, `noneOf`, `keywords`, `substrings`, `regex`, `detectors`, `cel`, \
                 `size`, `rate`, `operations`, `routes`, `models`",
            );
            return None;
        }
        let mut slots = Slots { strict, given, next: 0 };
        let mut all = self.branches(m, path, &mut slots, depth);
        all.extend(self.texts(m, path, &mut slots));
        all.extend(self.facts(m, path, &mut slots));
        contradiction(m, path, self.report);
        let mut all = all.into_iter().collect::<Option<Vec<_>>>()?;
        if all.len() == 1 { all.pop() } else { Some(Matcher::All(all)) }
    }

    fn branches(&mut self, m: &Match, path: &FieldPath, slots: &mut Slots<'_>, depth: usize) -> Vec<Option<Matcher>> {
        let mut all = Vec::new();
        if let Some(list) = &m.any_of {
            all.push(self.branch(list, &path.field("anyOf"), &slots.next(), depth).map(Matcher::Any));
        }
        if let Some(list) = &m.all_of {
            all.push(self.branch(list, &path.field("allOf"), &slots.next(), depth).map(Matcher::All));
        }
        if let Some(list) = &m.none_of {
            all.push(self.branch(list, &path.field("noneOf"), &slots.next(), depth).map(Matcher::None));
        }
        all
    }

    fn branch(&mut self, list: &[Match], path: &FieldPath, strict: &FieldPath, depth: usize) -> Option<Vec<Matcher>> {
        self.trail.mark(strict, path);
        bounded_list(list.len(), path, "condition", self.report);
        let name = path.as_str().rsplit('.').next().unwrap_or_default();
        let items: Vec<_> = list
            .iter()
            .enumerate()
            .map(|(i, m)| self.condition(m, &path.index(i), &strict.field(name).index(i), depth + 1))
            .collect();
        items.into_iter().collect()
    }

    /// Conditions on what the query says.
    fn texts(&mut self, m: &Match, path: &FieldPath, slots: &mut Slots<'_>) -> Vec<Option<Matcher>> {
        let mut all = Vec::new();
        if let Some(words) = &m.keywords {
            let path = path.field("keywords");
            self.trail.mark(&slots.next(), &path);
            all.push(Some(keyword_match(words, &path, self.report)));
        }
        if let Some(any) = &m.substrings {
            let path = path.field("substrings");
            self.trail.mark(&slots.next(), &path);
            keywords(any, &path, self.report);
            all.push(Some(Matcher::Text(TextMatch::Keywords { any: any.clone(), whole_words: false })));
        }
        if let Some(patterns) = &m.regex {
            let texts = regexes(patterns, &path.field("regex"), self.report);
            all.push(self.any_text(texts, &slots.next()));
        }
        if let Some(names) = &m.detectors {
            let texts = detectors(names, &path.field("detectors"), self.report);
            all.push(self.any_text(texts, &slots.next()));
        }
        all
    }

    /// Conditions on the query as a whole, and on who asks.
    fn facts(&mut self, m: &Match, path: &FieldPath, slots: &mut Slots<'_>) -> Vec<Option<Matcher>> {
        let mut all = Vec::new();
        let mut add = |name: &str, read: &dyn Fn(&FieldPath, &mut Report<'_>) -> Option<Matcher>| {
            let path = path.field(name);
            self.trail.mark(&slots.next(), &path);
            all.push(read(&path, self.report));
        };
        if let Some(source) = &m.cel {
            add("cel", &|path, report| cel(source, path, report));
        }
        if let Some(size) = m.size {
            add("size", &|path, report| sizes(size, path, report));
        }
        if let Some(limit) = &m.rate {
            add("rate", &|path, report| rate(limit, path, report));
        }
        if let Some(list) = &m.operations {
            add("operations", &|path, report| {
                bounded_list(list.len(), path, "operation", report);
                Some(Matcher::Operations(list.clone()))
            });
        }
        if let Some(list) = &m.routes {
            add("routes", &|path, report| Some(Matcher::Routes(routes(list, path, report))));
        }
        if let Some(list) = &m.models {
            add("models", &|path, report| Some(Matcher::Models(models(list, path, report))));
        }
        all
    }

    /// Several texts of one field: any of them. One alone needs no list around it.
    fn any_text(&mut self, texts: Vec<(FieldPath, Option<TextMatch>)>, strict: &FieldPath) -> Option<Matcher> {
        let alone = texts.len() == 1;
        for (i, (path, text)) in texts.iter().enumerate() {
            let strict = if alone { strict.clone() } else { strict.field("anyOf").index(i) };
            let detector = match text {
                Some(TextMatch::Detector(detector)) => Some(detector.name),
                Some(TextMatch::Keywords { .. } | TextMatch::Regex(_)) | None => None,
            };
            self.trail.mark_detector(&strict, path, detector);
        }
        let texts: Option<Vec<_>> = texts.into_iter().map(|(_, text)| text.map(Matcher::Text)).collect();
        let mut texts = texts?;
        if alone { texts.pop() } else { Some(Matcher::Any(texts)) }
    }
}

/// Where the fields of one condition go: a single one stands for the condition, several stand in an `allOf`.
struct Slots<'a> {
    strict: &'a FieldPath,
    given: usize,
    next: usize,
}

impl Slots<'_> {
    fn next(&mut self) -> FieldPath {
        let index = self.next;
        self.next += 1;
        if self.given == 1 { self.strict.clone() } else { self.strict.field("allOf").index(index) }
    }
}

/// How many fields of a condition are given.
fn given(m: &Match) -> usize {
    let branches = [&m.any_of, &m.all_of, &m.none_of].iter().filter(|b| b.is_some()).count();
    let texts = [m.keywords.is_some(), m.substrings.is_some(), m.regex.is_some(), m.detectors.is_some()];
    let facts = [
        m.cel.is_some(),
        m.size.is_some(),
        m.rate.is_some(),
        m.operations.is_some(),
        m.routes.is_some(),
        m.models.is_some(),
    ];
    branches + texts.iter().chain(&facts).filter(|given| **given).count()
}

fn keyword_match(words: &Keywords, path: &FieldPath, report: &mut Report<'_>) -> Matcher {
    let (any, whole_words, path) = match words {
        Keywords::Plain(any) => (any, true, path.clone()),
        Keywords::WithOptions(options) => (&options.any, options.whole_words, path.field("any")),
    };
    keywords(any, &path, report);
    Matcher::Text(TextMatch::Keywords { any: any.clone(), whole_words })
}

fn regexes(patterns: &OneOrMany, path: &FieldPath, report: &mut Report<'_>) -> Vec<(FieldPath, Option<TextMatch>)> {
    let list = match patterns {
        OneOrMany::One(pattern) => vec![(path.clone(), pattern)],
        OneOrMany::Many(list) => {
            bounded_list(list.len(), path, "pattern", report);
            list.iter().enumerate().map(|(i, pattern)| (path.index(i), pattern)).collect()
        }
    };
    let read = |(path, pattern): (FieldPath, &String)| {
        regex(pattern, &path, report);
        (path, Some(TextMatch::Regex(pattern.clone())))
    };
    list.into_iter().map(read).collect()
}

fn detectors(names: &[String], path: &FieldPath, report: &mut Report<'_>) -> Vec<(FieldPath, Option<TextMatch>)> {
    bounded_list(names.len(), path, "detector", report);
    let mut texts = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, name) in names.iter().enumerate() {
        let path = path.index(i);
        if let Some(found) = detect::named(name) {
            // A detector may be named alone and by its group; once is enough.
            let fresh = found.into_iter().filter(|detector| seen.insert(detector.name));
            texts.extend(fresh.map(|detector| (path.clone(), Some(TextMatch::Detector(detector)))));
            continue;
        }
        let known: Vec<_> = detect::names().chain(detect::groups().iter().map(|g| g.name)).collect();
        let help = suggest::help(name, &known);
        let groups: Vec<_> = detect::groups().iter().map(|group| group.name).collect();
        report.error(&path, format!("unknown detector `{name}`")).help(
            help.unwrap_or_else(|| {
                format!("groups of detectors are {}", suggest::list(&groups).replace(" or ", " and "))
            }),
        );
        texts.push((path, None));
    }
    texts
}

fn cel(source: &str, path: &FieldPath, report: &mut Report<'_>) -> Option<Matcher> {
    if source.trim().is_empty() {
        report.error(path, "an empty expression").help("write a condition, or leave it out");
        return None;
    }
    if source.len() > CEL_BYTES_MAX {
        report.error(path, format!("an expression is at most {CEL_BYTES_MAX} bytes long"));
        return None;
    }
    Some(Matcher::Cel(CelExpr(source.to_owned())))
}

fn sizes(size: loose::Size, path: &FieldPath, report: &mut Report<'_>) -> Option<Matcher> {
    for (field, value) in [("textBytesOver", size.text_bytes_over), ("tokensOver", size.tokens_over)] {
        if value.is_some_and(|v| v > COUNT_MAX) {
            report.error(&path.field(field), format!("no query is larger than {COUNT_MAX}"));
        }
    }
    match (size.text_bytes_over, size.tokens_over) {
        (Some(bytes), None) => Some(Matcher::TextBytesOver(bytes)),
        (None, Some(tokens)) => Some(Matcher::TokensOver(tokens)),
        (Some(bytes), Some(tokens)) => {
            Some(Matcher::All(vec![Matcher::TextBytesOver(bytes), Matcher::TokensOver(tokens)]))
        }
        (None, None) => {
            report.error(path, "a size needs `textBytesOver` or `tokensOver`");
            None
        }
    }
}

fn rate(rate: &loose::Rate, path: &FieldPath, report: &mut Report<'_>) -> Option<Matcher> {
    let window = span_of_time(&rate.per, &path.field("per"), RATE_WINDOW_MIN..=RATE_WINDOW_MAX, report);
    let (unit, field, count_max) = match (rate.queries, rate.tokens) {
        (Some(count), None) => (RateUnit::Queries, "queries", count),
        (None, Some(count)) => (RateUnit::Tokens, "tokens", count),
        (Some(_), Some(_)) => {
            report.error(path, "a rate counts `queries` or `tokens`, not both").help("write two conditions");
            return None;
        }
        (None, None) => {
            report.error(path, "a rate needs `queries` or `tokens`");
            return None;
        }
    };
    if count_max == 0 || count_max > COUNT_MAX {
        report.error(&path.field(field), format!("must be between 1 and {COUNT_MAX}"));
    }
    Some(Matcher::RateOver(Rate { unit, count_max, window: window? }))
}

fn routes(list: &[String], path: &FieldPath, report: &mut Report<'_>) -> Vec<String> {
    bounded_list(list.len(), path, "route", report);
    for (i, route) in list.iter().enumerate() {
        let path = path.index(i);
        pattern_name(route, &path, "route", report);
        if !route.starts_with('/') && !route.is_empty() {
            report.error(&path, format!("`{route}` is not a path")).help("a path begins with `/` and has no method");
        }
    }
    list.to_vec()
}

fn models(list: &[String], path: &FieldPath, report: &mut Report<'_>) -> Vec<String> {
    bounded_list(list.len(), path, "model", report);
    for (i, model) in list.iter().enumerate() {
        pattern_name(model, &path.index(i), "model name", report);
    }
    list.to_vec()
}

/// A condition that demands and forbids the same thing is never true.
fn contradiction(m: &Match, path: &FieldPath, report: &mut Report<'_>) {
    let demanded = m.all_of.iter().flatten();
    let only = m.any_of.as_deref().filter(|any| any.len() == 1).into_iter().flatten();
    let demanded: Vec<_> = demanded.chain(only).collect();
    for (i, forbidden) in m.none_of.iter().flatten().enumerate() {
        if demanded.contains(&forbidden) {
            let path = path.field("noneOf").index(i);
            report.warning(&path, "never true: the same condition is demanded beside it");
        }
    }
}

/// Whether a match of this leaves text that can be replaced.
pub(super) fn has_text(matcher: &Matcher) -> bool {
    match matcher {
        Matcher::Any(list) | Matcher::All(list) => list.iter().any(has_text),
        Matcher::Text(_) => true,
        Matcher::None(_)
        | Matcher::Cel(_)
        | Matcher::TextBytesOver(_)
        | Matcher::TokensOver(_)
        | Matcher::RateOver(_)
        | Matcher::Operations(_)
        | Matcher::Routes(_)
        | Matcher::Models(_) => false,
    }
}
