//! Everything that rules look for in texts, gathered: one automaton over all keywords and all literals that patterns
//! require, whatever the number of rules.
//!
//! Guarantees: equal matchers of different rules are looked for once; what the set may cost on the worst prompt is
//! known and within [`WALK_BYTES_MAX`]. Knows nothing of queries and verdicts.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind, StartKind};

use super::TextMatch;
use super::atoms::Need;
use super::limits::{
    DENSE_BYTES_MAX, KEYWORD_BYTES_MAX, KEYWORDS_MAX, PATTERNS_MAX, PROBE_BYTES, SEAM_BYTES_MAX, WALK_BYTES_MAX,
};
use super::pattern::{self, Shared};
use super::view;

/// What joins the words of a phrase in names, paths and addresses: `project-nightingale` is the project nightingale.
const JOINTS: [u8; 4] = *b"-_./";

/// Names one thing looked for in texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Unit(pub(super) u32);

impl Unit {
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    pub(super) fn at(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

/// Whom a literal found in a text concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// A keyword: the literal is the finding.
    Keyword(Unit, Boundary),
    /// A pattern, to be run near it.
    Atom(usize),
}

/// Whether a keyword must stand alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Boundary {
    /// It must.
    WholeWord,
    /// It may be part of a longer word.
    Anywhere,
}

/// A pattern and what it finds for.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) pattern: Shared,
    pub(super) unit: Unit,
}

/// All that is looked for.
#[derive(Debug)]
pub(super) struct Lexicon {
    automaton: Option<AhoCorasick>,
    owners: Vec<Box<[Owner]>>,
    pub(super) slots: Vec<Slot>,
    /// Slots run wherever a text holds enough digits.
    pub(super) by_digits: Vec<(usize, usize)>,
    /// Slots run on every text.
    pub(super) always: Vec<usize>,
    pub(super) units: usize,
    /// How far on both sides of a seam joined texts are looked at.
    pub(super) seam: usize,
}

impl Lexicon {
    pub(super) const fn automaton(&self) -> Option<&AhoCorasick> {
        self.automaton.as_ref()
    }

    pub(super) fn owners(&self, literal: aho_corasick::PatternID) -> &[Owner] {
        self.owners.get(literal.as_usize()).map_or(&[], |owners| owners)
    }

    /// The name in place of a redacted match of a unit.
    pub(super) fn mark(&self, unit: Unit) -> &'static str {
        self.slots.iter().find(|slot| slot.unit == unit).and_then(|slot| slot.pattern.mark()).unwrap_or("REDACTED")
    }
}

/// Why a matcher is refused, or the place of the one to blame for the whole.
#[derive(Debug)]
pub(super) struct TooCostly {
    /// Which `add` call brought it.
    pub(super) unit: Unit,
    pub(super) why: String,
}

#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Clone)]
enum Identity {
    Keywords(Vec<String>, Boundary),
    Regex(String),
    Detector(&'static str),
}

/// A lexicon in the making.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    known: BTreeMap<Identity, Unit>,
    literals: BTreeMap<Vec<u8>, Vec<Owner>>,
    slots: Vec<Slot>,
    keywords: usize,
}

impl Gathering {
    /// Adds a matcher, or finds the equal one that is there already.
    pub(super) fn add(&mut self, text: &TextMatch) -> Result<Unit, String> {
        let identity = match text {
            TextMatch::Keywords { any, whole_words } => {
                let boundary = if *whole_words { Boundary::WholeWord } else { Boundary::Anywhere };
                Identity::Keywords(any.clone(), boundary)
            }
            TextMatch::Regex(source) => Identity::Regex(source.clone()),
            TextMatch::Detector(detector) => Identity::Detector(detector.name),
        };
        if let Some(unit) = self.known.get(&identity) {
            return Ok(*unit);
        }
        let unit = Unit::at(self.known.len());
        match text {
            TextMatch::Keywords { any, .. } => self.keywords(any, unit, &identity)?,
            TextMatch::Regex(source) => self.pattern(pattern::of_regex(source)?, unit)?,
            TextMatch::Detector(detector) => self.pattern(pattern::of_detector(detector)?, unit)?,
        }
        self.known.insert(identity, unit);
        Ok(unit)
    }

    fn keywords(&mut self, words: &[String], unit: Unit, identity: &Identity) -> Result<(), String> {
        let Identity::Keywords(_, boundary) = identity else { return Ok(()) };
        let mut forms = BTreeSet::new();
        for word in words {
            self.keywords += if word.contains(' ') { 1 + JOINTS.len() } else { 1 };
            if self.keywords > KEYWORDS_MAX {
                return Err(format!(
                    "more than {KEYWORDS_MAX} keywords, phrases counted five times, in all policies of a workload"
                ));
            }
            for form in view::foldings(word) {
                let form = literal(&form).map_err(|why| format!("keyword `{word}` {why}"))?;
                forms.extend(JOINTS.into_iter().filter_map(|joint| jointed(&form, joint)));
                forms.insert(form);
            }
        }
        for form in forms {
            self.literals.entry(form).or_default().push(Owner::Keyword(unit, *boundary));
        }
        Ok(())
    }

    fn pattern(&mut self, pattern: Shared, unit: Unit) -> Result<(), String> {
        if self.slots.len() == PATTERNS_MAX {
            return Err(format!("more than {PATTERNS_MAX} different patterns in all policies of a workload"));
        }
        if let Need::Atoms(atoms) = &pattern.need {
            for atom in atoms {
                self.literals.entry(atom.clone()).or_default().push(Owner::Atom(self.slots.len()));
            }
        }
        self.slots.push(Slot { pattern, unit });
        Ok(())
    }

