//! Where it plays: a scripted model server, gates as processes of the program itself, and nginx in front of them.
//!
//! Everything listens on loopback, keeps its files in one temporary folder, and is gone when the stage is dropped.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use countersign::audit::{Event, QueryJudged};
use countersign::base::Digest;
use serde_json::Value;

use super::cast::{Case, Scenario, Way};
use super::model;
use super::upstream::{Received, Upstream};

/// How often a condition is looked at, and how often at most.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOKS_MAX: u32 = 3_000;

const POLICIES: &str = "apiVersion: countersign.dev/v1alpha1
kind: ApprovalChain
metadata: {name: owners}
spec: {stages: [{name: owners, approvers: [{user: alice}]}]}
---
apiVersion: countersign.dev/v1alpha1
kind: ApprovalChain
metadata: {name: hurried}
spec: {expiresAfter: 11s, stages: [{name: owners, approvers: [{user: alice}]}]}
---
apiVersion: countersign.dev/v1alpha1
kind: ApprovalChain
metadata: {name: fleeting}
spec: {onClientGone: Cancel, stages: [{name: owners, approvers: [{user: alice}]}]}
---
apiVersion: countersign.dev/v1alpha1
kind: ApprovalPolicy
metadata: {name: conversations}
spec:
  carryFor: 1h
  rules:
  - {name: mergers, match: {keywords: [merger]}, action: {type: Hold, chain: owners}}
---
apiVersion: countersign.dev/v1alpha1
kind: ApprovalPolicy
metadata: {name: clients}
spec:
  rules:
  - {name: refuse, match: {keywords: [forbidden]}, action: {type: Deny, message: Not that word.}}
  - {name: mask, match: {detectors: [email]}, action: {type: Redact}}
  - {name: contracts, match: {keywords: [contract]}, action: {type: Hold, chain: owners}}
  - {name: handovers, match: {keywords: [handover]}, action: {type: Hold, chain: fleeting}}
  - {name: papers, match: {keywords: [ephemeral]}, action: {type: Hold, chain: hurried}}
";

/// A gate that is told how long its clients wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As it comes.
    Default,
    /// Slices of seconds.
    Brief,
    /// Slices as long as clients can stand, for where no proxy is on the way.
    Patient,
    /// Shut down during the holds.
    Restarted,
    /// Killed during the holds.
    Killed,
}

impl Manner {
    const fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Default => &[],
            Self::Patient => &["--hold-slice", "290s"],
            // Long enough for a person at a busy machine within three of them, which is what most libraries wait for.
            Self::Brief => &["--hold-slice", "8s", "--hold-retry-after", "1s"],
            // Who is told to come again comes when the gate is back.
            Self::Restarted | Self::Killed => &["--hold-retry-after", "4s"],
        }
    }

    pub const fn of(scenario: Scenario) -> Self {
        match scenario {
            Scenario::Pass
            | Scenario::Refuse
            | Scenario::Redact
            | Scenario::Approve
            | Scenario::Deny
            | Scenario::Outlast
            | Scenario::Minutes
            | Scenario::Ahead
            | Scenario::Edit
            | Scenario::Later
            | Scenario::LaterDenied
            | Scenario::Converse
            | Scenario::Leave
            | Scenario::Stay => Self::Default,
            Scenario::Slice => Self::Patient,
            Scenario::Join | Scenario::Expire => Self::Brief,
            Scenario::Restart => Self::Restarted,
            Scenario::Kill => Self::Killed,
        }
    }
}

/// A gate's process, which can be started again in its place.
pub struct Gate {
    pub manner: Manner,
    address: SocketAddr,
    behind_nginx: SocketAddr,
    behind_nginx11: SocketAddr,
    admin: SocketAddr,
    folder: PathBuf,
    upstream: SocketAddr,
    child: Mutex<Child>,
}

pub struct Stage {
    /// Gone when the stage is dropped.
    folder: tempfile::TempDir,
    pub upstream: Upstream,
    pub gates: Vec<Gate>,
    nginx: Child,
    /// Serves the model server until the stage is dropped.
    _runtime: tokio::runtime::Runtime,
}

