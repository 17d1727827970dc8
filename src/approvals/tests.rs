//! The machine held to its promises: a table of lives, and properties over random ones.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::base::{Content, Digest, HoldId, QueryId};
use crate::rules::PolicyRef;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

pub(super) fn name(name: &str) -> PolicyRef {
    PolicyRef { namespace: Some("models".to_owned()), name: name.to_owned() }
}

fn group(name: &str) -> Approver {
    Approver::Group(name.to_owned())
}

pub(super) fn user(name: &str) -> Approver {
    Approver::User(name.to_owned())
}

pub(super) fn stage(label: &str, approvers: Vec<Approver>, approve: u32, deny: u32) -> Stage {
    Stage {
        name: label.to_owned(),
        approvers,
        quorum: Quorum { approve, deny },
        escalate_after: Some(Duration::from_mins(1)),
        fallback: vec![group("on-call")],
    }
}

pub(super) fn chain(label: &str, stages: Vec<Stage>) -> Chain {
    Chain {
        name: name(label),
        expires_after: Duration::from_mins(10),
        separation_of_duties: true,
        on_client_gone: ClientGone::Detach,
        valid_for_max: Duration::from_hours(1),
        allow_unseen: true,
        stages,
    }
}

pub(super) fn legal() -> Chain {
    chain("legal", vec![stage("counsel", vec![group("legal"), user("alice")], 2, 1)])
}

pub(super) fn ask(chains: Vec<Chain>) -> Ask {
    Ask {
        id: HoldId::of(at(0), [1; 10]),
        query: QueryId::of(at(0), [2; 10]),
        join: Digest::of(b"join"),
        digest: Digest::of(b"body"),
        revision: Digest::of(b"rules"),
        requester: Requester { user: Some("rita".to_owned()), groups: vec!["legal".to_owned()] },
        namespace: "models".to_owned(),
        route: "POST /v1/chat/completions".to_owned(),
        model: Some("llama".to_owned()),
        chains,
        reasons: vec![Reason {
            policy: name("customer-data"),
            rule: "contracts".to_owned(),
            matcher: "keyword".to_owned(),
            place: "messages[0].content".to_owned(),
        }],
        excerpt: Content::new("messages[0].content (User):\n| hello\n"),
        unseen: Vec::new(),
        similar: None,
        opened_at: at(0),
        ahead: None,
        callback: None,
    }
}

pub(super) fn person(name: &str, groups: &[&str]) -> Person {
    Person {
        name: name.to_owned(),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        authenticated_by: "nobody".to_owned(),
    }
}

fn says(decision: Decision, who: &str, groups: &[&str]) -> Event {
    Event::Decided(Ballot {
        by: person(who, groups),
        decision,
        reason: "because".to_owned(),
        view: None,
        lasting: None,
    })
}

pub(super) fn approves(who: &str, groups: &[&str]) -> Event {
    says(Decision::Approve, who, groups)
}

pub(super) fn denies(who: &str, groups: &[&str]) -> Event {
    says(Decision::Deny, who, groups)
}

pub(super) fn claims() -> Event {
    Event::Claimed { by: "gate".to_owned(), join: Digest::of(b"join"), digest: Digest::of(b"body") }
}

pub(super) fn approved() -> Hold {
    live(vec![legal()], &[(1, approves("alice", &[])), (2, approves("bob", &["legal"]))]).0
}

/// Lives through events at their seconds; answers with the phase, and the words of the last refusal.
fn live(chains: Vec<Chain>, events: &[(i64, Event)]) -> (Hold, String) {
    let mut hold = Hold::open(ask(chains));
    let mut refused = String::new();
    for (second, event) in events {
        match advance(&hold, event.clone(), at(*second)) {
            Ok(step) => hold = step.hold,
            Err(why) => refused = why.to_string(),
        }
    }
    (hold, refused)
}

