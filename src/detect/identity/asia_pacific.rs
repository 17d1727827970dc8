//! National numbers of Asia, Africa and the Pacific.
//!
//! Facts from the tax offices and registries of each country.

use super::super::Detector;
use super::super::check::{alnum, digits, luhn, monotonous, month_day, number, verhoeff, weighted};
use super::{is_told, named};

/// The detectors of this theme.
pub(in super::super) static TABLE: &[Detector] = &[
    Detector::new(
        "in-aadhaar",
        "AADHAAR",
        "An Aadhaar number of India (Verhoeff), after its name or in groups of four.",
        named!("aadhaar|aadhar|uidai|uid", r"[2-9][0-9]{3}(?:[ \-][0-9]{4}[ \-]|[0-9]{4})[0-9]{4}(?:[ \-][0-9]{4})?"),
        |candidate| is_told(candidate) && in_aadhaar(&digits(candidate)),
    )
    .number(in_aadhaar)
    .in_groups(),
    Detector::new(
        "in-pan",
        "PAN",
        "A permanent account number of India.",
        r"(?-u:\b)[A-Z]{3}[ABCFGHJLPT][A-Z][0-9]{4}[A-Z](?-u:\b)",
        |candidate| !monotonous(&digits(candidate)),
    ),
    Detector::new(
        "cn-resident-id",
        "RESIDENT_ID",
        "A resident identity number of China (date and ISO 7064 check).",
        r"(?-u:\b)[1-9][0-9]{5}(?:19|20)[0-9]{2}[01][0-9][0-3][0-9]{4}[0-9Xx](?-u:\b)",
        cn_resident_id,
    ),
    Detector::new(
        "kr-rrn",
        "RRN",
        "A resident registration number of Korea (date), with its hyphen.",
        r"(?-u:\b)[0-9]{2}[01][0-9][0-3][0-9]-[1-8][0-9]{6}(?-u:\b)",
        |candidate| {
            let digits = digits(candidate);
            month_day(digits.get(2..4).map_or(0, number), digits.get(4..6).map_or(0, number))
        },
    ),
    Detector::new(
        "jp-my-number",
        "MY_NUMBER",
        "An individual number of Japan (check digit), after its name or in groups of four.",
        concat!(
            r"(?:(?:(?i-u:my ?number|individual number)|\x{30de}\x{30a4}\x{30ca}\x{30f3}\x{30d0}\x{30fc}",
            r"|\x{500b}\x{4eba}\x{756a}\x{53f7})(?:[ -/:-~]|\x{ff1a}){0,40}?)?",
            r"(?-u:\b)(?<secret>[0-9]{4}(?:[ \-][0-9]{4}[ \-]|[0-9]{4})[0-9]{4}(?:[ \-][0-9]{4})?)(?-u:\b)"
        ),
        |candidate| is_told(candidate) && jp_my_number(&digits(candidate)),
    )
    .number(jp_my_number)
    .in_groups(),
    Detector::new(
        "sg-nric",
        "NRIC",
        "An identity number of Singapore (check letter).",
        r"(?-u:\b)(?i-u:[STFGM][0-9]{7}[A-Z])(?-u:\b)",
        sg_nric,
    ),
    Detector::new(
        "hk-id",
        "HKID",
        "An identity card number of Hong Kong (check digit), with its brackets.",
        r"(?-u:\b)[A-Z]{1,2}[0-9]{6} ?\([0-9A]\)",
        hk_id,
    )
    .with(&["("]),
    Detector::new(
        "tw-id",
        "TWID",
        "An identity number of Taiwan (check digit).",
        r"(?-u:\b)[A-Z][1289A-D][0-9]{8}(?-u:\b)",
        tw_id,
    ),
    Detector::new(
        "th-id",
        "THAI_ID",
        "An identity number of Thailand (modulo 11), in its groups.",
        r"(?-u:\b)[1-8][ \-][0-9]{4}[ \-][0-9]{5}[ \-][0-9]{2}[ \-][0-9](?-u:\b)",
        th_id,
    ),
    Detector::new(
        "au-tfn",
        "TFN",
        "A tax file number of Australia (modulo 11), after its name or in groups.",
        named!("tfn|tax[ -]file", r"[0-9]{3}(?: [0-9]{3} |-[0-9]{3}-|[0-9]{3})[0-9]{3}"),
        |candidate| is_told(candidate) && au_tfn(&digits(candidate)),
    )
    .number(au_tfn)
    .in_groups(),
    Detector::new(
        "au-medicare",
        "MEDICARE",
        "A Medicare card number of Australia (check digit), after its name or in groups.",
        named!("medicare", r"[2-6][0-9]{3}(?: [0-9]{5} |-[0-9]{5}-|[0-9]{5})[0-9](?:[ /\-]?[0-9])?"),
        |candidate| is_told(candidate) && au_medicare(&digits(candidate)),
    )
    .number(au_medicare)
    .in_groups(),
    Detector::new(
        "za-id",
        "ZA_ID",
        "An identity number of South Africa (date and Luhn).",
        r"(?-u:\b)[0-9]{2}[01][0-9][0-3][0-9] ?[0-9]{4} ?[012][0-9][0-9](?-u:\b)",
        |candidate| {
            let digits = digits(candidate);
            month_day(digits.get(2..4).map_or(0, number), digits.get(4..6).map_or(0, number)) && luhn(&digits)
        },
    ),
    Detector::new(
        "il-id",
        "ISRAELI_ID",
        "An identity number of Israel (Luhn), after its name.",
        r"(?:(?i-u:teudat[ -]zehut|israeli id)|\x{5ea}\.?\x{5d6}\.?|\x{5ea}\x{5e2}\x{5d5}\x{5d3}\x{5ea} \x{5d6}\x{5d4}\x{5d5}\x{5ea})[ -/:-~]{0,20}?(?-u:\b)(?<secret>[0-9]{9})(?-u:\b)",
        |candidate| luhn(&digits(candidate)) && !monotonous(&digits(candidate)),
    )
    .with(&["zehut", "israeli id", "\u{5ea}"]),
];

