//! Fuzz targets of this room: heads and framing against hyper, and content encodings. Each panics where it finds a fault.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::encoding::Encoding;
use super::framing::{Broken, Framing, HEAD_BYTES_MAX, HEADERS_MAX};
use crate::base::fuzzing::{Dice, corpus};
use crate::wire::fuzzing::routing;

/// hyper takes a body of [`HEAD_BYTES_MAX`] twice in fewer polls.
const STILL_POLLS: u32 = 32;

/// One message: as the guard delimits it, or as hyper reads it.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    line: String,
    headers: usize,
    body: Vec<u8>,
}

/// Streams of requests that stand for what clients and attackers send.
#[must_use]
pub fn streams() -> Vec<Vec<u8>> {
    let line = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n";
    let mut seeds = vec![
        "GET /v1/models?x=y HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n".to_owned(),
        format!("{line}content-length: 2\r\n\r\n{{}}{line}content-length: 0\r\n\r\n"),
        format!("{line}transfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\nGET / HTTP/1.0\r\n\r\n"),
        format!("{line}expect: 100-continue\r\nConnection: close\r\ncontent-length: 2\r\n\r\n{{}}"),
        format!("{line}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("{line}transfer-encoding: chunked\r\n\r\n2;a=b\r\n{{}}\r\n0\r\nx: y\r\n\r\n"),
        format!("{line}content-length: +2\r\n\r\n{{}}"),
        "GET /v2/models/m/infer%2f..//;a?b#c HTTP/1.1\r\nhost: a\r\nupgrade: h2c\r\n\r\n".to_owned(),
        "POST /v2/models/a%2fb/infer HTTP/1.1\r\n\r\nPOST /v2/models/../infer HTTP/1.1\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ];
    for (_, body) in corpus("accept/openai-chat", "json").into_iter().take(3) {
        let body = String::from_utf8_lossy(&body).into_owned();
        seeds.push(format!("{line}content-length: {}\r\n\r\n{body}{line}\r\n", body.len()));
    }
    seeds.into_iter().map(String::into_bytes).collect()
}

/// Any bytes as a connection: split anyhow they give the same, and hyper reads what the guard lets through as the guard does.
pub fn framing(data: &[u8]) {
    let (passed, ended, messages) = guarded(data);
    for seed in [data.len() as u64, 7] {
        let mut dice = Dice(seed);
        let mut framing = Framing::new();
        let (mut out, mut rest, mut again) = (BytesMut::new(), data, Ok(()));
        while !rest.is_empty() && again.is_ok() {
            let (piece, tail) = rest.split_at(1 + dice.below(rest.len()));
            again = framing.push(piece, &mut out);
            rest = tail;
        }
        assert_eq!((&out[..], again), (&passed[..], ended), "another split, another outcome");
    }
    for message in &messages {
        let mut words = message.line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        routing(method, path, query);
    }
    let read = read_by_hyper(&passed);
    // hyper may stop earlier: at a target it does not take, or when a message says that it is the last.
    assert!(read.len() <= messages.len(), "hyper reads {} of {}", read.len(), messages.len());
    for (read, message) in read.iter().zip(&messages) {
        assert_eq!(read, message);
    }
}

/// Byte by byte through the guard: what leaves it, how it ends, and which messages it takes that for.
fn guarded(data: &[u8]) -> (Vec<u8>, Result<(), Broken>, Vec<Message>) {
    let (mut framing, mut out, mut start, mut messages) = (Framing::new(), BytesMut::new(), 0, Vec::new());
    for byte in data {
        if let Err(broken) = framing.push(&[*byte], &mut out) {
            return (out.to_vec(), Err(broken), messages);
        }
        if framing.at_boundary() {
            messages.extend(message(out.get(start..).unwrap_or_default()));
            start = out.len();
        }
    }
    (out.to_vec(), Ok(()), messages)
}

/// Reads a message that the guard let through, by the plainest means there are.
fn message(bytes: &[u8]) -> Option<Message> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head: String = bytes.get(..end)?.iter().copied().map(char::from).collect();
    let mut lines = head.split("\r\n");
    let line = lines.next()?.to_owned();
    let chunked = head.to_ascii_lowercase().contains("\r\ntransfer-encoding:");
    let body = bytes.get(end + 4..)?;
    let body = if chunked { dechunked(body)? } else { body.to_vec() };
    Some(Message { line, headers: lines.count(), body })
}

fn dechunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(rest.get(..line)?).ok()?, 16).ok()?;
        rest = rest.get(line + 2..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}

