//! One pattern: a regular expression of a policy or a detector, made safe to run on any text.
//!
//! Classes and word boundaries are ASCII (`\d` is `[0-9]`): the Unicode ones fall off the fast engines as soon as a
//! text holds one letter beyond ASCII. There is no look-around and no back-reference by design.
//!
//! Guarantees: a compiled pattern never matches the empty text, and probe texts do not exhaust its lazily built states.
//! Knows nothing of rules and queries.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use regex_automata::meta::Regex;
use regex_syntax::hir::{Hir, Look};

use super::TextMatch;
use super::ascii::parse;
use super::atoms::{Atom, Need, Offset, need};
use super::engine::{Engine, Scratch};
use super::guard::Guard;
use super::limits::{
    DETECTOR_BYTES_MAX, DFA_CACHE_BYTES_MAX, NFA_BYTES_MAX, PATTERN_BYTES_MAX, PATTERNS_MAX, SEAM_BYTES_MAX,
    START_REACH_MAX, START_SPREAD_MAX,
};
use super::probe::{self, probe};
use crate::base::discard;
pub(super) use crate::detect::Alone;
use crate::detect::Detector;

/// How many matches of a joined text are looked into again for others that begin inside them. Each costs a reading of the
/// pattern's reach, so without an end many small parts would cost a multiple of their size.
const RESTARTS_MAX: usize = 1_000;
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

/// How a pattern is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// At the places before its literals where it may begin.
    FromAtoms,
    /// Wherever its guard lets it begin, near digits or anywhere.
    FromStarts,
    /// In a stretch round its literals or digits, or everywhere.
    InWindows,
}

/// A pattern ready to run.
#[derive(Debug)]
pub(super) struct Pattern {
    source: Box<str>,
    trust: Trust,
    /// Built when a text first needs it: most of what rules look for no text holds.
    ///
    /// INVARIANT: building is a pure function of the source, and it was tried when a policy's pattern was read; tests hold
    /// those of detectors to compile. So it is there when it is needed.
    engine: OnceLock<Option<Box<Engine>>>,
    /// Bytes a match, with the words it needs round it, may span; `None` without bound.
    pub(super) reach: Option<usize>,
    /// What to look for before running it.
    pub(super) need: Need,
    pub(super) way: Way,
    pub(super) guard: Guard,
    /// Whether it says `^` or `$`, which mean nothing in joined texts.
    pub(super) anchored: bool,
    detector: Option<&'static Detector>,
}

/// One search of a pattern through one text.
pub(super) struct Search<'p, 't> {
    pattern: &'p Pattern,
    engine: &'p Engine,
    scratch: Option<Box<Scratch>>,
    text: &'t str,
    overlaps: Overlaps,
    restarts: usize,
    /// Nothing that begins before this counts.
    next: usize,
    /// How much may be read from single starts before the rest is read in one go.
    readings_left: usize,
}

impl Pattern {
    /// Compiles a policy's regular expression.
    fn of_regex(source: &str) -> Result<Self, String> {
        if source.len() > PATTERN_BYTES_MAX {
            return Err(format!("is longer than {PATTERN_BYTES_MAX} bytes; a list of words belongs under `keywords`"));
        }
        let hir = parse(source)?;
        let pattern = Self::of(source, &hir, Trust::Policy)?;
        // Only to see that it can be done.
        pattern.build(&hir)?;
        probe(&hir)?;
        Ok(pattern)
    }

    /// Compiles a detector.
    fn of_detector(detector: &'static Detector) -> Result<Self, String> {
        let hir = parse(detector.pattern)?;
        let mut pattern = Self::of(detector.pattern, &hir, Trust::Ours)?;
        pattern.detector = Some(detector);
        if let Need::Digits(count) = &mut pattern.need {
            *count = detector.digits_min.max(*count);
        }
        if !detector.keywords.is_empty() {
            pattern.reach = pattern.reach.map(|reach| reach.saturating_add(detector.context_bytes));
            // A word in the text is the better need unless the pattern itself holds one as long.
            if !matches!(pattern.need, Need::Atoms(_)) {
                let words: Vec<_> = detector.keywords.iter().map(|w| w.to_ascii_lowercase().into_bytes()).collect();
                let single_spaced = words.iter().all(|w| !w.iter().any(u8::is_ascii_whitespace) && w.len() > 1);
                if single_spaced {
                    let atom = |text| Atom { text, offset: Offset::ANY };
                    pattern.need = Need::Atoms(words.into_iter().map(atom).collect());
                    pattern.way = Way::InWindows;
                }
            }
        }
        Ok(pattern)
    }

