//! `kill -9` of the gate at random points under load, again and again on the same data folder: what was promised before
//! the kill holds after it.
//!
//! Every round starts the program, lets clients and a person work, kills it at a point that the seed chooses, and holds
//! the record, the store, the upstream and the clients against each other (`evidence`). Then the gate is started again: the
//! held queries are still there, a retry joins, a release that was used up is not used again. The seed of a run is printed
//! and can be given: `COUNTERSIGN_CRASH_SEED`; so can the number of rounds: `COUNTERSIGN_CRASH_ROUNDS`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by stopping")]

#[path = "crash/course.rs"]
mod course;
#[path = "crash/evidence.rs"]
mod evidence;
#[path = "crash/load.rs"]
mod load;
#[expect(dead_code, reason = "this upstream and these clients are scripted")]
#[path = "live/support.rs"]
mod support;
#[path = "crash/upstream.rs"]
mod upstream;

use std::fs;
use std::io::Write as _;
use std::iter;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use countersign::base::{Clock as _, SystemClock};
use course::{Course, End, Moment, PATIENCE};
use evidence::Evidence;
use load::{Dice, Listed, Wish, World, approvals, decide};
use support::Gate;
use upstream::Upstream;

/// Rounds of a run when nobody says how many.
const ROUNDS: u64 = 20;
/// Clients that ask at once.
const CLIENTS: usize = 4;
/// Held queries that are settled at the start of each round, so that they do not pile up.
const SETTLED_PER_ROUND: usize = 3;

const POLICIES: &str = "apiVersion: countersign.dev/v1alpha1
kind: ApprovalChain
metadata: {name: owners}
spec: {stages: [{name: owners, approvers: [{user: alice}]}]}
---
apiVersion: countersign.dev/v1alpha1
kind: ApprovalPolicy
metadata: {name: crash}
spec:
  rules:
  - name: refuse
    match: {keywords: [forbidden]}
    action: {type: Deny, message: Not here.}
  - name: mask
    match: {keywords: [nickname]}
    action: {type: Redact}
  - name: ask
    match: {keywords: [contract, doomed]}
    action: {type: Hold, chain: owners}
";

