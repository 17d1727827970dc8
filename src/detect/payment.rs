//! Means of payment: cards, accounts, wallets.
//!
//! Facts from ISO/IEC 7812 and the issuers' published ranges, the IBAN registry (ISO 13616), the ABA.

use super::Detector;
use super::check::{digits, entropy, luhn, mod97, monotonous, number, weighted};

/// The detectors of this theme.
pub(super) static TABLE: &[Detector] = &[
    Detector::new(
        "credit-card",
        "CREDIT_CARD",
        "A payment card number of a known range that passes the Luhn formula.",
        concat!(
            r"(?-u:\b)(?:",
            r"3[0-9]{3}(?:[ ._/\-]| [ \-] ?)[0-9]{6}(?:[ ._/\-]| [ \-] ?)[0-9]{4,5}",
            r"|[2-6][0-9]{3}(?:(?:[ ._/\-]| [ \-] ?)[0-9]{4}){3}(?:[ ._/\-][0-9]{1,3})?",
            r"|[2-6][0-9]{12,18}",
            r")(?-u:\b)"
        ),
        card,
    )
    .number(card_digits),
    Detector::new(
        "iban",
        "IBAN",
        "An international bank account number of a country's length that passes modulo 97.",
        concat!(
            r"(?-u:\b)(?i-u:",
            r"NO[0-9]{2}(?: ?[0-9A-Z]){11}",
            r"|BE[0-9]{2}(?: ?[0-9A-Z]){12}",
            r"|(?:DK|FI|FK|FO|GL|NL|SD)[0-9]{2}(?: ?[0-9A-Z]){14}",
            r"|(?:MK|SI)[0-9]{2}(?: ?[0-9A-Z]){15}",
            r"|(?:AT|BA|EE|KZ|LT|LU|MN|XK)[0-9]{2}(?: ?[0-9A-Z]){16}",
            r"|(?:CH|CR|HN|HR|LI|LV)[0-9]{2}(?: ?[0-9A-Z]){17}",
            r"|(?:BG|BH|DE|GB|GE|IE|ME|RS|VA)[0-9]{2}(?: ?[0-9A-Z]){18}",
            r"|(?:AE|GI|IL|IQ|OM|SO|TL)[0-9]{2}(?: ?[0-9A-Z]){19}",
            r"|(?:AD|CZ|ES|MD|PK|RO|SA|SE|SK|TN|VG)[0-9]{2}(?: ?[0-9A-Z]){20}",
            r"|(?:LY|PT|ST)[0-9]{2}(?: ?[0-9A-Z]){21}",
            r"|(?:IS|TR)[0-9]{2}(?: ?[0-9A-Z]){22}",
            r"|(?:BI|DJ|FR|GR|IT|MC|MR|SM)[0-9]{2}(?: ?[0-9A-Z]){23}",
            r"|(?:AL|AZ|BY|CY|DO|GT|HU|LB|NI|PL|SV)[0-9]{2}(?: ?[0-9A-Z]){24}",
            r"|(?:BR|EG|PS|QA|UA)[0-9]{2}(?: ?[0-9A-Z]){25}",
            r"|(?:JO|KW|MU|YE)[0-9]{2}(?: ?[0-9A-Z]){26}",
            r"|(?:MT|SC)[0-9]{2}(?: ?[0-9A-Z]){27}",
            r"|(?:LC)[0-9]{2}(?: ?[0-9A-Z]){28}",
            r"|(?:RU)[0-9]{2}(?: ?[0-9A-Z]){29}",
            r")(?-u:\b)"
        ),
        iban,
    ),
    Detector::new(
        "us-aba-routing",
        "ROUTING_NUMBER",
        "A routing number of an American bank, beside words of banking.",
        r"(?-u:\b)[0-3678][0-9]{8}(?-u:\b)",
        aba,
    )
    .near(&["routing", "aba", "rtn", "transit", "ach", "wire"], 60),
    Detector::new(
        "swift-bic",
        "BIC",
        "The code of a bank, beside the words SWIFT or BIC.",
        r"(?-u:\b)[A-Z]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?(?-u:\b)",
        bic,
    )
    .near(&["swift", "bic"], 40),
    Detector::new(
        "bitcoin-address",
        "WALLET",
        "An address of a Bitcoin wallet.",
        r"(?-u:\b)(?:bc1[ac-hj-np-z02-9]{39,59}|[13][1-9A-HJ-NP-Za-km-z]{25,34})(?-u:\b)",
        wallet,
    ),
    Detector::new(
        "ethereum-address",
        "WALLET",
        "An address of an Ethereum wallet.",
        r"(?-u:\b)0x[0-9A-Fa-f]{40}(?-u:\b)",
        |candidate| entropy(candidate) > 2.5,
    )
    .with(&["0x"]),
];

