//! Which queries the release of another one speaks for: those whose causes were all causes of the released one.

use std::collections::BTreeSet;

use super::*;
use crate::base::Digest;

fn lasting(name: &str, rules: Vec<Rule>) -> Policy {
    Policy { carry: Duration::from_hours(8), ..policy(name, rules) }
}

fn holding(matcher: Matcher) -> RuleSet {
    RuleSet::build(vec![lasting("p", vec![when(matcher, hold("legal"))])]).unwrap()
}

#[track_caller]
fn causes(world: &World, set: &RuleSet, query: Query) -> Causes {
    match world.judge(set, query).ruling {
        Ruling::Hold(held) => held.causes().clone(),
        other => panic!("not held: {other:?}"),
    }
}

/// Whether a release of `first` speaks for `second`.
fn speaks_for(first: &Causes, second: &Causes) -> bool {
    let keys = |causes: &Causes| -> BTreeSet<Digest> { causes.texts.iter().map(|cause| cause.key).collect() };
    !second.beyond && !second.texts.is_empty() && keys(second).is_subset(&keys(first))
}

#[track_caller]
fn check(matcher: Matcher, first: &[(Role, &str)], second: &[(Role, &str)], expected: bool) {
    let (world, set) = (World::default(), holding(matcher));
    let carried = speaks_for(&causes(&world, &set, chat(first)), &causes(&world, &set, chat(second)));
    assert_eq!(carried, expected, "{first:?} then {second:?}");
}

const TURN: (Role, &str) = (Role::User, "about the merger with Acme");
const REPLY: (Role, &str) = (Role::Assistant, "Gladly.");

#[test]
fn a_text_that_was_released_is_not_asked_about_again_wherever_it_stands() {
    let merger = || words(&["merger"]);
    check(merger(), &[TURN], &[TURN, REPLY, (Role::User, "go on")], true);
    check(merger(), &[(Role::System, "be brief"), TURN], &[TURN], true);
    check(merger(), &[TURN, REPLY], &[REPLY, (Role::User, "first"), TURN, TURN], true);
}

#[test]
fn a_changed_character_another_role_or_a_new_text_are_asked_about() {
    let merger = || words(&["merger"]);
    check(merger(), &[TURN], &[(Role::User, "about the merger with Acme.")], false);
    check(merger(), &[TURN], &[(Role::User, "about the merger  with Acme")], false);
    check(merger(), &[TURN], &[(Role::Tool, TURN.1)], false);
    check(merger(), &[TURN], &[(Role::Assistant, TURN.1)], false);
    check(merger(), &[TURN], &[TURN, REPLY, (Role::User, "the merger")], false);
}

#[test]
fn a_match_over_two_texts_is_released_as_that_pair_only() {
    let phrase = || words(&["project nightingale"]);
    let (one, two) = ((Role::User, "tell me of project"), (Role::User, "nightingale now"));
    check(phrase(), &[one, two], &[one, two, REPLY], true);
    check(phrase(), &[one, two], &[one, (Role::User, "nightingale, now")], false);
    check(phrase(), &[one, two], &[(Role::User, "of project"), two], false);
    let both = (Role::User, "project nightingale and project");
    check(phrase(), &[both], &[both, REPLY], true);
    check(phrase(), &[both], &[both, two], false);
}

#[test]
fn texts_that_hold_only_together_are_released_as_those_that_stood_together() {
    let both = || Matcher::All(vec![words(&["salaries"]), words(&["press"])]);
    let salaries = |what| (Role::User, what);
    let (one, other) = (salaries("the salaries of 2020"), salaries("the salaries of the board"));
    let (draft, release) = ((Role::User, "for the press archive"), (Role::User, "for tomorrow's press release"));
    check(both(), &[one, draft], &[one, REPLY, draft], true);
    check(both(), &[one, draft], &[draft, one], true);
    check(both(), &[one, draft], &[other, draft], false);
    check(both(), &[one, draft, REPLY, other], &[other, REPLY, draft], true);
    let (world, set) = (World::default(), holding(both()));
    let seen = |texts: &[(Role, &str)]| causes(&world, &set, chat(texts));
    let mut released = seen(&[one, release]);
    released.texts.extend(seen(&[other, draft]).texts);
    assert!(speaks_for(&released, &seen(&[other, draft])));
    assert!(!speaks_for(&released, &seen(&[other, release])), "each was seen, but not side by side");
}

