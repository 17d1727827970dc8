//! Tests that the table of detectors and the engine fit each other: what the engine finds in one reading of many patterns
//! is what each detector finds by itself.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use proptest::prelude::*;
use regex_automata::Input;
use regex_automata::meta::Regex;

use super::TextMatch;
use super::lexicon::{Gathering, Lexicon, Unit};
use super::scan::scan;
use super::view::{DecodeBudget, decoded};
use crate::detect::{self, Alone, Detector};
use crate::query::RoleSet;

#[test]
fn one_rule_set_can_hold_every_detector() {
    let mut lexicon = Gathering::default();
    let refused: Vec<_> = detect::names()
        .filter_map(|name| Some((name, lexicon.add(&TextMatch::Detector(detect::by_name(name)?)).err()?)))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(lexicon.finish().is_ok());
}

/// Detectors of numbers and what is mixed with them, compiled.
static NUMBERS: LazyLock<Vec<(Unit, &'static Detector, Regex)>> = LazyLock::new(|| {
    let mut gathering = Gathering::default();
    let personal = detect::group("personal-data").expect("is a group").detectors();
    let add = |detector: &'static Detector| {
        let unit = gathering.add(&TextMatch::Detector(detector)).unwrap();
        (unit, detector, Regex::new(detector.pattern).unwrap())
    };
    personal.map(add).collect()
});
static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
    let mut gathering = Gathering::default();
    NUMBERS.iter().for_each(|(_, detector, _)| {
        gathering.add(&TextMatch::Detector(detector)).unwrap();
    });
    gathering.finish().unwrap()
});

