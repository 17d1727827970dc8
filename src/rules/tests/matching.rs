//! What each matcher finds and what it does not.

use super::*;

#[test]
fn keywords_match_whole_words_whatever_their_case_width_and_spacing() {
    for (word, text, expected) in [
        ("secret", "this is Secret.", YES),
        ("secret", "secrets", NO),
        ("secret", "top_secret", NO),
        ("secret", "ｓｅｃｒｅｔ", YES),
        ("secret", "s\u{200b}ecret", YES),
        ("secret", "\u{200b}secret\u{200b}!", YES),
        ("sécret", "SECRET", YES),
        ("top secret", "top  \n\t secret", YES),
        ("top secret", "top\u{a0}secret", YES),
        ("top  secret", "this is top secret", YES),
        ("top secret", "topsecret", NO),
        ("top secret", "see top-secret.", YES),
        ("top secret", "/top/secret", YES),
        ("very top secret", "very_top_secret.md", YES),
        ("very top secret", "very-top_secret", NO),
        ("机密", "这是机密文件", YES),
        ("C++", "I write c++ code", YES),
        ("secret", "c2VjcmV0IGlzIG91dCBub3cgZXZlcnlvbmU=", YES),
    ] {
        check(words(&[word]), text, expected);
    }
}

#[test]
fn texts_as_short_as_what_is_looked_for_are_read_and_those_that_say_more_than_they_are_long() {
    check(words(&["ok"]), "ok", YES);
    check(words(&["ok"]), "o", NO);
    check(regex("[0-9]x"), "7x", YES);
    check(regex("[0-9]x"), "7", NO);
    check(words(&["a.m."]), "\u{33c2}", YES);
    check(words(&["\u{fdfa}"]), "&#65018;", YES);
    check(words(&["\u{fdfa}"]), "\\ufdfa", YES);
}

#[test]
fn keywords_may_be_part_of_a_word_when_asked() {
    let inside = || Matcher::Text(TextMatch::Keywords { any: vec!["cret".to_owned()], whole_words: false });
    check(inside(), "secrets", YES);
    check(inside(), "sec rets", NO);
}

