//! The operator as a process against the API server: started with a kubeconfig and nothing else.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;

use countersign::base::{Clock as _, SystemClock};
use serde_json::Value;

use super::{cluster, done, until};

const DENY: &str = "rules: [{name: a, match: {keywords: [merger]}, action: {type: Deny}}]";
const BAD: &str = "rules: [{name: a, match: {regex: ['(']}, action: {type: Deny}}]";
const HOLD: &str = "rules: [{name: a, match: {keywords: [merger]}, action: {type: Hold, chain: legal}}]";
const CHAIN: &str = "stages: [{name: legal, approvers: [{group: legal}]}]";

/// An operator that runs until it is dropped.
struct Operator {
    process: Child,
    admin: String,
}

impl Operator {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_countersign-operator"))
            .args(["--admin-listen", "127.0.0.1:0", "--serve-listen", "127.0.0.1:0"])
            .env("KUBECONFIG", cluster().admin())
            .process_group(cluster().group())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let admin = lines.find_map(|line| {
            let line: Value = serde_json::from_str(&line).ok()?;
            line["address"].as_str().map(str::to_owned)
        });
        // Whoever writes to a pipe that nobody reads waits for ever.
        thread::spawn(move || lines.for_each(|line| eprintln!("{line}")));
        let operator = Self { process, admin: admin.expect("it says where it serves") };
        until("ready", || operator.get("/readyz").starts_with("HTTP/1.1 200").then_some(()));
        operator
    }

    /// The answer of its health port.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.admin).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: operator\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn metric(&self, name: &str) -> f64 {
        let answer = self.get("/metrics");
        let line = answer.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        line.unwrap_or_default()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The operator that most tests share: it ends with the cluster.
fn operator() -> &'static Operator {
    static OPERATOR: LazyLock<Operator> = LazyLock::new(Operator::start);
    &OPERATOR
}

fn apply(namespace: &str, kind: &str, name: &str, spec: &str) {
    let object =
        format!("apiVersion: countersign.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n");
    done(&cluster().kubectl(&["apply", "-n", namespace, "-f", "-"], &object));
}

fn object(namespace: &str, resource: &str) -> Value {
    let text = done(&cluster().kubectl(&["get", "-n", namespace, resource, "-o", "json"], ""));
    serde_json::from_str(&text).unwrap()
}

/// Waits until the status speaks of this generation, and gives the condition.
fn accepted(namespace: &str, resource: &str, generation: i64) -> (String, String, String) {
    until("accepted or refused", || {
        let object = object(namespace, resource);
        assert!(object["metadata"]["generation"].as_i64().unwrap() >= generation);
        let conditions = object["status"]["conditions"].as_array()?.clone();
        let accepted = conditions.iter().find(|one| one["type"] == "Accepted")?;
        let text = |field: &str| accepted[field].as_str().unwrap_or_default().to_owned();
        (accepted["observedGeneration"] == generation && object["status"]["observedGeneration"] == generation)
            .then(|| (text("status"), text("reason"), text("message")))
    })
}

#[test]
fn a_policy_is_accepted_or_its_status_says_why_not() {
    operator();
    let space = cluster().namespace("accepted");
    apply(&space, "ApprovalPolicy", "p", DENY);
    done(&cluster().kubectl(&["wait", "-n", &space, "--for=condition=Accepted", "--timeout=30s", "apol/p"], ""));
    apply(&space, "ApprovalPolicy", "p", BAD);
    let (status, reason, message) = accepted(&space, "apol/p", 2);
    assert_eq!((status.as_str(), reason.as_str()), ("False", "Invalid"));
    assert!(message.starts_with("`spec.rules[0].match.regex[0]`: not a regular expression"), "{message}");
    apply(&space, "ApprovalPolicy", "p", DENY);
    assert_eq!(accepted(&space, "apol/p", 3).0, "True");
    done(&cluster().kubectl(&["wait", "-n", &space, "--for=condition=Ready", "--timeout=30s", "apol/p"], ""));
    let conditions = object(&space, "apol/p")["status"]["conditions"].as_array().unwrap().clone();
    let ready = conditions.iter().find(|one| one["type"] == "Ready").unwrap();
    assert_eq!((ready["status"].as_str(), ready["reason"].as_str()), (Some("True"), Some("NoGates")));
    assert_eq!(conditions.len(), 3, "nothing is stalled any more: {conditions:?}");
}

