//! A held stream: its head is sent, then keep-alives, then the model server's own stream or an error event.
//!
//! Guarantees that it holds at most a few chunks, and that dropping it (the client left) stops everything behind it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at};

use super::shape::Words;
use super::wait::{Settled, deadline};
use super::{Framing, Waiting, refused};
use crate::approvals::Phase;
use crate::base::QueryId;
use crate::sidecar::outgoing::Outgoing;
use crate::sidecar::refusal::{Refusal, Told, event};
use crate::sidecar::status::attend;
use crate::wire::{ErrorStyle, Format};

/// Chunks between the waiting side and the client's connection; back-pressure begins here.
const CHUNKS_MAX: usize = 2;
/// Shortest pause between comments, whatever deadline a client names: what it names must not make work.
const COMMENT_EVERY_MIN: Duration = Duration::from_millis(500);

/// The body of a held stream.
pub(in crate::sidecar) struct HeldStream {
    /// Waits for people, then passes the answer on; polled by whoever reads the body, so it ends with it.
    driver: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    chunks: mpsc::Receiver<Bytes>,
}

impl HeldStream {
    pub(in crate::sidecar) fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(driver) = &mut self.driver
            && driver.as_mut().poll(cx).is_ready()
        {
            self.driver = None;
        }
        self.chunks.poll_recv(cx).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}

/// The head, at once, with the stream behind it.
pub(super) fn respond(waiting: Waiting, framing: Framing) -> Response<Outgoing> {
    let (chunks, receiver) = mpsc::channel(CHUNKS_MAX);
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(framing.media()));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Hops that buffer (nginx) would keep the comments to themselves.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    let head = waiting.visit.signed(response.map(|()| Outgoing::Whole(None)));
    let driver = Box::pin(drive(waiting, framing, chunks));
    head.map(|_| Outgoing::Held(HeldStream { driver: Some(driver), chunks: receiver }))
}

async fn drive(mut waiting: Waiting, framing: Framing, chunks: mpsc::Sender<Bytes>) {
    let speaker = Speaker { framing, style: waiting.visit.style, query: waiting.visit.id, chunks };
    let settled = keep_alive(&waiting, &speaker).await;
    let refusal = match settled {
        Settled::Phase(phase) => return speaker.relay(waiting.settle(phase).await).await,
        Settled::Failed(failure) => refused(failure),
        Settled::NotYet | Settled::Draining => {
            attend(&waiting.visit, &waiting.hold, waiting.visit.shared.settings.hold.retry_after).await;
            waiting.slot.ended = Phase::Pending;
            waiting.pending()
        }
    };
    speaker.error(&refusal.told(speaker.query)).await;
    // Records it; the answer it makes is for a client that has no head yet.
    drop(waiting.visit.refuse(&refusal));
}

/// Says something often enough until people have decided.
async fn keep_alive(waiting: &Waiting, speaker: &Speaker) -> Settled {
    let settings = &waiting.visit.shared.settings.hold;
    let start = Instant::now();
    // A client that gives up after less silence than that says so.
    let comment_every = settings.comment_every.min(deadline(&waiting.visit.head.headers) / 2);
    let mut comments = interval_at(start, comment_every.max(COMMENT_EVERY_MIN));
    let mut deltas = interval_at(start + settings.delta_every, settings.delta_every);
    let shared = &waiting.visit.shared;
    let mut settled = shared.ports.holds.settled(waiting.id);
    let mut attended = std::pin::pin!(waiting.keep_attended());
    loop {
        let words = waiting.words();
        tokio::select! {
            biased;
            settled = &mut settled => return match settled {
                Ok(phase) => Settled::Phase(phase),
                Err(failure) => Settled::Failed(failure),
            },
            () = shared.drain.draining() => return Settled::Draining,
            () = &mut attended => return Settled::NotYet,
            _ = deltas.tick() => speaker.say(speaker.framing.delta(&words)).await,
            _ = comments.tick() => speaker.say(speaker.framing.comment(&words)).await,
        }
    }
}

impl Waiting {
    fn words(&self) -> Words<'_> {
        Words {
            query: self.visit.id.to_string(),
            hold: self.id.to_string(),
            model: self.held.query().model.as_deref().unwrap_or_default(),
            chat: self.visit.format == Some(Format::OllamaChat),
            now: self.visit.shared.ports.clock.now(),
        }
    }
}

struct Speaker {
    framing: Framing,
    style: ErrorStyle,
    query: QueryId,
    chunks: mpsc::Sender<Bytes>,
}

impl Speaker {
    /// Hands on a chunk; a client that left takes this whole future with it, so there is nothing to report.
    async fn say(&self, chunk: Bytes) {
        let _ = self.chunks.send(chunk).await;
    }

    async fn error(&self, told: &Told) {
        self.say(event(self.style, self.framing, told)).await;
    }

    /// Appends the answer to the stream. Its head came too late to be one: a status other than 2xx becomes an error event.
    async fn relay(&self, response: Response<Outgoing>) {
        let (head, mut body) = response.into_parts();
        if !head.status.is_success() {
            return match head.extensions.get::<Told>() {
                Some(told) => self.error(told).await,
                None => self.error(&upstream_said(head.status, self.query)).await,
            };
        }
        while let Some(frame) = body.frame().await {
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => self.say(data).await,
                Ok(Err(_trailers)) => {}
                Err(_broke) => return self.error(&Refusal::UpstreamFailed.told(self.query)).await,
            }
        }
    }
}

fn upstream_said(status: StatusCode, query: QueryId) -> Told {
    let told = Refusal::UpstreamFailed.told(query);
    Told { status, message: format!("the model server answered with status {}", status.as_u16()), ..told }
}
