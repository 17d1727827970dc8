//! How to reach or place a person: mail and network addresses, telephone numbers, dates of birth.
//!
//! Facts from RFC 5321, ITU-T E.164 and national numbering plans.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Detector;
use super::check::{digits, monotonous, month_day, number};

/// The detectors of this theme.
pub(super) static TABLE: &[Detector] = &[
    Detector::new(
        "email",
        "EMAIL",
        "An e-mail address.",
        r"(?-u:\b)[A-Za-z0-9_][A-Za-z0-9._%+'-]{0,63}@[A-Za-z0-9][A-Za-z0-9.-]{0,189}\.[A-Za-z]{2,24}(?:(?-u:\b)|_)",
        email,
    )
    .with(&["@"]),
    Detector::new(
        "phone",
        "PHONE",
        "A telephone number: international, or in a common national form.",
        concat!(
            r"\+[1-9][0-9]{0,2}(?:[ .\-/]?\(?[0-9]{1,5}\)?){1,7}(?-u:\b)", // +49 (30) 901820
            r"|(?-u:\b)00[1-9][0-9]{0,2}(?:[ .\-/]\(?[0-9]{1,9}\)?){2,6}(?-u:\b)", // 0049 30 901820
            r"|(?:(?-u:\b)1[ .\-])?(?:\([2-9][0-9]{2}\) ?|(?-u:\b)[2-9][0-9]{2}[ .\-])[2-9][0-9]{2}[ .\-][0-9]{4}(?-u:\b)", // US, Canada
            r"|\(0[1-9][0-9]{0,4}\)(?:[ .\-/]?[0-9]{2,8}){1,4}(?-u:\b)", // (030) 901820
            r"|(?-u:\b)0[1-9][0-9]{0,4}(?:[ .\-/][0-9]{2,8}){1,4}(?-u:\b)", // 020 7946 0958, 01 23 45 67 89
            r"|(?-u:\b)0[67][0-9]{8,9}(?-u:\b)",         // mobiles in France and the UK
            r"|(?-u:\b)1[3-9][0-9][ \-]?[0-9]{4}[ \-]?[0-9]{4}(?-u:\b)", // mobiles in China
            r"|(?-u:\b)[6-9][0-9]{4}[ \-][0-9]{5}(?-u:\b)", // mobiles in India
            r"|\([1-9][0-9]\) ?9[0-9]{4}[ \-][0-9]{4}(?-u:\b)", // mobiles in Brazil
        ),
        phone,
    )
    .digits(8),
    Detector::new(
        "ip-address",
        "IP_ADDRESS",
        "An IPv4 or IPv6 address, but loopback, unspecified ones and masks.",
        concat!(
            r"(?-u:\b)[0-9]{1,3}(?:\.[0-9]{1,3}){3,7}(?-u:\b)",
            r"|(?-u:\b)[0-9A-Fa-f]{1,4}:(?:[0-9A-Fa-f]{0,4}:){1,7}(?:[0-9A-Fa-f]{1,4}|[0-9]{1,3}(?:\.[0-9]{1,3}){3})?",
        ),
        ip,
    ),
    Detector::new(
        "mac-address",
        "MAC_ADDRESS",
        "A hardware address of a network card.",
        concat!(
            r"(?-u:\b)(?:[0-9A-Fa-f]{2}:){5,7}[0-9A-Fa-f]{2}(?-u:\b)",
            r"|(?-u:\b)(?:[0-9A-Fa-f]{2}-){5,7}[0-9A-Fa-f]{2}(?-u:\b)",
            r"|(?-u:\b)[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(?-u:\b)"
        ),
        mac,
    ),
    Detector::new(
        "date-of-birth",
        "DATE_OF_BIRTH",
        "A date beside words of birth.",
        concat!(
            r"(?-u:\b)(?:(?:19|20)[0-9]{2}[./\-][0-9]{1,2}[./\-][0-9]{1,2}",
            r"|[0-9]{1,2}[./\-][0-9]{1,2}[./\-](?:19|20)[0-9]{2}",
            r"|[0-9]{1,2}(?:st|nd|rd|th|\.)? (?i-u:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?,? (?:19|20)[0-9]{2}",
            r"|(?i-u:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.? [0-9]{1,2}(?:st|nd|rd|th)?,? (?:19|20)[0-9]{2})(?-u:\b)"
        ),
        date,
    )
    .near(
        &["birth", "born", "dob", "d.o.b", "geboren", "geburts", "naissance", "né le", "née le", "nacimiento", "nascita"],
        40,
    ),
];