fn told(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn what_was_promised_holds_after_kill_9() {
    let any = || SystemClock::default().now().subsec_nanosecond().unsigned_abs().into();
    let seed = told("COUNTERSIGN_CRASH_SEED").unwrap_or_else(any);
    let rounds = told("COUNTERSIGN_CRASH_ROUNDS").unwrap_or(ROUNDS);
    println!("COUNTERSIGN_CRASH_SEED={seed} COUNTERSIGN_CRASH_ROUNDS={rounds}");
    let policies = tempfile::tempdir().unwrap();
    fs::write(policies.path().join("policies.yaml"), POLICIES).unwrap();
    let (mut dice, world, mut evidence) = (Dice(seed), World::default(), Evidence::default());
    let mut data = tempfile::tempdir().unwrap();
    for round in 0..rounds {
        let end = ending(round, &mut dice);
        let seeds: Vec<u64> = (0..CLIENTS).map(|_| dice.below(u64::MAX)).collect();
        let course = Arc::new(Course::towards(end));
        let upstream = Upstream::start(&course);
        let gate = started(data, &upstream, policies.path(), &mut dice);
        if round > 0 {
            evidence.check_verified(gate.data());
        }
        settle(&gate, &world, &course, &evidence, &mut dice);
        course.begin();
        data = run(round, gate, &world, &course, &seeds);
        let heard = std::mem::take(&mut *world.heard.lock().unwrap());
        let problems = evidence.problems(data.path(), heard, upstream.finish());
        assert!(problems.is_empty(), "seed {seed}, round {round}, {end:?}:\n{}", problems.join("\n"));
        if dice.below(4) == 0 {
            tear(data.path());
        }
    }
    println!("{:?}", evidence.tally);
    check_tried(&evidence, rounds);
}

/// Where a round ends. Every fifth waits for a stream that was kept alive for a while.
fn ending(round: u64, dice: &mut Dice) -> End {
    let (moment, counts) = match dice.below(5) {
        _ if round % 5 == 4 => (Moment::Resumed, 1),
        0 => (Moment::Sent, 60),
        1 => (Moment::Received, 20),
        2 => (Moment::FirstByte, 3),
        3 => (Moment::Answered, 40),
        _ => (Moment::Decided, 5),
    };
    let count = u32::try_from(1 + dice.below(counts)).unwrap();
    let later = Duration::from_micros(if dice.below(2) == 0 { 0 } else { dice.below(5_000) });
    End { moment, count, later }
}

fn started(data: tempfile::TempDir, upstream: &Upstream, policies: &Path, dice: &mut Dice) -> Gate {
    let durability = if dice.below(2) == 0 { "buffered" } else { "synced" };
    let arguments = ["--server", "openai", "--hold-slice", "100ms", "--audit", durability];
    let proxy = ["--trusted-proxies", "127.0.0.1/32", "--user-header", "x-user"];
    Gate::start_in(data, upstream.address, policies, &[&arguments[..], &proxy[..]].concat())
}

/// Clients and a person at work, until the kill.
fn run(round: u64, gate: Gate, world: &World, course: &Course, seeds: &[u64]) -> tempfile::TempDir {
    let (address, folder) = (gate.address, gate.data().to_owned());
    thread::scope(|scope| {
        for (index, seed) in seeds.iter().enumerate() {
            let mut dice = Dice(*seed);
            // What a run cannot do without is asked first, not left to chance.
            let mut first = match (index, course.end.moment) {
                (0, _) if round == 0 => Some(Wish::Doomed),
                (1, Moment::Resumed) => Some(Wish::Slow),
                _ => None,
            };
            scope.spawn(move || {
                world.client(address, course, || match first.take() {
                    Some(wish) => world.query(wish, wish == Wish::Slow, false),
                    None => world.draw(index, &mut dice),
                });
            });
        }
        for doomed in world.left(|wish| wish == Wish::Doomed, usize::MAX) {
            scope.spawn(move || world.client_of(address, course, doomed));
        }
        scope.spawn(|| world.person(&folder, course));
        course.until_the_end();
        let data = gate.crash();
        course.over();
        data
    })
}

/// A gate that was started again still has what was held: each query joins its hold, and goes on as people now say.
fn settle(gate: &Gate, world: &World, course: &Course, evidence: &Evidence, dice: &mut Dice) {
    for query in world.left(|wish| wish == Wish::Leave, SETTLED_PER_ROUND) {
        let ask = || world.ask(gate.address, &query, course).unwrap();
        let until_decided = || iter::repeat_with(ask).find(|heard| !heard.pending()).unwrap();
        let told = evidence.hold_of(&query);
        let there = told.as_ref().is_none_or(|told| one(gate.data(), told).phase == "Pending");
        let joined = ask();
        assert!(there, "{told:?} does not wait any more");
        assert!(joined.pending() && (told.is_none() || joined.hold == told), "told {told:?}, then {joined:?}");
        let hold = joined.hold.unwrap();
        if dice.below(3) == 0 {
            decide(gate.data(), "deny", &hold);
            let answer = until_decided();
            assert_eq!((answer.status, answer.code.as_str()), (403, "approval_denied"), "{answer:?}");
            continue;
        }
        decide(gate.data(), "approve", &hold);
        let answer = until_decided();
        assert!(answer.status == 200 && answer.saw.is_some(), "{answer:?}");
        assert!(eventually(|| one(gate.data(), &hold).delivered), "{hold} is not noted as delivered");
        let again = ask();
        assert!(again.pending() && again.hold.as_ref() != Some(&hold), "a used approval is used again: {again:?}");
        decide(gate.data(), "deny", &again.hold.unwrap());
    }
}

fn one(data: &Path, hold: &str) -> Listed {
    approvals(data, &["list", "--all"])
        .into_iter()
        .find(|listed| listed.id == hold)
        .unwrap_or_else(|| panic!("{hold} is gone"))
}

/// Looks until it is so; each look is a program that is started, so none is wasted.
fn eventually(mut so: impl FnMut() -> bool) -> bool {
    let clock = SystemClock::default();
    let late = clock.monotonic() + PATIENCE;
    iter::repeat_with(&mut so).take_while(|_| clock.monotonic() < late).any(|so| so)
}

/// What a loss of power would leave behind the last entry.
fn tear(data: &Path) {
    let mut log = fs::OpenOptions::new().append(true).open(data.join("audit.jsonl")).unwrap();
    log.write_all(b"{\"seq\":1,\"time\":\"20").unwrap();
}

/// The points that the rounds must have come to.
fn check_tried(evidence: &Evidence, rounds: u64) {
    let tally = &evidence.tally;
    let enough = tally.receipts > 0 && tally.answers > 0 && tally.holds > 0 && tally.redacted > 0;
    assert!(rounds < ROUNDS || enough && tally.used_up > 0 && tally.delivered > 0, "{tally:?}");
}
