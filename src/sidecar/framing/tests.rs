//! Tests of the framing guard: tables of heads and bodies, and the property that splits change nothing.

use bytes::BytesMut;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Runs input in pieces of these sizes, repeated; answers with what came out and how it ended.
fn run(input: &[u8], sizes: &[usize]) -> (Vec<u8>, Result<bool, Broken>) {
    let mut framing = Framing::new();
    let mut out = BytesMut::new();
    let mut rest = input;
    let mut sizes = sizes.iter().copied().cycle();
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at(sizes.next().unwrap().clamp(1, rest.len()));
        if let Err(broken) = framing.push(piece, &mut out) {
            return (out.to_vec(), Err(broken));
        }
        rest = tail;
    }
    (out.to_vec(), Ok(framing.at_boundary()))
}

#[track_caller]
fn check(input: &str, expected: Result<(), Violation>) {
    let (out, ended) = run(input.as_bytes(), &[usize::MAX]);
    let got = match ended {
        Ok(whole) => {
            assert!(whole, "unfinished: {input:?}");
            assert_eq!(out, input.as_bytes());
            Ok(())
        }
        Err(Broken::Head(violation) | Broken::Body(violation)) => Err(violation),
    };
    assert_eq!(got, expected, "{input:?}");
    assert_eq!(run(input.as_bytes(), &[1]), run(input.as_bytes(), &[usize::MAX]), "{input:?}");
}

#[test]
fn strict_messages_pass_unchanged() {
    for input in [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /v1/models?beta=true HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
        "GET / HTTP/1.0\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\nContent-Length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length:3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: \t3 \r\n\r\nabc",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n\n\r\0",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\n\n\n\r\n00\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx-empty:\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx-tab: a\tb\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx-text: \u{e9}\r\n\r\n",
        "G!#$%&'*+-.^_`|~0 / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n\r\nPOST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nxGET / HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        check(input, Ok(()));
    }
}

