//! A gate without a model: the protocol's own client, which verifies, compiles, keeps and acknowledges as the sidecar does.
//!
//! Gates of one process share what they compile: a machine of two cores would otherwise do the work of thousands of machines.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign::base::SystemClock;
use countersign::distribution::follow::{self, Follower, Keeper, News, Tls};
use countersign::distribution::{Accepted, Compilations, Intake, PublicKey, Shelf, SigningKey};
use tokio::task::JoinHandle;

use crate::Failure;
use crate::board::Board;
use crate::objects::Pod;

/// What all gates have in common.
pub(crate) struct Common {
    pub(crate) operator: String,
    pub(crate) anchor: PublicKey,
    pub(crate) board: Arc<Board>,
    pub(crate) compilations: Arc<Compilations>,
    pub(crate) clock: SystemClock,
    pub(crate) tls: Tls,
    /// Holds a folder for each gate.
    pub(crate) folder: PathBuf,
}

/// What each gate tells the board.
struct Teller {
    gate: usize,
    board: Arc<Board>,
    /// What was put in force last is what is waited for.
    arrived: bool,
}

impl Keeper for Teller {
    fn put_in_force(&mut self, accepted: &Accepted) -> Result<(), &'static str> {
        self.arrived = self.board.is_aim(&accepted.bundle);
        Ok(())
    }

    fn hear(&mut self, news: News<'_>) {
        match news {
            News::Admitted => self.board.admitted(self.gate),
            // It is acknowledged next.
            News::Kept(_) if std::mem::take(&mut self.arrived) => self.board.acknowledges(self.gate),
            News::Lost(broken, _) => self.board.lost(broken.to_string()),
            News::Refused(refusal) => self.board.lost(format!("a bundle was refused: {refusal}")),
            News::Kept(_) | News::FreshUntil(_) | News::NotRenewed(_) => {}
        }
    }
}

/// A gate that runs until it is stopped, and what stays when it is.
pub(crate) struct Gate {
    number: usize,
    pod: Pod,
    running: Option<JoinHandle<()>>,
}

impl Gate {
    /// The gate of a Pod, not yet begun.
    pub(crate) fn of(number: usize, pod: Pod, common: &Common) -> Result<Self, Failure> {
        std::fs::create_dir(common.folder.join(&pod.name))?;
        Ok(Self { number, pod, running: None })
    }

    /// Ends the connection as when the process ends.
    pub(crate) fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
        }
    }

    /// Begins as when the process begins, with what its folder holds.
    pub(crate) fn start(&mut self, common: &Common) -> Result<(), Failure> {
        let shelf = Shelf::at(common.folder.join(&self.pod.name));
        let key: SigningKey = shelf.key()?;
        let intake = Intake::new(common.anchor, self.pod.workload.clone(), shelf);
        let mut intake = intake.sharing(Arc::clone(&common.compilations));
        intake.resume(Duration::ZERO)?;
        let token = self.pod.token.clone();
        let follower = Follower {
            settings: follow::Settings {
                operator: common.operator.parse()?,
                pod_uid: self.pod.uid.clone(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            tls: common.tls.clone(),
            key,
            token: Box::new(move || Ok(token.clone())),
            intake,
            keeper: Teller { gate: self.number, board: Arc::clone(&common.board), arrived: false },
            clock: Arc::new(common.clock.clone()),
            random: Box::new(|| {
                let mut bytes = [0; 32];
                getrandom::fill(&mut bytes).ok().map(|()| bytes)
            }),
        };
        self.running = Some(tokio::spawn(async move {
            follower.run().await;
        }));
        Ok(())
    }
}
