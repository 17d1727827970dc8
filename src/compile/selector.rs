//! Label selectors: checked, and matched against a workload.

use std::collections::BTreeMap;

use super::names::{is_label_key, is_label_value};
use super::path::FieldPath;
use super::report::Report;
use crate::api::policy::{LabelOperator, LabelRequirement, LabelSelector};

/// Reports what Kubernetes would not take.
pub(super) fn check(selector: &LabelSelector, path: &FieldPath, report: &mut Report<'_>) {
    let labels = path.field("matchLabels");
    for (key, value) in &selector.match_labels {
        let path = labels.field(key);
        if !is_label_key(key) {
            report.error(&path, format!("`{key}` is not a label's key"));
        }
        if !is_label_value(value) {
            report
                .error(&path, format!("`{value}` is not a label's value"))
                .help("letters, digits, `-`, `_` and `.`, at most 63, with a letter or digit at both ends");
        }
    }
    for (i, requirement) in selector.match_expressions.iter().enumerate() {
        expression(requirement, &path.field("matchExpressions").index(i), report);
    }
}

fn expression(requirement: &LabelRequirement, path: &FieldPath, report: &mut Report<'_>) {
    if !is_label_key(&requirement.key) {
        report.error(&path.field("key"), format!("`{}` is not a label's key", requirement.key));
    }
    let values = path.field("values");
    match (requirement.operator, requirement.values.is_empty()) {
        (LabelOperator::In | LabelOperator::NotIn, true) => {
            report.error(path, "`In` and `NotIn` need `values`");
        }
        (LabelOperator::Exists | LabelOperator::DoesNotExist, false) => {
            report.error(&values, "`Exists` and `DoesNotExist` take no `values`");
        }
        _ => {}
    }
    for (i, value) in requirement.values.iter().enumerate() {
        if !is_label_value(value) {
            report.error(&values.index(i), format!("`{value}` is not a label's value"));
        }
    }
}

/// Whether labels satisfy a selector; an empty selector is satisfied by all.
pub(super) fn matches(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let plain = selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value));
    plain && selector.match_expressions.iter().all(|r| satisfied(r, labels))
}

fn satisfied(requirement: &LabelRequirement, labels: &BTreeMap<String, String>) -> bool {
    let value = labels.get(&requirement.key);
    let listed = value.is_some_and(|value| requirement.values.contains(value));
    match requirement.operator {
        LabelOperator::In => listed,
        LabelOperator::NotIn => !listed,
        LabelOperator::Exists => value.is_some(),
        LabelOperator::DoesNotExist => value.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(selector: &str, expected: bool) {
        let selector: LabelSelector = super::super::read_value("s", selector).unwrap();
        let labels = BTreeMap::from([("app".to_owned(), "llama".to_owned()), ("tier".to_owned(), "gold".to_owned())]);
        assert_eq!(matches(&selector, &labels), expected, "{selector:?}");
    }

    #[test]
    fn selectors_select_as_kubernetes_does() {
        check("{}", true);
        check("matchLabels: {app: llama}", true);
        check("matchLabels: {app: llama, tier: silver}", false);
        check("matchExpressions: [{key: app, operator: In, values: [a, llama]}]", true);
        check("matchExpressions: [{key: app, operator: NotIn, values: [llama]}]", false);
        check("matchExpressions: [{key: zone, operator: NotIn, values: [a]}]", true);
        check("matchExpressions: [{key: zone, operator: Exists}]", false);
        check("matchExpressions: [{key: zone, operator: DoesNotExist}]", true);
    }
}
