//! Who is called back, when, how often, and after a restart.

use super::*;

const URL: &str = "https://hooks.example.org/bob";

impl Desk {
    async fn with_callback(&self, body: &str, url: &str) -> Result<HoldId, HoldFailure> {
        let callback = Some(url.to_owned());
        self.gate.open(Ask { callback, ..self.question(Some("rita"), body) }).await
    }

    /// What is to be sent now.
    async fn due(&self) -> Vec<Due> {
        self.gate.callbacks_due().await.unwrap()
    }
}

#[tokio::test]
async fn a_client_is_called_when_its_hold_has_ended_and_its_decision_is_recorded() {
    let desk = Desk::new().await;
    let id = desk.with_callback("body", URL).await.unwrap();
    assert!(desk.due().await.is_empty(), "not before");
    desk.elsewhere().await.decide(id, ballot("alice", Decision::Deny)).await.unwrap();
    desk.trail.room.store(0, Ordering::SeqCst);
    assert!(desk.gate.callbacks_due().await.is_err(), "nobody hears of what is not in the trail");
    desk.trail.room.store(9, Ordering::SeqCst);
    desk.clock.advance(Duration::from_mins(1));
    let due = desk.due().await;
    assert_eq!((due.len(), due[0].url.as_str(), due[0].hold.id()), (1, URL, id));
    assert_eq!(desk.trail.decisions(), ["deny alice"]);
    assert!(desk.due().await.is_empty(), "one that was handed out is nobody else's");
    assert_eq!(desk.gate.called_back(&due[0], Attempt::Delivered).await, Ok(Next::Never));
    desk.clock.advance(Duration::from_hours(1));
    assert!(desk.due().await.is_empty());
}

#[tokio::test]
async fn an_attempt_that_failed_is_repeated_for_an_hour_across_a_restart() {
    let mut desk = Desk::new().await;
    let id = desk.with_callback("body", URL).await.unwrap();
    desk.gate.decide(id, ballot("alice", Decision::Deny)).await.unwrap();
    let start = desk.clock.now();
    let mut attempts = 0;
    loop {
        let due = desk.due().await;
        let Some(one) = due.first() else {
            if desk.clock.now().duration_since(start) > jiff::SignedDuration::from_hours(3) {
                break;
            }
            desk.clock.advance(Duration::from_secs(1));
            continue;
        };
        attempts += 1;
        let next = desk.gate.called_back(one, Attempt::Failed).await.unwrap();
        assert_eq!(next == Next::Never, attempts == 8);
        if attempts == 3 {
            desk.gate = gate(desk.folder.path(), &desk.clock, &desk.trail).await;
        }
    }
    assert_eq!(attempts, 8);
    let refused = desk.with_callback("other", URL).await.unwrap();
    desk.gate.decide(refused, ballot("alice", Decision::Deny)).await.unwrap();
    let due = desk.due().await;
    assert_eq!(desk.gate.called_back(&due[0], Attempt::Refused).await, Ok(Next::Never));
}

#[tokio::test]
async fn one_message_that_was_lost_with_its_sender_is_sent_again() {
    let desk = Desk::new().await;
    let id = desk.with_callback("body", URL).await.unwrap();
    desk.gate.decide(id, ballot("alice", Decision::Deny)).await.unwrap();
    assert_eq!(desk.due().await.len(), 1);
    desk.clock.advance(Duration::from_secs(30));
    assert_eq!(desk.due().await.len(), 1);
}

#[tokio::test]
async fn whoever_joins_is_called_too_and_addresses_are_bounded() {
    let desk = Desk::new().await;
    let id = desk.with_callback("body", URL).await.unwrap();
    for n in 0..3 {
        assert_eq!(desk.with_callback("body", &format!("{URL}/{n}")).await, Ok(id));
    }
    assert_eq!(desk.with_callback("body", URL).await, Ok(id), "the same address is one");
    assert_eq!(desk.with_callback("body", &format!("{URL}/more")).await, Err(HoldFailure::Overloaded));
    desk.gate.decide(id, ballot("alice", Decision::Deny)).await.unwrap();
    assert_eq!(desk.due().await.len(), 4);
}

#[tokio::test]
async fn whoever_is_called_back_need_not_wait() {
    let desk = Desk::new().await;
    let mut ask = desk.question(Some("rita"), "body");
    ask.chains[0].on_client_gone = ClientGone::Cancel;
    let id = desk.gate.open(ask.clone()).await.unwrap();
    desk.gate.open(Ask { callback: Some(URL.to_owned()), id: HoldId::fresh(desk.clock.now()), ..ask }).await.unwrap();
    desk.clock.advance(Duration::from_mins(29));
    assert_eq!(desk.gate.look_up(id).await.unwrap().phase(), Phase::Pending);
}
