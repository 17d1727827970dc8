//! What an API server takes and what `compile` takes are the same, for every policy file of the tests, of `config/` and of
//! the documentation, as far as a schema can say it. Where they differ, the difference is listed here with its reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use countersign::compile;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::{cluster, root};

/// Files that an API server takes and `compile` does not: what no schema can say. The webhook refuses them, and when it is
/// away the object's own status says why it is not in force.
const TAKEN_BY_THE_SERVER: &[(&str, &str)] = &[
    ("action-chain-of-another-namespace", CHAIN),
    ("action-cluster-policy-namespaced-chain", CHAIN),
    ("action-namespaced-policy-cluster-chain", CHAIN),
    ("action-unknown-chain", CHAIN),
    ("build-cel-syntax", TEXT),
    ("build-cel-unknown", TEXT),
    ("build-regex-too-large", TEXT),
    ("exception-twice", TWICE),
    ("exception-with-namespace", "the namespace is that of the request, for every kind"),
    ("chain-approver-twice", "comparing all approvers with each other costs more than CEL may"),
    ("chain-quorum-unreachable", "counting people costs more than CEL may"),
    ("chain-twice", TWICE),
    ("match-rate-window", "durations within conditions are too many for CEL"),
    ("match-regex-unclosed", TEXT),
    ("match-too-deep", "conditions are spelled out to the third level; deeper ones are left to `compile`"),
    ("match-unknown-detector", TEXT),
    ("name-cluster-with-namespace", "the namespace is that of the request, for every kind"),
    ("name-namespace", "the namespace is that of the request, for every kind"),
    ("name-policy-twice", TWICE),
    ("rule-redact-none-of", "conditions are too many for CEL"),
    ("rule-redact-size", "conditions are too many for CEL"),
    ("shape-doubtful-number", "`1e6` is a number to an API server; `compile` never sees it in what is stored"),
    ("yaml-tag", "tags are lost before an API server validates; `compile` never sees one in what is stored"),
];
const CHAIN: &str = "a schema sees one object only, and chains may come later";
const TEXT: &str = "what it means is not for a schema: an expression, a pattern, a detector's name";
const TWICE: &str = "an API server has one object of a name: the second is a change of the first";

/// Files that `compile` takes and an API server does not.
const TAKEN_BY_COMPILE: &[(&str, &str)] = &[
    ("actions", ONE_TEXT),
    ("everything", OPTIONS),
    ("good-full", OPTIONS),
    ("keywords", OPTIONS),
    ("nested", ONE_TEXT),
    ("nesting", ONE_TEXT),
    ("regexes", ONE_TEXT),
    ("rule-on-key", "`on` is a boolean to other readers of YAML: files may have it, and are warned"),
];
const ONE_TEXT: &str =
    "files may have one pattern without a list around it; a structural schema has one type per field";
const OPTIONS: &str =
    "files may have keywords with options; a structural schema has one type per field: see `substrings`";

/// What an API server says of every object of a file, on its own: nothing where it takes it.
async fn refusals(client: &Client, namespace: &str, text: &str) -> Vec<String> {
    let mut refusals = Vec::new();
    for document in text
        .split("\n---\n")
        .filter(|document| document.lines().any(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty()))
    {
        let (plural, scoped) = match kind(document) {
            "ApprovalPolicy" => ("approvalpolicies", true),
            "ApprovalChain" => ("approvalchains", true),
            "ClusterApprovalChain" => ("clusterapprovalchains", false),
            "ApprovalException" => ("approvalexceptions", false),
            // What is of no kind of ours is refused for it.
            _ => ("clusterapprovalpolicies", false),
        };
        let scope = if scoped { format!("namespaces/{namespace}/") } else { String::new() };
        let uri = format!("/apis/countersign.dev/v1alpha1/{scope}{plural}?dryRun=All&fieldValidation=Strict");
        let request = http::Request::post(uri).header("content-type", "application/yaml");
        // Whoever creates an exception is its approver.
        let document =
            document.replace("approver: alice", "approver: admin").replace("approver: bob", "approver: admin");
        let request = request.body(document.into_bytes()).unwrap();
        if let Err(refusal) = client.request_text(request).await {
            refusals.push(refusal.to_string());
        }
    }
    refusals
}

fn kind(document: &str) -> &str {
    document.lines().find_map(|line| line.strip_prefix("kind:")).map_or("", |kind| kind.trim().trim_matches('"'))
}

async fn client() -> Client {
    let config = Kubeconfig::read_from(cluster().admin()).unwrap();
    let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// Every policy file there is: its name and its text.
fn files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for folder in [
        "tests/corpus/lint",
        "tests/corpus/rules/policies",
        "tests/corpus/accept-policies",
        "config/samples",
        "config/samples/cluster",
    ] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                assert!(files.insert(name, fs::read_to_string(&path).unwrap()).is_none(), "{}", path.display());
            }
        }
    }
    let documents = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    for document in documents.chain([root().join("README.md")]) {
        files.extend(examples(&document));
    }
    files
}

/// The policies of a document.
fn examples(document: &Path) -> Vec<(String, String)> {
    let name = document.file_name().unwrap().to_str().unwrap();
    let text = fs::read_to_string(document).unwrap();
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let policies = blocks.filter(|block| block.starts_with("apiVersion: countersign.dev"));
    policies.enumerate().map(|(i, block)| (format!("{name} {i}"), block.to_owned())).collect()
}

/// A namespace may be named in the file; an API server wants the one of the request.
fn without_namespace(text: &str) -> String {
    let plain = text.lines().map(|line| {
        let Some(at) = line.find(", namespace: ").filter(|_| line.starts_with("metadata:")) else {
            return line.to_owned();
        };
        let rest = &line[at + 2..];
        let end = rest.find([',', '}']).unwrap_or(rest.len());
        format!("{}{}", &line[..at], &rest[end..])
    });
    plain.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn an_api_server_takes_what_compile_takes() {
    let client = client().await;
    let namespace = cluster().namespace("agreement");
    let files = files();
    for (listed, why) in TAKEN_BY_THE_SERVER.iter().chain(TAKEN_BY_COMPILE) {
        assert!(files.contains_key(*listed), "no file `{listed}` ({why})");
    }
    let mut wrong = Vec::new();
    for (name, text) in files {
        let ours = compile::read(&name, &text).and_then(|documents| compile::check(&documents)).err();
        let theirs = refusals(&client, &namespace, &without_namespace(&text)).await;
        let listed = |list: &[(&str, &str)]| list.iter().any(|(file, _)| *file == name);
        let expected = (listed(TAKEN_BY_THE_SERVER), listed(TAKEN_BY_COMPILE));
        let found = (ours.is_some() && theirs.is_empty(), ours.is_none() && !theirs.is_empty());
        if expected != found {
            let ours = ours.into_iter().flatten().map(|found| found.to_string()).collect::<Vec<_>>();
            wrong.push(format!("{name}\n  compile: {ours:?}\n  API server: {theirs:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ from what is listed:\n{}", wrong.len(), wrong.join("\n"));
}
