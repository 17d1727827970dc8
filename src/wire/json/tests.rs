//! Accept and reject tables of the reader, and its agreement with another parser.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::base::limits::{JSON_DEPTH_MAX, JSON_VALUES_MAX};

#[track_caller]
fn accepts(text: &str) {
    let tape = read(text, JSON_VALUES_MAX).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
    assert_eq!(value(&tape, Tape::ROOT), serde_json::from_str::<Value>(text).unwrap(), "{text}");
}

#[track_caller]
fn refuses(text: &str) {
    assert!(read(text, JSON_VALUES_MAX).is_err(), "{text}");
}

/// The tape as a value of the other parser, texts through our own unescaping.
fn value(tape: &Tape<'_>, at: At) -> Value {
    let node = tape.node(at);
    let text = |node| tape.resolved(node, &mut String::new()).to_owned();
    match node.kind {
        Kind::Null => Value::Null,
        Kind::True => Value::Bool(true),
        Kind::False => Value::Bool(false),
        Kind::Number => serde_json::from_str(tape.raw(node)).unwrap(),
        Kind::String | Kind::Key => Value::String(text(node)),
        Kind::List => tape.children(at).map(|at| value(tape, at)).collect(),
        Kind::Object => tape.children(at).map(|key| (text(tape.node(key)), value(tape, key + 1))).collect(),
    }
}

/// What the grammar allows.
const STRICT: &[&str] = &[
    "{}",
    "[]",
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "10",
    "1.5",
    "-1.5",
    "0.0",
    "1e1",
    "1E1",
    "1e+1",
    "1e-1",
    "0e0",
    "1.25e10",
    "123456789012345678",
    "\"\"",
    "\"a\"",
    "\"\\\"\"",
    "\"\\\\\"",
    "\"\\/\"",
    "\"\\b\\f\\n\\r\\t\"",
    "\"\\u0041\"",
    "\"\\u00e9\"",
    "\"\\u20AC\"",
    "\"\\uD83D\\uDE00\"",
    "\"\\ud83d\\ude00x\"",
    "\"\\u0000\"",
    "\"\\uFFFF\"",
    "\"\u{e9}\u{20ac}\u{1f600}\"",
    "\"\u{7f}\u{80}\"",
    "\"\u{2028}\u{2029}\"",
    "[1]",
    "[1,2]",
    "[ ]",
    "[\n1\t,\r2 ]",
    "[[],[[]],{}]",
    "{\"a\":1}",
    "{\"\":0}",
    "{ \"a\" : 1 , \"b\" : 2 }",
    "{\"a\":{\"a\":{\"a\":[]}}}",
    "[null,true,false]",
    " {} ",
    "\t\n\r 1 \t\n\r",
    "{\"a\":\"}\",\"b\":\"]\"}",
    "[\"a\\\\\",\"b\"]",
    "{\"\\u0061\":1,\"b\":2}",
    "\"0123456789abcdef0123456789\"",
    "\"01234567\\\"9\"",
    "[\"x\",[\"y\"],{\"z\":[0]}]",
    "{\"a\":1,\"A\":2,\"\u{e1}\":3}",
    "[1.0,1.00,100e-2]",
    "[-0.0]",
    "[0.1e1]",
];

#[test]
fn strict_json_is_read() {
    for text in STRICT {
        accepts(text);
    }
}

