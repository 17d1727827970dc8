//! Durations as Kubernetes writes them: `90s`, `30m`, `1h30m`, `1.5h`.

use std::time::Duration;

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationFlaw {
    /// Nothing there.
    #[error("expected a duration such as `90s`, `30m` or `1h30m`")]
    Shape,
    /// A number without a unit.
    #[error("a number in a duration needs a unit: `ms`, `s`, `m` or `h`")]
    Unit,
    /// A unit that does not exist, with what to write when that is clear.
    #[error("unknown unit `{0}` in a duration; use `ms`, `s`, `m` or `h`")]
    UnknownUnit(String),
    /// Below zero or too long to count.
    #[error("the duration is negative or too long")]
    Range,
}

/// Reads a duration.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(countersign::compile::duration("1h30m"), Ok(Duration::from_secs(5_400)));
/// assert!(countersign::compile::duration("2 hours").is_err());
/// ```
pub fn duration(text: &str) -> Result<Duration, DurationFlaw> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.starts_with('-') {
        return Err(DurationFlaw::Range);
    }
    if text.is_empty() {
        return Err(DurationFlaw::Shape);
    }
    let mut sum = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = term(rest)?;
        sum = sum.checked_add(part).ok_or(DurationFlaw::Range)?;
        rest = after;
    }
    Ok(sum)
}

fn term(text: &str) -> Result<(Duration, &str), DurationFlaw> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    if !number.bytes().any(|b| b.is_ascii_digit()) || number.matches('.').count() > 1 || number.len() > 18 {
        return Err(DurationFlaw::Shape);
    }
    let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (unit, after) = rest.split_at(letters);
    let nanos: u128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "" => return Err(DurationFlaw::Unit),
        other => return Err(DurationFlaw::UnknownUnit(other.trim().chars().take(12).collect())),
    };
    Ok((scaled(number, nanos).ok_or(DurationFlaw::Range)?, after))
}

/// `number` times `nanos`, without floating point.
fn scaled(number: &str, nanos: u128) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let parts: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let total = whole.checked_mul(nanos)?.checked_add(parts.checked_mul(nanos)? / scale)?;
    let secs = u64::try_from(total / 1_000_000_000).ok()?;
    Some(Duration::new(secs, u32::try_from(total % 1_000_000_000).ok()?))
}

/// A duration as people write it, in its largest units.
#[must_use]
pub fn show(duration: Duration) -> String {
    let secs = duration.as_secs();
    match (secs / 3_600, secs / 60 % 60, secs % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, 0) => format!("{m}m"),
        (h, 0, 0) => format!("{h}h"),
        (h, m, 0) => format!("{h}h{m}m"),
        (h, m, s) => format!("{h}h{m}m{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &Result<Duration, DurationFlaw>) {
        assert_eq!(&duration(text), expected, "{text}");
    }

    #[test]
    fn kubernetes_durations_are_read() {
        check("30m", &Ok(Duration::from_mins(30)));
        check("1h30m", &Ok(Duration::from_mins(90)));
        check("1.5h", &Ok(Duration::from_mins(90)));
        check("90s", &Ok(Duration::from_secs(90)));
        check("250ms", &Ok(Duration::from_millis(250)));
        check("0", &Ok(Duration::ZERO));
        check(".5s", &Ok(Duration::from_millis(500)));
    }

    #[test]
    fn everything_else_is_refused() {
        check("", &Err(DurationFlaw::Shape));
        check("30", &Err(DurationFlaw::Unit));
        check("1h30", &Err(DurationFlaw::Unit));
        check("1d", &Err(DurationFlaw::UnknownUnit("d".to_owned())));
        check("-5m", &Err(DurationFlaw::Range));
        check("99999999999999999h", &Err(DurationFlaw::Range));
        check("five minutes", &Err(DurationFlaw::Shape));
        check("1.2.3s", &Err(DurationFlaw::Shape));
    }
}