#[track_caller]
fn check(chains: Vec<Chain>, events: &[(i64, Event)], phase: Phase, refused: &str) {
    let (hold, words) = live(chains, events);
    assert_eq!(hold.phase(), phase);
    assert!(words.contains(refused), "refused with: {words}");
    assert_eq!(words.is_empty(), refused.is_empty(), "refused with: {words}");
    let stored: Hold = serde_json::from_str(&serde_json::to_string(&hold).unwrap()).unwrap();
    assert_eq!(stored, hold, "a hold survives its store");
}

#[test]
fn two_distinct_people_of_the_stage_approve() {
    check(vec![legal()], &[(1, approves("alice", &[])), (2, approves("bob", &["legal"]))], Phase::Approved, "");
}

#[test]
fn one_person_counts_once_whatever_the_spelling() {
    for again in ["bob", "Bob", " bob ", "\u{ff42}ob"] {
        let events = [(1, approves("bob", &["legal"])), (2, approves(again, &["legal", "other"]))];
        check(vec![legal()], &events, Phase::Pending, "has already decided");
    }
}

#[test]
fn nobody_changes_a_vote() {
    let events = [(1, approves("bob", &["legal"])), (2, denies("bob", &["legal"]))];
    check(vec![legal()], &events, Phase::Pending, "has already decided");
}

#[test]
fn a_denial_at_the_threshold_refuses_whatever_was_approved() {
    check(vec![legal()], &[(1, approves("alice", &[])), (2, denies("bob", &["legal"]))], Phase::Denied, "");
}

#[test]
fn denials_below_the_threshold_leave_the_others_free() {
    let two = chain("two", vec![stage("s", vec![group("legal")], 1, 2)]);
    check(vec![two], &[(1, denies("bob", &["legal"])), (2, approves("cleo", &["legal"]))], Phase::Approved, "");
}

#[test]
fn a_stranger_is_told_who_may_decide() {
    let words = "`mallory` may not decide about hold";
    check(vec![legal()], &[(1, approves("mallory", &["sales"]))], Phase::Pending, words);
    check(vec![legal()], &[(1, approves("mallory", &[]))], Phase::Pending, "group legal, user alice may");
}

#[test]
fn the_requester_never_decides() {
    for spelling in ["rita", "RITA", "rita "] {
        let words = "asked for this query and may not decide";
        check(vec![legal()], &[(1, approves(spelling, &["legal"]))], Phase::Pending, words);
    }
    let mut open = legal();
    open.separation_of_duties = false;
    let events = [(1, approves("rita", &["legal"])), (2, approves("bob", &["legal"]))];
    check(vec![open], &events, Phase::Approved, "");
}

#[test]
fn every_chain_must_be_satisfied_and_one_decision_counts_in_each() {
    let security = chain("security", vec![stage("s", vec![group("security")], 1, 1)]);
    let both = || vec![legal(), security.clone()];
    let counsel = [(1, approves("alice", &[])), (2, approves("bob", &["legal"]))];
    check(both(), &counsel, Phase::Pending, "");
    let mut all = counsel.to_vec();
    all.push((3, approves("sam", &["security"])));
    check(both(), &all, Phase::Approved, "");
    let shared = [(1, approves("alice", &["security"])), (2, approves("bob", &["legal"]))];
    check(both(), &shared, Phase::Approved, "");
    check(both(), &[(1, denies("sam", &["security"]))], Phase::Denied, "");
}

#[test]
fn stages_open_in_order() {
    let staged =
        || chain("staged", vec![stage("one", vec![group("legal")], 1, 1), stage("two", vec![user("alice")], 1, 1)]);
    check(vec![staged()], &[(1, approves("alice", &[]))], Phase::Pending, "may not decide");
    let events = [(1, approves("bob", &["legal"])), (2, approves("alice", &[]))];
    check(vec![staged()], &events, Phase::Approved, "");
    check(vec![staged()], &[(1, approves("bob", &["legal"])), (2, denies("alice", &[]))], Phase::Denied, "");
}

#[test]
fn fallback_approvers_may_decide_after_the_escalation_only() {
    let on_call = |second| (second, approves("oncall", &["on-call"]));
    check(vec![legal()], &[on_call(59)], Phase::Pending, "may not decide");
    check(vec![legal()], &[on_call(60), (61, approves("alice", &[]))], Phase::Approved, "");
    let step = advance(&Hold::open(ask(vec![legal()])), Event::Tick, at(60)).unwrap();
    assert_eq!(step.effects, [Effect::Escalated { chain: name("legal"), stage: "counsel".to_owned() }]);
    assert_eq!(step.hold.next_timer(), Some(at(600)));
}

