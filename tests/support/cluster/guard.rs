//! What ends the programs of a cluster when the process that started them is gone: returned, panicked or killed.
//!
//! All programs are in one process group. A shell outside of it reads a pipe that this process holds open; when the pipe
//! closes, it kills the group and removes the folder. Needs no signal handler, and no thread has to outlive another.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const WATCH: &str = include_str!("guard.sh");

/// Ends everything when it is dropped, or when this process ends.
pub(crate) struct Guard {
    /// Keeps the number of the process group taken; does nothing.
    leader: Child,
    watcher: Child,
}

impl Guard {
    /// Watches over a folder, and over the programs that will be in [`Guard::group`].
    pub(crate) fn over(folder: &Path) -> Self {
        let mut watcher = quiet(Command::new("sh").args(["-c", WATCH, "guard"]).arg(folder))
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell is on every machine");
        let leader = quiet(Command::new("sleep").arg("infinity")).spawn().expect("`sleep` is on every machine");
        let pipe = watcher.stdin.as_mut().expect("it was asked for");
        writeln!(pipe, "{}", leader.id()).expect("the shell reads this line first");
        Self { leader, watcher }
    }

    /// The process group that programs join.
    pub(crate) fn group(&self) -> i32 {
        i32::try_from(self.leader.id()).expect("process ids are small")
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
        let _ = self.leader.wait();
    }
}

/// In a process group of its own, so that Ctrl-C in a terminal reaches the test process first and alone.
fn quiet(command: &mut Command) -> &mut Command {
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}
