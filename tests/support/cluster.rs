//! A real control plane on this machine: etcd, the API server and the controller manager, on free ports of loopback, with
//! certificates and data in a temporary folder. Everything ends with the process that started it, and leaves nothing.
//!
//! No node: objects are stored, validated, watched and collected, and Pods stay pending.

#[path = "cluster/guard.rs"]
mod guard;
#[path = "cluster/people.rs"]
mod people;
#[path = "cluster/program.rs"]
mod program;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

pub(crate) use guard::Guard;
use people::Authority;
pub(crate) use program::Program;

/// How often a condition is looked at, and how often at most: a minute.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 1_200;
/// Another program may take a port between the moment it was free and the moment it is bound.
const STARTS_MAX: u32 = 3;

/// A running control plane.
pub(crate) struct Cluster {
    // In this order they go: the programs, then what watches over them and over the folder.
    _programs: Vec<Program>,
    guard: Guard,
    authority: Mutex<Authority>,
    server: String,
    binaries: PathBuf,
}

impl Cluster {
    /// Starts one and waits until it is ready: some seconds, after minutes of building if its programs were never built.
    pub(crate) fn start() -> Self {
        let binaries = binaries();
        let mut problem = String::new();
        for _ in 0..STARTS_MAX {
            match Self::try_start(&binaries) {
                Ok(cluster) => return cluster,
                Err(why) => problem = why,
            }
        }
        panic!("no control plane after {STARTS_MAX} attempts: {problem}")
    }

    fn try_start(binaries: &Path) -> Result<Self, String> {
        let folder =
            tempfile::Builder::new().prefix("countersign-cluster-").tempdir().expect("temporary folders").keep();
        let guard = Guard::over(&folder);
        let authority = Authority::found(&folder);
        let [etcd_port, peer_port, api_port] = free_ports();
        let etcd_at = format!("http://127.0.0.1:{etcd_port}");
        let server = format!("https://127.0.0.1:{api_port}");
        let start = |name: &str, arguments: Vec<String>| {
            Program::start(&binaries.join(name), &arguments, guard.group(), &folder)
        };

        let mut programs = vec![start("etcd", etcd(&etcd_at, &format!("http://127.0.0.1:{peer_port}")))];
        programs.push(start("kube-apiserver", api_server(&authority, &etcd_at, api_port)));
        ready(&mut programs, &authority, api_port)?;
        // It ends when the API server is not there yet. The ecosystem's own sets of binaries leave it out.
        if binaries.join("kube-controller-manager").exists() {
            let kubeconfig = authority.kubeconfig(&server, "system:kube-controller-manager", &[]);
            programs.push(start("kube-controller-manager", controller_manager(&authority, &kubeconfig)));
        }
        Ok(Self { _programs: programs, guard, authority: Mutex::new(authority), server, binaries: binaries.to_owned() })
    }

    /// The process group of what must end with the cluster.
    pub(crate) fn group(&self) -> i32 {
        self.guard.group()
    }

    /// The kubeconfig of somebody who may do everything.
    pub(crate) fn admin(&self) -> PathBuf {
        self.person("admin", &["system:masters"])
    }

    /// The kubeconfig of somebody in these groups.
    pub(crate) fn person(&self, name: &str, groups: &[&str]) -> PathBuf {
        let authority = self.authority.lock().unwrap_or_else(PoisonError::into_inner);
        authority.kubeconfig(&self.server, name, groups)
    }

    /// A namespace of one's own.
    pub(crate) fn namespace(&self, name: &str) -> String {
        let made = self.kubectl(&["create", "namespace", name], "");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        name.to_owned()
    }

    /// Runs kubectl as the administrator, with a text on its standard input.
    pub(crate) fn kubectl(&self, arguments: &[&str], input: &str) -> Output {
        self.kubectl_as(&self.admin(), arguments, input)
    }

