//! One pattern: a regular expression of a policy or a detector, made safe to run on any text.
//!
//! Classes and word boundaries are ASCII (`\d` is `[0-9]`): the Unicode ones fall off the fast engines as soon as a
//! text holds one letter beyond ASCII. There is no look-around and no back-reference by design.
//!
//! Guarantees: a compiled pattern never matches the empty text, and probe texts do not exhaust its lazily built states.
//! Knows nothing of rules and queries.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use aho_corasick::AhoCorasick;
use regex_automata::Input;
use regex_automata::meta::{Cache, Regex};
use regex_automata::util::captures::Captures;
use regex_syntax::ast::{self, AssertionKind, Ast, ClassPerl, ClassPerlKind, ClassSetItem};
use regex_syntax::hir::{Hir, Look};

use super::TextMatch;
use super::atoms::{Need, need};
use super::limits::{
    DETECTOR_BYTES_MAX, DFA_CACHE_BYTES_MAX, NFA_BYTES_MAX, PATTERN_BYTES_MAX, PATTERNS_MAX, SEAM_BYTES_MAX,
};
use super::probe::probe;
use crate::detect::Detector;

/// How many matches of a joined text are looked into again for others that begin inside them. Each costs a reading of the
/// pattern's reach, so without an end many small parts would cost a multiple of their size.
const RESTARTS_MAX: usize = 1_000;
/// Most bytes of states kept from one search to the next: a little less than the engine has room for, since texts full of
/// digits use most of it and would have to meet them again each time.
const STATES_KEPT_BYTES_MAX: usize = DFA_CACHE_BYTES_MAX / 8 * 7;
/// Most threads that compile patterns: a gate shares its machine with a model.
const THREADS_MAX: usize = 4;
/// Fewest patterns worth a thread.
const AHEAD_MIN: usize = 16;
/// A failed candidate of at most this length is looked into again for another that starts later.
const RETRY_BYTES_MAX: usize = 64;

/// Whether a match that begins inside another one counts too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overlaps {
    /// It does: one of them may lie in other parts.
    Counted,
    /// It does not.
    Skipped,
}

/// Whose a pattern is: those of detectors are long and few, and tests of their own hold them to be harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    Policy,
    Ours,
}

/// What an engine remembers of the texts before.
#[derive(Debug)]
struct Scratch {
    cache: Cache,
    /// What it took before the first text.
    fresh_bytes: usize,
}

/// A pattern ready to run.
#[derive(Debug)]
pub(super) struct Pattern {
    regex: Regex,
    scratch: Mutex<Option<Scratch>>,
    /// The group whose text is the finding, when the pattern names one `secret`.
    secret: Option<usize>,
    /// Bytes a match, with the words it needs round it, may span; `None` without bound.
    pub(super) reach: Option<usize>,
    /// What to look for before running it.
    pub(super) need: Need,
    /// Whether it says `^` or `$`, which mean nothing in joined texts.
    pub(super) anchored: bool,
    detector: Option<&'static Detector>,
    /// The detector's words that must stand near.
    context: Option<AhoCorasick>,
}

impl Pattern {
    /// Compiles a policy's regular expression.
    fn of_regex(source: &str) -> Result<Self, String> {
        Self::compile(source, Trust::Policy)
    }

    /// Compiles a detector.
    fn of_detector(detector: &'static Detector) -> Result<Self, String> {
        let mut pattern = Self::compile(detector.pattern, Trust::Ours)?;
        pattern.detector = Some(detector);
        if !detector.keywords.is_empty() {
            let words = AhoCorasick::builder().ascii_case_insensitive(true).build(detector.keywords);
            pattern.context = Some(words.map_err(|error| error.to_string())?);
            pattern.reach = pattern.reach.map(|reach| reach.saturating_add(detector.context_bytes));
            // A word in the text is the better need unless the pattern itself holds one as long.
            if !matches!(pattern.need, Need::Atoms(_)) {
                let words: Vec<_> = detector.keywords.iter().map(|w| w.to_ascii_lowercase().into_bytes()).collect();
                let single_spaced = words.iter().all(|w| !w.iter().any(u8::is_ascii_whitespace) && w.len() > 1);
                if single_spaced {
                    pattern.need = Need::Atoms(words);
                }
            }
        }
        Ok(pattern)
    }