/// A card stands alone, or with up to three digits more (its security code) when written in groups.
fn card(candidate: &str) -> bool {
    let digits = digits(candidate);
    let grouped = candidate.len() > digits.len();
    is_card(&digits) || (grouped && has_card(&digits))
}

fn card_digits(digits: &[u8]) -> bool {
    is_card(digits) || has_card(digits)
}

fn has_card(digits: &[u8]) -> bool {
    digits.len() > 16 && digits.get(..16).is_some_and(is_card)
}

fn is_card(digits: &[u8]) -> bool {
    known_card(digits) && luhn(digits) && !monotonous(digits)
}

/// Whether prefix and length are those of an issuer.
fn known_card(digits: &[u8]) -> bool {
    let prefix = |length: usize| digits.get(..length).map_or(0, number);
    match digits.len() {
        13 => prefix(1) == 4,
        14 => matches!(prefix(3), 300..=305 | 309 | 360..=369 | 380..=399),
        15 => matches!(prefix(2), 34 | 37) || matches!(prefix(4), 2131 | 1800),
        16 => {
            prefix(1) == 4
                || matches!(prefix(2), 51..=55 | 62 | 65 | 60 | 81 | 82 | 50 | 56..=58 | 63 | 67 | 68)
                || matches!(prefix(4), 2221..=2720 | 3528..=3589 | 2200..=2204 | 6011 | 3095)
                || matches!(prefix(3), 644..=649 | 300..=305 | 360..=369 | 380..=399)
        }
        17 | 18 => matches!(prefix(2), 62 | 50 | 56..=58 | 63 | 67),
        19 => prefix(1) == 4 || matches!(prefix(2), 62 | 65 | 50 | 56..=58 | 63 | 67) || prefix(4) == 6011,
        _ => false,
    }
}

fn iban(candidate: &str) -> bool {
    let account = || candidate.bytes().filter(u8::is_ascii_alphanumeric);
    let (head, tail) = (account().take(4), || account().skip(4));
    mod97(tail().chain(head)) == 1 && tail().filter(u8::is_ascii_digit).count() >= 4
}

fn aba(candidate: &str) -> bool {
    let digits = digits(candidate);
    let district = digits.get(..2).map_or(99, number);
    matches!(district, 0..=12 | 21..=32 | 61..=72 | 80)
        && !monotonous(&digits)
        && weighted(&digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
}

/// Eight capitals are also a word: a code has a digit, or the length with a branch.
fn bic(candidate: &str) -> bool {
    candidate.len() == 11 || candidate.bytes().any(|b| b.is_ascii_digit()) || !candidate.contains("SWIFT")
}

fn wallet(candidate: &str) -> bool {
    if candidate.starts_with("bc1") {
        return bech32(candidate);
    }
    base58_check(candidate)
}

/// The checksum of BIP 173 and BIP 350.
fn bech32(candidate: &str) -> bool {
    const ALPHABET: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATORS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let mut sum: u32 = 1;
    let mut step = |value: u32| {
        let top = sum >> 25;
        sum = ((sum & 0x01ff_ffff) << 5) ^ value;
        for (bit, generator) in GENERATORS.iter().enumerate() {
            if (top >> bit) & 1 == 1 {
                sum ^= generator;
            }
        }
    };
    [3, 3, 0, 2, 3].into_iter().for_each(&mut step); // the expanded prefix `bc`
    for c in candidate.chars().skip(3) {
        let Some(value) = ALPHABET.find(c).and_then(|at| u32::try_from(at).ok()) else { return false };
        step(value);
    }
    sum == 1 || sum == 0x2bc8_30a3
}

/// Base58 with four bytes of a double SHA-256 behind.
fn base58_check(candidate: &str) -> bool {
    use sha2::{Digest as _, Sha256};
    const ALPHABET: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = [0_u8; 25];
    for c in candidate.chars() {
        let Some(value) = ALPHABET.find(c) else { return false };
        let carry = bytes.iter_mut().rev().fold(value, |carry, byte| {
            let sum = usize::from(*byte) * 58 + carry;
            *byte = sum.to_le_bytes()[0];
            sum >> 8
        });
        if carry > 0 {
            return false;
        }
    }
    let (body, sum) = bytes.split_at(21);
    Sha256::digest(Sha256::digest(body)).starts_with(sum)
}
