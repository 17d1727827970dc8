//! Bodies in both directions: the permit's bytes on their way up, the answer on its way down, chunk by chunk as it comes.
//!
//! Guarantees that an answer is never collected: a chunk is asked for when the client's connection has room for it.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use super::{Answer, Keep};
use crate::sidecar::cut::Cut;
use crate::sidecar::permit::{Permit, Rest};

/// What goes up: the permit's bytes, and under posture `Observe` what was never read behind them.
#[derive(Debug)]
pub(super) struct ForwardBody {
    bytes: Option<Bytes>,
    rest: Option<Rest>,
}

impl ForwardBody {
    pub(super) fn of(permit: Permit) -> Self {
        let (bytes, rest) = permit.into_body();
        Self { bytes: Some(bytes).filter(|bytes| !bytes.is_empty()), rest }
    }
}

impl Body for ForwardBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(bytes) = self.bytes.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        match ready!(Pin::new(&mut rest.incoming).poll_frame(cx)) {
            Some(Ok(frame)) if frame.is_trailers() => Poll::Ready(None),
            other => Poll::Ready(other),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.rest {
            None => SizeHint::with_exact(self.bytes.as_ref().map_or(0, Bytes::len) as u64),
            Some(rest) => rest.length.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

/// How an answer came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sidecar) enum End {
    /// All of it was handed on.
    Complete,
    /// The model server broke off, or was silent for too long.
    Broke,
    /// The grant was revoked.
    Revoked,
}

/// Told of every chunk and of the end.
pub(in crate::sidecar) trait Witness {
    /// A chunk was handed on.
    fn chunk(&mut self, chunk: &Bytes);
    /// It is over. Not called when the client leaves first; the witness is dropped then.
    fn end(&mut self, end: End);
}

/// An answer on its way to the client.
pub(in crate::sidecar) struct Relay<W> {
    answer: Answer,
    witness: W,
    idle: Option<Pin<Box<Sleep>>>,
    silent: bool,
    cut: Option<Cut>,
    /// The last words were said.
    over: bool,
}

impl<W: Witness + Unpin> Relay<W> {
    pub(in crate::sidecar) fn new(answer: Answer, mut witness: W, cut: Option<Cut>) -> Self {
        let mut answer = answer;
        if answer.incoming.is_end_stream() {
            answer.finish();
            witness.end(End::Complete);
        }
        Self { answer, witness, idle: None, silent: false, cut, over: false }
    }

    fn broke(&mut self, error: io::Error) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.answer.keep = None;
        self.witness.end(End::Broke);
        Poll::Ready(Some(Err(error)))
    }

    /// Ends the answer: a stream with a last event, anything else by breaking it off.
    fn revoked(&mut self, last: Option<Bytes>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.answer.keep = None;
        self.witness.end(End::Revoked);
        self.over = true;
        // Where a length was announced there is no room for words.
        match last.filter(|_| self.answer.incoming.size_hint().exact().is_none()) {
            Some(event) => Poll::Ready(Some(Ok(Frame::data(event)))),
            None => Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into()))),
        }
    }

    /// Whether the silence since the last chunk is over the limit. The timer is made once and moved from then on.
    fn silent_too_long(&mut self, cx: &mut Context<'_>) -> bool {
        let limit = self.answer.idle_timeout;
        let idle = self.idle.get_or_insert_with(|| Box::pin(sleep(limit)));
        if !std::mem::replace(&mut self.silent, true) {
            idle.as_mut().reset(Instant::now() + limit);
        }
        idle.as_mut().poll(cx).is_ready()
    }
}

impl Answer {
    fn finish(&mut self) {
        if let Some(keep) = self.keep.take() {
            Keep::give_back(keep);
        }
    }
}

impl<W: Witness + Unpin> Body for Relay<W> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(None);
        }
        if let Some(cut) = &mut this.cut
            && cut.poll(cx).is_ready()
        {
            let last = cut.last_words();
            return this.revoked(last);
        }
        let Poll::Ready(frame) = Pin::new(&mut this.answer.incoming).poll_frame(cx) else {
            if this.silent_too_long(cx) {
                return this.broke(io::ErrorKind::TimedOut.into());
            }
            return Poll::Pending;
        };
        this.silent = false;
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    this.witness.chunk(&data);
                    if this.answer.incoming.is_end_stream() {
                        this.answer.finish();
                        this.witness.end(End::Complete);
                    }
                    Poll::Ready(Some(Ok(Frame::data(data))))
                }
                // Trailers of an answer are not passed on; the body ends with them.
                Err(_trailers) => {
                    this.answer.finish();
                    this.witness.end(End::Complete);
                    Poll::Ready(None)
                }
            },
            Some(Err(error)) => this.broke(io::Error::other(error)),
            None => {
                this.answer.finish();
                this.witness.end(End::Complete);
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.answer.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.answer.incoming.size_hint()
    }
}
