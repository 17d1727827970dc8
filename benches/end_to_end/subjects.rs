//! What is measured: nothing between, nginx as a plain proxy, the gate. Starts them, ends them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::Failure;
use crate::options::Options;
use crate::policies::policies;
use crate::process::clock;

/// Longest start of a proxy.
const START_WITHIN: Duration = Duration::from_secs(30);
/// How often it is asked whether it is ready: finer than what is told.
const ASK_EVERY: Duration = Duration::from_micros(500);

/// A program of ours between the generator and the upstream. Killed when dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    /// From its start to its first readiness.
    pub(crate) ready_after: Duration,
    child: Child,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn start(mut command: Command, address: SocketAddr, ready: impl Fn() -> bool) -> Result<Self, Failure> {
        let start = clock();
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).spawn().map_err(|error| format!("`{program}`: {error}"))?;
        let mut running = Self { address, ready_after: Duration::ZERO, child };
        while !ready() {
            if let Some(status) = running.child.try_wait()? {
                return Err(format!("`{program}` ended at its start: {status}").into());
            }
            if start.elapsed() > START_WITHIN {
                return Err(format!("`{program}` was not ready within {START_WITHIN:?}").into());
            }
            thread::sleep(ASK_EVERY);
        }
        running.ready_after = start.elapsed();
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // nginx's master ends its worker when it is asked, not when it is killed.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        let deadline = clock() + Duration::from_secs(5);
        while asked.as_ref().is_ok_and(std::process::ExitStatus::success) && clock() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder of the run's own.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn make() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("countersign-bench-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn free() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// nginx with one worker, connections kept on both sides, nothing logged, bodies in memory.
pub(crate) fn nginx(options: &Options, folder: &Path, upstream: SocketAddr) -> Result<Running, Failure> {
    let address = free()?;
    let here = folder.join("nginx");
    fs::create_dir_all(&here)?;
    let here = here.display();
    let config = format!(
        "worker_processes 1;
daemon off;
pid {here}/nginx.pid;
error_log {here}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_max_body_size 16m;
  client_body_buffer_size 1m;
  client_body_temp_path {here}/body;
  proxy_temp_path {here}/proxy;
  fastcgi_temp_path {here}/fastcgi;
  uwsgi_temp_path {here}/uwsgi;
  scgi_temp_path {here}/scgi;
  upstream model {{
    server {upstream};
    keepalive 64;
    keepalive_requests 100000000;
  }}
  server {{
    listen {address} backlog=1024;
    location / {{
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_buffering off;
    }}
  }}
}}
"
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, config)?;
    let mut command = Command::new(&options.nginx);
    command.arg("-c").arg(&path).arg("-e").arg(folder.join("nginx-error.log"));
    Running::start(command, address, || TcpStream::connect(address).is_ok())
}

/// The gate with its rules, the record on, everything else as it comes.
pub(crate) fn gate(options: &Options, folder: &Path, upstream: SocketAddr) -> Result<Running, Failure> {
    let rules = folder.join("policies");
    if !rules.exists() {
        fs::create_dir_all(&rules)?;
        for (name, text) in policies(options.rules) {
            fs::write(rules.join(name), text)?;
        }
    }
    let (address, admin) = (free()?, free()?);
    let mut command = Command::new(&options.gate);
    command.arg("gate").arg("--policies").arg(&rules).arg("--upstream").arg(format!("http://{upstream}"));
    command.args(["--server", "vllm", "--log-level", "warn", "--log-format", "json"]);
    command.arg("--listen").arg(address.to_string()).arg("--admin-listen").arg(admin.to_string());
    command.arg("--data").arg(folder.join("data")).stdout(Stdio::null());
    Running::start(command, address, || ready(admin))
}

fn ready(admin: SocketAddr) -> bool {
    let asked = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(admin)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(&head == b"HTTP/1.1 200")
    };
    asked().unwrap_or(false)
}
