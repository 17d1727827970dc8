//! `ApprovalPolicy` and `ClusterApprovalPolicy`.
//!
//! ```yaml
//! apiVersion: countersign.dev/v1alpha1
//! kind: ApprovalPolicy
//! metadata: {name: customer-data, namespace: models}
//! spec:
//!   selector: {matchLabels: {app: llama}}
//!   mode: Enforce
//!   coverage:
//!   - name: images-are-fine
//!     kinds: [Image]
//!     action: {type: Allow}
//!   rules:
//!   - name: no-secrets
//!     match: {anyOf: [{detectors: [private-key, jwt]}]}
//!     action: {type: Deny, message: "Remove credentials from the prompt."}
//! ```

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::Metadata;
use super::limits::{
    CEL_BYTES_MAX, COUNT_MAX, DURATION_CHARS_MAX, KEYWORD_CHARS_MAX, KEYWORDS_MAX, LABEL_CHARS_MAX, LIST_MAX,
    MESSAGE_CHARS_MAX, NAME_BYTES_MAX, REGEX_BYTES_MAX, RULES_MAX, SUBDOMAIN_CHARS_MAX,
};
use super::patterns::{DURATION, LABEL, NOT_BLANK};
pub use super::selector::{LabelOperator, LabelRequirement, LabelSelector};
use crate::query::{GapKind, Operation, Role};

/// A policy: which queries to which workloads are let through, changed, alerted on, held or refused.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalPolicy {
    /// `countersign.dev/v1alpha1`.
    pub api_version: String,
    /// Name and namespace.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: ApprovalPolicySpec,
}

/// What a policy wants.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "operator", derive(kube::CustomResource))]
#[cfg_attr(
    feature = "operator",
    kube(
        group = "countersign.dev",
        version = "v1alpha1",
        kind = "ApprovalPolicy",
        root = "ApprovalPolicyObject",
        doc = "Which queries to which workloads are let through, changed, alerted on, held or refused.",
        plural = "approvalpolicies",
        namespaced,
        status = "super::status::PolicyStatus",
        schema = "disabled",
        shortname = "apol",
        category = "countersign",
        printcolumn = r#"{"name": "Mode", "type": "string", "jsonPath": ".spec.mode"}"#,
        printcolumn = r#"{"name": "Accepted", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Accepted')].status"}"#,
        printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"}"#,
        printcolumn = r#"{"name": "Current", "type": "integer", "jsonPath": ".status.gates.current"}"#,
        printcolumn = r#"{"name": "Gates", "type": "integer", "jsonPath": ".status.gates.total"}"#,
        printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "!has(self.rules) || !has(self.coverage) || !self.rules.exists(r, self.coverage.exists(c, c.name == r.name))",
     "message": "rules and coverage entries share one list of names: records tell them apart by name"},
]))]
pub struct ApprovalPolicySpec {
    /// Which enrolled workloads; empty for all. Stand-alone gates match it against `--labels`.
    #[serde(default)]
    pub selector: LabelSelector,
    /// `Enforce`, or `Audit` to record without interfering.
    #[serde(default)]
    pub mode: Mode,
    /// What an error while judging counts as.
    #[serde(default)]
    pub on_error: Failure,
    /// What happens when the record of a query cannot be written.
    #[serde(default)]
    pub on_audit_unavailable: Failure,
    /// What the audit trail keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
    /// How long a release carries later queries that repeat the approved text: `24h`. Default 0, not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = DURATION_CHARS_MAX), regex(pattern = DURATION), extend("x-kubernetes-validations" = [
        {"rule": "duration(self) <= duration('720h')", "message": "must be at most 720h"},
    ]))]
    pub carry_for: Option<String>,
    /// Administration and state routes to let pass: `POST /v1/load_lora_adapter`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = LIST_MAX),
        inner(length(min = 1, max = NAME_BYTES_MAX), regex(pattern = r"^(GET|HEAD|POST|PUT|PATCH|DELETE) /[^ ?#*]*$")),
        extend("x-kubernetes-list-type" = "set"),
    )]
    pub allow_routes: Vec<String>,
    /// What to do about input that cannot be judged as text; Deny where no policy says anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = RULES_MAX), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub coverage: Vec<Coverage>,
    /// The rules. All are judged; the most restrictive verdict wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = RULES_MAX), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub rules: Vec<Rule>,
}

