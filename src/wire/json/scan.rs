//! The lexical half of the reader: strings, numbers, words and white space. Guarantees that every step goes forward and
//! that strings and escapes it accepts are well formed.

use super::Fault;
use std::ops::Range;

use wide::u8x16;

/// Bytes of a string that are looked at together.
const LANE: usize = 16;

/// Reads tokens from bytes that are valid UTF-8 as a whole.
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) const fn fault(&self, why: &'static str) -> Fault {
        Fault::Syntax { at: self.at, why }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Steps over one byte that was peeked at.
    pub(super) const fn advance(&mut self) {
        self.at += 1;
    }

    /// Steps over white space and peeks.
    pub(super) fn skip_space(&mut self) -> Option<u8> {
        loop {
            let byte = self.peek();
            if !matches!(byte, Some(b' ' | b'\n' | b'\r' | b'\t')) {
                return byte;
            }
            self.at += 1;
        }
    }

    /// The document has ended: nothing but white space may follow.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        match self.skip_space() {
            None => Ok(()),
            Some(_) => Err(self.fault("expected the end of the document")),
        }
    }

    pub(super) fn word(&mut self, word: &'static [u8]) -> Result<(), Fault> {
        if !self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.fault("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    pub(super) fn number(&mut self) -> Result<(), Fault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let count = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        self.at += count;
        if count == 0 { Err(self.fault("expected a digit")) } else { Ok(()) }
    }

    /// Reads a string from its opening quote: the span between the quotes, and whether it has escapes.
    pub(super) fn string(&mut self) -> Result<(Range<usize>, bool), Fault> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.skip_plain();
            match self.peek() {
                Some(b'"') => {
                    let span = start..self.at;
                    self.at += 1;
                    return Ok((span, escaped));
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.fault("control characters in strings must be escaped")),
                None => return Err(self.fault("the string does not end")),
            }
        }
    }

    /// Steps to the next quote, backslash or control character.
    fn skip_plain(&mut self) {
        let (lanes, _) = self.bytes.get(self.at..).unwrap_or_default().as_chunks();
        for lane in lanes {
            let found = special(lane);
            if found != 0 {
                self.at += found.trailing_zeros() as usize;
                return;
            }
            self.at += LANE;
        }
        while self.peek().is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            self.at += 1;
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => match self.unit()? {
                0xd800..=0xdbff => self.low_surrogate(),
                0xdc00..=0xdfff => Err(self.fault("a low surrogate without a high one")),
                _ => Ok(()),
            },
            _ => Err(self.fault("not an escape sequence")),
        }
    }

    fn low_surrogate(&mut self) -> Result<(), Fault> {
        let lone = self.fault("a high surrogate without a low one");
        if self.bytes.get(self.at..self.at + 2) != Some(b"\\u") {
            return Err(lone);
        }
        self.at += 1;
        if matches!(self.unit()?, 0xdc00..=0xdfff) { Ok(()) } else { Err(lone) }
    }

    /// Reads `uXXXX`.
    fn unit(&mut self) -> Result<u16, Fault> {
        let digits = self.bytes.get(self.at + 1..self.at + 5).ok_or(self.fault("expected four hex digits"))?;
        let mut unit = 0;
        for digit in digits {
            let value = char::from(*digit).to_digit(16).ok_or(self.fault("expected four hex digits"))?;
            unit = unit << 4 | value;
        }
        self.at += 5;
        Ok(u16::try_from(unit).unwrap_or(u16::MAX))
    }
}

/// Which bytes are a quote, a backslash or a control character, as bits.
#[inline]
fn special(bytes: &[u8; LANE]) -> u32 {
    let bytes = u8x16::new(*bytes);
    let quote = bytes.simd_eq(u8x16::splat(b'"'));
    let slash = bytes.simd_eq(u8x16::splat(b'\\'));
    let control = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
    (quote | slash | control).to_bitmask()
}
