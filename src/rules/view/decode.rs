//! Decoding: what runs of base64 and hexadecimal say, text hidden in invisible characters, and escapes, twice over.
//!
//! A run counts only for the stretches of it that decode to plausible text, wherever they begin: a prefix or a few
//! wrong characters do not hide the rest, and hashes, keys and long words, which decode to noise, give nothing.
//!
//! Guarantees: text without runs costs a scan that looks at a fraction of its bytes and allocates nothing. Does not
//! know compression or encryption.

use std::ops::Range;

use super::super::marks::Marks;
use super::map::Map;
use super::noise::{self, BASE64_TEXT_MIN, HEX_TEXT_MIN, Said};
use super::{View, ViewKind};
use super::{escape, spell};
use crate::base::limits::{DECODED_BYTES_MAX, DECODED_RUNS_MAX};

/// Shortest run looked into: 16 characters of base64 are 12 bytes, of hexadecimal 8.
const RUN_BYTES_MIN: usize = 16;
/// Bytes from one look for `70 72 6f` to the next: wherever eight bytes are written so, one look is in the midst of them.
const PAIRS_STRIDE: usize = 3 * HEX_TEXT_MIN - 8;
/// Shortest text in invisible characters; honest uses of tags and selectors are shorter or not text.
const HIDDEN_TEXT_MIN: usize = 4;
/// How often an encoding may be wrapped in another: encoded once, and once more.
const DEPTH_MAX: usize = 2;

/// How much decoding one query may cost. Share one over all parts of a query.
#[derive(Debug, Clone)]
pub struct DecodeBudget {
    /// Decoded texts that may still be given.
    pub runs: usize,
    /// Encoded bytes that may still be looked into.
    pub bytes: usize,
    /// Whether something was not looked into: the caller must name a gap.
    pub exceeded: bool,
}

impl Default for DecodeBudget {
    fn default() -> Self {
        Self { runs: DECODED_RUNS_MAX, bytes: DECODED_BYTES_MAX, exceeded: false }
    }
}

impl DecodeBudget {
    /// Takes the cost of looking into a run.
    pub(super) fn take_bytes(&mut self, bytes: usize) -> bool {
        take(&mut self.bytes, bytes, &mut self.exceeded)
    }

    /// Takes one decoded text.
    pub(super) fn take_run(&mut self) -> bool {
        take(&mut self.runs, 1, &mut self.exceeded)
    }
}

fn take(left: &mut usize, cost: usize, exceeded: &mut bool) -> bool {
    match left.checked_sub(cost) {
        Some(rest) => *left = rest,
        None => *exceeded = true,
    }
    !*exceeded
}

/// What the encoded runs of a text say, and what encoded runs in those say.
#[must_use]
pub fn decoded(text: &str, budget: &mut DecodeBudget) -> Vec<View> {
    decoded_by(text, &Marks::of(text.as_bytes()), budget)
}

/// The same of a text whose marks are known.
pub(in super::super) fn decoded_by(text: &str, marks: &Marks, budget: &mut DecodeBudget) -> Vec<View> {
    twice(once((text, marks), None, budget), budget)
}

/// What the encoded runs of a folding say, without those that stand in the original letter for letter: they are looked
/// into there.
pub(super) fn decoded_anew(folding: &View, marks: &Marks, original: &str, budget: &mut DecodeBudget) -> Vec<View> {
    twice(once((&folding.text, marks), Some(&Before { original, folding }), budget), budget)
}

fn twice(mut views: Vec<View>, budget: &mut DecodeBudget) -> Vec<View> {
    let mut layer = 0..views.len();
    for _ in 1..DEPTH_MAX {
        for index in layer.clone() {
            let Some(outer) = views.get(index) else { break };
            let marks = Marks::of(outer.text.as_bytes());
            let inner = once((&outer.text, &marks), None, budget);
            let inner: Vec<View> = inner.into_iter().map(|inner| inner.on(outer)).collect();
            views.extend(inner);
        }
        layer = layer.end..views.len();
    }
    views
}

