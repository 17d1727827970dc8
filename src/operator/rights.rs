//! What the operator may do in a cluster: the one list from which `config/rbac/` is made, and which a test runs it with.
//!
//! Guarantees that whatever can be narrowed to an object by its name is; making one cannot.

use std::fmt::Write as _;

/// Where a right holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    /// In every namespace that the operator looks at.
    Watched,
    /// In no namespace: what the cluster has.
    Cluster,
    /// In no namespace, and whatever the operator looks at.
    Always,
    /// In the operator's own namespace.
    Own,
}

/// What may be done with some kinds of objects.
struct Right {
    place: Where,
    group: &'static str,
    resources: &'static [&'static str],
    /// Only the objects of these names; all when there are none. `{}` stands for the operator's own namespace.
    names: &'static [&'static str],
    verbs: &'static [&'static str],
    why: &'static str,
}

const RIGHTS: &[Right] = &[
    Right {
        place: Where::Watched,
        group: "countersign.dev",
        resources: &["approvalchains", "approvalpolicies"],
        names: &[],
        verbs: &["list", "watch"],
        why: "rule sets are made of them",
    },
    Right {
        place: Where::Watched,
        group: "countersign.dev",
        resources: &["approvalchains/status", "approvalpolicies/status"],
        names: &[],
        verbs: &["patch"],
        why: "what became of each is said there",
    },
    Right {
        place: Where::Watched,
        group: "apps",
        resources: &["deployments", "statefulsets"],
        names: &[],
        verbs: &["list", "watch"],
        why: "which workloads are enrolled, and the labels that policies select by",
    },
    Right {
        place: Where::Watched,
        group: "countersign.dev",
        resources: &["modelgates"],
        names: &[],
        verbs: &["list", "watch", "create", "delete"],
        why: "there is one for every enrolled workload",
    },
    Right {
        place: Where::Watched,
        group: "countersign.dev",
        resources: &["modelgates/status"],
        names: &[],
        verbs: &["patch"],
        why: "what was given out, what gates have of it, and their keys are kept there",
    },
    Right {
        place: Where::Watched,
        group: "apps",
        resources: &["replicasets"],
        names: &[],
        verbs: &["list", "watch"],
        why: "they stand between Deployments and Pods",
    },
    Right {
        place: Where::Watched,
        group: "",
        resources: &["pods"],
        names: &[],
        verbs: &["list", "watch"],
        why: "gates stand in them",
    },
    Right {
        place: Where::Watched,
        group: "events.k8s.io",
        resources: &["events"],
        names: &[],
        verbs: &["create", "patch"],
        why: "people are told of a second claimant of a Pod, and of what a gate refuses",
    },
    Right {
        place: Where::Always,
        group: "authentication.k8s.io",
        resources: &["tokenreviews"],
        names: &[],
        verbs: &["create"],
        why: "a gate that comes first shows the token of its Pod",
    },
    Right {
        place: Where::Own,
        group: "",
        resources: &["secrets"],
        names: &["countersign-signing"],
        verbs: &["list", "watch"],
        why: "who signs, and in which epoch",
    },
    Right {
        place: Where::Cluster,
        group: "countersign.dev",
        resources: &["clusterapprovalchains", "clusterapprovalpolicies", "approvalexceptions"],
        names: &[],
        verbs: &["list", "watch"],
        why: "the floor of every rule set, and what loosens some",
    },
    Right {
        place: Where::Cluster,
        group: "countersign.dev",
        resources: &["clusterapprovalchains/status", "clusterapprovalpolicies/status", "approvalexceptions/status"],
        names: &[],
        verbs: &["patch"],
        why: "what became of each is said there",
    },
    Right {
        place: Where::Cluster,
        group: "admissionregistration.k8s.io",
        resources: &["validatingwebhookconfigurations"],
        names: &[],
        verbs: &["create"],
        why: "the API server is told how to ask the webhook",
    },
    Right {
        place: Where::Cluster,
        group: "admissionregistration.k8s.io",
        resources: &["validatingwebhookconfigurations"],
        names: &["countersign.{}"],
        verbs: &["list", "watch", "patch"],
        why: "whom to trust in that changes, and is mended",
    },
    Right {
        place: Where::Own,
        group: "coordination.k8s.io",
        resources: &["leases"],
        names: &[],
        verbs: &["create"],
        why: "one replica leads",
    },
    Right {
        place: Where::Own,
        group: "coordination.k8s.io",
        resources: &["leases"],
        names: &["countersign-operator"],
        verbs: &["get", "list", "watch", "patch"],
        why: "one replica leads, and the others see when it does no longer",
    },
    Right {
        place: Where::Own,
        group: "",
        resources: &["secrets"],
        names: &[],
        verbs: &["create"],
        why: "certificates are kept in one, and the key that signs in another",
    },
    Right {
        place: Where::Own,
        group: "",
        resources: &["secrets"],
        names: &["countersign-certificates"],
        verbs: &["list", "watch", "update"],
        why: "certificates are replaced before they expire, and all replicas serve with them",
    },
];