#[test]
fn doubtful_heads_are_refused() {
    use Violation as V;
    for (input, violation) in [
        ("GET / HTTP/1.1\nhost: a\n\n", V::BareLf),
        ("GET / HTTP/1.1\r\nhost: a\n\r\n", V::BareLf),
        ("GET / HTTP/1.1\r\nhost: a\r\n\n", V::BareLf),
        ("\nGET / HTTP/1.1\r\n\r\n", V::BareLf),
        ("GET / HTTP/1.1\rhost: a\r\n\r\n", V::BareCr),
        ("GET / HTTP/1.1\r\nhost: a\rb\r\n\r\n", V::BareCr),
        ("GET / HTTP/1.1\r\r\nhost: a\r\n\r\n", V::BareCr),
        ("\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", V::Method),
        ("GET / HTTP/1.1\r\nx: a\r\n b\r\n\r\n", V::ObsFold),
        ("GET / HTTP/1.1\r\nx: a\r\n\tb\r\n\r\n", V::ObsFold),
        ("GET / HTTP/1.1\r\n host: a\r\n\r\n", V::ObsFold),
        ("POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n", V::LengthAndChunks),
        ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n", V::LengthAndChunks),
        ("POST / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\n", V::ContentLength),
        ("POST / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\n", V::ContentLength),
        ("POST / HTTP/1.1\r\ncontent-length: 3, 3\r\n\r\n", V::ContentLength),
        ("POST / HTTP/1.1\r\ncontent-length: +3\r\n\r\n", V::ContentLength),
        ("POST / HTTP/1.1\r\ncontent-length: -3\r\n\r\n", V::ContentLength),
        ("POST / HTTP/1.1\r\ncontent-length: 0x3\r\n\r\n", V::ContentLength),
        ("POST / HTTP/1.1\r\ncontent-length: 3 3\r\n\r\n", V::ContentLength),
        ("POST / HTTP/1.1\r\ncontent-length:\r\n\r\n", V::ContentLength),
        ("POST / HTTP/1.1\r\ncontent-length: 18446744073709551616\r\n\r\n", V::ContentLength),
        ("POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n", V::TransferEncoding),
        ("POST / HTTP/1.1\r\ntransfer-encoding: chunked, chunked\r\n\r\n", V::TransferEncoding),
        ("POST / HTTP/1.1\r\ntransfer-encoding: identity\r\n\r\n", V::TransferEncoding),
        ("POST / HTTP/1.1\r\ntransfer-encoding: xchunked\r\n\r\n", V::TransferEncoding),
        ("POST / HTTP/1.1\r\ntransfer-encoding: \"chunked\"\r\n\r\n", V::TransferEncoding),
        ("POST / HTTP/1.1\r\ntransfer-encoding: chunked;q=1\r\n\r\n", V::TransferEncoding),
        ("POST / HTTP/1.1\r\ntransfer-encoding:\r\n\r\n", V::TransferEncoding),
        ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n", V::TransferEncoding),
        ("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", V::TransferEncoding),
        ("POST / HTTP/1.1\r\ntransfer-encoding : chunked\r\n\r\n", V::SpaceBeforeColon),
        ("POST / HTTP/1.1\r\ncontent-length\t: 3\r\n\r\n", V::SpaceBeforeColon),
        ("POST / HTTP/1.1\r\ntransfer-encoding\u{b}: chunked\r\n\r\n", V::Control),
        ("GET / HTTP/1.1\r\nx: a\0b\r\n\r\n", V::Control),
        ("GET / HTTP/1.1\r\nx: a\u{7f}b\r\n\r\n", V::Control),
        ("GET /\u{1b} HTTP/1.1\r\n\r\n", V::Control),
        ("G(T / HTTP/1.1\r\n\r\n", V::Method),
        ("CONNECT a:443 HTTP/1.1\r\n\r\n", V::Method),
        ("CONNECT / HTTP/1.1\r\n\r\n", V::Method),
        (" / HTTP/1.1\r\n\r\n", V::Method),
        ("GET http://a/ HTTP/1.1\r\n\r\n", V::Target),
        ("GET a:80 HTTP/1.1\r\n\r\n", V::Target),
        ("OPTIONS * HTTP/1.1\r\n\r\n", V::Target),
        ("GET  / HTTP/1.1\r\n\r\n", V::Target),
        ("GET\t/ HTTP/1.1\r\n\r\n", V::Method),
        ("GET /\u{e9} HTTP/1.1\r\n\r\n", V::Target),
        ("GET /a#b HTTP/1.1\r\n\r\n", V::Target),
        ("GET /a b HTTP/1.1\r\n\r\n", V::Version),
        ("GET /\r\n\r\n", V::Version),
        ("GET / HTTP/0.9\r\n\r\n", V::Version),
        ("GET / HTTP/1.2\r\n\r\n", V::Version),
        ("GET / HTTP/2.0\r\n\r\n", V::Version),
        ("GET / http/1.1\r\n\r\n", V::Version),
        ("GET / HTTP/1.1 \r\n\r\n", V::Version),
        ("GET / HTTP/1.1\r\nhost\r\n\r\n", V::HeaderName),
        ("GET / HTTP/1.1\r\n: a\r\n\r\n", V::HeaderName),
        ("GET / HTTP/1.1\r\nx y: a\r\n\r\n", V::HeaderName),
        ("GET / HTTP/1.1\r\nx\u{e9}: a\r\n\r\n", V::HeaderName),
        ("GET / HTTP/1.1\r\nhost: a\r\nHost: a\r\n\r\n", V::Host),
    ] {
        check(input, Err(violation));
    }
    check(&format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(HEAD_BYTES_MAX)), Err(V::HeadTooLarge));
    check(&format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1)), Err(V::HeadTooLarge));
    check(&format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX)), Ok(()));
}

