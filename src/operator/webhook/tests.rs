//! Reviews as an API server asks for them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::review::{ChainName, answer};

fn review(kind: &str, operation: &str, spec: &Value, before: &Value) -> Value {
    let namespace = (!kind.starts_with("Cluster") && kind != "ApprovalException").then_some("models");
    let object = |spec: &Value| {
        let others = json!([{"manager": "kubectl"}]);
        json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": kind, "spec": spec, "status": {"anything": 1},
            "metadata": {"name": "p", "namespace": namespace, "uid": "u", "managedFields": others},
        })
    };
    let old = if before.is_null() { Value::Null } else { object(before) };
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "1-2", "kind": {"group": "countersign.dev", "version": "v1alpha1", "kind": kind}, "name": "p",
            "namespace": namespace, "operation": operation, "object": object(spec), "oldObject": old, "dryRun": true,
        },
    })
}

/// Whether it is allowed, what is said, and of what one is warned.
fn told(review: &Value, chains: Option<&BTreeSet<ChainName>>) -> (bool, String, Vec<String>) {
    let (answer, _) = answer(review, chains).unwrap();
    assert_eq!((answer["kind"].as_str(), answer["response"]["uid"].as_str()), (Some("AdmissionReview"), Some("1-2")));
    let response = &answer["response"];
    let warnings = response["warnings"].as_array().cloned().unwrap_or_default();
    let warnings = warnings.iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    let message = response["status"]["message"].as_str().unwrap_or_default().to_owned();
    (response["allowed"] == true, message, warnings)
}

fn rule(condition: &Value, action: &Value) -> Value {
    json!({"rules": [{"name": "a", "match": condition, "action": action}]})
}

fn deny() -> Value {
    rule(&json!({"keywords": ["merger"]}), &json!({"type": "Deny"}))
}

fn bad() -> Value {
    rule(&json!({"regex": ["fine", "("]}), &json!({"type": "Deny"}))
}

fn hold() -> Value {
    rule(&json!({"keywords": ["merger"]}), &json!({"type": "Hold", "chain": "legal"}))
}

#[test]
fn what_compiles_is_allowed_and_what_does_not_is_refused_with_the_field() {
    assert_eq!(told(&review("ApprovalPolicy", "CREATE", &deny(), &Value::Null), None), (true, String::new(), vec![]));
    let bad = review("ApprovalPolicy", "CREATE", &bad(), &Value::Null);
    let (allowed, message, _) = told(&bad, None);
    assert!(!allowed && message.starts_with("`spec.rules[0].match.regex[1]`: not a regular expression"), "{message}");
    let (answer, _) = answer(&bad, None).unwrap();
    let status = &answer["response"]["status"];
    assert_eq!((status["code"].as_i64(), status["reason"].as_str()), (Some(422), Some("Invalid")));
    let cause = &status["details"]["causes"][0];
    assert_eq!(cause["field"], "spec.rules[0].match.regex[1]");
    assert!(cause["message"].as_str().unwrap().starts_with("not a regular expression"), "{cause}");
}