#[test]
fn a_second_stage_escalates_from_its_own_start() {
    let staged =
        chain("staged", vec![stage("one", vec![group("legal")], 1, 1), stage("two", vec![user("alice")], 1, 1)]);
    let events = [(50, approves("bob", &["legal"])), (100, approves("oncall", &["on-call"]))];
    check(vec![staged.clone()], &events, Phase::Pending, "may not decide");
    let events = [(50, approves("bob", &["legal"])), (110, approves("oncall", &["on-call"]))];
    check(vec![staged], &events, Phase::Approved, "");
}

#[test]
fn when_the_named_people_can_never_be_enough_the_fallback_is_asked_at_once() {
    let alone = chain("alone", vec![stage("s", vec![user("rita")], 1, 1)]);
    check(vec![alone], &[(1, approves("oncall", &["on-call"]))], Phase::Approved, "");
}

#[test]
fn a_hold_nobody_can_approve_is_refused_as_it_opens() {
    let anonymous = Hold::open(Ask { requester: Requester::default(), ..ask(vec![legal()]) });
    let unknown = Ending::NeverApprovable(Obstacle::UnknownRequester(name("legal")));
    assert_eq!(anonymous.ending(), Some((&unknown, at(0))));
    let mut alone = chain("alone", vec![stage("s", vec![user("Rita"), user("alice")], 2, 1)]);
    alone.stages[0].fallback.clear();
    let few = Obstacle::TooFewPeople { chain: name("alone"), stage: "s".to_owned() };
    assert_eq!(Hold::open(ask(vec![alone])).ending(), Some((&Ending::NeverApprovable(few), at(0))));
    for chains in [vec![], vec![chain("empty", vec![])]] {
        assert_eq!(Hold::open(ask(chains)).phase(), Phase::Denied);
    }
}

#[test]
fn a_decision_after_the_deadline_does_not_count() {
    let late = [(1, approves("alice", &[])), (600, approves("bob", &["legal"]))];
    check(vec![legal()], &late, Phase::Pending, "is finished: Expired");
    check(vec![legal()], &[late[0].clone(), (600, Event::Tick), late[1].clone()], Phase::Expired, "finished: Expired");
    check(vec![legal()], &[late[0].clone(), (599, approves("bob", &["legal"]))], Phase::Approved, "");
}

#[test]
fn a_clock_set_back_wins_no_time() {
    let events = [(60, Event::Tick), (600, Event::Tick), (1, approves("alice", &[]))];
    check(vec![legal()], &events, Phase::Expired, "is finished: Expired");
}

#[test]
fn a_satisfied_chain_does_not_expire_any_more() {
    let mut quick = chain("quick", vec![stage("s", vec![group("security")], 1, 1)]);
    quick.expires_after = Duration::from_secs(10);
    let events = [
        (5, approves("sam", &["security"])),
        (20, Event::Tick),
        (21, approves("alice", &[])),
        (22, approves("bob", &["legal"])),
    ];
    check(vec![legal(), quick.clone()], &events, Phase::Approved, "");
    check(vec![legal(), quick], &[(10, Event::Tick)], Phase::Expired, "");
}

#[test]
fn a_client_that_goes_away_and_a_withdrawal_cancel() {
    check(vec![legal()], &[(1, Event::ClientGone)], Phase::Cancelled, "");
    let withdrawn = Event::Withdrawn { by: person("rita", &[]), reason: "typo".to_owned() };
    check(vec![legal()], &[(1, withdrawn)], Phase::Cancelled, "");
    check(vec![legal()], &[(1, denies("alice", &[])), (2, Event::ClientGone)], Phase::Denied, "finished: Denied");
}

