//! One automaton over all literals, read in one pass whatever their number.
//!
//! Of each literal the automaton knows a short window, the one that the fewest others share; where a window is found, the
//! whole literal is compared. So the automaton stays small enough to be dense and near at hand.
//!
//! Guarantees: finds every occurrence of every literal, ASCII case left out, with any run of white space for a space. Knows
//! nothing of rules, or of what a literal is part of.

mod walk;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::limits::{LITERAL_STATES_MAX, LITERAL_WINDOW_MAX};
use walk::{Automaton, Hits, KINDS, MARK};

/// Shortest word of a phrase that is window enough.
const WORD_MIN: usize = 4;
/// Signs that may stand in place of the spaces of a phrase: `project-nightingale` is the project nightingale.
const JOINTS: [u8; 4] = *b"-_./";

/// How a literal is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Spelling {
    /// Byte by byte.
    Exact,
    /// One and the same joint may stand in place of each of its spaces.
    Jointed,
}

/// Where one literal stands in the arena, and where its window begins in it.
#[derive(Debug)]
struct Entry {
    text: Range<u32>,
    /// From the beginning of the literal to the end of its window.
    window_end: u32,
    spelling: Spelling,
    /// Whether it holds a space, which stands for any run of white space.
    spaced: bool,
}

/// The automaton.
#[derive(Debug)]
pub(super) struct Literals {
    automaton: Automaton,
    /// By state, where its part of `candidates` ends.
    ends: Vec<u32>,
    candidates: Vec<u32>,
    entries: Vec<Entry>,
    arena: Vec<u8>,
    /// What the query before used.
    hits: Mutex<Hits>,
}

impl Literals {
    /// Builds the automaton; a literal is named by its place in the list. Literals are in lower case and not empty.
    pub(super) fn new(literals: &[(&[u8], Spelling)]) -> Self {
        let kinds = kinds(literals);
        for window_max in (2..=LITERAL_WINDOW_MAX).rev() {
            let windows = windows(literals, &kinds, window_max);
            if let Some(trie) = Trie::new(literals, &windows, &kinds) {
                return trie.finish(literals, &windows, kinds);
            }
        }
        // INVARIANT: windows of one kind have at most as many states as there are kinds.
        let windows = windows(literals, &kinds, 1);
        let trie = Trie::new(literals, &windows, &kinds).unwrap_or_else(Trie::empty);
        trie.finish(literals, &windows, kinds)
    }