    fn of(source: &str, hir: &Hir, trust: Trust) -> Result<Self, String> {
        let properties = hir.properties();
        if properties.minimum_len().is_none() {
            return Err("can never match".to_owned());
        }
        if properties.minimum_len() == Some(0) {
            return Err(
                "matches the empty text, so it would match everywhere; require at least one character".to_owned()
            );
        }
        let looks = properties.look_set();
        let (need, reach) = (need(hir), properties.maximum_len());
        Ok(Self {
            source: source.into(),
            trust,
            engine: OnceLock::new(),
            way: way(&need, reach),
            reach,
            need,
            guard: Guard::of(hir),
            anchored: [Look::Start, Look::End].iter().any(|look| looks.contains(*look)),
            detector: None,
        })
    }

    /// The same pattern, without its engine.
    fn copy(&self) -> Self {
        Self {
            source: self.source.clone(),
            trust: self.trust,
            engine: OnceLock::new(),
            reach: self.reach,
            need: self.need.clone(),
            way: self.way,
            guard: self.guard.clone(),
            anchored: self.anchored,
            detector: self.detector,
        }
    }

    fn build(&self, hir: &Hir) -> Result<Box<Engine>, String> {
        let nfa_bytes_max = match self.trust {
            Trust::Policy => NFA_BYTES_MAX,
            Trust::Ours => DETECTOR_BYTES_MAX,
        };
        let engine = Engine::new(hir, nfa_bytes_max)?;
        if self.trust == Trust::Policy && self.way == Way::InWindows {
            engine.read_backwards(hir);
        }
        Ok(Box::new(engine))
    }

    fn engine(&self) -> Option<&Engine> {
        self.engine.get_or_init(|| parse(&self.source).and_then(|hir| self.build(&hir)).ok()).as_deref()
    }

    /// Begins to look through a text.
    pub(super) fn search<'p, 't>(&'p self, text: &'t str, overlaps: Overlaps) -> Option<Search<'p, 't>> {
        let engine = self.engine()?;
        let scratch = Some(engine.scratch());
        let readings_left = START_READINGS.saturating_mul(text.len().saturating_add(START_REACH_MAX));
        Some(Search { pattern: self, engine, scratch, text, overlaps, restarts: 0, next: 0, readings_left })
    }

    fn confirms(&self, text: &str, whole: &Range<usize>) -> bool {
        let Some(detector) = self.detector else { return true };
        let near = || {
            let start = whole.start.saturating_sub(detector.context_bytes);
            let end = whole.end.saturating_add(detector.context_bytes).min(text.len());
            let stretch = text.as_bytes().get(start..end).unwrap_or_default();
            detector.keywords.is_empty() || detector.keywords.iter().any(|word| says(stretch, word.as_bytes()))
        };
        // Words are looked for last: there are several, in a long stretch.
        detector.confirms_at(text, whole.clone()) && near()
    }

    /// Whether a candidate that begins with a digit can be what is looked for.
    pub(super) fn alone(&self) -> Alone {
        self.detector.map_or(Alone::Counts, |detector| detector.alone)
    }

    /// Whether the check of the detector could take this for one, were it a match that begins with a digit: by its digits,
    /// where these are known, and by the whole of it, where that is.
    pub(super) fn may_be(&self, candidate: Option<&str>, digits: Option<&[u8]>) -> bool {
        let Some(detector) = self.detector else { return true };
        if detector.number.zip(digits).is_some_and(|(may_be, digits)| !may_be(digits)) {
            return false;
        }
        candidate.is_none_or(|candidate| detector.confirms(candidate))
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The name in place of a redacted match, without number.
    pub(super) fn mark(&self) -> Option<&'static str> {
        self.detector.map(|detector| detector.mark)
    }
}

/// Readings of a text that starts of one pattern may add up to before it is read in one go.
const START_READINGS: usize = 4;

