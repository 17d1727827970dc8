//! National numbers of Europe.
//!
//! Facts from the tax offices and registries of each country.

use super::super::Detector;
use super::super::check::{alnum, digits, luhn, mod11_10, monotonous, month_day, number, weighted};
use super::{follows_its_word, is_told, named};

/// The detectors of this theme.
pub(in super::super) static TABLE: &[Detector] = &[
    Detector::new(
        "uk-nhs",
        "NHS_NUMBER",
        "A patient number of the National Health Service (modulo 11), after its name.",
        named!("nhs|patient|health", r"[0-9]{3}(?:[ \-][0-9]{3}[ \-]|[0-9]{3})[0-9]{4}"),
        uk_nhs,
    )
    .after_word(),
    Detector::new(
        "uk-nino",
        "NATIONAL_INSURANCE",
        "A National Insurance number of the United Kingdom.",
        r"(?-u:\b)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D](?-u:\b)",
        |candidate| {
            !matches!(candidate.get(..2), Some("BG" | "GB" | "KN" | "NK" | "NT" | "TN" | "ZZ"))
                && !monotonous(&digits(candidate))
        },
    ),
    Detector::new(
        "de-tax-id",
        "TAX_ID",
        "A tax number of a person in Germany (ISO 7064).",
        r"(?-u:\b)[1-9][0-9](?: [0-9]{3} [0-9]{3} |[0-9]{6})[0-9]{3}(?-u:\b)",
        |candidate| de_tax_id(&digits(candidate)),
    )
    .number(de_tax_id),
    Detector::new(
        "de-id-card",
        "ID_CARD",
        "The number of a German identity card with its check digit, beside its name.",
        r"(?-u:\b)[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{8}[0-9]D?(?-u:\b)",
        de_id_card,
    )
    .near(&["ausweis", "identity card", "id card", "passport", "reisepass"], 60),
    Detector::new(
        "fr-nir",
        "SOCIAL_SECURITY",
        "A social security number of France (modulo 97).",
        r"(?-u:\b)[1-478] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}(?-u:\b)",
        fr_nir,
    ),
    Detector::new(
        "es-dni",
        "DNI",
        "An identity number of Spain, DNI or NIE (check letter).",
        r"(?-u:\b)(?:[0-9]{8}|[XYZxyz]-?[0-9]{7})[ \-]?[A-HJ-NP-TV-Za-hj-np-tv-z](?-u:\b)",
        es_dni,
    ),
    Detector::new(
        "it-codice-fiscale",
        "CODICE_FISCALE",
        "A tax code of Italy (check letter).",
        r"(?-u:\b)(?i-u:[A-Z]{6} ?[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2} ?[A-Z][0-9LMNP-V]{3}[A-Z])(?-u:\b)",
        it_codice_fiscale,
    ),
    Detector::new(
        "nl-bsn",
        "BSN",
        "A citizen service number of the Netherlands (eleven test), after its name or in groups.",
        named!("bsn|burgerservice|sofi", r"[0-9]{4}[. ][0-9]{2}[. ][0-9]{3}|[0-9]{9}"),
        |candidate| is_told(candidate) && nl_bsn(&digits(candidate)),
    )
    .number(nl_bsn)
    .in_groups(),
    Detector::new(
        "be-national-number",
        "NATIONAL_NUMBER",
        "A national number of Belgium (modulo 97).",
        r"(?-u:\b)[0-9]{2}\.?[0-9]{2}\.?[0-9]{2}-?[0-9]{3}\.?[0-9]{2}(?-u:\b)",
        |candidate| be_national_number(&digits(candidate)),
    )
    .number(be_national_number),
    Detector::new(
        "pt-nif",
        "NIF",
        "A tax number of Portugal (modulo 11), after its name.",
        named!("nif|contribuinte|fiscal", r"[1-35689][0-9]{2}(?: [0-9]{3} |[0-9]{3})[0-9]{3}"),
        |candidate| follows_its_word(candidate) && remainder_check(&digits(candidate), &[9, 8, 7, 6, 5, 4, 3, 2]),
    )
    .after_word(),
    Detector::new(
        "pl-pesel",
        "PESEL",
        "A population registry number of Poland (date and check digit).",
        r"(?-u:\b)[0-9]{2}(?:[02468][1-9]|[13579][0-2])[0-3][0-9]{6}(?-u:\b)",
        |candidate| pl_pesel(&digits(candidate)),
    )
    .number(pl_pesel),
    Detector::new(
        "se-personnummer",
        "PERSONNUMMER",
        "A personal number of Sweden (date and Luhn).",
        r"(?-u:\b)(?:19|20)?[0-9]{2}[01][0-9][0-9]{2}[\-+]?[0-9]{4}(?-u:\b)",
        se_personnummer,
    ),
    Detector::new(
        "fi-hetu",
        "HETU",
        "A personal identity code of Finland (date and check character).",
        r"(?-u:\b)[0-3][0-9][01][0-9]{3}[\-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y](?-u:\b)",
        fi_hetu,
    ),
    Detector::new(
        "no-fodselsnummer",
        "FODSELSNUMMER",
        "A birth number of Norway (two check digits).",
        r"(?-u:\b)[0-7][0-9][0-9]{4} ?[0-9]{5}(?-u:\b)",
        |candidate| no_fodselsnummer(&digits(candidate)),
    )
    .number(no_fodselsnummer),
    Detector::new(
        "dk-cpr",
        "CPR",
        "A civil registration number of Denmark (date), with its hyphen.",
        r"(?-u:\b)[0-3][0-9][01][0-9]{3}-[0-9]{4}(?-u:\b)",
        |candidate| day_month_first(&digits(candidate)),
    ),
    Detector::new(
        "ch-ahv",
        "AHV_NUMBER",
        "A social insurance number of Switzerland (EAN-13).",
        r"(?-u:\b)756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}(?-u:\b)",
        |candidate| weighted(&digits(candidate), &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10),
    )
    .with(&["756"]),
    Detector::new(
        "cz-birth-number",
        "BIRTH_NUMBER",
        "A birth number of the Czech Republic or Slovakia (date, modulo 11), with its slash.",
        r"(?-u:\b)[0-9]{2}[0-8][0-9][0-3][0-9]/[0-9]{4}(?-u:\b)",
        cz_birth_number,
    ),
    Detector::new(
        "ro-cnp",
        "CNP",
        "A personal number of Romania (date and check digit).",
        r"(?-u:\b)[1-8][0-9]{2}[01][0-9][0-3][0-9]{7}(?-u:\b)",
        |candidate| ro_cnp(&digits(candidate)),
    )
    .number(ro_cnp),
    Detector::new(
        "bg-egn",
        "EGN",
        "A citizen number of Bulgaria (date and check digit), after its name.",
        r"(?:(?i-u:egn)|\x{415}\x{413}\x{41d})[ -/:-~]{0,20}?(?-u:\b)(?<secret>[0-9]{10})(?-u:\b)",
        bg_egn,
    )
    .with(&["egn", "\u{415}\u{413}\u{41d}"]),
    Detector::new(
        "tr-tckn",
        "TCKN",
        "An identity number of Turkey (two check digits).",
        r"(?-u:\b)[1-9][0-9]{10}(?-u:\b)",
        |candidate| tr_tckn(&digits(candidate)),
    )
    .number(tr_tckn),
];