#[test]
fn a_finding_in_a_key_names_the_object_and_not_the_key() {
    let body = bytes::Bytes::from_static(br#"{"messages":[],"metadata":{"the secret":"x","b":"secret"}}"#);
    let query = crate::wire::decode(crate::wire::Format::OpenaiChat, body).unwrap();
    let judgement = World::default().judge(&set(vec![when(words(&["secret"]), deny())]), query);
    let places: Vec<_> = judgement.findings.iter().map(|finding| &*finding.place).collect();
    assert_eq!(places, ["metadata (key)", "metadata.b"]);
}

#[test]
fn patterns_match_as_written_and_folded() {
    for (pattern, text, expected) in [
        ("AKIA[0-9A-Z]{16}", "key AKIAABCDEFGHIJKLMNOP end", YES),
        ("AKIA[0-9A-Z]{16}", "key akiaABCDEFGHIJKLMNOP end", NO),
        ("AKIA[0-9A-Z]{16}", "key ＡKIAABCDEFGHIJKLMNOP end", YES),
        (r"\b\d{3}-\d{2}-\d{4}\b", "ssn 078-05-1120.", YES),
        (r"\b\d{3}-\d{2}-\d{4}\b", "ssn 1078-05-1120.", NO),
        (r"a\s+b", "a \n b", YES),
        (r"^hello$", "hello", YES),
        (r"^hello$", "hello you", NO),
        (r"(?i)straße", "STRAßE", YES),
        (r"[a-z]+ly\b", "quickly", YES),
        (r"\w+", "…", NO),
        (r"x\d*y\d*z", "xyz", YES),
    ] {
        check(regex(pattern), text, expected);
    }
}

#[test]
fn a_word_split_over_two_parts_is_found() {
    let split = |first: &str, second: &str, matcher: Matcher| {
        let query = chat(&[(Role::User, first), (Role::User, second)]);
        World::default().judge(&set(vec![when(matcher, deny())]), query)
    };
    for (first, second) in [("say pass", "word now"), ("say pass  ", "word now"), ("say pass\u{200b}", "word")] {
        let phrase = if first.contains("  ") { words(&["pass word"]) } else { words(&["password"]) };
        let judgement = split(first, second, phrase);
        assert_eq!(judgement.verdict, YES, "{first:?} {second:?}");
        assert_eq!(judgement.findings[0].at.len(), 2);
        assert_eq!(&*judgement.findings[0].place, "messages[0].content to messages[1].content");
    }
    assert_eq!(split("a 078-05", "-1120 b", regex(r"\b\d{3}-\d{2}-\d{4}\b")).verdict, YES);
    assert_eq!(split("a key AKIAABCDEFGH", "IJKLMNOP", regex("AKIA[0-9A-Z]{16}")).verdict, YES);
    assert_eq!(split("no pass", "es word", words(&["password"])).verdict, NO);
    let letters: Vec<_> = "password".chars().map(String::from).collect();
    let messages: Vec<_> = letters.iter().map(|c| (Role::User, c.as_str())).collect();
    let judgement = World::default().judge(&set(vec![when(words(&["password"]), deny())]), chat(&messages));
    assert_eq!(judgement.findings[0].at.len(), 8);
}

#[test]
fn plain_matchers_look_at_the_query_not_its_text() {
    let any = || vec![words(&["hello"]), words(&["you"])];
    for (matcher, expected) in [
        (Matcher::TextBytesOver(4), YES),
        (Matcher::TextBytesOver(9), NO),
        (Matcher::TokensOver(2), YES),
        (Matcher::TokensOver(3), NO),
        (Matcher::Operations(vec![Operation::Chat]), YES),
        (Matcher::Operations(vec![Operation::Embedding]), NO),
        (Matcher::Routes(vec!["/v1/chat/*".to_owned()]), YES),
        (Matcher::Routes(vec!["/v1/chat".to_owned()]), NO),
        (Matcher::Models(vec!["LLAMA*".to_owned()]), YES),
        (Matcher::Models(vec!["llama".to_owned()]), NO),
        (Matcher::Any(any()), YES),
        (Matcher::All(any()), NO),
        (Matcher::None(any()), NO),
        (Matcher::None(vec![words(&["you"])]), YES),
        (Matcher::None(vec![]), YES),
        (Matcher::Any(vec![]), NO),
    ] {
        let shown = format!("{matcher:?}");
        let judgement = World::default().judge(&set(vec![when(matcher, deny())]), user("hello all"));
        assert_eq!(judgement.verdict, expected, "{shown}");
    }
}

#[test]
fn a_rule_scoped_to_roles_counts_only_what_lies_wholly_in_them() {
    let mut rule = when(words(&["password"]), deny());
    rule.roles = RoleSet::of(&[Role::User]);
    let set = set(vec![rule]);
    let judge = |messages: &[(Role, &str)]| World::default().judge(&set, chat(messages)).verdict;
    assert_eq!(judge(&[(Role::System, "password")]), NO);
    assert_eq!(judge(&[(Role::User, "password")]), YES);
    assert_eq!(judge(&[(Role::System, "pass"), (Role::User, "word")]), NO);
    assert_eq!(judge(&[(Role::User, "pass"), (Role::User, "word")]), YES);
}

#[test]
fn cel_sees_query_caller_workload_and_time() {
    for (source, expected) in [
        ("'research' in caller.groups", YES),
        ("!('research' in caller.groups)", NO),
        ("caller.user == 'ada' && caller.authenticated", YES),
        ("query.model.startsWith('llama') && query.operation == 'chat'", YES),
        ("query.tools.exists(t, t == 'search')", YES),
        ("query.tools.filter(t, t != 'x').map(t, t + '!').exists(t, t == 'search!')", YES),
        ("query.tokensEstimate > 100", NO),
        ("query.textBytes == 5 && query.choices == 1 && query.tokensMax == 0", YES),
        ("workload.labels['app'] == 'llama' && workload.name == 'llama'", YES),
        ("now.getHours() == 10 && now > timestamp('2026-01-01T00:00:00Z')", YES),
        ("query.route.matches('^/v1/')", YES),
        ("query.model.matches(r'^gpt-\\d$')", NO),
        ("'User' in query.roles && !query.stream", YES),
        ("has(query.model)", YES),
    ] {
        check(cel(source), "hello", expected);
    }
}

#[test]
fn a_rate_counts_each_query_once_per_caller_and_frees_up_with_time() {
    let rate = Rate { unit: RateUnit::Queries, count_max: 2, window: Duration::from_mins(1) };
    let set = set(vec![when(Matcher::All(vec![words(&["hello"]), Matcher::RateOver(rate)]), deny())]);
    let mut world = World::default();
    let ask = |world: &World, text: &str| world.judge(&set, user(text)).verdict;
    assert_eq!(ask(&world, "hello"), NO);
    assert_eq!(ask(&world, "unrelated"), NO);
    assert_eq!(ask(&world, "hello"), NO);
    assert_eq!(ask(&world, "hello"), YES);
    assert_eq!(ask(&world, "unrelated"), NO);
    world.caller.rate_key = "bob".to_owned();
    assert_eq!(ask(&world, "hello"), NO);
    world.caller.rate_key = "ada".to_owned();
    world.now = world.now.checked_add(jiff::SignedDuration::from_mins(1)).unwrap();
    assert_eq!(ask(&world, "hello"), YES, "the window before still counts in full");
    world.now = world.now.checked_add(jiff::SignedDuration::from_secs(31)).unwrap();
    assert_eq!(ask(&world, "hello"), NO, "half of it has passed");
    let tokens = Rate { unit: RateUnit::Tokens, count_max: 3, window: Duration::from_mins(1) };
    let set = super::tests::set(vec![when(Matcher::RateOver(tokens), deny())]);
    assert_eq!(world.judge(&set, user("hello")).verdict, NO);
    assert_eq!(world.judge(&set, user("hello")).verdict, YES);
}

#[test]
fn a_model_is_matched_in_the_form_its_server_gives_it() {
    let set = set(vec![when(Matcher::Models(vec!["llama3:latest".to_owned()]), deny())]);
    let world = World::default();
    let judge_on = |server: Server, model: &str| {
        let mut query = Builder::new(Bytes::from_static(b"{}"), Operation::Chat);
        query.query().model = Some(model.to_owned());
        let context = Context {
            format: Format::OllamaChat,
            server,
            method: "POST",
            path: "/api/chat",
            caller: &world.caller,
            workload: &world.workload,
            posture: Posture::Enforce,
            now: world.now,
            rates: &world.rates,
        };
        judge(&set, query.finish(), &context).verdict
    };
    assert_eq!(judge_on(Server::Ollama, "registry.ollama.ai/library/Llama3"), YES);
    assert_eq!(judge_on(Server::Ollama, "llama3:8b"), NO);
    assert_eq!(judge_on(Server::Vllm, "llama3"), NO);
}

#[test]
fn of_matches_that_overlap_across_seams_each_counts_for_its_roles() {
    let mut rule = when(regex("[abc]{2}"), deny());
    rule.roles = RoleSet::of(&[Role::User]);
    let query = chat(&[(Role::System, "a"), (Role::User, "b"), (Role::User, "c")]);
    assert_eq!(World::default().judge(&set(vec![rule]), query).verdict, YES);
}

#[test]
fn a_caller_for_whom_there_is_no_room_counts_as_over_the_rate() {
    let rates = Rates::default();
    let rate = Rate { unit: RateUnit::Queries, count_max: 5, window: Duration::from_secs(1) };
    let rule = crate::base::Digest::of(b"rule");
    let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
    let count = |caller: usize, now| rates.count(rule, &format!("caller {caller}"), &rate, 1, now);
    let over = (0..110_000).filter(|caller| count(*caller, now) == rates::Reading::Over).count();
    assert!((9_000..=11_000).contains(&over), "{over}");
    assert_eq!(count(0, now), rates::Reading::Within, "who is known goes on");
    let later = now.checked_add(jiff::SignedDuration::from_secs(3)).unwrap();
    assert_eq!(count(200_000, later), rates::Reading::Within, "stale counters make room");
}

proptest::proptest! {
    #[test]
    fn whatever_the_texts_findings_lie_on_characters(texts in proptest::collection::vec("(?s).{0,40}|[a\u{430} \u{200b}@.1-]{0,60}", 1..5)) {
        let inside = Matcher::Text(TextMatch::Keywords { any: vec!["a".to_owned(), "a 1".to_owned()], whole_words: false });
        let rules = vec![when(Matcher::Any(vec![inside, regex("[a1]{2}"), regex(r"\S@\S"), detector("email")]), Action::Allow)];
        let messages: Vec<_> = texts.iter().map(|text| (Role::User, text.as_str())).collect();
        let query = chat(&messages);
        let judgement = World::default().judge(&set(rules), query);
        let query = judgement.query.unwrap();
        for (part, range) in judgement.findings.iter().flat_map(|finding| &finding.at) {
            let text = query.text(query.part(*part).unwrap());
            proptest::prop_assert!(text.get(range.clone()).is_some_and(|found| !found.is_empty()));
        }
    }
}

#[test]
fn rules_that_wait_for_a_fact_or_a_size_are_asked_when_it_is_there() {
    check(cel("query.model == 'llama3'"), "x", YES);
    check(cel("'llama3' == query.model && caller.user == 'ada'"), "x", YES);
    check(cel("query.model == 'other'"), "x", NO);
    check(cel("query.stream && query.model == 'llama3'"), "x", NO);
    check(cel("query.model == 'other' || caller.user == 'ada'"), "x", YES);
    check(Matcher::All(vec![cel("query.operation == 'chat'"), words(&["wanted"])]), "wanted", YES);
    check(Matcher::All(vec![cel("query.operation == 'chat'"), words(&["wanted"])]), "other", NO);
    check(Matcher::Any(vec![cel("query.model == 'other'"), Matcher::TextBytesOver(3)]), "four", YES);
    check(Matcher::All(vec![Matcher::TextBytesOver(3), Matcher::TokensOver(0)]), "four", YES);
    check(Matcher::TextBytesOver(4), "four", NO);
    check(Matcher::TokensOver(1), "four", NO);
    check(Matcher::TokensOver(1), "four and more", YES);
}

#[test]
fn a_fact_that_cannot_be_seen_is_an_error_of_every_expression() {
    let mut world = World::default();
    world.caller.groups = vec!["g".to_owned(); 1_001];
    let judgement = world.judge(&set(vec![when(cel("query.model == 'other'"), deny())]), user("x"));
    assert_eq!(judgement.verdict, Verdict::Deny, "{:?}", judgement.findings);
    let with_text = Matcher::All(vec![cel("query.model == 'other'"), words(&["wanted"])]);
    let judgement = world.judge(&set(vec![when(with_text, deny())]), user("x"));
    assert_eq!(judgement.verdict, Verdict::Allow, "{:?}", judgement.findings);
}

#[test]
fn starts_close_together_are_read_once_and_not_again_and_again() {
    // Each `k` could begin a match that reads all that follows.
    let text = format!("{}!", "k".repeat(20_000));
    check(regex("k[a-z]{3,}[0-9]"), &text, NO);
    check(regex("k[a-z]{3,}!"), &text, YES);
    check(regex("key=[a-z]{0,20}key=[0-9]"), &format!("{}7", "key=".repeat(5_000)), YES);
}

#[test]
fn matches_are_found_at_the_very_end_and_the_very_beginning() {
    check(regex(r"\bAB[0-9]{4}\b"), "AB1234", YES);
    check(regex(r"\bAB[0-9]{4}\b"), "AB123", NO);
    check(regex(r"\b[0-9]{3}-[0-9]{4}\b"), "123-4567", YES);
    check(regex(r"[0-9]{3}$"), "number 123", YES);
    check(regex(r"^[0-9]{3}"), "123 number", YES);
    check(regex(r"^[0-9]{3}"), "a 123 number", NO);
    check(regex(r" BEGIN[0-9]"), "text   BEGIN1", YES);
    check(regex(r"\s+BEGIN\s+[0-9]"), "text \n  BEGIN \n 1", YES);
}