/// Each kind is looked for only where the marks of the text do not rule it out.
fn once((text, marks): (&str, &Marks), before: Option<&Before<'_>>, budget: &mut DecodeBudget) -> Vec<View> {
    let mut found = Found { text, before, views: Vec::new(), budget };
    if marks.encoded_runs {
        found.runs();
    }
    if !marks.plain {
        found.hidden();
    }
    if marks.may_hold_pairs {
        found.hex_pairs();
    }
    escape::views(text, before, found.budget, &mut found.views);
    if marks.may_be_spelled {
        spell::views(text, found.budget, &mut found.views);
    }
    found.views
}

/// The text that a folding was made from, which has been looked into.
pub(super) struct Before<'a> {
    original: &'a str,
    folding: &'a View,
}

impl Before<'_> {
    /// Whether a stretch of the folding was taken over as it stood.
    pub(super) fn holds(&self, stretch: &Range<usize>) -> bool {
        let Some(text) = self.folding.text.get(stretch.clone()) else { return false };
        self.original.get(self.folding.original(stretch.clone())) == Some(text)
    }
}

/// The digits of a run, line breaks left out.
#[derive(Default)]
struct Digits {
    values: Vec<u8>,
    places: Places,
}

/// Where digits stand.
enum Places {
    /// One beside the other, from here on.
    From(usize),
    /// Each by itself.
    Listed(Vec<u32>),
}

impl Default for Places {
    fn default() -> Self {
        Self::From(0)
    }
}

impl Digits {
    /// Reads a run of digits and line breaks.
    fn read(bytes: &[u8], run: Range<usize>, values: &[u8; 256]) -> Self {
        let value = |byte: &u8| values.get(usize::from(*byte)).copied().unwrap_or(NO_DIGIT);
        let there: Vec<u8> = bytes.get(run.clone()).unwrap_or_default().iter().map(value).collect();
        if !there.contains(&NO_DIGIT) {
            return Self { values: there, places: Places::From(run.start) };
        }
        let digits = there.into_iter().zip(run).filter(|(value, _)| *value != NO_DIGIT);
        let (values, places) = digits.filter_map(|(value, at)| Some((value, u32::try_from(at).ok()?))).unzip();
        Self { values, places: Places::Listed(places) }
    }

    /// Those from the given one on.
    fn from(&self, skip: usize) -> &[u8] {
        self.values.get(skip..).unwrap_or_default()
    }

    /// The text of a digit and the next.
    fn pair(&self, first: usize) -> Range<usize> {
        match &self.places {
            Places::From(start) => start + first..start + first + 2,
            Places::Listed(places) => match places.get(first..first + 2) {
                Some([start, last]) => *start as usize..*last as usize + 1,
                _ => 0..0,
            },
        }
    }
}

struct Found<'a, 'b> {
    text: &'a str,
    before: Option<&'a Before<'a>>,
    views: Vec<View>,
    budget: &'b mut DecodeBudget,
}

impl Found<'_, '_> {
    /// Looks into every run of encoding characters.
    fn runs(&mut self) {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while let Some(run) = next_run(bytes, at, is_sextet) {
            let run = with_wrapped_lines(bytes, run);
            at = run.end;
            if self.before.is_some_and(|before| before.holds(&run)) {
                continue;
            }
            if !self.budget.take_bytes(run.len()) {
                return;
            }
            self.hex(bytes, run.clone());
            self.base64(bytes, run);
        }
    }

    fn base64(&mut self, bytes: &[u8], run: Range<usize>) {
        let digits = Digits::read(bytes, run, &SEXTETS);
        let zeros = noise::zeros(&digits.values);
        for skip in 0..4 {
            let there = digits.from(skip);
            let place = |byte: usize, bytes: usize, map: &mut Map| {
                let digit = skip + byte / 3 * 4 + byte % 3;
                match digits.places {
                    Places::From(start) => map.straight_sextets(bytes, start + digit, byte % 3),
                    Places::Listed(_) => (byte..byte + bytes).for_each(|byte| {
                        map.sextets(digits.pair(skip + byte / 3 * 4 + byte % 3), byte % 3);
                    }),
                }
            };
            let wide = noise::base64_may_be_wide(zeros, there.len()).then(|| noise::base64_bytes(there));
            let said = match wide.and_then(|raw| self.wide(ViewKind::Base64, &raw, BASE64_TEXT_MIN, place)) {
                Some(said) => said,
                None => self.keep(ViewKind::Base64, noise::base64_texts(there), place),
            };
            if said * 2 >= noise::base64_length(there.len()) {
                return;
            }
        }
    }