/// A connection whose client has sent these bytes and waits.
struct Sent<'a>(&'a [u8]);

impl AsyncRead for Sent<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let bytes = self.0.len().min(into.remaining());
        if bytes == 0 {
            return Poll::Pending;
        }
        let (now, later) = self.0.split_at(bytes);
        into.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Sent<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The whole messages that hyper finds, set up as the gate sets it up.
fn read_by_hyper(bytes: &[u8]) -> Vec<Message> {
    let found = RefCell::new(Vec::new());
    let service = service_fn(async |request: Request<Incoming>| {
        let (head, body) = request.into_parts();
        let line = format!("{} {} {:?}", head.method, head.uri, head.version);
        if let Ok(body) = body.collect().await {
            let message = Message { line, headers: head.headers.len(), body: body.to_bytes().to_vec() };
            found.borrow_mut().push(message);
        }
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
    });
    let serving = http1::Builder::new()
        .max_buf_size(2 * HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX + 1)
        .half_close(false)
        .serve_connection(TokioIo::new(Sent(bytes)), service);
    let mut serving = pin!(serving);
    let mut cx = Context::from_waker(Waker::noop());
    let (mut still, mut last) = (0, 0);
    // Nothing comes from outside, so a few polls without a message are the end.
    while still < STILL_POLLS && serving.as_mut().poll(&mut cx).is_pending() {
        let now = found.borrow().len();
        still = if now == last { still + 1 } else { 0 };
        last = now;
    }
    found.take()
}

const ENCODINGS: [Encoding; 4] = [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd, Encoding::Brotli];
/// Limit of a decoded body in these runs.
const DECODED_BYTES_MAX: usize = 1 << 20;

/// Encoded bodies, each with its encoding's byte in front.
#[must_use]
pub fn encoded() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (_, body) in corpus("accept/openai-chat", "json").into_iter().take(8) {
        seeds.extend((0..3).map(|byte| [vec![byte], encode(ENCODINGS[usize::from(byte)], &body)].concat()));
    }
    // `{"a":"hello, hello"}` as brotli, stored and compressed: there is no encoder here.
    seeds.push(vec![3, 0x8b, 0x01, 0x80, b'{', b'"', b'a', b'"', 0x03]);
    seeds.push(vec![3, 0x3b]);
    seeds
}

fn encode(encoding: Encoding, body: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let level = flate2::Compression::fast();
    match encoding {
        Encoding::Gzip => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), level);
            writer.write_all(body).and_then(|()| writer.finish()).unwrap_or_default()
        }
        Encoding::Deflate => {
            let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), level);
            writer.write_all(body).and_then(|()| writer.finish()).unwrap_or_default()
        }
        Encoding::Zstd => ruzstd::encoding::compress_to_vec(body, ruzstd::encoding::CompressionLevel::Fastest),
        Encoding::Brotli => Vec::new(),
    }
}

/// Undoes any encoding of any bytes: bounded, the same twice, nothing missing and nothing behind; what was encoded comes back.
pub fn encoding(data: &[u8]) {
    let Some((byte, body)) = data.split_first() else { return };
    let encoding = ENCODINGS[usize::from(*byte) % ENCODINGS.len()];
    if let Ok(decoded) = encoding.undo(body, DECODED_BYTES_MAX) {
        assert!(decoded.len() <= DECODED_BYTES_MAX, "{} bytes", decoded.len());
        assert_eq!(encoding.undo(body, DECODED_BYTES_MAX).as_ref(), Ok(&decoded));
        let more = [body, &[0]].concat();
        assert!(encoding.undo(&more, DECODED_BYTES_MAX).is_err(), "a byte behind the body goes unseen");
        let less = body.split_last().map_or(&[][..], |(_, less)| less);
        assert!(encoding.undo(less, DECODED_BYTES_MAX).is_err(), "the last byte is not needed");
    }
    if encoding != Encoding::Brotli {
        let back = encoding.undo(&encode(encoding, body), DECODED_BYTES_MAX);
        assert_eq!(back.as_deref(), Ok(body), "encoded and undone, it is another body");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fuzzing::drive;

    #[test]
    fn hyper_reads_what_the_guard_lets_through_as_the_guard_does() {
        let ours = streams();
        assert_eq!(read_by_hyper(&ours[1]).len(), 2);
        drive(&ours, framing);
    }

    #[test]
    fn encodings_are_undone_whole_or_not_at_all() {
        drive(&encoded(), encoding);
    }
}
