//! Label selectors, as Kubernetes has them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::{LABEL_CHARS_MAX, LABEL_KEY_CHARS_MAX, SELECTOR_MAX};
use super::patterns::{LABEL_KEY, LABEL_VALUE};

/// Labels that an object must carry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelSelector {
    /// Every one of these labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend(
        "maxProperties" = SELECTOR_MAX,
        "additionalProperties" = {"type": "string", "maxLength": LABEL_CHARS_MAX, "pattern": LABEL_VALUE}
    ))]
    pub match_labels: BTreeMap<String, String>,
    /// Every one of these requirements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = SELECTOR_MAX), extend("x-kubernetes-list-type" = "atomic"))]
    pub match_expressions: Vec<LabelRequirement>,
}

/// One requirement on a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.operator in ['Exists', 'DoesNotExist'] || (has(self.values) && self.values.size() > 0)",
     "message": "`In` and `NotIn` need `values`"},
    {"rule": "self.operator in ['In', 'NotIn'] || !has(self.values) || self.values.size() == 0",
     "message": "`Exists` and `DoesNotExist` take no `values`"},
]))]
pub struct LabelRequirement {
    /// The label's key.
    #[schemars(length(min = 1, max = LABEL_KEY_CHARS_MAX), regex(pattern = LABEL_KEY))]
    pub key: String,
    /// How it is compared.
    pub operator: LabelOperator,
    /// What with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = SELECTOR_MAX), inner(length(max = LABEL_CHARS_MAX), regex(pattern = LABEL_VALUE)), extend("x-kubernetes-list-type" = "atomic")
    )]
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LabelOperator {
    /// One of the values.
    In,
    /// None of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}
