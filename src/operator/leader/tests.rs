//! The election without an API server: two processes whose clocks are told, over one Lease.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use tokio::sync::watch;

use super::election::{Election, Moment, Step, Timing};
use super::{Elapsed, Term};
use crate::base::{Clock, ManualClock};

/// What an API server does with a Lease: versions, and nobody writes over what they have not seen.
#[derive(Default)]
struct Server {
    lease: Option<Lease>,
    version: u64,
}

impl Server {
    /// Does the step as this process asks for it. `answered` is when the answer arrives.
    fn perform(&mut self, election: &mut Election, asked: Moment, answered: Moment) {
        let step = election.next(asked);
        let (spec, version) = election.wanted(Timestamp::UNIX_EPOCH);
        let stored = self.lease.as_ref().and_then(|lease| lease.metadata.resource_version.clone());
        match step {
            Step::Look => match &self.lease {
                Some(lease) => election.saw(Some(lease.clone()), answered),
                None => election.missed(),
            },
            Step::Create if self.lease.is_some() => election.beaten(),
            Step::Hold if version != stored => election.beaten(),
            Step::Create | Step::Hold => {
                self.version += 1;
                let mut lease = Lease { spec: Some(spec), ..Lease::default() };
                lease.metadata.resource_version = Some(self.version.to_string());
                self.lease = Some(lease.clone());
                election.held(lease, asked, answered);
            }
            Step::Wait(_) => {}
        }
    }

    /// Lets a process do whatever it has to do now.
    fn drive(&mut self, election: &mut Election, now: Moment) {
        for _ in 0..5 {
            self.perform(election, now, now);
            election.expire(now);
        }
    }

    fn give_up(&mut self, election: &mut Election) {
        let version = election.resign().expect("it is this process's");
        let lease = self.lease.as_mut().unwrap();
        assert_eq!(lease.metadata.resource_version.as_ref(), Some(&version));
        lease.spec.as_mut().unwrap().holder_identity = Some(String::new());
        self.version += 1;
        lease.metadata.resource_version = Some(self.version.to_string());
    }
}

const LEASE: Duration = Duration::from_secs(15);

