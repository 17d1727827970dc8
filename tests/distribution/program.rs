//! The program of a Pod as a process: what its clients, its probes and its record see while its operator comes and goes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use countersign::audit;
use countersign::distribution::serve::Settings;
use countersign::distribution::{Bundle, PublicKey};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::bed::{Cluster, Heard, Replica, WORKLOAD, deny, holding};

/// Only a broken gate ever needs all of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A model server that answers everything, and keeps what it was asked.
struct Model {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Bytes>>>,
}

impl Model {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let kept = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let kept = Arc::clone(&kept);
                let service = service_fn(move |request: Request<Incoming>| {
                    let kept = Arc::clone(&kept);
                    async move {
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        kept.lock().unwrap().push(body);
                        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"{}"))))
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

/// The program.
struct Program {
    child: Child,
    queries: SocketAddr,
    health: SocketAddr,
}

impl Program {
    async fn start(data: &Path, model: &Model, operator: SocketAddr, anchor: PublicKey, more: &[&str]) -> Self {
        let token = data.join("token");
        std::fs::write(&token, "token-a\n").unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_countersign-sidecar"))
            .args(["--listen", "127.0.0.1:0", "--health-listen", "127.0.0.1:0", "--server", "openai"])
            .args(["--upstream", &format!("http://{}", model.address), "--data", &data.display().to_string()])
            .args(["--operator", &operator.to_string(), "--anchor", &anchor.to_string()])
            .args(["--token", &token.display().to_string(), "--workload-uid", WORKLOAD])
            .args(more)
            .env_clear()
            .env("COUNTERSIGN_POD_UID", "uid-a")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let listening = async {
            while let Some(line) = log.next_line().await.unwrap() {
                let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
                if line["message"] == "listening" {
                    let address = |name: &str| line[name].as_str().unwrap().parse().unwrap();
                    return (address("queries"), address("metrics"));
                }
            }
            panic!("it ended at its start")
        };
        let (queries, health) = timeout(PATIENCE, listening).await.unwrap();
        // What it goes on to log is read, so that it never waits for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        Self { child, queries, health }
    }

    async fn ask(&self, text: &str) -> (StatusCode, String) {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#);
        let (status, body) = exchange(self.queries, Method::POST, "/v1/chat/completions", body).await;
        let code =
            serde_json::from_str::<Value>(&body).unwrap_or_default()["error"]["code"].as_str().map(str::to_owned);
        (status, code.unwrap_or_default())
    }

    async fn health(&self, path: &str) -> (StatusCode, String) {
        exchange(self.health, Method::GET, path, String::new()).await
    }

