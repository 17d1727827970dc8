//! What an API server refuses all by itself, as people do with kubectl, and what it tells them.

use super::{cluster, told};

/// Parts of a policy's specification, and what is said of each.
const POLICIES: &[(&str, &str)] = &[
    // Names.
    ("rules: [RULE, RULE]", "spec.rules[1]: Duplicate value: {\"name\":\"a\"}"),
    ("rules: [RULE], coverage: [{name: a, kinds: [Image], action: {type: Allow}}]", "share one list of names"),
    ("rules: [{name: Nope, match: {cel: 'true'}, action: {type: Deny}}]", "spec.rules[0].name in body should match"),
    ("rules: [{match: {cel: 'true'}, action: {type: Deny}}]", "spec.rules[0].name: Required value"),
    // Actions.
    ("rules: [{name: a, match: {cel: 'true'}, action: {type: Hold}}]", "`Hold` needs a `chain`: who is to decide?"),
    ("rules: [{name: a, match: {cel: 'true'}, action: {type: Deny, chain: b}}]", "`chain` belongs to `Hold`"),
    (
        "rules: [{name: a, match: {cel: 'true'}, action: {type: Hold, chain: b, message: c}}]",
        "`message` belongs to `Deny`",
    ),
    ("rules: [{name: a, match: {cel: 'true'}, action: {type: Deny, route: c}}]", "`route` belongs to `Alert`"),
    ("rules: [{name: a, match: {cel: 'true'}, action: {type: deny}}]", "Unsupported value: \"deny\""),
    (
        "rules: [{name: a, match: {cel: 'true'}, action: {type: Deny, message: ' '}}]",
        "spec.rules[0].action.message in body should match",
    ),
    ("rules: [{name: a, match: {cel: 'true'}, action: [Deny]}]", "spec.rules[0].action: Invalid value"),
    ("rules: [{name: a, match: {cel: 'true'}}]", "spec.rules[0].action: Required value"),
    ("coverage: [{name: a, kinds: [Image], action: {type: Redact}}]", "can only be allowed, held or denied"),
    (
        "coverage: [{name: a, kinds: [], action: {type: Allow}}]",
        "spec.coverage[0].kinds in body should have at least 1 items",
    ),
    (
        "coverage: [{name: a, kinds: [Picture], action: {type: Allow}}]",
        "spec.coverage[0].kinds[0]: Unsupported value: \"Picture\"",
    ),
    // Conditions.
    (
        "rules: [{name: a, match: {}, action: {type: Deny}}]",
        "spec.rules[0].match in body should have at least 1 properties",
    ),
    (
        "rules: [{name: a, match: {anyOf: []}, action: {type: Deny}}]",
        "spec.rules[0].match.anyOf in body should have at least 1 items",
    ),
    (
        "rules: [{name: a, match: {allOf: [{noneOf: [{}]}]}, action: {type: Deny}}]",
        "spec.rules[0].match.allOf[0].noneOf[0] in body should have at least 1 properties",
    ),
    (
        "rules: [{name: a, match: {allOf: [{anyOf: [{keyword: [b]}]}]}, action: {type: Deny}}]",
        "unknown field \"spec.rules[0].match.allOf[0].anyOf[0].keyword\"",
    ),
    ("rules: [{name: a, match: {keywords: ['']}, action: {type: Deny}}]", "spec.rules[0].match.keywords[0]"),
    (
        "rules: [{name: a, match: {keywords: b}, action: {type: Deny}}]",
        "spec.rules[0].match.keywords: Invalid value: \"string\"",
    ),
    (
        "rules: [{name: a, match: {regex: []}, action: {type: Deny}}]",
        "spec.rules[0].match.regex in body should have at least 1 items",
    ),
    (
        "rules: [{name: a, match: {size: {}}, action: {type: Deny}}]",
        "spec.rules[0].match.size in body should have at least 1 properties",
    ),
    (
        "rules: [{name: a, match: {size: {tokensOver: -1}}, action: {type: Deny}}]",
        "spec.rules[0].match.size.tokensOver in body should be greater than or equal to 0",
    ),
    ("rules: [{name: a, match: {rate: {per: 1m}}, action: {type: Deny}}]", "spec.rules[0].match.rate"),
    (
        "rules: [{name: a, match: {rate: {queries: 1, tokens: 1, per: 1m}}, action: {type: Deny}}]",
        "spec.rules[0].match.rate",
    ),
    ("rules: [{name: a, match: {rate: {queries: 0, per: 1m}}, action: {type: Deny}}]", "greater than or equal to 1"),
    (
        "rules: [{name: a, match: {rate: {queries: 1, per: 1 m}}, action: {type: Deny}}]",
        "spec.rules[0].match.rate.per in body should match",
    ),
    (
        "rules: [{name: a, match: {operations: [Talk]}, action: {type: Deny}}]",
        "spec.rules[0].match.operations[0]: Unsupported value: \"Talk\"",
    ),
    (
        "rules: [{name: a, match: {routes: ['POST /v1']}, action: {type: Deny}}]",
        "spec.rules[0].match.routes[0] in body should match",
    ),
    (
        "rules: [{name: a, match: {models: ['a*b']}, action: {type: Deny}}]",
        "spec.rules[0].match.models[0] in body should match",
    ),
    // What else a rule says.
    ("rules: [{name: a, subject: Answer, match: {cel: 'true'}, action: {type: Deny}}]", "answers are not judged yet"),
    (
        "rules: [{name: a, roles: [Person], match: {cel: 'true'}, action: {type: Deny}}]",
        "spec.rules[0].roles[0]: Unsupported value: \"Person\"",
    ),
    ("rules: [{name: a, matches: {cel: 'true'}, action: {type: Deny}}]", "unknown field \"spec.rules[0].matches\""),
    // What a policy says for all of them.
    ("mode: Observe", "spec.mode: Unsupported value: \"Observe\": supported values: \"Enforce\", \"Audit\""),
    ("onerror: Deny", "unknown field \"spec.onerror\""),
    ("carryFor: 1d", "spec.carryFor in body should match"),
    ("carryFor: 721h", "must be at most 720h"),
    ("audit: {content: Some}", "spec.audit.content: Unsupported value: \"Some\""),
    ("allowRoutes: [/v1/load_lora_adapter]", "spec.allowRoutes[0] in body should match"),
    ("selector: {matchExpressions: [{key: app, operator: In}]}", "`In` and `NotIn` need `values`"),
    (
        "selector: {matchExpressions: [{key: app, operator: Exists, values: [b]}]}",
        "`Exists` and `DoesNotExist` take no `values`",
    ),
    ("selector: {matchLabel: {app: llama}}", "unknown field \"spec.selector.matchLabel\""),
];

