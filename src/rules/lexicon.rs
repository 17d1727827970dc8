//! Everything that rules look for in texts, gathered: one automaton over all keywords and all literals that patterns
//! require, whatever the number of rules.
//!
//! Guarantees: equal matchers of different rules are looked for once; what the set may cost on the worst prompt is
//! known and within [`WALK_BYTES_MAX`]. Knows nothing of queries and verdicts.

use std::collections::{BTreeMap, BTreeSet};

use super::TextMatch;
use super::atoms::{Need, Offset};
use super::guard::{Guards, TOGETHER};
use super::limits::{KEYWORD_BYTES_MAX, KEYWORDS_MAX, PATTERNS_MAX, PROBE_BYTES, SEAM_BYTES_MAX, WALK_BYTES_MAX};
use super::literals::{Literals, Spelling};
use super::marks::Words;
use super::numbers::Numbers;
use super::pattern::{self, Shared, Way};
use super::view;

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
    /// A pattern, to be run so far before it, or near it.
    Atom(usize, Offset),
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
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) pattern: Shared,
    pub(super) unit: Unit,
}

/// Slots that are tried together wherever one of them may begin.
#[derive(Debug)]
pub(super) struct Starters {
    pub(super) slots: Vec<usize>,
    pub(super) guards: Guards,
    pub(super) near: Near,
}

/// Where slots are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Near {
    /// Where such a word begins.
    Words(Words),
    /// Within `reach` of so many digits.
    Digits { least: usize, reach: usize },
    /// Anywhere.
    Anything,
}

/// Shortest run worth looking for: most words of prose are shorter.
const RUN_MIN: usize = 6;
/// Digits that prose seldom holds near each other: most numbers of people and cards have more.
const MANY_DIGITS: usize = 8;

/// All that is looked for.
#[derive(Debug)]
pub(super) struct Lexicon {
    literals: Option<Literals>,
    /// By literal, where its part of `owners` ends: most have one, and a list of its own for each would be twice the size.
    owner_ends: Vec<u32>,
    owners: Vec<Owner>,
    pub(super) slots: Vec<Slot>,
    /// Slots tried at digits that begin a word.
    pub(super) numbers: Vec<Numbers>,
    /// Slots tried elsewhere near digits, or on every text.
    pub(super) starters: Vec<Starters>,
    /// Slots run wherever a text holds enough digits.
    pub(super) by_digits: Vec<(usize, usize)>,
    /// Fewest digits that any of those needs; `None` without such.
    pub(super) digits_min: Option<usize>,
    /// Slots run on every text.
    pub(super) always: Vec<usize>,
    pub(super) units: usize,
    /// How far on both sides of a seam joined texts are looked at.
    pub(super) seam: usize,
    /// The shortest text that anything is found in.
    pub(super) shortest: usize,
}

impl Lexicon {
    pub(super) const fn literals(&self) -> Option<&Literals> {
        self.literals.as_ref()
    }

    pub(super) fn owners(&self, literal: usize) -> &[Owner] {
        let end = |index: usize| self.owner_ends.get(index).map_or(0, |end| *end as usize);
        self.owners.get(literal.checked_sub(1).map_or(0, end)..end(literal)).unwrap_or_default()
    }