#[test]
fn a_decision_needs_a_name_a_reason_and_the_view_it_claims() {
    check(vec![legal()], &[(1, approves(" ", &["legal"]))], Phase::Pending, "needs a name");
    let ballot = |reason: &str, view| {
        let by = person("alice", &[]);
        Event::Decided(Ballot { by, decision: Decision::Approve, reason: reason.to_owned(), view, lasting: None })
    };
    check(vec![legal()], &[(1, ballot(" ", None))], Phase::Pending, "needs a reason");
    check(vec![legal()], &[(1, ballot(&"x".repeat(4096), None))], Phase::Pending, "needs a reason");
    check(vec![legal()], &[(1, ballot("ok", Some(Digest::of(b"other"))))], Phase::Pending, "not the view of hold");
    let seen = View::of(&Hold::open(ask(vec![legal()]))).digest();
    let both = [(1, ballot("ok", Some(seen))), (70, approves("bob", &["legal"]))];
    check(vec![legal()], &both, Phase::Approved, "");
}

#[test]
fn an_approval_is_claimed_thrice_within_ten_minutes_until_it_was_delivered() {
    let approved = [(1, approves("alice", &[])), (2, approves("bob", &["legal"]))];
    let then = |more: &[(i64, Event)]| [&approved[..], more].concat();
    check(vec![legal()], &then(&[(3, claims()), (4, claims()), (602, claims())]), Phase::Approved, "");
    let fourth = [(3, claims()), (4, claims()), (5, claims()), (6, claims())];
    check(vec![legal()], &then(&fourth), Phase::Approved, "three times");
    check(vec![legal()], &then(&[(603, claims())]), Phase::Approved, "ten minutes ago");
    check(vec![legal()], &then(&[(3, claims()), (4, Event::Delivered), (5, claims())]), Phase::Approved, "delivered");
    check(vec![legal()], &[(1, claims())], Phase::Pending, "not approved: Pending");
    check(vec![legal()], &[(1, Event::Delivered)], Phase::Pending, "not approved: Pending");
    check(vec![legal()], &[(1, denies("alice", &[])), (2, claims())], Phase::Denied, "not approved: Denied");
    for (join, digest) in [(b"join", b"else"), (b"else", b"body")] {
        let stolen = Event::Claimed { by: String::new(), join: Digest::of(join), digest: Digest::of(digest) };
        check(vec![legal()], &then(&[(3, stolen)]), Phase::Approved, "another query");
    }
}

/// An approval of this hold, at these seconds.
fn approved_at(second: i64) -> [(i64, Event); 2] {
    [(second, approves("alice", &[])), (second, approves("bob", &["legal"]))]
}

#[track_caller]
fn check_hold(mut hold: Hold, events: &[(i64, Event)], phase: Phase, refused: &str) {
    let mut words = String::new();
    for (second, event) in events {
        match advance(&hold, event.clone(), at(*second)) {
            Ok(step) => hold = step.hold,
            Err(why) => words = why.to_string(),
        }
    }
    assert_eq!(hold.phase(), phase);
    assert!(words.contains(refused) && refused.is_empty() == words.is_empty(), "`{words}`");
}

#[test]
fn an_approval_ahead_of_time_waits_for_its_query_as_long_as_it_is_valid() {
    let ahead = Ahead { by: "rita".to_owned(), valid_for: Duration::from_hours(2) };
    let hold = || Hold::open(Ask { ahead: Some(ahead.clone()), ..ask(vec![legal()]) });
    let then = |more: &[(i64, Event)]| [&approved_at(60)[..], more].concat();
    check_hold(hold(), &then(&[(7260, claims())]), Phase::Approved, "");
    check_hold(hold(), &then(&[(7261, claims())]), Phase::Approved, "while it was valid");
    // From its first use on it is like any other: a broken connection may be repeated, not a day's work.
    check_hold(hold(), &then(&[(7000, claims()), (7600, claims())]), Phase::Approved, "");
    check_hold(hold(), &then(&[(3000, claims()), (3601, claims())]), Phase::Approved, "first used more than ten");
    check_hold(hold(), &then(&[(70, claims()), (71, Event::Delivered), (72, claims())]), Phase::Approved, "delivered");
    assert!(View::of(&hold()).fields().iter().any(|(name, _)| *name == "Ahead of time"), "people see how long");
}

