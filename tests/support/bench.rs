//! A gate in this process, with a desk of people, a ledger and a scripted model server around it.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign::approvals::{
    self, Approver, Ask, Ballot, Chain, ClientGone, Decision, Granted, Hold, Lasting, Person, Phase, Quorum, Release,
    Remembered, Stage, Standing, StandingKeys, StandingPhase,
};
use countersign::audit::{Event, QueryCompleted, QueryJudged};
use countersign::base::{Clock, Digest, GrantId, HoldId, ManualClock, QueryId};
use countersign::query::RoleSet;
use countersign::rules::{
    Action, ChainRef, Failure, Fallbacks, Finding, Held, Matcher, Mode, Policy, PolicyRef, Retention, Rule, RuleSet,
    Subject, TextMatch,
};
use countersign::sidecar::{
    Alerts, Gate, GateSettings, HoldFailure, Holds, InForce, Ports, Recall, Recalled, RecordFailure, Recorder,
    Rulebook, Wait,
};
use countersign::telemetry::Metrics;
use countersign::wire::Server;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::upstream::Upstream;

/// Longest wait for anything; only a broken gate ever meets it.
const PATIENCE: Duration = Duration::from_mins(10);

/// Everything that was recorded.
#[derive(Default)]
pub struct Ledger {
    events: Mutex<Vec<Event>>,
    changed: Notify,
    broken: Mutex<bool>,
}

impl Ledger {
    pub fn break_it(&self) {
        *self.broken.lock().unwrap() = true;
    }

    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    pub fn judged(&self) -> Vec<QueryJudged> {
        let events = self.events().into_iter();
        events.filter_map(|event| if let Event::QueryJudged(judged) = event { Some(*judged) } else { None }).collect()
    }

    /// Waits for the end of the answer with this index.
    pub async fn completed(&self, index: usize) -> QueryCompleted {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                let mut ends = self.events().into_iter().filter_map(|event| match event {
                    Event::QueryCompleted(completed) => Some(completed),
                    _ => None,
                });
                if let Some(completed) = ends.nth(index) {
                    return completed;
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the answer's end is recorded")
    }
}

impl Recorder for Ledger {
    fn append(&self, event: Event) -> Result<(), RecordFailure> {
        if *self.broken.lock().unwrap() {
            return Err(RecordFailure);
        }
        self.events.lock().unwrap().push(event);
        self.changed.notify_waiters();
        Ok(())
    }
}

/// People: the real state machine, kept in memory.
pub struct Desk {
    holds: Mutex<HashMap<HoldId, Hold>>,
    memory: Mutex<Vec<Remembered>>,
    standing: Mutex<Vec<Standing>>,
    changed: Notify,
    clock: Arc<ManualClock>,
}

impl Desk {
    pub fn holds(&self) -> Vec<Hold> {
        self.holds.lock().unwrap().values().cloned().collect()
    }

    /// Waits for the first hold.
    pub async fn opened(&self) -> HoldId {
        self.opened_besides(&[]).await
    }

    /// Waits for a hold that is none of these.
    pub async fn opened_besides(&self, known: &[HoldId]) -> HoldId {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(id) = self.holds().iter().map(Hold::id).find(|id| !known.contains(id)) {
                    return id;
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("a hold is opened")
    }

    pub fn decide(&self, id: HoldId, decision: Decision) {
        self.decide_for(id, decision, None);
    }

    /// Decides; the decision is to stand.
    pub fn decide_for(&self, id: HoldId, decision: Decision, lasting: Option<Lasting>) {
        let by = Person { name: "alice".to_owned(), groups: Vec::new(), authenticated_by: "nobody".to_owned() };
        let ballot = Ballot { by, decision, reason: "because".to_owned(), view: None, lasting };
        let hold = self.apply(id, approvals::Event::Decided(ballot)).expect("alice may decide");
        self.standing.lock().unwrap().extend(Standing::of(&hold, GrantId::fresh(self.clock.now())));
    }

    /// Takes back whatever stands.
    pub fn revoke(&self) {
        let by = Person { name: "carol".to_owned(), groups: Vec::new(), authenticated_by: "nobody".to_owned() };
        for one in self.standing.lock().unwrap().iter_mut() {
            *one = one.revoke(&by, "because", self.clock.now()).expect("it stands");
        }
        self.changed.notify_waiters();
    }

    /// Lets time pass for every hold.
    pub fn pass(&self, by: Duration) {
        self.clock.advance(by);
        for hold in self.holds() {
            self.apply(hold.id(), approvals::Event::Tick).expect("time passes");
        }
    }

    pub fn expire(&self, id: HoldId) {
        self.clock.advance(Duration::from_hours(1));
        self.apply(id, approvals::Event::Tick).expect("time passes");
    }

    fn apply(&self, id: HoldId, event: approvals::Event) -> Result<Hold, HoldFailure> {
        let mut holds = self.holds.lock().unwrap();
        let hold = holds.get_mut(&id).ok_or(HoldFailure::Unknown(id))?;
        let step = approvals::advance(hold, event, self.clock.now()).map_err(|_| HoldFailure::NotReleased(id))?;
        *hold = step.hold.clone();
        self.changed.notify_waiters();
        Ok(step.hold)
    }
}

impl Holds for Desk {
    fn recall(&self, recall: Recall, held: Box<Held>) -> Wait<'_, Result<Recalled, HoldFailure>> {
        Box::pin(async move {
            let (now, Recall { requester, chains, join }) = (self.clock.now(), recall);
            let claim = approvals::Event::Claimed { by: String::new(), join, digest: held.digest() };
            let claimable = |hold: &Hold| approvals::advance(hold, claim.clone(), now).is_ok();
            if self.holds().iter().any(claimable) {
                return Ok(Recalled::Nothing(held));
            }
            let keys = StandingKeys::of(&held, &requester, &chains);
            let mut standing = self.standing.lock().unwrap();
            let active = |one: &Standing, key| one.phase(now) == StandingPhase::Active && Some(one.terms().key) == key;
            let mute = keys.map(|keys| keys.mute);
            if let Some(mute) = standing.iter().find(|one| active(one, mute)) {
                return Ok(Recalled::Muted(mute.terms().hold));
            }
            let held = match approvals::carry(held, &chains, &self.memory.lock().unwrap(), now) {
                Ok(carried) => return Ok(Recalled::Carried(carried)),
                Err(held) => held,
            };
            let key = keys.and_then(|keys| keys.grant);
            let grant = standing.iter_mut().find(|one| active(one, key));
            let Some(grant) = grant else { return Ok(Recalled::Nothing(held)) };
            *grant = grant.used(now).unwrap();
            Ok(Granted::claim(grant, held, &chains, now)
                .map_or_else(Recalled::Nothing, |granted| Recalled::Granted(Box::new(granted))))
        })
    }