/// A fourth group of four makes it a card number.
fn in_aadhaar(digits: &[u8]) -> bool {
    digits.len() == 12 && verhoeff(digits) && !monotonous(digits)
}

fn cn_resident_id(candidate: &str) -> bool {
    let Some(body) = candidate.get(..17).map(digits) else { return false };
    let sum = weighted(&body, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    let check = "10X98765432".chars().nth((sum % 11) as usize);
    month_day(body.get(10..12).map_or(0, number), body.get(12..14).map_or(0, number))
        && candidate.chars().last().map(|c| c.to_ascii_uppercase()) == check
}

fn jp_my_number(digits: &[u8]) -> bool {
    if digits.len() != 12 {
        return false;
    }
    let Some((check, body)) = digits.split_last() else { return false };
    let rest = weighted(body, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    let expected = if rest < 2 { 0 } else { 11 - rest };
    expected == u32::from(*check) && !monotonous(digits)
}

fn sg_nric(candidate: &str) -> bool {
    let text = alnum(candidate);
    let (letters, offset) = match text.as_bytes().first() {
        Some(b'S') => ("JZIHGFEDCBA", 0),
        Some(b'T') => ("JZIHGFEDCBA", 4),
        Some(b'F') => ("XWUTRQPNMLK", 0),
        Some(b'G') => ("XWUTRQPNMLK", 4),
        _ => ("XWUTRQPNJLK", 3),
    };
    let sum = offset + weighted(&digits(&text), &[2, 7, 6, 5, 4, 3, 2]);
    // Series M counts its letters from the other end.
    let index = if text.starts_with('M') { 10 - sum % 11 } else { sum % 11 };
    text.chars().last() == letters.chars().nth(index as usize)
}

fn hk_id(candidate: &str) -> bool {
    let text = alnum(candidate);
    let values: Vec<u32> = text.chars().filter_map(|c| c.to_digit(36)).collect();
    let Some((check, body)) = values.split_last() else { return false };
    let blank = if body.len() == 7 { 36 * 9 } else { 0 };
    let sum: u32 = blank + body.iter().rev().zip(2..).map(|(value, weight)| value * weight).sum::<u32>();
    (sum + check).is_multiple_of(11)
}

fn tw_id(candidate: &str) -> bool {
    const PLACES: &str = "ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let place = |c: char| PLACES.find(c).and_then(|at| u32::try_from(at).ok()).map_or(0, |at| at + 10);
    let mut chars = candidate.chars();
    let (Some(first), Some(second)) = (chars.next(), chars.next()) else { return false };
    let second = second.to_digit(10).unwrap_or_else(|| place(second) % 10);
    let tail = digits(chars.as_str());
    let sum = place(first) / 10 + place(first) % 10 * 9 + second * 8 + weighted(&tail, &[7, 6, 5, 4, 3, 2, 1, 1]);
    sum.is_multiple_of(10)
}

fn th_id(candidate: &str) -> bool {
    let digits = digits(candidate);
    let Some((check, body)) = digits.split_last() else { return false };
    let sum = weighted(body, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    (11 - sum % 11) % 10 == u32::from(*check)
}

fn au_tfn(digits: &[u8]) -> bool {
    weighted(digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11) && !monotonous(digits)
}

fn au_medicare(digits: &[u8]) -> bool {
    let check = digits.get(8).copied().map(u32::from);
    check == Some(weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10)
}