    /// The name in place of a redacted match of a unit.
    pub(super) fn mark(&self, unit: Unit) -> &'static str {
        // INVARIANT: a unit has one slot at most, and slots stand in the order of their units.
        let slot = self.slots.binary_search_by_key(&unit, |slot| slot.unit).ok().and_then(|at| self.slots.get(at));
        slot.and_then(|slot| slot.pattern.mark()).unwrap_or("REDACTED")
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
    literals: BTreeMap<(Vec<u8>, Spelling), Vec<Owner>>,
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
            self.keywords += 1;
            if self.keywords > KEYWORDS_MAX {
                return Err(format!("more than {KEYWORDS_MAX} keywords in all policies of a workload"));
            }
            for form in view::foldings(word) {
                let form = literal(&form).map_err(|why| format!("keyword `{word}` {why}"))?;
                forms.insert(form);
            }
        }
        for form in forms {
            let spelling = if form.contains(&b' ') { Spelling::Jointed } else { Spelling::Exact };
            self.literals.entry((form, spelling)).or_default().push(Owner::Keyword(unit, *boundary));
        }
        Ok(())
    }

    fn pattern(&mut self, pattern: Shared, unit: Unit) -> Result<(), String> {
        if self.slots.len() == PATTERNS_MAX {
            return Err(format!("more than {PATTERNS_MAX} different patterns in all policies of a workload"));
        }
        if let Need::Atoms(atoms) = &pattern.need {
            for atom in atoms {
                let owner = Owner::Atom(self.slots.len(), atom.offset);
                self.literals.entry((atom.text.clone(), Spelling::Exact)).or_default().push(owner);
            }
        }
        self.slots.push(Slot { pattern, unit });
        Ok(())
    }

    /// Builds the automaton, when the whole is within its budget.
    pub(super) fn finish(&self) -> Result<Lexicon, TooCostly> {
        self.within_budget()?;
        let literals: Vec<_> = self.literals.keys().map(|(text, spelling)| (&text[..], *spelling)).collect();
        let literals = (!literals.is_empty()).then(|| Literals::new(&literals));
        let (mut numbered, mut lettered, mut anywhere) = (Vec::new(), Vec::new(), Vec::new());
        let (mut few_digits, mut many_digits) = (Vec::new(), Vec::new());
        let (mut by_digits, mut always) = (Vec::new(), Vec::new());
        let mut numbers = Vec::new();
        for (index, slot) in self.slots.iter().enumerate() {
            let pattern = &slot.pattern;
            if !matches!(pattern.need, Need::Atoms(_)) && pattern.way == Way::FromStarts && Numbers::takes(pattern) {
                numbers.push((index, pattern));
                if pattern.guard.without_digits().is_none() {
                    continue;
                }
            }
            match (&pattern.need, pattern.way) {
                (Need::Atoms(_), _) => {}
                (_, Way::FromStarts) if pattern.guard.run() > 0 && pattern.guard.digit_at().is_some() => {
                    numbered.push(index);
                }
                (_, Way::FromStarts) if pattern.guard.run() >= RUN_MIN => lettered.push(index),
                (Need::Digits(..MANY_DIGITS), Way::FromStarts) => few_digits.push(index),
                (Need::Digits(_), Way::FromStarts) => many_digits.push(index),
                (Need::Nothing, Way::FromStarts) => anywhere.push(index),
                (Need::Digits(count), _) => by_digits.push((index, *count)),
                (Need::Nothing, _) => always.push(index),
            }
        }
        // Groups of words that few texts have are those of long ones.
        for words in [&mut numbered, &mut lettered] {
            words.sort_by_key(|slot| self.slots.get(*slot).map(|slot| slot.pattern.guard.run()));
        }
        let groups = [numbered, lettered, few_digits, many_digits, anywhere];
        let starters: Vec<_> = groups.iter().flat_map(|slots| self.starters(slots)).collect();
        let by_starts = starters.iter().filter_map(|starters: &Starters| match starters.near {
            Near::Digits { least, .. } => Some(least),
            Near::Words(_) | Near::Anything => None,
        });
        let digits_min = by_starts.chain(by_digits.iter().map(|(_, count)| *count)).min();
        let seam = self.seam();
        let owners: Vec<Owner> = self.literals.values().flatten().copied().collect();
        let ends = self.literals.values().scan(0_usize, |end, owners| {
            *end += owners.len();
            Some(u32::try_from(*end).unwrap_or(u32::MAX))
        });
        Ok(Lexicon {
            literals,
            owner_ends: ends.collect(),
            owners,
            units: self.known.len(),
            numbers: Numbers::of(&numbers),
            slots: self.slots.clone(),
            starters,
            by_digits,
            digits_min,
            always,
            seam,
            shortest: self.shortest(),
        })
    }

    /// The slots in groups that are tried together.
    fn starters(&self, slots: &[usize]) -> Vec<Starters> {
        let patterns: Vec<_> =
            slots.iter().filter_map(|slot| self.slots.get(*slot)).map(|slot| &slot.pattern).collect();
        // What is tried at digits that begin a word is tried elsewhere only here.
        let elsewhere = |pattern: &&Shared| match pattern.guard.without_digits() {
            Some(guard) if Numbers::takes(pattern) => guard,
            _ => pattern.guard.clone(),
        };
        let guards: Vec<_> = patterns.iter().map(elsewhere).collect();
        let groups = Guards::of(&guards.iter().collect::<Vec<_>>())
            .into_iter()
            .zip(slots.chunks(TOGETHER).zip(patterns.chunks(TOGETHER)));
        groups
            .map(|(guards, (slots, patterns))| {
                let near = near(patterns, &guards);
                Starters { slots: slots.to_vec(), guards, near }
            })
            .collect()
    }

    fn seam(&self) -> usize {
        let keyword = |owners: &[Owner]| owners.iter().any(|o| matches!(o, Owner::Keyword(..)));
        let words = self.literals.iter().filter(|(_, owners)| keyword(owners)).map(|((word, _), _)| word.len());
        let patterns = self.slots.iter().filter_map(|slot| slot.pattern.reach).map(|reach| reach.min(SEAM_BYTES_MAX));
        words.chain(patterns).max().unwrap_or(0)
    }

    fn shortest(&self) -> usize {
        let keyword = |owners: &[Owner]| owners.iter().any(|o| matches!(o, Owner::Keyword(..)));
        let words = self.literals.iter().filter(|(_, owners)| keyword(owners)).map(|((word, _), _)| word.len());
        let patterns = self.slots.iter().map(|slot| match slot.pattern.need {
            Need::Digits(count) => slot.pattern.guard.shortest().max(count),
            Need::Atoms(_) | Need::Nothing => slot.pattern.guard.shortest(),
        });
        words.chain(patterns).min().unwrap_or(0)
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
                    for atom in atoms.iter().map(|atom| &atom.text) {
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

/// What all patterns of a group begin near.
fn near(patterns: &[&Shared], guards: &Guards) -> Near {
    let run = patterns.iter().map(|pattern| pattern.guard.run()).min().unwrap_or(0);
    if run >= RUN_MIN || (run > 0 && !guards.digits_at.is_empty()) {
        let letters = patterns.iter().fold(u64::MAX, |places, pattern| places & pattern.guard.words_at());
        return Near::Words(Words::of(letters, &guards.digits_at, guards.first));
    }
    let digits = |pattern: &&Shared| match pattern.need {
        Need::Digits(count) => count,
        Need::Atoms(_) | Need::Nothing => 0,
    };
    let least = patterns.iter().map(digits).min().unwrap_or(0);
    let reach = patterns.iter().filter_map(|pattern| pattern.reach).max().unwrap_or(0);
    if least == 0 { Near::Anything } else { Near::Digits { least, reach } }
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