/// What a detector finds by itself: from left to right, as [`detect::find`] does, or wherever a match begins.
fn plainly(
    (_, detector, regex): &(Unit, &'static Detector, Regex),
    text: &str,
    everywhere: bool,
) -> BTreeSet<(usize, usize)> {
    let mut captures = regex.create_captures();
    let (mut found, mut at) = (BTreeSet::new(), 0);
    while at < text.len() {
        regex.search_captures(&Input::new(text).span(at..text.len()), &mut captures);
        let Some(whole) = captures.get_match().map(|whole| whole.range()) else { break };
        let confirmed = told(detector, text, &whole) && detector.confirms_at(text, whole.clone());
        let secret = captures.get_group_by_name("secret").map_or(whole.clone(), |group| group.start..group.end);
        if confirmed {
            found.insert((secret.start, secret.end));
        }
        let token = text[whole.clone()].char_indices().map(|(i, c)| (i, c.is_alphanumeric()));
        let other = token.clone().find(|(_, kind)| Some(*kind) != token.clone().next().map(|(_, kind)| kind));
        at = match other {
            _ if everywhere => text.ceil_char_boundary(whole.start + 1),
            Some((other, _)) if !confirmed && whole.len() <= 64 => whole.start + other,
            _ => whole.end,
        };
    }
    found
}

fn told(detector: &Detector, text: &str, whole: &Range<usize>) -> bool {
    let start = whole.start.saturating_sub(detector.context_bytes);
    let end = (whole.end + detector.context_bytes).min(text.len());
    let near = text.as_bytes()[start..end].to_ascii_lowercase();
    let stands = |word: &&str| near.windows(word.len()).any(|there| there == word.to_ascii_lowercase().as_bytes());
    detector.keywords.is_empty() || detector.keywords.iter().any(stands)
}

/// Numbers that detectors confirm.
const REAL: &[&str] = &[
    "+49 30 901820",
    "212-555-0123",
    "(212) 555-0123",
    "1 (212) 555-0123",
    "1 212-555-0123",
    "020 7946 0958",
    "01 42 68 53 00",
    "0612345678",
    "030/901820 12",
    "98765 43210",
    "138 1234 5678",
    "0049 30 901820",
    "192.0.2.44",
    "2001:db8::8a2e:370:7334",
    "00:1A:2b:3c:4D:5e",
    "4111 1111 1111 1111",
    "4111111111111111",
    "3782 822463 10005",
    "6011-1111-1111-1117 123",
    "DE89 3704 0044 0532 0130 00",
    "GB29NWBK60161331926819",
    "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
    "123-45-6789",
    "536 22 1234",
    "912-70-1234",
    "130 692 544",
    "529.982.247-25",
    "52998224725",
    "11.222.333/0001-81",
    "HEGG560427MVZRRL04",
    "12.345.678-5",
    "20-12345678-6",
    "AB 12 34 56 C",
    "86095742719",
    "86 095 742 719",
    "2 55 08 14 168 025 38",
    "255081416802538",
    "12345678Z",
    "X1234567L",
    "85.07.30-033.28",
    "85073003328",
    "44051401359",
    "811228-9874",
    "19811228-9874",
    "131052-308T",
    "15021951940",
    "010190-1234",
    "756.9217.0769.85",
    "736028/5163",
    "1800101221144",
    "10000000146",
    "2363 4567 8904",
    "ABCPE1234F",
    "11010519491231002X",
    "900101-1234567",
    "1234 5678 9018",
    "S1234567D",
    "A123456(3)",
    "A123456789",
    "1-2345-67890-12-1",
    "123 456 782",
    "2123 45670 1",
    "8001015009087",
    "9434765919",
    "123456789",
    "111222333",
    "236345678904",
    "123456782",
    "021000021",
    "1980-02-29",
    "02/13/1980",
    "3 March 1980",
    "5 Mar. 1990",
    "2123 45670 1/1",
    "TN12 3456",
];
/// What stands between and round numbers.
const BETWEEN: &[&str] = &[
    " ",
    " ",
    " ",
    "-",
    ".",
    "/",
    "",
    "  ",
    " - ",
    "+",
    "(",
    ") ",
    "\n",
    "_",
    "x",
    ", ",
    ":",
    "born ",
    "DOB: ",
    "ssn ",
    "SSN: ",
    "nhs ",
    "bsn:",
    "tfn no. ",
    "NIF ",
    "sin",
    "uid ",
    "My Number: ",
    "wire ",
    "medicare",
    "\u{e9}",
    "\u{4e2d}",
    "+1 ",
    "00",
    "health insurance ",
    "itin/",
    "aadhaar=",
];

fn text() -> impl Strategy<Value = String> {
    let near_miss =
        (prop::sample::select(REAL), any::<prop::sample::Index>(), "[0-9 .A-Z-]").prop_map(|(real, at, other)| {
            let at = at.index(real.len());
            format!("{}{other}{}", &real[..at], &real[at + 1..])
        });
    let number = prop_oneof![
        3 => prop::sample::select(REAL).prop_map(str::to_owned),
        2 => near_miss,
        3 => "[0-9]{1,20}",
        2 => "[0-9]{1,5}[ ./-][0-9]{1,5}[ ./-][0-9]{1,5}",
        1 => "[0-9A-Za-z]{1,12}",
    ];
    let pieces = prop::collection::vec((number, prop::sample::select(BETWEEN)), 1..9);
    (prop::sample::select(BETWEEN), pieces).prop_map(|(first, pieces)| {
        pieces.into_iter().fold(first.to_owned(), |text, (number, between)| text + &number + between)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn many_detectors_at_once_find_what_each_finds_by_itself(text in text()) {
        let query = super::tests::user(&text);
        let scan = scan(&LEXICON, &query);
        let mut missing = Vec::new();
        for row in NUMBERS.iter() {
            let found: BTreeSet<_> = scan
                .found(row.0, RoleSet::ALL)
                .filter_map(|found| found.at.first().map(|(_, range)| (range.start, range.end)))
                .collect();
            missing.extend(plainly(row, &text, false).difference(&found).map(|range| (row.1, *range)));
            if decoded(&text, &mut DecodeBudget::default()).is_empty() && text.is_ascii() {
                let all = plainly(row, &text, true);
                prop_assert!(found.is_subset(&all), "{:?} {text:?}: {found:?}, {all:?}", row.1);
            }
        }
        prop_assert!(missing.is_empty(), "{text:?}: {missing:?}");
    }

    #[test]
    fn what_the_check_asks_of_digits_is_asked_of_them_alone(number in prop::sample::select(REAL), other in "[0-9 ./-]{8,22}") {
        for detector in detect::names().filter_map(detect::by_name) {
            let Some(may_be) = detector.number else { continue };
            for candidate in [number, &other] {
                let digits: Vec<u8> = candidate.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect();
                prop_assert!(may_be(&digits) || !detector.confirms(candidate), "{detector:?} {candidate}");
            }
        }
    }

    #[test]
    fn what_never_stands_alone_is_never_confirmed_alone(digits in "[0-9]{8,16}", signs in "[ ./-]?[0-9]{0,9}") {
        for detector in detect::names().filter_map(detect::by_name) {
            let grouped = format!("{digits}{signs}");
            match detector.alone {
                Alone::Counts => {}
                Alone::InGroups => prop_assert!(!detector.confirms(&digits), "{detector:?}"),
                Alone::Never => prop_assert!(!detector.confirms(&digits) && !detector.confirms(&grouped), "{detector:?}"),
            }
        }
    }
}
