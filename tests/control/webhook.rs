//! The webhook, as people meet it with kubectl, and the certificate that it serves with.

use std::time::Duration;

use serde_json::Value;

use super::operator::Operator;
use super::{CHAIN, DENY, HOLD, accepted, apply, cluster, done, object, told, until, yaml};

const BAD: &str = "rules: [{name: a, match: {regex: ['(']}, action: {type: Deny}}]";

/// An operator for one namespace whose webhook the API server asks.
fn asked(space: &str) -> Operator {
    // Cluster policies are left to whoever asks for them: the tests of other operators have their own.
    let arguments = ["--watch-namespaces", space, "--cluster-policies", "ignore"];
    let operator = Operator::start_asked_as(&cluster().admin(), space, &arguments);
    operator.ready();
    until_asked(space);
    operator
}

fn configuration(space: &str) -> Option<Value> {
    object("default", &format!("validatingwebhookconfiguration/countersign.{space}"))
}

/// Waits until the API server asks: it takes a moment to hear of it.
#[track_caller]
fn until_asked(space: &str) {
    until("asked", || (!tried(space, "ApprovalPolicy", BAD).0).then_some(()));
}

/// Applies an object on the server's side without storing it; whether it was taken, and what kubectl said.
fn tried(space: &str, kind: &str, spec: &str) -> (bool, String) {
    let arguments = ["apply", "--dry-run=server", "-n", space, "-f", "-"];
    let output = cluster().kubectl(&arguments, &yaml(kind, "tried", spec));
    (output.status.success(), told(&output))
}

