//! The custom resources, as people meet them with kubectl.

use std::fs;

use super::{cluster, done, root, told};

const POLICY: &str = "apiVersion: countersign.dev/v1alpha1
kind: ApprovalPolicy
metadata: {name: customer-data}
spec:
  mode: Audit
  rules:
  - {name: no-secrets, match: {detectors: [jwt]}, action: {type: Deny}}
";

#[test]
fn the_custom_resources_are_served_under_all_their_names() {
    let space = cluster().namespace("names");
    done(&cluster().kubectl(&["apply", "--server-side", "-n", &space, "-f", "-"], POLICY));
    let table = done(&cluster().kubectl(&["get", "apol", "-n", &space], ""));
    let mut lines = table.lines();
    let head: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["NAME", "MODE", "ACCEPTED", "READY", "CURRENT", "GATES", "AGE"]);
    assert!(lines.next().unwrap().starts_with("customer-data   Audit"), "{table}");
    let category = done(&cluster().kubectl(&["get", "countersign", "-n", &space, "-o", "name"], ""));
    assert!(category.lines().any(|name| name == "approvalpolicy.countersign.dev/customer-data"), "{category}");
    for name in ["capol", "achain", "cachain", "aex", "mgate"] {
        done(&cluster().kubectl(&["get", name, "-A"], ""));
    }
}

#[test]
fn an_api_server_finds_no_fault_with_the_definitions() {
    let path = "jsonpath={range .items[*].status.conditions[*]}{.type}={.status} {end}";
    let conditions = done(&cluster().kubectl(&["get", "crd", "-o", path], ""));
    let wrong = |condition: &&str| !["NamesAccepted=True", "Established=True"].contains(condition);
    assert_eq!(conditions.split_whitespace().find(wrong), None);
    assert_eq!(conditions.split_whitespace().count(), 12);
}

#[test]
fn explain_shows_what_the_fields_mean() {
    let explain = |field: &str| {
        let text = done(&cluster().kubectl(&["explain", field], ""));
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let rules = explain("apol.spec.rules");
    assert!(rules.contains("All are judged; the most restrictive verdict wins."), "{rules}");
    assert!(rules.contains("What an error while judging this rule counts as"), "{rules}");
    let action = explain("apol.spec.rules.action.type");
    assert!(action.contains("enum: Alert, Allow, Deny, Hold, ....") || action.contains("ENUM:"), "{action}");
    assert!(action.contains("`Hold`: Hold until people have decided."), "{action}");
    assert!(explain("capol.spec.rules.match.anyOf.keywords").contains("each standing alone"));
    assert!(explain("achain.spec.stages.quorum").contains("So many approvals pass the stage."));
    assert!(explain("mgate.status.conditions").contains("metav1.Condition"));
}

#[test]
fn a_status_is_written_beside_the_specification_and_never_by_people() {
    let space = cluster().namespace("status");
    let both = POLICY.to_owned() + "status: {observedGeneration: 7}\n";
    done(&cluster().kubectl(&["create", "-n", &space, "-f", "-"], &both));
    let get = |path: &str| {
        done(&cluster().kubectl(&["get", "apol", "customer-data", "-n", &space, "-o", &format!("jsonpath={path}")], ""))
    };
    assert_ne!(get("{.status.observedGeneration}"), "7");
    let patch = r#"{"status": {"observedGeneration": 1, "gates": {"current": 1, "total": 2, "rejected": 0}}}"#;
    let patch = ["patch", "apol", "customer-data", "-n", &space, "--subresource=status", "--type=merge", "-p", patch];
    done(&cluster().kubectl(&patch, ""));
    assert_eq!(get("{.status.gates.current}/{.status.gates.total} {.metadata.generation}"), "1/2 1");
    let unknown = ["patch", "apol", "customer-data", "-n", &space, "--subresource=status", "--type=merge"];
    let wrong = r#"{"status": {"conditions": [{"type": "Ready", "status": "Maybe"}]}}"#;
    let refused = cluster().kubectl(&[&unknown[..], &["-p", wrong]].concat(), "");
    assert!(told(&refused).contains("status.conditions[0].status: Unsupported value: \"Maybe\""), "{}", told(&refused));
}

#[test]
fn a_policy_of_a_thousand_kilobytes_is_validated_within_the_cost_that_an_api_server_allows() {
    let space = cluster().namespace("large");
    let head =
        "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {name: large}\nspec:\n  coverage:\n";
    let cover = (0..250).map(|i| format!("  - {{name: cover-{i:0>57}, kinds: [Image], action: {{type: Allow}}}}\n"));
    let rules = (0..250).map(|i| {
        let words: Vec<_> = (0..14).map(|word| format!("w{i}-{word:0>240}")).collect();
        let words = words.join(", ");
        format!("  - {{name: rule-{i:0>58}, match: {{anyOf: [{{keywords: [{words}]}}]}}, action: {{type: Deny}}}}\n")
    });
    let parts = [head.to_owned()].into_iter().chain(cover).chain(["  rules:\n".to_owned()]).chain(rules);
    let policy = parts.collect::<Vec<_>>().concat();
    assert!(policy.len() > 900_000, "{}", policy.len());
    done(&cluster().kubectl(&["create", "-n", &space, "--validate=strict", "-f", "-"], &policy));
}

#[test]
fn all_samples_are_taken_by_an_api_server() {
    let space = cluster().namespace("samples");
    for entry in fs::read_dir(root().join("config/samples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let file = path.to_str().unwrap();
            done(&cluster().kubectl(&["apply", "--server-side", "--validate=strict", "-n", &space, "-f", file], ""));
        }
    }
}
