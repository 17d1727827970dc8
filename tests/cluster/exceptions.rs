//! Who may except from what, as `config/admission/exceptions.yaml` has the API server ask: real people with kubectl.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::LazyLock;

use super::{cluster, done, root, told, until};

/// Everybody here may write exceptions as far as RBAC goes; what they may approve differs.
const RIGHTS: &str = "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: excepting-writers}
rules:
- {apiGroups: [countersign.dev], resources: [approvalexceptions], verbs: [get, list, create, update, patch, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: excepting-writers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: excepting-writers}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: excepting-writers}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: system:serviceaccounts:excepting}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: excepting-from-the-floor}
rules:
- {apiGroups: [countersign.dev], resources: [clusterapprovalpolicies], resourceNames: [floor], verbs: [approve]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: excepting-from-the-floor}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: excepting-from-the-floor}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: floor-approver}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: second-approver}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: system:serviceaccounts:excepting}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: administrator, namespace: excepting}
rules:
- {apiGroups: [countersign.dev], resources: ['*'], verbs: ['*']}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: administrator, namespace: excepting}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: administrator}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: space-admin}]
";

/// Puts the rights and the admission policy in place, once, and waits until the API server asks it.
fn guarded() {
    static GUARDED: LazyLock<()> = LazyLock::new(|| {
        cluster().namespace("excepting");
        done(&cluster().kubectl(&["apply", "-f", "-"], RIGHTS));
        let policy = root().join("config/admission/exceptions.yaml");
        done(&cluster().kubectl(&["apply", "-f", policy.to_str().unwrap()], ""));
        until("asked", || {
            let tried = write_as(&person("writer"), "probe", FLOOR, "writer", &["--dry-run=server"]);
            told(&tried).contains("countersign-exceptions").then_some(())
        });
    });
    LazyLock::force(&GUARDED);
}

const FLOOR: &str = "policy: {kind: ClusterApprovalPolicy, name: floor}, rules: [no-secrets], namespaces: [excepting]";
const LOCAL: &str = "policy: {kind: ApprovalPolicy, name: local}, rules: [no-secrets], namespaces: [excepting]";

/// Somebody who may write exceptions.
fn person(name: &str) -> PathBuf {
    cluster().person(name, &["excepting-writers"])
}

/// Writes an exception, as `apply` does: a new one, or what it says now.
fn write_as(who: &Path, name: &str, from: &str, approver: &str, more: &[&str]) -> Output {
    let object = format!(
        "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalException\nmetadata: {{name: {name}}}\nspec: {{{from}, \
         expiresAt: \"2030-01-01T00:00:00Z\", reason: a migration, approver: \"{approver}\"}}\n"
    );
    cluster().kubectl_as(who, &[&["apply", "-f", "-"], more].concat(), &object)
}

#[track_caller]
fn refused(output: &Output, why: &str) {
    let said = told(output);
    assert!(!output.status.success() && said.contains(why), "{why:?} is not in {said:?}");
    assert!(said.contains("ValidatingAdmissionPolicy 'countersign-exceptions'"), "{said}");
}

const NOT_THE_FLOOR: &str =
    "you may not approve exceptions from policy floor: kubectl auth can-i approve clusterapprovalpolicies/floor";

#[test]
fn an_exception_is_created_by_whoever_may_approve_the_policy_and_by_nobody_else() {
    guarded();
    let (writer, approver) = (person("writer"), person("floor-approver"));
    refused(&write_as(&writer, "a", FLOOR, "writer", &[]), NOT_THE_FLOOR);
    refused(&write_as(&writer, "a", FLOOR, "floor-approver", &[]), "spec.approver must be writer, who answers for it");
    refused(&write_as(&approver, "a", FLOOR, "writer", &[]), "spec.approver must be floor-approver");
    done(&write_as(&approver, "a", FLOOR, "floor-approver", &[]));
    let other = FLOOR.replace("name: floor", "name: ceiling");
    refused(&write_as(&approver, "b", &other, "floor-approver", &[]), "exceptions from policy ceiling");
}

