//! Against real SQLite files; a second [`Store`] on the same folder stands for the command line in another process.

mod callbacks;
mod edits;
mod granting;
mod release;
mod remembering;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;

use super::*;
use crate::approvals::{Approver, Chain, ClientGone, Decision, PaceLimits, Person, Quorum, Refused, Requester, Stage};
use crate::audit;
use crate::base::{Content, ManualClock, QueryId};
use crate::rules::PolicyRef;
use crate::sidecar::RecordFailure;

struct Trail {
    events: Mutex<Vec<audit::Event>>,
    /// How many more entries find room.
    room: AtomicUsize,
}

impl Recorder for Trail {
    fn append(&self, event: audit::Event) -> Result<(), RecordFailure> {
        let taken = self.room.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |room| room.checked_sub(1));
        taken.map_err(|_| RecordFailure)?;
        self.events.lock().unwrap().push(event);
        Ok(())
    }
}

impl Trail {
    fn decisions(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        events
            .iter()
            .map(|event| match event {
                audit::Event::Decided { decision, by, .. } => format!("{decision} {by}"),
                other => panic!("{other:?}"),
            })
            .collect()
    }
}

struct Desk {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    trail: Arc<Trail>,
    gate: Arc<SqliteHolds>,
}

fn start() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

async fn gate(folder: &Path, clock: &Arc<ManualClock>, trail: &Arc<Trail>) -> Arc<SqliteHolds> {
    SqliteHolds::open(folder, Arc::clone(clock) as Arc<dyn Clock>, Arc::clone(trail) as Arc<dyn Recorder>)
        .await
        .unwrap()
}

impl Desk {
    async fn new() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::at(start())));
        let trail = Arc::new(Trail { events: Mutex::default(), room: AtomicUsize::new(usize::MAX) });
        let gate = gate(folder.path(), &clock, &trail).await;
        Self { folder, clock, trail, gate }
    }

    /// The command line's own look at the same database.
    async fn elsewhere(&self) -> Store {
        Store::open(self.folder.path(), Missing::Refuse, Arc::clone(&self.clock) as Arc<dyn Clock>).await.unwrap()
    }

    async fn ask(&self, user: Option<&str>, body: &str) -> Result<HoldId, HoldFailure> {
        self.gate.open(self.question(user, body)).await
    }

    fn question(&self, user: Option<&str>, body: &str) -> Ask {
        let now = self.clock.now();
        Ask {
            id: HoldId::fresh(now),
            query: QueryId::fresh(now),
            join: Digest::of(format!("{user:?} {body}").as_bytes()),
            digest: Digest::of(body.as_bytes()),
            revision: Digest::of(b"rules"),
            requester: Requester { user: user.map(str::to_owned), groups: vec![] },
            namespace: "models".to_owned(),
            route: "POST /v1/chat/completions".to_owned(),
            model: None,
            chains: vec![chain()],
            reasons: vec![],
            excerpt: Content::new("| hello"),
            unseen: Vec::new(),
            similar: None,
            opened_at: now,
            ahead: None,
            callback: None,
        }
    }
}

fn chain() -> Chain {
    let stage = Stage {
        name: "desk".to_owned(),
        approvers: vec![Approver::Group("legal".to_owned())],
        quorum: Quorum { approve: 2, deny: 1 },
        escalate_after: None,
        fallback: vec![],
    };
    Chain {
        name: PolicyRef { namespace: None, name: "legal".to_owned() },
        expires_after: Duration::from_mins(30),
        separation_of_duties: false,
        on_client_gone: ClientGone::Detach,
        valid_for_max: Duration::from_hours(1),
        allow_unseen: true,
        stages: vec![stage],
    }
}

fn ballot(who: &str, decision: Decision) -> Ballot {
    let by = Person { name: who.to_owned(), groups: vec!["legal".to_owned()], authenticated_by: "nobody".to_owned() };
    Ballot { by, decision, reason: "because".to_owned(), view: None, lasting: None }
}

fn yes(who: &str) -> Ballot {
    ballot(who, Decision::Approve)
}

async fn approve(store: &Store, id: HoldId) {
    store.decide(id, yes("alice")).await.unwrap();
    store.decide(id, yes("bob")).await.unwrap();
}