    fn compile(source: &str, trust: Trust) -> Result<Self, String> {
        if trust == Trust::Policy && source.len() > PATTERN_BYTES_MAX {
            return Err(format!("is longer than {PATTERN_BYTES_MAX} bytes; a list of words belongs under `keywords`"));
        }
        let hir = parse(source)?;
        let properties = hir.properties();
        if properties.minimum_len().is_none() {
            return Err("can never match".to_owned());
        }
        if properties.minimum_len() == Some(0) {
            return Err(
                "matches the empty text, so it would match everywhere; require at least one character".to_owned()
            );
        }
        let regex = engine(&hir, trust)?;
        if trust == Trust::Policy {
            probe(&hir)?;
        }
        let secret = (0..regex.group_info().group_len(regex_automata::PatternID::ZERO))
            .find(|i| regex.group_info().to_name(regex_automata::PatternID::ZERO, *i) == Some("secret"));
        let looks = properties.look_set();
        Ok(Self {
            secret,
            reach: properties.maximum_len(),
            need: need(&hir),
            anchored: [Look::Start, Look::End].iter().any(|look| looks.contains(*look)),
            detector: None,
            context: None,
            scratch: Mutex::default(),
            regex,
        })
    }

    /// Calls `found` with each confirmed match that lies in `window` of `text`.
    pub(super) fn each(
        &self,
        text: &str,
        window: Range<usize>,
        overlaps: Overlaps,
        mut found: impl FnMut(Range<usize>),
    ) {
        let mut at = window.start;
        let mut restarts = 0;
        let mut captures = self.secret.map(|_| self.regex.create_captures());
        let mut scratch = self.scratch();
        while at < window.end {
            let input = Input::new(text).span(at..window.end);
            let Some((whole, finding)) = self.next(&mut scratch.cache, &input, captures.as_mut()) else { break };
            let confirmed = self.confirms(text, &whole);
            if confirmed {
                found(finding);
            }
            if overlaps == Overlaps::Counted
                && restarts < RESTARTS_MAX
                && self.reach.is_some_and(|r| r <= SEAM_BYTES_MAX)
            {
                restarts += 1;
                at = text.ceil_char_boundary(whole.start + 1);
            } else if confirmed {
                at = whole.end;
            } else if whole.len() <= RETRY_BYTES_MAX {
                at = after_token(text, &whole);
            } else {
                at = whole.end;
            }
        }
        self.keep(scratch);
    }

    /// The states met so far, for this search alone.
    fn scratch(&self) -> Scratch {
        let kept = self.scratch.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.unwrap_or_else(|| {
            let cache = self.regex.create_cache();
            Scratch { fresh_bytes: cache.memory_usage(), cache }
        })
    }

    /// Keeps the states for the next search, unless there are so many that the engine would soon run out of room for more:
    /// it then falls back to reading without them, a hundred times slower, for texts to come as well.
    fn keep(&self, scratch: Scratch) {
        if scratch.cache.memory_usage() <= scratch.fresh_bytes + STATES_KEPT_BYTES_MAX {
            *self.scratch.lock().unwrap_or_else(PoisonError::into_inner) = Some(scratch);
        }
    }

    fn next(
        &self,
        cache: &mut Cache,
        input: &Input<'_>,
        captures: Option<&mut Captures>,
    ) -> Option<(Range<usize>, Range<usize>)> {
        let (Some(captures), Some(secret)) = (captures, self.secret) else {
            let whole = self.regex.search_with(cache, input)?.range();
            return Some((whole.clone(), whole));
        };
        self.regex.search_captures_with(cache, input, captures);
        let whole = captures.get_match()?.range();
        let finding = captures.get_group(secret).map_or(whole.clone(), |span| span.range());
        Some((whole, finding))
    }

