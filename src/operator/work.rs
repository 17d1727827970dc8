//! The operator at work: takes news, settles, and has written what is to be written, for ever.
//!
//! Guarantees: nothing here waits for a write; while nothing changes, nothing is written and nothing is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kube::Client;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until};

use super::bulletin::{Bulletin, Turn};
use super::desk::Desk;
use super::gate_status::{Memory, Now, Role};
use super::gates::{GateKey, Seen};
use super::health::Health;
use super::kinds::Key;
use super::leader::Term;
use super::ledger::Ledger;
use super::listing::Change;
use super::run::Failure;
use super::signing::Signing;
use super::status::{self, Urgency};
use super::terms::Terms;
use super::watch::News;
use super::webhook::Chains;
use super::write::{Target, WriteFailure, Writer, Written};
use crate::base::{Clock, SystemClock};

/// Changes of what people write come in bursts: so long nothing must have come before they are settled,
const QUIET: Duration = Duration::from_millis(100);
/// and so long they wait at most.
const BURST_MAX: Duration = Duration::from_secs(1);
/// What Pods, gates and ModelGates bring is gathered for so long: one write then says all of it.
const GATHER: Duration = Duration::from_millis(50);
/// What gates say is gathered for so long: who has just come waits for it.
const HEAR: Duration = Duration::from_millis(20);
/// Writes that have ended are gathered for so long before others take their place.
const REFILL: Duration = Duration::from_millis(5);
/// Statuses that nobody waits for are written after this long.
const LATER: Duration = Duration::from_secs(5);
/// So many statuses that nobody waits for are looked at in one turn: each asks every workload of its scope.
const LATER_MAX: usize = 64;

/// What the work is given.
pub(super) struct Means {
    /// The way to the API server.
    pub(super) client: Client,
    /// Time.
    pub(super) clock: SystemClock,
    /// What is shown of the work.
    pub(super) health: Health,
    /// Whether this replica leads.
    pub(super) term: Term,
    /// Where gates come.
    pub(super) desk: Arc<Desk>,
    /// Where the chains are left that are there.
    pub(super) chains: Chains,
    /// Where the operator keeps what is its own.
    pub(super) namespace: String,
    /// How long gates may judge without news.
    pub(super) age_max: Duration,
}

/// Everything that the work needs.
pub(super) struct Operator {
    pub(super) ledger: Ledger,
    pub(super) memory: Memory,
    pub(super) desk: Arc<Desk>,
    clock: SystemClock,
    pub(super) health: Health,
    writer: Writer,
    bulletin: Bulletin,
    term: Term,
    /// Whether it led when it last looked.
    led: bool,
    chains: Chains,
    namespace: String,
    age_max: Duration,
    /// Who signs, as long as nobody else is known to.
    signing: Option<Signing>,
    /// Whether the Secret of that is there, once that is known.
    stored: Option<bool>,
    due: Due,
    /// ModelGates that may have to be written, by the UIDs of their workloads.
    gates: BTreeSet<String>,
    /// Objects whose status may have to be written.
    objects: BTreeSet<Key>,
    /// The same for those that nobody waits for.
    later: BTreeMap<Key, Instant>,
    /// When the first of the changes came that were settled last.
    pub(super) changed_at: Instant,
    /// ModelGates that are to be looked at again without news.
    doubtful: BTreeMap<String, Instant>,
}

/// When something is to be done.
#[derive(Debug, Default)]
struct Due {
    /// The first change of a burst came then.
    burst: Option<Instant>,
    settle: Option<Instant>,
    turn: Option<Instant>,
}

impl Due {
    fn settle(&mut self, now: Instant) {
        let burst = *self.burst.get_or_insert(now);
        self.settle = Some((now + QUIET).min(burst + BURST_MAX));
    }

    fn turn(&mut self, at: Instant) {
        self.turn = Some(self.turn.map_or(at, |turn| turn.min(at)));
    }

    fn next(&self) -> Option<Instant> {
        self.settle.into_iter().chain(self.turn).min()
    }
}