#[test]
fn asking_beforehand_is_answered_as_the_attempt_would_be() {
    guarded();
    let can = |who: &Path, what: &[&str]| {
        let output = cluster().kubectl_as(who, &[&["auth", "can-i", "approve"], what].concat(), "");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let (writer, approver, admin) = (person("writer"), person("floor-approver"), person("space-admin"));
    assert_eq!(can(&writer, &["clusterapprovalpolicies/floor"]), "no");
    assert_eq!(can(&approver, &["clusterapprovalpolicies/floor"]), "yes");
    assert_eq!(can(&approver, &["clusterapprovalpolicies/ceiling"]), "no");
    assert_eq!(can(&admin, &["clusterapprovalpolicies/floor"]), "no");
    assert_eq!(can(&admin, &["approvalpolicies/local", "-n", "excepting"]), "yes");
    assert_eq!(can(&admin, &["approvalpolicies/local", "-n", "default"]), "no");
}

#[test]
fn who_administers_a_namespace_excepts_from_its_policies_and_not_from_those_of_the_cluster() {
    guarded();
    let admin = person("space-admin");
    refused(&write_as(&admin, "c", FLOOR, "space-admin", &[]), NOT_THE_FLOOR);
    done(&write_as(&admin, "c", LOCAL, "space-admin", &[]));
    let elsewhere = LOCAL.replace("[excepting]", "[default]");
    let why = "kubectl auth can-i approve approvalpolicies/local -n default";
    refused(&write_as(&admin, "d", &elsewhere, "space-admin", &[]), why);
    refused(&write_as(&admin, "c", &elsewhere, "space-admin", &[]), why);
    refused(&write_as(&admin, "c", FLOOR, "space-admin", &[]), NOT_THE_FLOOR);
    let floor_approver = write_as(&person("floor-approver"), "d", LOCAL, "floor-approver", &[]);
    refused(&floor_approver, "kubectl auth can-i approve approvalpolicies/local -n excepting");
}

#[test]
fn what_an_exception_says_is_changed_by_whoever_could_create_it_so() {
    guarded();
    let (writer, first, second) = (person("writer"), person("floor-approver"), person("second-approver"));
    done(&write_as(&first, "e", FLOOR, "floor-approver", &[]));
    let wider = FLOOR.replace("[excepting]", "[excepting, default]");
    let longer = r#"{"spec": {"expiresAt": "2040-01-01T00:00:00Z"}}"#;
    let patch =
        |who: &Path, patch: &str| cluster().kubectl_as(who, &["patch", "aex", "e", "--type=merge", "-p", patch], "");
    refused(&write_as(&writer, "e", &wider, "floor-approver", &[]), "spec.approver must be writer");
    refused(&write_as(&writer, "e", &wider, "writer", &[]), NOT_THE_FLOOR);
    refused(&patch(&writer, longer), "spec.approver must be writer");
    refused(&patch(&second, longer), "spec.approver must be second-approver");
    // Labels say nothing, and neither does what was there already.
    done(&patch(&writer, r#"{"metadata": {"labels": {"team": "research"}}}"#));
    done(&write_as(&writer, "e", FLOOR, "floor-approver", &[]));
    done(&patch(&first, longer));
    done(&write_as(&second, "e", &wider, "second-approver", &[]));
    done(&cluster().kubectl_as(&writer, &["delete", "aex", "e"], ""));
}

#[test]
fn service_accounts_and_system_users_except_from_nothing_whatever_they_may() {
    guarded();
    let account = "system:serviceaccount:excepting:default";
    let groups = ["--as-group=system:serviceaccounts:excepting", "--as-group=system:serviceaccounts"];
    let as_account = [&["--as", account], &groups[..]].concat();
    let tried = write_as(&cluster().admin(), "f", FLOOR, account, &as_account);
    refused(&tried, "service accounts and system users answer for nothing");
    let system = cluster().person("system:test", &["excepting-writers", "system:masters"]);
    refused(&write_as(&system, "f", FLOOR, "system:test", &[]), "a person excepts");
    done(&write_as(&cluster().admin(), "f", FLOOR, "admin", &[]));
}

#[test]
fn an_api_server_finds_no_fault_with_the_admission_policy() {
    guarded();
    let path = "jsonpath={.status.typeChecking.expressionWarnings}";
    let found =
        done(&cluster().kubectl(&["get", "validatingadmissionpolicy", "countersign-exceptions", "-o", path], ""));
    assert_eq!(found, "");
}