/// The last digit is the sum of weights modulo 11, or that from eleven; ten and eleven count as zero.
fn remainder_check(digits: &[u8], weights: &[u32]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let rest = (11 - weighted(body, weights) % 11) % 11;
    u32::from(*check) == if rest == 10 { 0 } else { rest } && !monotonous(digits)
}

fn uk_nhs(candidate: &str) -> bool {
    let digits = digits(candidate);
    let Some((check, body)) = digits.split_last() else { return false };
    let rest = (11 - weighted(body, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    follows_its_word(candidate) && rest == u32::from(*check) && !monotonous(&digits)
}

/// One digit of the first ten occurs twice or three times, and only one, the rest at most once.
fn de_tax_id(digits: &[u8]) -> bool {
    let Some(body) = digits.get(..10) else { return false };
    let mut times = [0_u8; 10];
    for digit in body {
        if let Some(count) = times.get_mut(usize::from(*digit)) {
            *count += 1;
        }
    }
    let repeated: Vec<u8> = times.into_iter().filter(|n| *n > 1).collect();
    matches!(repeated.as_slice(), [2 | 3]) && mod11_10(digits)
}

fn de_id_card(candidate: &str) -> bool {
    let values: Vec<u32> = candidate.chars().take(10).filter_map(|c| c.to_digit(36)).collect();
    let Some((check, body)) = values.split_last() else { return false };
    let sum: u32 = body.iter().zip([7, 3, 1].into_iter().cycle()).map(|(value, weight)| value * weight).sum();
    sum % 10 == *check && candidate.bytes().any(|b| b.is_ascii_digit())
}

fn fr_nir(candidate: &str) -> bool {
    let text = alnum(candidate);
    let Some((body, key)) = text.split_at_checked(13) else { return false };
    let corsica = if body.contains('A') { 1_000_000 } else { u64::from(body.contains('B')) * 2_000_000 };
    let plain: String = body.chars().map(|c| if c.is_ascii_digit() { c } else { '0' }).collect();
    let Some(value) = number(&digits(&plain)).checked_sub(corsica) else { return false };
    97 - value % 97 == number(&digits(key))
}

fn es_dni(candidate: &str) -> bool {
    const LETTERS: &str = "TRWAGMYFPDXBNJZSQVHLCKE";
    let text = alnum(candidate);
    let plain = match text.as_bytes().first() {
        Some(b'X') => text.replacen('X', "0", 1),
        Some(b'Y') => text.replacen('Y', "1", 1),
        Some(b'Z') => text.replacen('Z', "2", 1),
        _ => text,
    };
    let Ok(index) = usize::try_from(number(&digits(&plain)) % 23) else { return false };
    plain.chars().last() == LETTERS.chars().nth(index) && !monotonous(&digits(&plain))
}

fn it_codice_fiscale(candidate: &str) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let text = alnum(candidate);
    let Some((body, check)) = text.split_at_checked(15) else { return false };
    let value = |c: char| c.to_digit(36).map_or(0, |d| if d > 9 { d - 10 } else { d });
    let odd = |c: char| usize::try_from(value(c)).ok().and_then(|at| ODD.get(at)).copied().unwrap_or_default();
    let sum: u32 = body.chars().enumerate().map(|(i, c)| if i % 2 == 0 { odd(c) } else { value(c) }).sum();
    check.chars().next().map(value) == Some(sum % 26)
}

fn nl_bsn(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let sum = weighted(body, &[9, 8, 7, 6, 5, 4, 3, 2]);
    sum % 11 == u32::from(*check) && sum > 0 && !monotonous(digits)
}

fn be_national_number(digits: &[u8]) -> bool {
    let (Some(body), Some(check)) = (digits.get(..9), digits.get(9..)) else { return false };
    let (month, day) = (digits.get(2..4).map_or(0, number), digits.get(4..6).map_or(0, number));
    let dated = month_day(if month > 40 { month - 40 } else { month % 20 }, day);
    let rest = |value: u64| 97 - value % 97;
    dated && (rest(number(body)) == number(check) || rest(number(body) + 2_000_000_000) == number(check))
}

fn pl_pesel(digits: &[u8]) -> bool {
    let (month, day) = (digits.get(2..4).map_or(0, number), digits.get(4..6).map_or(0, number));
    month_day(month % 20, day)
        && weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)
        && !monotonous(digits)
}