/// What it does not, or we do not.
const REFUSED: &[&str] = &[
    // nothing, or not a value
    "",
    " ",
    "\n",
    "a",
    "nul",
    "nulll",
    "tru",
    "True",
    "FALSE",
    "undefined",
    "NaN",
    "Infinity",
    "-Infinity",
    "-",
    "+1",
    "'a'",
    "`",
    "\u{feff}{}",
    "\u{a0}1",
    "\u{c}1",
    "\u{b}1",
    "//c\n1",
    "/*c*/1",
    "#",
    "\\u0041",
    // numbers
    "01",
    "-01",
    "00",
    "1.",
    ".5",
    "-.5",
    "1.e1",
    "1e",
    "1e+",
    "1E-",
    "1e1.5",
    "0x1",
    "1_000",
    "1,000",
    "--1",
    "1-",
    "1.2.3",
    "\u{661}",
    "1f",
    "- 1",
    "0e",
    "-a",
    // strings
    "\"",
    "\"a",
    "\"\\",
    "\"\\\"",
    "\"\\x41\"",
    "\"\\a\"",
    "\"\\U0041\"",
    "\"\\u\"",
    "\"\\u004\"",
    "\"\\u00g1\"",
    "\"\\u+041\"",
    "\"\\ud800\"",
    "\"\\udc00\"",
    "\"\\ud800\\ud800\"",
    "\"\\ud800x\"",
    "\"\\ud800\\n\"",
    "\"\\ud800\\u0041\"",
    "\"\\udc00\\ud800\"",
    "\"\\ud800\\",
    "\"\\ud800\\u\"",
    "\"\n\"",
    "\"\t\"",
    "\"\u{0}\"",
    "\"\u{1f}\"",
    "\"0123456\u{1}89\"",
    "\"a\" \"b\"",
    "\"\\ \"",
    "\"\\'\"",
    // lists
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[,]",
    "[1 2]",
    "[1,,2]",
    "[1}",
    "[1:2]",
    "[]]",
    "[[]",
    "[\"a\"",
    "[1;2]",
    // objects
    "{",
    "}",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{,}",
    "{a:1}",
    "{'a':1}",
    "{1:1}",
    "{null:1}",
    "{\"a\" 1}",
    "{\"a\"::1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1,,\"b\":2}",
    "{\"a\":}",
    "{:1}",
    "{\"a\",1}",
    "{\"a\":1]",
    "{}}",
    "{\"a\":1}{}",
    "{\"a\":1},",
    "{[]:1}",
    "{\"a\":1;\"b\":2}",
    "{} x",
    "1 2",
    "{}\u{0}",
];

#[test]
fn anything_else_is_refused() {
    for text in REFUSED {
        refuses(text);
    }
}

#[test]
fn a_key_that_stands_twice_is_refused_however_it_is_spelled() {
    let many = |last: &str| {
        let keys: Vec<_> = (0..40).map(|i| format!("\"k{i}\":{i}")).collect();
        format!("{{{},{last}}}", keys.join(","))
    };
    accepts(&many("\"k40\":0"));
    for (text, at) in [
        ("{\"a\":1,\"a\":2}".to_owned(), 8),
        ("{\"\":1,\"\":2}".to_owned(), 7),
        ("{\"a\":1,\"\\u0061\":2}".to_owned(), 8),
        ("{\"\\n\":1,\"\\u000a\":2}".to_owned(), 9),
        ("{\"/\":1,\"\\/\":2}".to_owned(), 8),
        ("{\"\u{1f600}\":1,\"\\ud83d\\ude00\":2}".to_owned(), 11),
        (many("\"k7\":0"), many("").len()),
        (many("\"\\u006b39\":0"), many("").len()),
    ] {
        assert_eq!(read(&text, 1000).unwrap_err(), Fault::DuplicateKey { at, path: vec![] }, "{text}");
    }
    let inner = "{\"x\":[0,{\"y\":{\"a\":1,\"a\":2}}]}";
    let path = vec![Step::Key(2..3), Step::Index(1), Step::Key(10..11)];
    assert_eq!(read(inner, 1000).unwrap_err(), Fault::DuplicateKey { at: 21, path });
}

#[test]
fn depth_and_values_are_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    accepts(&nested(JSON_DEPTH_MAX));
    assert_eq!(read(&nested(JSON_DEPTH_MAX + 1), 1000).unwrap_err(), Fault::Depth);
    assert_eq!(read(&"{\"a\":".repeat(100_000), 1000).unwrap_err(), Fault::Depth);
    assert!(read("[1,{\"a\":2}]", 4).is_ok());
    assert_eq!(read("[1,{\"a\":2}]", 3).unwrap_err(), Fault::Values);
}

#[test]
fn faults_name_the_byte() {
    for (text, at) in [("", 0), ("  x", 2), ("[1,]", 3), ("{\"a\" 1}", 5), ("\"ab\u{1}\"", 3), ("01", 1), ("[tru]", 1)]
    {
        assert!(matches!(read(text, 10), Err(Fault::Syntax { at: found, .. }) if found == at), "{text}");
    }
}

