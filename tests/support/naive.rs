//! A deliberately naive evaluator: every rule, every text, plain regular expressions, no automaton, no windows. What it
//! says of verdicts and matched rules, the engine must say too.
//!
//! Knows nothing of how the engine works but its documented meaning. Slow, and meant to be.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use countersign::detect::Detector;
use countersign::query::{GapKind, Origin, PartKind, Query, Role};
use countersign::rules::{
    Action, CoverageRule, DecodeBudget, Disposition, Exception, Failure, Matcher, Mode, Policy, PolicyRef, Rule,
    TextMatch, Verdict, View, decoded, folded, foldings,
};
use countersign::wire::{self, Server};
use jiff::Timestamp;
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

/// Where and when a query is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The model server.
    pub(crate) server: Server,
    /// The path.
    pub(crate) path: &'a str,
    /// The moment.
    pub(crate) now: Timestamp,
    /// What loosens rules.
    pub(crate) exceptions: &'a [Exception],
}

impl Asked<'_> {
    /// The name of the first exception that lifts a rule.
    fn lifts(&self, policy: &PolicyRef, rule: &str) -> Option<String> {
        let lifting = self.exceptions.iter().filter(|one| one.policy == *policy && self.now < one.until);
        lifting.filter(|one| one.rules.iter().any(|named| named == rule)).map(|one| one.name.clone()).min()
    }
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
    /// Exception, policy and rule of everything that would have, had it not been lifted.
    pub(crate) lifted: BTreeSet<(String, String, String)>,
}

/// One reading of a text, with whom each stretch of the original belongs to.
pub(crate) struct Reading {
    text: String,
    view: Option<View>,
    /// Ends of stretches in the original, with their roles and parts.
    stretches: Vec<(usize, usize, Role, usize)>,
    joined: bool,
}

impl Opinion {
    fn weigh(&mut self, wants: Verdict, mode: Mode) {
        self.verdict_if_enforced = self.verdict_if_enforced.max(wants);
        if mode == Mode::Enforce {
            self.verdict = self.verdict.max(wants);
        }
    }

    /// Input that cannot be judged: the most restrictive of all that is said in force, Deny where nothing is.
    fn gap(&mut self, policies: &[Policy], asked: Asked<'_>, kind: GapKind, place: &str) {
        let mut said = false;
        for policy in policies {
            for entry in policy.coverage.iter().filter(|entry| concerns(entry, kind, place)) {
                let mut wants = match entry.action {
                    Disposition::Allow => Verdict::Allow,
                    Disposition::Hold(_) => Verdict::Hold,
                    Disposition::Deny => Verdict::Deny,
                };
                if let Some(exception) = asked.lifts(&policy.name, &entry.name).filter(|_| wants > Verdict::Allow) {
                    self.lifted.insert((exception, policy.name.to_string(), entry.name.clone()));
                    if wants == Verdict::Deny {
                        continue;
                    }
                    wants = Verdict::Allow;
                }
                self.matched.insert((policy.name.to_string(), entry.name.clone()));
                self.weigh(wants, policy.mode);
                said |= policy.mode == Mode::Enforce;
            }
        }
        if !said {
            self.weigh(Verdict::Deny, Mode::Enforce);
        }
    }
}

fn concerns(entry: &CoverageRule, kind: GapKind, place: &str) -> bool {
    let covers = |pattern: &String| {
        let any_index = regex_syntax::escape(pattern).replace(r"\[\*\]", r"\[[0-9]+\]");
        compiled(&format!(r"\A(?:{any_index})(?:\z|[.\[(])")).is_match(place)
    };
    entry.kinds.contains(&kind) && (entry.places.is_empty() || entry.places.iter().any(covers))
}

/// Judges a query. `cel` says what an expression answers.
pub(crate) fn judge(policies: &[Policy], query: &Query, asked: Asked<'_>, cel: &dyn Fn(&str) -> Truth) -> Opinion {
    let readings = readings(query);
    let mut opinion = Opinion {
        verdict: Verdict::Allow,
        verdict_if_enforced: Verdict::Allow,
        matched: BTreeSet::new(),
        lifted: BTreeSet::new(),
    };
    if policies.is_empty() {
        opinion.weigh(Verdict::Deny, Mode::Enforce);
    }
    for gap in query.gaps() {
        opinion.gap(policies, asked, gap.kind, &query.place(gap.place));
    }
    let sight = Sight { query, readings: &readings, asked, cel };
    for policy in policies {
        for rule in &policy.rules {
            let wants = match sight.truth(&rule.matcher, rule) {
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
            if let Some(exception) = asked.lifts(&policy.name, &rule.name) {
                opinion.lifted.insert((exception, policy.name.to_string(), rule.name.clone()));
                continue;
            }
            opinion.matched.insert((policy.name.to_string(), rule.name.clone()));
            opinion.weigh(wants, policy.mode);
        }
    }
    opinion
}

/// All that a condition may look at.
pub(crate) struct Sight<'a> {
    pub(crate) query: &'a Query,
    pub(crate) readings: &'a [Reading],
    pub(crate) asked: Asked<'a>,
    pub(crate) cel: &'a dyn Fn(&str) -> Truth,
}

