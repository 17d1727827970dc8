//! The whole way with the programs that ship: `kubectl apply`, the operator, the gate of a Pod, a client, a model server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use countersign::audit;
use countersign::base::{Clock as _, SystemClock};
use serde_json::Value;

use super::bed::{DENY, Pod, Space};
use super::{cluster, until};

const OTHER: &str = "rules: [{name: b, match: {keywords: [contract]}, action: {type: Deny}}]";
const ALLOWED: (&str, &str) = ("200", "");
const DENIED: (&str, &str) = ("403", "policy_denied");

/// A model server that answers everything, and keeps what it was asked.
struct Model {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Model {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::default());
        let kept = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, kept) = (stream.unwrap(), Arc::clone(&kept));
                thread::spawn(move || answer(stream, &kept));
            }
        });
        Self { address, asked }
    }

    fn was_asked(&self, word: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|body| body.contains(word)).count()
    }
}

/// Answers the requests of one connection.
fn answer(stream: TcpStream, kept: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or_default() == 0 {
                return;
            }
            if line == "\r\n" {
                break;
            }
            if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = said.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        kept.lock().unwrap().push(String::from_utf8(body).unwrap());
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        reader.get_mut().write_all(answer).unwrap();
    }
}

/// The program of a Pod.
struct Sidecar {
    process: Child,
    queries: String,
}

impl Sidecar {
    fn start(space: &Space, pod: &Pod, operator: &str, model: &Model, data: &Path) -> Self {
        let token = data.join("token");
        std::fs::write(&token, space.token(pod, "countersign.dev/gate")).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_countersign-sidecar"))
            .args(["--listen", "127.0.0.1:0", "--health-listen", "127.0.0.1:0", "--server", "openai"])
            .args(["--upstream", &format!("http://{}", model.address), "--data", data.to_str().unwrap()])
            .args(["--operator", operator, "--anchor", &space.anchor().to_string()])
            .args(["--token", token.to_str().unwrap(), "--workload-uid", &pod.workload, "--pod-uid", &pod.uid])
            .env_clear()
            .process_group(cluster().group())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let queries = lines.find_map(|line| {
            eprintln!("{line}");
            serde_json::from_str::<Value>(&line).ok()?["queries"].as_str().map(str::to_owned)
        });
        // Whoever writes to a pipe that nobody reads waits for ever.
        thread::spawn(move || lines.for_each(|line| eprintln!("{line}")));
        Self { process, queries: queries.expect("it says where it listens") }
    }

    /// The status, and the code of an error.
    fn ask(&self, text: &str) -> (String, String) {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#);
        let mut stream = TcpStream::connect(&self.queries).unwrap();
        let head =
            "POST /v1/chat/completions HTTP/1.1\r\nhost: llama\r\nconnection: close\r\ncontent-type: application/json";
        write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().to_owned();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    #[track_caller]
    fn check(&self, text: &str, expected: (&str, &str)) {
        let (status, code) = self.ask(text);
        assert_eq!((status.as_str(), code.as_str()), expected, "{text}");
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn what_kubectl_applies_refuses_the_very_next_query_and_goes_on_doing_so_without_the_operator() {
    let space = Space::new("whole");
    let operator = space.operator();
    let pods = space.deploy("llama", 1);
    let (model, data) = (Model::start(), tempfile::tempdir().unwrap());
    let address = operator.address("gates are served");
    let sidecar = Sidecar::start(&space, &pods[0], &address, &model, data.path());
    space.apply("other", OTHER);
    until("judging", || (sidecar.ask("merger").0 == "200").then_some(()));
    sidecar.check("contract", DENIED);

    let clock = SystemClock::default();
    space.apply("p", DENY);
    until("refused", || (sidecar.ask("merger").0 == "403").then_some(()));
    eprintln!("from `kubectl apply` to the first query that is refused: {:?}", clock.monotonic());
    space.propagated("p");
    sidecar.check("merger", DENIED);
    sidecar.check("hello", ALLOWED);
    // Once kubectl says that a policy is everywhere, the very next query is judged by it.
    space.apply("other", &OTHER.replace("contract", "takeover"));
    space.propagated("other");
    sidecar.check("takeover", DENIED);
    sidecar.check("contract", ALLOWED);

    let metrics = operator.get("/metrics");
    let revision = space.get("mgate/llama").unwrap()["status"]["revision"].as_str().unwrap().to_owned();
    assert!(metrics.contains(&format!("countersign_operator_gates{{revision=\"{revision}\"}} 1\n")), "{metrics}");
    assert!(operator.metric("countersign_operator_propagation_seconds_count") >= 2.0, "{metrics}");
    drop(operator);
    sidecar.check("merger", DENIED);
    sidecar.check("hello", ALLOWED);
    drop(sidecar);
    let sidecar = Sidecar::start(&space, &pods[0], &address, &model, data.path());
    sidecar.check("merger", DENIED);
    sidecar.check("takeover", DENIED);
    sidecar.check("hello", ALLOWED);
    drop(sidecar);

    assert_eq!((model.was_asked("hello"), model.was_asked("takeover")), (3, 0));
    assert_eq!(audit::verify(data.path(), None).unwrap().fault, None);
}
