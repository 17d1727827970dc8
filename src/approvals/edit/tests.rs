//! What an edit does to votes, chains, time and claims.

use super::super::tests::{approves, ask, at, chain, claims, denies, legal, name, person, stage, user};
use super::super::{Event, NotReleased, Phase, Release, Seen, View, advance, joins};
use super::*;
use crate::rules::{Denial, DenialCode, Ruling};

fn form(text: &str, chains: Vec<Chain>) -> Form {
    Form {
        digest: Digest::of(text.as_bytes()),
        revision: Digest::of(b"rules"),
        model: None,
        chains,
        reasons: Vec::new(),
        excerpt: Content::new("| edited\n"),
        unseen: Vec::new(),
        characters: text.len(),
    }
}

fn edit(hold: &Hold, who: &str, groups: &[&str], text: &str, chains: Vec<Chain>) -> Edit {
    let from = hold.ask().digest;
    let edit =
        Edit { by: person(who, groups), reason: "shorter".to_owned(), view: None, from, form: form(text, chains) };
    let view = edited(hold, &edit, at(0)).ok().map(|hold| View::of(&hold).digest_in_full());
    Edit { view, ..edit }
}

fn edits(hold: &Hold, who: &str, groups: &[&str], text: &str) -> Event {
    Event::Edited(Box::new(edit(hold, who, groups, text, Vec::new())))
}

/// Approves what the hold is for now.
fn seen(hold: &Hold, who: &str, groups: &[&str]) -> Event {
    let Event::Decided(ballot) = approves(who, groups) else { unreachable!() };
    Event::Decided(Ballot { view: Some(View::of(hold).digest_in_full()), ..ballot })
}

fn strict() -> Chain {
    Chain { allow_unseen: false, ..legal() }
}

fn then(hold: &Hold, event: Event, second: i64) -> Hold {
    advance(hold, event, at(second)).unwrap().hold
}

#[test]
fn after_an_edit_the_others_approve_the_edited_form() {
    let hold = Hold::open(ask(vec![strict()]));
    let hold = then(&hold, seen(&hold, "alice", &[]), 1);
    let hold = then(&hold, edits(&hold, "bob", &["legal"], "edited"), 2);
    assert_eq!((hold.phase(), hold.ask().digest), (Phase::Pending, Digest::of(b"edited")), "alice's approval lapsed");
    let names = |votes: &[super::super::Vote]| votes.iter().map(|v| v.ballot.by.name.clone()).collect::<Vec<_>>();
    let (_, track) = hold.tracks().next().unwrap();
    assert_eq!((names(track.votes()), names(track.lapsed())), (vec!["bob".to_owned()], vec!["alice".to_owned()]));
    let again = advance(&hold, seen(&hold, "bob", &["legal"]), at(3)).unwrap_err();
    assert!(again.to_string().contains("already decided"), "{again}");
    let excerpt_only = Event::Decided(Ballot {
        by: person("alice", &[]),
        decision: Decision::Approve,
        reason: "fine".to_owned(),
        view: Some(View::of(&hold).digest()),
        lasting: None,
    });
    let unseen = advance(&hold, excerpt_only, at(3)).unwrap_err();
    assert!(unseen.to_string().contains("all of it, as it was edited"), "{unseen}");
    let hold = then(&hold, seen(&hold, "alice", &[]), 4);
    assert_eq!(hold.phase(), Phase::Approved);
}

#[test]
fn an_approval_of_the_form_before_is_refused_even_where_the_unseen_may_be_approved() {
    let hold = Hold::open(ask(vec![legal()]));
    let late = seen(&hold, "alice", &[]);
    let hold = then(&hold, edits(&hold, "bob", &["legal"], "edited"), 1);
    for event in [late, approves("alice", &[])] {
        assert!(advance(&hold, event, at(2)).is_err());
    }
    assert_eq!(then(&hold, denies("alice", &[]), 2).phase(), Phase::Denied, "an objection needs no view");
}

#[test]
fn an_edit_does_not_wipe_an_objection_and_who_objected_may_change_their_mind() {
    let mut two = strict();
    two.stages[0].quorum.deny = 2;
    let hold = Hold::open(ask(vec![two]));
    let hold = then(&hold, denies("alice", &[]), 1);
    let hold = then(&hold, edits(&hold, "bob", &["legal"], "edited"), 2);
    assert_eq!(then(&hold, denies("cleo", &["legal"]), 3).phase(), Phase::Denied);
    assert_eq!(then(&hold, denies("alice", &[]), 3).phase(), Phase::Pending, "one person, one objection");
    assert_eq!(then(&hold, seen(&hold, "alice", &[]), 3).phase(), Phase::Approved);
}

#[test]
fn chains_of_the_edited_form_are_asked_as_well_and_those_before_stay() {
    let security = chain("security", vec![stage("s", vec![user("sam")], 1, 1)]);
    let hold = Hold::open(ask(vec![strict()]));
    let change = edit(&hold, "bob", &["legal"], "edited", vec![security]);
    let hold = then(&hold, Event::Edited(Box::new(change)), 1);
    let hold = then(&hold, seen(&hold, "alice", &[]), 2);
    assert_eq!(hold.phase(), Phase::Pending);
    assert_eq!(then(&hold, seen(&hold, "sam", &[]), 3).phase(), Phase::Approved);
    let unasked = edit(&Hold::open(ask(vec![strict()])), "bob", &["legal"], "e", vec![chain("none", vec![])]);
    let never = advance(&Hold::open(ask(vec![strict()])), Event::Edited(Box::new(unasked)), at(1)).unwrap_err();
    assert!(never.to_string().contains("has no stages"), "{never}");
}

