//! One review: an object that somebody wants to store -> whether it may be, why not, and what is odd about it. Pure.
//!
//! Guarantees that what is refused is exactly what `compile` refuses of an object by itself. What depends on other objects, which
//! may come in any order, is a warning at most: the object's own status says it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::policy::{Action, ActionKind, ApprovalPolicy};
use crate::api::{API_VERSION, Object};
use crate::compile::{self, Diagnostic, Document, Severity};

/// Most problems that are told: more than anybody mends at a time.
const PROBLEMS_MAX: usize = 20;
/// Most warnings, and the longest in characters: an API server cuts off what is more.
const WARNINGS_MAX: usize = 10;
const WARNING_CHARS_MAX: usize = 250;

/// A chain's namespace, `None` for the cluster's, and its name.
pub(in super::super) type ChainName = (Option<String>, String);

/// What is said of an object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Opinion {
    /// What is wrong: it is refused, if there is anything.
    pub(super) wrong: Vec<Diagnostic>,
    /// What is odd.
    pub(super) warnings: Vec<String>,
}

/// The answer to a review as an API server sends it; `None` where that is none.
pub(super) fn answer(review: &Value, chains: Option<&BTreeSet<ChainName>>) -> Option<(Value, Opinion)> {
    let request = review.get("request")?;
    let uid = request.get("uid")?.as_str()?;
    let opinion = if is_of_concern(request) { judge(request, chains) } else { Opinion::default() };
    let mut response = json!({"uid": uid, "allowed": opinion.wrong.is_empty()});
    if !opinion.wrong.is_empty() {
        response["status"] = refusal(request, &opinion.wrong);
    }
    if !opinion.warnings.is_empty() {
        response["warnings"] = json!(opinion.warnings);
    }
    let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    Some((answer, opinion))
}

/// What is on its way out, and what does not change what is wanted, is stored whatever it says: finalizers, labels and the
/// garbage collector must not be kept from an object because of what was stored before.
fn is_of_concern(request: &Value) -> bool {
    let object = &request["object"];
    let changes = request["operation"] == "CREATE" || object["spec"] != request["oldObject"]["spec"];
    object.is_object() && object["metadata"]["deletionTimestamp"].is_null() && changes
}

fn judge(request: &Value, chains: Option<&BTreeSet<ChainName>>) -> Opinion {
    let text = written(request);
    let mut documents = match compile::read("object", &text) {
        Ok(documents) => documents,
        Err(wrong) => return Opinion { wrong, warnings: Vec::new() },
    };
    let Some(object) = documents.first().map(|document| document.object.clone()) else { return Opinion::default() };
    let named = named_chains(&object);
    let stand_ins: BTreeSet<_> = named.iter().map(|(_, name)| name.clone()).collect();
    documents.extend(stand_ins.iter().filter_map(stand_in));
    let (wrong, odd) = match compile::check(&documents) {
        Ok(compilation) => (Vec::new(), compilation.warnings),
        Err(found) => found.into_iter().partition(|one| one.severity == Severity::Error),
    };
    // That nobody names a chain is no news of a chain that comes before its policies, nor is it one that no policy was given here
    // with an exception.
    let alone = match object {
        Object::ApprovalChain(_) | Object::ClusterApprovalChain(_) => Some("metadata.name"),
        Object::ApprovalException(_) => Some("spec.policy.name"),
        Object::ApprovalPolicy(_) | Object::ClusterApprovalPolicy(_) => None,
    };
    let odd = odd.into_iter().filter(|one| alone != Some(one.path.as_str())).map(own);
    let missing = named.into_iter().filter(|(_, name)| chains.is_some_and(|chains| !chains.contains(name)));
    let warnings = odd.map(|one| one.to_string()).chain(missing.map(|(path, name)| not_there(&path, &name)));
    Opinion { wrong, warnings: warnings.take(WARNINGS_MAX).map(|text| header(&text)).collect() }
}

