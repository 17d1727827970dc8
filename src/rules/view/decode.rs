//! Decoding: what runs of base64 and hexadecimal say, text hidden in invisible characters, and escapes, twice over.
//!
//! A run counts only for the stretches of it that decode to plausible text, wherever they begin: a prefix or a few
//! wrong characters do not hide the rest, and hashes, keys and long words, which decode to noise, give nothing.
//!
//! Guarantees: text without runs costs a scan that looks at a fraction of its bytes and allocates nothing. Does not
//! know compression or encryption.

use std::ops::Range;

use super::map::Map;
use super::{View, ViewKind};
use super::{escape, spell};
use crate::base::limits::{DECODED_BYTES_MAX, DECODED_RUNS_MAX};

/// Shortest run looked into: 16 characters of base64 are 12 bytes, of hexadecimal 8.
const RUN_BYTES_MIN: usize = 16;
/// Shortest decoded text from base64. Twelve random bytes are all printable once in 150,000.
const BASE64_TEXT_MIN: usize = 12;
/// Shortest decoded text from hexadecimal digits.
const HEX_TEXT_MIN: usize = 8;
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
    twice(once(text, None, budget), budget)
}

/// What the encoded runs of a folding say, without those that stand in the original letter for letter: they are looked
/// into there.
pub(super) fn decoded_anew(folding: &View, original: &str, budget: &mut DecodeBudget) -> Vec<View> {
    twice(once(&folding.text, Some(&Before { original, folding }), budget), budget)
}

fn twice(mut views: Vec<View>, budget: &mut DecodeBudget) -> Vec<View> {
    let mut layer = 0..views.len();
    for _ in 1..DEPTH_MAX {
        for index in layer.clone() {
            let Some(outer) = views.get(index).cloned() else { break };
            views.extend(once(&outer.text, None, budget).into_iter().map(|inner| inner.on(&outer)));
        }
        layer = layer.end..views.len();
    }
    views
}

fn once(text: &str, before: Option<&Before<'_>>, budget: &mut DecodeBudget) -> Vec<View> {
    let mut found = Found { text, before, views: Vec::new(), budget };
    found.runs();
    found.hidden();
    found.hex_pairs();
    escape::views(text, before, found.budget, &mut found.views);
    spell::views(text, found.budget, &mut found.views);
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

/// The digits of a run: where each stands, and its value. Line breaks are left out.
type Digits = Vec<(u32, u8)>;

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
        while let Some(run) = next_run(bytes, at) {
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
        let digits = digits(bytes, run, sextet);
        for skip in 0..4 {
            let raw = base64_bytes(digits.get(skip..).unwrap_or_default());
            let digit = |byte: usize| skip + byte / 3 * 4 + byte % 3;
            let said = self.keep(ViewKind::Base64, &raw, BASE64_TEXT_MIN, |byte, map| {
                map.sextets(pair(&digits, digit(byte)), byte % 3);
            });
            if said * 2 >= raw.len() {
                return;
            }
        }
    }

    fn hex(&mut self, bytes: &[u8], run: Range<usize>) {
        let mut at = run.start;
        while at < run.end {
            let rest = bytes.get(at..run.end).unwrap_or_default();
            let length = rest.iter().take_while(|b| b.is_ascii_hexdigit() || is_break(**b)).count();
            if length >= RUN_BYTES_MIN {
                self.hex_run(&digits(bytes, at..at + length, nibble));
            }
            at += length + 1;
        }
    }

    fn hex_run(&mut self, digits: &Digits) {
        for skip in 0..2 {
            let raw = hex_bytes(digits.get(skip..).unwrap_or_default());
            let said = self.keep(ViewKind::Hex, &raw, HEX_TEXT_MIN, |byte, map| {
                map.replace(1, pair(digits, skip + 2 * byte));
            });
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
                let digits = |first: usize| digits(bytes, first..first + 2, nibble);
                self.hex_run(&(start..end).step_by(3).flat_map(digits).collect());
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
            self.keep(ViewKind::Hidden, &raw, HIDDEN_TEXT_MIN, |byte, map| {
                map.replace(1, places.get(byte).cloned().unwrap_or_default());
            });
        }
    }

    /// Keeps every stretch of plausible text in decoded bytes as a view, and says how many bytes that were. `place` maps
    /// one byte.
    fn keep(&mut self, kind: ViewKind, raw: &[u8], text_bytes_min: usize, place: impl Fn(usize, &mut Map)) -> usize {
        if let Some(first) = wide(raw) {
            let narrow: Vec<u8> = raw.iter().skip(first).step_by(2).copied().collect();
            return 2 * self.keep_text(kind, &narrow, text_bytes_min / 2, |byte, map| place(first + 2 * byte, map));
        }
        self.keep_text(kind, raw, text_bytes_min, place)
    }

    fn keep_text(
        &mut self,
        kind: ViewKind,
        raw: &[u8],
        text_bytes_min: usize,
        place: impl Fn(usize, &mut Map),
    ) -> usize {
        let mut said = 0;
        for stretch in plausible(raw, text_bytes_min) {
            if !self.budget.take_run() {
                break;
            }
            let Some(Ok(text)) = raw.get(stretch.clone()).map(std::str::from_utf8) else { continue };
            let mut map = Map::default();
            for byte in stretch {
                place(byte, &mut map);
            }
            said += text.len();
            self.views.push(View::new(kind, text.to_owned(), map));
        }
        said
    }
}