    fn revoked(&self, grant: GrantId) -> Wait<'_, ()> {
        Box::pin(async move {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                let gone = |one: &Standing| one.terms().id == grant && one.revoked().is_some();
                if self.standing.lock().unwrap().iter().any(gone) {
                    return;
                }
                changed.await;
            }
        })
    }

    fn open(&self, ask: Ask) -> Wait<'_, Result<HoldId, HoldFailure>> {
        Box::pin(async move {
            let mut holds = self.holds.lock().unwrap();
            let now = self.clock.now();
            if let Some(hold) = holds.values().find(|hold| approvals::joins(hold, &ask, now)) {
                return Ok(hold.id());
            }
            let id = ask.id;
            holds.insert(id, Hold::open(ask));
            self.changed.notify_waiters();
            Ok(id)
        })
    }

    fn look_up(&self, id: HoldId) -> Wait<'_, Result<Hold, HoldFailure>> {
        Box::pin(async move { self.holds.lock().unwrap().get(&id).cloned().ok_or(HoldFailure::Unknown(id)) })
    }

    fn attend(&self, id: HoldId, until: Timestamp) -> Wait<'_, Result<(), HoldFailure>> {
        Box::pin(async move {
            let _ = self.apply(id, approvals::Event::Attended { until });
            Ok(())
        })
    }

    fn settled(&self, id: HoldId) -> Wait<'_, Result<Phase, HoldFailure>> {
        Box::pin(async move {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                let phase = self.holds.lock().unwrap().get(&id).map(Hold::phase);
                match phase {
                    None => return Err(HoldFailure::Unknown(id)),
                    Some(Phase::Pending) => changed.await,
                    Some(phase) => return Ok(phase),
                }
            }
        })
    }

    fn claim(&self, id: HoldId, held: Held, join: Digest) -> Wait<'_, Result<Release, HoldFailure>> {
        Box::pin(async move {
            let claimed = approvals::Event::Claimed { by: "gate".to_owned(), join, digest: held.digest() };
            let hold = self.apply(id, claimed)?;
            self.memory.lock().unwrap().extend(approvals::remember(&hold, &held));
            Release::claim(&hold, held).map_err(|_| HoldFailure::NotReleased(id))
        })
    }

    fn delivered(&self, id: HoldId) -> Wait<'_, Result<(), HoldFailure>> {
        Box::pin(async move { self.apply(id, approvals::Event::Delivered).map(|_| ()) })
    }
}

/// Alerts that were raised, by rule.
#[derive(Default)]
pub struct Bell(pub Mutex<Vec<String>>);

impl Alerts for Bell {
    fn raise(&self, _query: QueryId, _caller: &str, _route: Option<&str>, finding: &Finding) {
        self.0.lock().unwrap().push(finding.rule.to_string());
    }
}

pub fn chain() -> Chain {
    Chain {
        name: ChainRef { namespace: None, name: "people".to_owned() },
        expires_after: Duration::from_mins(30),
        separation_of_duties: false,
        on_client_gone: ClientGone::Detach,
        valid_for_max: Duration::from_hours(1),
        allow_unseen: true,
        stages: vec![Stage {
            name: "one".to_owned(),
            approvers: vec![Approver::User("alice".to_owned())],
            quorum: Quorum { approve: 1, deny: 1 },
            escalate_after: None,
            fallback: Vec::new(),
        }],
    }
}

