//! What the clients do by themselves, measured against a scripted server without a gate: the ground that the gate's answers to
//! held queries stand on (`docs/gate.md`, "Waiting clients"). A library that changes its mind fails here first.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use countersign::base::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::model;
use super::play::{Board, Seen, run};
use super::upstream::{Received, Step, chunk, end, json as whole, stream_head};

/// How long a server keeps a client that gives up after [`TIMEOUT`].
const HELD: u32 = 6;
/// What clients are told to wait where a fact is about time-outs.
const TIMEOUT: u32 = 3;

/// What a server does, in order.
pub enum Act {
    Send(Vec<u8>),
    Pause(Duration),
}

/// What was seen of one client.
pub struct Sight {
    pub seen: Seen,
    /// Each request, and when it came.
    requests: Vec<(Duration, Received)>,
}

impl Sight {
    fn attempts(&self) -> usize {
        self.requests.len()
    }

    fn done(&self) -> &Value {
        self.seen.done.as_ref().expect("the client program ends")
    }

    fn answered(&self) -> bool {
        self.done()["answer"].as_str() == Some(model::answer().as_str())
    }

    /// The exception's name.
    fn raised(&self) -> &str {
        self.done()["failures"][0]["type"].as_str().unwrap_or("nothing")
    }

    fn message(&self) -> &str {
        self.done()["failures"][0]["message"].as_str().unwrap_or_default()
    }

