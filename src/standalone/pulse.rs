//! A thread that does something small again and again. A timer of a runtime costs two wakings per beat, and handing the
//! work to a thread two more; this costs one.
//!
//! Knows nothing of what it does. Guarantees that the thread has ended when it is dropped.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// The thread.
#[derive(Debug)]
pub(super) struct Pulse {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Pulse {
    /// Calls `beat` after every such pause.
    pub(super) fn start(name: &str, every: Duration, mut beat: impl FnMut() + Send + 'static) -> io::Result<Self> {
        let (stop, stopped) = sync_channel(0);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                beat();
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of its own was told when it happened.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_beats_until_it_is_dropped() {
        let (beat, beats) = sync_channel(0);
        let pulse = Pulse::start("pulse", Duration::from_millis(1), move || beat.send(()).unwrap_or_default()).unwrap();
        assert_eq!((beats.recv(), beats.recv()), (Ok(()), Ok(())));
        // A beat that waits to be heard is let go.
        std::thread::scope(|scope| {
            scope.spawn(move || drop(pulse));
            while beats.recv().is_ok() {}
        });
    }
}
