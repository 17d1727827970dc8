//! A namespace with workloads, Pods that no node runs, and operators for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use countersign::distribution::PublicKey;
use serde_json::Value;

use super::operator::Operator;
use super::{cluster, done, until};

pub(crate) const DENY: &str = "rules: [{name: a, match: {keywords: [merger]}, action: {type: Deny}}]";
pub(crate) const DENY_MORE: &str = "rules: [{name: a, match: {keywords: [merger, contract]}, action: {type: Deny}}]";

/// A namespace of one test.
pub(crate) struct Space(pub(crate) String);

/// A Pod of a workload.
#[derive(Debug, Clone)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) workload: String,
}

impl Space {
    pub(crate) fn new(name: &str) -> Self {
        Self(cluster().namespace(name))
    }

    /// Runs kubectl in the namespace.
    pub(crate) fn kubectl(&self, arguments: &[&str], input: &str) -> std::process::Output {
        cluster().kubectl(&[&["-n", &self.0], arguments].concat(), input)
    }

    pub(crate) fn operator(&self) -> Operator {
        Operator::start(&self.0, &["--watch-namespaces", &self.0, "--cluster-policies", "ignore"])
    }

    pub(crate) fn apply(&self, name: &str, spec: &str) {
        let object = format!(
            "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"
        );
        done(&self.kubectl(&["apply", "-f", "-"], &object));
    }

    pub(crate) fn get(&self, resource: &str) -> Option<Value> {
        let got = self.kubectl(&["get", resource, "-o", "json"], "");
        got.status.success().then(|| serde_json::from_slice(&got.stdout).unwrap())
    }

    /// Waits until kubectl says that a policy is everywhere.
    #[track_caller]
    pub(crate) fn propagated(&self, policy: &str) {
        let resource = format!("apol/{policy}");
        done(&self.kubectl(&["wait", "--for=condition=Propagated", "--timeout=60s", &resource], ""));
    }

    /// What a condition of the present generation says: its status, its reason, and the counts.
    pub(crate) fn condition(&self, resource: &str, kind: &str) -> Option<(String, String, String)> {
        let object = self.get(resource)?;
        let conditions = object["status"]["conditions"].as_array()?;
        let found = conditions.iter().find(|one| one["type"] == kind)?;
        let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        let gates = &object["status"]["gates"];
        let counts = format!("{}/{}/{}", gates["current"], gates["total"], gates["rejected"]);
        (found["observedGeneration"] == object["metadata"]["generation"])
            .then(|| (text("status"), text("reason"), counts))
    }

    /// Waits until a condition says this.
    #[track_caller]
    pub(crate) fn until(&self, resource: &str, kind: &str, status: &str, reason: &str, counts: &str) {
        let expected = (status.to_owned(), reason.to_owned(), counts.to_owned());
        let what = format!("{resource} {kind} {expected:?}");
        until(&what, || (self.condition(resource, kind)? == expected).then_some(()));
    }

    /// An enrolled Deployment of so many Pods, which its controllers make and which then count as running.
    pub(crate) fn deploy(&self, name: &str, pods: usize) -> Vec<Pod> {
        let deployment = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: {pods}\n  \
             selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    \
             metadata: {{labels: {{app: {name}, countersign.dev/inject: enabled}}}}\n    \
             spec: {{containers: [{{name: model, image: model}}]}}\n"
        );
        done(&self.kubectl(&["apply", "-f", "-"], &deployment));
        let workload = self.get(&format!("deployment/{name}")).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
        let found = until("made", || {
            let listed = done(&self.kubectl(&["get", "pods", "-l", &format!("app={name}"), "-o", "json"], ""));
            let listed: Value = serde_json::from_str(&listed).unwrap();
            let items = listed["items"].as_array().unwrap().clone();
            let live = items.into_iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
            let live: Vec<_> = live.collect();
            (live.len() == pods).then_some(live)
        });
        let text = |pod: &Value, field: &str| pod["metadata"][field].as_str().unwrap().to_owned();
        let pods =
            found.iter().map(|pod| Pod { name: text(pod, "name"), uid: text(pod, "uid"), workload: workload.clone() });
        let pods: Vec<_> = pods.collect();
        for pod in &pods {
            self.run(pod);
        }
        pods
    }

    /// A Pod counts as running from now on.
    pub(crate) fn run(&self, pod: &Pod) {
        let patch = r#"{"status": {"phase": "Running"}}"#;
        done(&self.kubectl(&["patch", "pod", &pod.name, "--subresource=status", "--type=merge", "-p", patch], ""));
    }

    /// A token of a Pod's account, bound to the Pod, for an audience.
    pub(crate) fn token(&self, pod: &Pod, audience: &str) -> String {
        let kind = ["create", "token", "default", "--audience", audience, "--bound-object-kind=Pod"];
        let bound = ["--bound-object-name", &pod.name, "--bound-object-uid", &pod.uid];
        // The account is made by a controller.
        let token = until("made", || {
            let output = self.kubectl(&[&kind[..], &bound].concat(), "");
            output.status.success().then(|| done(&output))
        });
        token.trim().to_owned()
    }

    /// What gates that are made now are told to trust.
    pub(crate) fn anchor(&self) -> PublicKey {
        until("made", || {
            let secret = self.get("secret/countersign-signing")?;
            let anchor = BASE64.decode(secret["data"]["anchor"].as_str()?).ok()?;
            String::from_utf8(anchor).ok()?.parse().ok()
        })
    }

    /// The version of an object: another one after every write.
    pub(crate) fn version(&self, resource: &str) -> String {
        self.get(resource).unwrap()["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
    }

    /// The sequence of what a workload was given last.
    pub(crate) fn sequence(&self, gate: &str) -> Option<u64> {
        self.get(&format!("mgate/{gate}"))?["status"]["distribution"]["sequence"].as_u64()
    }
}

/// Runs one of the operator's own verbs, and gives what it said.
pub(crate) fn administer(arguments: &[&str]) -> std::process::Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_countersign-operator"))
        .args(arguments)
        .env("KUBECONFIG", cluster().admin())
        .output()
        .unwrap()
}