    /// Waits until `/readyz` says so.
    async fn readiness(&self, status: StatusCode) -> String {
        let looking = async {
            loop {
                let (found, text) = self.health("/readyz").await;
                if found == status {
                    return text;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, looking).await.unwrap()
    }

    /// Ends it without a word.
    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

async fn exchange(address: SocketAddr, method: Method, path: &str, body: String) -> (StatusCode, String) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut requests, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder().method(method).uri(path).header("host", "gate");
    let request = request.header("content-type", "application/json").body(Full::new(Bytes::from(body))).unwrap();
    let (head, body) = requests.send_request(request).await.unwrap().into_parts();
    (head.status, String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

/// The types and outcomes in the record, which must be whole.
fn record(data: &Path) -> String {
    let report = audit::verify(data, None).unwrap();
    assert_eq!(report.fault, None);
    std::fs::read_to_string(data.join("audit.jsonl")).unwrap()
}

const OK: (StatusCode, &str) = (StatusCode::OK, "");

#[track_caller]
fn check(found: &(StatusCode, String), expected: (StatusCode, &str)) {
    assert_eq!((found.0, found.1.as_str()), expected);
}

#[tokio::test]
async fn a_pod_is_not_ready_before_it_has_a_rule_set_and_judges_by_it_without_its_operator() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let (model, data) = (Model::start().await, tempfile::tempdir().unwrap());
    let program = Program::start(data.path(), &model, replica.address, anchor, &[]).await;
    cluster.hears("a", Heard::Holding(None)).await;
    check(&program.health("/readyz").await, (StatusCode::SERVICE_UNAVAILABLE, "no rule set\n"));
    check(&program.ask("swan").await, (StatusCode::SERVICE_UNAVAILABLE, "not_ready"));
    assert_eq!(model.asked(), 0);

    cluster.publish(&deny(1, "nightingale"));
    cluster.hears("a", Heard::Acknowledged(1)).await;
    check(&program.health("/readyz").await, (StatusCode::OK, "ok\n"));
    check(&program.ask("swan").await, OK);
    check(&program.ask("nightingale").await, (StatusCode::FORBIDDEN, "policy_denied"));
    assert!(program.health("/metrics").await.1.contains("countersign_operator{state=\"connected\"} 1\n"));

    cluster.publish(&deny(2, "swan"));
    cluster.hears("a", Heard::Acknowledged(2)).await;
    check(&program.ask("swan").await, (StatusCode::FORBIDDEN, "policy_denied"));

    // The operator goes, then the process: what it had is in force again, without anybody.
    let address = replica.address;
    replica.stop().await;
    check(&program.ask("swan").await, (StatusCode::FORBIDDEN, "policy_denied"));
    check(&program.ask("nightingale").await, OK);
    program.kill().await;
    let program = Program::start(data.path(), &model, address, anchor, &[]).await;
    check(&program.health("/readyz").await, (StatusCode::OK, "ok\n"));
    assert!(program.health("/metrics").await.1.contains("countersign_operator{state=\"connected\"} 0\n"));
    check(&program.ask("swan").await, (StatusCode::FORBIDDEN, "policy_denied"));
    check(&program.ask("nightingale").await, OK);
    assert_eq!(model.asked(), 3);

    // It comes back to the same Pod with the same key.
    let _again = Replica::start_at(&cluster, Settings::default(), address).await;
    cluster.hears_times("a", Heard::Holding(Some(2)), 1).await;
    assert_eq!(cluster.reviews.load(Ordering::SeqCst), 1);
    program.kill().await;
    let record = record(data.path());
    for part in [r#""type":"gate-started""#, r#""type":"rule-set-loaded""#, "not_ready", "policy_denied"] {
        assert!(record.contains(part), "no `{part}` in {record}");
    }
}

/// A bundle that grows old fast.
fn short_lived(sequence: u64) -> Bundle {
    Bundle { age_max: Duration::from_secs(1), ..deny(sequence, "nightingale") }
}

#[tokio::test]
async fn past_its_age_a_rule_set_judges_nothing_until_somebody_vouches_for_it() {
    let (cluster, anchor) = Cluster::new();
    cluster.current.store(false, Ordering::SeqCst);
    let replica = Replica::start_with(&cluster, Settings { vouch_every: Duration::ZERO, ..Settings::default() }).await;
    let (model, data) = (Model::start().await, tempfile::tempdir().unwrap());
    cluster.publish(&short_lived(1));
    let program = Program::start(data.path(), &model, replica.address, anchor, &[]).await;
    cluster.hears("a", Heard::Acknowledged(1)).await;
    let told = program.readiness(StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(told.contains("stale"), "{told}");
    check(&program.ask("swan").await, (StatusCode::SERVICE_UNAVAILABLE, "rule_set_stale"));
    assert!(program.health("/metrics").await.1.contains("countersign_rule_set_stale 1\n"));
    assert_eq!(model.asked(), 0);
    // Not a query: whoever looks after the model may go on looking.
    assert_eq!(exchange(program.queries, Method::GET, "/v1/models", String::new()).await.0, StatusCode::OK);

    // What is newer than the operator's silence counts at once.
    cluster.publish(&deny(2, "nightingale"));
    cluster.hears("a", Heard::Acknowledged(2)).await;
    program.readiness(StatusCode::OK).await;
    check(&program.ask("swan").await, OK);
    assert!(program.health("/metrics").await.1.contains("countersign_rule_set_stale 0\n"));
}

#[tokio::test]
async fn told_to_go_on_a_stale_rule_set_judges_and_the_record_says_so() {
    let (cluster, anchor) = Cluster::new();
    cluster.current.store(false, Ordering::SeqCst);
    let replica = Replica::start(&cluster).await;
    let (model, data) = (Model::start().await, tempfile::tempdir().unwrap());
    cluster.publish(&short_lived(1));
    let program = Program::start(data.path(), &model, replica.address, anchor, &["--on-stale=allow"]).await;
    cluster.hears("a", Heard::Acknowledged(1)).await;
    let stale = async {
        while !program.health("/metrics").await.1.contains("countersign_rule_set_stale 1\n") {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, stale).await.unwrap();
    check(&program.ask("swan").await, OK);
    check(&program.ask("nightingale").await, (StatusCode::FORBIDDEN, "policy_denied"));
    check(&program.health("/readyz").await, (StatusCode::OK, "ok\n"));
    program.kill().await;
    assert!(record(data.path()).contains(r#""outcome":"allowed-by-failure""#));
    assert_eq!(model.asked(), 1);
}

#[tokio::test]
async fn what_a_policy_holds_is_refused_where_nobody_can_be_asked() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let (model, data) = (Model::start().await, tempfile::tempdir().unwrap());
    cluster.publish(&holding(1, "nightingale"));
    let program = Program::start(data.path(), &model, replica.address, anchor, &[]).await;
    cluster.hears("a", Heard::Acknowledged(1)).await;
    check(&program.ask("nightingale").await, (StatusCode::FORBIDDEN, "approval_not_supported"));
    check(&program.ask("swan").await, OK);
    assert_eq!(model.asked(), 1);
}

#[tokio::test]
async fn policies_see_the_workload_that_the_bundle_is_for() {
    let (cluster, anchor) = Cluster::new();
    let replica = Replica::start(&cluster).await;
    let (model, data) = (Model::start().await, tempfile::tempdir().unwrap());
    let mut bundle = deny(1, "nightingale");
    let rule = "match: {cel: \"workload.namespace == 'models' && workload.name == 'llama'\"}";
    bundle.documents[0] = bundle.documents[0].replace("match: {keywords: [nightingale]}", rule);
    cluster.publish(&super::bed::revised(bundle));
    let program = Program::start(data.path(), &model, replica.address, anchor, &[]).await;
    cluster.hears("a", Heard::Acknowledged(1)).await;
    check(&program.ask("swan").await, (StatusCode::FORBIDDEN, "policy_denied"));
}
