//! What approvers made of queries: kept with their holds, released as they are, and gone when it is over.

use bytes::Bytes;

use super::release::{BODY, held};
use super::*;
use crate::approvals::{CLAIM_WINDOW, Edit, Form, View};
use crate::rules::Ruling;
use crate::wire::Format;

const EDITED: &[u8] = br#"{"model":"m","messages":[{"role":"user","content":"All of nightingale in short"}]}"#;

fn text(body: &'static [u8]) -> EditedText {
    EditedText { body: Bytes::from_static(body), format: Format::OpenaiChat }
}

/// Bob's edit of what a hold is for now.
async fn edit(desk: &Desk, id: HoldId, digest: Digest) -> Edit {
    let form = Form {
        digest,
        revision: Digest::of(b"rules"),
        model: None,
        chains: vec![],
        reasons: vec![],
        excerpt: Content::default(),
        unseen: vec![],
        characters: 10,
    };
    let by = ballot("bob", Decision::Approve).by;
    let from = desk.gate.store.get(id).await.unwrap().ask().digest;
    let edit = Edit { by, reason: "shorter".to_owned(), view: None, from, form };
    let view = desk.gate.try_edit(id, &edit).await.map(|hold| View::of(&hold).digest_in_full());
    Edit { view: view.ok(), ..edit }
}

/// A hold about [`BODY`] that Bob has edited.
async fn edited(desk: &Desk) -> (HoldId, Digest) {
    let ask = Ask { digest: Digest::of(BODY), ..desk.question(Some("rita"), "body") };
    let join = ask.join;
    let id = desk.gate.open(ask).await.unwrap();
    let change = edit(desk, id, Digest::of(EDITED)).await;
    desk.gate.edit(id, change, &text(EDITED)).await.unwrap();
    (id, join)
}

async fn approved(desk: &Desk) -> (HoldId, Digest) {
    let (id, join) = edited(desk).await;
    let view = Some(View::of(&desk.gate.store.get(id).await.unwrap()).digest_in_full());
    let step = desk.elsewhere().await.decide(id, Ballot { view, ..yes("alice") }).await.unwrap();
    assert_eq!(step.hold.phase(), Phase::Approved);
    (id, join)
}

fn ruling(body: &'static [u8]) -> Ruling {
    Ruling::Hold(Box::new(held(&["legal"], body).0))
}

#[tokio::test]
async fn the_edited_bytes_are_released_and_no_others() {
    let desk = Desk::new().await;
    let (id, join) = approved(&desk).await;
    let refused = Some(HoldFailure::NotReleased(id));
    assert_eq!(desk.gate.claim(id, held(&["legal"], BODY).0, join).await.err(), refused, "the client's own");
    assert_eq!(desk.gate.claim_edited(id, ruling(BODY), join).await.err(), refused);
    assert_eq!(desk.gate.claim_edited(id, ruling(EDITED), Digest::of(b"somebody")).await.err(), refused);
    let release = desk.gate.claim_edited(id, ruling(EDITED), join).await.unwrap();
    assert_eq!((release.body().as_ref(), release.digest()), (EDITED, Digest::of(EDITED)));
    let events = desk.trail.events.lock().unwrap();
    let audit::Event::Edited { original, edited, by, view: Some(_), .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!((*original, *edited, by.as_str()), (Digest::of(BODY), Digest::of(EDITED), "bob"));
}

#[tokio::test]
async fn what_an_approver_wrote_is_kept_as_long_as_it_can_be_released() {
    let desk = Desk::new().await;
    let kept = async |id| desk.gate.store.edited(id).await.unwrap().map(|text| text.body);
    let (pending, _) = edited(&desk).await;
    assert_eq!(kept(pending).await.as_deref(), Some(EDITED));
    desk.gate.forget_edited().await.unwrap();
    desk.gate.decide(pending, ballot("cleo", Decision::Deny)).await.unwrap();
    assert_eq!(kept(pending).await, None, "denied");
    desk.clock.advance(crate::approvals::ANSWER_WINDOW + Duration::from_secs(1));
    let (delivered, join) = approved(&desk).await;
    desk.gate.claim_edited(delivered, ruling(EDITED), join).await.unwrap();
    desk.gate.forget_edited().await.unwrap();
    assert!(kept(delivered).await.is_some(), "a broken connection must not page people again");
    desk.gate.delivered(delivered).await.unwrap();
    assert_eq!(kept(delivered).await, None, "delivered");
    let (unused, _) = approved(&desk).await;
    desk.clock.advance(CLAIM_WINDOW + Duration::from_secs(1));
    assert!(kept(unused).await.is_some());
    desk.gate.forget_edited().await.unwrap();
    assert_eq!(kept(unused).await, None, "never used");
    let (expired, _) = edited(&desk).await;
    desk.clock.advance(Duration::from_mins(31));
    desk.gate.look().await.unwrap();
    assert_eq!(kept(expired).await, None, "expired");
}

#[tokio::test]
async fn an_edit_too_large_to_keep_changes_nothing() {
    let desk = Desk::new().await;
    let id = desk.ask(Some("rita"), "body").await.unwrap();
    let before = desk.gate.store.get(id).await.unwrap();
    let large = EditedText { body: Bytes::from(vec![b' '; EDITED_BYTES_MAX + 1]), format: Format::OpenaiChat };
    let change = edit(&desk, id, Digest::of(&large.body)).await;
    let failure = desk.gate.edit(id, change, &large).await.unwrap_err();
    assert!(matches!(failure, StoreFailure::EditTooLarge), "{failure}");
    assert_eq!(desk.gate.store.get(id).await.unwrap(), before);
    desk.gate.look().await.unwrap();
    assert_eq!(desk.trail.decisions(), Vec::<String>::new());
}

#[tokio::test]
async fn an_edit_and_a_decision_at_once_are_one_after_the_other() {
    let desk = Desk::new().await;
    let id = desk.ask(Some("rita"), "body").await.unwrap();
    let change = edit(&desk, id, Digest::of(EDITED)).await;
    let again = change.clone();
    let cli = desk.elsewhere().await;
    let view = Some(View::of(&desk.gate.store.get(id).await.unwrap()).digest());
    let late = Ballot { view, ..yes("alice") };
    let edit_text = text(EDITED);
    let (first, second) = tokio::join!(desk.gate.edit(id, change, &edit_text), cli.decide(id, late));
    assert!(first.is_ok() || second.is_ok());
    // Whoever came second was told of the first, or was counted for the form that both saw.
    let hold = desk.gate.store.get(id).await.unwrap();
    let (_, track) = hold.tracks().next().unwrap();
    assert_eq!((hold.phase(), track.votes().len()), (Phase::Pending, 1));
    assert!(desk.gate.edit(id, again, &edit_text).await.is_err());
}
