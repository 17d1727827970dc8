//! How far a shutdown has come. Knows nothing of what it stops.

use tokio::sync::watch;

/// How far a shutdown has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Serving,
    Draining,
    Cut,
}

/// Told to everything that may have to end.
#[derive(Debug)]
pub(in crate::sidecar) struct Drain(watch::Sender<Stage>);

impl Drain {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Stage::Serving))
    }

    /// No new queries; what waits for people is sent away to come again.
    pub(super) fn start(&self) {
        self.0.send_replace(Stage::Draining);
    }

    /// The grace is over: what is still under way is closed.
    pub(super) fn cut(&self) {
        self.0.send_replace(Stage::Cut);
    }

    pub(in crate::sidecar) fn is_draining(&self) -> bool {
        *self.0.borrow() >= Stage::Draining
    }

    pub(in crate::sidecar) fn is_cut(&self) -> bool {
        *self.0.borrow() == Stage::Cut
    }

    /// Waits until a shutdown begins.
    pub(in crate::sidecar) async fn draining(&self) {
        let mut stage = self.0.subscribe();
        if stage.wait_for(|stage| *stage >= Stage::Draining).await.is_err() {
            // The sender is `self`, which is borrowed.
            std::future::pending::<()>().await;
        }
    }
}
