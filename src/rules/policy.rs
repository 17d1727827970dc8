//! Strict policies: what `compile` hands to the engine. Every value here is already checked but for what only building
//! finds out (patterns that do not compile, budgets).

use std::fmt;
use std::time::Duration;

use crate::query::{GapKind, Operation, RoleSet};

/// Names a policy in verdicts, records and messages.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct PolicyRef {
    /// `None` for cluster policies.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub namespace: Option<String>,
    /// The object's name.
    pub name: String,
}

impl fmt::Display for PolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Names an approval chain.
pub type ChainRef = PolicyRef;

/// Whether a policy interferes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Judge and act.
    Enforce,
    /// Judge and record, never interfere.
    Audit,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The query. Answers are the other subject; the compiler refuses them until they are judged.
    Query,
}

/// What happens to a query whose judging failed, or for which something needed is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Refuse it.
    Deny,
    /// Let it through, recorded as `allowed-by-failure`.
    Allow,
}

/// What an error while judging one rule counts as.
pub type OnError = Failure;

/// The failure switches of a policy; closed unless the policy says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallbacks {
    /// An error while judging.
    pub on_error: Failure,
    /// The audit record cannot be written.
    pub on_audit_unavailable: Failure,
}

/// How much of a query its record keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Retention {
    /// Nothing, not even a digest of its text.
    None,
    /// Digests.
    Digest,
    /// The text with every finding masked.
    Masked,
    /// All of it.
    Full,
}

/// One policy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its name.
    pub name: PolicyRef,
    /// Whether it interferes.
    pub mode: Mode,
    /// Its failure switches.
    pub fallbacks: Fallbacks,
    /// How much is kept; the least of all policies wins.
    pub retention: Option<Retention>,
    /// How long a release carries later queries that repeat the approved parts.
    pub carry: Duration,
    /// Administration and state routes it allows, as `METHOD /path`.
    pub routes: Vec<String>,
    /// What it says of gaps in the coverage.
    pub coverage: Vec<CoverageRule>,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
}

/// What a policy says of gaps: the most restrictive of all that say something, Deny when none does.
#[derive(Debug, Clone)]
pub struct CoverageRule {
    /// Its name, unique among the policy's rules.
    pub name: String,
    /// Which kinds.
    pub kinds: Vec<GapKind>,
    /// Which places (`temperature`, `messages[*].content`, a prefix ends at a dot or bracket); empty for all.
    pub places: Vec<String>,
    /// What to do.
    pub action: Disposition,
}

/// What to do about a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// Let it be.
    Allow,
    /// Ask people.
    Hold(ChainRef),
    /// Refuse.
    Deny,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name, unique within the policy.
    pub name: String,
    /// What it looks at.
    pub subject: Subject,
    /// Which roles' parts its text matchers look at.
    pub roles: RoleSet,
    /// When it applies.
    pub matcher: Matcher,
    /// What it does then.
    pub action: Action,
    /// What an error counts as.
    pub on_error: OnError,
}

/// What a rule does when it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing but a finding in the record.
    Allow,
    /// Raise an alert and let the query through.
    Alert {
        /// Which alert route gets it; `None` for the default one.
        route: Option<String>,
    },
    /// Replace what matched.
    Redact,
    /// Ask people.
    Hold {
        /// Which chain decides.
        chain: ChainRef,
    },
    /// Refuse.
    Deny {
        /// What the client is told.
        message: Option<String>,
    },
}

/// When a rule applies.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// At least one.
    Any(Vec<Matcher>),
    /// Every one.
    All(Vec<Matcher>),
    /// Not one.
    None(Vec<Matcher>),
    /// Something in a text.
    Text(TextMatch),
    /// A CEL expression over query, caller, workload and time.
    Cel(CelExpr),
    /// More bytes of text than this.
    TextBytesOver(u64),
    /// More estimated tokens than this.
    TokensOver(u64),
    /// More than a rate.
    RateOver(Rate),
    /// One of these operations.
    Operations(Vec<Operation>),
    /// One of these paths, `*` at the end as a wildcard.
    Routes(Vec<String>),
    /// One of these model names, `*` at the end as a wildcard.
    Models(Vec<String>),
}

/// Something in a text.
#[derive(Debug, Clone)]
pub enum TextMatch {
    /// One of these words or phrases. Case, width, invisible characters, look-alikes and runs of white space do not matter.
    Keywords {
        /// The words.
        any: Vec<String>,
        /// Whether a word must stand alone.
        whole_words: bool,
    },
    /// A regular expression; classes are ASCII.
    Regex(String),
    /// A named detector of `detect`.
    Detector(&'static crate::detect::Detector),
}

/// A checked CEL source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CelExpr(pub String);

/// A rate per caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// What is counted.
    pub unit: RateUnit,
    /// How many in a window.
    pub count_max: u64,
    /// How long the window is.
    pub window: Duration,
}

/// What a rate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateUnit {
    /// Queries.
    Queries,
    /// Estimated tokens.
    Tokens,
}
