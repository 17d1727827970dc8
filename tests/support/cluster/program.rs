//! One program of the control plane as a process, with its output in a file.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How much of a program's output is shown when it fails.
const TAIL_LINES: usize = 15;

/// A running program; dropped, it is killed.
pub(crate) struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts a program in a process group; its output goes to `<name>.log` in a folder.
    pub(crate) fn start(program: &Path, arguments: &[String], group: i32, folder: &Path) -> Self {
        let name = program.file_name().expect("a program has a name").to_string_lossy();
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).expect("the folder is ours");
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .process_group(group)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("files can be opened twice"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        Self { child, log }
    }

    /// What it said last, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().expect("it is our child")?;
        Some(format!("{} ended with {status}:\n{}", self.log.display(), self.said()))
    }

    /// What it said last.
    pub(crate) fn said(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
