//! National numbers of the Americas.
//!
//! Facts from the Social Security Administration, the IRS and the revenue and registry services of each country.

use super::super::Detector;
use super::super::check::{alnum, digits, luhn, monotonous, month_day, number, weighted};
use super::{is_told, named};

/// The detectors of this theme.
pub(in super::super) static TABLE: &[Detector] = &[
    Detector::new(
        "us-ssn",
        "SSN",
        "A social security number of the United States.",
        named!("ssn|social[ -]security", r"[0-8][0-9]{2}(?:-[0-9]{2}-| [0-9]{2} |[0-9]{2})[0-9]{4}"),
        us_ssn,
    )
    .number(us_ssn_digits)
    .in_groups(),
    Detector::new(
        "us-itin",
        "ITIN",
        "An individual taxpayer number of the United States.",
        named!("itin|taxpayer", r"9[0-9]{2}(?:-[5-9][0-9]-| [5-9][0-9] |[5-9][0-9])[0-9]{4}"),
        us_itin,
    )
    .in_groups(),
    Detector::new(
        "ca-sin",
        "SIN",
        "A social insurance number of Canada (Luhn).",
        named!("sin|social[ -]insurance|nas", r"[1-79][0-9]{2}(?:[ \-][0-9]{3}[ \-]|[0-9]{3})[0-9]{3}"),
        |candidate| is_told(candidate) && luhn(&digits(candidate)) && !monotonous(&digits(candidate)),
    )
    .number(luhn)
    .in_groups(),
    Detector::new(
        "br-cpf",
        "CPF",
        "A taxpayer number of a person in Brazil (two check digits).",
        r"(?-u:\b)[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}[\-/]?[0-9]{2}(?-u:\b)",
        |candidate| br_cpf(&digits(candidate)),
    )
    .number(br_cpf),
    Detector::new(
        "br-cnpj",
        "CNPJ",
        "A taxpayer number of a company in Brazil (two check digits).",
        r"(?-u:\b)[0-9]{2}\.?[0-9]{3}\.?[0-9]{3}/?[0-9]{4}-?[0-9]{2}(?-u:\b)",
        |candidate| br_cnpj(&digits(candidate)),
    )
    .number(br_cnpj),
    Detector::new(
        "mx-curp",
        "CURP",
        "A population registry code of Mexico.",
        r"(?-u:\b)[A-Z][AEIOUX][A-Z]{2}[0-9]{6}[HMX][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[0-9A-Z][0-9](?-u:\b)",
        mx_curp,
    ),
    Detector::new(
        "cl-rut",
        "RUT",
        "A national number of Chile (modulo 11).",
        r"(?-u:\b)[0-9]{1,2}(?:\.[0-9]{3}\.[0-9]{3}|[0-9]{6})-[0-9Kk](?-u:\b)",
        cl_rut,
    ),
    Detector::new(
        "ar-cuit",
        "CUIT",
        "A tax or labour number of Argentina (modulo 11).",
        r"(?-u:\b)(?:2[034567]|3[034])-[0-9]{8}-[0-9](?-u:\b)",
        |candidate| modulo_11(&digits(candidate), &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]),
    ),
];

fn us_ssn(candidate: &str) -> bool {
    is_told(candidate) && us_ssn_digits(&digits(candidate))
}

fn us_ssn_digits(digits: &[u8]) -> bool {
    let [area @ .., a, b, _, _, _, _] = digits else { return false };
    let serial = digits.get(5..).map_or(0, number);
    // Two numbers that advertising made known.
    let advertised = matches!(number(digits), 78_051_120 | 219_099_999);
    !matches!(number(area), 0 | 666 | 900..) && (*a, *b) != (0, 0) && serial != 0 && !advertised && !monotonous(digits)
}

fn us_itin(candidate: &str) -> bool {
    let group = digits(candidate).get(3..5).map_or(0, number);
    is_told(candidate) && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// A sum of weights whose difference to the next multiple of 11 is the last digit, ten and eleven counting as zero.
fn modulo_11(digits: &[u8], weights: &[u32]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let rest = 11 - weighted(body, weights) % 11;
    u32::from(*check) == if rest > 9 { 0 } else { rest }
}

fn br_cpf(digits: &[u8]) -> bool {
    let Some(first) = digits.get(..10) else { return false };
    !monotonous(digits)
        && modulo_11(first, &[10, 9, 8, 7, 6, 5, 4, 3, 2])
        && modulo_11(digits, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])
}

fn br_cnpj(digits: &[u8]) -> bool {
    let Some(first) = digits.get(..13) else { return false };
    !monotonous(digits)
        && modulo_11(first, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
        && modulo_11(digits, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
}

fn mx_curp(candidate: &str) -> bool {
    const ALPHABET: &str = "0123456789ABCDEFGHIJKLMN\u{d1}OPQRSTUVWXYZ";
    let date = candidate.get(6..10).map(digits).unwrap_or_default();
    let dated = month_day(date.get(..2).map_or(0, number), date.get(2..).map_or(0, number));
    let values = candidate.chars().map(|c| ALPHABET.chars().position(|known| known == c).unwrap_or_default());
    let sum: usize = values.take(17).zip((2..=18).rev()).map(|(value, weight)| value * weight).sum();
    let check = candidate.chars().last().and_then(|c| c.to_digit(10)).and_then(|d| usize::try_from(d).ok());
    dated && check == Some((10 - sum % 10) % 10)
}

fn cl_rut(candidate: &str) -> bool {
    let number = alnum(candidate);
    let Some((body, check)) = number.split_at_checked(number.len().saturating_sub(1)) else { return false };
    let sum: u32 =
        digits(body).iter().rev().zip([2, 3, 4, 5, 6, 7].into_iter().cycle()).map(|(d, w)| u32::from(*d) * w).sum();
    let expected = match 11 - sum % 11 {
        11 => "0".to_owned(),
        10 => "K".to_owned(),
        digit => digit.to_string(),
    };
    check == expected && !monotonous(&digits(body))
}