/// Specifications of chains.
const CHAINS: &[(&str, &str)] = &[
    ("{}", "spec.stages: Required value"),
    ("stages: []", "spec.stages in body should have at least 1 items"),
    ("stages: [STAGE, STAGE]", "spec.stages[1]: Duplicate value: {\"name\":\"a\"}"),
    ("stages: [{name: a, approvers: []}]", "spec.stages[0].approvers in body should have at least 1 items"),
    ("stages: [{name: a, approvers: [{}]}]", "spec.stages[0].approvers[0] in body should have at least 1 properties"),
    (
        "stages: [{name: a, approvers: [{user: b, group: c}]}]",
        "spec.stages[0].approvers[0]: Too many: 2: must have at most 1 item",
    ),
    ("stages: [{name: a, approvers: [{user: b}], quorum: {approve: 0}}]", "greater than or equal to 1"),
    ("stages: [{name: a, approvers: [{user: b}], quorum: {approve: 101}}]", "less than or equal to 100"),
    ("stages: [{name: a, approvers: [{user: b}], escalateAfter: 1m}]", "`escalateAfter` without anybody in `fallback`"),
    ("stages: [{name: a, approvers: [{user: b}], fallback: [{user: c}], escalateAfter: 2h}]", "never happens"),
    ("expiresAfter: 30d, stages: [STAGE]", "spec.expiresAfter in body should match"),
    ("expiresAfter: 200h, stages: [STAGE]", "must be between 1s and 168h"),
    ("validForMax: 0s, stages: [STAGE]", "must be between 1s and 168h"),
    ("onClientGone: Wait, stages: [STAGE]", "spec.onClientGone: Unsupported value: \"Wait\""),
    ("separationOfDuty: true, stages: [STAGE]", "unknown field \"spec.separationOfDuty\""),
];

