//! The framing guard: reads HTTP/1 message framing byte by byte before hyper does, and stops at the first doubt.
//!
//! hyper is lenient where two servers may disagree (bare line feeds, repeated lengths, chunk extensions); a gate must not
//! be. [`Framing`] is the state machine, without I/O; [`Guarded`] puts it in front of a connection.
//!
//! # Guarantees
//! * A head leaves this room only when it is whole and every line of it is strict.
//! * The same bytes give the same outcome however they are split.
//! * Nothing follows a violation: the connection carries no further byte inwards.
//!
//! # Limits
//! One head is held back at a time, at most [`HEAD_BYTES_MAX`] bytes; bodies are passed through, never kept.
//!
//! Knows nothing of routes, queries or hyper.

mod guard;
mod head;
#[cfg(test)]
mod tests;

pub(super) use guard::{FRAMING_HEADER, Guarded, Protocol};
pub(super) use head::{BodyFraming, Violation};

use bytes::{BufMut, BytesMut};

/// Longest request head. nginx and uvicorn take 32 and 64 KB; tokens of identity providers reach a few KB.
pub(super) const HEAD_BYTES_MAX: usize = 32 << 10;
/// Most header lines of a head, as many as hyper takes. SDKs send about 20.
pub(super) const HEADERS_MAX: usize = 100;
/// Most hex digits of a chunk size: four GB, far above any body limit.
const CHUNK_DIGITS_MAX: u8 = 8;

/// Where in the stream of messages the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Body { remaining: u64 },
    ChunkSize { size: u64, digits: u8 },
    ChunkSizeLf { size: u64 },
    ChunkData { remaining: u64 },
    ChunkDataCr,
    ChunkDataLf,
    LastCr,
    LastLf,
    Broken(Broken),
}

/// A violation, and whether hyper has already been given the head it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// In a head that was held back.
    Head(Violation),
    /// In a body whose head was handed over.
    Body(Violation),
}

/// The state machine: bytes in, checked bytes out.
#[derive(Debug)]
pub(super) struct Framing {
    state: State,
    head: Vec<u8>,
}

impl Framing {
    pub(super) const fn new() -> Self {
        Self { state: State::Head, head: Vec::new() }
    }

    /// Whether no message is under way.
    pub(super) fn at_boundary(&self) -> bool {
        self.state == State::Head && self.head.is_empty()
    }

    /// How many bytes of a body of known length may pass without being looked at.
    pub(super) const fn plain_body_bytes(&self) -> u64 {
        match self.state {
            State::Body { remaining } => remaining,
            _ => 0,
        }
    }

    /// Notes that so many bytes of a body of known length have passed.
    pub(super) const fn passed(&mut self, bytes: u64) {
        if let State::Body { remaining } = self.state {
            self.state = after_body(remaining.saturating_sub(bytes));
        }
    }

    /// Takes input; appends what is in order to `out`. After an error every later call gives the same error.
    pub(super) fn push(&mut self, input: &[u8], out: &mut BytesMut) -> Result<(), Broken> {
        let mut rest = input;
        while !rest.is_empty() {
            let taken = match self.state {
                State::Head => self.take_head(rest, out),
                State::Body { remaining } => {
                    let (bytes, left) = take_plain(rest, remaining, out);
                    self.state = after_body(left);
                    Ok(bytes)
                }
                State::ChunkData { remaining } => {
                    let (bytes, left) = take_plain(rest, remaining, out);
                    self.state = if left == 0 { State::ChunkDataCr } else { State::ChunkData { remaining: left } };
                    Ok(bytes)
                }
                State::Broken(broken) => return Err(broken),
                _ => self.take_chunk_byte(rest.first().copied().unwrap_or_default(), out),
            };
            match taken {
                Ok(bytes) => rest = rest.get(bytes..).unwrap_or_default(),
                Err(broken) => {
                    self.state = State::Broken(broken);
                    return Err(broken);
                }
            }
        }
        Ok(())
    }