#[tokio::test]
async fn a_decision_of_another_process_wakes_those_who_wait() {
    let desk = Desk::new().await;
    let id = desk.ask(Some("rita"), "body").await.unwrap();
    let waiting = tokio::spawn({
        let gate = Arc::clone(&desk.gate);
        async move { gate.settled(id).await }
    });
    desk.gate.look().await.unwrap();
    approve(&desk.elsewhere().await, id).await;
    desk.gate.look().await.unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(Phase::Approved));
    assert_eq!(desk.trail.decisions(), ["approve alice", "approve bob"]);
}

#[tokio::test]
async fn the_watcher_notices_by_itself() {
    let desk = Desk::new().await;
    let watcher = desk.gate.watch().unwrap();
    let id = desk.ask(Some("rita"), "body").await.unwrap();
    let cli = desk.elsewhere().await;
    let (settled, ()) = tokio::join!(desk.gate.settled(id), approve(&cli, id));
    assert_eq!(settled, Ok(Phase::Approved));
    drop(watcher);
}

#[tokio::test]
async fn a_decision_in_this_process_wakes_at_once() {
    let desk = Desk::new().await;
    let id = desk.ask(Some("rita"), "body").await.unwrap();
    let decide = async { desk.gate.decide(id, ballot("alice", Decision::Deny)).await.unwrap() };
    let (settled, _) = tokio::join!(desk.gate.settled(id), decide);
    assert_eq!(settled, Ok(Phase::Denied));
    assert!(desk.gate.waiters.is_empty(), "nobody is remembered who does not wait");
}

#[tokio::test]
async fn a_deadline_wakes_those_who_wait() {
    let desk = Desk::new().await;
    let id = desk.ask(Some("rita"), "body").await.unwrap();
    let pass = async {
        desk.clock.advance(Duration::from_mins(30));
        desk.gate.look().await.unwrap();
    };
    let (settled, ()) = tokio::join!(desk.gate.settled(id), pass);
    assert_eq!(settled, Ok(Phase::Expired));
    let late = desk.elsewhere().await.decide(id, yes("alice")).await.unwrap_err();
    assert_eq!(late.to_string(), format!("hold `{id}` is finished: Expired"));
}

#[tokio::test]
async fn a_late_decision_ends_the_hold_as_expired_even_when_nobody_watched() {
    let desk = Desk::new().await;
    let id = desk.ask(Some("rita"), "body").await.unwrap();
    desk.clock.advance(Duration::from_mins(31));
    let cli = desk.elsewhere().await;
    let late = cli.decide(id, yes("alice")).await.unwrap_err();
    assert!(matches!(late, StoreFailure::Refused(Refused::Finished { phase: Phase::Expired, .. })), "{late}");
    assert_eq!(cli.get(id).await.unwrap().phase(), Phase::Expired);
    assert_eq!(cli.unrecorded().await.unwrap(), []);
}

#[tokio::test]
async fn two_people_who_decide_at_once_are_both_counted() {
    let desk = Desk::new().await;
    let (left, right) = (desk.elsewhere().await, desk.elsewhere().await);
    for round in 0..20 {
        let id = desk.ask(Some("rita"), &format!("body {round}")).await.unwrap();
        let (a, b) = tokio::join!(left.decide(id, yes("alice")), right.decide(id, yes("bob")));
        let settled = [a.unwrap(), b.unwrap()].iter().filter(|step| step.hold.phase() == Phase::Approved).count();
        assert_eq!(settled, 1, "exactly one of the two completes the quorum");
        assert_eq!(desk.gate.store.get(id).await.unwrap().phase(), Phase::Approved);
    }
}

#[tokio::test]
async fn of_an_approval_and_a_denial_at_once_one_decides_and_the_other_hears_of_it() {
    let desk = Desk::new().await;
    let (left, right) = (desk.elsewhere().await, desk.elsewhere().await);
    for round in 0..20 {
        let id = desk.ask(Some("rita"), &format!("body {round}")).await.unwrap();
        left.decide(id, yes("cleo")).await.unwrap();
        let (a, b) = tokio::join!(left.decide(id, yes("alice")), right.decide(id, ballot("bob", Decision::Deny)));
        assert!(a.is_ok() != b.is_ok(), "one of the two is late");
        let phase = if a.is_ok() { Phase::Approved } else { Phase::Denied };
        assert_eq!(desk.gate.store.get(id).await.unwrap().phase(), phase);
    }
}

