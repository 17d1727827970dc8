//! An operator as a process of a test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use super::{LOOK_EVERY, cluster, done, until};

/// An operator that runs until it is dropped.
pub(crate) struct Operator {
    process: Child,
    said: Arc<Mutex<Vec<Value>>>,
}

impl Operator {
    /// Starts one whose own things are in this namespace, as somebody, with arguments beside those that tests need.
    pub(crate) fn start_as(person: PathBuf, namespace: &str, arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_countersign-operator"))
            .args(["--admin-listen", "127.0.0.1:0", "--serve-listen", "127.0.0.1:0", "--namespace", namespace])
            .args(arguments)
            .env("KUBECONFIG", person)
            .process_group(cluster().group())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let heard = Arc::clone(&said);
        // Whoever writes to a pipe that nobody reads waits for ever.
        thread::spawn(move || {
            for line in lines {
                eprintln!("{line}");
                heard.lock().unwrap().extend(serde_json::from_str(&line));
            }
        });
        Self { process, said }
    }

    /// The same as the administrator, in a Lease that is short enough to be waited for, until it is ready.
    pub(crate) fn start(namespace: &str, arguments: &[&str]) -> Self {
        let short: &[&str] = if arguments.contains(&"--lease-duration") { &[] } else { &["--lease-duration", "2s"] };
        let arguments = [short, arguments].concat();
        let operator = Self::start_as(cluster().admin(), namespace, &arguments);
        operator.ready();
        operator
    }

    /// Starts one as somebody whose webhook the API server asks.
    pub(crate) fn start_asked_as(person: &Path, namespace: &str, arguments: &[&str]) -> Self {
        loop {
            // Another program may take the port between the moment it was free and the moment it is bound.
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let (listen, url) = (format!("127.0.0.1:{port}"), format!("https://127.0.0.1:{port}"));
            let asked = ["--webhook-listen", &listen, "--webhook-url", &url, "--lease-duration", "2s"];
            let mut operator = Self::start_as(person.to_owned(), namespace, &[&asked, arguments].concat());
            let mut served = None;
            while served.is_none() {
                thread::sleep(LOOK_EVERY);
                let is_served = operator.said().iter().any(|line| line["message"] == "the webhook is served");
                let ended = operator.process.try_wait().unwrap().is_some();
                served = (is_served || ended).then_some(is_served);
            }
            if served == Some(true) {
                return operator;
            }
        }
    }

    /// Waits until it is ready.
    #[track_caller]
    pub(crate) fn ready(&self) {
        until("ready", || self.get("/readyz").starts_with("HTTP/1.1 200").then_some(()));
    }

    /// What it wrote to its log.
    pub(crate) fn said(&self) -> Vec<Value> {
        self.said.lock().unwrap().clone()
    }

    /// Waits until it logs where it serves something.
    #[track_caller]
    pub(crate) fn address(&self, message: &str) -> String {
        until(message, || {
            let line = self.said().into_iter().find(|line| line["message"] == message)?;
            line["address"].as_str().map(str::to_owned)
        })
    }

    /// The answer of its health port.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address("metrics and health are served")).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: operator\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// A number among its metrics.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let answer = self.get("/metrics");
        let line = answer.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        line.unwrap_or_default()
    }

    /// Whether it believes that it leads.
    pub(crate) fn leads(&self) -> bool {
        self.metric("countersign_operator_leader") > 0.5
    }

    /// Waits until it leads.
    #[track_caller]
    pub(crate) fn until_leads(&self) {
        until("a leader", || self.leads().then_some(()));
    }

    pub(crate) fn signal(&self, signal: &str) {
        done(&Command::new("kill").args(["-s", signal, &self.process.id().to_string()]).output().unwrap());
    }

    /// Waits until it has ended.
    pub(crate) fn ended(&mut self) {
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
