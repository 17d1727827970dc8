//! The scripted model server: reads a request whole, answers at once. A chat answer of about 600 bytes, or a stream of
//! 20 chunks 5 ms apart when the body asks for one. A thread per connection, blocking: nothing to be slow.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::connection::find;

const CHUNKS: usize = 20;
const CHUNK_EVERY: Duration = Duration::from_millis(5);

/// Starts it; it serves until the program ends.
pub(crate) fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::Builder::new().name("upstream".to_owned()).spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.set_nodelay(true);
            thread::spawn(move || serve(stream));
        }
    })?;
    Ok(address)
}

fn serve(mut stream: TcpStream) {
    let answer = answer();
    let mut buffer = vec![0; 64 << 10];
    // The other side closing is the only way that it ends.
    while let Ok(Some(streamed)) = request(&mut stream, &mut buffer) {
        let sent = if streamed { say(&mut stream) } else { stream.write_all(&answer) };
        if sent.is_err() {
            return;
        }
    }
}

/// Reads one request; says whether its body asks for a stream.
fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<bool>> {
    let (mut filled, mut whole) = (0, None);
    loop {
        if whole.is_none()
            && let Some(head) = find(&buffer[..filled], b"\r\n\r\n")
        {
            whole = Some(head + 4 + length(&buffer[..head]));
        }
        if let Some(whole) = whole {
            if filled >= whole {
                let start = whole.min(256);
                let asked = find(&buffer[whole - start..whole], b"\"stream\":true").is_some();
                return Ok(Some(asked));
            }
            if buffer.len() < whole {
                buffer.resize(whole, 0);
            }
        }
        match stream.read(&mut buffer[filled..])? {
            0 => return Ok(None),
            read => filled += read,
        }
    }
}

fn length(head: &[u8]) -> usize {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let value = text.split("\r\ncontent-length:").nth(1).and_then(|rest| rest.split("\r\n").next());
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

fn answer() -> Vec<u8> {
    let said = "A heat pump moves warmth instead of making it. ".repeat(8);
    let body = format!(
        "{{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"llama\",\"choices\":[{{\"index\":0,\
         \"message\":{{\"role\":\"assistant\",\"content\":\"{said}\"}},\"finish_reason\":\"stop\"}}],\"usage\":\
         {{\"prompt_tokens\":200,\"completion_tokens\":80,\"total_tokens\":280}}}}"
    );
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

fn say(stream: &mut TcpStream) -> io::Result<()> {
    let data = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"llama\",\"choices\":\
                [{\"index\":0,\"delta\":{\"content\":\" warmth\"}}]}\n\n";
    let chunk = format!("{:x}\r\n{data}\r\n", data.len());
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(format!("{head}{chunk}").as_bytes())?;
    for _ in 1..CHUNKS {
        thread::sleep(CHUNK_EVERY);
        stream.write_all(chunk.as_bytes())?;
    }
    stream.write_all(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
}