fn rule(name: &str, word: &str, action: Action) -> Rule {
    Rule {
        name: name.to_owned(),
        subject: Subject::Query,
        roles: RoleSet::ALL,
        matcher: Matcher::Text(TextMatch::Keywords { any: vec![word.to_owned()], whole_words: true }),
        action,
        on_error: Failure::Deny,
    }
}

fn policy(rules: Vec<Rule>) -> Policy {
    Policy {
        name: PolicyRef { namespace: None, name: "test".to_owned() },
        mode: Mode::Enforce,
        fallbacks: Fallbacks { on_error: Failure::Deny, on_audit_unavailable: Failure::Deny },
        retention: None,
        carry: Duration::ZERO,
        routes: Vec::new(),
        coverage: Vec::new(),
        rules,
    }
}

fn in_force(policy: Policy) -> InForce {
    let rules = RuleSet::build(vec![policy]).expect("the test policy builds");
    InForce { rules: Arc::new(rules), chains: BTreeMap::from([(chain().name, chain())]), workload: None }
}

/// `forbidden` is refused, `contract` is held, `nickname` is redacted, `curious` raises an alert.
pub fn rule_set() -> InForce {
    in_force(policy(vec![
        rule("no", "forbidden", Action::Deny { message: Some("Not that word.".to_owned()) }),
        rule("ask", "contract", Action::Hold { chain: chain().name }),
        rule("mask", "nickname", Action::Redact),
        rule("tell", "curious", Action::Alert { route: None }),
    ]))
}

/// `contract` is held, by a chain that says what becomes of a hold whose client went away.
pub fn holding(on_client_gone: ClientGone) -> InForce {
    let rules = vec![rule("ask", "contract", Action::Hold { chain: chain().name })];
    let chain = Chain { on_client_gone, ..chain() };
    InForce { chains: BTreeMap::from([(chain.name.clone(), chain)]), ..in_force(policy(rules)) }
}

/// The same, `side letter` is held too, and releases carry for so long.
pub fn carrying(carry: Duration) -> InForce {
    in_force(Policy {
        carry,
        ..policy(vec![
            rule("no", "forbidden", Action::Deny { message: Some("Not that word.".to_owned()) }),
            rule("ask", "contract", Action::Hold { chain: chain().name }),
            rule("letters", "side letter", Action::Hold { chain: chain().name }),
            rule("mask", "nickname", Action::Redact),
        ])
    })
}

/// `nickname` is redacted, and so much is kept.
pub fn with_retention(retention: Retention) -> InForce {
    in_force(Policy { retention: Some(retention), ..policy(vec![rule("mask", "nickname", Action::Redact)]) })
}

/// The same rules, but other people are asked.
pub fn with_other_people() -> InForce {
    let mut in_force = rule_set();
    for chain in in_force.chains.values_mut() {
        chain.stages[0].approvers = vec![Approver::User("zoe".to_owned())];
    }
    in_force
}

/// One word is refused.
pub fn refusing(word: &str) -> InForce {
    in_force(policy(vec![rule("no", word, Action::Deny { message: None })]))
}

pub struct Bench {
    pub address: SocketAddr,
    pub health: SocketAddr,
    pub upstream: Upstream,
    pub ledger: Arc<Ledger>,
    pub desk: Arc<Desk>,
    pub bell: Arc<Bell>,
    pub rulebook: Arc<Rulebook>,
    pub stop: Arc<Notify>,
    pub serving: JoinHandle<()>,
}

impl Bench {
    /// A gate with the test policy in front of `upstream`.
    pub fn start(upstream: Upstream) -> Self {
        Self::with(upstream, |_| {})
    }

    /// The same with other settings.
    pub fn with(upstream: Upstream, adjust: impl FnOnce(&mut GateSettings)) -> Self {
        let uri = format!("http://{}", upstream.address).parse().unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let mut settings = GateSettings::new(any, uri, Server::Openai);
        settings.health_listen = Some(any);
        adjust(&mut settings);
        let clock = Arc::new(ManualClock::at("2026-11-23T12:00:00Z".parse().unwrap()));
        let rulebook = Arc::new(Rulebook::default());
        rulebook.replace(rule_set());
        let ledger = Arc::new(Ledger::default());
        let desk = Arc::new(Desk {
            holds: Mutex::default(),
            memory: Mutex::default(),
            standing: Mutex::default(),
            changed: Notify::new(),
            clock: Arc::clone(&clock),
        });
        let bell = Arc::new(Bell::default());
        let ports = Ports {
            rulebook: Arc::clone(&rulebook),
            holds: Arc::clone(&desk) as _,
            recorder: Arc::clone(&ledger) as _,
            alerts: Arc::clone(&bell) as _,
            metrics: Metrics::new(),
            clock,
        };
        let gate = Gate::new(settings, ports).unwrap();
        let listeners = gate.bind().unwrap();
        let address = listeners.queries.local_addr().unwrap();
        let health = listeners.health.as_ref().unwrap().local_addr().unwrap();
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let serving = tokio::spawn(async move { gate.serve(listeners, stopped.notified()).await });
        Self { address, health, upstream, ledger, desk, bell, rulebook, stop, serving }
    }
}
