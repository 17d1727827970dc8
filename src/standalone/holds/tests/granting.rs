//! Grants and mutes on disk: counted across restarts, recorded before they count, taken back by another process.

use super::release::{conversation, held_for};
use super::*;
use crate::approvals::{Lasting, NotRevoked, StandingPhase};

fn recall(user: Option<&str>) -> Recall {
    let requester = Requester { user: user.map(str::to_owned), groups: vec![] };
    Recall { requester, chains: vec![chain()], join: Digest::of(b"another query") }
}

/// Rita asks about nightingale; people decide about that query and those like it.
async fn decided(desk: &Desk, decision: Decision, uses: Option<u32>) -> HoldId {
    let body = conversation(&["about nightingale"]);
    let held = held_for(Some("rita"), &body);
    let ask = Ask { digest: held.digest(), similar: held.similar(), ..desk.question(Some("rita"), &body) };
    let id = desk.gate.open(ask).await.unwrap();
    let cli = desk.elsewhere().await;
    for who in ["alice", "bob"] {
        let lasting = Some(Lasting { lasts: Duration::from_hours(1), uses });
        cli.decide(id, Ballot { lasting, ..ballot(who, decision) }).await.unwrap();
        if decision == Decision::Deny {
            break;
        }
    }
    id
}

/// `granted`, `muted`, or people are asked.
async fn now(gate: &SqliteHolds, user: Option<&str>) -> Result<&'static str, HoldFailure> {
    let body = conversation(&["what is Nightingale"]);
    Ok(match gate.recall(recall(user), held_for(user, &body)).await? {
        Recalled::Nothing(_) => "asked",
        Recalled::Carried(_) => "carried",
        Recalled::Granted(granted) => {
            assert_eq!(granted.body().as_ref(), body.as_bytes());
            "granted"
        }
        Recalled::Muted(_) => "muted",
    })
}

fn kinds(desk: &Desk) -> Vec<String> {
    let events = desk.trail.events.lock().unwrap();
    let kind = |event: &audit::Event| serde_json::to_value(event).unwrap()["type"].as_str().unwrap().to_owned();
    events.iter().map(kind).collect()
}

fn carol() -> Person {
    Person { name: "carol".to_owned(), groups: vec![], authenticated_by: "nobody".to_owned() }
}

#[tokio::test]
async fn uses_are_counted_over_restarts_and_never_past_the_last() {
    let desk = Desk::new().await;
    decided(&desk, Decision::Approve, Some(2)).await;
    assert_eq!(now(&desk.gate, Some("eve")).await, Ok("asked"));
    assert_eq!(now(&desk.gate, None).await, Ok("asked"));
    assert_eq!(now(&desk.gate, Some("rita")).await, Ok("granted"));
    let again = gate(desk.folder.path(), &desk.clock, &desk.trail).await;
    let (one, other) = tokio::join!(now(&again, Some("rita")), now(&desk.gate, Some("rita")));
    let mut both = [one.unwrap(), other.unwrap()];
    both.sort_unstable();
    assert_eq!(both, ["asked", "granted"], "of two at once one has the last use");
    let found = desk.elsewhere().await.standing(Decision::Approve).await.unwrap();
    assert_eq!((found[0].uses(), found[0].phase(start())), (2, StandingPhase::UsedUp));
    assert_eq!(kinds(&desk), ["decided", "decided", "standing-given"]);
}

#[tokio::test]
async fn a_query_with_an_approval_of_its_own_uses_no_grant() {
    let desk = Desk::new().await;
    let id = decided(&desk, Decision::Approve, Some(1)).await;
    let body = conversation(&["about nightingale"]);
    let own = Recall { join: desk.question(Some("rita"), &body).join, ..recall(Some("rita")) };
    let asked = desk.gate.recall(own.clone(), held_for(Some("rita"), &body)).await.unwrap();
    let Recalled::Nothing(held) = asked else { panic!("{asked:?}") };
    desk.gate.claim(id, *held, own.join).await.unwrap();
    desk.gate.delivered(id).await.unwrap();
    assert_eq!(now(&desk.gate, Some("rita")).await, Ok("granted"), "the use is still there");
}