#[tokio::test]
async fn a_hold_that_expires_while_people_decide_ends_one_way_for_everybody() {
    let mut ends = std::collections::BTreeMap::new();
    for round in 0..40_u32 {
        let desk = Desk::new().await;
        let id = desk.ask(Some("rita"), "body").await.unwrap();
        let cli = desk.elsewhere().await;
        cli.decide(id, yes("alice")).await.unwrap();
        desk.clock.advance(Duration::from_millis(30 * 60 * 1000 - 1));
        let time = async {
            for _ in 0..round % 8 {
                tokio::task::yield_now().await;
            }
            desk.clock.advance(Duration::from_millis(1));
            desk.gate.look().await
        };
        let (looked, decided, settled) = tokio::join!(time, cli.decide(id, yes("bob")), desk.gate.settled(id));
        looked.unwrap();
        let phase = settled.unwrap();
        match decided {
            Ok(step) => assert_eq!((step.hold.phase(), phase), (Phase::Approved, Phase::Approved)),
            Err(StoreFailure::Refused(Refused::Finished { phase: told, .. })) => {
                assert_eq!((told, phase), (Phase::Expired, Phase::Expired));
            }
            Err(other) => panic!("{other}"),
        }
        assert_eq!(cli.get(id).await.unwrap().phase(), phase);
        let late = cli.decide(id, ballot("cleo", Decision::Deny)).await.unwrap_err().to_string();
        assert!(late.contains("is finished"), "{late}");
        *ends.entry(phase.name()).or_insert(0) += 1;
    }
    assert!(!ends.is_empty());
}

#[tokio::test]
async fn one_person_cannot_approve_twice_from_two_places() {
    let desk = Desk::new().await;
    let id = desk.ask(Some("rita"), "body").await.unwrap();
    let (left, right) = (desk.elsewhere().await, desk.elsewhere().await);
    let (a, b) = tokio::join!(left.decide(id, yes("alice")), right.decide(id, yes("Alice")));
    assert!(a.is_ok() != b.is_ok());
    assert_eq!(desk.gate.store.get(id).await.unwrap().phase(), Phase::Pending);
}

#[tokio::test]
async fn a_repeated_query_joins_and_an_anonymous_one_never_does() {
    let desk = Desk::new().await;
    let first = desk.ask(Some("rita"), "body").await.unwrap();
    assert_eq!(desk.ask(Some("rita"), "body").await, Ok(first));
    assert_ne!(desk.ask(Some("rita"), "other").await, Ok(first));
    assert_ne!(desk.ask(None, "body").await, desk.ask(None, "body").await);
    approve(&desk.elsewhere().await, first).await;
    assert_eq!(desk.ask(Some("rita"), "body").await, Ok(first), "an open approval is joined");
    desk.clock.advance(Duration::from_mins(11));
    assert_ne!(desk.ask(Some("rita"), "body").await, Ok(first), "an old one is not");
}

#[tokio::test]
async fn a_client_that_comes_back_after_a_denial_hears_of_it() {
    let desk = Desk::new().await;
    let id = desk.ask(Some("rita"), "body").await.unwrap();
    desk.elsewhere().await.decide(id, ballot("alice", Decision::Deny)).await.unwrap();
    desk.clock.advance(Duration::from_mins(1));
    assert_eq!(desk.ask(Some("rita"), "body").await, Ok(id));
    assert_eq!(desk.gate.settled(id).await, Ok(Phase::Denied));
    desk.clock.advance(Duration::from_mins(2));
    assert_ne!(desk.ask(Some("rita"), "body").await, Ok(id));
}