    /// Builds the automaton, when the whole is within its budget.
    pub(super) fn finish(self) -> Result<Lexicon, TooCostly> {
        self.within_budget()?;
        let bytes: usize = self.literals.keys().map(Vec::len).sum();
        // INVARIANT: NFA and DFA report the same overlapping matches; only speed and memory differ.
        let kind = if bytes <= DENSE_BYTES_MAX { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let automaton = (!self.literals.is_empty()).then(|| {
            AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .match_kind(MatchKind::Standard)
                .start_kind(StartKind::Unanchored)
                .kind(Some(kind))
                .build(self.literals.keys())
        });
        let automaton = automaton.transpose().map_err(|error| TooCostly { unit: Unit(0), why: error.to_string() })?;
        let (mut by_digits, mut always) = (Vec::new(), Vec::new());
        for (index, slot) in self.slots.iter().enumerate() {
            match slot.pattern.need {
                Need::Atoms(_) => {}
                Need::Digits(count) => by_digits.push((index, count)),
                Need::Nothing => always.push(index),
            }
        }
        let seam = self.seam();
        Ok(Lexicon {
            automaton,
            owners: self.literals.into_values().map(Vec::into_boxed_slice).collect(),
            units: self.known.len(),
            slots: self.slots,
            by_digits,
            always,
            seam,
        })
    }

    fn seam(&self) -> usize {
        let keyword = |owners: &[Owner]| owners.iter().any(|o| matches!(o, Owner::Keyword(..)));
        let words = self.literals.iter().filter(|(_, owners)| keyword(owners)).map(|(word, _)| word.len());
        let patterns = self.slots.iter().filter_map(|slot| slot.pattern.reach).map(|reach| reach.min(SEAM_BYTES_MAX));
        words.chain(patterns).max().unwrap_or(0)
    }

    fn within_budget(&self) -> Result<(), TooCostly> {
        let walked = self.worst_walk();
        let total: usize = walked.iter().sum();
        let dearest =
            walked.iter().zip(&self.slots).max_by_key(|(bytes, slot)| (**bytes, std::cmp::Reverse(slot.unit)));
        match dearest {
            Some((share, slot)) if total > WALK_BYTES_MAX => Err(TooCostly {
                unit: slot.unit,
                why: format!(
                    "the patterns of all policies together would read the worst prompt {} times, more than {}; this one \
                     takes part with {}. Give it a longer literal that every match holds, bound its repetitions, or use \
                     keywords",
                    total / PROBE_BYTES,
                    WALK_BYTES_MAX / PROBE_BYTES,
                    share.div_ceil(PROBE_BYTES),
                ),
            }),
            _ => Ok(()),
        }
    }

    /// How many bytes each pattern walks in the worst prompt of [`PROBE_BYTES`], by a model without a clock, so that the
    /// same set is always judged the same: patterns that ask for nothing, for digits, or that reach without bound read
    /// all of it; the prompt is then filled with the literals that make bounded patterns read most.
    fn worst_walk(&self) -> Vec<usize> {
        let mut walked = vec![0; self.slots.len()];
        let mut windows: BTreeMap<&[u8], Vec<(usize, usize)>> = BTreeMap::new();
        for (index, (slot, walked)) in self.slots.iter().zip(&mut walked).enumerate() {
            match (&slot.pattern.need, slot.pattern.reach) {
                (Need::Atoms(atoms), Some(reach)) => {
                    for atom in atoms {
                        let window = reach.saturating_mul(2).saturating_add(atom.len()).min(PROBE_BYTES);
                        windows.entry(atom).or_default().push((index, window));
                    }
                }
                (Need::Atoms(_) | Need::Digits(_), _) => *walked = PROBE_BYTES,
                // Read in full even for the most harmless prompt, so it counts four times.
                (Need::Nothing, _) => *walked = 4 * PROBE_BYTES,
            }
        }
        let mut dear: Vec<_> = windows.into_iter().collect();
        dear.sort_by_cached_key(|(atom, users)| {
            std::cmp::Reverse(users.iter().map(|(_, window)| window).sum::<usize>() * PROBE_BYTES / atom.len().max(1))
        });
        let mut room = PROBE_BYTES;
        for (atom, users) in dear {
            let smallest = users.iter().map(|(_, window)| *window).min().unwrap_or(PROBE_BYTES);
            let times = PROBE_BYTES.div_ceil(smallest.max(1)).min(room.div_ceil(atom.len().max(1)));
            room = room.saturating_sub(times * atom.len());
            for (index, window) in users {
                if let Some(walked) = walked.get_mut(index) {
                    *walked = walked.saturating_add(times * window).min(PROBE_BYTES);
                }
            }
        }
        walked
    }
}

/// A phrase with a sign in place of its spaces; `None` for a single word.
fn jointed(form: &[u8], joint: u8) -> Option<Vec<u8>> {
    let join = |byte: &u8| if *byte == b' ' { joint } else { *byte };
    form.contains(&b' ').then(|| form.iter().map(join).collect())
}

/// A folded keyword as it is looked for: runs of white space as one space, none round it.
fn literal(folded: &str) -> Result<Vec<u8>, &'static str> {
    let words: Vec<&str> = folded.split(char::is_whitespace).filter(|w| !w.is_empty()).collect();
    let text = words.join(" ").to_ascii_lowercase();
    if text.is_empty() {
        return Err("holds nothing that can be looked for once it is folded");
    }
    if text.len() > KEYWORD_BYTES_MAX {
        return Err("is longer than 256 bytes; look for a shorter part of it");
    }
    if text.contains('\0') {
        return Err("holds a NUL character");
    }
    Ok(text.into_bytes())
}