#[tokio::test]
async fn nothing_counts_that_is_not_in_the_audit_trail() {
    for decision in [Decision::Approve, Decision::Deny] {
        let desk = Desk::new().await;
        desk.trail.room.store(1, Ordering::SeqCst);
        decided(&desk, decision, None).await;
        assert_eq!(now(&desk.gate, Some("rita")).await, Err(HoldFailure::Unavailable));
        desk.trail.room.store(usize::MAX, Ordering::SeqCst);
        assert!(matches!(now(&desk.gate, Some("rita")).await, Ok("granted" | "muted")));
    }
}

#[tokio::test]
async fn a_grant_ends_with_its_time() {
    let desk = Desk::new().await;
    decided(&desk, Decision::Approve, None).await;
    desk.clock.advance(Duration::from_hours(1));
    assert_eq!(now(&desk.gate, Some("rita")).await, Ok("granted"));
    desk.clock.advance(Duration::from_secs(1));
    assert_eq!(now(&desk.gate, Some("rita")).await, Ok("asked"));
}

#[tokio::test]
async fn another_process_takes_a_grant_back_and_answers_that_run_hear_of_it() {
    let desk = Desk::new().await;
    decided(&desk, Decision::Approve, None).await;
    assert_eq!(now(&desk.gate, Some("rita")).await, Ok("granted"));
    desk.gate.look().await.unwrap();
    let cli = desk.elsewhere().await;
    let id = cli.find_standing("g-", Decision::Approve).await.unwrap_err();
    assert!(matches!(id, StoreFailure::NotStanding(_)), "an id is more than its letter");
    let id = cli.standing(Decision::Approve).await.unwrap()[0].terms().id;
    let found = cli.find_standing(&id.to_string()[..12], Decision::Approve).await.unwrap();
    assert_eq!(found.terms().id, id);
    let running = tokio::spawn({
        let gate = Arc::clone(&desk.gate);
        async move { gate.revoked(id).await }
    });
    desk.gate.look().await.unwrap();
    assert!(!running.is_finished());
    cli.revoke(id, &carol(), "a mistake").await.unwrap();
    desk.gate.look().await.unwrap();
    running.await.unwrap();
    assert_eq!(now(&desk.gate, Some("rita")).await, Ok("asked"));
    assert_eq!(kinds(&desk), ["decided", "decided", "standing-given", "standing-revoked"]);
    let again = cli.revoke(id, &carol(), "again").await.unwrap_err();
    assert!(matches!(again, StoreFailure::NotRevoked(NotRevoked::Ended { .. })), "{again}");
    assert!(desk.gate.cuts.is_empty(), "nobody is remembered who does not wait");
}

#[tokio::test]
async fn a_mute_asks_nobody_until_it_is_taken_back() {
    let desk = Desk::new().await;
    let hold = decided(&desk, Decision::Deny, None).await;
    let body = conversation(&["nightingale?"]);
    match desk.gate.recall(recall(Some("rita")), held_for(Some("rita"), &body)).await.unwrap() {
        Recalled::Muted(by) => assert_eq!(by, hold),
        other => panic!("{other:?}"),
    }
    assert_eq!(now(&desk.gate, Some("eve")).await, Ok("asked"));
    let cli = desk.elsewhere().await;
    let id = cli.standing(Decision::Deny).await.unwrap()[0].terms().id;
    assert!(cli.standing(Decision::Approve).await.unwrap().is_empty());
    cli.revoke(id, &carol(), "ask again").await.unwrap();
    assert_eq!(now(&desk.gate, Some("rita")).await, Ok("asked"));
}
