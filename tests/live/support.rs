//! A live gate: the program itself, as a process, in front of an upstream on loopback that keeps what it receives.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Longest wait for any byte; only a broken gate ever meets it.
const PATIENCE: Duration = Duration::from_secs(20);

/// What reached the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A server that keeps every request and answers each with the same JSON.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                thread::spawn(move || serve(stream, &kept));
            }
        });
        Self { address, received }
    }

    /// Everything since the last call.
    pub(crate) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.received.lock().unwrap())
    }
}

fn serve(mut stream: TcpStream, kept: &Mutex<Vec<Received>>) {
    while let Some(head) = read_head(&mut stream) {
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let headers: Vec<(String, String)> = lines
            .filter_map(|l| l.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(n, _)| n == "content-length").map_or(0, |(_, v)| v.parse().unwrap());
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        kept.lock().unwrap().push(Received { line, headers, body });
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{\"done\":true}";
        if stream.write_all(answer).is_err() {
            return;
        }
    }
}

fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    Some(String::from_utf8_lossy(&head[..head.len() - 4]).into_owned())
}

/// An answer of the gate.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .split("\r\n")
            .filter_map(|l| l.split_once(": "))
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v)
    }

    /// The stable code of a refusal, wherever the format's error body has it.
    pub(crate) fn code(&self) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        [&body["error"]["code"], &body["code"]].into_iter().find_map(|c| c.as_str().map(str::to_owned))
    }
}

/// The gate's process; ended when dropped.
pub(crate) struct Gate {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    data: tempfile::TempDir,
}

impl Gate {
    /// Starts `countersign gate` and waits until it is ready.
    pub(crate) fn start(upstream: SocketAddr, policies: &Path, extra: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), upstream, policies, extra)
    }

    /// The same on a data folder that may have been used before.
    pub(crate) fn start_in(data: tempfile::TempDir, upstream: SocketAddr, policies: &Path, extra: &[&str]) -> Self {
        let log = std::fs::File::create(data.path().join("gate.log")).unwrap();
        let [address, admin] = free_ports();
        let child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["gate", "--upstream", &format!("http://{upstream}"), "--listen", &address.to_string()])
            .args(["--admin-listen", &admin.to_string(), "--log-level", "warn"])
            .arg("--policies")
            .arg(policies)
            .arg("--data")
            .arg(data.path())
            .args(extra)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut gate = Self { child, address, admin, data };
        gate.wait_until_ready();
        gate
    }

    fn wait_until_ready(&mut self) {
        for _ in 0..2_000 {
            assert!(self.child.try_wait().unwrap().is_none(), "the gate ended at start: {}", self.log());
            if TcpStream::connect(self.admin).is_ok() {
                let answer = exchange(self.admin, b"GET /readyz HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n\r\n");
                if answer.status == 200 {
                    return;
                }
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("the gate did not get ready");
    }

    /// Everything it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("gate.log")).unwrap_or_default()
    }

    /// Sends raw bytes on a connection of their own and reads one answer.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Answer {
        exchange(self.address, bytes)
    }

    /// Sends a request with a body.
    pub(crate) fn send(&self, line: &str, headers: &[(String, String)], body: &[u8]) -> Answer {
        let mut bytes = format!("{line} HTTP/1.1\r\nhost: model\r\ncontent-length: {}\r\n", body.len()).into_bytes();
        for (name, value) in headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        self.raw(&bytes)
    }
}

impl Gate {
    /// Its data folder.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// Ends it as a crash would, and gives back its data folder.
    pub(crate) fn crash(mut self) -> tempfile::TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.data, tempfile::tempdir().unwrap())
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ports that nobody listens on at this moment, each another one: they are held until all are known.
pub(crate) fn free_ports<const N: usize>() -> [SocketAddr; N] {
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.each_ref().map(|listener| listener.local_addr().unwrap())
}

/// One answer to raw bytes. An answer that never comes, or a connection closed without one, has status 0.
pub(crate) fn exchange(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A gate that refuses early may close before it has read everything.
    let _ = stream.write_all(bytes);
    let mut seen = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        if let Some(answer) = whole(&seen) {
            return answer;
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(n) => seen.extend_from_slice(&buffer[..n]),
        }
    }
    whole(&seen).unwrap_or(Answer { status: 0, head: String::from_utf8_lossy(&seen).into_owned(), body: Vec::new() })
}

fn whole(seen: &[u8]) -> Option<Answer> {
    let end = seen.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&seen[..end]).into_owned();
    let status = head.get(9..12)?.parse().ok()?;
    if status == 100 {
        return whole(&seen[end + 4..]);
    }
    let mut answer = Answer { status, head, body: Vec::new() };
    let rest = &seen[end + 4..];
    if let Some(length) = answer.header("content-length").and_then(|v| v.parse::<usize>().ok()) {
        answer.body = rest.get(..length)?.to_vec();
    } else if answer.header("transfer-encoding").is_some() {
        answer.body = dechunk(rest)?;
    }
    Some(answer)
}

fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|w| w == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
        rest = &rest[line + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}