#[test]
fn stages_begin_again_and_whoever_edits_from_a_later_one_proposes() {
    let stages = vec![stage("one", vec![user("alice")], 1, 1), stage("two", vec![user("bob")], 1, 1)];
    let hold = Hold::open(ask(vec![Chain { allow_unseen: false, ..chain("both", stages) }]));
    let hold = then(&hold, seen(&hold, "alice", &[]), 1);
    let hold = then(&hold, edits(&hold, "bob", &[], "edited"), 2);
    let (_, track) = hold.tracks().next().unwrap();
    assert_eq!((track.stage(), track.votes().len()), (0, 0));
    let hold = then(&hold, seen(&hold, "alice", &[]), 3);
    assert_eq!(then(&hold, seen(&hold, "bob", &[]), 4).phase(), Phase::Approved);
}

#[test]
fn who_may_not_decide_may_not_edit_and_every_way_to_be_wrong_is_said() {
    let hold = Hold::open(ask(vec![strict()]));
    let check = |hold: &Hold, change: Edit, words: &str| {
        let refused = advance(hold, Event::Edited(Box::new(change)), at(1)).unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    };
    check(&hold, edit(&hold, "mallory", &[], "x", vec![]), "may not decide about hold");
    check(&hold, edit(&hold, "rita", &["legal"], "x", vec![]), "asked for this query");
    check(&hold, edit(&hold, "bob", &["legal"], "body", vec![]), "changes nothing");
    let good = edit(&hold, "bob", &["legal"], "x", vec![]);
    check(&hold, Edit { view: None, ..good.clone() }, "not all of what hold");
    check(&hold, Edit { view: Some(Digest::of(b"other")), ..good.clone() }, "not the view of hold");
    check(&hold, Edit { reason: " ".to_owned(), ..good.clone() }, "needs a reason");
    let changed = then(&hold, Event::Edited(Box::new(good.clone())), 1);
    check(&changed, good.clone(), "edited by somebody else since");
    check(&then(&hold, denies("alice", &[]), 1), good, "is finished: Denied");
    let mut many = Hold::open(ask(vec![strict()]));
    for number in 0..EDITS_MAX {
        many = then(&many, edits(&many, "bob", &["legal"], &number.to_string()), 1);
    }
    let one_more = Edit {
        view: None,
        from: many.ask().digest,
        form: form("more", vec![]),
        ..edit(&many, "bob", &["legal"], "y", vec![])
    };
    check(&many, one_more, "8 times");
}

#[test]
fn an_edit_gains_nobody_time() {
    let hold = Hold::open(ask(vec![strict()]));
    let hold = then(&hold, edits(&hold, "bob", &["legal"], "edited"), 599);
    assert_eq!(hold.deadline(), Some(at(600)));
    let brief = Chain {
        expires_after: std::time::Duration::from_secs(5),
        ..chain("brief", vec![stage("s", vec![user("sam")], 1, 1)])
    };
    let late = edit(&hold, "alice", &[], "again", vec![brief]);
    let refused = advance(&hold, Event::Edited(Box::new(late)), at(599)).unwrap_err();
    assert!(refused.to_string().contains("the time of chain"), "{refused}");
}

#[test]
fn the_clients_own_bytes_join_and_the_edited_ones_are_claimed() {
    let first = ask(vec![strict()]);
    let security = chain("security", vec![stage("s", vec![user("sam")], 1, 1)]);
    let hold = Hold::open(first.clone());
    let change = edit(&hold, "bob", &["legal"], "edited", vec![security]);
    let hold = then(&hold, Event::Edited(Box::new(change)), 1);
    assert!(joins(&hold, &first, at(2)));
    let hold = then(&hold, seen(&hold, "alice", &[]), 2);
    let hold = then(&hold, seen(&hold, "sam", &[]), 3);
    assert!(joins(&hold, &first, at(4)));
    assert!(advance(&hold, claims(), at(4)).is_err(), "nobody approved the client's own bytes");
    let edited_ask = super::super::Ask { digest: hold.ask().digest, ..first.clone() };
    assert!(!joins(&hold, &edited_ask, at(4)));
    let claim = Event::Claimed { by: "gate".to_owned(), join: first.join, digest: Digest::of(b"edited") };
    let hold = then(&hold, claim, 5);
    let denial = Denial { code: DenialCode::PolicyDenied, message: String::new(), policy: None, rule: None };
    assert_eq!(
        Release::claim_edited(&hold, Ruling::Deny(denial.clone())).unwrap_err(),
        NotReleased::NotJudged(hold.id())
    );
    let unedited = Hold::open(first);
    assert_eq!(
        Release::claim_edited(&unedited, Ruling::Deny(denial)).unwrap_err(),
        NotReleased::NotEdited(unedited.id())
    );
    let stored: Hold = serde_json::from_str(&serde_json::to_string(&hold).unwrap()).unwrap();
    assert_eq!(stored, hold);
    assert_eq!(View::of(&hold).seen(None), Some(Seen::Nothing));
    assert_eq!(hold.first_chains().len(), 1);
    assert_eq!(name("security"), hold.ask().chains[1].name);
}
