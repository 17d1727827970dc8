//! A thread with a runtime of its own, for everything that is not on a query's way: looking after holds, reading policies,
//! sending alerts, following an operator. What runs there never makes a query wait for its turn.
//!
//! Knows nothing of what runs. Guarantees that it ends, with everything that was started on it, when it is dropped.

use std::io;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The thread.
#[derive(Debug)]
pub struct Beside {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Beside {
    /// Starts it.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("beside".to_owned());
        // The sender is kept until the end, or dropped: either way it is time to stop.
        let thread = thread.spawn(move || runtime.block_on(stopped).unwrap_or_default())?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    /// Runs `start` so that what it spawns runs on the thread.
    pub fn within<T>(&self, start: impl FnOnce() -> T) -> T {
        let _entered = self.handle.enter();
        start()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // What it ran is over either way; a panic of its own was told when it happened.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_started_within_runs_on_the_thread_and_ends_with_it() {
        let beside = Beside::start().unwrap();
        let name = beside.within(|| tokio::spawn(async { std::thread::current().name().map(str::to_owned) }));
        assert_eq!(name.await.unwrap().as_deref(), Some("beside"));
        let endless = beside.within(|| tokio::spawn(std::future::pending::<()>()));
        drop(beside);
        assert!(endless.await.unwrap_err().is_cancelled());
    }
}