impl Stage {
    /// Gates of these manners, which know the callers of these cases.
    pub fn set(cases: &[Case], manners: &[Manner]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("policies.yaml"), POLICIES).unwrap();
        let keys: String = cases.iter().map(|case| key_line(&case.id())).collect();
        fs::write(folder.path().join("keys"), keys).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let upstream = runtime.block_on(Upstream::start(model::script));
        let gates: Vec<Gate> =
            manners.iter().map(|manner| Gate::start(*manner, folder.path(), upstream.address)).collect();
        for gate in &gates {
            gate.wait_until_ready();
        }
        let nginx = nginx(folder.path(), &gates);
        Self { folder, upstream, gates, nginx, _runtime: runtime }
    }

    /// Where a case's client is pointed.
    pub fn url(&self, case: &Case) -> String {
        let gate = self.gate(case);
        let address = match case.way {
            Way::Bare => self.upstream.address,
            Way::Direct => gate.expect("the stage has the gates of its cases").address,
            Way::Nginx => gate.expect("the stage has the gates of its cases").behind_nginx,
            Way::Nginx11 => gate.expect("the stage has the gates of its cases").behind_nginx11,
        };
        format!("http://{address}")
    }

    pub fn gate(&self, case: &Case) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.manner == Manner::of(case.scenario))
    }

    /// What the model server got of the same call without a gate.
    pub fn bare(&self, case: &Case) -> Option<Received> {
        self.received(&case.bare()).pop()
    }

    /// Asks for approval of what a case will send, before it does.
    pub fn ask_ahead(&self, case: &Case, like: &Received) {
        let body = case.sends(like).expect("the text is in the body as it was written");
        let file = self.folder.path().join("query.json");
        fs::write(&file, body).unwrap();
        let route = like.line().rsplit_once(' ').map_or("", |(route, _)| route);
        let gate = self.gate(case).expect("the stage has the gates of its cases");
        let (file, policies) = (file.display().to_string(), self.folder.path().join("policies.yaml"));
        let policies = policies.display().to_string();
        let arguments = ["request", &file, "--policies", &policies, "--server", "ollama", "--route", route];
        let asked = gate.countersign(&[&arguments[..], &["--user", &case.id()]].concat());
        assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    }

    /// Lays out what people will make of a case's query.
    pub fn lay_out(&self, case: &Case, like: &Received) {
        let body = case.sends(like).expect("the text is in the body as it was written");
        fs::write(self.folder.path().join(edited(case)), body).unwrap();
    }

    /// What reached the model server of this case.
    pub fn received(&self, case: &Case) -> Vec<Received> {
        let mark = format!("[{}]", case.id());
        let received = self.upstream.received().into_iter();
        received.filter(|received| String::from_utf8_lossy(&received.body).contains(&mark)).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.nginx.kill();
        let _ = self.nginx.wait();
    }
}

fn edited(case: &Case) -> String {
    format!("{}.json", case.id())
}

/// The key of a caller is made of its name.
pub fn key(user: &str) -> String {
    format!("key-of-{user}")
}

fn key_line(user: &str) -> String {
    let digest = Digest::of(key(user).as_bytes()).to_string();
    format!("{user}::{}\n", digest.trim_start_matches("sha256:"))
}

impl Gate {
    fn start(manner: Manner, stage: &Path, upstream: SocketAddr) -> Self {
        let folder = stage.join(format!("{manner:?}"));
        fs::create_dir(&folder).unwrap();
        let [address, behind_nginx, behind_nginx11, admin] = free_ports();
        let child = spawn(manner, &folder, address, admin, upstream);
        Self { manner, address, behind_nginx, behind_nginx11, admin, folder, upstream, child: Mutex::new(child) }
    }

    fn wait_until_ready(&self) {
        let ready = || {
            let ended = self.child().try_wait().unwrap();
            assert!(ended.is_none(), "the gate ended at its start: {}", self.log());
            get(self.admin, "/readyz").starts_with("HTTP/1.1 200")
        };
        eventually("a gate is ready", ready);
    }