    fn confirms(&self, text: &str, whole: &Range<usize>) -> bool {
        let Some(detector) = self.detector else { return true };
        let near = self.context.as_ref().is_none_or(|words| {
            let start = whole.start.saturating_sub(detector.context_bytes);
            let end = whole.end.saturating_add(detector.context_bytes).min(text.len());
            words.is_match(aho_corasick::Input::new(text).span(start..end))
        });
        near && detector.confirms_at(text, whole.clone())
    }

    /// The name in place of a redacted match, without number.
    pub(super) fn mark(&self) -> Option<&'static str> {
        self.detector.map(|detector| detector.mark)
    }
}

/// Compiles a pattern for short names, which may match the empty text.
pub(super) fn for_names(source: &str) -> Result<Regex, String> {
    if source.len() > PATTERN_BYTES_MAX {
        return Err(format!("is longer than {PATTERN_BYTES_MAX} bytes"));
    }
    let hir = parse(source)?;
    let regex = engine(&hir, Trust::Policy)?;
    probe(&hir)?;
    Ok(regex)
}

fn engine(hir: &Hir, trust: Trust) -> Result<Regex, String> {
    let nfa_bytes_max = match trust {
        Trust::Policy => NFA_BYTES_MAX,
        Trust::Ours => DETECTOR_BYTES_MAX,
    };
    let config = Regex::config()
        .nfa_size_limit(Some(nfa_bytes_max))
        .hybrid_cache_capacity(DFA_CACHE_BYTES_MAX)
        .onepass_size_limit(Some(1 << 18));
    Regex::builder()
        .configure(config)
        .build_from_hir(hir)
        .map_err(|_| "is too large once compiled; shorten its counted repetitions or its Unicode classes".to_owned())
}

/// Where to look for another candidate inside a failed one: after its first run of letters or digits, or of others.
fn after_token(text: &str, failed: &Range<usize>) -> usize {
    let Some(candidate) = text.get(failed.clone()) else { return failed.end };
    let mut kinds = candidate.char_indices().map(|(i, c)| (i, c.is_alphanumeric()));
    let Some((_, first)) = kinds.next() else { return failed.end.max(failed.start + 1) };
    kinds.find(|(_, kind)| *kind != first).map_or(failed.end, |(i, _)| failed.start + i)
}

/// Reads a pattern with ASCII classes and word boundaries.
fn parse(source: &str) -> Result<Hir, String> {
    let ascii = with_ascii_classes(source)?;
    let hir =
        regex_syntax::ParserBuilder::new().nest_limit(64).build().parse(&ascii).map_err(|error| describe(&error))?;
    Ok(hir)
}

fn describe(error: &regex_syntax::Error) -> String {
    let (kind, column) = match error {
        regex_syntax::Error::Parse(e) => (e.kind().to_string(), e.span().start.column),
        regex_syntax::Error::Translate(e) => (e.kind().to_string(), e.span().start.column),
        _ => return "is not a regular expression".to_owned(),
    };
    format!("is not a regular expression this gate can use: {kind} at character {column}")
}

/// Spells `\d`, `\w`, `\s` and `\b` out as their ASCII forms, by the spans of the parsed pattern.
fn with_ascii_classes(source: &str) -> Result<String, String> {
    let tree = ast::parse::ParserBuilder::new()
        .nest_limit(64)
        .build()
        .parse(source)
        .map_err(|error| describe(&regex_syntax::Error::Parse(error)))?;
    let mut edits = ast::visit(&tree, Spans(Vec::new())).map_err(|()| "cannot be read".to_owned())?;
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mut out = source.to_owned();
    for (range, text) in edits {
        out.replace_range(range, &text);
    }
    Ok(out)
}

struct Spans(Vec<(Range<usize>, String)>);

impl Spans {
    fn perl(&mut self, class: &ClassPerl) {
        let members = match class.kind {
            ClassPerlKind::Digit => "0-9",
            ClassPerlKind::Space => r"\t\n\x0b\x0c\r\x20",
            ClassPerlKind::Word => "0-9A-Za-z_",
        };
        let not = if class.negated { "^" } else { "" };
        self.0.push((class.span.start.offset..class.span.end.offset, format!("[{not}{members}]")));
    }
}

impl ast::Visitor for Spans {
    type Output = Vec<(Range<usize>, String)>;
    type Err = ();

