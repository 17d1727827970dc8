//! Folding: what a text looks like to a reader, as plainly as it can be written.
//!
//! In order, per character: invisible characters go; white space becomes a space; NFKD takes compatibility forms
//! apart; diacritics go; what is not ASCII becomes lower case; digits of all scripts and look-alikes of Latin letters
//! become ASCII. ASCII stays as it is (case too: matching ignores it), line breaks stay.
//!
//! Guarantees: idempotent; [`None`] for a text that is its own folding; plain ASCII costs one scan.

use std::ops::Range;
use std::sync::OnceLock;

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use super::super::marks::{LANE, unprintable};
use super::letters::{is_diacritic, is_invisible, is_line_break, lookalike};
use super::map::Map;
use super::{View, ViewKind};

/// Most characters one character may fold to. Only two Arabic honorifics decompose to more (18 and 8) and stay as they
/// are; so a text grows at most sixfold.
const EXPANSION_CHARS_MAX: usize = 7;

/// The pattern of braille without a dot: drawn as a space, but none to Unicode.
const BLANK: char = '\u{2800}';

/// The folding of a text; `None` when it is its own folding.
#[must_use]
pub fn folded(text: &str) -> Option<View> {
    let first = next_foldable(text.as_bytes(), 0)?;
    let mut folder = Folder::new(text, first);
    let mut at = first;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        folder.fold(c, at..at + c.len_utf8());
        at += c.len_utf8();
        if text.as_bytes().get(at).is_some_and(|byte| is_foldable(*byte)) {
            continue;
        }
        let next = next_foldable(text.as_bytes(), at).unwrap_or(text.len());
        folder.copy(at..next);
        at = next;
    }
    folder.finish()
}

/// All foldings a keyword can have in text that is written in other case: as given, in lower and in upper case, each
/// once. For ASCII, one: case is the matcher's affair. Greek needs it, where the two cases of a letter look like
/// different Latin letters.
#[must_use]
pub fn foldings(word: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for form in [word.to_owned(), word.to_lowercase(), word.to_uppercase()] {
        let form = folded(&form).map_or(form, |view| view.text);
        if !found.iter().any(|known| known.eq_ignore_ascii_case(&form)) {
            found.push(form);
        }
    }
    found
}

/// Whether a byte begins something that may fold: anything beyond ASCII, and ASCII controls but tab and line breaks.
const fn is_foldable(byte: u8) -> bool {
    byte >= 0x7f || (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r'))
}

/// The first foldable byte from `at` on, which begins a character when `at` does.
fn next_foldable(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let (lanes, tail) = rest.as_chunks();
    for (first, lane) in (at..).step_by(LANE).zip(lanes) {
        let mut odd = unprintable(lane);
        while odd != 0 {
            let i = odd.trailing_zeros() as usize;
            // Line breaks are not printable, and nothing to fold.
            if lane.get(i).is_some_and(|byte| is_foldable(*byte)) {
                return Some(first + i);
            }
            odd &= odd - 1;
        }
    }
    tail.iter().position(|b| is_foldable(*b)).map(|i| bytes.len() - tail.len() + i)
}

/// Writes the folded text and its map.
struct Folder<'a> {
    original: &'a str,
    text: String,
    map: Map,
}

impl<'a> Folder<'a> {
    /// A folder that has copied the first `clean` bytes.
    fn new(original: &'a str, clean: usize) -> Self {
        let mut folder = Self { original, text: String::with_capacity(original.len()), map: Map::default() };
        folder.copy(0..clean);
        folder
    }

    fn copy(&mut self, range: Range<usize>) {
        if !range.is_empty() {
            self.map.copy(range.len(), range.start);
            self.text.push_str(self.original.get(range).unwrap_or_default());
        }
    }

    /// Folds one character that stands at `place`.
    fn fold(&mut self, c: char, place: Range<usize>) {
        if is_ideograph(c) {
            self.text.push(c);
            return self.map.copy(place.len(), place.start);
        }
        if matches!(c, '\u{e0000}'..='\u{e0fff}') {
            // Tags and selectors, which cannot be seen.
            return;
        }
        let before = self.text.len();
        if let Some(jamo) = jamo(c) {
            self.text.extend(jamo.into_iter().flatten());
            return self.map.replace(self.text.len() - before, place);
        }
        if let Some(known) = known(c) {
            match known.said() {
                [byte] if byte.is_ascii() => self.text.push(char::from(*byte)),
                said => self.text.push_str(std::str::from_utf8(said).unwrap_or_default()),
            }
            let written = usize::from(known.length);
            return if known.stays { self.map.copy(written, place.start) } else { self.map.replace(written, place) };
        }
        self.write(c);
        let written = self.text.len() - before;
        if self.text.get(before..) == self.original.get(place.clone()) {
            self.map.copy(written, place.start);
        } else {
            self.map.replace(written, place);
        }
    }

    fn write(&mut self, c: char) {
        if is_line_break(c) {
            self.text.push('\n');
        } else if is_invisible(c) {
            // Gone: what stood on both sides now stands together.
        } else if c.is_whitespace() || c == BLANK {
            self.text.push(' ');
        } else if is_ideograph(c) {
            self.text.push(c);
        } else {
            self.decompose(c);
        }
    }