#[test]
fn ranges_of_text_lead_back_to_the_bytes_as_written() {
    let raw = r#"ab\u00e9\ud83d\ude00c\n\"d"#;
    // text: a b é(2) 😀(4) c \n " d
    for (range, expected) in [
        (0..2, "ab"),
        (1..4, r"b\u00e9"),
        (2..4, r"\u00e9"),
        (3..4, r"\u00e9"),
        (4..8, r"\ud83d\ude00"),
        (4..5, r"\ud83d\ude00"),
        (8..10, r"c\n"),
        (9..12, r#"\n\"d"#),
        (0..12, raw),
        (11..12, "d"),
    ] {
        let written = Ranges::new(raw).raw(range.clone()).unwrap();
        assert_eq!(&raw[written], expected, "{range:?}");
    }
    let mut several = Ranges::new(raw);
    let found: Vec<_> = [0..1, 1..2, 4..8, 10..11].map(|range| several.raw(range).unwrap()).into();
    assert_eq!(found, [0..1, 1..2, 8..20, 23..25]);
    assert_eq!(Ranges::new(raw).raw(0..13), None);
    assert_eq!(Ranges::new("").raw(0..1), None);
}

/// Documents of our own strictness: whether the other parser's reading dropped a duplicate key.
fn has_duplicates(text: &str) -> bool {
    matches!(read(text, JSON_VALUES_MAX), Err(Fault::DuplicateKey { .. }))
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..20)
                .prop_map(|map: HashMap<String, Value>| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Every character of strings as `\u` escapes.
fn escaped(text: &str) -> String {
    text.encode_utf16().fold(String::new(), |out, unit| out + &format!("\\u{unit:04x}"))
}

proptest! {
    #[test]
    fn reading_never_panics_and_agrees_with_another_parser(text in "[\\[\\]{}:,\"\\\\u0-9a-fnrtle.+\\- \\n\u{e9}\u{1f600}]{0,40}") {
        let ours = read(&text, JSON_VALUES_MAX);
        let theirs = serde_json::from_str::<Value>(&text);
        // Numbers beyond 64-bit floats are beyond the other parser, not beyond the grammar.
        let too_large = matches!(&theirs, Err(e) if e.to_string().starts_with("number out of range"));
        prop_assert_eq!(ours.is_ok(), (theirs.is_ok() || too_large) && !has_duplicates(&text), "{}", text);
        if let (Ok(tape), Ok(theirs)) = (ours, theirs) {
            prop_assert_eq!(value(&tape, Tape::ROOT), theirs);
        }
    }

    #[test]
    fn any_text_is_read_without_panic(text in any::<String>()) {
        let _ = read(&text, JSON_VALUES_MAX);
    }

    #[test]
    fn what_is_written_is_read_back(document in documents()) {
        for text in [document.to_string(), serde_json::to_string_pretty(&document).unwrap()] {
            let tape = read(&text, JSON_VALUES_MAX).unwrap();
            prop_assert_eq!(value(&tape, Tape::ROOT), document.clone());
        }
    }

    #[test]
    fn an_edited_document_is_read_like_by_another_parser(document in documents(), at in any::<prop::sample::Index>(), edit in "[\\[\\]{}:,\"\\\\u0a ]?") {
        let mut text = document.to_string();
        let mut at = at.index(text.len());
        while !text.is_char_boundary(at) { at -= 1; }
        text.replace_range(at..at + text[at..].chars().next().map_or(0, char::len_utf8), &edit);
        let ours = read(&text, JSON_VALUES_MAX);
        let theirs = serde_json::from_str::<Value>(&text);
        let too_large = matches!(&theirs, Err(e) if e.to_string().starts_with("number out of range"));
        prop_assert_eq!(ours.is_ok(), (theirs.is_ok() || too_large) && !has_duplicates(&text), "{}", text);
    }

    #[test]
    fn escapes_resolve_to_their_text(text in any::<String>()) {
        let mut resolved = String::new();
        unescape(&escaped(&text), &mut resolved);
        prop_assert_eq!(resolved, text);
    }
}
