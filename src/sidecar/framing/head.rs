//! One request head, checked as a whole: the request line, each header line, and what they say of the body.
//!
//! Stricter than RFC 9112 wherever it lets a recipient choose. Knows nothing of connections.

use std::fmt;

use super::HEADERS_MAX;

/// How the body after a head is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sidecar) enum BodyFraming {
    /// So many bytes; 0 when the head names none.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// What is wrong with the framing of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::sidecar) enum Violation {
    /// A line feed without a carriage return.
    BareLf,
    /// A carriage return without a line feed.
    BareCr,
    /// A header continued on the next line.
    ObsFold,
    /// Both `Content-Length` and `Transfer-Encoding`.
    LengthAndChunks,
    /// A `Content-Length` that is repeated or not a plain number.
    ContentLength,
    /// A `Transfer-Encoding` other than exactly `chunked`.
    TransferEncoding,
    /// A chunk with an extension.
    ChunkExtension,
    /// A chunk size that is not a plain hexadecimal number, or data that does not end where it says.
    ChunkSize,
    /// Header lines after the last chunk.
    Trailer,
    /// White space before the colon of a header.
    SpaceBeforeColon,
    /// A control character.
    Control,
    /// A method that is not a token, or `CONNECT`.
    Method,
    /// A request target that does not begin with `/`.
    Target,
    /// A version other than HTTP/1.0 and HTTP/1.1.
    Version,
    /// A header line without a name, or with a name that is not a token.
    HeaderName,
    /// More than one `Host`.
    Host,
    /// The head is too long, or has too many lines.
    HeadTooLarge,
}

impl Violation {
    const ALL: [Self; 17] = [
        Self::BareLf,
        Self::BareCr,
        Self::ObsFold,
        Self::LengthAndChunks,
        Self::ContentLength,
        Self::TransferEncoding,
        Self::ChunkExtension,
        Self::ChunkSize,
        Self::Trailer,
        Self::SpaceBeforeColon,
        Self::Control,
        Self::Method,
        Self::Target,
        Self::Version,
        Self::HeaderName,
        Self::Host,
        Self::HeadTooLarge,
    ];

    /// The word that stands for it between the guard and the service.
    pub(in crate::sidecar) const fn word(self) -> &'static str {
        match self {
            Self::BareLf => "bare-lf",
            Self::BareCr => "bare-cr",
            Self::ObsFold => "obs-fold",
            Self::LengthAndChunks => "length-and-chunks",
            Self::ContentLength => "content-length",
            Self::TransferEncoding => "transfer-encoding",
            Self::ChunkExtension => "chunk-extension",
            Self::ChunkSize => "chunk-size",
            Self::Trailer => "trailer",
            Self::SpaceBeforeColon => "space-before-colon",
            Self::Control => "control-character",
            Self::Method => "method",
            Self::Target => "target",
            Self::Version => "version",
            Self::HeaderName => "header-name",
            Self::Host => "host",
            Self::HeadTooLarge => "head-too-large",
        }
    }

    /// The violation a word stands for.
    pub(in crate::sidecar) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|violation| violation.word() == word)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BareLf => "a line ends in a line feed without a carriage return",
            Self::BareCr => "a carriage return without a line feed",
            Self::ObsFold => "a header continues on the next line",
            Self::LengthAndChunks => "both `Content-Length` and `Transfer-Encoding` are given",
            Self::ContentLength => "`Content-Length` is repeated or not a plain number",
            Self::TransferEncoding => "`Transfer-Encoding` is not exactly `chunked`",
            Self::ChunkExtension => "a chunk has an extension",
            Self::ChunkSize => "a chunk does not have the size it says",
            Self::Trailer => "there are trailers after the body",
            Self::SpaceBeforeColon => "there is white space before the colon of a header",
            Self::Control => "there is a control character in the head",
            Self::Method => "the method is not allowed",
            Self::Target => "the request target does not begin with `/`",
            Self::Version => "the version is not HTTP/1.1 or HTTP/1.0",
            Self::HeaderName => "a header's name is not a token",
            Self::Host => "`Host` is repeated",
            Self::HeadTooLarge => "the head is too large",
        })
    }
}

impl std::error::Error for Violation {}

/// What bytes of a head may be after the one before them, at most one line of it.
pub(super) fn check_bytes(before: Option<u8>, bytes: &[u8]) -> Result<(), Violation> {
    let content = bytes.strip_suffix(b"\r\n").unwrap_or(bytes);
    let plain = |byte: &u8| matches!(byte, b'\t' | 0x20..=0x7e | 0x80..);
    // Without a short cut out of the loop, so that it runs on many bytes at a time.
    if before != Some(b'\r') && content.iter().fold(true, |all, byte| all & plain(byte)) {
        return Ok(());
    }
    let mut before = before;
    for byte in bytes {
        check_byte(before, *byte)?;
        before = Some(*byte);
    }
    Ok(())
}

