//! One HTTP/1.1 connection of the load generator: a request out, an answer read to its end. Plain blocking sockets, so
//! that what is measured is the other side.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::process::clock;

/// Longest wait for a byte: a proxy that needs it has failed the run.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection that is kept open.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// When an answer came.
pub(crate) struct Answer {
    /// Its body's first byte.
    pub(crate) first: Instant,
    /// Its last.
    pub(crate) last: Instant,
}

/// How an answer's end is known.
enum Ending {
    /// It is so long, head included.
    At(usize),
    /// By the last chunk.
    Chunks,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: vec![0; 64 << 10] })
    }

    /// Sends a request and reads its answer, which must be a 200.
    pub(crate) fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request)?;
        let (mut filled, mut first, mut ending) = (0, None, None);
        loop {
            let room = self.buffer.get_mut(filled..).unwrap_or_default();
            let read = self.stream.read(room)?;
            if read == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer broke off"));
            }
            filled += read;
            let so_far = self.buffer.get(..filled).unwrap_or_default();
            if ending.is_none()
                && let Some(head) = find(so_far, b"\r\n\r\n")
            {
                ending = Some(of_head(&so_far[..head])?);
            }
            let ended = match ending {
                Some(Ending::At(length)) => filled >= length,
                Some(Ending::Chunks) => so_far.ends_with(b"0\r\n\r\n"),
                None => false,
            };
            if ending.is_some() && first.is_none() && find(so_far, b"\r\n\r\n").is_some_and(|at| at + 4 < filled) {
                first = Some(clock());
            }
            if ended {
                let last = clock();
                return Ok(Answer { first: first.unwrap_or(last), last });
            }
            if filled + 4096 > self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
        }
    }
}

fn of_head(head: &[u8]) -> io::Result<Ending> {
    let wrong = |why: &str| io::Error::other(format!("{why}: {}", String::from_utf8_lossy(head)));
    if !head.starts_with(b"HTTP/1.1 200") {
        return Err(wrong("not a 200"));
    }
    let text = std::str::from_utf8(head).map_err(io::Error::other)?.to_ascii_lowercase();
    if let Some(at) = text.find("\r\ncontent-length:") {
        let value = text[at + 17..].split("\r\n").next().unwrap_or_default().trim();
        let length: usize = value.parse().map_err(io::Error::other)?;
        return Ok(Ending::At(head.len() + 4 + length));
    }
    if text.contains("\r\ntransfer-encoding: chunked") { Ok(Ending::Chunks) } else { Err(wrong("no end")) }
}

/// Where a short mark first stands.
pub(crate) fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}