impl Operator {
    pub(super) fn new(means: Means) -> Self {
        Self {
            ledger: Ledger::default(),
            memory: Memory::default(),
            desk: means.desk,
            clock: means.clock,
            health: means.health,
            writer: Writer::new(means.client.clone()),
            bulletin: Bulletin::new(means.client),
            term: means.term,
            led: false,
            chains: means.chains,
            namespace: means.namespace,
            age_max: means.age_max,
            signing: None,
            stored: None,
            due: Due::default(),
            gates: BTreeSet::new(),
            objects: BTreeSet::new(),
            later: BTreeMap::new(),
            changed_at: Instant::now(),
            doubtful: BTreeMap::new(),
        }
    }

    /// Works until a watch ends.
    pub(super) async fn work(&mut self, mut news: Receiver<News>) -> Failure {
        loop {
            let next = self.due.next();
            let wait = async move {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                news = news.recv() => match news {
                    Some(news) => self.take(news),
                    None => return Failure::Watches,
                },
                (target, written) = self.writer.next() => self.written(target, written),
                leads = self.term.turned(self.led) => {
                    self.led = leads;
                    self.look_at_everything();
                }
                () = self.desk.stirred() => self.due.turn(Instant::now() + HEAR),
                () = wait => tokio::task::block_in_place(|| self.turn()),
            }
        }
    }

    fn take(&mut self, news: News) {
        let now = Instant::now();
        match news {
            News::Object(kind, change) => {
                self.ledger.object(kind, change);
                self.due.settle(now);
            }
            News::Owner(owner, change) => {
                self.ledger.owner(owner, change);
                self.due.settle(now);
            }
            News::Pod(change) => {
                self.ledger.pod(change);
                self.due.turn(now + GATHER);
            }
            News::ReplicaSet(change) => {
                self.ledger.replica_set(change);
                self.due.turn(now + GATHER);
            }
            News::Gate(change) => {
                self.take_gate(change);
                self.due.turn(now + GATHER);
                if !self.ledger.unsettled.workloads.is_empty() {
                    self.due.settle(now);
                }
            }
            News::Signing(change) => {
                self.take_signing(change);
                self.due.turn(now);
            }
        }
    }

    /// Takes what is new of a ModelGate, which a write or the watch may tell first.
    fn take_gate(&mut self, change: Change<GateKey, Box<Seen>>) {
        if let Change::There(key, seen) = &change
            && let Some(before) = self.ledger.gates.get(key)
            && let Some(message) = rejection(seen).filter(|_| rejection(before).is_none() && self.led)
        {
            self.bulletin.tell(key, seen, &Turn::Rejected { message });
        }
        self.ledger.gate(change);
    }

    fn take_signing(&mut self, change: Change<(), Signing>) {
        match change {
            Change::ListBegins => self.stored = None,
            Change::There((), signing) => {
                self.stored = Some(true);
                self.desk.state().sign_with(Arc::clone(&signing.signer));
                let terms = Terms { epoch: signing.epoch, age_max: self.age_max };
                if self.ledger.terms.replace(terms) != Some(terms) {
                    self.ledger.touched.workloads.extend(self.ledger.keys.keys().cloned());
                }
                self.signing = Some(signing);
            }
            Change::Gone(()) => self.stored = Some(false),
            Change::ListEnds => drop(self.stored.get_or_insert(false)),
        }
    }

    /// Makes the Secret with the key that signs, where there is none: the one that is in use here, or a first one.
    fn write_signing(&mut self, now: Instant) {
        let needed = self.stored == Some(false) && self.role() == Role::Leader;
        if !needed || !self.writer.is_free(&Target::Signing, now) {
            return;
        }
        let used = self.ledger.gates.any(|seen| seen.status.distribution.is_some());
        let signing = match self.signing.clone() {
            Some(signing) => Ok(signing),
            None if used => {
                let secret = super::signing::SECRET;
                tracing::error!(
                    "the Secret `{secret}` is gone, and gates trust the key that was in it: restore it, or run \
                     `countersign-operator rotate-signing-key --lost` and delete the Pods of enrolled workloads"
                );
                self.writer.wait(Target::Signing);
                return;
            }
            None => Signing::fresh(),
        };
        match signing {
            Ok(signing) => self.writer.signing(self.namespace.clone(), signing, self.term.left()),
            Err(error) => {
                tracing::error!(%error, "no key can be made");
                self.writer.wait(Target::Signing);
            }
        }
    }