    fn decompose(&mut self, c: char) {
        // Letters in brackets are letters; taken apart they would keep their brackets.
        if let ('\u{249c}'..='\u{24b5}' | '\u{1f110}'..='\u{1f129}', Some(plain)) = (c, lookalike(c)) {
            return self.text.push_str(plain);
        }
        let mut pieces = ['\0'; EXPANSION_CHARS_MAX];
        let mut count = 0;
        decompose_compatible(c, |piece| {
            if let Some(slot) = pieces.get_mut(count) {
                *slot = piece;
            }
            count += 1;
        });
        match pieces.get(..count) {
            Some(pieces) => pieces.iter().for_each(|piece| self.piece(*piece)),
            None => self.text.push(c),
        }
    }

    /// One character of a decomposition.
    fn piece(&mut self, piece: char) {
        let on_ascii = self.text.as_bytes().last().is_some_and(u8::is_ascii_alphanumeric);
        if is_invisible(piece) || is_diacritic(piece) || (on_ascii && is_combining_mark(piece)) {
            return;
        }
        if piece.is_ascii() {
            return self.text.push(piece);
        }
        // Shape first: capitals of Greek look like other Latin letters than their small forms.
        if let Some(plain) = lookalike(piece) {
            return self.text.push_str(plain);
        }
        for small in piece.to_lowercase() {
            match lookalike(small) {
                Some(plain) => self.text.push_str(plain),
                None if is_diacritic(small) => {}
                None => self.text.push(small),
            }
        }
    }

    fn finish(self) -> Option<View> {
        (self.text != self.original).then(|| View::new(ViewKind::Folded, self.text, self.map))
    }
}

/// What a character folds to, whatever stands before it.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// How many of the bytes; [`UNKNOWN`] when it depends, or is longer.
    length: u8,
    /// Whether it folds to itself.
    stays: bool,
    bytes: [u8; KNOWN_BYTES_MAX],
}

/// Longest folding that is looked up: three characters of the scripts of Asia.
const KNOWN_BYTES_MAX: usize = 9;
/// The length of a folding that is not looked up.
const UNKNOWN: u8 = u8::MAX;
/// Characters that are looked up together: those of a script mostly.
const BLOCK: usize = 1 << 8;
/// Blocks that are looked up: all scripts in use, and what imitates Latin.
const BLOCKS: usize = 1 << 9;

/// The foldings of single characters, each block once a text has one of them: about 3 KB.
static KNOWN: [OnceLock<Box<[Known; BLOCK]>>; BLOCKS] = [const { OnceLock::new() }; BLOCKS];

impl Known {
    /// INVARIANT: a folding looks at what stands before for one thing only, whether it is a letter or digit of ASCII.
    fn of(c: char) -> Self {
        let unknown = Self { length: UNKNOWN, stays: false, bytes: [0; KNOWN_BYTES_MAX] };
        let behind = |before: &str| {
            let mut folder = Folder { text: before.to_owned(), ..Folder::new("", 0) };
            folder.write(c);
            folder.text.split_off(before.len())
        };
        let said = behind("");
        let mut bytes = unknown.bytes;
        match bytes.get_mut(..said.len()) {
            Some(place) if behind("a") == said => place.copy_from_slice(said.as_bytes()),
            _ => return unknown,
        }
        let length = u8::try_from(said.len()).unwrap_or(UNKNOWN);
        Self { length, stays: said.chars().eq([c]), bytes }
    }

    fn said(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

fn known(c: char) -> Option<&'static Known> {
    let code = c as usize;
    let block = KNOWN.get(code / BLOCK)?.get_or_init(|| {
        let first = code / BLOCK * BLOCK;
        // Half pairs are no characters, and never asked for.
        let of = |at: usize| u32::try_from(first + at).ok().and_then(char::from_u32).unwrap_or_default();
        Box::new(std::array::from_fn(|at| Known::of(of(at))))
    });
    block.get(code % BLOCK).filter(|known| known.length != UNKNOWN)
}

/// The letters of a syllable of Korean, by the arithmetic of the standard (section 3.12).
fn jamo(c: char) -> Option<[Option<char>; 3]> {
    let syllable = (c as u32).checked_sub(0xac00).filter(|syllable| *syllable < 11_172)?;
    let (first, middle, last) = (syllable / 588, syllable % 588 / 28, syllable % 28);
    let last = if last == 0 { None } else { char::from_u32(0x11a7 + last) };
    Some([char::from_u32(0x1100 + first), char::from_u32(0x1161 + middle), last])
}

/// Unified ideographs fold to themselves: the fast path of Chinese and Japanese text.
const fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_up_is_what_would_be_written() {
        for c in '\0'..=char::MAX {
            if is_ideograph(c) || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{20000}'..) {
                continue;
            }
            for before in ["", "a", "\u{915}", " "] {
                let text = format!("{before}{c}");
                let mut plain = Folder::new(&text, before.len());
                plain.write(c);
                let mut fast = Folder::new(&text, before.len());
                fast.fold(c, before.len()..text.len());
                assert_eq!(fast.text, plain.text, "U+{:04X} behind {before:?}", c as u32);
            }
            if let Some(jamo) = jamo(c) {
                let mut plain = Folder::new("", 0);
                plain.decompose(c);
                assert!(plain.text.chars().eq(jamo.into_iter().flatten()), "U+{:04X}", c as u32);
            }
        }
    }
}