/// Changes to an exception that is good.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("reason: a good one", "", "spec.reason: Required value"),
    ("reason: a good one", "reason: ' '", "spec.reason in body should match"),
    ("approver: admin", "", "spec.approver: Required value"),
    ("expiresAt: 2030-01-01T00:00:00Z", "", "spec.expiresAt: Required value"),
    ("expiresAt: 2030-01-01T00:00:00Z", "expiresAt: tomorrow", "spec.expiresAt in body must be of type date-time"),
    ("namespaces: [models]", "", "spec.namespaces: Required value"),
    ("namespaces: [models]", "namespaces: []", "spec.namespaces in body should have at least 1 items"),
    ("namespaces: [models]", "namespaces: ['*']", "spec.namespaces[0] in body should match"),
    ("rules: [no-secrets]", "rules: []", "spec.rules in body should have at least 1 items"),
    (
        "kind: ClusterApprovalPolicy, name: floor",
        "kind: Policy, name: floor",
        "spec.policy.kind: Unsupported value: \"Policy\"",
    ),
    (
        "kind: ClusterApprovalPolicy, name: floor}, namespaces: [models]",
        "kind: ApprovalPolicy, name: floor}, namespaces: [a, b]",
        "name that one only",
    ),
];
const EXCEPTION: &str = "policy: {kind: ClusterApprovalPolicy, name: floor}, namespaces: [models], rules: [no-secrets], \
                         reason: a good one, approver: admin, expiresAt: 2030-01-01T00:00:00Z";

fn apply(kind: &str, spec: &str, namespace: &str) -> (bool, String) {
    let spec = spec
        .replace("RULE", "{name: a, match: {cel: 'true'}, action: {type: Deny}}")
        .replace("STAGE", "{name: a, approvers: [{group: legal}]}");
    let spec = if spec.starts_with('{') { spec } else { format!("{{{spec}}}") };
    let object = format!("apiVersion: countersign.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: a}}\nspec: {spec}\n");
    let arguments = ["apply", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", "-"];
    let output = cluster().kubectl(&arguments, &object);
    (output.status.success(), told(&output))
}

fn all_are_refused<'a>(kinds: &[&str], namespace: &str, table: impl Iterator<Item = (String, &'a str)>) {
    let mut wrong = Vec::new();
    for (i, (spec, expected)) in table.enumerate() {
        let kind = kinds[i % kinds.len()];
        let (taken, said) = apply(kind, &spec, namespace);
        if taken || !said.contains(expected) {
            wrong.push(format!("{kind} {spec}\n  expected: {expected}\n  taken: {taken}, told: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn rows(table: &'static [(&str, &str)]) -> impl Iterator<Item = (String, &'static str)> {
    table.iter().map(|(spec, expected)| ((*spec).to_owned(), *expected))
}

#[test]
fn an_api_server_refuses_alone_what_a_policy_must_not_be() {
    let space = cluster().namespace("refused-policies");
    all_are_refused(&["ApprovalPolicy", "ClusterApprovalPolicy"], &space, rows(POLICIES));
}

#[test]
fn an_api_server_refuses_alone_what_a_chain_must_not_be() {
    let space = cluster().namespace("refused-chains");
    all_are_refused(&["ApprovalChain", "ClusterApprovalChain"], &space, rows(CHAINS));
}

#[test]
fn an_api_server_refuses_alone_an_exception_without_end_reason_approver_or_bounds() {
    let space = cluster().namespace("refused-exceptions");
    let (taken, told) = apply("ApprovalException", EXCEPTION, &space);
    assert!(taken, "{told}");
    let rows = EXCEPTIONS.iter().map(|(from, to, expected)| {
        let spec = EXCEPTION.replace(from, to).replace(", ,", ",");
        (spec.trim_end_matches([',', ' ']).to_owned(), *expected)
    });
    all_are_refused(&["ApprovalException"], &space, rows);
}

#[test]
fn server_side_apply_refuses_two_rules_of_a_name_and_fields_that_are_not_there() {
    let space = cluster().namespace("refused-applies");
    let apply = |spec: &str| {
        let object = format!(
            "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {{name: a}}\nspec: {{{spec}}}\n"
        );
        let output = cluster().kubectl(&["apply", "--server-side", "-n", &space, "-f", "-"], &object);
        assert!(!output.status.success(), "{object}");
        told(&output)
    };
    let rule = "{name: a, match: {cel: 'true'}, action: {type: Deny}}";
    assert!(apply(&format!("rules: [{rule}, {rule}]")).contains("duplicate entries for key [name=\"a\"]"));
    assert!(apply("modus: Audit").contains(".spec.modus: field not declared in schema"));
}
