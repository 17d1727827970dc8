//! The operator as it is released, as a process.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::Failure;
use crate::objects::OPERATORS;

/// How often its log is looked at, and how often at most: two minutes.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const LOOKS_MAX: u32 = 12_000;

/// Where it is, and how it is started.
pub(crate) struct Place<'a> {
    pub(crate) program: &'a Path,
    pub(crate) kubeconfig: &'a Path,
    pub(crate) group: i32,
    pub(crate) log: PathBuf,
}

/// An operator that runs until it is dropped.
pub(crate) struct Operator {
    process: Child,
    log: PathBuf,
}

impl Operator {
    /// Starts one that serves gates at this address.
    pub(crate) fn start(place: &Place<'_>, serve: &str) -> Result<Self, Failure> {
        let program = place.program;
        let process = Command::new(program)
            .args(["--admin-listen", "127.0.0.1:0", "--serve-listen", serve, "--namespace", OPERATORS])
            .env("KUBECONFIG", place.kubeconfig)
            .process_group(place.group)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&place.log)?)
            .spawn()
            .map_err(|error| format!("`{}` does not start: {error}", program.display()))?;
        Ok(Self { process, log: place.log.clone() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it says that gates are served, and where.
    pub(crate) fn address(&mut self) -> Result<SocketAddr, Failure> {
        for _ in 0..LOOKS_MAX {
            let said = fs::read_to_string(&self.log)?;
            let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let address = lines
                .filter(|line| line["message"] == "gates are served")
                .find_map(|line| line["address"].as_str()?.parse().ok());
            if let Some(address) = address {
                return Ok(address);
            }
            if let Some(status) = self.process.try_wait()? {
                return Err(format!("the operator ended with {status}: {said}").into());
            }
            thread::sleep(LOOK_EVERY);
        }
        Err("the operator does not say where it serves gates".into())
    }

    /// What it warned of, shortly.
    pub(crate) fn warnings(&self) -> Result<usize, Failure> {
        Ok(fs::read_to_string(&self.log)?
            .lines()
            .filter(|line| line.contains("\"WARN\"") || line.contains("\"ERROR\""))
            .count())
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) -> Result<(), Failure> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
