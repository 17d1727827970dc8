//! Every limit on what people write that a schema can say, each with its reason. `compile` has the others.

/// Most rules and coverage entries in one policy.
pub const RULES_MAX: usize = 500;
/// Deepest nesting of `anyOf`, `allOf` and `noneOf`: nobody follows more.
pub const MATCH_DEPTH_MAX: usize = 8;
/// Most words in one list.
pub const KEYWORDS_MAX: usize = 10_000;
/// Longest word or phrase in characters: a sentence.
pub const KEYWORD_CHARS_MAX: usize = 256;
/// Most patterns, detectors, conditions, routes, models or places in one list.
pub const LIST_MAX: usize = 500;
/// Longest pattern in bytes.
pub const REGEX_BYTES_MAX: usize = 4_096;
/// Longest CEL source in bytes.
pub const CEL_BYTES_MAX: usize = 4_096;
/// Longest message to a client in characters.
pub const MESSAGE_CHARS_MAX: usize = 1_024;
/// Longest route, model name or place in bytes.
pub const NAME_BYTES_MAX: usize = 512;
/// Largest count in a rate or a size: far past any model's context.
pub const COUNT_MAX: u64 = 1_000_000_000;
/// Most stages in one chain.
pub const STAGES_MAX: usize = 16;
/// Most approvers in one list.
pub const APPROVERS_MAX: usize = 200;
/// Largest quorum.
pub const QUORUM_MAX: u32 = 100;
/// Longest name of a rule, a stage or a namespace: a DNS label.
pub const LABEL_CHARS_MAX: usize = 63;
/// Longest key of a label: a DNS subdomain, `/`, and a name.
pub const LABEL_KEY_CHARS_MAX: usize = 317;
/// Longest name of an object, a user or a group: a DNS subdomain.
pub const SUBDOMAIN_CHARS_MAX: usize = 253;
/// Longest duration as text: `999h59m59s` and then some.
pub const DURATION_CHARS_MAX: usize = 32;
/// Most labels or requirements of a selector: nobody reads more.
pub const SELECTOR_MAX: usize = 64;
/// Longest sentence that people write for people: the reason of an exception.
pub const REASON_CHARS_MAX: usize = 1_024;
/// Most namespaces that one exception names.
pub const NAMESPACES_MAX: usize = 100;
/// Most rules that one exception names.
pub const EXCEPTED_RULES_MAX: usize = 100;
/// Most conditions of a status.
pub const CONDITIONS_MAX: usize = 16;
/// Most Pods with a gate of one workload: each is a line of 300 bytes in one object of etcd, which takes 1.5 MB.
pub const PODS_MAX: usize = 1_000;