#[test]
fn a_hold_that_nobody_waits_for_ends_where_every_chain_says_so() {
    let cancel = || Chain { on_client_gone: ClientGone::Cancel, ..legal() };
    let other = Chain { name: name("other"), ..legal() };
    let hold = |chains| Hold::open(ask(chains));
    let attended = |second, until| (second, Event::Attended { until: at(until) });
    check_hold(hold(vec![legal()]), &[(300, Event::Tick)], Phase::Pending, "");
    check_hold(hold(vec![cancel(), other]), &[(300, Event::Tick)], Phase::Pending, "");
    check_hold(hold(vec![cancel()]), &[(29, Event::Tick)], Phase::Pending, "");
    check_hold(hold(vec![cancel()]), &[(30, Event::Tick)], Phase::Cancelled, "");
    check_hold(hold(vec![cancel()]), &[(30, approves("alice", &[]))], Phase::Pending, "finished: Cancelled");
    // Of two who wait, the one who leaves takes nothing from the other.
    let two = [attended(20, 100), attended(21, 40), (99, Event::Tick)];
    check_hold(hold(vec![cancel()]), &two, Phase::Pending, "");
    check_hold(hold(vec![cancel()]), &[&two[..], &[(100, Event::Tick)]].concat(), Phase::Cancelled, "");
    // While the gate was away nobody could wait.
    let away = [(400, Event::Resumed { until: at(470) }), (469, Event::Tick)];
    check_hold(hold(vec![cancel()]), &away, Phase::Pending, "");
    check_hold(hold(vec![cancel()]), &[&away[..], &[(470, Event::Tick)]].concat(), Phase::Cancelled, "");
    check_hold(hold(vec![cancel()]), &[attended(1, 10_000), (600, Event::Tick)], Phase::Expired, "");
    for waits_not in [
        Ask { ahead: Some(Ahead { by: "rita".to_owned(), valid_for: Duration::ZERO }), ..ask(vec![cancel()]) },
        Ask { callback: Some("https://hooks.example.org/".to_owned()), ..ask(vec![cancel()]) },
    ] {
        check_hold(Hold::open(waits_not), &[(300, Event::Tick)], Phase::Pending, "");
    }
    let timer = hold(vec![cancel()]).next_timer();
    assert_eq!(timer, Some(at(30)), "the store looks at it in time");
}

#[test]
fn similar_holds_are_one_group() {
    let group = |ask: Ask| Hold::open(ask).group();
    let base = group(ask(vec![legal()]));
    let again = Ask { id: HoldId::of(at(5), [9; 10]), digest: Digest::of(b"other"), ..ask(vec![legal()]) };
    assert_eq!(group(again), base);
    let reason = Reason { rule: "other".to_owned(), ..ask(vec![]).reasons[0].clone() };
    for different in [
        Ask { requester: Requester::default(), ..ask(vec![legal()]) },
        Ask { reasons: vec![reason], ..ask(vec![legal()]) },
        Ask { model: None, ..ask(vec![legal()]) },
        Ask { route: "POST /v1/completions".to_owned(), ..ask(vec![legal()]) },
        ask(vec![Chain { name: name("other"), ..legal() }]),
    ] {
        assert_ne!(group(different), base);
    }
}

#[test]
fn the_excerpt_is_gone_when_the_hold_has_ended() {
    let (hold, _) = live(vec![legal()], &[(1, denies("alice", &[]))]);
    assert_eq!(hold.ask().excerpt.reveal(), "");
}

#[test]
fn what_a_caller_can_lengthen_is_cut() {
    let mut long = ask(vec![legal()]);
    long.model = Some("m".repeat(10_000));
    long.reasons = vec![Reason { place: "p".repeat(10_000), ..long.reasons[0].clone() }; 1000];
    long.excerpt = Content::new("é".repeat(10_000));
    long.requester.groups = vec!["g".repeat(10_000); 1000];
    let stored = serde_json::to_string(&Hold::open(long)).unwrap();
    assert!(stored.len() < 64 * 1024, "{}", stored.len());
    assert!(stored.contains("9744 characters not shown"));
}

