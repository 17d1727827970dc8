//! A scripted model server on loopback: answers as it is told, step by step, and keeps the very bytes it receives.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};

/// Longest wait for anything; only a broken gate ever meets it.
const PATIENCE: Duration = Duration::from_mins(10);

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// Which connection, counted from 0.
    pub connection: usize,
    /// Everything up to and with the empty line.
    pub head: String,
    /// The body, chunks put together.
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }
}

/// What the server does for a request, in order.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Waits for [`Upstream::go_on`].
    Wait,
    /// Sends chunks of 64 KB until so many bytes have gone out.
    Flood(usize),
    /// Closes the connection.
    Close,
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    connections: usize,
    closed: usize,
    sent: usize,
}

type Script = Arc<dyn Fn(&Received) -> Vec<Step> + Send + Sync>;

#[derive(Clone)]
pub struct Upstream {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    steps: Arc<Semaphore>,
}

/// A whole JSON answer.
pub fn json(status: &str, body: &str) -> Step {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    Step::Send((head + body).into_bytes())
}

/// The head of a stream of server-sent events.
pub fn stream_head() -> Step {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    Step::Send(head.as_bytes().to_vec())
}

/// One chunk.
pub fn chunk(text: &str) -> Step {
    Step::Send(format!("{:x}\r\n{text}\r\n", text.len()).into_bytes())
}

/// The end of a chunked body.
pub fn end() -> Step {
    Step::Send(b"0\r\n\r\n".to_vec())
}

impl Upstream {
    pub async fn start(script: impl Fn(&Received) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
            changed: Arc::default(),
            steps: Arc::new(Semaphore::new(0)),
        };
        let script: Script = Arc::new(script);
        let serving = upstream.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = serving.change(|state| {
                    state.connections += 1;
                    state.connections - 1
                });
                let (serving, script) = (serving.clone(), Arc::clone(&script));
                tokio::spawn(async move {
                    let _ = serving.serve(stream, connection, &script).await;
                    serving.change(|state| state.closed += 1);
                });
            }
        });
        upstream
    }

    /// Answers everything with the same JSON.
    pub async fn plain() -> Self {
        Self::start(|_| vec![json("200 OK", r#"{"ok":true}"#)]).await
    }

    /// Lets one `Step::Wait` pass.
    pub fn go_on(&self) {
        self.steps.add_permits(1);
    }

    pub fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// Bytes of floods that the system took.
    pub fn sent(&self) -> usize {
        self.state.lock().unwrap().sent
    }

    /// Waits until so many connections were closed by the other side, or by the script.
    pub async fn closed(&self, connections: usize) {
        self.until(|state| state.closed >= connections).await;
    }

    /// Waits for the request with this index.
    pub async fn request(&self, index: usize) -> Received {
        self.until(|state| state.received.len() > index).await;
        self.received()[index].clone()
    }

    async fn until(&self, done: impl Fn(&State) -> bool) {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if done(&self.state.lock().unwrap()) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the upstream got there");
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock().unwrap());
        self.changed.notify_waiters();
        result
    }

    async fn serve(&self, mut stream: TcpStream, connection: usize, script: &Script) -> std::io::Result<()> {
        let mut buffer = Vec::new();
        loop {
            let Some(received) = read_request(&mut stream, &mut buffer, connection).await? else { return Ok(()) };
            let steps = script(&received);
            self.change(|state| state.received.push(received));
            for step in steps {
                match step {
                    Step::Send(bytes) => stream.write_all(&bytes).await?,
                    Step::Wait => {
                        let mut byte = [0];
                        tokio::select! {
                            permit = self.steps.acquire() => permit.unwrap().forget(),
                            read = stream.read(&mut byte) => {
                                assert_eq!(read.unwrap_or(0), 0, "nothing is sent before the answer has ended");
                                return Ok(());
                            }
                        }
                    }
                    Step::Flood(bytes) => {
                        let block = format!("{:x}\r\n{}\r\n", 65536, "x".repeat(65536)).into_bytes();
                        for _ in 0..bytes / 65536 {
                            stream.write_all(&block).await?;
                            self.change(|state| state.sent += 65536);
                        }
                    }
                    Step::Close => return Ok(()),
                }
            }
        }
    }
}

async fn read_request(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    connection: usize,
) -> std::io::Result<Option<Received>> {
    let Some(head) = take_until(stream, buffer, b"\r\n\r\n").await? else { return Ok(None) };
    let head = String::from_utf8(head).unwrap();
    let mut received = Received { connection, head, body: Vec::new() };
    if received.header("transfer-encoding") == Some("chunked") {
        loop {
            let line = take_until(stream, buffer, b"\r\n").await?.unwrap();
            let size = usize::from_str_radix(String::from_utf8(line).unwrap().trim(), 16).unwrap();
            let data = take(stream, buffer, size + 2).await?;
            received.body.extend_from_slice(&data[..size]);
            if size == 0 {
                break;
            }
        }
    } else {
        let length = received.header("content-length").map_or(0, |length| length.parse().unwrap());
        received.body = take(stream, buffer, length).await?;
    }
    Ok(Some(received))
}

async fn take_until(stream: &mut TcpStream, buffer: &mut Vec<u8>, end: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
    loop {
        if let Some(at) = buffer.windows(end.len()).position(|window| window == end) {
            return Ok(Some(buffer.drain(..at + end.len()).collect()));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

async fn take(stream: &mut TcpStream, buffer: &mut Vec<u8>, bytes: usize) -> std::io::Result<Vec<u8>> {
    while buffer.len() < bytes {
        if stream.read_buf(buffer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(buffer.drain(..bytes).collect())
}