#[test]
fn a_released_match_that_goes_on_in_a_new_text_of_the_same_speaker_is_new() {
    let transfer = || regex("transfer [0-9]{1,9}");
    let (old, more) = ((Role::User, "please transfer 1"), (Role::User, "000000 to mallory"));
    check(transfer(), &[old], &[old, more], false);
    check(transfer(), &[old, more], &[old, more], true);
    // Between speakers the model server writes its marks: joined texts are a reading of nobody's.
    let mail = || regex("[a-z]{1,20}@[a-z.]{1,30}");
    let asks = (Role::User, "write to ada@example.org");
    check(mail(), &[asks], &[asks, (Role::Assistant, "done"), (Role::User, "thanks")], true);
}

#[test]
fn what_is_not_a_text_is_asked_about_every_time() {
    let all = |children| Matcher::All(children);
    let any = |children| Matcher::Any(children);
    let merger = || words(&["merger"]);
    let turn = [TURN];
    for (matcher, expected) in [
        (all(vec![merger(), cel("!('legal' in caller.groups)")]), true),
        (all(vec![merger(), cel("workload.name == 'llama' && now > timestamp('2020-01-01T00:00:00Z')")]), true),
        (all(vec![merger(), cel("query.stream == false")]), false),
        (all(vec![merger(), cel("size(query.roles) > 0 && !('legal' in caller.groups)")]), false),
        (cel("!('legal' in caller.groups)"), false),
        // An expression or a fact that is enough by itself holds every query of the caller.
        (any(vec![merger(), cel("!('legal' in caller.groups)")]), false),
        (any(vec![merger(), cel("query.tokensEstimate > 10000")]), false),
        (any(vec![merger(), Matcher::TextBytesOver(10_000)]), false),
        (any(vec![merger(), Matcher::Models(vec!["llama3".to_owned()])]), false),
        (all(vec![merger(), Matcher::TextBytesOver(3)]), false),
        (all(vec![merger(), Matcher::TokensOver(1)]), false),
        (all(vec![merger(), Matcher::Models(vec!["llama3".to_owned()])]), true),
        (all(vec![merger(), Matcher::Operations(vec![Operation::Chat])]), true),
        (all(vec![merger(), Matcher::Routes(vec!["/v1/*".to_owned()])]), true),
        (Matcher::TextBytesOver(3), false),
        (Matcher::Models(vec!["llama3".to_owned()]), false),
        (Matcher::None(vec![words(&["waived"])]), false),
        (all(vec![merger(), Matcher::None(vec![words(&["waived"])])]), true),
        (all(vec![merger(), Matcher::None(vec![cel("caller.user == 'eve'")])]), true),
        (all(vec![merger(), Matcher::None(vec![cel("query.stream")])]), false),
        (all(vec![merger(), Matcher::None(vec![Matcher::None(vec![words(&["acme"])])])]), false),
        (any(vec![merger(), all(vec![words(&["acme"]), cel("!('legal' in caller.groups)")])]), true),
    ] {
        let shown = format!("{matcher:?}");
        let (world, set) = (World::default(), holding(matcher));
        let query = || chat(&turn);
        let carried = speaks_for(&causes(&world, &set, query()), &causes(&world, &set, query()));
        assert_eq!(carried, expected, "{shown}");
    }
}

#[test]
fn every_alternative_is_looked_at_although_one_is_enough() {
    let late = Matcher::All(vec![words(&["payroll"]), cel("!('legal' in caller.groups)")]);
    let matcher = || Matcher::Any(vec![words(&["merger"]), late.clone()]);
    check(matcher(), &[TURN], &[TURN, REPLY, (Role::User, "and the payroll")], false);
}

#[test]
fn facts_beside_a_text_are_part_of_what_was_released() {
    let matcher = Matcher::All(vec![words(&["merger"]), Matcher::Models(vec!["llama*".to_owned()])]);
    let (world, set) = (World::default(), holding(matcher));
    let other = || {
        let mut query = chat(&[TURN]);
        query.model = Some("llama4".to_owned());
        query
    };
    let released = causes(&world, &set, chat(&[TURN]));
    assert!(!speaks_for(&released, &causes(&world, &set, other())));
    assert!(speaks_for(&causes(&world, &set, other()), &causes(&world, &set, other())));
}

