//! The programs of the demonstration as child processes of this one.

use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};

use super::super::Exit;

/// How long a program may take to stop after it was asked to.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Child processes, stopped together.
#[derive(Default)]
pub(super) struct Children(Vec<(String, Child)>);

impl Children {
    /// Starts this very program with another verb.
    pub(super) fn start(&mut self, verb: &str, args: &[&str]) -> anyhow::Result<()> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let child = Command::new(program)
            .arg(verb)
            .args(args)
            .stdout(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start `countersign {verb}`"))?;
        self.0.push((verb.to_owned(), child));
        Ok(())
    }

    /// An error when one of them has ended already.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        for (verb, child) in &mut self.0 {
            if let Some(status) = child.try_wait()? {
                bail!("`countersign {verb}` ended: {status}; its last words are above");
            }
        }
        Ok(())
    }

    /// Waits until one of them ends by itself, which is an error.
    pub(super) async fn watch(&mut self) -> anyhow::Result<Exit> {
        loop {
            self.check()?;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Asks all of them to stop, the last started first, and waits.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        for (_, child) in &self.0 {
            if let Some(id) = child.id() {
                // The shell's own `kill` command: sending a signal by hand needs unsafe code.
                let _ = Command::new("kill").arg("-TERM").arg(id.to_string()).status().await;
            }
        }
        while let Some((verb, mut child)) = self.0.pop() {
            if tokio::time::timeout(STOP_WITHIN, child.wait()).await.is_err() {
                eprintln!("`countersign {verb}` did not stop in time and is ended");
                child.kill().await?;
            }
        }
        Ok(())
    }
}
