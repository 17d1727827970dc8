//! What is remembered of a release, for how long, and what it does not stand for.

use super::super::tests::{approved, ask, at, claims, legal, name};
use super::super::{Event, Person, advance};
use super::*;

const HOUR: Duration = Duration::from_hours(1);

/// Causes in these texts, all under `legal`, carried for so long.
fn causes(carry_for: Duration, texts: &[&str]) -> Causes {
    let cause = |text: &&str| Cause {
        policy: name("contracts").into(),
        rule: "ask".into(),
        chain: name("legal"),
        key: Digest::of(text.as_bytes()),
        carry_for,
    };
    Causes { texts: texts.iter().map(cause).collect(), beyond: false }
}

fn used() -> Hold {
    advance(&approved(), claims(), at(10)).unwrap().hold
}

/// What the release of these texts is remembered for; approved at second 2.
fn memory(carry_for: Duration, texts: &[&str]) -> Vec<Remembered> {
    remembered(&used(), Digest::of(b"body"), &causes(carry_for, texts))
}

#[test]
fn only_an_approval_that_was_used_is_remembered() {
    let pending = Hold::open(ask(vec![legal()]));
    let after = |hold: &Hold, event: Event, second| advance(hold, event, at(second)).unwrap().hold;
    let by = Person { name: "rita".to_owned(), groups: Vec::new(), authenticated_by: "nobody".to_owned() };
    let withdrawn = Event::Withdrawn { by, reason: "a mistake".to_owned() };
    let anonymous = super::super::Ask { requester: super::super::Requester::default(), ..ask(vec![]) };
    for (what, hold, remembered) in [
        ("used", used(), 1),
        ("delivered", after(&used(), Event::Delivered, 11), 1),
        ("approved, not used", approved(), 0),
        ("pending", pending.clone(), 0),
        ("expired", after(&pending, Event::Tick, 10_000), 0),
        ("cancelled", after(&pending, Event::ClientGone, 3), 0),
        ("withdrawn", after(&pending, withdrawn, 3), 0),
        ("never approvable", Hold::open(anonymous), 0),
    ] {
        let found = super::remembered(&hold, Digest::of(b"body"), &causes(HOUR, &["the contract"]));
        assert_eq!(found.len(), remembered, "{what}");
    }
    let other = super::remembered(&used(), Digest::of(b"other"), &causes(HOUR, &["the contract"]));
    assert!(other.is_empty(), "a hold of other bytes stands for nothing");
}

#[track_caller]
fn check(memory: &[Remembered], causes: &Causes, second: i64, expected: bool) {
    let from = released((causes, &[name("legal")]), &[legal()], memory, at(second));
    assert_eq!(from, expected.then(|| vec![ask(vec![]).id]));
}

#[test]
fn a_release_carries_for_the_shorter_of_two_times_from_the_approval_on() {
    let known = memory(HOUR, &["the contract"]);
    let again = |carry| causes(carry, &["the contract"]);
    check(&known, &again(HOUR), 2 + 3600, true);
    check(&known, &again(HOUR), 2 + 3601, false);
    check(&known, &again(2 * HOUR), 2 + 3601, false);
    check(&known, &again(HOUR / 2), 2 + 1800, true);
    check(&known, &again(HOUR / 2), 2 + 1801, false);
    check(&known, &again(Duration::ZERO), 3, false);
    assert!(memory(Duration::ZERO, &["the contract"]).is_empty(), "without a time nothing is remembered");
}

#[test]
fn whatever_else_holds_a_query_is_asked_about() {
    let known = memory(HOUR, &["the contract"]);
    check(&known, &causes(HOUR, &["the contract", "clause 2"]), 3, false);
    check(&[], &causes(HOUR, &["the contract"]), 3, false);
    check(&known, &causes(HOUR, &[]), 3, false);
    check(&known, &Causes { beyond: true, ..causes(HOUR, &["the contract"]) }, 3, false);
    let mut mixed = causes(HOUR, &["the contract", "the payroll"]);
    mixed.texts[1].carry_for = Duration::ZERO;
    check(&memory(HOUR, &["the contract", "the payroll"]), &mixed, 3, false);
    // The engine wants a chain that no cause explains.
    let asked = [name("legal"), name("security")];
    let chains = [legal(), Chain { name: name("security"), ..legal() }];
    assert_eq!(released((&causes(HOUR, &["the contract"]), &asked), &chains, &known, at(3)), None);
}

#[test]
fn who_decides_is_part_of_what_was_decided() {
    let known = memory(HOUR, &["the contract"]);
    let carried =
        |chains: &[Chain]| released((&causes(HOUR, &["the contract"]), &[name("legal")]), chains, &known, at(3));
    assert!(carried(&[legal()]).is_some());
    let mut stricter = legal();
    stricter.stages[0].quorum.approve = 3;
    assert_eq!(carried(&[stricter]), None);
    assert_eq!(carried(&[]), None, "a chain that is not there was not asked");
}

#[test]
fn several_releases_carry_together() {
    let mut known = memory(HOUR, &["the contract"]);
    let later = HoldId::of(at(1), [9; 10]);
    known.extend(memory(HOUR, &["clause 2"]).into_iter().map(|one| Remembered { hold: later, ..one }));
    let both = causes(HOUR, &["the contract", "clause 2"]);
    let from = released((&both, &[name("legal")]), &[legal()], &known, at(3));
    assert_eq!(from, Some(vec![ask(vec![]).id, later]));
}