/// From single starts where these are few, each near what tells of it.
fn way(need: &Need, reach: Option<usize>) -> Way {
    let near = |atom: &Atom| atom.offset.max.is_some_and(|max| max - atom.offset.min <= START_SPREAD_MAX);
    match need {
        Need::Atoms(atoms) if atoms.iter().all(near) => Way::FromAtoms,
        Need::Digits(_) | Need::Nothing if reach.is_some_and(|reach| reach <= START_REACH_MAX) => Way::FromStarts,
        Need::Atoms(_) | Need::Digits(_) | Need::Nothing => Way::InWindows,
    }
}

/// Whether a word stands in a stretch, ASCII case left out.
fn says(stretch: &[u8], word: &[u8]) -> bool {
    let Some((first, _)) = word.split_first() else { return true };
    let (low, high) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    memchr::memchr2_iter(low, high, stretch)
        .any(|at| stretch.get(at..at + word.len()).is_some_and(|there| there.eq_ignore_ascii_case(word)))
}

impl Search<'_, '_> {
    /// Looks for a match that begins at `start`. Starts come in order.
    pub(super) fn start(&mut self, start: usize, found: &mut dyn FnMut(Range<usize>)) {
        if start < self.next {
            return;
        }
        let Some(scratch) = &mut self.scratch else { return };
        let (end, read) = self.engine.end(scratch, self.text.as_bytes(), start);
        if let Some(end) = end {
            self.matched(start..end, found);
        }
        match self.readings_left.checked_sub(read) {
            Some(left) => self.readings_left = left,
            None => self.window(self.next.max(start + 1)..self.text.len(), found),
        }
    }

    /// Looks for matches in a stretch. Stretches come in order.
    pub(super) fn window(&mut self, window: Range<usize>, found: &mut dyn FnMut(Range<usize>)) {
        self.next = self.next.max(self.text.ceil_char_boundary(window.start));
        while self.next < window.end {
            let Some(scratch) = &mut self.scratch else { return };
            let source = &self.pattern.source;
            match self.engine.first(scratch, source, self.text, self.next..window.end) {
                Some(whole) => self.matched(whole, found),
                None => self.next = window.end,
            }
        }
    }

    fn matched(&mut self, whole: Range<usize>, found: &mut dyn FnMut(Range<usize>)) {
        let confirmed = self.pattern.confirms(self.text, &whole);
        if confirmed && let Some(scratch) = &mut self.scratch {
            found(self.engine.finding(scratch, self.text, &whole));
        }
        let restart = self.overlaps == Overlaps::Counted
            && self.restarts < RESTARTS_MAX
            && self.pattern.reach.is_some_and(|reach| reach <= SEAM_BYTES_MAX);
        self.next = if restart {
            self.restarts += 1;
            self.text.ceil_char_boundary(whole.start + 1)
        } else if !confirmed && whole.len() <= RETRY_BYTES_MAX {
            after_token(self.text, &whole)
        } else {
            whole.end
        };
    }
}

impl Drop for Search<'_, '_> {
    fn drop(&mut self) {
        if let Some(scratch) = self.scratch.take() {
            self.engine.keep(scratch);
        }
    }
}

/// Compiles a pattern for short names, which may match the empty text.
pub(super) fn for_names(source: &str) -> Result<Regex, String> {
    if source.len() > PATTERN_BYTES_MAX {
        return Err(format!("is longer than {PATTERN_BYTES_MAX} bytes"));
    }
    let hir = parse(source)?;
    let config = Regex::config()
        .nfa_size_limit(Some(NFA_BYTES_MAX))
        .hybrid_cache_capacity(DFA_CACHE_BYTES_MAX)
        .onepass_size_limit(Some(1 << 18));
    let built = Regex::builder().configure(config).build_from_hir(&hir);
    let regex = built
        .map_err(|_| "is too large once compiled; shorten its counted repetitions or its Unicode classes".to_owned())?;
    probe(&hir)?;
    Ok(regex)
}

/// Where to look for another candidate inside a failed one: after its first run of letters or digits, or of others.
fn after_token(text: &str, failed: &Range<usize>) -> usize {
    let Some(candidate) = text.get(failed.clone()) else { return failed.end };
    let mut kinds = candidate.char_indices().map(|(i, c)| (i, c.is_alphanumeric()));
    let Some((_, first)) = kinds.next() else { return failed.end.max(failed.start + 1) };
    kinds.find(|(_, kind)| *kind != first).map_or(failed.end, |(i, _)| failed.start + i)
}

