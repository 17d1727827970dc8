//! Tests of content encodings.

use std::io::Write as _;

use proptest::prelude::*;

use super::*;

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zstd(body: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(body, ruzstd::encoding::CompressionLevel::Fastest)
}

/// One uncompressed meta-block (RFC 7932, 9.2): a last, empty one follows.
fn brotli(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    // WBITS = 16 (bit 0), then ISLAST = 0, MNIBBLES = 4 (00), MLEN - 1 (16 bits), ISUNCOMPRESSED = 1.
    let length = u32::try_from(body.len() - 1).unwrap();
    let bits = (length << 4) | (1 << 20);
    out.extend_from_slice(&bits.to_le_bytes()[..3]);
    out.extend_from_slice(body);
    out.push(0b11);
    out
}

#[track_caller]
fn check(encoding: Encoding, encoded: &[u8], expected: Result<&[u8], EncodingRefusal>) {
    let got = encoding.undo(encoded, BODY_BYTES_MAX);
    assert_eq!(got.as_deref(), expected.as_deref(), "{encoding:?}");
}

const BODY: &[u8] = br#"{"model":"m"}"#;

fn all() -> [(Encoding, Vec<u8>); 4] {
    [
        (Encoding::Gzip, gzip(BODY)),
        (Encoding::Deflate, zlib(BODY)),
        (Encoding::Zstd, zstd(BODY)),
        (Encoding::Brotli, brotli(BODY)),
    ]
}

#[test]
fn each_encoding_is_undone() {
    for (encoding, encoded) in all() {
        check(encoding, &encoded, Ok(BODY));
    }
}

#[test]
fn what_follows_the_encoded_body_is_refused() {
    for (encoding, mut encoded) in all() {
        encoded.extend_from_slice(b"more");
        check(encoding, &encoded, Err(EncodingRefusal::Broken));
    }
    check(Encoding::Gzip, &[gzip(BODY), gzip(BODY)].concat(), Err(EncodingRefusal::Broken));
    check(Encoding::Zstd, &[zstd(BODY), zstd(BODY)].concat(), Err(EncodingRefusal::Broken));
}

#[test]
fn truncated_and_foreign_bodies_are_refused() {
    for (encoding, encoded) in all() {
        for end in 0..encoded.len() {
            check(encoding, &encoded[..end], Err(EncodingRefusal::Broken));
        }
        check(encoding, b"{\"model\":\"m\"}", Err(EncodingRefusal::Broken));
    }
}

#[test]
fn bodies_that_grow_too_much_are_refused() {
    let zeros = vec![0; 1 << 20];
    assert_eq!(Encoding::Gzip.undo(&gzip(&zeros), BODY_BYTES_MAX), Err(EncodingRefusal::TooLarge));
    assert_eq!(Encoding::Deflate.undo(&zlib(&zeros), BODY_BYTES_MAX), Err(EncodingRefusal::TooLarge));
    assert_eq!(Encoding::Zstd.undo(&zstd(&zeros), BODY_BYTES_MAX), Err(EncodingRefusal::TooLarge));
    assert_eq!(Encoding::Gzip.undo(&gzip(BODY), 5), Err(EncodingRefusal::TooLarge));
    let small = vec![0; SMALL_BYTES];
    check(Encoding::Gzip, &gzip(&small), Ok(&small));
}

#[test]
fn only_one_known_encoding_has_a_meaning() {
    for (values, expected) in [
        (vec![], Ok(None)),
        (vec!["identity"], Ok(None)),
        (vec!["gzip"], Ok(Some(Encoding::Gzip))),
        (vec!["X-Gzip"], Ok(Some(Encoding::Gzip))),
        (vec![" BR "], Ok(Some(Encoding::Brotli))),
        (vec!["zstd"], Ok(Some(Encoding::Zstd))),
        (vec!["identity, deflate"], Ok(Some(Encoding::Deflate))),
        (vec!["gzip, gzip"], Err(EncodingRefusal::Unknown)),
        (vec!["gzip", "br"], Err(EncodingRefusal::Unknown)),
        (vec!["compress"], Err(EncodingRefusal::Unknown)),
        (vec![""], Err(EncodingRefusal::Unknown)),
    ] {
        assert_eq!(Encoding::of(values.iter().map(|value| value.as_bytes())), expected, "{values:?}");
    }
}

proptest! {
    #[test]
    fn no_input_panics_or_outgrows_its_limit(input in prop::collection::vec(any::<u8>(), 0..300)) {
        for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd, Encoding::Brotli] {
            if let Ok(decoded) = encoding.undo(&input, 1000) {
                prop_assert!(decoded.len() <= 1000);
            }
        }
    }
}