#[test]
fn a_policy_is_accepted_when_its_chain_comes_and_a_chain_by_itself() {
    operator();
    let space = cluster().namespace("chained");
    apply(&space, "ApprovalPolicy", "p", HOLD);
    let (status, _, message) = accepted(&space, "apol/p", 1);
    assert_eq!(status, "False");
    assert!(message.contains("there is no ApprovalChain `legal` in namespace `chained`"), "{message}");
    apply(&space, "ApprovalChain", "legal", CHAIN);
    assert_eq!(accepted(&space, "achain/legal", 1).0, "True");
    done(&cluster().kubectl(&["wait", "-n", &space, "--for=condition=Accepted", "--timeout=30s", "apol/p"], ""));
}

#[test]
fn an_exception_is_accepted_until_it_ends_and_its_status_says_so_without_news() {
    operator();
    let space = cluster().namespace("excepted");
    let except = |rules: &str, end: &str| {
        let spec = format!(
            "policy: {{kind: ApprovalPolicy, name: p}}, rules: {rules}, namespaces: [{space}], expiresAt: \"{end}\", \
             reason: a test, approver: admin"
        );
        apply(&space, "ApprovalException", "short", &spec);
    };
    except("[a]", "2099-01-01T00:00:00Z");
    assert_eq!(accepted(&space, "aex/short", 1).0, "True");
    // A slow machine may not have looked at it before it ends: then it is given more time.
    let generation = |space: &str| object(space, "aex/short")["metadata"]["generation"].as_i64().unwrap();
    let end = [2, 8, 32].into_iter().find_map(|seconds| {
        let end = (SystemClock::default().now() + jiff::SignedDuration::from_secs(seconds)).to_string();
        except("[a]", &end);
        (accepted(&space, "aex/short", generation(&space)).0 == "True").then_some(end)
    });
    let look = || Some(accepted(&space, "aex/short", generation(&space))).filter(|(status, ..)| status == "False");
    let (_, reason, message) = until("ended", look);
    assert_eq!(
        (reason.as_str(), message),
        ("Expired", format!("it ended at {}: it loosens nothing any more", end.unwrap()))
    );
    except("[a]", "2099-01-01T00:00:00Z");
    assert_eq!(accepted(&space, "aex/short", generation(&space)).0, "True");
}

#[test]
fn cluster_policies_and_chains_have_a_status_too() {
    operator();
    let space = cluster().namespace("unused");
    apply(&space, "ClusterApprovalChain", "accepted-owners", CHAIN);
    apply(&space, "ClusterApprovalPolicy", "accepted-floor", &HOLD.replace("legal", "accepted-owners"));
    assert_eq!(accepted(&space, "cachain/accepted-owners", 1).0, "True");
    until("accepted", || (accepted(&space, "capol/accepted-floor", 1).0 == "True").then_some(()));
}

#[test]
fn enrolled_workloads_are_known_and_an_operator_that_starts_changes_no_status() {
    let first = operator();
    let space = cluster().namespace("enrolled");
    let workload = |name: &str, label: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  selector: {{matchLabels: {{app: {name}}}}}\n  \
             template:\n    metadata: {{labels: {{app: {name}, countersign.dev/inject: {label}}}}}\n    \
             spec: {{containers: [{{name: model, image: model}}]}}\n"
        )
    };
    let counted = || first.metric("countersign_operator_workloads{state=\"current\"}");
    assert!(counted() < 1.0);
    done(&cluster().kubectl(&["create", "-n", &space, "-f", "-"], &workload("plain", "no-thanks")));
    done(&cluster().kubectl(&["create", "-n", &space, "-f", "-"], &workload("llama", "enabled")));
    until("known", || (counted() > 0.0).then_some(()));
    apply(&space, "ApprovalPolicy", "p", DENY);
    accepted(&space, "apol/p", 1);
    let before = object(&space, "apol/p")["metadata"]["resourceVersion"].clone();
    let second = Operator::start();
    assert!((second.metric("countersign_operator_workloads{state=\"current\"}") - 1.0).abs() < 0.1);
    assert_eq!(object(&space, "apol/p")["metadata"]["resourceVersion"], before);
    done(&cluster().kubectl(&["delete", "deployment", "-n", &space, "llama"], ""));
    until("forgotten", || (counted() < 1.0).then_some(()));
}

#[test]
fn an_operator_that_is_asked_to_stop_stops_at_once() {
    let mut operator = Operator::start();
    done(&Command::new("kill").arg(operator.process.id().to_string()).output().unwrap());
    let status = operator.process.wait().unwrap();
    assert!(status.success(), "{status}");
}