/// What a cluster policy wants: the same, as a floor under every namespaced policy.
#[cfg(feature = "operator")]
#[derive(Debug, Clone, Default, Serialize, Deserialize, kube::CustomResource)]
#[serde(transparent)]
#[kube(
    group = "countersign.dev",
    version = "v1alpha1",
    kind = "ClusterApprovalPolicy",
    root = "ClusterApprovalPolicyObject",
    doc = "A policy for workloads of all namespaces: a floor, which namespaced policies can only tighten.",
    plural = "clusterapprovalpolicies",
    status = "super::status::PolicyStatus",
    schema = "disabled",
    shortname = "capol",
    category = "countersign",
    printcolumn = r#"{"name": "Mode", "type": "string", "jsonPath": ".spec.mode"}"#,
    printcolumn = r#"{"name": "Accepted", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Accepted')].status"}"#,
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"}"#,
    printcolumn = r#"{"name": "Current", "type": "integer", "jsonPath": ".status.gates.current"}"#,
    printcolumn = r#"{"name": "Gates", "type": "integer", "jsonPath": ".status.gates.total"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
pub struct ClusterApprovalPolicySpec(pub ApprovalPolicySpec);

/// Whether a policy interferes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Judge and act.
    #[default]
    Enforce,
    /// Judge and record, never interfere.
    Audit,
}

/// What a failure means for a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Failure {
    /// It is refused.
    #[default]
    Deny,
    /// It passes, and its record says `allowed-by-failure`.
    Allow,
}

/// What the audit trail keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Audit {
    /// How much of a query.
    pub content: ContentKept,
}

/// How much of a query is kept. Of several policies the least wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ContentKept {
    /// Nothing of its text.
    None,
    /// Digests: the default.
    Digest,
    /// The text with every finding masked.
    Masked,
    /// All of it.
    Full,
}

/// What to do about input that cannot be judged as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.action.type in ['Allow', 'Hold', 'Deny']", "fieldPath": ".action.type",
     "message": "what cannot be judged can only be allowed, held or denied"},
    {"rule": "!has(self.action.message)", "fieldPath": ".action.message",
     "message": "coverage entries have no message of their own"},
]))]
pub struct Coverage {
    /// Unique among the policy's rules and coverage entries.
    #[schemars(length(min = 1, max = LABEL_CHARS_MAX), regex(pattern = LABEL))]
    pub name: String,
    /// Which kinds of input.
    #[schemars(length(min = 1, max = LIST_MAX), extend("x-kubernetes-list-type" = "atomic"))]
    pub kinds: Vec<GapKind>,
    /// Which places: `logit_bias`, `messages[*].content`; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = LIST_MAX),
        inner(length(min = 1, max = NAME_BYTES_MAX)),
        extend("x-kubernetes-list-type" = "atomic"),
    )]
    pub places: Vec<String>,
    /// `Allow`, `Hold` or `Deny`.
    pub action: Action,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "!has(self.subject) || self.subject == 'Query'", "fieldPath": ".subject",
     "message": "answers are not judged yet"},
]))]
pub struct Rule {
    /// Unique within the policy.
    #[schemars(length(min = 1, max = LABEL_CHARS_MAX), regex(pattern = LABEL))]
    pub name: String,
    /// What it looks at: `Query`. `Answer` is reserved. (`on` is read too, but kubectl takes that key, unless it stands
    /// in quotes, for the boolean `true`.)
    #[serde(default, alias = "on")]
    pub subject: Subject,
    /// Whose text its matchers look at; empty for everyone's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = LIST_MAX), extend("x-kubernetes-list-type" = "atomic"))]
    pub roles: Vec<Role>,
    /// When it applies.
    #[serde(rename = "match")]
    pub matches: Match,
    /// What it does then.
    pub action: Action,
    /// What an error while judging this rule counts as; the policy's `onError` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_error: Option<Failure>,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Subject {
    /// What is asked.
    #[default]
    Query,
    /// What is answered.
    Answer,
}

/// A condition: every field that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct Match {
    /// At least one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = LIST_MAX), extend("x-kubernetes-list-type" = "atomic"))]
    pub any_of: Option<Vec<Match>>,
    /// Every one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = LIST_MAX), extend("x-kubernetes-list-type" = "atomic"))]
    pub all_of: Option<Vec<Match>>,
    /// None of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = LIST_MAX), extend("x-kubernetes-list-type" = "atomic"))]
    pub none_of: Option<Vec<Match>>,
    /// Any of these words or phrases, each standing alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keywords: Option<Keywords>,
    /// Any of these texts wherever they stand, also within words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = KEYWORDS_MAX),
        inner(length(min = 1, max = KEYWORD_CHARS_MAX), regex(pattern = NOT_BLANK)),
        extend("x-kubernetes-list-type" = "atomic"),
    )]
    pub substrings: Option<Vec<String>>,
    /// Any of these regular expressions (RE2 syntax, ASCII classes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<OneOrMany>,
    /// Any of these detectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = LIST_MAX),
        inner(length(min = 1, max = LABEL_CHARS_MAX)),
        extend("x-kubernetes-list-type" = "atomic"),
    )]
    pub detectors: Option<Vec<String>>,
    /// A CEL expression that must be true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = CEL_BYTES_MAX), regex(pattern = NOT_BLANK))]
    pub cel: Option<String>,
    /// Text or estimated tokens over a size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// More than a rate, per caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Any of these operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = LIST_MAX), extend("x-kubernetes-list-type" = "atomic"))]
    pub operations: Option<Vec<Operation>>,
    /// Any of these paths; `*` at the end as a wildcard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = LIST_MAX),
        inner(length(min = 1, max = NAME_BYTES_MAX), regex(pattern = r"^/[^*]*[*]?$")),
        extend("x-kubernetes-list-type" = "atomic"),
    )]
    pub routes: Option<Vec<String>>,
    /// Any of these model names; `*` at the end as a wildcard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = LIST_MAX),
        inner(length(min = 1, max = NAME_BYTES_MAX), regex(pattern = r"^[^*]*[*]?$")),
        extend("x-kubernetes-list-type" = "atomic"),
    )]
    pub models: Option<Vec<String>>,
}

