//! The limits of the engine by name, each with its reason. They bound what a rule set may cost, whatever the prompt.

/// Most policies in one set: a cluster's worth for one workload, with room.
pub(super) const POLICIES_MAX: usize = 1_000;
/// Most rules in one set; evaluating a tree that does not match costs tens of nanoseconds.
pub(super) const RULES_MAX: usize = 10_000;
/// Most keywords in one set: with so many, the automaton knows windows of two or three bytes, which prose still tells apart.
pub(super) const KEYWORDS_MAX: usize = 50_000;
/// Longest keyword, folded, in bytes. Also how far a word split over two parts is looked for.
pub(super) const KEYWORD_BYTES_MAX: usize = 256;
/// Most different patterns (regular expressions and detectors) in one set: each keeps an engine of its own.
pub(super) const PATTERNS_MAX: usize = 2_000;
/// Longest regular expression, in bytes of source. Longer ones are word lists, which keywords do better.
pub(super) const PATTERN_BYTES_MAX: usize = 4 << 10;
/// Largest compiled form of one pattern: what `[a-z]{1000}` needs, far below what `\p{L}{1000}` does.
pub(super) const NFA_BYTES_MAX: usize = 1 << 20;
/// The same for the patterns of detectors, which are ours: private keys reach far.
pub(super) const DETECTOR_BYTES_MAX: usize = 16 << 20;
/// Room for the lazily built states of one pattern. Most use a few KB; the engine's default of 2 MB lets go too early
/// in texts of many scripts.
pub(super) const DFA_CACHE_BYTES_MAX: usize = 4 << 20;
/// How much the lazily built states of a pattern may grow while it reads the second half of a probe text: honest patterns
/// have met nearly all of theirs in the first. More means that its states are without end, and a prompt could make it a
/// hundred times slower.
pub(super) const DFA_GROWTH_BYTES_MAX: usize = 16 * PROBE_BYTES;
/// Length of a probe text; the worst case is modelled for a prompt of this length.
pub(super) const PROBE_BYTES: usize = 4 << 10;
/// Most bytes that all patterns together may walk in the worst prompt of `PROBE_BYTES`: 512 readings of each byte, about
/// 2 ms.
pub(super) const WALK_BYTES_MAX: usize = 512 * PROBE_BYTES;
/// Patterns that reach further than this are not looked for across the seam of two parts: the joined texts would
/// outgrow the parts.
pub(super) const SEAM_BYTES_MAX: usize = 128;
/// Most required literals kept for a pattern; with more, reading the text costs less than finding them.
pub(super) const ATOMS_MAX: usize = 64;
/// Most rules, matchers and combinators inside one rule.
pub(super) const NODES_MAX: usize = 2_000;
/// Deepest nesting of `anyOf`, `allOf` and `noneOf`.
pub(super) const NODE_DEPTH_MAX: usize = 16;
/// Longest window of a literal that the automaton knows: longer ones are hardly rarer.
pub(super) const LITERAL_WINDOW_MAX: usize = 5;
/// Most states of the automaton of literals, of 128 bytes each: 4 MB, and what two bytes can name beside a mark. With more literals
/// their windows are shorter.
pub(super) const LITERAL_STATES_MAX: usize = 1 << 15;
/// How far apart the places may lie where a pattern can begin for one place of its literal.
pub(super) const START_SPREAD_MAX: usize = 32;
/// Patterns that reach at most so far are tried from each place where they may begin; others are read in one go, because
/// places near each other would read the same bytes again and again.
pub(super) const START_REACH_MAX: usize = 192;
/// Largest compiled form of all patterns that are tried together at a digit.
pub(super) const NUMBERS_NFA_BYTES_MAX: usize = 4 << 20;
/// Room for the lazily built states of those: shapes of numbers are few, and what a prompt makes up is forgotten again.
pub(super) const NUMBERS_CACHE_BYTES_MAX: usize = 1 << 20;