    fn finish(self) -> Result<Self::Output, ()> {
        Ok(self.0)
    }

    fn visit_pre(&mut self, node: &Ast) -> Result<(), ()> {
        match node {
            Ast::ClassPerl(class) => self.perl(class),
            Ast::Assertion(assertion) => {
                let text = match assertion.kind {
                    AssertionKind::WordBoundary => r"(?-u:\b)",
                    AssertionKind::NotWordBoundary => r"(?-u:\B)",
                    AssertionKind::WordBoundaryStart | AssertionKind::WordBoundaryStartAngle => r"(?-u:\b{start})",
                    AssertionKind::WordBoundaryEnd | AssertionKind::WordBoundaryEndAngle => r"(?-u:\b{end})",
                    AssertionKind::WordBoundaryStartHalf => r"(?-u:\b{start-half})",
                    AssertionKind::WordBoundaryEndHalf => r"(?-u:\b{end-half})",
                    AssertionKind::StartLine
                    | AssertionKind::EndLine
                    | AssertionKind::StartText
                    | AssertionKind::EndText => return Ok(()),
                };
                self.0.push((assertion.span.start.offset..assertion.span.end.offset, text.to_owned()));
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), ()> {
        if let ClassSetItem::Perl(class) = item {
            self.perl(class);
        }
        Ok(())
    }
}

/// A pattern shared by all rule sets that hold it.
pub(super) type Shared = Arc<Pattern>;

/// Patterns of the rule sets that are alive, so that an edit of one policy compiles what is new only.
///
/// INVARIANT: a memo of a pure function; it holds no pattern longer than a rule set does.
static ALIVE: LazyLock<Mutex<BTreeMap<String, Weak<Pattern>>>> = LazyLock::new(Mutex::default);

/// A policy's regular expression, compiled once while any rule set holds it.
pub(super) fn of_regex(source: &str) -> Result<Shared, String> {
    shared(format!("regex {source}"), || Pattern::of_regex(source))
}

/// A detector, compiled once while any rule set holds it.
pub(super) fn of_detector(detector: &'static Detector) -> Result<Shared, String> {
    shared(format!("detector {}", detector.name), || Pattern::of_detector(detector))
}

/// Compiles the patterns that these conditions ask for and no rule set holds yet, on all processors; most of the time of
/// loading goes here. Keep what is returned until the rule set holds them. What is wrong with one is found again, and told,
/// by whoever asks for it.
pub(super) fn ahead<'m>(wanted: impl Iterator<Item = &'m TextMatch>) -> Vec<Shared> {
    let wanted: Vec<&TextMatch> =
        wanted.filter(|text| !matches!(text, TextMatch::Keywords { .. })).take(PATTERNS_MAX).collect();
    let compile = |wanted: &[&TextMatch]| -> Vec<Shared> {
        let one = |text: &&TextMatch| match text {
            TextMatch::Keywords { .. } => None,
            TextMatch::Regex(source) => of_regex(source).ok(),
            TextMatch::Detector(detector) => of_detector(detector).ok(),
        };
        wanted.iter().filter_map(one).collect()
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let share = wanted.len().div_ceil(threads).max(AHEAD_MIN);
    std::thread::scope(|scope| {
        let mut shares = wanted.chunks(share);
        let here = shares.next().unwrap_or_default();
        let there: Vec<_> = shares.map(|share| scope.spawn(move || compile(share))).collect();
        let mut compiled = compile(here);
        compiled.extend(there.into_iter().filter_map(|thread| thread.join().ok()).flatten());
        compiled
    })
}

fn shared(key: String, compile: impl FnOnce() -> Result<Pattern, String>) -> Result<Shared, String> {
    let alive = || ALIVE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pattern) = alive().get(&key).and_then(Weak::upgrade) {
        return Ok(pattern);
    }
    let pattern = Arc::new(compile()?);
    let mut alive = alive();
    alive.insert(key, Arc::downgrade(&pattern));
    if alive.len() > 2 * PATTERNS_MAX {
        alive.retain(|_, pattern| pattern.strong_count() > 0);
    }
    Ok(pattern)
}
