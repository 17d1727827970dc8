//! What must stand in a text for a pattern to match there: literals of which one is required, or so many digits.
//!
//! Knows nothing of texts, rules or automata. Guarantees that no match of the pattern goes without what is derived:
//! where nothing can be said, [`Need::Nothing`] is.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use super::limits::ATOMS_MAX;

/// What every match of a pattern holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Need {
    /// At least one of these literals.
    Atoms(Vec<Atom>),
    /// So many ASCII digits at least.
    Digits(usize),
    /// Nothing that can be looked for.
    Nothing,
}

/// A literal that a match may need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Atom {
    /// ASCII in lower case, runs of white space as one space.
    pub(super) text: Vec<u8>,
    /// How far from the beginning of the match it begins.
    pub(super) offset: Offset,
}

/// A distance in bytes: at least, and at most where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Offset {
    pub(super) min: usize,
    pub(super) max: Option<usize>,
}

impl Offset {
    const NONE: Self = Self { min: 0, max: Some(0) };
    /// Somewhere, before or behind.
    pub(super) const ANY: Self = Self { min: 0, max: None };

    fn plus(self, other: Self) -> Self {
        let sum = |(a, b): (usize, usize)| a.saturating_add(b);
        Self { min: self.min.saturating_add(other.min), max: self.max.zip(other.max).map(sum) }
    }

    fn or(self, other: Self) -> Self {
        let larger = |(a, b): (usize, usize)| a.max(b);
        Self { min: self.min.min(other.min), max: self.max.zip(other.max).map(larger) }
    }

    /// How many bytes a node spans.
    fn length(hir: &Hir) -> Self {
        let properties = hir.properties();
        Self { min: properties.minimum_len().unwrap_or(0), max: properties.maximum_len() }
    }
}

/// Strings that a node matches.
type Strings = BTreeSet<Vec<u8>>;
/// Strings of which each match holds one, with their distance from its beginning.
type Required = BTreeMap<Vec<u8>, Offset>;

/// Members of a class past which its strings are not spelled out.
const CLASS_MEMBERS_MAX: u32 = 16;
/// Strings as long as this are followed by what comes next, a character of so many at most: letters, digits and signs.
const SHORT_BYTES: usize = 2;
const LEADS_MAX: u32 = 40;
/// Digits that make a better need than a single sign such as `-` or `.`, which prose is full of.
const DIGITS_WANTED: usize = 3;
/// Length from which digits and signs tell as much as letters.
const TELLING_BYTES: usize = 5;

/// What is known of a node.
struct Known {
    /// All strings it matches, when they are few.
    exact: Option<Strings>,
    required: Option<Required>,
}

/// What every match of `hir` holds.
pub(super) fn need(hir: &Hir) -> Need {
    let known = walk(hir);
    let atoms = best(known.exact.map(at_start), known.required).filter(usable);
    let digits = digits(hir);
    // Runs of white space count as one space, so only what begins with another sign has a place of its own.
    let atom = |(text, offset): (Vec<u8>, Offset)| match text.first() {
        Some(b' ') => Atom { text, offset: Offset::ANY },
        _ => Atom { text, offset },
    };
    match atoms {
        Some(set) if digits < DIGITS_WANTED || telling(&set) => Need::Atoms(set.into_iter().map(atom).collect()),
        _ if digits > 0 => Need::Digits(digits),
        Some(set) => Need::Atoms(set.into_iter().map(atom).collect()),
        None => Need::Nothing,
    }
}

fn at_start(strings: Strings) -> Required {
    strings.into_iter().map(|text| (text, Offset::NONE)).collect()
}

/// The same further behind.
fn behind(set: Required, by: Offset) -> Required {
    set.into_iter().map(|(text, offset)| (text, offset.plus(by))).collect()
}

fn shortest(set: &Required) -> usize {
    set.keys().map(|s| meaningful(s)).min().unwrap_or(0)
}