#[test]
fn what_does_not_compile_is_refused_with_the_field_also_when_it_is_only_tried() {
    let space = cluster().namespace("asked");
    let operator = asked(&space);
    for arguments in [&["apply"][..], &["apply", "--server-side"], &["create"], &["create", "--dry-run=server"]] {
        let arguments = [arguments, &["-n", &space, "-f", "-"]].concat();
        let output = cluster().kubectl(&arguments, &yaml("ApprovalPolicy", "p", BAD));
        let said = told(&output);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(said.contains("spec.rules[0].match.regex[0]") && said.contains("not a regular expression"), "{said}");
    }
    assert!(object(&space, "apol/p").is_none());
    let raw = format!("/apis/countersign.dev/v1alpha1/namespaces/{space}/approvalpolicies");
    let json = format!(
        r#"{{"apiVersion":"countersign.dev/v1alpha1","kind":"ApprovalPolicy","metadata":{{"name":"p"}},"spec":{}}}"#,
        r#"{"rules":[{"name":"a","match":{"regex":["("]},"action":{"type":"Deny"}}]}"#
    );
    let said = told(&cluster().kubectl(&["create", "--raw", &raw, "-f", "-", "-v=8"], &json));
    assert!(said.contains(r#""field":"spec.rules[0].match.regex[0]""#) && said.contains("\"code\":422"), "{said}");
    let unreachable = "stages: [{name: a, approvers: [{user: alice}], quorum: {approve: 2}}]";
    assert!(tried(&space, "ApprovalChain", unreachable).1.contains("spec.stages[0]"));
    assert!(tried(&space, "ApprovalPolicy", DENY).0);
    apply(&space, "ApprovalPolicy", "p", DENY);
    assert!(operator.metric("countersign_operator_reviews_total{result=\"refused\"}") >= 4.0);
}

#[test]
fn the_order_of_applies_does_not_matter_and_what_is_missing_is_a_warning() {
    let space = cluster().namespace("ordered");
    let _operator = asked(&space);
    let arguments = ["apply", "-n", &space, "-f", "-"];
    let output = cluster().kubectl(&arguments, &yaml("ApprovalPolicy", "p", HOLD));
    assert!(output.status.success());
    let said = told(&output);
    assert!(
        said.contains(
            "Warning: `spec.rules[0].action.chain`: there is no ApprovalChain `legal` in namespace `ordered`"
        ),
        "{said}"
    );
    let never =
        "rules: [{name: a, match: {allOf: [{keywords: [b]}], noneOf: [{keywords: [b]}]}, action: {type: Deny}}]";
    let (taken, said) = tried(&space, "ApprovalPolicy", never);
    assert!(taken && said.contains("Warning: `spec.rules[0].match.noneOf[0]`: never true"), "{said}");
    apply(&space, "ApprovalChain", "legal", CHAIN);
    until("accepted", || accepted(&space, "apol/p").filter(|(status, _)| status == "True"));
    until("no warning", || {
        let output = cluster().kubectl(&arguments, &yaml("ApprovalPolicy", "p", &HOLD.replace("merger", "contract")));
        done(&output);
        (!told(&output).contains("Warning")).then_some(())
    });
}

#[test]
fn a_webhook_that_is_away_blocks_nobody_and_the_status_says_what_it_would_have() {
    let space = cluster().namespace("away");
    let operator = asked(&space);
    apply(&space, "ApprovalPolicy", "p", DENY);
    until("accepted", || accepted(&space, "apol/p"));
    drop(operator);
    assert!(configuration(&space).is_some());
    apply(&space, "ApprovalPolicy", "p", BAD);
    // What a schema can say still holds.
    let (taken, said) = tried(&space, "ApprovalPolicy", "mode: Whatever");
    assert!(!taken && said.contains("spec.mode"), "{said}");
    let again = asked(&space);
    let (status, message) = until("refused", || accepted(&space, "apol/p").filter(|(status, _)| status == "False"));
    assert!(status == "False" && message.contains("spec.rules[0].match.regex[0]"), "{message}");
    // What is bad and stored already can be labelled and deleted.
    done(&cluster().kubectl(&["label", "-n", &space, "apol/p", "a=b"], ""));
    done(&cluster().kubectl(&["delete", "-n", &space, "apol/p"], ""));
    drop(again);
}

#[test]
fn what_the_api_server_was_told_is_mended_and_what_administrators_set_is_let_be() {
    let space = cluster().namespace("mended");
    let _operator = asked(&space);
    let name = format!("validatingwebhookconfiguration/countersign.{space}");
    let before = configuration(&space).unwrap();
    let webhook = &before["webhooks"][0];
    assert_eq!((webhook["failurePolicy"].as_str(), webhook["sideEffects"].as_str()), (Some("Ignore"), Some("None")));
    let change = |patch: &str| done(&cluster().kubectl(&["patch", &name, "--type=json", "-p", patch], ""));
    change(r#"[{"op": "replace", "path": "/webhooks/0/timeoutSeconds", "value": 7}]"#);
    change(r#"[{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": ""}]"#);
    until("mended", || {
        let now = configuration(&space)?;
        (now["webhooks"][0]["clientConfig"] == webhook["clientConfig"]).then_some(())
    });
    change(r#"[{"op": "replace", "path": "/webhooks/0/rules/0/operations", "value": ["DELETE"]}]"#);
    until("mended", || (configuration(&space)?["webhooks"][0]["rules"] == webhook["rules"]).then_some(()));
    assert_eq!(configuration(&space).unwrap()["webhooks"][0]["timeoutSeconds"], 7);
    done(&cluster().kubectl(&["delete", &name], ""));
    until("made again", || configuration(&space));
    until_asked(&space);
}

#[test]
fn a_certificate_that_is_lost_is_made_again_and_all_replicas_serve_with_it() {
    let space = cluster().namespace("served");
    let first = asked(&space);
    let second = asked(&space);
    let expiry = |operator: &Operator| operator.metric("countersign_operator_certificate_expiry_timestamp");
    assert!(
        expiry(&first) > 1.7e9 && (expiry(&first) - expiry(&second)).abs() < 0.1,
        "{} {}",
        expiry(&first),
        expiry(&second)
    );
    let secret = || Some(object(&space, "secret/countersign-certificates")?["data"].clone());
    let before = secret().unwrap();
    for data in ["null", r#"{"tls.crt": "bm9uc2Vuc2U=", "tls.key": "bm9uc2Vuc2U="}"#] {
        let patch = format!(r#"[{{"op": "replace", "path": "/data", "value": {data}}}]"#);
        let name = ["patch", "-n", &space, "secret/countersign-certificates", "--type=json", "-p", &patch];
        if data == "null" {
            done(&cluster().kubectl(&["delete", "-n", &space, "secret/countersign-certificates"], ""));
        } else {
            done(&cluster().kubectl(&name, ""));
        }
        let now = until("made again", || {
            secret().filter(|data| data["ca.crt"].is_string() && data["tls.crt"] != before["tls.crt"])
        });
        // The API server was told, and whoever answers it serves with what it trusts.
        until("told", || {
            let bundle = configuration(&space)?["webhooks"][0]["clientConfig"]["caBundle"].clone();
            (bundle == now["ca.crt"]).then_some(())
        });
        until_asked(&space);
    }
    drop(first);
    second.until_leads();
}

/// Fills a folder like cert-manager does, with an authority of its own.
fn fill(folder: &std::path::Path, days: u32) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let (authority_key, key) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let mut leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    leaf.not_after = rcgen::date_time_ymd(2049, 1, 1) + Duration::from_hours(24) * days;
    let whole = authority.self_signed(&authority_key).unwrap();
    let leaf = leaf.signed_by(&key, &rcgen::Issuer::new(authority, &authority_key)).unwrap();
    // Not all at once: what does not fit together in between is not served with.
    std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
    std::fs::write(folder.join("ca.crt"), whole.pem()).unwrap();
    std::fs::write(folder.join("tls.crt"), leaf.pem()).unwrap();
}

#[test]
fn certificates_that_somebody_else_renews_are_served_with_when_they_change() {
    let space = cluster().namespace("folder");
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--watch-namespaces", &space, "--cluster-policies", "ignore", "--certificates"];
    let arguments = [&arguments[..], &[folder.path().to_str().unwrap()]].concat();
    let operator = Operator::start_asked_as(&cluster().admin(), &space, &arguments);
    until("without one", || operator.get("/readyz").contains("no certificate").then_some(()));
    let expiry = || operator.metric("countersign_operator_certificate_expiry_timestamp");
    let mut seen = 0.0;
    for days in [1, 2] {
        fill(folder.path(), days);
        until("served with", || (expiry() > seen).then_some(()));
        seen = expiry();
        let told = std::fs::read_to_string(folder.path().join("ca.crt")).unwrap();
        until("told", || {
            let bundle = configuration(&space)?["webhooks"][0]["clientConfig"]["caBundle"].clone();
            (bundle == base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &told)).then_some(())
        });
        until_asked(&space);
    }
    operator.ready();
    assert!(object(&space, "secret/countersign-certificates").is_none());
}