/// The name of the account and of everything that gives it rights.
const NAME: &str = "countersign-operator";

/// The manifests by the names of their files, for an operator in this namespace. One that looks at all namespaces needs `own.yaml`,
/// `cluster.yaml` and `everywhere.yaml`; one for some of them needs `namespace.yaml` in each instead of `everywhere.yaml`; one that
/// does without policies of the cluster, and is not told how its webhook is reached, needs no `cluster.yaml`.
#[must_use]
pub fn manifests(namespace: &str) -> [(&'static str, String); 4] {
    let account = format!("namespace: {namespace}, name: {NAME}");
    let own = format!(
        "{HEAD}# The operator's namespace and account, what it may do there, and what every operator may ask of the cluster.\n\
         apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n---\n\
         apiVersion: v1\nkind: ServiceAccount\nmetadata: {{{account}}}\n---\n"
    );
    let own = own + &role("", &account, Where::Own, namespace) + "---\n";
    let own = own + &role("Cluster", &format!("name: {NAME}"), Where::Always, namespace);
    let cluster = format!("{HEAD}# What the operator may do with what the cluster has.\n");
    let everywhere = format!("{HEAD}# What the operator may do in all namespaces.\n");
    let some = format!(
        "{HEAD}# What an operator for some namespaces may do in one of them: kubectl apply -n NAMESPACE -f namespace.yaml\n"
    );
    let floor = format!("{NAME}-cluster");
    let all = format!("{NAME}-everywhere");
    [
        ("own.yaml", own),
        ("cluster.yaml", cluster + &role("Cluster", &format!("name: {floor}"), Where::Cluster, namespace)),
        ("everywhere.yaml", everywhere + &role("Cluster", &format!("name: {all}"), Where::Watched, namespace)),
        ("namespace.yaml", some + &role("", &format!("name: {NAME}"), Where::Watched, namespace)),
    ]
}

const HEAD: &str = "# Generated from src/operator/rights.rs. Do not edit.\n";

/// A role with the rights of a place, and its binding to the account.
fn role(scope: &str, metadata: &str, place: Where, namespace: &str) -> String {
    let api = "apiVersion: rbac.authorization.k8s.io/v1";
    let name = metadata.rsplit("name: ").next().unwrap_or(NAME);
    let rules: String =
        RIGHTS.iter().filter(|right| right.place == place).map(|right| rule(right, namespace)).collect();
    format!(
        "{api}\nkind: {scope}Role\nmetadata: {{{metadata}}}\nrules:\n{rules}---\n\
         {api}\nkind: {scope}RoleBinding\nmetadata: {{{metadata}}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {scope}Role, name: {name}}}\n\
         subjects: [{{kind: ServiceAccount, namespace: {namespace}, name: {NAME}}}]\n"
    )
}

fn rule(right: &Right, namespace: &str) -> String {
    let mut rule = format!("# {}\n- apiGroups: ['{}']\n", right.why, right.group);
    // Writing to a String does not fail.
    let _ = writeln!(rule, "  resources: [{}]", right.resources.join(", "));
    if !right.names.is_empty() {
        let names: Vec<_> = right.names.iter().map(|name| name.replace("{}", namespace)).collect();
        let _ = writeln!(rule, "  resourceNames: [{}]", names.join(", "));
    }
    let _ = writeln!(rule, "  verbs: [{}]", right.verbs.join(", "));
    rule
}
