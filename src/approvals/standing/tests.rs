//! On which terms a decision stands, for which queries, and how it ends.

use super::super::tests::{ask, at, legal, name};
use super::super::{Event, Phase, advance};
use super::*;

const HOUR: Duration = Duration::from_hours(1);

fn similar() -> Similar {
    Similar { exact: Digest::of(b"exact"), words: Digest::of(b"words") }
}

fn asked(user: Option<&str>, chains: Vec<Chain>) -> Ask {
    let requester = Requester { user: user.map(str::to_owned), groups: Vec::new() };
    Ask { similar: Some(similar()), requester, ..ask(chains) }
}

#[expect(clippy::unnecessary_wraps, reason = "as a ballot has it: the other choice is none")]
fn lasts(lasts: Duration, uses: Option<u32>) -> Option<Lasting> {
    Some(Lasting { lasts, uses })
}

fn says(who: &str, decision: Decision, lasting: Option<Lasting>) -> Event {
    let by = Person { name: who.to_owned(), groups: vec!["legal".to_owned()], authenticated_by: "nobody".to_owned() };
    Event::Decided(Ballot { by, decision, reason: format!("{who} says so"), view: None, lasting })
}

/// A hold after these votes at seconds 1, 2...
fn decided(ask: Ask, votes: Vec<Event>) -> Hold {
    let mut hold = Hold::open(ask);
    for (second, vote) in (1..).zip(votes) {
        hold = advance(&hold, vote, at(second)).unwrap().hold;
    }
    hold
}

fn id() -> GrantId {
    GrantId::of(at(0), [7; 10])
}

fn granted(one: Option<Lasting>, other: Option<Lasting>) -> Option<Standing> {
    let votes = vec![says("alice", Decision::Approve, one), says("bob", Decision::Approve, other)];
    let hold = decided(asked(Some("rita"), vec![legal()]), votes);
    assert_eq!(hold.phase(), Phase::Approved);
    Standing::of(&hold, id())
}

fn muted(user: Option<&str>, mute: Option<Lasting>) -> Option<Standing> {
    // Nobody in particular cannot ask where duties are separated.
    let chain = Chain { separation_of_duties: false, ..legal() };
    let hold = decided(asked(user, vec![chain]), vec![says("alice", Decision::Deny, mute)]);
    assert_eq!(hold.phase(), Phase::Denied);
    Standing::of(&hold, id())
}

#[test]
fn a_grant_has_the_narrowest_terms_and_needs_everybody_who_approved() {
    let both = granted(lasts(8 * HOUR, Some(20)), lasts(2 * HOUR, None)).unwrap();
    let terms = both.terms();
    assert_eq!((terms.until, terms.uses_max), (at(2) + Duration::from_hours(2), Some(20)));
    let by: Vec<&str> = terms.given_by.iter().map(|giver| giver.name.as_str()).collect();
    assert_eq!((by, terms.requester.as_deref()), (vec!["alice", "bob"], Some("rita")));
    assert_eq!(granted(lasts(HOUR, Some(9)), lasts(HOUR, Some(3))).unwrap().terms().uses_max, Some(3));
    assert_eq!(granted(lasts(HOUR, None), None), None, "one who approves once makes it once");
    assert_eq!(granted(None, None), None);
    let pending =
        decided(asked(Some("rita"), vec![legal()]), vec![says("alice", Decision::Approve, lasts(HOUR, None))]);
    assert_eq!(Standing::of(&pending, id()), None, "half a quorum grants nothing");
}

#[test]
fn every_chain_and_stage_has_its_say() {
    let mut security = Chain { name: name("security"), ..legal() };
    security.stages[0].quorum.approve = 1;
    security.stages[0].approvers = vec![super::super::Approver::User("sam".to_owned())];
    let chains = || vec![legal(), security.clone()];
    let sam = |lasting| {
        let by = Person { name: "sam".to_owned(), groups: Vec::new(), authenticated_by: "nobody".to_owned() };
        Event::Decided(Ballot { by, decision: Decision::Approve, reason: "fine".to_owned(), view: None, lasting })
    };
    let yes = |who| says(who, Decision::Approve, lasts(HOUR, None));
    let all = decided(asked(Some("rita"), chains()), vec![yes("alice"), yes("bob"), sam(lasts(HOUR / 2, None))]);
    assert_eq!(Standing::of(&all, id()).unwrap().terms().until, at(3) + Duration::from_mins(30));
    let once = decided(asked(Some("rita"), chains()), vec![yes("alice"), yes("bob"), sam(None)]);
    assert_eq!((once.phase(), Standing::of(&once, id())), (Phase::Approved, None));
}