/// Length without the spaces round it, which are everywhere.
fn meaningful(atom: &[u8]) -> usize {
    atom.trim_ascii().len()
}

/// Whether each holds two letters, or is long: `19` and `-` stand in every text with numbers.
fn telling(set: &Required) -> bool {
    set.keys()
        .all(|s| s.len() >= TELLING_BYTES || s.iter().filter(|b| b.is_ascii_alphabetic() || !b.is_ascii()).count() >= 2)
}

/// Two letters or more, or a sign that is rare by itself.
fn usable(set: &Required) -> bool {
    !set.is_empty()
        && set.keys().all(|s| match s.trim_ascii() {
            [] => false,
            [one] => !one.is_ascii_alphanumeric() && !one.is_ascii_whitespace() && one.is_ascii(),
            _ => true,
        })
}

/// The better of two: longer first, then fewer.
fn best(a: Option<Required>, b: Option<Required>) -> Option<Required> {
    let score = |set: &Required| (usable(set), shortest(set), ATOMS_MAX.saturating_sub(set.len()));
    match (a, b) {
        (Some(a), Some(b)) => Some(if score(&b) > score(&a) { b } else { a }),
        (a, b) => a.or(b),
    }
}

fn walk(hir: &Hir) -> Known {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Known::exactly(Strings::from([Vec::new()])),
        HirKind::Literal(literal) => Known::exactly(Strings::from([plain(&literal.0)])),
        HirKind::Class(class) => Known { exact: members(class, CLASS_MEMBERS_MAX), required: None },
        HirKind::Capture(capture) => walk(&capture.sub),
        HirKind::Repetition(repetition) => repeated(repetition),
        HirKind::Concat(subs) => sequence(subs.iter().map(|sub| (walk(sub), sub))),
        HirKind::Alternation(subs) => choice(subs.iter().map(walk).collect()),
    }
}

impl Known {
    fn exactly(set: Strings) -> Self {
        Self { exact: Some(set), required: None }
    }
}

/// As the automaton sees text: ASCII case does not matter, white space is one space.
fn plain(bytes: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len());
    for byte in bytes {
        push_plain(&mut out, *byte);
    }
    out
}

fn push_plain(out: &mut Vec<u8>, byte: u8) {
    let byte = if byte.is_ascii_whitespace() || byte == 0x0b { b' ' } else { byte.to_ascii_lowercase() };
    if byte != b' ' || out.last() != Some(&b' ') {
        out.push(byte);
    }
}

/// The members of a class of at most `members_max`, case left out.
fn members(class: &Class, members_max: u32) -> Option<Strings> {
    match class {
        Class::Unicode(class) => {
            let ranges = class.ranges();
            let count: u32 = ranges.iter().map(|r| u32::from(r.end()) - u32::from(r.start()) + 1).sum();
            (count <= members_max * 2).then_some(())?;
            let strings: Strings = ranges
                .iter()
                .flat_map(|r| r.start()..=r.end())
                .map(|c| plain(c.encode_utf8(&mut [0; 4]).as_bytes()))
                .collect();
            (strings.len() <= members_max as usize).then_some(strings)
        }
        Class::Bytes(class) => {
            let count: usize = class.ranges().iter().map(regex_syntax::hir::ClassBytesRange::len).sum();
            (count <= 2 * members_max as usize).then_some(())?;
            Some(class.ranges().iter().flat_map(|r| r.start()..=r.end()).map(|b| plain(&[b])).collect())
        }
    }
}

fn repeated(repetition: &Repetition) -> Known {
    if repetition.min == 0 {
        let optional = (repetition.max == Some(1)).then(|| walk(&repetition.sub).exact).flatten();
        let exact = optional.map(|mut set| {
            set.insert(Vec::new());
            set
        });
        return Known { exact, required: None };
    }
    let once = walk(&repetition.sub);
    if repetition.max != Some(repetition.min) || repetition.min as usize > ATOMS_MAX {
        return Known { exact: None, required: best(once.exact.map(at_start), once.required) };
    }
    sequence((0..repetition.min).map(|_| (&once, &*repetition.sub)))
}