#[test]
fn an_exception_is_judged_by_itself_and_not_for_what_it_is_from() {
    let exception = |end: &str| {
        json!({
            "policy": {"kind": "ClusterApprovalPolicy", "name": "floor"}, "rules": ["a"], "namespaces": ["models"],
            "expiresAt": end, "reason": "a migration", "approver": "ada",
        })
    };
    let good = review("ApprovalException", "CREATE", &exception("2026-12-31T23:59:59Z"), &Value::Null);
    assert_eq!(told(&good, None), (true, String::new(), vec![]));
    let bad = review("ApprovalException", "CREATE", &exception("next year"), &Value::Null);
    let (allowed, message, warnings) = told(&bad, None);
    assert!(!allowed && message.starts_with("`spec.expiresAt`: `next year` is not a moment"), "{message}");
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn every_field_that_is_wrong_is_named() {
    let spec = json!({"rules": [
        {"name": "a", "match": {"detectors": ["emial"]}, "action": {"type": "Deny"}},
        {"name": "b", "match": {"regex": ["("]}, "action": {"type": "Deny"}},
    ]});
    let (answer, _) = answer(&review("ClusterApprovalPolicy", "CREATE", &spec, &Value::Null), None).unwrap();
    let causes = answer["response"]["status"]["details"]["causes"].as_array().unwrap();
    let fields: Vec<_> = causes.iter().map(|cause| cause["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["spec.rules[0].match.detectors[0]", "spec.rules[1].match.regex[0]"]);
}

#[test]
fn a_chain_that_is_not_there_yet_is_a_warning_once_all_chains_are_known() {
    let policy = review("ApprovalPolicy", "CREATE", &hold(), &Value::Null);
    assert_eq!(told(&policy, None), (true, String::new(), vec![]), "nobody knows yet which there are");
    let (allowed, _, warnings) = told(&policy, Some(&BTreeSet::new()));
    assert!(allowed);
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].starts_with("`spec.rules[0].action.chain`: there is no ApprovalChain `legal` in"),
        "{warnings:?}"
    );
    let there = BTreeSet::from([(Some("models".to_owned()), "legal".to_owned())]);
    assert_eq!(told(&policy, Some(&there)).2, Vec::<String>::new());
    let (_, _, warnings) = told(&review("ClusterApprovalPolicy", "CREATE", &hold(), &Value::Null), Some(&there));
    assert!(
        warnings[0].contains("there is no ClusterApprovalChain `legal`"),
        "no namespace has a chain of the cluster"
    );
}

#[test]
fn chains_are_judged_by_themselves() {
    let chain = json!({"stages": [{"name": "a", "approvers": [{"group": "legal"}]}]});
    let review = |spec: &Value| review("ApprovalChain", "CREATE", spec, &Value::Null);
    assert_eq!(told(&review(&chain), Some(&BTreeSet::new())), (true, String::new(), vec![]));
    let unreachable = json!({"stages": [{"name": "a", "approvers": [{"user": "alice"}], "quorum": {"approve": 2}}]});
    let (allowed, message, _) = told(&review(&unreachable), None);
    assert!(!allowed && message.contains("spec.stages[0]"), "{message}");
}

#[test]
fn what_is_odd_is_a_warning() {
    let never =
        rule(&json!({"allOf": [{"keywords": ["a"]}], "noneOf": [{"keywords": ["a"]}]}), &json!({"type": "Deny"}));
    let (allowed, _, warnings) = told(&review("ApprovalPolicy", "CREATE", &never, &Value::Null), None);
    assert!(allowed && warnings.iter().any(|one| one.contains("never true")), "{warnings:?}");
    let twice = rule(&json!({"keywords": ["a\nb", "a\nb"]}), &json!({"type": "Deny"}));
    let (allowed, _, warnings) = told(&review("ApprovalPolicy", "CREATE", &twice, &Value::Null), None);
    assert!(!allowed || warnings.iter().all(|one| !one.contains(char::is_control)), "{warnings:?}");
    let (allowed, _, warnings) = told(&review("ApprovalPolicy", "CREATE", &json!({}), &Value::Null), None);
    assert!(allowed && warnings.iter().any(|one| one.contains("no rules")), "{warnings:?}");
}

#[test]
fn what_was_bad_before_may_be_labelled_and_deleted_but_not_made_otherwise_bad() {
    assert!(told(&review("ApprovalPolicy", "UPDATE", &bad(), &bad()), None).0);
    assert!(!told(&review("ApprovalPolicy", "UPDATE", &bad(), &deny()), None).0);
    let mut leaving = review("ApprovalPolicy", "UPDATE", &bad(), &deny());
    leaving["request"]["object"]["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert!(told(&leaving, None).0);
}

#[test]
fn what_is_no_review_is_not_answered() {
    for wrong in [json!(null), json!([]), json!({}), json!({"request": {}}), json!({"request": {"uid": 1}})] {
        assert!(answer(&wrong, None).is_none(), "{wrong}");
    }
    assert!(told(&json!({"request": {"uid": "1-2"}}), None).0, "there is nothing to judge");
}
