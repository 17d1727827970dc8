//! The body of an answer: the gate's own words, the model server's, or a held stream. Knows nothing of what it says.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::hold::HeldStream;
use super::upstream::Relay;
use super::visit::Completion;

/// The body of an answer.
#[expect(clippy::large_enum_variant, reason = "the largest is the usual one, and a box would cost it an allocation")]
pub(super) enum Outgoing {
    /// The gate's own words.
    Whole(Option<Bytes>),
    /// What the model server says, as it says it.
    Relay(Relay<Completion>),
    /// A stream that waits for people first.
    Held(HeldStream),
}

impl Outgoing {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Relay(relay) => Pin::new(relay).poll_frame(cx),
            Self::Held(held) => Pin::new(held).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Relay(relay) => relay.is_end_stream(),
            Self::Held(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Relay(relay) => relay.size_hint(),
            Self::Held(_) => SizeHint::default(),
        }
    }
}