impl Sight<'_> {
    pub(crate) fn truth(&self, matcher: &Matcher, rule: &Rule) -> Truth {
        let all =
            |children: &[Matcher]| -> Vec<Truth> { children.iter().map(|child| self.truth(child, rule)).collect() };
        let plain = |holds: bool| if holds { Truth::Yes } else { Truth::No };
        match matcher {
            Matcher::Any(children) => any(&all(children)),
            Matcher::None(children) => not(any(&all(children))),
            Matcher::All(children) => not(any(&all(children).into_iter().map(not).collect::<Vec<_>>())),
            Matcher::Text(text) => plain(self.readings.iter().any(|reading| holds(reading, text, rule))),
            Matcher::Cel(source) => (self.cel)(&source.0),
            Matcher::TextBytesOver(bytes) => plain(self.query.text_bytes() as u64 > *bytes),
            Matcher::TokensOver(tokens) => plain(self.query.tokens_estimate() > *tokens),
            Matcher::Operations(operations) => plain(operations.contains(&self.query.operation)),
            Matcher::Routes(routes) => plain(routes.iter().any(|route| stands_for(route, self.asked.path))),
            Matcher::Models(models) => plain(models.iter().any(|model| self.model(model))),
            // Not generated: whoever does finds out by a disagreement.
            Matcher::RateOver(_) => Truth::Error,
        }
    }

    /// Names count in every spelling that the server takes for the same.
    fn model(&self, wanted: &str) -> bool {
        let server = self.asked.server;
        let spellings = |name: &str| {
            let one = wire::canonical_model(server, name).map(|name| name.model.to_lowercase());
            [Some(name.to_lowercase()), one].into_iter().flatten().collect::<Vec<_>>()
        };
        let named = self.query.model.as_deref().or_else(|| wire::path_model(server, self.asked.path));
        let Some(named) = named.map(spellings) else { return false };
        let wanted = if wanted.ends_with('*') { vec![wanted.to_lowercase()] } else { spellings(wanted) };
        wanted.iter().any(|wanted| named.iter().any(|name| stands_for(wanted, name)))
    }
}

/// Whether a name is meant by one that may end in `*`.
fn stands_for(wanted: &str, name: &str) -> bool {
    wanted.strip_suffix('*').map_or(wanted == name, |start| name.starts_with(start))
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
pub(crate) fn readings(query: &Query) -> Vec<Reading> {
    let mut out = Vec::new();
    let mut budget = DecodeBudget::default();
    for (index, part) in query.parts().iter().enumerate() {
        let text = query.text(part);
        let stretches = vec![(0, text.len(), part.role, index)];
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
        let texts = query.parts().iter().enumerate();
        let texts = texts.filter(|(_, p)| p.kind == PartKind::Text && matches!(p.origin, Origin::Body(_)));
        for (index, part) in texts.filter(|(_, part)| !query.text(part).is_empty()) {
            if !text.is_empty() {
                text.push_str(between);
            }
            stretches.push((text.len(), text.len() + query.text(part).len(), part.role, index));
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
    !places(reading, text, rule).is_empty()
}

/// Everywhere a reading holds the text: the parts touched, with the bytes of each.
pub(crate) fn places(reading: &Reading, text: &TextMatch, rule: &Rule) -> Vec<Touched> {
    let patterns: Vec<(Rc<Regex>, bool)> = match text {
        TextMatch::Keywords { any, whole_words } => {
            any.iter().flat_map(|word| foldings(word)).map(|form| (keyword(&form), *whole_words)).collect()
        }
        TextMatch::Regex(source) => vec![(compiled(source), false)],
        TextMatch::Detector(detector) => vec![(compiled(detector.pattern), false)],
    };
    let found = patterns.iter().flat_map(|(regex, whole)| {
        matches(regex, &reading.text).into_iter().filter_map(move |range| {
            let confirmed = match text {
                TextMatch::Detector(detector) => {
                    told(detector, &reading.text, &range) && detector.confirms(&reading.text[range.clone()])
                }
                TextMatch::Keywords { .. } => !whole || alone(&reading.text, &range),
                TextMatch::Regex(_) => true,
            };
            let original = reading.view.as_ref().map_or(range.clone(), |view| view.original(range.clone()));
            let touched: Vec<_> = reading
                .stretches
                .iter()
                .filter(|(start, end, ..)| *start < original.end && original.start < *end)
                .collect();
            let counts = confirmed
                && touched.iter().all(|(_, _, role, _)| rule.roles.holds(*role))
                && (!reading.joined || touched.len() > 1);
            let bytes = |(start, end, role, part): &(usize, usize, Role, usize)| {
                let bytes = original.start.max(*start) - start..original.end.min(*end) - start;
                (*part, *role, bytes)
            };
            counts.then(|| touched.into_iter().map(bytes).collect())
        })
    });
    found.collect()
}

/// Parts that a match touches, with their roles and the bytes of each.
pub(crate) type Touched = Vec<(usize, Role, std::ops::Range<usize>)>;
/// Whether one of the words that a detector needs stands near enough.
fn told(detector: &Detector, text: &str, range: &std::ops::Range<usize>) -> bool {
    let start = range.start.saturating_sub(detector.context_bytes);
    let end = (range.end + detector.context_bytes).min(text.len());
    let near = text.as_bytes()[start..end].to_ascii_lowercase();
    let stands = |word: &&str| near.windows(word.len()).any(|bytes| bytes == word.to_ascii_lowercase().as_bytes());
    detector.keywords.is_empty() || detector.keywords.iter().any(stands)
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

thread_local! {
    /// Patterns compiled so far: the one thing that is too slow to do again for each text.
    static COMPILED: RefCell<HashMap<String, Rc<Regex>>> = RefCell::default();
}

fn compiled(pattern: &str) -> Rc<Regex> {
    let fresh = || Rc::new(Regex::new(pattern).expect("the tests give good patterns only"));
    COMPILED.with_borrow_mut(|known| Rc::clone(known.entry(pattern.to_owned()).or_insert_with(fresh)))
}

fn keyword(form: &str) -> Rc<Regex> {
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