/// Endings of file names that look like domains: `icon@2x.png`.
const FILE_ENDINGS: [&str; 12] = ["png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "ts", "json", "html", "pdf"];

fn email(candidate: &str) -> bool {
    let Some((local, domain)) = candidate.rsplit_once('@') else { return false };
    let Some((_, ending)) = domain.rsplit_once('.') else { return false };
    let label =
        |label: &str| !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-');
    !local.ends_with('.')
        && !local.contains("..")
        && domain.split('.').all(label)
        && !FILE_ENDINGS.iter().any(|file| ending.eq_ignore_ascii_case(file))
}

fn phone(candidate: &str) -> bool {
    let digits = digits(candidate);
    let length = digits.len();
    if candidate.starts_with('+') || candidate.starts_with("00") {
        let skipped = if candidate.starts_with('+') { 0 } else { 2 };
        return digits.get(skipped..).is_some_and(international);
    }
    match &digits[..] {
        [0, first, ..] => (9..=12).contains(&length) && domestic(candidate, *first),
        [1, second, third, ..] if length == 11 && !candidate.starts_with('(') && !north_american(&digits) => {
            china_mobile(*second, *third)
        }
        _ if candidate.starts_with('(') && length == 11 => true,
        _ if length == 10 && candidate.len() == 11 => !monotonous(&digits),
        _ => north_american(&digits),
    }
}

/// E.164: a country code and seven to fifteen digits in all.
fn international(digits: &[u8]) -> bool {
    let Some(first) = digits.first() else { return false };
    let length = digits.len();
    match first {
        1 => length == 11 && north_american(digits),
        7 => length == 11,
        _ => (8..=15).contains(&length) && !monotonous(digits.get(2..).unwrap_or_default()),
    }
}

/// A number with a trunk zero. Groups as people write them, not a date and not a lone number with a zero.
fn domestic(candidate: &str, first: u8) -> bool {
    let groups: Vec<usize> = candidate.split(|c: char| !c.is_ascii_digit()).map(str::len).filter(|n| *n > 0).collect();
    match groups.as_slice() {
        [whole] => (*whole == 10 && matches!(first, 6 | 7)) || (*whole == 11 && first == 7),
        // 01 02 03 ..: only the French five pairs begin with two digits.
        [2, rest @ ..] => (rest.len() == 4 && rest.iter().all(|n| *n == 2)) || rest.iter().any(|n| *n >= 4),
        [_, rest @ ..] => rest.len() > 1 || rest.iter().all(|n| *n >= 5),
        [] => false,
    }
}

fn china_mobile(second: u8, third: u8) -> bool {
    match second {
        3 | 8 | 9 => true,
        4 => third >= 5,
        5 => third != 4,
        6 => matches!(third, 2 | 5 | 6 | 7),
        7 => third != 9,
        _ => false,
    }
}

/// Area code and exchange are three digits, the first from 2 to 9, and no service code such as 911.
fn north_american(digits: &[u8]) -> bool {
    let ten = match digits {
        [1, ten @ ..] if ten.len() == 10 => ten,
        ten => ten,
    };
    let (Some(area), Some(exchange)) = (ten.get(..3), ten.get(3..6)) else { return false };
    let code = |three: &[u8]| number(three) >= 200 && !three.ends_with(&[1, 1]);
    ten.len() == 10 && code(area) && code(exchange)
}

fn ip(candidate: &str) -> bool {
    if let Ok(address) = candidate.parse::<Ipv4Addr>() {
        let [first, ..] = address.octets();
        return first != 0 && first != 255 && !address.is_loopback();
    }
    let Ok(address) = candidate.parse::<Ipv6Addr>() else { return false };
    // `abc::def` is a path in many languages, `12::` a slice: an address begins with a whole group that has a digit.
    let first = candidate.split(':').next().unwrap_or_default();
    let told = candidate.bytes().filter(u8::is_ascii_hexdigit).count() > 4 || candidate.ends_with("::");
    first.len() >= 3 && first.bytes().any(|b| b.is_ascii_digit()) && told && !address.is_loopback()
}

fn mac(candidate: &str) -> bool {
    let hex: Vec<u8> = candidate.bytes().filter(u8::is_ascii_hexdigit).map(|b| b.to_ascii_lowercase()).collect();
    hex.len() == 12 && !monotonous(&hex)
}

fn date(candidate: &str) -> bool {
    let groups: Vec<u64> = candidate
        .split(|c: char| !c.is_ascii_digit())
        .filter(|group| !group.is_empty())
        .map(|group| number(&digits(group)))
        .collect();
    match groups.as_slice() {
        [year, month, day] if *year > 1000 => month_day(*month, *day),
        [a, b, _] => month_day(*a, *b) || month_day(*b, *a),
        [day, _] => (1..=31).contains(day),
        _ => false,
    }
}