/// A pattern shared by all rule sets that hold it.
pub(super) type Shared = Arc<Pattern>;

/// Patterns of the rule sets that are alive, so that an edit of one policy compiles what is new only.
///
/// INVARIANT: a memo of a pure function; it holds no pattern longer than a rule set does.
static ALIVE: LazyLock<Mutex<BTreeMap<String, Weak<Pattern>>>> = LazyLock::new(Mutex::default);

/// A policy's regular expression, compiled once while any rule set holds it.
pub(super) fn of_regex(source: &str) -> Result<Shared, String> {
    shared(regex_key(source), || Pattern::of_regex(source))
}

/// A detector, compiled once while any rule set holds it.
pub(super) fn of_detector(detector: &'static Detector) -> Result<Shared, String> {
    shared(detector_key(detector), || Pattern::of_detector(detector))
}

/// Compiles the patterns that these conditions ask for and no rule set holds yet, on all processors; most of the time of
/// loading goes here. Keep what is returned until the rule set holds them. What is wrong with one is found again, and told,
/// by whoever asks for it.
pub(super) fn ahead<'m>(wanted: impl Iterator<Item = &'m TextMatch>) -> Vec<Shared> {
    let wanted: Vec<&TextMatch> =
        wanted.filter(|text| !matches!(text, TextMatch::Keywords { .. })).take(PATTERNS_MAX).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let threads = threads.min(wanted.len() / AHEAD_MIN);
    if threads == 0 {
        return Vec::new();
    }
    probe::make_ready();
    let one = |text: &&TextMatch| match text {
        TextMatch::Keywords { .. } => None,
        TextMatch::Regex(source) => Made::unless_known(regex_key(source), || Pattern::of_regex(source)),
        TextMatch::Detector(detector) => Made::unless_known(detector_key(detector), || Pattern::of_detector(detector)),
    };
    // Every so manyth: patterns of one kind stand together, and kinds differ in what they take.
    let compile = |first: usize| wanted.iter().skip(first).step_by(threads).filter_map(one).collect::<Vec<_>>();
    let made: Vec<Vec<Made>> = std::thread::scope(|scope| {
        let spawn = |first| std::thread::Builder::new().spawn_scoped(scope, move || compile(first));
        let there: Vec<_> = (0..threads).filter_map(|first| spawn(first).ok()).collect();
        there.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    // Compiling leaves a hundred times what is kept of it; the copies lie apart from that.
    let kept = made.iter().flatten().map(|made| match made {
        Made::Known(pattern) => Arc::clone(pattern),
        Made::Fresh(key, pattern) => keep(key.clone(), pattern.copy()),
    });
    let kept = kept.collect();
    discard(made);
    kept
}

/// A pattern that a rule set will ask for.
enum Made {
    Known(Shared),
    Fresh(String, Pattern),
}

impl Made {
    fn unless_known(key: String, compile: impl FnOnce() -> Result<Pattern, String>) -> Option<Self> {
        match known(&key) {
            Some(pattern) => Some(Self::Known(pattern)),
            None => compile().ok().map(|pattern| Self::Fresh(key, pattern)),
        }
    }
}

fn regex_key(source: &str) -> String {
    format!("regex {source}")
}

fn detector_key(detector: &Detector) -> String {
    format!("detector {}", detector.name)
}

fn alive() -> MutexGuard<'static, BTreeMap<String, Weak<Pattern>>> {
    ALIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn known(key: &str) -> Option<Shared> {
    alive().get(key).and_then(Weak::upgrade)
}

fn shared(key: String, compile: impl FnOnce() -> Result<Pattern, String>) -> Result<Shared, String> {
    match known(&key) {
        Some(pattern) => Ok(pattern),
        None => Ok(keep(key, compile()?)),
    }
}

fn keep(key: String, pattern: Pattern) -> Shared {
    let pattern = Arc::new(pattern);
    let mut alive = alive();
    alive.insert(key, Arc::downgrade(&pattern));
    if alive.len() > 2 * PATTERNS_MAX {
        alive.retain(|_, pattern| pattern.strong_count() > 0);
    }
    pattern
}
