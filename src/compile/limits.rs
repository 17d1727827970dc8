//! Every limit on what people write, each with its reason.

use std::time::Duration;

// What the schema of the resources says too, so that an API server refuses what is refused here.
pub(super) use crate::api::limits::{
    APPROVERS_MAX, CEL_BYTES_MAX, COUNT_MAX, EXCEPTED_RULES_MAX, KEYWORD_CHARS_MAX, KEYWORDS_MAX, LIST_MAX,
    MATCH_DEPTH_MAX, MESSAGE_CHARS_MAX, NAME_BYTES_MAX, NAMESPACES_MAX, QUORUM_MAX, REASON_CHARS_MAX, REGEX_BYTES_MAX,
    RULES_MAX, STAGES_MAX, SUBDOMAIN_CHARS_MAX,
};

/// Longest file: what etcd takes as one object is 1.5 MB; a keyword list of 10,000 words is about 200 KB.
pub(super) const FILE_BYTES_MAX: usize = 2 << 20;
/// Most documents in one file: keeps one bad generator from filling the gate.
pub(super) const DOCUMENTS_MAX: usize = 1_000;
/// Deepest nesting of YAML: a rule of `MATCH_DEPTH_MAX` levels needs about 25.
pub(super) const NESTING_MAX: usize = 48;
/// Most values in one file, aliases expanded: an alias bomb ends here.
pub(super) const NODES_MAX: usize = 200_000;
/// Most problems reported at once; nobody reads on.
pub(super) const DIAGNOSTICS_MAX: usize = 100;

/// Most exceptions for one workload; those that come later by name loosen nothing. Nobody keeps track of more.
pub(super) const EXCEPTIONS_MAX: usize = 500;

/// A hold ends after this long unless its chain says otherwise.
pub(super) const EXPIRES_AFTER_DEFAULT: Duration = Duration::from_hours(1);
/// Shortest time for people to decide: less is a mistake.
pub(super) const DECIDE_MIN: Duration = Duration::from_secs(1);
/// Longest time for people to decide; no client waits longer, and a hold costs memory.
pub(super) const DECIDE_MAX: Duration = Duration::from_hours(7 * 24);
/// Longest time that an approval asked for ahead of time may be used: who approves must still know what it was.
pub(super) const VALID_FOR_MAX_MAX: Duration = Duration::from_hours(7 * 24);
/// Longest time that a release carries repeated text.
pub(super) const CARRY_MAX: Duration = Duration::from_hours(30 * 24);
/// Shortest window of a rate.
pub(super) const RATE_WINDOW_MIN: Duration = Duration::from_secs(1);
/// Longest window of a rate: counters are kept in memory for as long.
pub(super) const RATE_WINDOW_MAX: Duration = Duration::from_hours(24);