/// Runs of nodes whose strings are known are multiplied out; each run, and each node's own need, is a candidate.
fn sequence<'h, K: Borrow<Known>>(subs: impl Iterator<Item = (K, &'h Hir)>) -> Known {
    let mut run = Strings::from([Vec::new()]);
    let (mut run_at, mut here) = (Offset::NONE, Offset::NONE);
    let mut whole = true;
    let mut required = None;
    for (sub, hir) in subs {
        let sub: &Known = sub.borrow();
        let at = here;
        here = here.plus(Offset::length(hir));
        if let Some(product) = sub.exact.as_ref().and_then(|exact| product(&run, exact)) {
            run = product;
            continue;
        }
        whole = false;
        let ended = std::mem::replace(&mut run, Strings::from([Vec::new()]));
        let ended = told_apart(ended, hir);
        required = best(required, Some(behind(at_start(ended), run_at)));
        required = best(required, sub.required.clone().map(|set| behind(set, at)));
        run_at = here;
        if let Some(exact) = &sub.exact {
            run.clone_from(exact);
            run_at = at;
        }
    }
    if whole {
        Known::exactly(run)
    } else {
        Known { exact: None, required: best(required, Some(behind(at_start(run), run_at))) }
    }
}

/// A sign or two alone stand in every text, so what they are followed by is added where it is of few kinds.
fn told_apart(run: Strings, next: &Hir) -> Strings {
    let is_short = run.iter().all(|text| (1..=SHORT_BYTES).contains(&text.len()));
    let longer = if is_short { leads(next).and_then(|leads| product(&run, &leads)) } else { None };
    longer.unwrap_or(run)
}