    fn hex(&mut self, bytes: &[u8], run: Range<usize>) {
        let mut at = run.start;
        let is_digit =
            |byte: u8| NIBBLES.get(usize::from(byte)).is_some_and(|value| *value != NO_DIGIT) || is_break(byte);
        while let Some(run) = next_run(bytes.get(..run.end).unwrap_or_default(), at, is_digit) {
            at = run.end;
            self.hex_run(&Digits::read(bytes, run, &NIBBLES));
        }
    }

    fn hex_run(&mut self, digits: &Digits) {
        let zeros = noise::zeros(&digits.values);
        for skip in 0..2 {
            let there = digits.from(skip);
            let place = |byte: usize, bytes: usize, map: &mut Map| {
                (byte..byte + bytes).for_each(|byte| map.replace(1, digits.pair(skip + 2 * byte)));
            };
            let wide = noise::hex_may_be_wide(zeros, there.len()).then(|| noise::hex_bytes(there));
            let said = match wide.and_then(|raw| self.wide(ViewKind::Hex, &raw, HEX_TEXT_MIN, place)) {
                Some(said) => said,
                None => self.keep(ViewKind::Hex, noise::hex_texts(there), place),
            };
            if said > 0 {
                return;
            }
        }
    }

    /// Bytes in hexadecimal with one and the same sign between them: `70 72 6f`, `70:72:6f`.
    fn hex_pairs(&mut self) {
        let bytes = self.text.as_bytes();
        let is_pair = |at: usize| bytes.get(at..at + 2).is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit));
        let is_sign = |at: usize| bytes.get(at).is_some_and(|b| b.is_ascii_punctuation() || matches!(b, b' ' | b'\n'));
        let (mut look, mut from) = (0, 0);
        while look < bytes.len() {
            let sign =
                (look..look + 3).find(|at| is_sign(*at) && is_pair(at + 1) && bytes.get(*at) == bytes.get(at + 3));
            look += PAIRS_STRIDE;
            let Some(sign) = sign else { continue };
            let follows = |at: usize| bytes.get(at) == bytes.get(sign);
            let (mut start, mut end) = (sign + 1, sign + 3);
            while start >= from + 3 && follows(start - 1) && is_pair(start - 3) {
                start -= 3;
            }
            while follows(end) && is_pair(end + 1) {
                end += 3;
            }
            if end - start >= 3 * HEX_TEXT_MIN - 1 {
                if !self.budget.take_bytes(end - start) {
                    return;
                }
                let digit = |at: usize| Some((nibble(*bytes.get(at)?)?, u32::try_from(at).ok()?));
                let (values, places) = (start..end).filter_map(digit).unzip();
                self.hex_run(&Digits { values, places: Places::Listed(places) });
            }
            from = end;
            look = look.max(end);
        }
    }

    /// Text in tag characters, or in bytes spelled with variation selectors.
    fn hidden(&mut self) {
        let mut raw = Vec::new();
        let mut places: Vec<Range<usize>> = Vec::new();
        let mut from = 0;
        let bytes = self.text.as_bytes();
        // Tags and most selectors begin with the bytes F3 A0, the other selectors with EF B8.
        while let Some(at) = memchr::memchr2(0xf3, 0xef, bytes.get(from..).unwrap_or_default()).map(|i| from + i) {
            let Some(c) = self.text.get(at..).and_then(|rest| rest.chars().next()) else { break };
            from = at + c.len_utf8();
            if let Some(byte) = hidden_byte(c) {
                raw.push(byte);
                places.push(at..from);
            }
        }
        if self.budget.take_bytes(raw.len()) {
            let place = |byte: usize, bytes: usize, map: &mut Map| {
                for place in places.get(byte..byte + bytes).unwrap_or_default() {
                    map.replace(1, place.clone());
                }
            };
            if self.wide(ViewKind::Hidden, &raw, HIDDEN_TEXT_MIN, place).is_none() {
                self.keep(ViewKind::Hidden, noise::texts(&raw, HIDDEN_TEXT_MIN), place);
            }
        }
    }

    /// Keeps the text in decoded bytes that are every other one zero, and says how many bytes that were; nothing for other
    /// bytes.
    fn wide(
        &mut self,
        kind: ViewKind,
        raw: &[u8],
        text_bytes_min: usize,
        place: impl Fn(usize, usize, &mut Map),
    ) -> Option<usize> {
        let first = noise::wide(raw)?;
        let narrow: Vec<u8> = raw.iter().skip(first).step_by(2).copied().collect();
        let one_by_one = |byte: usize, bytes: usize, map: &mut Map| {
            (byte..byte + bytes).for_each(|byte| place(first + 2 * byte, 1, map));
        };
        Some(2 * self.keep(kind, noise::texts(&narrow, text_bytes_min / 2), one_by_one))
    }

    /// Keeps texts as views, and says how many bytes they are. `place` maps so many bytes from one on.
    fn keep(&mut self, kind: ViewKind, texts: Vec<Said>, place: impl Fn(usize, usize, &mut Map)) -> usize {
        let mut said = 0;
        for (first, text) in texts {
            if !self.budget.take_run() {
                break;
            }
            let mut map = Map::default();
            place(first, text.len(), &mut map);
            said += text.len();
            self.views.push(View::new(kind, text, map));
        }
        said
    }
}