#[test]
fn the_view_shows_nothing_a_caller_could_hide_behind() {
    let mut hostile = ask(vec![legal()]);
    hostile.model = Some("llama\n  Phase  Approved\u{1b}[2J".to_owned());
    hostile.excerpt = Content::new("| \u{202e}deifitrec\u{7}\n");
    let view = View::of(&Hold::open(hostile));
    let model = view.fields().iter().find(|(name, _)| *name == "Model").unwrap();
    assert_eq!(model.1, "llama<U+000A>  Phase  Approved<U+001B>[2J");
    assert_eq!(view.excerpt(), "| <U+202E>deifitrec<U+0007>\n");
}

#[test]
fn the_view_digest_depends_on_what_is_decided_and_not_on_votes() {
    let base = View::of(&Hold::open(ask(vec![legal()]))).digest();
    let (voted, _) = live(vec![legal()], &[(1, approves("alice", &[]))]);
    assert_eq!(View::of(&voted).digest(), base);
    let other = Ask { digest: Digest::of(b"other body"), ..ask(vec![legal()]) };
    assert_ne!(View::of(&Hold::open(other)).digest(), base);
}

#[test]
fn a_repeated_query_joins_its_hold_and_no_other() {
    let same = || ask(vec![legal()]);
    let (pending, _) = live(vec![legal()], &[]);
    assert!(joins(&pending, &same(), at(5)));
    let anonymous = Ask { requester: Requester::default(), ..same() };
    assert!(!joins(&Hold::open(anonymous.clone()), &anonymous, at(5)), "anonymous callers never share a hold");
    let other = Requester { user: Some("otto".to_owned()), groups: vec![] };
    let mut stricter = legal();
    stricter.stages[0].quorum.approve = 3;
    for foreign in [
        Ask { requester: other, ..same() },
        Ask { join: Digest::of(b"other"), ..same() },
        Ask { digest: Digest::of(b"other"), ..same() },
        Ask { chains: vec![stricter], ..same() },
    ] {
        assert!(!joins(&pending, &foreign, at(5)));
    }
    let approved = [(1, approves("alice", &[])), (2, approves("bob", &["legal"]))];
    let (hold, _) = live(vec![legal()], &approved);
    assert!(joins(&hold, &same(), at(602)) && !joins(&hold, &same(), at(603)));
    let used = [&approved[..], &[(3, claims()), (4, Event::Delivered)]].concat();
    assert!(!joins(&live(vec![legal()], &used).0, &same(), at(5)), "a delivered answer ends the approval");
    let (denied, _) = live(vec![legal()], &[(1, denies("alice", &[]))]);
    assert!(joins(&denied, &same(), at(121)) && !joins(&denied, &same(), at(122)));
    let (gone, _) = live(vec![legal()], &[(1, Event::ClientGone)]);
    assert!(!joins(&gone, &same(), at(2)));
}

fn events() -> impl Strategy<Value = Vec<(i64, Event)>> {
    let who = prop::sample::select(vec!["rita", "alice", "ALICE", "bob", "cleo", "mallory"]);
    let groups = prop::sample::subsequence(vec!["legal", "security", "on-call", "sales"], 0..=3);
    let decision = prop::sample::select(vec![Decision::Approve, Decision::Approve, Decision::Approve, Decision::Deny]);
    let decided = (who, groups, decision).prop_map(|(who, groups, decision)| says(decision, who, &groups));
    let event = prop_oneof![
        8 => decided,
        2 => Just(Event::Tick),
        1 => Just(Event::ClientGone),
        1 => (0_i64..700).prop_map(|second| Event::Attended { until: at(second) }),
        1 => (0_i64..700).prop_map(|second| Event::Resumed { until: at(second) }),
        2 => Just(claims()),
        1 => Just(Event::Delivered),
    ];
    prop::collection::vec((0_i64..700, event), 0..24)
}

