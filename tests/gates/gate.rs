//! A gate without a model: the protocol's own client, and what it has in force.

use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::time::Duration;

use countersign::base::SystemClock;
use countersign::distribution::follow::{self, Follower, Keeper, News, Tls};
use countersign::distribution::{Accepted, Intake, Order, PublicKey, Shelf, SigningKey};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::bed::{Pod, Space};
use super::operator::Operator;
use super::until;

/// The audience of gates' tokens.
const AUDIENCE: &str = "countersign.dev/gate";

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(8).enable_all().build().unwrap());

/// What a gate has been told, and what it is told to do.
#[derive(Default)]
struct Story {
    in_force: Vec<(Order, String)>,
    lost: Vec<String>,
    admitted: usize,
    refused: Vec<&'static str>,
    waits: bool,
    refuses: bool,
}

type Shared = Arc<(Mutex<Story>, Condvar)>;

struct Recorder(Shared);

impl Keeper for Recorder {
    fn put_in_force(&mut self, accepted: &Accepted) -> Result<(), &'static str> {
        let (story, turned) = &*self.0;
        // A thread that only stands still would keep all other gates of this runtime from their connections.
        let mut story =
            tokio::task::block_in_place(|| turned.wait_while(story.lock().unwrap(), |story| story.waits).unwrap());
        if story.refuses {
            return Err("this gate takes nothing");
        }
        story.in_force.push((accepted.bundle.order, accepted.bundle.documents.join("\n")));
        Ok(())
    }

    fn hear(&mut self, news: News<'_>) {
        let mut story = self.0.0.lock().unwrap();
        match news {
            News::Admitted => story.admitted += 1,
            News::Refused(refusal) => story.refused.push(refusal.code()),
            News::Lost(broken, _) => story.lost.push(broken.to_string()),
            News::Kept(_) | News::FreshUntil(_) | News::NotRenewed(_) => {}
        }
    }
}

/// A gate that runs until it is dropped, and what stays when it does.
pub(crate) struct Gate {
    story: Shared,
    running: Option<JoinHandle<()>>,
    key: Vec<u8>,
    folder: Arc<TempDir>,
    anchor: PublicKey,
    token: String,
    pod: Pod,
}

impl Gate {
    /// The gate of a Pod, as it is injected.
    pub(crate) fn start(space: &Space, pod: &Pod, operator: &Operator) -> Self {
        Self::with(space.token(pod, AUDIENCE), space.anchor(), pod, operator)
    }

    /// One with this token and this anchor.
    pub(crate) fn with(token: String, anchor: PublicKey, pod: &Pod, operator: &Operator) -> Self {
        let mut gate = Self {
            story: Shared::default(),
            running: None,
            key: SigningKey::generate().unwrap().to_pkcs8().unwrap(),
            folder: Arc::new(tempfile::tempdir().unwrap()),
            anchor,
            token,
            pod: pod.clone(),
        };
        gate.connect(operator);
        gate
    }

    /// Starts again as after a crash, with what its folder holds, at an operator.
    pub(crate) fn connect(&mut self, operator: &Operator) {
        self.stop();
        let mut intake = Intake::new(self.anchor, self.pod.workload.clone(), Shelf::at(self.folder.path()));
        intake.resume(Duration::ZERO).unwrap();
        let token = self.token.clone();
        let follower = Follower {
            settings: follow::Settings {
                operator: operator.address("gates are served").parse().unwrap(),
                pod_uid: self.pod.uid.clone(),
                version: "test".to_owned(),
            },
            tls: Tls::new(),
            key: SigningKey::from_pkcs8(&self.key).unwrap(),
            token: Box::new(move || Ok(token.clone())),
            intake,
            keeper: Recorder(Arc::clone(&self.story)),
            clock: Arc::new(SystemClock::default()),
            random: Box::new(|| {
                let mut bytes = [0; 32];
                getrandom::fill(&mut bytes).ok().map(|()| bytes)
            }),
        };
        self.running = Some(RUNTIME.spawn(async move {
            follower.run().await;
        }));
    }

    pub(crate) fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
        }
    }

    fn told<T>(&self, read: impl Fn(&Story) -> T) -> T {
        read(&self.story.0.lock().unwrap())
    }

    /// From now on nothing is put in force until it is released.
    pub(crate) fn hold(&self) {
        self.story.0.lock().unwrap().waits = true;
    }

    pub(crate) fn release(&self) {
        self.story.0.lock().unwrap().waits = false;
        self.story.1.notify_all();
    }

    /// Whether it refuses what it is sent.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.story.0.lock().unwrap().refuses = refuses;
    }

    /// The order and the documents of what is in force.
    pub(crate) fn in_force(&self) -> Option<(Order, String)> {
        self.told(|story| story.in_force.last().cloned())
    }

    /// How often something was put in force.
    pub(crate) fn times(&self) -> usize {
        self.told(|story| story.in_force.len())
    }

    /// Whether a word is in what is in force.
    pub(crate) fn has(&self, word: &str) -> bool {
        self.in_force().is_some_and(|(_, documents)| documents.contains(word))
    }

    /// Waits until something is in force in which a word is, or is not.
    #[track_caller]
    pub(crate) fn until_has(&self, word: &str, has: bool) {
        until(word, || (self.in_force().is_some() && self.has(word) == has).then_some(()));
    }

    /// Waits until it was admitted so many times.
    #[track_caller]
    pub(crate) fn until_admitted(&self, times: usize) {
        until("admitted", || (self.told(|story| story.admitted) >= times).then_some(()));
    }

    pub(crate) fn admitted(&self) -> usize {
        self.told(|story| story.admitted)
    }

    /// Waits until a connection has ended for such a reason.
    #[track_caller]
    pub(crate) fn until_lost(&self, why: &str) {
        until(why, || self.told(|story| story.lost.iter().any(|lost| lost.contains(why))).then_some(()));
    }

    /// Waits until it has refused something for this reason.
    #[track_caller]
    pub(crate) fn until_refused(&self, code: &str) {
        until(code, || self.told(|story| story.refused.contains(&code)).then_some(()));
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.release();
        self.stop();
    }
}
