//! One client connection: what it speaks, and hyper behind the framing guard.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::Shared;
use crate::sidecar::deadline::HeadTimer;
use crate::sidecar::framing::{Guarded, HEAD_BYTES_MAX, Protocol};
use crate::sidecar::gate::gate;
use crate::sidecar::visit::Peer;

/// hyper's buffers per connection: bounds what is queued for a slow client, and holds the longest head.
const BUFFER_BYTES_MAX: usize = 2 * HEAD_BYTES_MAX;
/// Pause after a failed accept (out of file descriptors): retrying at once only burns time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Streams that a client reset before they were accepted; hyper's own default, named (CVE-2023-44487).
const PENDING_RESETS_MAX: usize = 20;
/// Streams that we reset for a client's errors before the connection is closed.
const LOCAL_RESETS_MAX: usize = 256;
/// Flow-control windows of HTTP/2: one body in flight does not stall, many cannot pile up.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// HTTP/2 connections are asked whether they live; a dead one is closed within twice this.
const PING_EVERY: Duration = Duration::from_secs(20);

/// The next connection, once there is room for it; `None` when accepting failed.
pub(super) async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer.ip().to_canonical(), slot)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Serves one connection to its end.
pub(super) async fn serve(shared: Arc<Shared>, stream: TcpStream, peer: IpAddr) {
    // Without it small chunks of a stream wait for each other; a socket that refuses it is closing already.
    let _ = stream.set_nodelay(true);
    let peer = Arc::new(Peer::at(peer));
    let mut guarded = Guarded::new(stream, Arc::clone(&shared.nonce));
    let sniffed = timeout(shared.settings.limits.head_timeout, guarded.protocol());
    let sniffed = tokio::select! {
        sniffed = sniffed => sniffed,
        () = shared.drain.draining() => return,
    };
    let Ok(Ok(protocol)) = sniffed else { return };
    // How a connection ends is of no interest beyond debugging: queries are recorded one by one.
    let ended = match protocol {
        Protocol::Http1 => serve_http1(&shared, guarded, Arc::clone(&peer)).await,
        Protocol::Http2 => serve_http2(&shared, guarded, Arc::clone(&peer)).await,
    };
    if let Err(error) = ended {
        tracing::debug!(peer = peer.text, %error, "a connection ended early");
    }
}

async fn serve_http1(shared: &Arc<Shared>, guarded: Guarded<TcpStream>, peer: Arc<Peer>) -> hyper::Result<()> {
    let handle = Arc::clone(shared);
    let service = service_fn(move |request| gate(Arc::clone(&handle), Arc::clone(&peer), request));
    // hyper's own limit of header lines, 100, is the guard's; another one would cost it two large allocations per head.
    let connection = http1::Builder::new()
        .timer(HeadTimer::default())
        .header_read_timeout(shared.settings.limits.head_timeout)
        .max_buf_size(BUFFER_BYTES_MAX)
        .half_close(false)
        .serve_connection(TokioIo::new(guarded), service);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = shared.drain.draining() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

async fn serve_http2(shared: &Arc<Shared>, guarded: Guarded<TcpStream>, peer: Arc<Peer>) -> hyper::Result<()> {
    let handle = Arc::clone(shared);
    let service = service_fn(move |request| gate(Arc::clone(&handle), Arc::clone(&peer), request));
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(shared.settings.limits.http2_streams_max)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(LOCAL_RESETS_MAX)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(BUFFER_BYTES_MAX)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY)
        .serve_connection(TokioIo::new(guarded), service);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = shared.drain.draining() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}
