//! Tests of the room as a whole: what is written becomes what is judged, and nothing that is written makes it fail.

mod precedence;

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::action::Scope;
use super::matcher::Trail;
use super::report::Report;
use super::*;
use crate::api::Object;
use crate::approvals::{Approver, ClientGone};
use crate::query::{GapKind, Operation, Role};
use crate::rules::{self, Action, ChainRef, Disposition, Failure, Matcher, PolicyRef, Retention, TextMatch, Workload};

fn one(text: &str) -> Document {
    let mut documents = read("test.yaml", text).unwrap_or_else(|found| panic!("{found:?}"));
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn namespaced(name: &str) -> ChainRef {
    ChainRef { namespace: Some("default".to_owned()), name: name.to_owned() }
}

/// The strict form of one policy, and where its matchers came from.
#[track_caller]
fn strict(spec: &str) -> (rules::Policy, Trail) {
    let text =
        format!("apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {{name: p}}\nspec:\n{spec}");
    let document = one(&text);
    let Object::ApprovalPolicy(policy) = &document.object else { panic!("a policy") };
    let legal = one(CHAIN);
    let compiled = check(&[legal]).unwrap();
    let mut trail = Trail::default();
    let mut report = Report::new(&document, "p".to_owned());
    let scope = Scope { namespace: Some("default"), chains: &compiled.chains };
    let strict = super::policy::strict(namespaced("p"), &policy.spec, &scope, &mut trail, &mut report);
    let found = report.finish();
    assert!(found.iter().all(|one| one.severity == Severity::Warning), "{found:?}");
    (strict, trail)
}

const CHAIN: &str = "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalChain\nmetadata: {name: legal}\nspec:\n  \
                     stages: [{name: a, approvers: [{group: g}, {user: u}]}]\n";

#[test]
fn settings_become_what_they_say_and_defaults_are_closed() {
    let (policy, _) = strict(
        "  mode: Audit\n  onError: Allow\n  audit: {content: Masked}\n  carryFor: 24h\n  allowRoutes: [POST /a]\n  \
         coverage:\n  - name: c\n    kinds: [Image]\n    places: [x]\n    action: {type: Hold, chain: legal}\n  \
         rules:\n  - name: a\n    match: {keywords: [x]}\n    action: {type: Deny, message: m}\n  \
         - name: b\n    roles: [User]\n    match: {keywords: [x]}\n    action: {type: Alert, route: r}\n    onError: Deny\n",
    );
    assert_eq!((policy.mode, policy.retention), (rules::Mode::Audit, Some(Retention::Masked)));
    assert_eq!(policy.fallbacks.on_error, Failure::Allow);
    assert_eq!(policy.fallbacks.on_audit_unavailable, Failure::Deny);
    assert_eq!((policy.carry, policy.routes), (Duration::from_hours(24), vec!["POST /a".to_owned()]));
    let coverage = &policy.coverage[0];
    assert_eq!((&coverage.kinds, &coverage.places), (&vec![GapKind::Image], &vec!["x".to_owned()]));
    assert_eq!(coverage.action, Disposition::Hold(namespaced("legal")));
    assert_eq!(policy.rules[0].on_error, Failure::Allow, "a rule follows its policy");
    assert_eq!(policy.rules[0].action, Action::Deny { message: Some("m".to_owned()) });
    assert_eq!(policy.rules[1].on_error, Failure::Deny, "unless it says otherwise");
    assert!(policy.rules[0].roles.holds(Role::Tool) && !policy.rules[1].roles.holds(Role::Tool));

    let (policy, _) = strict("  rules: [{name: a, match: {keywords: [x]}, action: {type: Allow}}]\n");
    assert_eq!((policy.mode, policy.retention, policy.carry), (rules::Mode::Enforce, None, Duration::ZERO));
    assert_eq!(policy.fallbacks.on_error, Failure::Deny);
}

#[track_caller]
fn matcher(condition: &str) -> Matcher {
    let (mut policy, _) =
        strict(&format!("  rules:\n  - name: r\n    match: {condition}\n    action: {{type: Deny}}\n"));
    policy.rules.remove(0).matcher
}

#[test]
fn every_field_of_a_condition_must_hold() {
    let Matcher::All(all) = matcher("{keywords: [a], operations: [Chat], noneOf: [{models: [m]}]}") else {
        panic!("several fields are an `all`")
    };
    assert!(matches!(&all[0], Matcher::None(list) if matches!(&list[..], [Matcher::Models(_)])));
    assert!(matches!(&all[1], Matcher::Text(TextMatch::Keywords { whole_words: true, .. })));
    assert!(matches!(&all[2], Matcher::Operations(list) if list == &[Operation::Chat]));
    assert!(matches!(matcher("{size: {textBytesOver: 1, tokensOver: 2}}"), Matcher::All(list) if list.len() == 2));
}

#[test]
fn any_text_of_a_list_is_enough() {
    assert!(matches!(matcher("{regex: a}"), Matcher::Text(TextMatch::Regex(p)) if p == "a"));
    assert!(matches!(matcher("{regex: [a]}"), Matcher::Text(TextMatch::Regex(p)) if p == "a"));
    assert!(matches!(matcher("{regex: [a, b]}"), Matcher::Any(list) if list.len() == 2));
    let Matcher::Any(list) = matcher("{detectors: [secrets, jwt]}") else { panic!("a group is an `any`") };
    let names = list.iter().map(|m| match m {
        Matcher::Text(TextMatch::Detector(d)) => d.name,
        other => panic!("{other:?}"),
    });
    assert_eq!(names.filter(|name| *name == "jwt").count(), 1, "named alone and by its group, it counts once");
}

#[test]
fn a_path_of_the_engine_leads_back_to_what_was_written() {
    let spec = "  rules:\n  - name: r\n    match:\n      keywords: [x]\n      detectors: [secrets, email]\n      \
                anyOf:\n      - regex: [a, b]\n      - {noneOf: [{cel: 'true', regex: c}]}\n    action: {type: Deny}\n";
    let (_, trail) = strict(spec);
    let secrets = crate::detect::named("secrets").unwrap().len();
    let email = format!("rules[0].match.allOf[2].anyOf[{secrets}].detectors");
    for (engine, written) in [
        ("rules[0].match", "spec.rules[0].match"),
        ("rules[0].match.allOf[0].anyOf[0].anyOf[1].regex", "spec.rules[0].match.anyOf[0].regex[1]"),
        ("rules[0].match.allOf[0].anyOf[1].noneOf[0].allOf[1].cel", "spec.rules[0].match.anyOf[1].noneOf[0].cel"),
        ("rules[0].match.allOf[1].keywords", "spec.rules[0].match.keywords"),
        ("rules[0].match.allOf[2].anyOf[0].detectors", "spec.rules[0].match.detectors[0]"),
        (&email, "spec.rules[0].match.detectors[1]"),
    ] {
        let found = trail.find(engine).map(|w| w.field.as_str());
        // Texts come before facts, so the expression stands last.
        assert_eq!(found, Some(written), "{engine}");
    }
    assert!(trail.find("rules[7].match").is_none());
}

#[test]
fn chains_have_their_defaults() {
    let compiled = check(&[one(CHAIN)]).unwrap();
    let chain = &compiled.chains[&namespaced("legal")];
    assert_eq!(chain.expires_after, Duration::from_hours(1));
    assert!(!chain.separation_of_duties && chain.stages[0].escalate_after.is_none());
    assert_eq!((chain.on_client_gone, chain.valid_for_max), (ClientGone::Detach, Duration::from_hours(1)));
    assert_eq!((chain.stages[0].quorum.approve, chain.stages[0].quorum.deny), (1, 1));
    assert_eq!(chain.stages[0].approvers, [Approver::Group("g".to_owned()), Approver::User("u".to_owned())]);
}

fn policy(meta: &str, selector: &str) -> Document {
    one(&format!(
        "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {{{meta}}}\nspec:\n  \
         selector: {selector}\n  rules:\n  - name: r\n    match: {{keywords: [x]}}\n    action: {{type: Deny}}\n"
    ))
}

#[test]
fn a_workload_gets_the_policies_of_its_namespace_that_select_it() {
    let labels = BTreeMap::from([("app".to_owned(), "llama".to_owned())]);
    let workload = Workload { namespace: "models".to_owned(), name: "w".to_owned(), labels };
    let mut cluster = policy("name: floor", "{}");
    let Object::ApprovalPolicy(inner) = cluster.object.clone() else { panic!("a policy") };
    cluster.object = Object::ClusterApprovalPolicy(inner);
    let documents = [
        policy("name: a, namespace: models", "{}"),
        policy("name: b, namespace: models", "{matchLabels: {app: llama}}"),
        policy("name: c, namespace: models", "{matchLabels: {app: other}}"),
        policy("name: d", "{}"),
        cluster,
    ];
    let compiled = compile(&documents, &workload).unwrap();
    assert_eq!(compiled.policies, 3);
    let said: Vec<_> = compiled.warnings.iter().map(|w| w.object.as_deref().unwrap_or_default()).collect();
    assert_eq!(said, ["ApprovalPolicy models/c", "ApprovalPolicy default/d"]);
    assert_eq!(check(&documents).unwrap().policies, 5);
    let none = compile(&[], &workload).unwrap();
    assert!(none.warnings[0].message.contains("every query will be refused"), "{:?}", none.warnings);
}

#[test]
fn an_object_that_came_from_no_file_has_diagnostics_without_a_place() {
    let Object::ApprovalPolicy(mut inner) = policy("name: a", "{}").object else { panic!("a policy") };
    inner.spec.rules[0].name = "Not A Name".to_owned();
    let found = check(&[Document::of(Object::ApprovalPolicy(inner))]).unwrap_err();
    assert_eq!((found[0].path.as_str(), &found[0].at), ("spec.rules[0].name", &None));
    assert!(render(&found[0], None).contains("spec.rules[0].name"));
}

#[test]
fn what_building_finds_is_shown_at_the_field() {
    let text = "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {name: p}\nspec:\n  rules:\n  \
                - name: r\n    match: {keywords: [a], cel: 'nonsense(('}\n    action: {type: Deny}\n";
    let found = check(&[one(text)]).unwrap_err();
    assert_eq!(found[0].path, "spec.rules[0].match.cel", "{found:?}");
    let at = found[0].at.as_ref().unwrap();
    assert_eq!(&text[at.span.clone()], "'nonsense(('");
}

#[test]
fn policies_are_named_with_their_namespace() {
    let compiled = check(&[policy("name: a", "{}")]).unwrap();
    let name = PolicyRef { namespace: Some("default".to_owned()), name: "a".to_owned() };
    assert_eq!(compiled.written(&name, "rules[0].match"), "spec.rules[0].match.keywords");
}

fn exception(name: &str, rest: &str) -> Document {
    one(&format!(
        "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalException\nmetadata: {{name: {name}}}\nspec:\n  \
         rules: [r]\n  expiresAt: \"2026-12-31T23:59:59Z\"\n  reason: why\n  approver: ada\n{rest}"
    ))
}

#[test]
fn a_workload_gets_the_exceptions_that_name_its_namespace_and_select_it_from_policies_that_apply() {
    let labels = BTreeMap::from([("app".to_owned(), "llama".to_owned())]);
    let workload = Workload { namespace: "models".to_owned(), name: "w".to_owned(), labels };
    let from = |kind: &str, name: &str, rest: &str| format!("  policy: {{kind: {kind}, name: {name}}}\n  {rest}\n");
    let mut cluster = policy("name: floor", "{}");
    let Object::ApprovalPolicy(inner) = cluster.object.clone() else { panic!("a policy") };
    cluster.object = Object::ClusterApprovalPolicy(inner);
    let policies = [cluster, policy("name: a, namespace: models", "{}"), policy("name: a, namespace: other", "{}")];
    let applied = |exceptions: &[Document]| {
        let compiled = compile(&[&policies, exceptions].concat(), &workload).unwrap();
        let bare = compile(&policies, &workload).unwrap().rule_set.revision();
        assert_eq!(compiled.exceptions == 0, compiled.rule_set.revision() == bare);
        compiled.exceptions
    };
    for (kind, name, rest, applies) in [
        ("ClusterApprovalPolicy", "floor", "namespaces: [other, models]", 1),
        ("ClusterApprovalPolicy", "floor", "namespaces: [other]", 0),
        ("ApprovalPolicy", "a", "namespaces: [models]", 1),
        ("ApprovalPolicy", "a", "namespaces: [other]", 0),
        ("ClusterApprovalPolicy", "a", "namespaces: [models]", 0),
        ("ApprovalPolicy", "floor", "namespaces: [models]", 0),
        ("ApprovalPolicy", "a", "namespaces: [models]\n  selector: {matchLabels: {app: llama}}", 1),
        ("ApprovalPolicy", "a", "namespaces: [models]\n  selector: {matchLabels: {app: mistral}}", 0),
    ] {
        assert_eq!(applied(&[exception("e", &from(kind, name, rest))]), applies, "{kind} {name} {rest}");
    }
    let many: Vec<_> = (0..501)
        .map(|n| exception(&format!("e{n:03}"), &from("ApprovalPolicy", "a", "namespaces: [models]")))
        .collect();
    assert_eq!(applied(&many), 500);
    let warnings = compile(&[&policies[..], &many].concat(), &workload).unwrap().warnings;
    let told: Vec<_> = warnings.iter().filter(|w| w.message.contains("more than 500")).collect();
    assert!(matches!(&told[..], [one] if one.object.as_deref() == Some("ApprovalException e500")), "{told:?}");
}

#[test]
fn an_exception_that_has_ended_is_warned_of_from_that_moment_on() {
    let rest = "  policy: {kind: ApprovalPolicy, name: a}\n  namespaces: [default]\n";
    let documents = [exception("e", rest), policy("name: a", "{}")];
    let end = end_of(&documents[0]).unwrap();
    assert_eq!((end.to_string().as_str(), end_of(&documents[1])), ("2026-12-31T23:59:59Z", None));
    assert!(ended(&documents, end - jiff::SignedDuration::from_nanos(1)).is_empty());
    let warned = ended(&documents, end);
    assert_eq!((warned.len(), warned[0].path.as_str(), warned[0].severity), (1, "spec.expiresAt", Severity::Warning));
    assert!(warned[0].at.is_some());
}

#[test]
fn an_exception_without_its_policy_compiles_and_loosens_nothing() {
    let alone = exception("e", "  policy: {kind: ApprovalPolicy, name: a}\n  namespaces: [default]\n");
    let compiled = check(&[alone]).unwrap();
    assert_eq!((compiled.exceptions, compiled.warnings.len()), (0, 1));
    assert!(compiled.warnings[0].message.contains("there is no ApprovalPolicy `a` in namespace `default`"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_every_problem_can_be_shown(text in "[a-z:{}\\[\\]&*!|>'\"#\\-, \n\t\u{e9}\u{202e}]{0,200}") {
        if let Err(found) = read("any.yaml", &text) {
            for diagnostic in found {
                let shown = render(&diagnostic, Some(&text));
                let hostile = shown.contains('\u{202e}');
                prop_assert!(!hostile && shown.contains("any.yaml:"), "{shown}");
            }
        }
    }

    #[test]
    fn a_policy_with_one_character_changed_never_panics(at in 0usize..600, with in "[ -~\n]") {
        let full = include_str!("../../tests/corpus/lint/good-full.yaml");
        let at = at.min(full.len() - 1);
        let text = format!("{}{with}{}", &full[..at], &full[at + 1..]);
        if let Ok(documents) = read("any.yaml", &text) && let Err(found) = check(&documents) {
            prop_assert!(found.iter().all(|d| d.at.is_some()));
        }
    }

    #[test]
    fn rendering_survives_any_span(text in ".{0,80}", start in 0usize..100, end in 0usize..100) {
        let at = Some(Location { file: "f".to_owned(), span: start..end });
        let diagnostic = Diagnostic { severity: Severity::Error, object: None, path: String::new(), message: String::new(), help: None, at };
        prop_assert!(render(&diagnostic, Some(&text)).contains('^'));
    }
}