    /// Runs kubectl with a kubeconfig.
    pub(crate) fn kubectl_as(&self, kubeconfig: &Path, arguments: &[&str], input: &str) -> Output {
        let cache = kubeconfig.with_extension("kubectl-cache");
        let mut run = Command::new(self.binaries.join("kubectl"))
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .arg("--cache-dir")
            .arg(cache)
            .args(arguments)
            .env_remove("KUBECONFIG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl is built");
        let mut pipe = run.stdin.take().expect("it was asked for");
        let input = input.to_owned();
        // It may write before it has read everything.
        let feeding = thread::spawn(move || pipe.write_all(input.as_bytes()).is_ok());
        let output = run.wait_with_output().expect("it is our child");
        let _ = feeding.join();
        output
    }
}

/// The folder with the programs, which are built if they never were.
pub(crate) fn binaries() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/cluster");
    let run = Command::new(script).stderr(Stdio::inherit()).output().expect("scripts/cluster can be run");
    assert!(run.status.success(), "scripts/cluster found or built no programs");
    PathBuf::from(String::from_utf8(run.stdout).expect("a path").trim())
}

/// Ports that nobody listens on now; taken together, so that they differ.
fn free_ports<const N: usize>() -> [u16; N] {
    let taken = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("loopback has free ports"));
    taken.map(|listener| listener.local_addr().expect("it is bound").port())
}

fn arguments(pairs: &[(&str, &str)]) -> Vec<String> {
    pairs.iter().map(|(name, value)| format!("--{name}={value}")).collect()
}

fn etcd(clients: &str, peers: &str) -> Vec<String> {
    arguments(&[
        ("data-dir", "etcd"),
        ("listen-client-urls", clients),
        ("advertise-client-urls", clients),
        ("listen-peer-urls", peers),
        ("initial-advertise-peer-urls", peers),
        ("initial-cluster", &format!("default={peers}")),
        // Nothing here outlives the test.
        ("unsafe-no-fsync", "true"),
        ("log-level", "warn"),
    ])
}

fn api_server(authority: &Authority, etcd: &str, port: u16) -> Vec<String> {
    arguments(&[
        ("etcd-servers", etcd),
        ("bind-address", "127.0.0.1"),
        ("secure-port", &port.to_string()),
        // Loopback is no endpoint of a Service; nobody looks for the API server there.
        ("endpoint-reconciler-type", "none"),
        ("service-cluster-ip-range", "10.96.0.0/16"),
        ("tls-cert-file", &authority.file("api-server.crt")),
        ("tls-private-key-file", &authority.file("api-server.key")),
        ("client-ca-file", &authority.file("ca.crt")),
        ("service-account-issuer", "https://kubernetes.default.svc"),
        ("service-account-key-file", &authority.file("accounts.crt")),
        ("service-account-signing-key-file", &authority.file("accounts.key")),
        ("authorization-mode", "Node,RBAC"),
        ("enable-admission-plugins", "NodeRestriction"),
        ("allow-privileged", "true"),
    ])
}

fn controller_manager(authority: &Authority, kubeconfig: &Path) -> Vec<String> {
    arguments(&[
        ("kubeconfig", &kubeconfig.display().to_string()),
        // Serves nothing: nobody asks it.
        ("secure-port", "0"),
        ("leader-elect", "false"),
        ("service-account-private-key-file", &authority.file("accounts.key")),
        ("root-ca-file", &authority.file("ca.crt")),
        ("use-service-account-credentials", "true"),
    ])
}

/// Waits for the API server; what a program said that ended before, its port being taken perhaps.
fn ready(programs: &mut [Program], authority: &Authority, port: u16) -> Result<(), String> {
    let ca = CertificateDer::from_pem_file(authority.file("ca.crt")).expect("it was just made");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca).expect("it is a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    for _ in 0..LOOKS_MAX {
        if let Some(problem) = programs.iter_mut().find_map(Program::ended) {
            return Err(problem);
        }
        if says_ready(&config, port).is_some() {
            return Ok(());
        }
        thread::sleep(LOOK_EVERY);
    }
    let said: String = programs.iter().map(Program::said).collect();
    panic!("the API server is not ready: {said}")
}

fn says_ready(config: &Arc<rustls::ClientConfig>, port: u16) -> Option<()> {
    let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let name = "localhost".try_into().ok()?;
    let connection = rustls::ClientConnection::new(Arc::clone(config), name).ok()?;
    let mut stream = rustls::StreamOwned::new(connection, stream);
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).ok()?;
    (&answer == b"HTTP/1.1 200").then_some(())
}