#[tokio::test]
async fn an_approval_is_used_until_its_answer_was_delivered_and_three_times_at_most() {
    let desk = Desk::new().await;
    let id = desk.ask(Some("rita"), "body").await.unwrap();
    let (join, digest) = (desk.question(Some("rita"), "body").join, Digest::of(b"body"));
    assert_eq!(
        desk.gate.use_up(id, join, digest, None).await,
        Err(HoldFailure::NotReleased(id)),
        "nobody approved yet"
    );
    approve(&desk.elsewhere().await, id).await;
    assert_eq!(desk.gate.use_up(id, join, Digest::of(b"else"), None).await, Err(HoldFailure::NotReleased(id)));
    for _ in 0..3 {
        desk.gate.use_up(id, join, digest, None).await.unwrap();
    }
    assert_eq!(desk.gate.use_up(id, join, digest, None).await, Err(HoldFailure::NotReleased(id)));
    let claims = desk.elsewhere().await.get(id).await.unwrap().claims().to_vec();
    assert_eq!(claims.len(), 3, "each use is kept");

    let other = desk.ask(Some("otto"), "body").await.unwrap();
    approve(&desk.elsewhere().await, other).await;
    let join = desk.question(Some("otto"), "body").join;
    desk.gate.use_up(other, join, digest, None).await.unwrap();
    desk.gate.delivered(other).await.unwrap();
    assert_eq!(desk.gate.use_up(other, join, digest, None).await, Err(HoldFailure::NotReleased(other)));
}

#[tokio::test]
async fn nothing_is_released_while_the_trail_cannot_be_written() {
    let desk = Desk::new().await;
    let id = desk.ask(Some("rita"), "body").await.unwrap();
    approve(&desk.elsewhere().await, id).await;
    desk.trail.room.store(1, Ordering::SeqCst);
    let (join, digest) = (desk.question(Some("rita"), "body").join, Digest::of(b"body"));
    assert_eq!(desk.gate.use_up(id, join, digest, None).await, Err(HoldFailure::Unavailable));
    assert_eq!(desk.gate.settled(id).await, Err(HoldFailure::Unavailable));
    assert_eq!(desk.gate.look().await, Err(HoldFailure::Unavailable));
    desk.trail.room.store(100, Ordering::SeqCst);
    desk.gate.look().await.unwrap();
    assert_eq!(desk.trail.decisions(), ["approve alice", "approve bob"]);
    desk.gate.use_up(id, join, digest, None).await.unwrap();
    assert_eq!(desk.trail.decisions().len(), 2, "each decision is recorded once");
}

