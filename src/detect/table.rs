//! The table of detectors: what a detector is, and how names and groups find them.
//!
//! Knows nothing of how candidates are found. Guarantees: names are unique and never those of groups.

use std::ops::Range;
use std::sync::LazyLock;

use super::{contact, identity, payment, secret, template};

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
    /// How many digits every candidate that the check confirms holds at least; the pattern may say less.
    pub digits_min: usize,
    /// What the check asks of the digits of a candidate by themselves, where that is most of it.
    pub number: Option<fn(&[u8]) -> bool>,
    /// Whether a candidate that begins with a digit can be a real one.
    pub alone: Alone,
    /// Whether a candidate (the whole match) is a real one: check digits, entropy, ranges.
    pub check: fn(&str) -> bool,
}

/// Whether a candidate that begins with a digit, without a word before it, can be a real one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alone {
    /// It can.
    Counts,
    /// With a sign between its digits only.
    InGroups,
    /// It cannot.
    Never,
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Detector {
    /// A row of the table without keywords.
    pub(super) const fn new(
        name: &'static str,
        mark: &'static str,
        about: &'static str,
        pattern: &'static str,
        check: fn(&str) -> bool,
    ) -> Self {
        Self {
            name,
            mark,
            about,
            pattern,
            keywords: &[],
            context_bytes: 0,
            digits_min: 0,
            number: None,
            alone: Alone::Counts,
            check,
        }
    }

    /// The row with the fewest digits that its check confirms.
    pub(super) const fn digits(mut self, least: usize) -> Self {
        self.digits_min = least;
        self
    }

    /// The row with what its check asks of the digits by themselves: no number is asked whether it is one in vain.
    pub(super) const fn number(mut self, may_be: fn(&[u8]) -> bool) -> Self {
        self.number = Some(may_be);
        self
    }

    /// The row of a number that its check confirms after its word or in groups only.
    pub(super) const fn in_groups(mut self) -> Self {
        self.alone = Alone::InGroups;
        self
    }

    /// The row of a number that its check confirms after its word only.
    pub(super) const fn after_word(mut self) -> Self {
        self.alone = Alone::Never;
        self
    }

    /// The row with literals of which one is inside every match.
    pub(super) const fn with(mut self, keywords: &'static [&'static str]) -> Self {
        self.keywords = keywords;
        self
    }

    /// The row with literals of which one stands within so many bytes of every match.
    pub(super) const fn near(mut self, keywords: &'static [&'static str], context_bytes: usize) -> Self {
        self.keywords = keywords;
        self.context_bytes = context_bytes;
        self
    }

    /// Whether the candidate is a real one.
    #[must_use]
    pub fn confirms(&self, candidate: &str) -> bool {
        (self.check)(candidate)
    }

    /// Whether the candidate at `range` is a real one where it stands: a national number behind a `+` is part of a
    /// telephone number.
    #[must_use]
    pub fn confirms_at(&self, text: &str, range: Range<usize>) -> bool {
        let start = range.start;
        text.get(range).is_some_and(|candidate| self.confirms(candidate))
            && !(identity::is_dialled(text, start) && identity::holds(self))
    }
}

/// Detectors under one name.
pub struct Group {
    /// The name used in policies where a detector's could stand: `secrets`.
    pub name: &'static str,
    /// One sentence for documentation.
    pub about: &'static str,
    tables: &'static [&'static [Detector]],
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Group {
    /// The detectors of the group.
    pub fn detectors(&self) -> impl Iterator<Item = &'static Detector> {
        self.tables.iter().flat_map(|table| table.iter())
    }
}

static GROUPS: [Group; 4] = [
    Group {
        name: "personal-data",
        about: "Everything that points at a person: contact data, payment data, national ids.",
        tables: &[contact::TABLE, payment::TABLE, identity::AMERICAS, identity::EUROPE, identity::ASIA_PACIFIC],
    },
    Group {
        name: "national-ids",
        about: "Numbers that states give to people.",
        tables: &[identity::AMERICAS, identity::EUROPE, identity::ASIA_PACIFIC],
    },
    Group {
        name: "secrets",
        about: "Every kind of credential: keys, tokens, passwords, connection strings.",
        tables: &[
            secret::CLOUD,
            secret::CODE,
            secret::AI,
            secret::MESSAGING,
            secret::COMMERCE,
            secret::SERVICES,
            secret::GENERIC,
        ],
    },
    Group {
        name: "prompt-control",
        about: "Text that steers how a prompt is put together.",
        tables: &[template::TABLE],
    },
];

/// All detectors in the order of their names. `national-ids` is left out: its tables belong to `personal-data` too.
static SORTED: LazyLock<Vec<&'static Detector>> = LazyLock::new(|| {
    let groups = GROUPS.iter().filter(|group| group.name != "national-ids");
    let mut all: Vec<_> = groups.flat_map(Group::detectors).collect();
    all.sort_by_key(|detector| detector.name);
    all
});

/// The detector of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Detector> {
    let index = SORTED.binary_search_by_key(&name, |detector| detector.name).ok()?;
    SORTED.get(index).copied()
}

/// The names of all detectors, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    SORTED.iter().map(|detector| detector.name)
}

/// The group of that name.
#[must_use]
pub fn group(name: &str) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.name == name)
}

/// All groups.
#[must_use]
pub fn groups() -> &'static [Group] {
    &GROUPS
}

/// What a name in a policy stands for: the detector or the detectors of the group.
#[must_use]
pub fn named(name: &str) -> Option<Vec<&'static Detector>> {
    match group(name) {
        Some(group) => Some(group.detectors().collect()),
        None => by_name(name).map(|detector| vec![detector]),
    }
}