#[test]
fn doubtful_chunks_are_refused() {
    use Violation as V;
    for (body, violation) in [
        ("3;a=b\r\nabc\r\n0\r\n\r\n", V::ChunkExtension),
        ("3 \r\nabc\r\n0\r\n\r\n", V::ChunkExtension),
        ("3\nabc\n0\n\n", V::BareLf),
        ("3\rabc", V::BareCr),
        ("3\r\nabc\n0\r\n\r\n", V::BareLf),
        ("3\r\nabcd\r\n0\r\n\r\n", V::ChunkSize),
        ("3\r\nab\r\n0\r\n\r\n", V::BareLf),
        ("\r\nabc", V::ChunkSize),
        ("0x3\r\nabc\r\n", V::ChunkSize),
        ("-3\r\nabc\r\n", V::ChunkSize),
        ("g\r\n", V::ChunkSize),
        ("000000003\r\nabc\r\n", V::ChunkSize),
        ("fffffffff\r\n", V::ChunkSize),
        ("0\r\nx: y\r\n\r\n", V::Trailer),
        ("0\r\n\n", V::BareLf),
        ("0\r\n\rx", V::BareCr),
    ] {
        check(&format!("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{body}"), Err(violation));
    }
}

#[test]
fn every_violation_survives_its_word() {
    for word in ["bare-lf", "trailer", "head-too-large", "host"] {
        assert_eq!(Violation::of_word(word).unwrap().word(), word);
    }
    assert_eq!(Violation::of_word(""), None);
}

/// Pieces that make up heads and bodies, right and wrong.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            "POST / HTTP/1.1\r\n", "host: a\r\n", "content-length: 5\r\n", "transfer-encoding: chunked\r\n", "\r\n",
            "5\r\nhello\r\n", "0\r\n\r\n", "hello", "\n", "\r", " ", ";", "GET / HTTP/1.0\r\n\r\n", "x: y\r\n",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn splits_change_nothing(input in pieces(), sizes in prop::collection::vec(1_usize..9, 1..6)) {
        prop_assert_eq!(run(&input, &sizes), run(&input, &[usize::MAX]));
    }

    #[test]
    fn only_what_came_in_goes_out(input in prop::collection::vec(any::<u8>(), 0..200)) {
        let (out, _) = run(&input, &[7]);
        prop_assert!(input.starts_with(&out));
    }
}

/// Sends bytes through a guarded connection in one go; answers with what hyper would read.
async fn read(input: &[u8], bytes_max: usize) -> (Protocol, Vec<u8>, std::io::Result<()>) {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    client.write_all(input).await.unwrap();
    client.shutdown().await.unwrap();
    let mut guarded = Guarded::new(server, "nonce".into());
    let protocol = guarded.protocol().await.unwrap();
    let mut out = Vec::new();
    loop {
        let mut piece = vec![0; bytes_max];
        let reading = tokio::time::timeout(std::time::Duration::from_secs(1), guarded.read(&mut piece));
        match reading.await {
            Err(_pending) => return (protocol, out, Ok(())),
            Ok(Ok(0)) => return (protocol, out, Ok(())),
            Ok(Ok(bytes)) => out.extend_from_slice(&piece[..bytes]),
            Ok(Err(error)) => return (protocol, out, Err(error)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn guard_hands_over_checked_bytes_and_a_head_of_its_own_for_a_violation() {
    let good = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello";
    for bytes_max in [1, 3, 4096] {
        let (protocol, out, ended) = read(good, bytes_max).await;
        assert!(protocol == Protocol::Http1 && out == good && ended.is_ok());
        let input = [good.as_slice(), b"GET / HTTP/1.1\nhost: a\n\n"].concat();
        let (_, out, ended) = read(&input, bytes_max).await;
        let text = String::from_utf8(out).unwrap();
        assert!(ended.is_ok() && text.starts_with(std::str::from_utf8(good).unwrap()));
        assert!(text.ends_with("connection: close\r\ncountersign-framing: nonce bare-lf\r\n\r\n"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn guard_fails_the_read_of_a_broken_body() {
    let (_, _, ended) = read(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1;x\r\n", 4096).await;
    let error = ended.unwrap_err();
    assert_eq!(error.get_ref().unwrap().downcast_ref::<Violation>(), Some(&Violation::ChunkExtension));
}

#[tokio::test(start_paused = true)]
async fn preface_of_http2_switches_the_guard_off() {
    let input = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let (protocol, out, _) = read(input, 4096).await;
    assert!(protocol == Protocol::Http2 && out == input);
    let (protocol, out, _) = read(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", 4096).await;
    assert_eq!(protocol, Protocol::Http1);
    assert!(String::from_utf8(out).unwrap().contains("countersign-framing"));
}