/// Without century and hyphen, ten digits could be anything: then it does not count.
fn se_personnummer(candidate: &str) -> bool {
    let all = digits(candidate);
    let Some(ten) = all.len().checked_sub(10).and_then(|skip| all.get(skip..)) else { return false };
    let (month, day) = (ten.get(2..4).map_or(0, number), ten.get(4..6).map_or(0, number));
    let told = all.len() == 12 || candidate.contains(['-', '+']);
    // Coordination numbers add sixty to the day.
    told && month_day(month, if day > 60 { day - 60 } else { day }) && luhn(ten)
}

fn fi_hetu(candidate: &str) -> bool {
    const CHARACTERS: &str = "0123456789ABCDEFHJKLMNPRSTUVWXY";
    let digits = digits(candidate.get(..10).unwrap_or_default());
    let Ok(index) = usize::try_from(number(&digits) % 31) else { return false };
    digits.len() == 9 && day_month_first(&digits) && candidate.chars().last() == CHARACTERS.chars().nth(index)
}

/// Whether the digits begin with a day and a month.
fn day_month_first(digits: &[u8]) -> bool {
    month_day(digits.get(2..4).map_or(0, number), digits.get(..2).map_or(0, number))
}

fn no_fodselsnummer(digits: &[u8]) -> bool {
    let (month, day) = (digits.get(2..4).map_or(0, number), digits.get(..2).map_or(0, number));
    // Temporary numbers add forty to the day, test numbers forty or eighty to the month.
    month_day(month % 40, if day > 40 { day - 40 } else { day })
        && weighted(digits, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]).is_multiple_of(11)
        && weighted(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

fn cz_birth_number(candidate: &str) -> bool {
    let digits = digits(candidate);
    let (month, day) = (digits.get(2..4).map_or(0, number), digits.get(4..6).map_or(0, number));
    let month = if month > 50 { month - 50 } else { month };
    month_day(if month > 20 { month - 20 } else { month }, day) && number(&digits).is_multiple_of(11)
}

fn ro_cnp(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let rest = weighted(body, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    month_day(digits.get(3..5).map_or(0, number), digits.get(5..7).map_or(0, number))
        && u32::from(*check) == if rest == 10 { 1 } else { rest }
}

fn bg_egn(candidate: &str) -> bool {
    let digits = digits(candidate);
    let Some((check, body)) = digits.split_last() else { return false };
    let month = digits.get(2..4).map_or(0, number);
    let month = if month > 20 { month % 20 } else { month };
    month_day(month, digits.get(4..6).map_or(0, number))
        && weighted(body, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10 == u32::from(*check)
}

fn tr_tckn(digits: &[u8]) -> bool {
    let odd = weighted(digits, &[1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let even = weighted(digits, &[0, 1, 0, 1, 0, 1, 0, 1]);
    let Some([tenth, eleventh]) = digits.get(9..) else { return false };
    (odd * 7 + 10 * 9 - even) % 10 == u32::from(*tenth) && (odd + even + u32::from(*tenth)) % 10 == u32::from(*eleventh)
}
