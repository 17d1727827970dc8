//! A model server that keeps what it reads, says in each answer what it read, and leaves answers unfinished where the
//! round is to end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use countersign::base::Digest;

use super::course::{Course, Moment};

/// Answers to queries with this word never come.
pub(crate) const DOOMED: &str = "doomed";

/// A body as far as it was read.
pub(crate) struct Receipt {
    pub(crate) body: Vec<u8>,
    pub(crate) whole: bool,
}

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    course: Arc<Course>,
    listener: TcpListener,
    receipts: Arc<Mutex<Vec<Receipt>>>,
    serving: JoinHandle<()>,
}

impl Upstream {
    pub(crate) fn start(course: &Arc<Course>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let receipts = Arc::new(Mutex::new(Vec::new()));
        let (kept, followed, door) = (Arc::clone(&receipts), Arc::clone(course), listener.try_clone().unwrap());
        let serving = thread::spawn(move || {
            let mut connections = Vec::new();
            // Ends when nobody is at the door after `finish` has stopped it from waiting.
            while let Ok((stream, _)) = door.accept() {
                let (kept, followed) = (Arc::clone(&kept), Arc::clone(&followed));
                connections.push(thread::spawn(move || serve(stream, &followed, &kept)));
            }
            for connection in connections {
                connection.join().unwrap();
            }
        });
        Self { address, course: Arc::clone(course), listener, receipts, serving }
    }

    /// Everything that the gate, now dead, had sent: also what was still on the way.
    pub(crate) fn finish(self) -> Vec<Receipt> {
        assert!(self.course.is_over());
        self.listener.set_nonblocking(true).unwrap();
        drop(TcpStream::connect(self.address));
        self.serving.join().unwrap();
        std::mem::take(&mut self.receipts.lock().unwrap())
    }
}

fn serve(mut stream: TcpStream, course: &Course, kept: &Mutex<Vec<Receipt>>) {
    while let Some(length) = content_length(&mut stream) {
        let mut body = Vec::new();
        let read = (&stream).take(length).read_to_end(&mut body);
        let whole = read.is_ok() && body.len() as u64 == length;
        let saw = Digest::of(&body);
        let text = String::from_utf8_lossy(&body).into_owned();
        kept.lock().unwrap().push(Receipt { body, whole });
        if course.note(Moment::Received) || !whole || text.contains(DOOMED) {
            return course.until_over();
        }
        let (first, rest) = answer(saw, text.contains("\"stream\":true"));
        let mut sent = stream.write_all(first.as_bytes());
        if course.leaves_answers() {
            return course.until_over();
        }
        sent = sent.and_then(|()| stream.write_all(rest.as_bytes()));
        if sent.is_err() {
            return;
        }
    }
}

/// The answer in two pieces; the first says what was read.
fn answer(saw: Digest, stream: bool) -> (String, String) {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: ";
    if stream {
        let chunk = |data: &str| format!("{:x}\r\ndata: {data}\n\n\r\n", data.len() + 8);
        let first = chunk(&format!("saw:{saw}"));
        return (format!("{head}text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n{first}"), {
            chunk("more") + &chunk("[DONE]") + "0\r\n\r\n"
        });
    }
    let (first, rest) = (format!("{{\"a\":\"saw:{saw}\","), "\"b\":\"the end\"}");
    let length = first.len() + rest.len();
    (format!("{head}application/json\r\ncontent-length: {length}\r\n\r\n{first}"), rest.to_owned())
}

/// Reads a head; the length of the body behind it.
fn content_length(stream: &mut TcpStream) -> Option<u64> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    Some(length.map_or(0, |length| length.parse().unwrap()))
}