#[test]
fn another_caller_workload_rule_or_chain_is_asked() {
    let merger = || words(&["merger"]);
    let (world, set) = (World::default(), holding(merger()));
    let released = causes(&world, &set, chat(&[TURN]));
    let mut bob = World::default();
    bob.caller.user = Some("bob".to_owned());
    let mut elsewhere = World::default();
    elsewhere.workload.name = "qwen".to_owned();
    let mut anonymous = World::default();
    anonymous.caller.user = None;
    for other in [&bob, &elsewhere, &anonymous] {
        assert!(!speaks_for(&released, &causes(other, &set, chat(&[TURN]))));
    }
    let nobody = causes(&anonymous, &set, chat(&[TURN]));
    assert!(nobody.beyond && nobody.texts.is_empty(), "nobody's releases are remembered");
    let named = |rule: Rule| RuleSet::build(vec![lasting("p", vec![rule])]).unwrap();
    let others = [
        named(Rule { name: "other".to_owned(), ..when(merger(), hold("legal")) }),
        named(when(merger(), hold("security"))),
        named(when(words(&["merger", "acme"]), hold("legal"))),
        RuleSet::build(vec![lasting("q", vec![when(merger(), hold("legal"))])]).unwrap(),
        named(Rule { roles: RoleSet::of(&[Role::User]), ..when(merger(), hold("legal")) }),
    ];
    for set in &others {
        assert!(!speaks_for(&released, &causes(&world, set, chat(&[TURN]))));
    }
    // A rule that comes to hold the same text asks too; one that goes is not missed.
    let both = RuleSet::build(vec![
        lasting("p", vec![when(merger(), hold("legal"))]),
        lasting("q", vec![when(words(&["acme"]), hold("legal"))]),
    ]);
    let of_both = causes(&world, &both.unwrap(), chat(&[TURN]));
    assert!(!speaks_for(&released, &of_both) && speaks_for(&of_both, &released));
}

#[test]
fn denials_redactions_and_audit_mode_are_as_they_were() {
    let rules = |mode| {
        RuleSet::build(vec![
            lasting("p", vec![when(words(&["merger"]), hold("legal"))]),
            Policy { mode, ..lasting("q", vec![when(words(&["acme"]), hold("security"))]) },
        ])
    };
    let audited = causes(&World::default(), &rules(Mode::Audit).unwrap(), chat(&[TURN]));
    assert_eq!(audited.texts.len(), 1, "a policy in Audit mode holds nothing");
    let refused = RuleSet::build(vec![lasting(
        "p",
        vec![when(words(&["merger"]), hold("legal")), when(words(&["acme"]), deny())],
    )]);
    assert!(matches!(World::default().judge(&refused.unwrap(), chat(&[TURN])).ruling, Ruling::Deny(_)));
}

#[test]
fn an_image_that_holds_is_not_inside_a_text() {
    let entry = CoverageRule {
        name: "images".to_owned(),
        kinds: vec![GapKind::Image],
        places: Vec::new(),
        action: Disposition::Hold(PolicyRef { namespace: Some("models".to_owned()), name: "legal".to_owned() }),
    };
    let policy = Policy { coverage: vec![entry], ..lasting("p", vec![when(words(&["merger"]), hold("legal"))]) };
    let set = RuleSet::build(vec![policy]).unwrap();
    let mut builder = Builder::new(Bytes::from_static(b"the merger"), Operation::Chat);
    let place = builder.field(Place::ROOT, "prompt");
    let span = Span::new(0, 10);
    builder.part(place, Role::User, PartKind::Text, crate::query::Piece::Body(span), Origin::Body(span));
    let image = builder.field(Place::ROOT, "image");
    builder.gap(GapKind::Image, image);
    let found = causes(&World::default(), &set, builder.finish());
    assert!(found.beyond && found.texts.len() == 1, "{found:?}");
}

#[test]
fn more_causes_than_are_shown_carry_nothing() {
    let (world, set) = (World::default(), holding(words(&["merger"])));
    let texts: Vec<String> = (0..=CAUSES_MAX).map(|n| format!("merger {n}")).collect();
    let turns: Vec<(Role, &str)> = texts.iter().map(|text| (Role::User, text.as_str())).collect();
    let most = causes(&world, &set, chat(&turns[..CAUSES_MAX]));
    assert!(!most.beyond && most.texts.len() == CAUSES_MAX);
    let over = causes(&world, &set, chat(&turns));
    assert!(over.beyond && over.texts.is_empty());
}