    /// Does what is due.
    fn turn(&mut self) {
        let now = Instant::now();
        if self.due.turn.is_some_and(|turn| turn <= now) {
            self.due.turn = None;
        }
        let settle = self.due.settle.is_some_and(|settle| settle <= now);
        if settle {
            self.due.settle = None;
            self.changed_at = self.due.burst.take().unwrap_or(now);
        }
        // What is missing may only not have come yet.
        if !self.ledger.is_complete() {
            return;
        }
        if settle || !self.health.ready.load(Ordering::Acquire) {
            self.settle();
        }
        self.hear();
        let when = Now { at: self.clock.now(), monotonic: self.clock.monotonic() };
        self.gather(now, when);
        self.write_signing(now);
        self.write_gates(now, when);
        let (ended, next_end) = self.ledger.ended(when.at);
        self.objects.extend(ended);
        self.write_statuses(now, when);
        self.health.ready.store(true, Ordering::Release);
        let again = self.writer.again_at(now).into_iter().chain(self.later.values().min().copied());
        let again = again.chain(self.doubtful.values().min().copied());
        if let Some(again) = again.chain(next_end.map(|left| now + left)).min() {
            // Whatever says that it is due already: this thread has others to look after, and a request to stop among them.
            self.due.turn(again.max(now + GATHER));
        }
    }

    fn settle(&mut self) {
        let before = self.clock.monotonic();
        self.ledger.settle();
        let took = self.clock.monotonic().saturating_sub(before);
        let wrong = self.ledger.objects.values().filter(|entry| entry.wrong.is_some()).count();
        let withheld = self.ledger.workloads.values().filter(|enrolled| enrolled.withheld.is_some()).count();
        let metrics = &self.health.metrics;
        metrics.settled(took);
        metrics.objects(self.ledger.objects.len() - wrong, wrong);
        metrics.workloads(self.ledger.workloads.len() - withheld, withheld);
        let chains = self.ledger.objects.keys().filter(|key| key.kind.is_chain());
        self.chains.store(Some(Arc::new(chains.map(|key| (key.namespace.clone(), key.name.clone())).collect())));
    }

    /// Notes what has to be looked at.
    fn gather(&mut self, now: Instant, when: Now) {
        let workloads = std::mem::take(&mut self.ledger.touched.workloads);
        self.objects.append(&mut self.ledger.touched.objects);
        let keys = workloads.iter().filter_map(|uid| self.ledger.keys.get(uid));
        let mut namespaces = std::mem::take(&mut self.ledger.touched.namespaces);
        namespaces.extend(keys.map(|key| key.namespace.clone()));
        for uid in &workloads {
            self.serve(uid);
            self.ledger.summarise(uid, &mut self.memory, when);
        }
        self.answer();
        self.desk.state().complete();
        if !workloads.is_empty() {
            let concerned = |key: &Key| key.namespace.as_ref().is_none_or(|of| namespaces.contains(of));
            let policies = self.ledger.objects.iter().filter(|(key, _)| !key.kind.is_chain() && concerned(key));
            for (key, entry) in policies {
                if status::is_everywhere(&entry.stored) {
                    self.later.entry(key.clone()).or_insert(now + LATER);
                } else {
                    self.objects.insert(key.clone());
                }
            }
        }
        self.gates.extend(workloads);
        let over = self.doubtful.extract_if(.., |_, until| *until <= now);
        self.gates.extend(over.map(|(uid, _)| uid));
    }

    fn role(&self) -> Role {
        if self.term.holds() { Role::Leader } else { Role::Follower }
    }

