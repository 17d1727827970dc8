//! Tests of what a held stream says while it waits.

use serde_json::Value;

use super::*;

fn words(chat: bool) -> Words<'static> {
    let now = "2026-11-23T12:00:00Z".parse().unwrap();
    Words { query: "q-1".to_owned(), hold: "h-1".to_owned(), model: "m", chat, now }
}

fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn comments_are_comments_wherever_the_format_has_them() {
    for framing in [Framing::Chat, Framing::Completions, Framing::Responses, Framing::Messages, Framing::Comments] {
        assert_eq!(text(&framing.comment(&words(true))), ": waiting for approval h-1\n\n");
    }
}

#[test]
fn responses_and_other_servers_get_comments_only() {
    for framing in [Framing::Responses, Framing::Comments] {
        assert_eq!(framing.delta(&words(true)), framing.comment(&words(true)));
    }
}

#[test]
fn deltas_are_empty_and_have_no_role() {
    let event = |framing: Framing| -> Value {
        let delta = framing.delta(&words(true));
        let data = text(&delta).strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap().to_owned();
        serde_json::from_str(&data).unwrap()
    };
    let chat = event(Framing::Chat);
    assert_eq!((&chat["id"], &chat["object"]), (&json!("q-1"), &json!("chat.completion.chunk")));
    assert_eq!(chat["choices"][0]["delta"], json!({"content": ""}));
    let completion = event(Framing::Completions);
    assert_eq!((&completion["object"], &completion["choices"][0]["text"]), (&json!("text_completion"), &json!("")));
    assert_eq!(text(&Framing::Messages.delta(&words(true))), "event: ping\ndata: {\"type\": \"ping\"}\n\n");
}

#[test]
fn lines_are_whole_messages_with_nothing_in_them() {
    let line = |chat: bool| -> Value {
        let line = Framing::Lines.comment(&words(chat));
        assert!(text(&line).ends_with("}\n"));
        serde_json::from_slice(&line).unwrap()
    };
    assert_eq!(line(true)["message"], json!({"role": "assistant", "content": ""}));
    assert_eq!(line(false)["response"], json!(""));
    assert_eq!(line(false)["done"], json!(false));
}