    /// Collects a head up to its end, then checks it as a whole and hands it over. Goes from line end to line end; a line
    /// with anything odd in it is looked at byte by byte, to say what it is.
    fn take_head(&mut self, input: &[u8], out: &mut BytesMut) -> Result<usize, Broken> {
        if let Some((head, framing)) = self.whole_head(input) {
            out.put_slice(head);
            self.state = after_head(framing);
            return Ok(head.len());
        }
        let room = HEAD_BYTES_MAX - self.head.len();
        let within = input.get(..room).unwrap_or(input);
        let mut taken = 0;
        while taken < within.len() {
            let rest = within.get(taken..).unwrap_or_default();
            let line = memchr::memchr(b'\n', rest).map_or(rest, |at| rest.get(..=at).unwrap_or(rest));
            head::check_bytes(self.head.last().copied(), line).map_err(Broken::Head)?;
            self.head.extend_from_slice(line);
            taken += line.len();
            if self.head.ends_with(b"\r\n\r\n") || self.head == b"\r\n" {
                let framing = head::check(&self.head).map_err(Broken::Head)?;
                out.put_slice(&self.head);
                self.head.clear();
                self.state = after_head(framing);
                return Ok(taken);
            }
        }
        if self.head.len() >= HEAD_BYTES_MAX { Err(Broken::Head(Violation::HeadTooLarge)) } else { Ok(taken) }
    }

    /// The head that the input begins with, when it is there as a whole and nothing is odd about it: the usual one, which
    /// need not be collected. `None` says nothing but that it has to be looked at line by line.
    fn whole_head<'a>(&self, input: &'a [u8]) -> Option<(&'a [u8], BodyFraming)> {
        if !self.head.is_empty() {
            return None;
        }
        let within = input.get(..HEAD_BYTES_MAX).unwrap_or(input);
        let end = memchr::memmem::find(within, b"\r\n\r\n")? + 4;
        let head = within.get(..end)?;
        let framing = if head::is_plain(head) { head::check(head).ok()? } else { return None };
        Some((head, framing))
    }

    /// Takes one byte of the lines between chunks.
    fn take_chunk_byte(&mut self, byte: u8, out: &mut BytesMut) -> Result<usize, Broken> {
        let next = match (self.state, byte) {
            (State::ChunkSize { size, digits }, _) => chunk_size(size, digits, byte),
            (State::ChunkSizeLf { size: 0 }, b'\n') => Ok(State::LastCr),
            (State::ChunkSizeLf { size }, b'\n') => Ok(State::ChunkData { remaining: size }),
            (State::ChunkDataCr, b'\r') => Ok(State::ChunkDataLf),
            (State::ChunkDataLf, b'\n') => Ok(State::ChunkSize { size: 0, digits: 0 }),
            (State::LastCr, b'\r') => Ok(State::LastLf),
            (State::LastLf, b'\n') => Ok(State::Head),
            (State::ChunkDataCr | State::LastCr, b'\n') => Err(Violation::BareLf),
            (State::LastCr, _) => Err(Violation::Trailer),
            (State::ChunkDataCr, _) => Err(Violation::ChunkSize),
            _ => Err(Violation::BareCr),
        };
        self.state = next.map_err(Broken::Body)?;
        out.put_u8(byte);
        Ok(1)
    }
}

const fn after_head(framing: BodyFraming) -> State {
    match framing {
        BodyFraming::Length(length) => after_body(length),
        BodyFraming::Chunked => State::ChunkSize { size: 0, digits: 0 },
    }
}

const fn after_body(remaining: u64) -> State {
    if remaining == 0 { State::Head } else { State::Body { remaining } }
}

fn take_plain(input: &[u8], remaining: u64, out: &mut BytesMut) -> (usize, u64) {
    let bytes = usize::try_from(remaining).unwrap_or(usize::MAX).min(input.len());
    out.put_slice(input.get(..bytes).unwrap_or_default());
    (bytes, remaining - bytes as u64)
}

fn chunk_size(size: u64, digits: u8, byte: u8) -> Result<State, Violation> {
    match byte {
        b'\r' if digits > 0 => Ok(State::ChunkSizeLf { size }),
        b'\n' => Err(Violation::BareLf),
        b';' | b' ' | b'\t' => Err(Violation::ChunkExtension),
        _ if digits >= CHUNK_DIGITS_MAX => Err(Violation::ChunkSize),
        _ => match char::from(byte).to_digit(16) {
            Some(digit) => Ok(State::ChunkSize { size: size << 4 | u64::from(digit), digits: digits + 1 }),
            None => Err(Violation::ChunkSize),
        },
    }
}