#[tokio::test]
async fn a_restart_loses_nothing_and_records_what_was_decided_meanwhile() {
    let desk = Desk::new().await;
    let (waiting, decided) =
        (desk.ask(Some("rita"), "one").await.unwrap(), desk.ask(Some("rita"), "two").await.unwrap());
    let Desk { folder, clock, trail, gate: old } = desk;
    drop(old);
    let cli = Store::open(folder.path(), Missing::Refuse, Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
    approve(&cli, decided).await;
    let new = gate(folder.path(), &clock, &trail).await;
    new.look().await.unwrap();
    assert_eq!(trail.decisions(), ["approve alice", "approve bob"]);
    assert_eq!(new.settled(decided).await, Ok(Phase::Approved));
    assert_eq!(new.store.get(waiting).await.unwrap().phase(), Phase::Pending);
    assert_eq!(new.store.get(waiting).await.unwrap().ask().excerpt.reveal(), "| hello");
}

#[tokio::test]
async fn holds_that_nobody_waits_for_end_and_a_restart_gives_their_clients_time() {
    let desk = Desk::new().await;
    let cancel = |body: &str| {
        let mut ask = desk.question(Some("rita"), body);
        ask.chains[0].on_client_gone = ClientGone::Cancel;
        ask
    };
    let (left, waits) = (cancel("left"), cancel("waits"));
    let ids = (left.id, waits.id);
    desk.gate.open(left).await.unwrap();
    desk.gate.open(waits).await.unwrap();
    desk.gate.attend(ids.1, desk.clock.now() + jiff::SignedDuration::from_secs(100)).await.unwrap();
    desk.clock.advance(Duration::from_secs(40));
    desk.gate.look().await.unwrap();
    assert_eq!(desk.gate.settled(ids.0).await, Ok(Phase::Cancelled));
    assert_eq!(desk.gate.look_up(ids.1).await.unwrap().phase(), Phase::Pending);
    let Desk { folder, clock, trail, gate: old } = desk;
    drop(old);
    clock.advance(Duration::from_mins(5));
    let new = gate(folder.path(), &clock, &trail).await;
    new.look().await.unwrap();
    clock.advance(RETURN_WITHIN.checked_sub(Duration::from_secs(1)).unwrap());
    assert_eq!(new.look_up(ids.1).await.unwrap().phase(), Phase::Pending);
    clock.advance(Duration::from_secs(1));
    assert_eq!(new.look_up(ids.1).await.unwrap().phase(), Phase::Cancelled, "looked up, it is as of now");
}

/// A desk where so many may be pending, and none come too fast.
async fn roomy(pending_max: i64) -> Desk {
    let pace = PaceLimits { per_caller: u32::MAX, per_rule: u32::MAX, per_namespace: u32::MAX };
    let mut desk = Desk::new().await;
    let (clock, trail) = (Arc::clone(&desk.clock), Arc::clone(&desk.trail));
    let limits = HoldLimits { pending_max, pace, ..HoldLimits::default() };
    desk.gate = SqliteHolds::open_with(desk.folder.path(), clock, trail, limits).await.unwrap();
    desk
}

#[tokio::test]
async fn holds_are_capped_per_identity_and_in_all() {
    let desk = roomy(100).await;
    for n in 0..PENDING_PER_REQUESTER_MAX {
        desk.ask(Some("rita"), &n.to_string()).await.unwrap();
        desk.ask(None, &n.to_string()).await.unwrap();
    }
    assert_eq!(desk.ask(Some("rita"), "more").await, Err(HoldFailure::Overloaded));
    assert_eq!(desk.ask(None, "more").await, Err(HoldFailure::Overloaded));
    assert!(desk.ask(Some("rita"), "0").await.is_ok(), "a repeated query needs no room");
    for n in 0..50 {
        desk.ask(Some(&format!("user {}", n % 25)), &n.to_string()).await.unwrap();
    }
    // The last tenth is for those who have nothing pending.
    assert_eq!(desk.ask(Some("user 0"), "one more").await, Err(HoldFailure::Overloaded));
    for n in 0..10 {
        desk.ask(Some(&format!("newcomer {n}")), "body").await.unwrap();
    }
    assert_eq!(desk.ask(Some("one more"), "body").await, Err(HoldFailure::Overloaded));
}

#[tokio::test]
async fn no_namespace_takes_more_than_its_share() {
    let desk = roomy(40).await;
    let near = |n: usize| desk.question(Some(&format!("user {n}")), "body");
    let far = |n: usize| Ask { namespace: "other".to_owned(), ..near(n) };
    for n in 0..25 {
        desk.gate.open(near(n)).await.unwrap();
    }
    desk.gate.open(far(100)).await.expect("one that is alone may take more than half; a second still gets its share");
    assert_eq!(desk.gate.open(near(25)).await, Err(HoldFailure::Overloaded));
    for n in 101..110 {
        desk.gate.open(far(n)).await.unwrap();
    }
}

#[tokio::test]
async fn holds_that_come_too_fast_are_turned_away_before_anything_is_written() {
    let desk = Desk::new().await;
    let pace = PaceLimits { per_caller: 2, ..PaceLimits::default() };
    let store = desk.elsewhere().await.limited(HoldLimits { pace, ..HoldLimits::default() });
    let ask = async |body: &str| store.ask(desk.question(Some("rita"), body)).await;
    let first = ask("one").await.unwrap();
    ask("two").await.unwrap();
    let before = desk.gate.store.foreign_changes().await.unwrap();
    assert!(matches!(ask("three").await, Err(StoreFailure::Overloaded)));
    assert_eq!(desk.gate.store.foreign_changes().await.unwrap(), before, "not even a lock was taken");
    let (Opened::New(first), Opened::Joined(joined)) = (first, ask("one").await.unwrap()) else { panic!() };
    assert_eq!(first, joined, "whoever comes again is not counted");
    desk.clock.advance(Duration::from_secs(30));
    ask("three").await.unwrap();
    assert_eq!(desk.gate.store.list(Listed::All).await.unwrap().0.len(), 3);
}

#[tokio::test]
async fn a_hold_too_large_to_keep_is_refused() {
    let desk = Desk::new().await;
    assert_eq!(desk.ask(Some(&"u".repeat(HOLD_BYTES_MAX)), "body").await, Err(HoldFailure::Overloaded));
}

#[tokio::test]
async fn finished_holds_are_forgotten_after_a_week() {
    let desk = Desk::new().await;
    let id = desk.ask(Some("rita"), "body").await.unwrap();
    desk.gate.decide(id, ballot("alice", Decision::Deny)).await.unwrap();
    desk.clock.advance(KEPT_FOR);
    desk.ask(Some("rita"), "other").await.unwrap();
    assert!(desk.gate.store.get(id).await.is_ok());
    desk.clock.advance(Duration::from_secs(1));
    desk.ask(Some("rita"), "third").await.unwrap();
    assert!(matches!(desk.gate.store.get(id).await, Err(StoreFailure::Unknown(_))));
    desk.gate.look().await.unwrap();
    assert_eq!(desk.trail.decisions(), ["deny alice"], "the decision itself outlives its hold until it is recorded");
}

#[tokio::test]
async fn a_damaged_row_stops_no_other_hold() {
    let desk = Desk::new().await;
    let bad = desk.ask(Some("rita"), "bad").await.unwrap();
    desk.clock.advance(Duration::from_secs(1));
    let good = desk.ask(Some("rita"), "good").await.unwrap();
    {
        let mut connection = file::open(desk.folder.path(), Missing::Refuse).await.unwrap();
        let sql = "UPDATE hold SET body = '{}' WHERE id = ?";
        sqlx::query(sql).bind(bad.to_string()).execute(&mut connection).await.unwrap();
    }
    let (holds, damaged) = desk.gate.store.list(Listed::All).await.unwrap();
    assert_eq!((holds.len(), damaged.len()), (1, 1));
    desk.clock.advance(Duration::from_mins(30));
    desk.gate.look().await.unwrap();
    assert_eq!(desk.gate.settled(good).await, Ok(Phase::Expired));
    assert_eq!(desk.gate.settled(bad).await, Err(HoldFailure::Unavailable));
}

#[tokio::test]
async fn ids_may_be_shortened_as_long_as_they_are_one() {
    let desk = Desk::new().await;
    let first = desk.ask(Some("rita"), "one").await.unwrap();
    let store = &desk.gate.store;
    for text in [first.to_string(), first.to_string()[..12].to_owned(), first.to_string()[2..14].to_uppercase()] {
        assert_eq!(store.find(&text).await.unwrap(), first);
    }
    for text in ["", "h-", "%", "h-zzzz", "'; DROP TABLE hold"] {
        assert!(matches!(store.find(text).await, Err(StoreFailure::Unknown(_))), "{text}");
    }
    let second = desk.ask(Some("rita"), "two").await.unwrap();
    let both = store.find("h-0").await.unwrap_err().to_string();
    assert!(both.contains(&first.to_string()) && both.contains(&second.to_string()), "{both}");
}

#[tokio::test]
async fn the_file_is_its_owners_and_is_not_made_by_those_who_only_look() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new().await;
    desk.ask(Some("rita"), "body").await.unwrap();
    for name in ["approvals.db", "approvals.db-wal", "approvals.db-shm"] {
        let mode = std::fs::metadata(desk.folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let empty = tempfile::tempdir().unwrap();
    let clock = Arc::clone(&desk.clock) as Arc<dyn Clock>;
    let missing = Store::open(empty.path(), Missing::Refuse, clock).await.unwrap_err();
    assert!(matches!(missing, StoreFailure::Missing(_)), "{missing}");
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_database_of_an_older_program_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("approvals.db");
    {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
        sqlx::raw_sql(include_str!("tests/version-1.sql")).execute(&mut connection).await.unwrap();
    }
    let clock = Arc::new(ManualClock::at(start()));
    let store = Store::open(folder.path(), Missing::Refuse, clock as Arc<dyn Clock>).await.unwrap();
    let (holds, damaged) = store.list(Listed::All).await.unwrap();
    assert_eq!((holds.len(), damaged.len()), (1, 0));
    assert_eq!(holds[0].ask().chains[0].on_client_gone, ClientGone::Detach);
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_left_alone() {
    let desk = Desk::new().await;
    {
        let mut connection = file::open(desk.folder.path(), Missing::Refuse).await.unwrap();
        sqlx::query("PRAGMA user_version = 99").execute(&mut connection).await.unwrap();
    }
    let clock = Arc::clone(&desk.clock) as Arc<dyn Clock>;
    let newer = Store::open(desk.folder.path(), Missing::Create, clock).await.unwrap_err();
    assert!(matches!(newer, StoreFailure::Newer { found: 99, .. }), "{newer}");
}
