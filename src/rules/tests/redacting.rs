//! Redactions: what changes, what does not, and when a query is refused instead.

use super::*;

/// A chat query as a client writes it.
fn posted(body: &str) -> Query {
    crate::wire::decode(Format::OpenaiChat, Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn said(text: &str) -> Query {
    posted(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":{}}}]}}"#, serde_json::json!(text)))
}

#[track_caller]
fn redacts(rules: Vec<Rule>, text: &str, expected: &str) {
    let judgement = World::default().judge(&set(rules), said(text));
    assert_eq!(judgement.verdict, Verdict::Redact, "{text}: {judgement:?}");
    let Ruling::Clear(clearance) = judgement.ruling else { panic!("passes") };
    assert_eq!(clearance.basis(), Basis::Redacted);
    assert_eq!(clearance.digest(), crate::base::Digest::of(clearance.body()));
    let expected =
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":{}}}]}}"#, serde_json::json!(expected));
    assert_eq!(std::str::from_utf8(clearance.body()).unwrap(), expected);
}

#[test]
fn a_redaction_changes_what_matched_and_nothing_else() {
    let email = || when(detector("email"), Action::Redact);
    let word = || when(words(&["project x"]), Action::Redact);
    redacts(vec![email()], "a@b.example.com, c@d.example.com, a@b.example.com", "[EMAIL_1], [EMAIL_2], [EMAIL_1]");
    redacts(vec![word()], "about Project\n X!", "about [REDACTED_1]!");
    redacts(vec![word(), email()], "project x: a@b.example.com", "[REDACTED_1]: [EMAIL_1]");
    redacts(
        vec![when(words(&["ab cd"]), Action::Redact), when(words(&["cd ef"]), Action::Redact)],
        "ab cd ef",
        "[REDACTED_1]",
    );
    redacts(vec![word()], "\u{201c}ｐroject\u{200b} x\u{201d} é", "\u{201c}[REDACTED_1]\u{201d} é");
    redacts(
        vec![when(regex(r"\bsk-[a-z]+"), Action::Redact)],
        "sk-abc \"q\" sk-abc",
        "[REDACTED_1] \"q\" [REDACTED_1]",
    );
}

#[test]
fn a_redaction_that_is_not_possible_refuses() {
    let number = posted(r#"{"model":"m","seed":4111,"messages":[{"role":"user","content":"hi"}]}"#);
    let rules = vec![when(regex("411[0-9]"), Action::Redact)];
    let judgement = World::default().judge(&set(rules), number);
    let Ruling::Deny(denial) = judgement.ruling else { panic!("is refused") };
    assert_eq!(denial.code, DenialCode::RedactionFailed);
    assert!(denial.message.starts_with("`seed` "), "{}", denial.message);
    // The mark itself matches what must be redacted.
    let marks = Matcher::Text(TextMatch::Keywords { any: vec!["red".to_owned()], whole_words: false });
    let judgement = World::default().judge(&set(vec![when(marks, Action::Redact)]), said("red"));
    assert!(matches!(judgement.ruling, Ruling::Deny(denial) if denial.code == DenialCode::RedactionFailed));
    // Nothing to redact.
    let judgement = World::default().judge(&set(vec![when(Matcher::TextBytesOver(1), Action::Redact)]), said("red"));
    assert!(matches!(judgement.ruling, Ruling::Deny(denial) if denial.code == DenialCode::RedactionFailed));
}

#[test]
fn what_is_held_is_redacted_and_a_rate_counts_it_once() {
    let rate = Rate { unit: RateUnit::Queries, count_max: 1, window: Duration::from_mins(1) };
    let rules = vec![
        when(detector("email"), Action::Redact),
        when(words(&["contract"]), hold("legal")),
        when(Matcher::RateOver(rate), deny()),
    ];
    let judgement = World::default().judge(&set(rules), said("contract for a@b.example.com"));
    let Ruling::Hold(held) = judgement.ruling else { panic!("is held") };
    assert!(std::str::from_utf8(held.body()).unwrap().contains("contract for [EMAIL_1]"));
    assert!(std::str::from_utf8(held.query().body()).unwrap().contains("a@b.example.com"));
}

#[test]
fn a_policy_in_audit_mode_never_changes_bytes() {
    let audit = Policy { mode: Mode::Audit, ..policy("p", vec![when(detector("email"), Action::Redact)]) };
    let query = said("a@b.example.com");
    let body = query.body().clone();
    let judgement = World::default().judge(&RuleSet::build(vec![audit]).unwrap(), query);
    assert_eq!(judgement.verdict_if_enforced, Verdict::Redact);
    assert!(matches!(judgement.ruling, Ruling::Clear(clearance) if *clearance.body() == body));
}

#[test]
fn what_is_kept_of_a_text_is_what_the_policies_say() {
    let kept = |retention| {
        let rules = vec![when(detector("email"), Action::Allow), when(words(&["secret"]), deny())];
        let policy = Policy { retention, ..policy("p", rules) };
        let query = said("the secret of a@b.example.com and b");
        World::default().judge(&RuleSet::build(vec![policy]).unwrap(), query).content
    };
    assert_eq!((kept(None), kept(Some(Retention::None)), kept(Some(Retention::Digest))), (None, None, None));
    let masked = kept(Some(Retention::Masked)).unwrap();
    let expected = "messages[0].content: the [REDACTED_1] of [EMAIL_1] and b\n";
    assert!(masked.reveal().contains(expected), "{}", masked.reveal());
    assert!(kept(Some(Retention::Full)).unwrap().reveal().contains("a@b.example.com"));
}