/// Words: a plain list, or a list with options, which files may have and an API server does not take: see `substrings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Keywords {
    /// Words that must stand alone.
    Plain(
        #[schemars(
            length(min = 1, max = KEYWORDS_MAX),
            inner(length(min = 1, max = KEYWORD_CHARS_MAX), regex(pattern = NOT_BLANK)),
            extend("x-kubernetes-list-type" = "atomic"),
        )]
        Vec<String>,
    ),
    /// Words with options.
    WithOptions(KeywordOptions),
}

impl<'de> Deserialize<'de> for Keywords {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Keywords;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of words, or `any` and `wholeWords`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Keywords, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Keywords::Plain)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Keywords, A::Error> {
                KeywordOptions::deserialize(MapAccessDeserializer::new(map)).map(Keywords::WithOptions)
            }
        }

        d.deserialize_any(Either)
    }
}

/// Words with options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeywordOptions {
    /// The words.
    #[schemars(length(min = 1, max = KEYWORDS_MAX), inner(length(min = 1, max = KEYWORD_CHARS_MAX)))]
    pub any: Vec<String>,
    /// Whether a word must stand alone; default true.
    #[serde(default = "yes")]
    pub whole_words: bool,
}

const fn yes() -> bool {
    true
}

/// One text or several. Files may have one alone, an API server takes lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(#[schemars(length(min = 1, max = REGEX_BYTES_MAX))] String),
    /// Several.
    Many(
        #[schemars(
            length(min = 1, max = LIST_MAX),
            inner(length(min = 1, max = REGEX_BYTES_MAX)),
            extend("x-kubernetes-list-type" = "atomic"),
        )]
        Vec<String>,
    ),
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany::One(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<OneOrMany, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(OneOrMany::Many)
            }
        }

        d.deserialize_any(Either)
    }
}

/// A size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct Size {
    /// More bytes of text than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = COUNT_MAX))]
    pub text_bytes_over: Option<u64>,
    /// More estimated tokens than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = COUNT_MAX))]
    pub tokens_over: Option<u64>,
}

/// A rate per caller: exactly one of `queries` and `tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["queries"]}, {"required": ["tokens"]}]))]
pub struct Rate {
    /// So many queries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = COUNT_MAX))]
    pub queries: Option<u64>,
    /// So many estimated tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = COUNT_MAX))]
    pub tokens: Option<u64>,
    /// In this long: `1m`.
    #[schemars(length(min = 1, max = DURATION_CHARS_MAX), regex(pattern = DURATION))]
    pub per: String,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.type != 'Hold' || has(self.chain)", "message": "`Hold` needs a `chain`: who is to decide?"},
    {"rule": "self.type == 'Hold' || !has(self.chain)", "fieldPath": ".chain", "message": "`chain` belongs to `Hold`"},
    {"rule": "self.type == 'Deny' || !has(self.message)", "fieldPath": ".message",
     "message": "`message` belongs to `Deny`"},
    {"rule": "self.type == 'Alert' || !has(self.route)", "fieldPath": ".route", "message": "`route` belongs to `Alert`"},
]))]
pub struct Action {
    /// Which action.
    #[serde(rename = "type")]
    pub kind: ActionKind,
    /// `Deny`: what the client is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = MESSAGE_CHARS_MAX), regex(pattern = NOT_BLANK))]
    pub message: Option<String>,
    /// `Hold`: the name of the approval chain, in the policy's own scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = SUBDOMAIN_CHARS_MAX))]
    pub chain: Option<String>,
    /// `Alert`: which alert route; the default one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = LABEL_CHARS_MAX), regex(pattern = LABEL))]
    pub route: Option<String>,
}

/// Which action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ActionKind {
    /// Record only.
    Allow,
    /// Let through and raise an alert.
    Alert,
    /// Replace what matched.
    Redact,
    /// Hold until people have decided.
    Hold,
    /// Refuse.
    Deny,
}