/// Whether every byte of a whole head may stand where it stands; `false` where that needs a closer look. Without short
/// cuts out of the loops, so that they run on many bytes at a time.
pub(super) fn is_plain(head: &[u8]) -> bool {
    let allowed = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..);
    let follows = head.get(1..).unwrap_or_default();
    // Each line feed stands behind a carriage return, and each carriage return before a line feed.
    let odd = |one: u8, next: u8| u8::from(one == b'\r') ^ u8::from(next == b'\n');
    let unpaired = head.iter().zip(follows).fold(0, |found, (one, next)| found | odd(*one, *next));
    // An empty first line is a head of its own.
    unpaired == 0
        && !matches!(head.first(), Some(b'\n' | b'\r') | None)
        && head.iter().fold(true, |all, byte| all & allowed(byte))
}

/// What one byte of a head may be after the one before it, whatever line it stands in.
const fn check_byte(before: Option<u8>, byte: u8) -> Result<(), Violation> {
    match (before, byte) {
        (Some(b'\r'), b'\n') => Ok(()),
        (Some(b'\r'), _) => Err(Violation::BareCr),
        (_, b'\n') => Err(Violation::BareLf),
        (_, b'\r' | b'\t') => Ok(()),
        (_, 0..=0x1f | 0x7f) => Err(Violation::Control),
        _ => Ok(()),
    }
}

/// Checks a whole head, its empty line included, and says how the body is delimited.
pub(super) fn check(head: &[u8]) -> Result<BodyFraming, Violation> {
    let mut rest = head;
    let mut lines = std::iter::from_fn(|| {
        let (line, after) = rest.split_at_checked(memchr::memchr(b'\n', rest)?)?;
        rest = after.get(1..).unwrap_or_default();
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    });
    let version = request_line(lines.next().unwrap_or_default())?;
    let mut seen = Seen::default();
    for (count, line) in lines.take_while(|line| !line.is_empty()).enumerate() {
        if count >= HEADERS_MAX {
            return Err(Violation::HeadTooLarge);
        }
        seen.header(line)?;
    }
    seen.framing(version)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

fn request_line(line: &[u8]) -> Result<Version, Violation> {
    let mut words = line.split(|byte| *byte == b' ');
    let method = words.next().unwrap_or_default();
    if method.is_empty() || !is_token(method) || method == b"CONNECT" {
        return Err(Violation::Method);
    }
    let target = words.next().unwrap_or_default();
    if target.first() != Some(&b'/')
        || !target.iter().fold(true, |all, byte| all & matches!(byte, 0x21 | 0x22 | 0x24..=0x7e))
    {
        return Err(Violation::Target);
    }
    let version = match words.next() {
        Some(b"HTTP/1.1") => Version::Http11,
        Some(b"HTTP/1.0") => Version::Http10,
        _ => return Err(Violation::Version),
    };
    if words.next().is_some() { Err(Violation::Version) } else { Ok(version) }
}

#[derive(Default)]
struct Seen {
    host: bool,
    length: Option<u64>,
    chunked: bool,
}

impl Seen {
    fn header(&mut self, line: &[u8]) -> Result<(), Violation> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(Violation::ObsFold);
        }
        let colon = memchr::memchr(b':', line).ok_or(Violation::HeaderName)?;
        let (name, value) = line.split_at(colon);
        if matches!(name.last(), Some(b' ' | b'\t')) {
            return Err(Violation::SpaceBeforeColon);
        }
        if name.is_empty() || !is_token(name) {
            return Err(Violation::HeaderName);
        }
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"host") {
            return if std::mem::replace(&mut self.host, true) { Err(Violation::Host) } else { Ok(()) };
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = number(value).ok_or(Violation::ContentLength)?;
            return if self.length.replace(length).is_some() { Err(Violation::ContentLength) } else { Ok(()) };
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let again = std::mem::replace(&mut self.chunked, true);
            let exact = value.eq_ignore_ascii_case(b"chunked");
            return if again || !exact { Err(Violation::TransferEncoding) } else { Ok(()) };
        }
        Ok(())
    }

    const fn framing(&self, version: Version) -> Result<BodyFraming, Violation> {
        match (self.length, self.chunked, version) {
            (Some(_), true, _) => Err(Violation::LengthAndChunks),
            (None, true, Version::Http10) => Err(Violation::TransferEncoding),
            (None, true, Version::Http11) => Ok(BodyFraming::Chunked),
            (Some(length), false, _) => Ok(BodyFraming::Length(length)),
            (None, false, _) => Ok(BodyFraming::Length(0)),
        }
    }
}

/// A plain decimal number of at most 18 digits: no sign, no list, no white space.
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0')))
}

fn is_token(name: &[u8]) -> bool {
    name.iter().all(|byte| TOKEN.get(usize::from(*byte)) == Some(&true))
}

/// Which bytes are `tchar`.
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        table[byte as usize] = token(byte);
        byte += 1;
    }
    table
};

/// `tchar` of RFC 9110.
const fn token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}
