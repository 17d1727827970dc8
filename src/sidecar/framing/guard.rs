//! A connection whose inbound bytes pass the framing guard before hyper reads them.
//!
//! A violation in a head becomes a synthetic head that carries the gate's nonce, so that the service answers it in the
//! shape of any other refusal; a violation in a body becomes a read error. Knows nothing of hyper or of routes.
//!
//! When the connection is closed while the client may still be sending, what arrives is read and thrown away for a
//! moment, because closing on unread bytes makes the system reset the connection and the client never sees the answer.

use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::{Broken, Framing, Violation};

/// The header of a synthetic head: the nonce, a space and the violation's word. Without the nonce it means nothing.
pub(in crate::sidecar) const FRAMING_HEADER: &str = "countersign-framing";
/// What an HTTP/2 connection begins with (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// One read of a head or of chunks; bodies of known length go straight into hyper's buffer.
const READ_BYTES: usize = 8 << 10;
/// How long and how much is read and thrown away at a close, so that an answer to an unread body arrives.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 1 << 20;

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sidecar) enum Protocol {
    /// HTTP/1.1 or 1.0, guarded.
    Http1,
    /// HTTP/2 with prior knowledge, whose framing has no such doubts.
    Http2,
}

/// What happens to inbound bytes.
enum Inbound {
    Sniffing,
    Guarding(Framing),
    Passing,
    /// A violation in a head: the synthetic head is the last thing that is read.
    Ended,
    /// A violation in a body.
    Failed(Violation),
}

/// A connection with the guard in front.
pub(in crate::sidecar) struct Guarded<S> {
    inner: S,
    inbound: Inbound,
    /// Read from the socket, not yet decided about (sniffing only).
    raw: BytesMut,
    /// Checked, not yet read by hyper.
    ready: BytesMut,
    nonce: std::sync::Arc<str>,
    linger: Option<Linger>,
    eof: bool,
}

struct Linger {
    until: Pin<Box<Sleep>>,
    bytes: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guarded<S> {
    pub(in crate::sidecar) fn new(inner: S, nonce: std::sync::Arc<str>) -> Self {
        Self {
            inner,
            inbound: Inbound::Sniffing,
            raw: BytesMut::new(),
            ready: BytesMut::new(),
            nonce,
            linger: None,
            eof: false,
        }
    }

    /// Reads until it is clear what the connection speaks. To be called once, before anything is read.
    pub(in crate::sidecar) async fn protocol(&mut self) -> io::Result<Protocol> {
        loop {
            if !PREFACE.starts_with(self.raw.get(..self.raw.len().min(PREFACE.len())).unwrap_or_default()) {
                self.inbound = Inbound::Guarding(Framing::new());
                let raw = self.raw.split();
                self.accept(&raw);
                return Ok(Protocol::Http1);
            }
            if self.raw.len() >= PREFACE.len() {
                self.inbound = Inbound::Passing;
                self.ready = self.raw.split();
                return Ok(Protocol::Http2);
            }
            let mut scratch = [0; PREFACE.len()];
            let mut buf = ReadBuf::new(&mut scratch);
            poll_fn(|cx| Pin::new(&mut self.inner).poll_read(cx, &mut buf)).await?;
            if buf.filled().is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.raw.extend_from_slice(buf.filled());
        }
    }

    /// Runs bytes through the guard.
    fn accept(&mut self, bytes: &[u8]) {
        let Inbound::Guarding(framing) = &mut self.inbound else { return };
        match framing.push(bytes, &mut self.ready) {
            Ok(()) => {}
            Err(Broken::Head(violation)) => {
                let head = format!(
                    "GET / HTTP/1.1\r\nhost: -\r\nconnection: close\r\n{FRAMING_HEADER}: {} {}\r\n\r\n",
                    self.nonce,
                    violation.word()
                );
                self.ready.extend_from_slice(head.as_bytes());
                self.inbound = Inbound::Ended;
            }
            Err(Broken::Body(violation)) => self.inbound = Inbound::Failed(violation),
        }
    }

    /// Whether the client may still be sending something that will never be read.
    fn unread(&self) -> bool {
        match &self.inbound {
            Inbound::Guarding(framing) => !framing.at_boundary() || !self.ready.is_empty(),
            Inbound::Ended | Inbound::Failed(_) => true,
            Inbound::Sniffing | Inbound::Passing => false,
        }
    }

    /// Reads and throws away, until the client is done or the limits of lingering are reached.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let linger = self
            .linger
            .get_or_insert_with(|| Linger { until: Box::pin(tokio::time::sleep(LINGER)), bytes: LINGER_BYTES_MAX });
        loop {
            if linger.bytes == 0 || linger.until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let mut scratch = [0; 4096];
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => linger.bytes = linger.bytes.saturating_sub(buf.filled().len()),
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.ready.is_empty() {
                let bytes = this.ready.len().min(buf.remaining());
                buf.put_slice(this.ready.get(..bytes).unwrap_or_default());
                this.ready.advance(bytes);
                return Poll::Ready(Ok(()));
            }
            match &mut this.inbound {
                Inbound::Sniffing => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
                Inbound::Passing => return Pin::new(&mut this.inner).poll_read(cx, buf),
                // Nothing more is read; the service answers and `connection: close` ends it.
                Inbound::Ended => return Poll::Pending,
                Inbound::Failed(violation) => return Poll::Ready(Err(io::Error::other(*violation))),
                Inbound::Guarding(framing) if framing.plain_body_bytes() > 0 => {
                    let before = buf.filled().len();
                    let mut window = (&mut this.inner).take(framing.plain_body_bytes());
                    ready!(Pin::new(&mut window).poll_read(cx, buf))?;
                    let bytes = buf.filled().len() - before;
                    this.eof |= bytes == 0;
                    framing.passed(bytes as u64);
                    return Poll::Ready(Ok(()));
                }
                Inbound::Guarding(_) => {
                    // Not cleared first: most calls find nothing to read.
                    let mut scratch = [const { MaybeUninit::uninit() }; READ_BYTES];
                    let mut window = ReadBuf::uninit(&mut scratch);
                    ready!(Pin::new(&mut this.inner).poll_read(cx, &mut window))?;
                    if window.filled().is_empty() {
                        this.eof = true;
                        return Poll::Ready(Ok(()));
                    }
                    this.accept(window.filled());
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
        }
        if self.unread() && !self.eof {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}
