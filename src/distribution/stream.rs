//! One stream of the protocol (gRPC over HTTP/2): messages to bytes and back, for both halves.
//!
//! Guarantees: no message is read that is longer than it may be; a bundle is sent from the one buffer that all gates of its
//! workload share. Knows nothing of what a message is worth.

use std::convert::Infallible;
use std::fmt;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body_util::channel::{Channel, Sender};
use hyper::body::Incoming;
use prost::Message;
use tonic::codec::Codec as _;
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

/// Where the stream is opened.
pub(super) const PATH: &str = "/countersign.distribution.v1alpha1.Distribution/Follow";
/// What is spoken on it.
pub(super) const MEDIA: HeaderValue = HeaderValue::from_static("application/grpc");
/// In front of each message: whether it is compressed, which none is, and its length.
pub(super) const PREFIX_BYTES: usize = 5;
/// Frames that wait to be sent. A peer that reads nothing makes whoever sends wait, and nobody else.
const FRAMES_MAX: usize = 4;

/// The body of what is sent.
pub(super) type Body = Channel<Bytes, Infallible>;

/// The other side reads no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed;

/// Where messages are sent.
pub(super) struct Outgoing(Sender<Bytes, Infallible>);

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").finish_non_exhaustive()
    }
}

impl Outgoing {
    pub(super) fn new() -> (Self, Body) {
        let (sender, body) = Channel::new(FRAMES_MAX);
        (Self(sender), body)
    }

    /// Waits until the message is on its way.
    pub(super) async fn send(&mut self, message: &impl Message) -> Result<(), Closed> {
        let length = message.encoded_len();
        let mut frame = prefixed(length, length);
        // Memory grows as needed: there is no other way to fail.
        message.encode(&mut frame).map_err(|_| Closed)?;
        self.bytes(frame.freeze()).await
    }

    /// Waits until a message is on its way that is framed already: `head` and what follows it, which is not copied.
    #[cfg(feature = "operator")]
    pub(super) async fn send_framed(&mut self, head: Bytes, rest: Bytes) -> Result<(), Closed> {
        self.bytes(head).await?;
        self.bytes(rest).await
    }

    /// Ends the stream with a status.
    #[cfg(feature = "operator")]
    pub(super) async fn end(mut self, status: &Status) {
        let mut trailers = http::HeaderMap::new();
        // Who has gone needs no status.
        if status.add_header(&mut trailers).is_ok() {
            let _ = self.0.send_trailers(trailers).await;
        }
    }

    async fn bytes(&mut self, bytes: Bytes) -> Result<(), Closed> {
        self.0.send_data(bytes).await.map_err(|_| Closed)
    }
}

/// The beginning of a message of this length, with room for so much of it.
pub(super) fn prefixed(length: usize, capacity: usize) -> BytesMut {
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES + capacity);
    frame.put_u8(0);
    // All messages are far shorter than that.
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    frame
}

/// The messages in a request.
#[cfg(feature = "operator")]
pub(super) fn requested<T: Message + Default + 'static>(body: Incoming, bytes_max: usize) -> Streaming<T> {
    Streaming::new_request(ProstCodec::<T, T>::default().decoder(), body, None, Some(bytes_max))
}

/// The messages in a response, or the status that came in their place.
pub(super) fn responded<T: Message + Default + 'static>(
    response: http::Response<Incoming>,
    bytes_max: usize,
) -> Result<Streaming<T>, Status> {
    let (head, body) = response.into_parts();
    if let Some(status) = Status::from_header_map(&head.headers) {
        return Err(status);
    }
    if head.headers.get(CONTENT_TYPE) != Some(&MEDIA) {
        return Err(Status::unimplemented("what listens there does not distribute rule sets"));
    }
    Ok(Streaming::new_response(ProstCodec::<T, T>::default().decoder(), body, head.status, None, Some(bytes_max)))
}