    fn write_gates(&mut self, now: Instant, when: Now) {
        let role = self.role();
        let all = std::mem::take(&mut self.gates);
        // Gates wait for what is new; nobody waits as long for what they said of the last.
        let (fresh, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|uid| self.ledger.is_to_be_given(uid));
        let (mut pending, mut waiting) = (fresh.into_iter().chain(others), Vec::new());
        while !self.writer.is_full_of_gates()
            && let Some(uid) = pending.next()
        {
            if !self.writer.is_free(&Target::Gate(uid.clone()), now) {
                waiting.push(uid);
                continue;
            }
            let (deed, again) = self.ledger.deed(&uid, role, &mut self.memory, when);
            if let Some(again) = again {
                self.doubtful.insert(uid.clone(), now + again.saturating_sub(when.monotonic));
            }
            match deed {
                // What a leader writes must be over before another leads.
                Some(deed) if role == Role::Leader => self.writer.gate(uid, deed, self.term.left()),
                Some(deed) => self.writer.gate(uid, deed, Duration::MAX),
                None => self.ledger.forget_reports(&uid),
            }
        }
        self.gates.extend(waiting.into_iter().chain(pending));
    }

    fn write_statuses(&mut self, now: Instant, when: Now) {
        if self.role() == Role::Follower {
            self.objects.clear();
            self.later.clear();
            return;
        }
        let due = self.later.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone());
        let late: BTreeSet<_> = due.take(LATER_MAX).collect();
        self.later.retain(|key, _| !late.contains(key));
        self.objects.extend(late.iter().cloned());
        let mut waiting = Vec::new();
        while !self.writer.is_full_of_statuses()
            && let Some(key) = self.objects.pop_first()
        {
            // Its status would speak of a generation that was not looked at yet.
            if self.ledger.unsettled.objects.contains(&key) {
                continue;
            }
            if !self.writer.is_free(&Target::Object(key.clone()), now) {
                waiting.push(key);
                continue;
            }
            let Some((told, urgency)) = status::wanted(&self.ledger, &key, when.at) else { continue };
            let Some(entry) = self.ledger.objects.get(&key) else { continue };
            if urgency == Urgency::Later && !late.contains(&key) {
                self.later.entry(key).or_insert(now + LATER);
            } else {
                let patch = status::patch(&key, entry, &told);
                self.writer.status(key, patch, told, self.term.left());
            }
        }
        self.objects.extend(waiting);
    }

    /// Takes what came of a write. The watch will tell of it too, later.
    fn written(&mut self, target: Target, written: Result<Written, WriteFailure>) {
        let metrics = self.health.metrics.clone();
        match (&target, written) {
            (_, Ok(Written::Gate(key, seen))) => {
                metrics.status_written();
                self.take_gate(Change::There(key, seen));
            }
            (Target::Object(key), Ok(Written::Status(told, version))) => {
                metrics.status_written();
                if let Some(entry) = self.ledger.objects.get_mut(key) {
                    entry.stored.status = told;
                    entry.stored.version = version;
                }
            }
            (_, Ok(_)) => metrics.status_written(),
            (_, Err(failure)) if failure.is_change() => {}
            (_, Err(error)) => {
                metrics.status_failed();
                tracing::warn!(?target, error = &error as &dyn std::error::Error, "a status could not be written");
            }
        }
        match target {
            Target::Gate(uid) => drop(self.gates.insert(uid)),
            Target::Object(key) => drop(self.objects.insert(key)),
            Target::Signing => {}
        }
        self.due.turn(Instant::now() + REFILL);
    }

    /// Tells of a ModelGate that something has turned.
    pub(super) fn announce(&self, workload: &str, turn: &Turn) {
        if let Some((key, seen)) = self.ledger.gates.of(workload) {
            self.bulletin.tell(key, seen, turn);
        }
    }

    /// Whoever begins to lead knows nothing of what was left to write.
    fn look_at_everything(&mut self) {
        let gates: Vec<_> = self.ledger.gates.workloads().chain(self.ledger.keys.keys()).cloned().collect();
        self.gates.extend(gates);
        self.objects.extend(self.ledger.objects.keys().cloned());
        self.due.turn(Instant::now());
    }
}

/// What a ModelGate says of a gate that refused what it was given.
fn rejection(seen: &Seen) -> Option<String> {
    let conditions = &seen.status.conditions;
    conditions.iter().find(|one| one.kind == "Propagated" && one.reason == "Rejected").map(|one| one.message.clone())
}