    /// Room for the hits of one query.
    pub(super) fn hits(&self) -> Hits {
        std::mem::take(&mut *self.hits.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps that room for the next query.
    pub(super) fn keep(&self, hits: Hits) {
        if hits.is_small() {
            *self.hits.lock().unwrap_or_else(PoisonError::into_inner) = hits;
        }
    }

    /// Calls `found` with each literal and its place, in the order of their windows.
    pub(super) fn each(&self, text: &[u8], hits: &mut Hits, mut found: impl FnMut(usize, Range<usize>)) {
        self.automaton.hits(text, hits);
        for (end, state) in hits.all.iter().copied() {
            let state = usize::from(state & !MARK);
            let end_of = |state: usize| self.ends.get(state).map_or(0, |end| *end as usize);
            let output = state.checked_sub(1).map_or(0, end_of)..end_of(state);
            for literal in self.candidates.get(output).unwrap_or_default() {
                if let Some(place) = self.compare(*literal, text, end as usize) {
                    found(*literal as usize, place);
                }
            }
        }
    }

    /// Where the literal whose window ends at `end` stands, if it does.
    fn compare(&self, literal: u32, text: &[u8], end: usize) -> Option<Range<usize>> {
        let entry = self.entries.get(literal as usize)?;
        let wanted = self.arena.get(entry.text.start as usize..entry.text.end as usize)?;
        if !entry.spaced {
            let start = end.checked_sub(entry.window_end as usize)?;
            let place = start..start + wanted.len();
            return text.get(place.clone())?.eq_ignore_ascii_case(wanted).then_some(place);
        }
        let (before, behind) = wanted.split_at_checked(entry.window_end as usize)?;
        let mut joint = match entry.spelling {
            Spelling::Exact => Some(b' '),
            Spelling::Jointed => None,
        };
        let (mut start, mut rest) = (end, end);
        for byte in before.iter().rev() {
            let there = *text.get(start.checked_sub(1)?)?;
            start -= match_one(*byte, there, &mut joint)?;
            if *byte == b' ' && is_space(there) {
                start -= text.get(..start)?.iter().rev().take_while(|byte| is_space(**byte)).count();
            }
        }
        for byte in behind {
            let there = *text.get(rest)?;
            rest += match_one(*byte, there, &mut joint)?;
            if *byte == b' ' && is_space(there) {
                rest += text.get(rest..)?.iter().take_while(|byte| is_space(**byte)).count();
            }
        }
        Some(start..rest)
    }
}

/// Whether a byte stands for one of a literal, as 1; `joint` is what stands for its spaces once one is met.
fn match_one(wanted: u8, there: u8, joint: &mut Option<u8>) -> Option<usize> {
    let same = if wanted == b' ' {
        let sign = if is_space(there) { b' ' } else { there };
        *joint.get_or_insert(sign) == sign && (sign == b' ' || JOINTS.contains(&sign))
    } else {
        there.eq_ignore_ascii_case(&wanted)
    };
    same.then_some(1)
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Bodies end far below `u32::MAX`.
fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Numbers the bytes that literals hold; 0 is for all others. White space is one kind, case does not count, and bytes
/// beyond ASCII share what numbers are left: what is told apart too little is compared in the end.
fn kinds(literals: &[(&[u8], Spelling)]) -> [u8; 256] {
    let mut held = [false; 256];
    let joints = literals.iter().any(|(_, spelling)| *spelling == Spelling::Jointed);
    let joints = if joints { &JOINTS[..] } else { &[] };
    for byte in literals.iter().flat_map(|(text, _)| *text).chain(joints) {
        if let Some(held) = held.get_mut(usize::from(plain(*byte))) {
            *held = true;
        }
    }
    let mut kinds = [0_u8; 256];
    let mut count = 0_u8;
    // One number at least is for bytes beyond ASCII.
    let last = u8::try_from(KINDS - 2).unwrap_or(u8::MAX);
    // What is common in prose comes first, so that it lies together in each row.
    let mut plain_ones: Vec<u8> = (0..0x80).filter(|byte| held.get(usize::from(*byte)) == Some(&true)).collect();
    plain_ones.sort_by_key(|byte| std::cmp::Reverse(common(*byte)));
    for byte in plain_ones {
        count = (count + 1).min(last);
        set(&mut kinds, byte, count);
    }
    let left = u8::try_from(KINDS - 1).unwrap_or(u8::MAX) - count;
    for byte in (0x80..=0xff_u8).filter(|byte| held.get(usize::from(*byte)) == Some(&true)) {
        set(&mut kinds, byte, count + 1 + byte % left);
    }
    for byte in 0..0x80_u8 {
        let same = kinds.get(usize::from(plain(byte))).copied().unwrap_or_default();
        set(&mut kinds, byte, same);
    }
    kinds
}

fn set(kinds: &mut [u8; 256], byte: u8, kind: u8) {
    if let Some(slot) = kinds.get_mut(usize::from(byte)) {
        *slot = kind;
    }
}

/// A byte as the automaton sees it.
const fn plain(byte: u8) -> u8 {
    if is_space(byte) { b' ' } else { byte.to_ascii_lowercase() }
}

/// How often a byte stands in prose, roughly, in percent.
const fn common(byte: u8) -> usize {
    match byte {
        b' ' => 18,
        b'e' => 10,
        b't' | b'a' | b'o' | b'i' | b'n' => 7,
        b's' | b'r' | b'h' | b'l' | b'd' => 5,
        b'u' | b'c' | b'm' | b'p' | b'g' | b'f' => 3,
        b'0'..=b'9' | b'y' | b'w' | b'b' | b'v' => 2,
        _ => 1,
    }
}

/// The window of each literal: of the least shared, the one whose bytes are rarest in prose.
fn windows(literals: &[(&[u8], Spelling)], kinds: &[u8; 256], window_max: usize) -> Vec<Range<usize>> {
    let kind = |byte: &u8| kinds.get(usize::from(*byte)).copied().unwrap_or_default();
    let spelled: Vec<Vec<u8>> = literals.iter().map(|(text, _)| text.iter().map(kind).collect()).collect();
    let mut shared: HashMap<&[u8], u32> = HashMap::new();
    for ((text, _), kinds) in literals.iter().zip(&spelled) {
        for window in candidates(text, window_max).filter_map(|window| kinds.get(window)) {
            *shared.entry(window).or_default() += 1;
        }
    }
    let best = |((text, _), kinds): (&(&[u8], Spelling), &Vec<u8>)| {
        let weight = |window: &Range<usize>| {
            let sharing = kinds.get(window.clone()).and_then(|window| shared.get(window)).copied();
            let prose: usize =
                text.get(window.clone()).unwrap_or_default().iter().map(|byte| common(plain(*byte))).sum();
            (sharing.unwrap_or_default(), prose)
        };
        candidates(text, window_max).min_by_key(weight).unwrap_or(0..text.len())
    };
    literals.iter().zip(&spelled).map(best).collect()
}

/// The stretches of a literal that may be its window: inside one word where one is long enough. None ends with a space,
/// which may be a run of them.
fn candidates(text: &[u8], window_max: usize) -> impl Iterator<Item = Range<usize>> {
    let words: Vec<&[u8]> = text.split(|byte| *byte == b' ').collect();
    let longest = words.iter().map(|word| word.len()).max().unwrap_or(0);
    let inside = longest >= WORD_MIN.min(window_max);
    let length = window_max.min(if inside { longest } else { text.len() }).max(1);
    let fits = move |window: &Range<usize>| {
        let window = text.get(window.clone()).unwrap_or_default();
        window.last().is_some_and(|byte| *byte != b' ') && !(inside && window.contains(&b' '))
    };
    // A window of spaces and one letter at least there is always.
    let all = (0..=text.len().saturating_sub(length)).map(move |start| start..(start + length).min(text.len()));
    let ends = text.iter().rposition(|byte| *byte != b' ').map(|last| last.saturating_sub(length - 1)..last + 1);
    let mut found = all.filter(fits).peekable();
    let none = found.peek().is_none();
    found.chain(ends.filter(|_| none))
}

/// How a window may be written: a phrase with each of the joints.
fn spellings(window: &[u8], spelling: Spelling) -> Vec<Vec<u8>> {
    let mut forms = vec![window.to_vec()];
    if spelling == Spelling::Jointed && window.contains(&b' ') {
        let join = |joint: &u8| window.iter().map(|byte| if *byte == b' ' { *joint } else { *byte }).collect();
        forms.extend(JOINTS.iter().map(join));
    }
    forms
}

/// The automaton in the making: a trie whose missing branches are filled by what follows on failure.
struct Trie {
    rows: Vec<[u16; KINDS]>,
    /// Which literals have their window end at a state.
    ends: BTreeMap<u16, Vec<u32>>,
}

impl Trie {
    /// `None` when there would be too many states.
    fn new(literals: &[(&[u8], Spelling)], windows: &[Range<usize>], kinds: &[u8; 256]) -> Option<Self> {
        let mut trie = Self::empty();
        for (literal, ((text, spelling), window)) in literals.iter().zip(windows).enumerate() {
            for form in spellings(text.get(window.clone()).unwrap_or_default(), *spelling) {
                trie.insert(&form, kinds, narrow(literal))?;
            }
        }
        Some(trie)
    }

    fn empty() -> Self {
        Self { rows: vec![[0; KINDS]], ends: BTreeMap::new() }
    }

    fn insert(&mut self, window: &[u8], kinds: &[u8; 256], literal: u32) -> Option<()> {
        let mut state = 0;
        for byte in window {
            let kind = usize::from(kinds.get(usize::from(*byte)).copied().unwrap_or_default());
            let fresh = u16::try_from(self.rows.len()).ok().filter(|_| self.rows.len() < LITERAL_STATES_MAX);
            let next = self.rows.get_mut(usize::from(state))?.get_mut(kind)?;
            if *next == 0 {
                *next = fresh?;
                self.rows.push([0; KINDS]);
            }
            state = *self.rows.get(usize::from(state))?.get(kind)?;
        }
        self.ends.entry(state).or_default().push(literal);
        Some(())
    }

    /// Fills missing branches, nearest states first, and gathers what ends at each state. Says in which order that was.
    fn close(&mut self) -> Vec<u16> {
        let mut order: Vec<(u16, u16)> = Vec::with_capacity(self.rows.len());
        let root = self.row(0);
        order.extend(root.into_iter().filter(|next| *next != 0).map(|next| (next, 0)));
        let mut at = 0;
        while let Some((state, fallback)) = order.get(at).copied() {
            at += 1;
            if let Some(shorter) = self.ends.get(&fallback).cloned() {
                self.ends.entry(state).or_default().extend(shorter);
            }
            let below = self.row(fallback);
            let Some(row) = self.rows.get_mut(usize::from(state)) else { continue };
            for (next, otherwise) in row.iter_mut().zip(below) {
                if *next == 0 {
                    *next = otherwise;
                } else {
                    order.push((*next, otherwise));
                }
            }
        }
        std::iter::once(0).chain(order.into_iter().map(|(state, _)| state)).collect()
    }

    /// Puts the states into an order; those near the beginning are met most and then lie together.
    fn sort(&mut self, order: &[u16]) {
        let mut places = vec![0; self.rows.len()];
        for (place, state) in (0..).zip(order) {
            if let Some(slot) = places.get_mut(usize::from(*state)) {
                *slot = place;
            }
        }
        let place = |state: u16| places.get(usize::from(state)).copied().unwrap_or_default();
        self.rows = order.iter().map(|state| self.row(*state).map(place)).collect();
        self.ends = std::mem::take(&mut self.ends).into_iter().map(|(state, ends)| (place(state), ends)).collect();
    }

    /// More white space after white space changes nothing.
    fn fold_space(&mut self, space: usize) {
        let after: Vec<u16> = self.rows.iter().filter_map(|row| row.get(space).copied()).collect();
        for state in after {
            if let Some(next) = self.rows.get_mut(usize::from(state)).and_then(|row| row.get_mut(space)) {
                *next = state;
            }
        }
    }

    fn row(&self, state: u16) -> [u16; KINDS] {
        self.rows.get(usize::from(state)).copied().unwrap_or([0; KINDS])
    }

    /// Marks the states with something to compare.
    fn finish(mut self, literals: &[(&[u8], Spelling)], windows: &[Range<usize>], kinds: [u8; 256]) -> Literals {
        let order = self.close();
        self.sort(&order);
        self.fold_space(usize::from(kinds.get(usize::from(b' ')).copied().unwrap_or_default()));
        let mut marks = vec![0; self.rows.len()];
        for state in self.ends.keys() {
            if let Some(mark) = marks.get_mut(usize::from(*state)) {
                *mark = MARK;
            }
        }
        for next in self.rows.iter_mut().flatten() {
            *next |= marks.get(usize::from(*next)).copied().unwrap_or_default();
        }
        let (mut ends, mut candidates) = (Vec::with_capacity(self.rows.len()), Vec::new());
        for state in 0..self.rows.len() {
            let here = u16::try_from(state).ok().and_then(|state| self.ends.get(&state));
            candidates.extend_from_slice(here.map_or(&[], |here| here));
            ends.push(narrow(candidates.len()));
        }
        let mut arena = Vec::new();
        let entries = literals.iter().zip(windows).map(|((text, spelling), window)| {
            let start = narrow(arena.len());
            arena.extend_from_slice(text);
            let (window_end, spaced) = (narrow(window.end), text.contains(&b' '));
            Entry { text: start..narrow(arena.len()), window_end, spelling: *spelling, spaced }
        });
        let entries = entries.collect();
        let automaton = Automaton::new(kinds, &self.rows);
        Literals { automaton, ends, candidates, entries, arena, hits: Mutex::default() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn all(literals: &[(&[u8], Spelling)], text: &[u8]) -> BTreeSet<(usize, usize, usize)> {
        let mut found = BTreeSet::new();
        Literals::new(literals).each(text, &mut Hits::default(), |literal, place| {
            found.insert((literal, place.start, place.end));
        });
        found
    }

    /// Every literal at every place, byte by byte.
    fn naively(literals: &[(&[u8], Spelling)], text: &[u8]) -> BTreeSet<(usize, usize, usize)> {
        // Runs of white space as one space, and where each byte comes from.
        let (mut plain, mut from) = (Vec::new(), Vec::new());
        for (at, byte) in text.iter().enumerate() {
            if !(is_space(*byte) && at > 0 && is_space(text[at - 1])) {
                plain.push(if is_space(*byte) { b' ' } else { *byte });
                from.push(at);
            }
        }
        let ends = |at: usize| from.get(at).copied().unwrap_or(text.len());
        let mut found = BTreeSet::new();
        for (literal, (wanted, spelling)) in literals.iter().enumerate() {
            for (start, form) in
                (0..plain.len()).flat_map(|at| spellings(wanted, *spelling).into_iter().map(move |f| (at, f)))
            {
                if plain.get(start..start + form.len()).is_some_and(|there| there.eq_ignore_ascii_case(&form)) {
                    found.insert((literal, from[start], ends(start + form.len())));
                }
            }
        }
        found
    }

    proptest! {
        #[test]
        fn every_occurrence_of_every_literal_is_found(
            literals in prop::collection::vec(("[ab1é][ab1é -]{0,8}", any::<bool>()), 1..20),
            pieces in prop::collection::vec("[aAbB1é _.\\n-]{0,12}", 0..60),
        ) {
            let literals: Vec<(String, bool)> = literals
                .into_iter()
                .map(|(text, joint)| (text.split(' ').filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" "), joint))
                .collect();
            let literals: Vec<(&[u8], Spelling)> = literals
                .iter()
                .map(|(text, joint)| (text.as_bytes(), if *joint { Spelling::Jointed } else { Spelling::Exact }))
                .collect();
            let text = pieces.concat();
            prop_assert_eq!(all(&literals, text.as_bytes()), naively(&literals, text.as_bytes()));
        }
    }

    #[test]
    fn as_many_literals_as_a_set_may_hold_fit() {
        let mut seed = 7_u64;
        let words: Vec<Vec<u8>> = (0..50_000)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (0..10).map(|i| 0x21 + u8::try_from((seed >> (i * 6)) % 0x5e).unwrap()).collect::<Vec<u8>>()
            })
            .map(|word| word.to_ascii_lowercase())
            .collect();
        let literals: Vec<(&[u8], Spelling)> = words.iter().map(|word| (&word[..], Spelling::Exact)).collect();
        let automaton = Literals::new(&literals);
        let mut found = BTreeSet::new();
        automaton.each(&words[123], &mut Hits::default(), |literal, _| {
            found.insert(literal);
        });
        assert!(found.contains(&123));
    }
}
