//! What patterns cannot say: check digits, dates, variety. Pure functions on candidates.
//!
//! Guarantees: total on any text, one pass each. Knows nothing of the table.

/// The digits of a candidate, separators left out.
pub(super) fn digits(candidate: &str) -> Vec<u8> {
    let mut digits = Vec::with_capacity(candidate.len());
    digits.extend(candidate.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0'));
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

/// ISO 7064 MOD 97-10 of letters (as 10 to 35) and digits: the remainder.
pub(super) fn mod97(text: impl Iterator<Item = char>) -> u32 {
    text.filter_map(|c| c.to_digit(36)).fold(0, |rest, d| (if d > 9 { rest * 100 } else { rest * 10 } + d) % 97)
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

/// The Verhoeff scheme (dihedral group of order ten), the last digit included.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    const TURN: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted = |digit: u8, times: usize| {
        (0..times % 8).fold(digit, |d, _| TURN.get(usize::from(d)).copied().unwrap_or_default())
    };
    let times = |a: u8, b: u8| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    };
    digits.iter().rev().enumerate().fold(0, |sum, (i, d)| times(sum, permuted(*d, i))) == 0
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
        assert!(verhoeff(&digits("2363")) && !verhoeff(&digits("2364")));
        assert!(mod11_10(&digits("86095742719")) && !mod11_10(&digits("86095742718")));
        assert_eq!(mod97("3214282912345698765432161182".chars()), 1);
        assert!((entropy("abcd") - 2.0).abs() < 1e-9);
    }
}