fn chains() -> impl Strategy<Value = Vec<Chain>> {
    let approvers =
        prop::sample::subsequence(vec![group("legal"), group("security"), user("alice"), user("rita")], 1..=3);
    let one =
        (approvers, 1_u32..4, 1_u32..3).prop_map(|(approvers, approve, deny)| stage("s", approvers, approve, deny));
    let stages = prop::collection::vec(one, 1..3);
    let one = (stages, any::<bool>(), any::<bool>()).prop_map(|(stages, duties, cancel)| {
        let mut chain = chain("c", stages);
        chain.separation_of_duties = duties;
        chain.on_client_gone = if cancel { ClientGone::Cancel } else { ClientGone::Detach };
        chain
    });
    prop::collection::vec(one, 1..3)
}

/// What a reader without the machine would say: in every stage of every chain, enough distinct people who were named.
fn quorum_is_honest(hold: &Hold) -> bool {
    hold.tracks().all(|(chain, track)| {
        chain.stages.iter().enumerate().all(|(index, stage)| {
            let votes: Vec<_> = track.votes().iter().filter(|vote| vote.stage == index).collect();
            let named = |p: &Person, list: &[Approver]| {
                list.iter().any(|a| match a {
                    Approver::User(user) => *user == p.name,
                    Approver::Group(group) => p.groups.contains(group),
                })
            };
            let people: std::collections::BTreeSet<String> = votes
                .iter()
                .map(|vote| &vote.ballot)
                .filter(|b| b.decision == Decision::Approve)
                .filter(|b| named(&b.by, &stage.approvers) || named(&b.by, &stage.fallback))
                .filter(|b| !chain.separation_of_duties || b.by.name.to_lowercase() != "rita")
                .map(|b| b.by.name.to_lowercase())
                .collect();
            let denials = votes.iter().filter(|vote| vote.ballot.decision == Decision::Deny).count();
            people.len() >= stage.quorum.approve as usize && denials < stage.quorum.deny as usize
        })
    })
}

proptest! {
    #[test]
    fn a_terminal_phase_is_never_left(chains in chains(), events in events()) {
        let mut hold = Hold::open(ask(chains));
        for (second, event) in events {
            let before = hold.clone();
            if let Ok(step) = advance(&before, event, at(second)) {
                if before.phase() != Phase::Pending {
                    prop_assert_eq!(step.hold.phase(), before.phase());
                    prop_assert_eq!(step.hold.ending(), before.ending());
                }
                let grown = u64::from(step.hold != before);
                prop_assert_eq!(step.hold.version(), before.version() + grown);
                hold = step.hold;
            }
        }
    }

    #[test]
    fn the_same_events_give_the_same_hold(chains in chains(), events in events()) {
        prop_assert_eq!(live(chains.clone(), &events), live(chains, &events));
    }

    #[test]
    fn approved_means_that_every_quorum_was_met_by_distinct_eligible_people(chains in chains(), events in events()) {
        let (hold, _) = live(chains, &events);
        if hold.phase() == Phase::Approved {
            prop_assert!(quorum_is_honest(&hold));
        }
    }

    #[test]
    fn a_denial_at_the_threshold_always_wins(events in events()) {
        let one = chain("c", vec![stage("s", vec![group("legal"), user("alice")], 3, 1)]);
        let (hold, _) = live(vec![one], &events);
        let denied = hold.tracks().any(|(_, t)| t.votes().iter().any(|v| v.ballot.decision == Decision::Deny));
        prop_assert_eq!(denied, hold.phase() == Phase::Denied);
    }

    #[test]
    fn of_two_decisions_at_once_one_order_or_the_other_counts(chains in chains(), before in events()) {
        let (hold, _) = live(chains, &before);
        let (yes, no) = (approves("alice", &["legal", "security"]), denies("bob", &["legal", "security"]));
        for pair in [[yes.clone(), no.clone()], [no, yes]] {
            let mut settled = 0;
            let mut now = hold.clone();
            for event in pair {
                if let Ok(step) = advance(&now, event, at(100)) {
                    settled += step.effects.iter().filter(|e| matches!(e, Effect::Settled(_))).count();
                    now = step.hold;
                }
            }
            prop_assert!(settled <= 1);
        }
    }
}
