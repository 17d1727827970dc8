//! Every limit of the decision path by name, each with its reason.
//!
//! Settings may lower them; nothing raises them past the ceilings given here.

/// Largest body that is read, encoded or decoded. A 128k-token context is about 512 KB of text; tools
/// and history in JSON escape to a few times that.
pub const BODY_BYTES_MAX: usize = 8 << 20;
/// Deepest nesting of a JSON body. Tool schemas nest about ten deep; recursion beyond has no honest use.
pub const JSON_DEPTH_MAX: usize = 64;
/// Most values in one JSON body: bounds memory per query at about 24 bytes each.
pub const JSON_VALUES_MAX: usize = 400_000;
/// Deepest nesting of JSON inside strings inside JSON: arguments of a tool call, once re-quoted.
pub const NESTED_JSON_DEPTH_MAX: usize = 3;
/// A compressed body may grow by this factor at most: prose reaches 10, JSON schemas 30.
pub const ENCODING_RATIO_MAX: usize = 100;
/// Longest text that one leaf contributes decoded runs from; past it is a gap in the coverage.
pub const DECODED_BYTES_MAX: usize = 1 << 20;
/// Most encoded runs (base64, hex, URL) looked into per query; past it is a gap in the coverage.
pub const DECODED_RUNS_MAX: usize = 256;
/// Most findings kept for explanation; the verdict counts all of them.
pub const FINDINGS_MAX: usize = 256;
/// Most redactions in one query; past it the query is refused.
pub const REDACTIONS_MAX: usize = 10_000;