#[test]
fn a_match_past_the_findings_that_are_kept_is_not_overlooked() {
    let (world, set) = (World::default(), holding(words(&["merger"])));
    let many = "merger ".repeat(20_000);
    let flood = causes(&world, &set, chat(&[(Role::User, &many), TURN]));
    assert!(flood.beyond, "past what a scan keeps, nothing is known of what follows");
    let some = "merger ".repeat(1_000);
    let found = causes(&world, &set, chat(&[(Role::User, &some), TURN]));
    assert!(!found.beyond && found.texts.len() == 2, "{found:?}");
}

#[track_caller]
fn similar(world: &World, set: &RuleSet, query: Query) -> Option<Similar> {
    match world.judge(set, query).ruling {
        Ruling::Hold(held) => held.similar(),
        other => panic!("not held: {other:?}"),
    }
}

#[test]
fn queries_are_alike_when_the_same_rules_hold_them_for_the_same_words() {
    let (world, set) =
        (World::default(), holding(Matcher::Any(vec![words(&["merger", "acme"]), regex("NG-[0-9]{4}")])));
    let of = |turns: &[(Role, &str)]| similar(&world, &set, chat(turns)).unwrap();
    let first = of(&[(Role::User, "the merger")]);
    for (what, turns, exact, same_words) in [
        ("other text", vec![(Role::User, "when is the MERGER?"), REPLY], true, true),
        ("more of the same", vec![(Role::User, "merger, merger"), (Role::User, "a merger")], true, true),
        ("another word", vec![(Role::User, "the merger with Acme")], false, false),
        ("other words only", vec![(Role::User, "acme")], false, false),
        ("another number", vec![(Role::User, "the merger NG-1234")], false, false),
        ("instructions", vec![(Role::System, "be rude"), (Role::User, "the merger")], false, true),
        ("brought by a tool", vec![(Role::Tool, "the merger")], false, true),
        ("said, and brought as well", vec![(Role::User, "the merger"), (Role::Tool, "the merger")], false, true),
        ("answered", vec![(Role::User, "the merger"), (Role::Assistant, "the merger")], true, true),
        ("tools", vec![(Role::ToolDefinition, "search"), (Role::User, "the merger")], false, true),
    ] {
        let other = of(&turns);
        assert_eq!((other.exact == first.exact, other.words == first.words), (exact, same_words), "{what}");
    }
    let query = || chat(&[(Role::User, "the merger")]);
    let mut bob = World::default();
    bob.caller.user = Some("bob".to_owned());
    let mut nobody = World::default();
    nobody.caller.user = None;
    for other in [&bob, &nobody] {
        let other = similar(other, &set, query()).unwrap();
        assert!(other.exact != first.exact && other.words == first.words);
    }
    let mut model = query();
    model.model = Some("llama4".to_owned());
    let model = similar(&world, &set, model).unwrap();
    assert!(model.exact != first.exact && model.words == first.words);
    let edited = holding(words(&["merger"]));
    assert_ne!(similar(&world, &edited, query()).unwrap().words, first.words, "an edited rule is another one");
}

#[test]
fn facts_make_queries_alike_by_kind_and_what_nobody_can_name_makes_them_unlike() {
    let text = |text: &'static str| user(text);
    let world = World::default();
    let large = holding(Matcher::TextBytesOver(3));
    assert_eq!(similar(&world, &large, text("quite large")), similar(&world, &large, text("even larger")));
    assert!(similar(&world, &large, text("quite large")).is_some());
    let either = holding(Matcher::Any(vec![words(&["merger"]), cel("query.textBytes > 20")]));
    assert_ne!(
        similar(&world, &either, text("merger")),
        similar(&world, &either, text("merger, and very much more")),
        "every alternative counts, although one is enough"
    );
    let hidden = holding(Matcher::None(vec![Matcher::None(vec![words(&["merger"])])]));
    assert_eq!(similar(&world, &hidden, text("merger")), None);
    let rate = Rate { unit: RateUnit::Queries, count_max: 2, window: Duration::from_mins(1) };
    let rated = holding(Matcher::Any(vec![words(&["merger"]), Matcher::RateOver(rate)]));
    let [one, two, three] = [(); 3].map(|()| similar(&world, &rated, text("merger")));
    assert!(one.is_some() && one == two, "finding out what holds a query counts it once");
    assert_ne!(two, three, "and the rate holds the third as well");
}