    /// Ends the process as `scenario` says, and starts it again.
    pub fn start_again(&self) {
        let mut child = self.child();
        if self.manner == Manner::Killed {
            child.kill().unwrap();
        } else {
            let told = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap();
            assert!(told.success());
        }
        child.wait().unwrap();
        *child = spawn(self.manner, &self.folder, self.address, self.admin, self.upstream);
        drop(child);
        self.wait_until_ready();
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("gate.log")).unwrap_or_default()
    }

    /// Everything it has logged but its greeting.
    pub fn warnings(&self) -> Vec<String> {
        let log = self.log();
        log.lines().filter(|line| !line.starts_with("countersign gate: ")).map(str::to_owned).collect()
    }

    /// Runs the program on this gate's data folder.
    pub fn countersign(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(arguments).arg("--data").arg(&self.folder).stdin(Stdio::null()).output().unwrap()
    }

    /// The queries that wait, as the program lists them.
    pub fn waiting(&self) -> Vec<Value> {
        self.listed(&[])
    }

    /// Those that were decided, too.
    pub fn holds(&self) -> Vec<Value> {
        self.listed(&["--all"])
    }

    /// One person decides about these.
    pub fn decide<'a>(&self, decision: &str, holds: impl IntoIterator<Item = &'a Value>) {
        let ids: Vec<&str> = holds.into_iter().filter_map(|hold| hold["metadata"]["name"].as_str()).collect();
        if ids.is_empty() {
            return;
        }
        self.decided(&[&[decision], &ids[..], &["--as", "alice", "--reason", "seen it"]].concat());
    }

    /// One person approves this in the form that was laid out.
    pub fn edit(&self, case: &Case, hold: &str) {
        let file = self.folder.parent().unwrap().join(edited(case)).display().to_string();
        let approve = ["approve", hold, "--edit-with", &file, "--yes", "--as", "alice", "--reason", "not that"];
        self.decided(&approve);
    }

    /// What fails at a busy machine is tried again with the next look, as the program says; what never works is seen by its
    /// case.
    fn decided(&self, arguments: &[&str]) {
        let decided = self.countersign(arguments);
        if !decided.status.success() {
            eprintln!("{arguments:?}: {}", String::from_utf8_lossy(&decided.stderr));
        }
    }

    fn listed(&self, more: &[&str]) -> Vec<Value> {
        let listed = self.countersign(&[&["approvals", "list", "-o", "json"], more].concat());
        serde_json::from_slice(&listed.stdout).unwrap_or_default()
    }

    /// Everything judged so far, as the record has it.
    pub fn judged(&self) -> Vec<QueryJudged> {
        let text = fs::read_to_string(self.folder.join("audit.jsonl")).unwrap_or_default();
        // The last line may be half written.
        let events = text.lines().filter_map(|line| {
            let entry: Value = serde_json::from_str(line).ok()?;
            serde_json::from_value(entry["event"].clone()).ok()
        });
        events.filter_map(|event| if let Event::QueryJudged(judged) = event { Some(*judged) } else { None }).collect()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let mut child = self.child();
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn spawn(manner: Manner, folder: &Path, address: SocketAddr, admin: SocketAddr, upstream: SocketAddr) -> Child {
    let stage = folder.parent().unwrap();
    let log = File::options().create(true).append(true).open(folder.join("gate.log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(["gate", "--server", "ollama", "--upstream", &format!("http://{upstream}")]);
    command.args(["--listen", &address.to_string(), "--admin-listen", &admin.to_string(), "--log-level", "warn"]);
    command.arg("--policies").arg(stage.join("policies.yaml")).arg("--api-keys").arg(stage.join("keys"));
    command.arg("--data").arg(folder).args(manner.flags());
    // All clients come at once, with the same rule.
    command.args(["--holds-per-minute-rule", "10000", "--holds-per-minute-all", "10000"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

/// nginx as a plain proxy: no time-out or buffer is set. It speaks HTTP/1.0 to a gate unless it is told otherwise.
fn nginx(folder: &Path, gates: &[Gate]) -> Child {
    let mut servers = String::new();
    for gate in gates {
        for (listen, more) in [(gate.behind_nginx, ""), (gate.behind_nginx11, "proxy_http_version 1.1; ")] {
            let to = gate.address;
            let location = format!("location / {{ {more}proxy_pass http://{to}; }}");
            writeln!(servers, "  server {{ listen {listen}; {location} }}").unwrap();
        }
    }
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("  {name}_temp_path {}/nginx-{name};\n", folder.display()))
        .concat();
    let log = folder.join("nginx.log");
    let settings = format!(
        "daemon off; master_process off; pid {}/nginx.pid; error_log {} warn;\nevents {{ worker_connections 4096; }}\n\
         http {{\n  access_log off;\n{temporary}{servers}}}\n",
        folder.display(),
        log.display(),
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, settings).unwrap();
    let mut command = Command::new("nginx");
    // Debian keeps it out of the PATH of ordinary users.
    command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
    command.arg("-e").arg(&log).arg("-c").arg(&file).arg("-p").arg(folder);
    let said = File::create(folder.join("nginx.out")).unwrap();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().expect("nginx starts");
    for gate in gates {
        eventually("nginx listens", || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "nginx ended: {}", fs::read_to_string(folder.join("nginx.out")).unwrap());
            TcpStream::connect(gate.behind_nginx).is_ok()
        });
    }
    child
}

/// Ports nobody listens on at this moment.
fn free_ports<const N: usize>() -> [SocketAddr; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

/// The answer to a request without a body; empty when nobody answers.
fn get(address: SocketAddr, path: &str) -> String {
    let mut answer = String::new();
    if let Ok(mut stream) = TcpStream::connect(address) {
        let _ = write!(stream, "GET {path} HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n\r\n");
        let _ = stream.read_to_string(&mut answer);
    }
    answer
}

#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..LOOKS_MAX {
        if holds() {
            return;
        }
        thread::sleep(LOOK_EVERY);
    }
    panic!("never: {what}");
}