/// Warnings travel in a header: what may not stand there would take the whole of it along.
fn header(text: &str) -> String {
    text.chars().take(WARNING_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The object as text, as the ledger keeps it.
fn written(request: &Value) -> String {
    let object = &request["object"];
    // A name that the API server is to make up may not be there yet.
    let mut names = [&object["metadata"]["name"], &request["name"]].into_iter().filter_map(Value::as_str);
    let name = names.find(|name| !name.is_empty()).unwrap_or("unnamed");
    let namespace = request["namespace"].as_str().filter(|namespace| !namespace.is_empty());
    let mut text = object.clone();
    if let Some(fields) = text.as_object_mut() {
        fields.remove("status");
        fields.insert("apiVersion".to_owned(), json!(API_VERSION));
        fields.insert("kind".to_owned(), request["kind"]["kind"].clone());
        fields.insert("metadata".to_owned(), json!({"name": name, "namespace": namespace}));
    }
    text.to_string()
}

/// The chains that a policy names, and where.
fn named_chains(object: &Object) -> Vec<(String, ChainName)> {
    let (Object::ApprovalPolicy(policy) | Object::ClusterApprovalPolicy(policy)) = object else { return Vec::new() };
    let namespace = policy.metadata.namespace.clone();
    let named = |(path, action): (String, &Action)| {
        let name = action.chain.clone().filter(|_| action.kind == ActionKind::Hold)?;
        Some((path, (namespace.clone(), name)))
    };
    actions(policy).filter_map(named).collect()
}

fn actions(policy: &ApprovalPolicy) -> impl Iterator<Item = (String, &Action)> {
    let rules = policy.spec.rules.iter().enumerate();
    let rules = rules.map(|(i, rule)| (format!("spec.rules[{i}].action.chain"), &rule.action));
    let coverage = policy.spec.coverage.iter().enumerate();
    rules.chain(coverage.map(|(i, entry)| (format!("spec.coverage[{i}].action.chain"), &entry.action)))
}

/// A chain of that name, so that only what the object says by itself is judged; `None` where no chain can have that name.
fn stand_in((namespace, name): &ChainName) -> Option<Document> {
    let kind = if namespace.is_none() { "ClusterApprovalChain" } else { "ApprovalChain" };
    let chain = json!({
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"stages": [{"name": "any", "approvers": [{"user": "anybody"}]}]},
    });
    let documents = compile::read("chain", &chain.to_string()).ok()?;
    compile::check(&documents).ok()?;
    documents.into_iter().next()
}

fn not_there(path: &str, (namespace, name): &ChainName) -> String {
    match namespace {
        Some(namespace) => {
            format!(
                "`{path}`: there is no ApprovalChain `{name}` in namespace `{namespace}` yet: nothing is in force until there is"
            )
        }
        None => format!("`{path}`: there is no ClusterApprovalChain `{name}` yet: nothing is in force until there is"),
    }
}

/// Whoever applies an object knows which.
fn own(found: Diagnostic) -> Diagnostic {
    Diagnostic { object: None, ..found }
}

/// A `Status` of Kubernetes, as it gives one for what its own schema refuses.
fn refusal(request: &Value, wrong: &[Diagnostic]) -> Value {
    let told: Vec<_> = wrong.iter().take(PROBLEMS_MAX).cloned().map(own).collect();
    let causes = told.iter().map(|one| {
        let message = Diagnostic { path: String::new(), ..one.clone() }.to_string();
        json!({"reason": "FieldValueInvalid", "field": one.path, "message": message})
    });
    let causes: Vec<_> = causes.collect();
    let mut message: Vec<_> = told.iter().map(ToString::to_string).collect();
    if wrong.len() > PROBLEMS_MAX {
        message.push(format!("and {} more", wrong.len() - PROBLEMS_MAX));
    }
    json!({
        "status": "Failure",
        "code": 422,
        "reason": "Invalid",
        "message": message.join("; "),
        "details": {
            "group": "countersign.dev",
            "kind": request["kind"]["kind"],
            "name": request["object"]["metadata"]["name"],
            "causes": causes,
        },
    })
}