fn digits(bytes: &[u8], run: Range<usize>, value: fn(u8) -> Option<u8>) -> Digits {
    let read = |at: usize| Some((u32::try_from(at).ok()?, value(*bytes.get(at)?)?));
    run.filter_map(read).collect()
}

/// The text of a digit and the next.
fn pair(digits: &Digits, first: usize) -> Range<usize> {
    match digits.get(first..first + 2) {
        Some([(start, _), (last, _)]) => *start as usize..*last as usize + 1,
        _ => 0..0,
    }
}

/// The next run of at least [`RUN_BYTES_MIN`] encoding characters from `at` on. Looks backwards from where the run would
/// have to reach, so that prose is skipped a word or two at a time.
fn next_run(bytes: &[u8], mut at: usize) -> Option<Range<usize>> {
    loop {
        let window = bytes.get(at..at.checked_add(RUN_BYTES_MIN)?)?;
        let Some(stop) = window.iter().rposition(|b| !is_sextet(*b)) else {
            let length = bytes.get(at..)?.iter().take_while(|b| is_sextet(**b)).count();
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

/// [`sextet`] as a table: every text is asked.
static SEXTETS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = sextet(byte).is_some();
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

fn is_sextet(byte: u8) -> bool {
    SEXTETS.get(usize::from(byte)).copied().unwrap_or_default()
}

const fn nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn base64_bytes(digits: &[(u32, u8)]) -> Vec<u8> {
    let mut raw = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        for (shift, pair) in [2, 4, 6].into_iter().zip(group.windows(2)) {
            let [(_, high), (_, low)] = pair else { break };
            raw.push((high << shift) | (low >> (6 - shift)));
        }
    }
    raw
}

fn hex_bytes(digits: &[(u32, u8)]) -> Vec<u8> {
    let byte = |pair: &[(u32, u8)]| match pair {
        [(_, high), (_, low)] => Some((high << 4) | low),
        _ => None,
    };
    digits.chunks_exact(2).filter_map(byte).collect()
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

/// Whether bytes are UTF-16 of Latin letters, as `powershell -EncodedCommand` takes: every other byte, for the most part, is
/// zero. Says which of the first two bytes begins the text.
fn wide(raw: &[u8]) -> Option<usize> {
    let zeros = |skip: usize| raw.iter().skip(skip).step_by(2).filter(|b| **b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let most = raw.len() / 4 + 1;
    match (even, odd) {
        _ if odd >= most && even * 4 < odd => Some(0),
        _ if even >= most && odd * 4 < even => Some(1),
        _ => None,
    }
}

/// The stretches of at least `bytes_min` bytes that are UTF-8 and nothing but what people write.
fn plausible(raw: &[u8], bytes_min: usize) -> Vec<Range<usize>> {
    let mut stretches = Vec::new();
    let mut start = 0;
    let mut end = 0;
    let mut close = |start: usize, end: usize| {
        if end - start >= bytes_min {
            stretches.push(start..end);
        }
    };
    for chunk in raw.utf8_chunks() {
        for c in chunk.valid().chars() {
            if !is_written(c) {
                close(start, end);
                start = end + c.len_utf8();
            }
            end += c.len_utf8();
        }
        if !chunk.invalid().is_empty() {
            close(start, end);
            end += chunk.invalid().len();
            start = end;
        }
    }
    close(start, end);
    stretches
}

fn is_written(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' | ' '..='~' => true,
        '\0'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}' => false,
        _ => c < '\u{20000}' || matches!(c, '\u{e0000}'..='\u{e01ef}'),
    }
}
