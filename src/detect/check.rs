//! What patterns cannot say: check digits, dates, variety. Pure functions on candidates.
//!
//! Guarantees: total on any text, one pass each. Knows nothing of the table.

/// Digits that need no memory of their own: the longest number that any pattern takes has fewer.
const FEW: usize = 48;

/// The digits of a candidate, as numbers.
#[derive(Clone)]
pub(super) struct Digits {
    few: [u8; FEW],
    length: usize,
    /// All of them, where there are as many or more.
    many: Vec<u8>,
}

impl std::ops::Deref for Digits {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        if self.length > FEW || !self.many.is_empty() {
            &self.many
        } else {
            self.few.get(..self.length).unwrap_or_default()
        }
    }
}

impl Default for Digits {
    fn default() -> Self {
        Self { few: [0; FEW], length: 0, many: Vec::new() }
    }
}

/// The digits of a candidate, separators left out.
pub(super) fn digits(candidate: &str) -> Digits {
    let mut digits = Digits::default();
    for byte in candidate.bytes() {
        // Every byte is written, and the next one over it unless it is a digit.
        if let Some(place) = digits.few.get_mut(digits.length) {
            *place = byte.wrapping_sub(b'0');
            digits.length += usize::from(byte.is_ascii_digit());
        } else {
            let all = candidate.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0');
            digits.many = all.collect();
            digits.length = digits.many.len();
            break;
        }
    }
    digits
}

/// The letters and digits of a candidate in upper case, separators left out.
pub(super) fn alnum(candidate: &str) -> String {
    candidate.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// The number that a slice of digits spells; saturates past twenty digits.
pub(super) fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |n: u64, d| n.saturating_mul(10).saturating_add(u64::from(*d)))
}

/// Whether all digits are the same: never a real number of anything.
pub(super) fn monotonous(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| pair.first() == pair.last())
}

/// The Luhn formula (ISO/IEC 7812-1).
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| {
            let d = u32::from(*d) << (i % 2);
            if d > 9 { d - 9 } else { d }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The sum of digits times weights, as far as both go.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(d, w)| u32::from(*d) * w).sum()
}

/// ISO 7064 MOD 97-10 of letters (as 10 to 35) and digits: the remainder. Other characters are left out.
pub(super) fn mod97(text: impl Iterator<Item = u8>) -> u64 {
    // The remainder is taken now and then, long before there is no room for another value.
    const ROOM: u64 = u64::MAX / 200;
    let value = |byte: u8| char::from(byte).to_digit(36).map(u64::from);
    let add = |sum: u64, value: u64| {
        let sum = if sum > ROOM { sum % 97 } else { sum };
        sum * (if value > 9 { 100 } else { 10 }) + value
    };
    text.filter_map(value).fold(0, add) % 97
}

/// ISO 7064 MOD 11,10, the last digit included.
pub(super) fn mod11_10(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let product = body.iter().fold(10, |product, d| {
        let sum = (u32::from(*d) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == u32::from(*check)
}

/// The product of two digits in the dihedral group of order ten.
const fn turned(a: u8, b: u8) -> u8 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    }
}

/// By place from the end, modulo eight, and digit: the digit permuted as often.
static PERMUTED: [[u8; 10]; 8] = {
    const ONCE: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let mut table = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]; 8];
    let mut at = 1;
    while at < 8 {
        let mut digit = 0;
        while digit < 10 {
            table[at][digit] = ONCE[table[at - 1][digit] as usize];
            digit += 1;
        }
        at += 1;
    }
    table
};

/// [`turned`] as a table.
static TURNED: [[u8; 10]; 10] = {
    let mut table = [[0; 10]; 10];
    let mut at = 0;
    while at < 100_u8 {
        table[(at / 10) as usize][(at % 10) as usize] = turned(at / 10, at % 10);
        at += 1;
    }
    table
};