    /// Seconds between the first attempt and the second.
    fn pause(&self) -> f64 {
        match self.requests.as_slice() {
            [(first, _), (second, _), ..] => second.saturating_sub(*first).as_secs_f64(),
            _ => 0.0,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.requests.first()?.1.header(name)
    }
}

/// A client and a way of calling it.
type Who = (&'static str, &'static str);

const OPENAI: Who = ("openai_client.py", "chat");
const OPENAI_STREAM: Who = ("openai_client.py", "chat-stream");
const OPENAI_HELPER: Who = ("openai_client.py", "chat-helper");
const OPENAI_RESPONSES: Who = ("openai_client.py", "responses-stream");
const NODE: Who = ("openai_client.mjs", "chat");
const NODE_DEADLINE: Who = ("openai_client.mjs", "chat-deadline");
const NODE_STREAM: Who = ("openai_client.mjs", "chat-stream");
const NODE_HELPER: Who = ("openai_client.mjs", "chat-helper");
const ANTHROPIC: Who = ("anthropic_client.py", "messages");
const LANGCHAIN: Who = ("langchain_client.py", "invoke");
const LANGCHAIN_ASTREAM: Who = ("langchain_client.py", "astream");
const OLLAMA: Who = ("ollama_client.py", "chat");
const CURL: Who = ("curl_client.py", "chat");
const CURL_RETRY: Who = ("curl_client.py", "chat-retry");

/// Those with retries of their own.
const SDKS: &[Who] = &[OPENAI, NODE, ANTHROPIC, LANGCHAIN];

/// One fact.
struct Fact {
    name: &'static str,
    who: &'static [Who],
    with: With,
    server: fn(&Received) -> Vec<Act>,
    holds: fn(Who, &Sight) -> bool,
}

/// A setting that differs from the default.
#[derive(Clone, Copy)]
enum With {
    Defaults,
    Timeout,
    OneRetry,
    /// `langchain-openai`'s own time between pieces of data.
    ChunkTimeout,
}

impl With {
    fn options(self, (program, _): Who) -> Value {
        let node = program == NODE.0;
        match self {
            Self::Defaults => json!({}),
            Self::Timeout if node => json!({"timeout": TIMEOUT * 1000}),
            Self::Timeout => json!({"timeout": TIMEOUT}),
            Self::OneRetry if node => json!({"maxRetries": 1}),
            Self::OneRetry => json!({"max_retries": 1}),
            Self::ChunkTimeout => json!({"stream_chunk_timeout": f64::from(TIMEOUT)}),
        }
    }
}

fn sent(steps: Vec<Step>) -> Vec<Act> {
    steps
        .into_iter()
        .filter_map(|step| if let Step::Send(bytes) = step { Some(Act::Send(bytes)) } else { None })
        .collect()
}

fn status(line: &str) -> Vec<Act> {
    sent(vec![whole(line, r#"{"error":{"message":"Said so.","type":"x","code":"y"},"type":"error"}"#)])
}

/// A stream's head at once, then this every second, then that.
fn stream(every: &str, rest: Vec<Step>) -> Vec<Act> {
    let mut acts = sent(vec![stream_head()]);
    for _ in 0..HELD {
        acts.push(Act::Pause(Duration::from_secs(1)));
        acts.extend(sent(vec![chunk(every)]));
    }
    acts.extend(sent(rest));
    acts
}

/// The model's stream without its head.
fn streamed(received: &Received) -> Vec<Step> {
    model::script(received).split_off(1)
}

/// A keep-alive in the shape of a chunk.
fn delta(delta: &Value) -> String {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": null});
    let chunk =
        json!({"id": "q-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]});
    format!("data: {chunk}\n\n")
}

/// The head of an answer at once, a new line every second, then the body.
fn padded(body: &str) -> Vec<Act> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut acts = vec![Act::Send(head.into())];
    for _ in 0..HELD {
        acts.push(Act::Pause(Duration::from_secs(1)));
        acts.extend(sent(vec![chunk("\n")]));
    }
    acts.extend(sent(vec![chunk(body), end()]));
    acts
}

/// The body of the model's answer.
fn answer(received: &Received) -> String {
    let Some(Step::Send(bytes)) = model::script(received).pop() else { return String::new() };
    let text = String::from_utf8(bytes).unwrap();
    text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

/// Something that is not an answer yet, every second, then the answer.
fn interim(head: &str, received: &Received) -> Vec<Act> {
    let mut acts = Vec::new();
    for _ in 0..HELD {
        acts.extend([Act::Pause(Duration::from_secs(1)), Act::Send(format!("HTTP/1.1 {head}\r\n\r\n").into())]);
    }
    acts.extend(sent(model::script(received)));
    acts
}

/// Sent to the same place again, a second later; the answer after so many times.
fn redirected(received: &Received) -> Vec<Act> {
    let path = received.line().split(' ').nth(1).unwrap_or_default();
    let (path, round) = path.split_once("?round=").unwrap_or((path, "0"));
    let round: u32 = round.parse().unwrap();
    if round == HELD {
        let there = Received { head: received.head.replace("?round=", " "), ..received.clone() };
        return sent(model::script(&there));
    }
    let next = round + 1;
    let head = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {path}?round={next}\r\ncontent-length: 0\r\n\r\n");
    vec![Act::Pause(Duration::from_secs(1)), Act::Send(head.into())]
}

const FACTS: &[Fact] = &[
    Fact {
        name: "the attempt is told, an idempotency key is not sent",
        who: SDKS,
        with: With::Defaults,
        server: |received| sent(model::script(received)),
        holds: |_, sight| {
            let attempt = sight.header("x-stainless-retry-count");
            sight.answered() && attempt == Some("0") && sight.header("idempotency-key").is_none()
        },
    },
    Fact {
        name: "the deadline is told by Python's libraries, also the default one",
        who: &[OPENAI, ANTHROPIC],
        with: With::Defaults,
        server: |received| sent(model::script(received)),
        holds: |_, sight| {
            let deadline = sight.header("x-stainless-read-timeout").and_then(|seconds| seconds.parse().ok());
            sight.answered() && deadline == Some(600.0)
        },
    },
    Fact {
        name: "Node tells the deadline of a call, not that of the client",
        who: &[NODE, NODE_DEADLINE],
        with: With::Timeout,
        server: |received| sent(model::script(received)),
        holds: |who, sight| {
            let told = if who == NODE { None } else { Some("20") };
            sight.answered() && sight.header("x-stainless-timeout") == told
        },
    },
    Fact {
        name: "LangChain has no deadline unless it is given one",
        who: &[LANGCHAIN],
        with: With::Defaults,
        server: |received| sent(model::script(received)),
        holds: |_, sight| sight.answered() && sight.header("x-stainless-read-timeout").is_none(),
    },
    Fact {
        name: "408 is tried three times",
        who: SDKS,
        with: With::Defaults,
        server: |_| status("408 Request Timeout"),
        holds: |_, sight| sight.attempts() == 3,
    },
    Fact {
        name: "409 is tried three times",
        who: SDKS,
        with: With::Defaults,
        server: |_| status("409 Conflict"),
        holds: |_, sight| sight.attempts() == 3 && sight.raised().ends_with("ConflictError"),
    },
    Fact {
        name: "429 is tried three times",
        who: SDKS,
        with: With::Defaults,
        server: |_| status("429 Too Many Requests"),
        holds: |_, sight| sight.attempts() == 3 && sight.raised().ends_with("RateLimitError"),
    },
    Fact {
        name: "503 is tried three times",
        who: SDKS,
        with: With::Defaults,
        server: |_| status("503 Service Unavailable"),
        holds: |_, sight| sight.attempts() == 3,
    },
    Fact {
        name: "403 is final",
        who: SDKS,
        with: With::Defaults,
        server: |_| status("403 Forbidden"),
        holds: |_, sight| sight.attempts() == 1,
    },
    Fact {
        name: "425 is final",
        who: SDKS,
        with: With::Defaults,
        server: |_| status("425 Too Early"),
        holds: |_, sight| sight.attempts() == 1,
    },
    Fact {
        name: "503 that says not to retry is final",
        who: SDKS,
        with: With::Defaults,
        server: |_| status("503 Service Unavailable\r\nx-should-retry: false"),
        holds: |_, sight| sight.attempts() == 1,
    },
    Fact {
        name: "403 that says to retry is tried three times",
        who: SDKS,
        with: With::Defaults,
        server: |_| status("403 Forbidden\r\nx-should-retry: true"),
        holds: |_, sight| sight.attempts() == 3,
    },
    Fact {
        name: "a Retry-After of a minute is obeyed",
        who: SDKS,
        with: With::OneRetry,
        server: |_| status("409 Conflict\r\nretry-after: 60"),
        holds: |_, sight| sight.attempts() == 2 && sight.pause() >= 60.0,
    },
    Fact {
        name: "a Retry-After above two minutes is no reason to wait",
        who: &[OPENAI, LANGCHAIN],
        with: With::Defaults,
        server: |_| status("409 Conflict\r\nretry-after: 121"),
        holds: |_, sight| sight.attempts() == 1,
    },
    Fact {
        name: "silence longer than the time-out is tried three times",
        who: &[OPENAI, NODE, ANTHROPIC],
        with: With::Timeout,
        server: |_| vec![Act::Pause(Duration::from_secs(u64::from(HELD)))],
        holds: |_, sight| sight.attempts() == 3 && sight.raised().ends_with("TimeoutError"),
    },
    Fact {
        name: "comments keep a stream alive",
        who: &[OPENAI_STREAM, NODE_STREAM],
        with: With::Timeout,
        server: |received| stream(": waiting\n\n", streamed(received)),
        holds: |_, sight| sight.attempts() == 1 && sight.answered(),
    },
    Fact {
        name: "an error event after comments is raised",
        who: &[OPENAI_STREAM, NODE_STREAM],
        with: With::Timeout,
        server: |_| stream(": waiting\n\n", vec![chunk("data: {\"error\":{\"message\":\"Said so.\"}}\n\n"), end()]),
        holds: |_, sight| sight.attempts() == 1 && sight.raised() == "APIError" && sight.message().contains("Said so."),
    },
    Fact {
        name: "new lines before the JSON keep an answer alive",
        who: &[OPENAI, NODE],
        with: With::Timeout,
        server: |received| padded(&answer(received)),
        holds: |_, sight| sight.attempts() == 1 && sight.answered(),
    },
    Fact {
        name: "a refusal behind such new lines is no error, and no answer",
        who: &[OPENAI, NODE],
        with: With::Timeout,
        server: |_| padded(r#"{"error":{"message":"Said so."}}"#),
        holds: |_, sight| sight.raised() == "nothing" && sight.done()["choices"].is_null(),
    },
    Fact {
        name: "a refusal as a filtered completion is understood",
        who: &[OPENAI, NODE],
        with: With::Timeout,
        server: |received| padded(&answer(received).replace("\"stop\"", "\"content_filter\"")),
        holds: |_, sight| sight.answered() && sight.done()["finish"] == "content_filter",
    },
    Fact {
        name: "interim answers keep Python waiting, not Node",
        who: &[OPENAI, NODE],
        with: With::Timeout,
        server: |received| interim("102 Processing", received),
        holds: |who, sight| if who == NODE { sight.raised().ends_with("TimeoutError") } else { sight.answered() },
    },
    Fact {
        name: "early hints keep Python waiting, not Node",
        who: &[OPENAI, NODE],
        with: With::Timeout,
        server: |received| interim("103 Early Hints", received),
        holds: |who, sight| if who == NODE { sight.raised().ends_with("TimeoutError") } else { sight.answered() },
    },
    Fact {
        name: "redirects keep Python waiting, not Node",
        who: &[OPENAI, NODE],
        with: With::Timeout,
        server: redirected,
        holds: |who, sight| if who == NODE { sight.raised().ends_with("TimeoutError") } else { sight.answered() },
    },
    Fact {
        name: "202 is taken for an answer without choices",
        who: &[OPENAI, NODE],
        with: With::Defaults,
        server: |_| sent(vec![whole("202 Accepted", r#"{"status":"pending"}"#)]),
        holds: |_, sight| sight.raised() == "nothing" && sight.done()["choices"].is_null(),
    },
    Fact {
        name: "empty deltas without a role leave no trace but their id",
        who: &[OPENAI_HELPER, NODE_HELPER],
        with: With::Timeout,
        server: |received| stream(&delta(&json!({"content": ""})), streamed(received)),
        holds: |_, sight| sight.answered() && sight.done()["role"] == "assistant",
    },
    Fact {
        name: "the id of the first chunk is the answer's, for Python",
        who: &[OPENAI_HELPER],
        with: With::Timeout,
        server: |received| stream(&delta(&json!({"content": ""})), streamed(received)),
        holds: |_, sight| sight.done()["answer_id"] == "q-1",
    },
    Fact {
        name: "empty deltas with a role pile up, for Python",
        who: &[OPENAI_HELPER],
        with: With::Timeout,
        server: |received| stream(&delta(&json!({"role": "assistant", "content": ""})), streamed(received)),
        holds: |_, sight| sight.done()["role"].as_str().is_some_and(|role| role.starts_with("assistantassistant")),
    },
    Fact {
        name: "a delta before `response.created` breaks a responses stream",
        who: &[OPENAI_RESPONSES],
        with: With::Timeout,
        server: |received| {
            let data = json!({"type": "response.output_text.delta", "item_id": "m", "output_index": 0,
                "content_index": 0, "delta": "", "logprobs": [], "sequence_number": 0});
            stream(&format!("event: response.output_text.delta\ndata: {data}\n\n"), streamed(received))
        },
        holds: |_, sight| sight.raised() != "nothing",
    },
    Fact {
        name: "comments before `response.created` do not",
        who: &[OPENAI_RESPONSES],
        with: With::Timeout,
        server: |received| stream(": waiting\n\n", streamed(received)),
        holds: |_, sight| sight.answered(),
    },
    Fact {
        name: "LangChain's asynchronous stream does not count comments",
        who: &[LANGCHAIN_ASTREAM],
        with: With::ChunkTimeout,
        server: |received| stream(": waiting\n\n", streamed(received)),
        holds: |_, sight| sight.raised().contains("Timeout"),
    },
    Fact {
        name: "LangChain's asynchronous stream counts empty deltas, and waits two minutes for one",
        who: &[LANGCHAIN_ASTREAM],
        with: With::Defaults,
        server: |received| stream(&delta(&json!({"content": ""})), streamed(received)),
        holds: |_, sight| sight.answered() && sight.done()["stream_chunk_timeout"] == 120.0,
    },
    Fact {
        name: "empty deltas are enough for it",
        who: &[LANGCHAIN_ASTREAM],
        with: With::ChunkTimeout,
        server: |received| stream(&delta(&json!({"content": ""})), streamed(received)),
        holds: |_, sight| sight.answered(),
    },
    Fact {
        name: "409 is final for clients without retries",
        who: &[OLLAMA, CURL, CURL_RETRY],
        with: With::Defaults,
        server: |_| status("409 Conflict\r\nretry-after: 1"),
        holds: |_, sight| sight.attempts() == 1,
    },
    Fact {
        name: "503 is final for clients without retries",
        who: &[OLLAMA, CURL],
        with: With::Defaults,
        server: |_| status("503 Service Unavailable\r\nretry-after: 1"),
        holds: |_, sight| sight.attempts() == 1,
    },
    Fact {
        name: "curl --retry tries 429 again, as often as it is told",
        who: &[CURL_RETRY],
        with: With::Defaults,
        server: |_| status("429 Too Many Requests\r\nretry-after: 1"),
        holds: |_, sight| sight.attempts() == 10 && sight.pause() >= 1.0,
    },
];

/// Every fact that does not hold, told at once.
pub static BROKEN: LazyLock<Vec<String>> = LazyLock::new(|| {
    let server = Server::start();
    let board: Board = Arc::default();
    let mut cases: HashMap<&str, Vec<Value>> = HashMap::new();
    for fact in FACTS {
        for who in fact.who {
            let id = id(fact, *who);
            let url = format!("http://{}", server.address);
            cases.entry(who.0).or_default().push(json!({"id": id, "mode": who.1, "url": url, "key": "none",
                "text": format!("[{id}]"), "options": fact.with.options(*who)}));
        }
    }
    let programs: Vec<_> = cases.into_iter().map(|(program, cases)| run(program, &cases.into(), &board)).collect();
    for mut program in programs {
        program.wait().unwrap();
    }
    let (board, kept) = (board.lock().unwrap(), server.kept.lock().unwrap());
    let mut broken = Vec::new();
    for fact in FACTS {
        for who in fact.who {
            let id = id(fact, *who);
            let requests = kept.iter().filter(|(_, received)| names(received, &id)).cloned().collect();
            let sight = Sight { seen: board.get(&id).cloned().unwrap_or_default(), requests };
            if sight.seen.done.is_none() || !(fact.holds)(*who, &sight) {
                let (attempts, head) = (sight.attempts(), sight.requests.first().map(|(_, received)| &received.head));
                broken.push(format!("{id}: {attempts} attempts, {:?}\n{head:?}", sight.seen));
            }
        }
    }
    broken
});

fn id(fact: &Fact, (program, mode): Who) -> String {
    format!("{} / {program} / {mode}", fact.name)
}

fn names(received: &Received, id: &str) -> bool {
    String::from_utf8_lossy(&received.body).contains(&format!("[{id}]"))
}

/// A server that does what the fact named in the body says.
struct Server {
    address: SocketAddr,
    kept: Arc<Mutex<Vec<(Duration, Received)>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, kept) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<_>>>::default());
        let (keeping, clock) = (Arc::clone(&kept), SystemClock::default());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, clock) = (Arc::clone(&keeping), clock.clone());
                thread::spawn(move || {
                    let mut reader = BufReader::new(&stream);
                    while let Some(received) = read(&mut reader) {
                        kept.lock().unwrap().push((clock.monotonic(), received.clone()));
                        let named = |fact: &&Fact| fact.who.iter().any(|who| names(&received, &id(fact, *who)));
                        let fact = FACTS.iter().find(named).expect("the body names a fact");
                        act(&stream, (fact.server)(&received));
                    }
                });
            }
        });
        Self { address, kept }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Received> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut received = Received { connection: 0, head, body: Vec::new() };
    received.body = vec![0; received.header("content-length")?.parse().ok()?];
    reader.read_exact(&mut received.body).ok()?;
    Some(received)
}

/// A client that has gone is no matter.
fn act(mut stream: &TcpStream, acts: Vec<Act>) {
    for act in acts {
        match act {
            Act::Pause(time) => thread::sleep(time),
            Act::Send(bytes) => {
                if stream.write_all(&bytes).is_err() {
                    return;
                }
            }
        }
    }
}
