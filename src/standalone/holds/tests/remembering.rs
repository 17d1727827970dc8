//! What releases are remembered for, on disk: across restarts, within bounds.

use sqlx::{Connection as _, Row as _};

use super::release::{BODY, conversation, held_for};
use super::*;
use crate::approvals::{Remembered, Requester};

fn recall(user: Option<&str>) -> Recall {
    let requester = Requester { user: user.map(str::to_owned), groups: vec![] };
    Recall { requester, chains: vec![chain()], join: Digest::of(b"another query") }
}

/// Has rita's query approved and claims it.
async fn release(desk: &Desk, body: &str) -> HoldId {
    let held = held_for(Some("rita"), body);
    let ask = Ask { digest: held.digest(), ..desk.question(Some("rita"), body) };
    let join = ask.join;
    let id = desk.gate.open(ask).await.unwrap();
    approve(&desk.elsewhere().await, id).await;
    desk.gate.claim(id, *held, join).await.unwrap();
    id
}

async fn carried_from(gate: &SqliteHolds, user: Option<&str>, body: &str) -> Option<Vec<HoldId>> {
    match gate.recall(recall(user), held_for(user, body)).await.unwrap() {
        Recalled::Carried(carried) => Some(carried.from().to_vec()),
        Recalled::Nothing(held) => {
            assert_eq!(held.query().body(), body.as_bytes(), "what is not carried is given back");
            None
        }
        other @ (Recalled::Granted(_) | Recalled::Muted(_)) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_release_is_remembered_from_its_claim_on_and_over_restarts() {
    let desk = Desk::new().await;
    let body = std::str::from_utf8(BODY).unwrap();
    let held = held_for(Some("rita"), body);
    let ask = Ask { digest: held.digest(), ..desk.question(Some("rita"), body) };
    let join = ask.join;
    let id = desk.gate.open(ask).await.unwrap();
    approve(&desk.elsewhere().await, id).await;
    let longer = conversation(&["Tell me about nightingale, please", "go on"]);
    assert_eq!(carried_from(&desk.gate, Some("rita"), &longer).await, None, "approved, but not used yet");
    desk.gate.claim(id, *held, join).await.unwrap();
    // As after `kill -9`: nothing was closed, another gate opens what is on disk.
    let again = gate(desk.folder.path(), &desk.clock, &desk.trail).await;
    for gate in [&desk.gate, &again] {
        assert_eq!(carried_from(gate, Some("rita"), &longer).await, Some(vec![id]));
        assert_eq!(carried_from(gate, Some("eve"), &longer).await, None);
        assert_eq!(carried_from(gate, None, &longer).await, None);
    }
    desk.clock.advance(Duration::from_hours(8) + Duration::from_secs(1));
    assert_eq!(carried_from(&again, Some("rita"), &longer).await, None);
}

#[tokio::test]
async fn the_newest_release_of_a_text_counts() {
    let desk = Desk::new().await;
    let body = conversation(&["about nightingale"]);
    release(&desk, &body).await;
    desk.clock.advance(Duration::from_hours(7));
    let later = release(&desk, &body).await;
    desk.clock.advance(Duration::from_hours(7));
    assert_eq!(carried_from(&desk.gate, Some("rita"), &body).await, Some(vec![later]));
}

#[tokio::test]
async fn a_caller_takes_no_more_than_its_share_and_the_oldest_go_first() {
    let desk = Desk::new().await;
    let one = |n: i64, requester_at: i64| Remembered {
        key: Digest::of(&n.to_be_bytes()),
        hold: HoldId::of(start(), [0; 10]),
        at: start() + Duration::from_secs(requester_at.unsigned_abs()),
        carry_for: Duration::from_hours(1),
    };
    let mut connection = desk.gate.store.connection().await;
    let mut connection = connection.begin().await.unwrap();
    let many: Vec<_> = (0..=REMEMBERED_PER_REQUESTER_MAX).map(|n| one(n, n)).collect();
    memory::keep(&mut connection, "rita", &many, start()).await.unwrap();
    memory::keep(&mut connection, "eve", &many[..1], start()).await.unwrap();
    let count = sqlx::query("SELECT COUNT(*) FROM remembered WHERE requester = 'rita'");
    let count: i64 = count.fetch_one(&mut *connection).await.unwrap().get(0);
    assert_eq!(count, REMEMBERED_PER_REQUESTER_MAX);
    assert!(memory::recall(&mut connection, "rita", &[many[0].key]).await.unwrap().is_empty());
    assert_eq!(memory::recall(&mut connection, "eve", &[many[0].key]).await.unwrap(), many[..1]);
    assert_eq!(memory::recall(&mut connection, "rita", &[many[1].key]).await.unwrap(), many[1..2]);
    // What nobody may use any more is gone with the next release.
    let late = start() + Duration::from_hours(100);
    memory::keep(&mut connection, "eve", &[one(-1, 400_000)], late).await.unwrap();
    let rest: i64 = sqlx::query("SELECT COUNT(*) FROM remembered").fetch_one(&mut *connection).await.unwrap().get(0);
    assert_eq!(rest, 1);
}