/// The next run of at least [`RUN_BYTES_MIN`] encoding characters from `at` on. Looks backwards from where the run would
/// have to reach, so that prose is skipped a word or two at a time.
fn next_run(bytes: &[u8], mut at: usize, is_one: impl Fn(u8) -> bool) -> Option<Range<usize>> {
    loop {
        let window = bytes.get(at..at.checked_add(RUN_BYTES_MIN)?)?;
        let Some(stop) = window.iter().rposition(|b| !is_one(*b)) else {
            let length = bytes.get(at..)?.iter().take_while(|b| is_one(**b)).count();
            return Some(at..at + length);
        };
        at += stop + 1;
    }
}

/// The run and the lines that go on with it: MIME and PEM break lines at one width.
fn with_wrapped_lines(bytes: &[u8], run: Range<usize>) -> Range<usize> {
    let width = run.len();
    let mut end = run.end;
    while let Some(rest) = bytes.get(end..) {
        let gap = if rest.starts_with(b"\r\n") { 2 } else { usize::from(rest.starts_with(b"\n")) };
        if gap == 0 {
            break;
        }
        let line = rest.iter().skip(gap).take_while(|b| is_sextet(**b)).count();
        if line == 0 || line > width {
            break;
        }
        end += gap + line;
        if line < width {
            break;
        }
    }
    run.start..end
}

const fn is_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// The value of a base64 digit, of either alphabet.
const fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// What is no digit.
const NO_DIGIT: u8 = u8::MAX;
/// [`sextet`] as a table: every text is asked.
static SEXTETS: [u8; 256] = table(Alphabet::Base64);
/// [`nibble`] as a table.
static NIBBLES: [u8; 256] = table(Alphabet::Hex);

/// Whose digits a table has.
#[derive(Clone, Copy)]
enum Alphabet {
    Base64,
    Hex,
}

const fn table(alphabet: Alphabet) -> [u8; 256] {
    let mut table = [NO_DIGIT; 256];
    let mut byte = 0_u8;
    loop {
        let value = match alphabet {
            Alphabet::Base64 => sextet(byte),
            Alphabet::Hex => nibble(byte),
        };
        if let Some(value) = value {
            table[byte as usize] = value;
        }
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
}

fn is_sextet(byte: u8) -> bool {
    SEXTETS.get(usize::from(byte)).is_some_and(|value| *value != NO_DIGIT)
}

const fn nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

const fn hidden_byte(c: char) -> Option<u8> {
    let byte = match c {
        '\u{e0020}'..='\u{e007e}' => c as u32 - 0xe0000,
        '\u{fe00}'..='\u{fe0f}' => c as u32 - 0xfe00,
        '\u{e0100}'..='\u{e01ef}' => c as u32 - 0xe0100 + 16,
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, reason = "each arm gives at most 255")]
    Some(byte as u8)
}
