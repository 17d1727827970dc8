//! Content encodings of query bodies: exactly one of gzip, br, zstd and deflate (zlib), undone within a size and a ratio.
//!
//! Guarantees that the whole input is one encoded body with nothing after it, and that no more than the limit is ever
//! held. Knows nothing of HTTP connections or of what the body says.

use std::io::Read;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use bytes::Bytes;

use crate::base::limits::{BODY_BYTES_MAX, ENCODING_RATIO_MAX};

/// Largest window a zstd frame may ask for: the 8 MB that RFC 9659 allows on the web.
const ZSTD_WINDOW_BYTES_MAX: u64 = 8 << 20;
/// What even a tiny body may grow to: a short text of one character passes any ratio otherwise.
const SMALL_BYTES: usize = 64 << 10;
/// What the brotli decoder writes at a time.
const BUFFER_BYTES: usize = 8 << 10;

/// An encoding that can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    Brotli,
    Zstd,
    Deflate,
}

/// Why a body is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum EncodingRefusal {
    /// Not one of the four, or more than one.
    #[error("the content encoding is not one of `gzip`, `br`, `zstd` and `deflate`, alone")]
    Unknown,
    /// It does not decode, or something follows it.
    #[error("the body is not what its content encoding says")]
    Broken,
    /// It grows too much.
    #[error("the body decodes to more than is allowed")]
    TooLarge,
}

impl Encoding {
    /// What the values of all `Content-Encoding` headers together name; `None` for a body as it is.
    pub(super) fn of<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Option<Self>, EncodingRefusal> {
        let mut found = None;
        for name in values.flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii) {
            let named = match name.to_ascii_lowercase().as_slice() {
                b"identity" => continue,
                b"gzip" | b"x-gzip" => Self::Gzip,
                b"br" => Self::Brotli,
                b"zstd" => Self::Zstd,
                b"deflate" => Self::Deflate,
                _ => return Err(EncodingRefusal::Unknown),
            };
            if found.replace(named).is_some() {
                return Err(EncodingRefusal::Unknown);
            }
        }
        Ok(found)
    }

    /// Undoes the encoding. The result has at most `bytes_max` bytes and at most the allowed ratio to the input.
    pub(super) fn undo(self, body: &[u8], bytes_max: usize) -> Result<Bytes, EncodingRefusal> {
        let grown = body.len().saturating_mul(ENCODING_RATIO_MAX).max(SMALL_BYTES);
        let limit = grown.min(bytes_max).min(BODY_BYTES_MAX);
        let mut rest = body;
        let decoded = match self {
            Self::Gzip => read(flate2::bufread::GzDecoder::new(&mut rest), limit),
            Self::Deflate => read(flate2::bufread::ZlibDecoder::new(&mut rest), limit),
            Self::Brotli => brotli(&mut rest, limit),
            Self::Zstd => {
                let decoder =
                    ruzstd::decoding::StreamingDecoder::new_with_max_window_size(&mut rest, ZSTD_WINDOW_BYTES_MAX)
                        .map_err(|_| EncodingRefusal::Broken)?;
                read(decoder, limit)
            }
        }?;
        if rest.is_empty() { Ok(decoded) } else { Err(EncodingRefusal::Broken) }
    }
}

/// Driven by hand: the crate's reader takes its input in buffers, so what follows the stream would go unseen, and it
/// allows the large windows (up to a gigabyte) that are no part of the content encoding.
fn brotli(input: &mut &[u8], limit: usize) -> Result<Bytes, EncodingRefusal> {
    let alloc = StandardAlloc::default;
    let mut state = BrotliState::new_strict(alloc(), alloc(), alloc());
    let mut out = Vec::new();
    let mut piece = vec![0; BUFFER_BYTES];
    let (mut left, mut at, mut total) = (input.len(), 0, 0);
    loop {
        let (mut room, mut filled) = (piece.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut at,
            input,
            &mut room,
            &mut filled,
            &mut piece,
            &mut total,
            &mut state,
        );
        out.extend_from_slice(piece.get(..filled).unwrap_or_default());
        match result {
            _ if out.len() > limit => return Err(EncodingRefusal::TooLarge),
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultSuccess => {
                *input = input.get(at..).unwrap_or_default();
                return Ok(Bytes::from(out));
            }
            BrotliResult::NeedsMoreInput | BrotliResult::ResultFailure => return Err(EncodingRefusal::Broken),
        }
    }
}

fn read(decoder: impl Read, limit: usize) -> Result<Bytes, EncodingRefusal> {
    let mut out = Vec::new();
    decoder.take(limit as u64 + 1).read_to_end(&mut out).map_err(|_| EncodingRefusal::Broken)?;
    if out.len() > limit { Err(EncodingRefusal::TooLarge) } else { Ok(Bytes::from(out)) }
}

#[cfg(test)]
mod tests;