fn process(name: &str) -> Election {
    Election::new(name.to_owned(), Timing::of(LEASE))
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A moment that both clocks agree on.
fn at(seconds: f64) -> Moment {
    let passed = self::seconds(seconds);
    Moment { least: passed, most: passed }
}

fn leads(election: &Election, now: Moment) -> bool {
    election.leads_until().is_some_and(|until| now.most < until)
}

#[test]
fn the_first_leads_and_the_second_waits_as_long_as_the_first_is_heard_of() {
    let (mut server, mut a, mut b) = (Server::default(), process("a"), process("b"));
    for tenth in 0..600 {
        let now = at(f64::from(tenth) / 10.0);
        server.drive(&mut a, now);
        server.drive(&mut b, now);
        b.saw(server.lease.clone(), now);
        assert!(leads(&a, now) && !leads(&b, now), "{now:?}");
    }
    let spec = server.lease.unwrap().spec.unwrap();
    assert_eq!((spec.lease_transitions, spec.lease_duration_seconds), (Some(1), Some(15)));
}

#[test]
fn a_leader_that_is_not_heard_of_has_lost_before_another_leads() {
    // `a` is cut off at once: its request for the Lease was answered late, and it is not heard of again.
    for answered in [0.0, 1.0, 2.9] {
        let (mut server, mut a, mut b) = (Server::default(), process("a"), process("b"));
        server.perform(&mut a, at(0.0), at(0.0));
        server.perform(&mut a, at(0.0), at(answered));
        server.drive(&mut b, at(0.0));
        let taken = (0..400).map(|tenth| at(f64::from(tenth) / 10.0)).find(|now| {
            server.drive(&mut b, *now);
            assert!(!(leads(&a, *now) && leads(&b, *now)), "both at {now:?}");
            leads(&b, *now)
        });
        assert_eq!(taken, Some(at(15.0)));
        assert_eq!(a.leads_until(), Some(seconds(10.0)), "from before it was asked, not from the answer");
        assert_eq!(server.lease.unwrap().spec.unwrap().lease_transitions, Some(2));
    }
}

#[test]
fn a_lease_that_is_given_up_is_taken_when_that_is_seen() {
    let (mut server, mut a, mut b) = (Server::default(), process("a"), process("b"));
    server.drive(&mut a, at(0.0));
    server.drive(&mut b, at(0.0));
    assert!(matches!(b.next(at(0.1)), Step::Wait(rest) if rest > seconds(14.0)));
    server.give_up(&mut a);
    assert_eq!(a.leads_until(), None);
    b.saw(server.lease.clone(), at(0.2));
    assert_eq!(b.next(at(0.2)), Step::Hold);
    server.drive(&mut b, at(0.2));
    assert!(leads(&b, at(0.2)));
}

#[test]
fn whoever_was_replaced_while_it_stood_still_follows() {
    let (mut server, mut a, mut b) = (Server::default(), process("a"), process("b"));
    server.drive(&mut a, at(0.0));
    server.drive(&mut b, at(0.0));
    server.drive(&mut b, at(15.0));
    assert!(leads(&b, at(15.0)));
    // It wakes, and still believes what it knew: its clock says otherwise, and its write is refused.
    assert!(!leads(&a, at(15.1)));
    assert_eq!(a.next(at(15.1)), Step::Hold);
    server.drive(&mut a, at(15.1));
    assert!(!leads(&a, at(15.1)) && leads(&b, at(15.1)));
    assert_eq!(a.holder(), Some("b"));
}

#[test]
fn news_that_come_late_take_nothing_from_a_leader_and_a_lease_that_is_gone_does() {
    let (mut server, mut a) = (Server::default(), process("a"));
    server.drive(&mut a, at(0.0));
    let before = server.lease.clone();
    server.drive(&mut a, at(3.0));
    assert_eq!(a.leads_until(), Some(seconds(13.0)));
    a.saw(before, at(3.1));
    assert_eq!(a.wanted(Timestamp::UNIX_EPOCH).1.as_deref(), Some("2"), "what it writes over is the newest");
    assert!(matches!(a.next(at(3.1)), Step::Wait(rest) if rest > seconds(2.8)), "{:?}", a.next(at(3.1)));
    a.saw(None, at(3.2));
    assert_eq!(a.next(at(3.2)), Step::Look, "a watch may say late that there is none");
    server.drive(&mut a, at(3.2));
    assert!(leads(&a, at(3.2)));
    server.lease = None;
    a.saw(None, at(3.3));
    server.perform(&mut a, at(3.3), at(3.3));
    assert!(!leads(&a, at(3.3)));
    assert_eq!(a.next(at(3.3)), Step::Create);
}

#[test]
fn a_holder_whose_answer_was_lost_finds_itself_and_leads() {
    let (mut server, mut a) = (Server::default(), process("a"));
    server.drive(&mut a, at(0.0));
    let mut lost = server.lease.clone().unwrap();
    lost.metadata.resource_version = Some("9".to_owned());
    server.lease = Some(lost);
    a.failed(at(3.0));
    assert_eq!(a.next(at(3.0)), Step::Wait(seconds(1.5)), "what failed is not tried again at once");
    server.drive(&mut a, at(4.5));
    assert_eq!(a.leads_until(), Some(seconds(14.5)));
}

/// A term that its elector, which does not run, last prolonged until ten seconds from now.
fn term(clock: &Arc<ManualClock>) -> (watch::Sender<Option<Duration>>, Term) {
    let elapsed = Arc::new(Elapsed::new(Arc::clone(clock) as Arc<dyn Clock>));
    let (sender, until) = watch::channel(Some(elapsed.now().most + seconds(10.0)));
    (sender, Term { elapsed, until })
}

#[test]
fn a_term_ends_by_the_clock_whether_or_not_anybody_says_so() {
    let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
    let (_elector, term) = term(&clock);
    clock.advance(seconds(9.9));
    assert!(term.holds() && term.left() <= seconds(0.1));
    clock.advance(seconds(0.1));
    assert!(!term.holds());
}

/// Clocks that are set by hand.
struct Set(std::sync::Mutex<(Timestamp, Duration)>);

impl Clock for Set {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().0
    }
    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap().1
    }
}

#[test]
fn time_passes_while_a_machine_sleeps_and_never_goes_back() {
    let second = |seconds| Timestamp::from_second(seconds).unwrap();
    let clock = Arc::new(Set(std::sync::Mutex::new((second(1_000), seconds(1.0)))));
    let elapsed = Elapsed::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let tell = |wall, monotonic| {
        *clock.0.lock().unwrap() = (second(wall), seconds(monotonic));
        let Moment { least, most } = elapsed.now();
        (least.as_secs_f64(), most.as_secs_f64())
    };
    assert_eq!(tell(1_002, 3.0), (2.0, 2.0));
    assert_eq!(tell(1_062, 3.5), (2.5, 62.0), "the machine slept for a minute, or somebody set the clock forward");
    assert_eq!(tell(500, 5.5), (4.5, 64.0), "somebody set the clock back");
    assert_eq!(tell(501, 6.5), (5.5, 65.0));
}

#[test]
fn a_clock_that_is_set_forward_makes_no_follower_impatient_and_no_leader_bold() {
    let (mut server, mut a, mut b) = (Server::default(), process("a"), process("b"));
    server.drive(&mut a, at(0.0));
    server.drive(&mut b, at(0.0));
    let forward = Moment { least: seconds(1.0), most: seconds(3_600.0) };
    server.drive(&mut b, forward);
    assert!(matches!(b.next(forward), Step::Wait(rest) if rest > seconds(13.0)), "{:?}", b.next(forward));
    a.expire(forward);
    assert_eq!(a.leads_until(), None);
    server.drive(&mut a, forward);
    assert!(leads(&a, forward), "nobody else holds it");
}
