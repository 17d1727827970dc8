//! The table of detectors by name.

/// A detector: candidates by pattern, confirmed by a check.
pub struct Detector {
    /// The name used in policies: kebab-case, `credit-card`.
    pub name: &'static str,
    /// What stands in place of a redacted match, without number: `CREDIT_CARD` gives `[CREDIT_CARD_1]`.
    pub mark: &'static str,
    /// One sentence for documentation.
    pub about: &'static str,
    /// The pattern of candidates; the whole match is what is redacted, or its group named `secret` when it has one.
    pub pattern: &'static str,
    /// Literals (ASCII case does not matter) of which at least one stands within `context_bytes` of every match; empty
    /// when the pattern needs none.
    pub keywords: &'static [&'static str],
    /// How far from a match a keyword may stand; 0 when it must be inside the match.
    pub context_bytes: usize,
    /// Whether a candidate is a real one: check digits, entropy, ranges.
    pub check: fn(&str) -> bool,
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Detector {
    /// Whether the candidate is a real one.
    #[must_use]
    pub fn confirms(&self, candidate: &str) -> bool {
        (self.check)(candidate)
    }
}

static TABLE: &[Detector] = &[];

/// The detector of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Detector> {
    TABLE.iter().find(|d| d.name == name)
}

/// All names, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|d| d.name)
}