/// What every match of a node begins with, a character each.
fn leads(hir: &Hir) -> Option<Strings> {
    match hir.kind() {
        HirKind::Class(class) => members(class, LEADS_MAX),
        HirKind::Capture(capture) => leads(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => leads(&repetition.sub),
        HirKind::Concat(subs) => leads(subs.iter().find(|sub| !matches!(sub.kind(), HirKind::Look(_)))?),
        HirKind::Alternation(subs) => subs.iter().try_fold(Strings::new(), |mut all, sub| {
            all.extend(leads(sub)?);
            Some(all)
        }),
        HirKind::Literal(literal) => {
            let first = literal.0.first().filter(|byte| byte.is_ascii())?;
            Some(Strings::from([plain(&[*first])]))
        }
        HirKind::Repetition(_) | HirKind::Empty | HirKind::Look(_) => None,
    }
}

fn product(run: &Strings, next: &Strings) -> Option<Strings> {
    (run.len() * next.len() <= ATOMS_MAX).then(|| {
        let mut out = Strings::new();
        for head in run {
            for tail in next {
                let mut joined = head.clone();
                for byte in tail {
                    push_plain(&mut joined, *byte);
                }
                out.insert(joined);
            }
        }
        out
    })
}

fn choice(subs: Vec<Known>) -> Known {
    let exact = subs.iter().try_fold(Strings::new(), |mut all, sub| {
        all.extend(sub.exact.as_ref()?.iter().cloned());
        (all.len() <= ATOMS_MAX).then_some(all)
    });
    let required = subs.into_iter().try_fold(Required::new(), |mut all, sub| {
        for (text, offset) in best(sub.exact.map(at_start), sub.required)? {
            let known = all.get(&text).map_or(offset, |known| known.or(offset));
            all.insert(text, known);
        }
        (all.len() <= ATOMS_MAX).then_some(all)
    });
    Known { exact, required }
}

/// How many ASCII digits every match holds at least.
fn digits(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => literal.0.iter().filter(|b| b.is_ascii_digit()).count(),
        HirKind::Class(Class::Unicode(class)) => {
            usize::from(class.ranges().iter().all(|r| r.start() >= '0' && r.end() <= '9') && !class.ranges().is_empty())
        }
        HirKind::Class(Class::Bytes(class)) => usize::from(
            class.ranges().iter().all(|r| r.start() >= b'0' && r.end() <= b'9') && !class.ranges().is_empty(),
        ),
        HirKind::Capture(capture) => digits(&capture.sub),
        HirKind::Repetition(repetition) => digits(&repetition.sub).saturating_mul(repetition.min as usize),
        HirKind::Concat(subs) => subs.iter().map(digits).fold(0, usize::saturating_add),
        HirKind::Alternation(subs) => subs.iter().map(digits).min().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, expected: &[&str]) {
        let hir = regex_syntax::parse(pattern).unwrap();
        let mut expected: Vec<_> = expected.iter().map(|s| s.as_bytes().to_vec()).collect();
        expected.sort();
        let Need::Atoms(atoms) = need(&hir) else { panic!("{pattern} needs no atoms") };
        assert_eq!(atoms.into_iter().map(|atom| atom.text).collect::<Vec<_>>(), expected, "{pattern}");
    }

    #[test]
    fn the_longest_required_literals_are_found() {
        check("AKIA[0-9A-Z]{16}", &["akia"]);
        check(r"(?:foo|barbaz)\w+", &["foo", "barbaz"]);
        check("(?i)secret", &["secret", "\u{17f}ecret"]);
        check(r"\w+@\w+\.(?:com|org)", &[".com", ".org"]);
        check("gh[pousr]_[A-Za-z0-9]{36}", &["gho_", "ghp_", "ghr_", "ghs_", "ghu_"]);
        check(r"BEGIN\s+RSA", &["begin"]);
        check("a \n\tb", &["a b"]);
        check("x(?:ab)?yz", &["xyz", "xabyz"]);
        check("(?:ab){2}", &["abab"]);
        check("sk[0-2x]{9}", &["sk0", "sk1", "sk2", "skx"]);
        check(r"[a-z]+(?:@[xy]{1,3}){1,4}", &["@x", "@y"]);
        check(r"[a-z]+:(?:[xy]+|(?:[z])?q)", &[":"]);
        check(r"[a-z]+:(?:\b[xy]+|(?:[z])+q)", &[":x", ":y", ":z"]);
        check(r"[a-z]+:[^ ]", &[":"]);
    }

    #[test]
    fn literals_stand_so_far_from_the_beginning() {
        for (pattern, expected) in [
            ("AKIA[0-9A-Z]{16}", (0, Some(0))),
            ("[0-9a-f]{1,4}:[0-9]", (1, Some(4))),
            ("[0-9a-z]+key=[0-9]", (1, None)),
            ("(?:[0-9]{2}|[0-9]{4}x?)abc[0-9]", (2, Some(5))),
            (r"\s+BEGIN[0-9]", (1, None)),
            ("(?:xyz|[0-9]{2}xyz)[0-9]*", (0, Some(2))),
            ("[0-9]{3}(?:[a-z]{2}foo){2}", (5, Some(5))),
        ] {
            let Need::Atoms(atoms) = need(&regex_syntax::parse(&format!("(?-u){pattern}")).unwrap()) else {
                panic!("{pattern} needs no atoms")
            };
            let offset = Offset { min: expected.0, max: expected.1 };
            assert!(atoms.iter().all(|atom| atom.offset == offset), "{pattern}: {atoms:?}");
        }
    }

    #[test]
    fn a_word_whose_parts_vary_needs_its_constant_part_only() {
        assert_eq!(need(&regex_syntax::parse("(?-u)[0-9]{3}-[0-9]{4}").unwrap()), Need::Digits(7));
        assert_eq!(need(&regex_syntax::parse("[a-z]+").unwrap()), Need::Nothing);
        assert_eq!(need(&regex_syntax::parse("(?:abc)?[a-z]").unwrap()), Need::Nothing);
        assert_eq!(need(&regex_syntax::parse("(?:abc|[a-z])").unwrap()), Need::Nothing);
    }
}