/// The Verhoeff scheme (dihedral group of order ten), the last digit included.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    let of = |row: Option<&[u8; 10]>, digit: u8| row.and_then(|row| row.get(usize::from(digit))).copied();
    let mut places = digits.iter().rev().zip(PERMUTED.iter().cycle());
    let sum = places.try_fold(0, |sum, (digit, row)| of(TURNED.get(usize::from(sum)), of(Some(row), *digit)?));
    sum == Some(0)
}

/// Whether month and day can be a date, in a leap year when the year is not known.
pub(super) fn month_day(month: u64, day: u64) -> bool {
    let days = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// The longest run of characters of tokens at the end of a candidate, quotes and closing signs left out.
pub(super) fn last_token(candidate: &str) -> &str {
    let candidate = candidate.trim_end_matches(['"', '\'', '`', ';', ',', '&', '@', ')', ' ']);
    // Padding belongs to the token and does not begin one.
    let unpadded = candidate.trim_end_matches('=');
    let start = unpadded.rfind(['"', '\'', '`', ' ', '=', ':', '>', '\t', '\n']).map_or(0, |at| at + 1);
    candidate.get(start..).unwrap_or_default()
}

/// Shannon entropy in bits per byte.
pub(super) fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let length = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / length).map(|p| -p * p.log2()).sum()
}

/// Whether a token with a telling prefix is more than a placeholder such as `ghp_xxxxxxxx`: some variety.
pub(super) fn varied(candidate: &str) -> bool {
    entropy(candidate) >= 2.8 && !repeats(candidate)
}

/// Whether the value at the end of a candidate looks random: entropy near what its length allows.
pub(super) fn random(candidate: &str) -> bool {
    let token = last_token(candidate).trim_end_matches('=');
    let floor = if token.bytes().all(|b| b.is_ascii_hexdigit()) { 2.9 } else { 3.3 };
    let digits = token.bytes().filter(u8::is_ascii_digit).count();
    digits > 0 && entropy(token) >= floor && !repeats(token) && !is_placeholder(token)
}

/// Whether one character stands eight times in a row, as in masked values.
fn repeats(text: &str) -> bool {
    let mut last = 0;
    let mut run = 0;
    text.bytes().any(|byte| {
        run = if byte == last { run + 1 } else { 1 };
        last = byte;
        run >= 8
    })
}

/// Words that stand in documentation where a secret would.
const PLACEHOLDERS: [&str; 16] = [
    "example",
    "changeme",
    "change_me",
    "change-me",
    "placeholder",
    "your_",
    "your-",
    "yourpass",
    "dummy",
    "redacted",
    "insert",
    "<",
    "${",
    "{{",
    "****",
    "...",
];

/// Whether a value is a stand-in: a variable, a mask, a word of documentation, or a mark of ours.
pub(super) fn is_placeholder(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    PLACEHOLDERS.iter().any(|word| lower.contains(word)) || lower.starts_with(['$', '%', '[']) || repeats(&lower)
}

/// For patterns that need no check.
pub(super) const fn always(_: &str) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_follow_their_standards() {
        assert!(luhn(&digits("79927398713")) && !luhn(&digits("79927398710")));
        assert!(verhoeff(&digits("236345678904")) && !verhoeff(&digits("236345678940")));
        assert!(verhoeff(&digits("2363")) && !verhoeff(&digits("2364")));
        assert!(mod11_10(&digits("86095742719")) && !mod11_10(&digits("86095742718")));
        assert_eq!(mod97("3214282912345698765432161182".bytes()), 1);
        assert_eq!(mod97("GB82WEST12345698765432".bytes().cycle().skip(4).take(22)), 1);
        let many = "1234567890".repeat(9);
        assert_eq!(digits(&many)[..], many.bytes().map(|b| b - b'0').collect::<Vec<_>>()[..]);
        assert!((entropy("abcd") - 2.0).abs() < 1e-9);
    }
}