#[test]
fn a_mute_is_of_one_caller_or_of_all_who_are_nobody_in_particular() {
    let rita = muted(Some("rita"), lasts(HOUR, None)).unwrap();
    let nobody = muted(None, lasts(HOUR, None)).unwrap();
    assert_eq!(rita.terms().decision, Decision::Deny);
    assert_ne!(rita.terms().key, nobody.terms().key);
    assert_eq!(muted(Some("rita"), None), None);
    let who = |user: Option<&str>| Requester { user: user.map(str::to_owned), groups: Vec::new() };
    let elsewhere = Similar { exact: Digest::of(b"other frame"), ..similar() };
    assert_eq!(mute_key(similar(), &who(Some("rita"))), rita.terms().key);
    assert_ne!(mute_key(elsewhere, &who(Some("rita"))), rita.terms().key);
    assert_eq!(mute_key(elsewhere, &who(None)), nobody.terms().key, "whatever else they say");
}

#[test]
fn it_ends_by_its_time_its_uses_or_a_revocation() {
    let grant = granted(lasts(HOUR, Some(2)), lasts(HOUR, Some(2))).unwrap();
    let end = at(2) + Duration::from_hours(1);
    assert_eq!(grant.phase(end), StandingPhase::Active);
    assert_eq!(grant.phase(end + Duration::from_secs(1)), StandingPhase::Expired);
    let one = grant.used(at(3)).unwrap();
    let two = one.used(at(3)).unwrap();
    assert_eq!((two.phase(at(3)), two.used(at(3))), (StandingPhase::UsedUp, None));
    let by = Person { name: "carol".to_owned(), groups: Vec::new(), authenticated_by: "nobody".to_owned() };
    let revoked = two.revoke(&by, "a mistake", at(4)).unwrap();
    assert_eq!((revoked.phase(at(4)), revoked.used(at(4))), (StandingPhase::Revoked, None));
    assert!(matches!(revoked.revoke(&by, "again", at(5)), Err(NotRevoked::Ended { .. })));
    assert!(matches!(grant.revoke(&by, "late", at(9_999)), Err(NotRevoked::Ended { .. })));
    assert!(matches!(grant.revoke(&by, " ", at(4)), Err(NotRevoked::Refused(Refused::BadReason))));
    let stored: Standing = serde_json::from_str(&serde_json::to_string(&revoked).unwrap()).unwrap();
    assert_eq!(stored, revoked, "it survives its store");
}

#[test]
fn only_a_counted_use_of_a_standing_grant_for_alike_queries_permits() {
    let grant = granted(lasts(HOUR, Some(1)), lasts(HOUR, Some(1))).unwrap();
    let used = grant.used(at(3)).unwrap();
    let (alike, chains) = (Some(similar()), [legal()]);
    let by = Person { name: "carol".to_owned(), groups: Vec::new(), authenticated_by: "nobody".to_owned() };
    let mut stricter = legal();
    stricter.stages[0].quorum.approve = 3;
    let other = Some(Similar { exact: Digest::of(b"other"), ..similar() });
    for (what, standing, similar, chains, second, expected) in [
        ("used", used.clone(), alike, &chains[..], 3, true),
        ("not counted", grant, alike, &chains, 3, false),
        ("another query", used.clone(), other, &chains, 3, false),
        ("like none", used.clone(), None, &chains, 3, false),
        ("other people would decide", used.clone(), alike, &[stricter], 3, false),
        ("expired", used.clone(), alike, &chains, 4_000, false),
        ("revoked", used.revoke(&by, "no", at(3)).unwrap(), alike, &chains, 3, false),
        ("a mute", muted(Some("rita"), lasts(HOUR, None)).unwrap().used(at(3)).unwrap(), alike, &chains, 3, false),
    ] {
        assert_eq!(permits(&standing, similar, chains, at(second)), expected, "{what}");
    }
}

#[test]
fn what_cannot_stand_is_refused_when_it_is_asked_for() {
    let chain = || Chain { separation_of_duties: false, ..legal() };
    let refused = |ask: Ask, decision, lasting| {
        let why = advance(&Hold::open(ask), says("alice", decision, lasting), at(1)).unwrap_err();
        matches!(why, Refused::CannotStand { .. })
    };
    let known = || asked(Some("rita"), vec![chain()]);
    let unlike = Ask { similar: None, ..known() };
    assert!(refused(unlike.clone(), Decision::Approve, lasts(HOUR, None)));
    assert!(refused(unlike, Decision::Deny, lasts(HOUR, None)));
    assert!(refused(asked(None, vec![chain()]), Decision::Approve, lasts(HOUR, None)));
    assert!(refused(known(), Decision::Approve, lasts(Duration::ZERO, None)));
    assert!(refused(known(), Decision::Approve, lasts(STANDING_MAX + HOUR, None)));
    assert!(refused(known(), Decision::Approve, lasts(HOUR, Some(0))));
    assert!(refused(known(), Decision::Deny, lasts(HOUR, Some(3))));
}
