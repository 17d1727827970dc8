//! The text of a file -> documents: an object of ours each, which still knows where its fields stand.
//!
//! Knows shapes only; whether an object makes sense is for `build`.

use std::ops::Range;
use std::sync::Arc;

use super::de::{Misfit, Reader};
use super::node::{self, Node, Shape};
use super::path::{Step, steps};
use super::{Diagnostic, Location, Severity, suggest};
use crate::api::{API_VERSION, Object};

/// The kinds that are read.
const KINDS: [&str; 5] =
    ["ApprovalPolicy", "ClusterApprovalPolicy", "ApprovalChain", "ClusterApprovalChain", "ApprovalException"];
/// The fields of Kubernetes' `ObjectMeta`: ours are read, the others are let be, and anything else is a mistake.
const METADATA: [&str; 15] = [
    "name",
    "namespace",
    "labels",
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// One object, and where it came from.
#[derive(Debug, Clone)]
pub struct Document {
    /// What was written.
    pub object: Object,
    source: Option<Arc<Source>>,
}

#[derive(Debug)]
struct Source {
    file: String,
    text: Arc<str>,
    root: Node,
}

impl Document {
    /// An object that came from no file.
    #[must_use]
    pub const fn of(object: Object) -> Self {
        Self { object, source: None }
    }

    /// Where a field's value stands, `spec.rules[2].match`; the nearest field around it when it is not written.
    #[must_use]
    pub fn locate(&self, path: &str) -> Option<Location> {
        let source = self.source.as_ref()?;
        Some(Location { file: source.file.clone(), span: find(&source.root, path).span.clone() })
    }

    /// Where a stretch of a field's text stands, if the file shows the text as it is; otherwise where the field stands.
    pub(super) fn locate_within(&self, path: &str, within: Range<usize>) -> Option<Location> {
        let whole = self.locate(path)?;
        let source = self.source.as_ref()?;
        let node = find(&source.root, path);
        let shown = source.text.get(node.span.clone()).unwrap_or_default();
        let Some((text, quote)) = node.text().zip(shown.find(node.text().unwrap_or_default())) else {
            return Some(whole);
        };
        if text.contains('\n') || within.end > text.len() {
            return Some(whole);
        }
        let start = node.span.start + quote;
        Some(Location { file: whole.file, span: start + within.start..start + within.end })
    }

    /// Keys without quotes that YAML 1.1 takes for booleans.
    pub(super) fn boolean_keys(&self) -> Vec<(String, Location)> {
        let Some(source) = &self.source else { return Vec::new() };
        let mut found = Vec::new();
        let mut open = vec![&source.root];
        while let Some(node) = open.pop() {
            match &node.shape {
                Shape::List(items) => open.extend(items),
                Shape::Map(entries) => {
                    for entry in entries {
                        if !entry.key_quoted && ["on", "off", "yes", "no", "y", "n"].contains(&entry.key.as_str()) {
                            let at = Location { file: source.file.clone(), span: entry.key_span.clone() };
                            found.push((entry.key.clone(), at));
                        }
                        open.push(&entry.value);
                    }
                }
                Shape::Plain(_) | Shape::Quoted(_) => {}
            }
        }
        found
    }
}

fn find<'a>(root: &'a Node, path: &str) -> &'a Node {
    let mut at = root;
    for step in steps(path) {
        let next = match (&at.shape, step) {
            // The one field with two spellings.
            (Shape::Map(_), Step::Field("subject")) => at.get("subject").or_else(|| at.get("on")),
            (Shape::Map(_), Step::Field(name)) => at.get(name),
            (Shape::List(items), Step::Index(index)) => items.get(index),
            // One text where a list may stand counts as its only element.
            (Shape::Plain(_) | Shape::Quoted(_), Step::Index(0)) => Some(at),
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    at
}

/// Reads a file of any number of documents. All problems of shape are found, one per document.
pub fn read(file: &str, text: &str) -> Result<Vec<Document>, Vec<Diagnostic>> {
    let roots = node::parse(text).map_err(|flaw| {
        vec![Diagnostic {
            severity: Severity::Error,
            object: None,
            path: String::new(),
            message: flaw.message,
            help: flaw.help,
            at: Some(Location { file: file.to_owned(), span: flaw.span }),
        }]
    })?;
    let text: Arc<str> = text.into();
    let mut documents = Vec::new();
    let mut found = Vec::new();
    for root in roots {
        match object(&root) {
            Ok(object) => {
                let source = Source { file: file.to_owned(), text: text.clone(), root };
                documents.push(Document { object, source: Some(Arc::new(source)) });
            }
            Err(misfit) => found.push(diagnose(file, &root, misfit)),
        }
    }
    if found.is_empty() { Ok(documents) } else { Err(found) }
}

/// Reads a file of one document of another shape, with diagnostics of the same kind. For formats of the command line.
pub fn read_value<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, Box<Diagnostic>> {
    let at = |span| Some(Location { file: file.to_owned(), span });
    let plain = |message: String, help, at| {
        let path = String::new();
        Box::new(Diagnostic { severity: Severity::Error, object: None, path, message, help, at })
    };
    let roots = node::parse(text).map_err(|flaw| plain(flaw.message, flaw.help, at(flaw.span)))?;
    let [root] = roots.as_slice() else {
        return Err(plain(format!("expected one document, found {}", roots.len()), None, at(0..0)));
    };
    T::deserialize(Reader(root)).map_err(|misfit| {
        let path = misfit.path();
        let mut found = plain(misfit.message, misfit.help, at(misfit.span.unwrap_or_else(|| root.span.clone())));
        found.path = path;
        found
    })
}

fn diagnose(file: &str, root: &Node, misfit: Complaint) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        object: title(root),
        path: misfit.path,
        message: misfit.message,
        help: misfit.help,
        at: Some(Location { file: file.to_owned(), span: misfit.span }),
    }
}

/// How the object is called, as far as it can be told.
fn title(root: &Node) -> Option<String> {
    let kind = root.get("kind")?.text()?;
    let metadata = root.get("metadata")?;
    let name = metadata.get("name")?.text()?;
    Some(match metadata.get("namespace").and_then(Node::text) {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    })
}

struct Complaint {
    span: Range<usize>,
    path: String,
    message: String,
    help: Option<String>,
}

impl Complaint {
    fn new(node: &Node, path: &str, message: String, help: Option<String>) -> Self {
        Self { span: node.span.clone(), path: path.to_owned(), message, help }
    }
}

fn object(root: &Node) -> Result<Object, Complaint> {
    let Shape::Map(entries) = &root.shape else {
        let help = Some("an object begins with `apiVersion:` and `kind:`".to_owned());
        return Err(Complaint::new(root, "", "expected an object".to_owned(), help));
    };
    let version = word(root, "apiVersion")?;
    if version != API_VERSION {
        let node = root.get("apiVersion").unwrap_or(root);
        let help = Some(format!("countersign reads `{API_VERSION}`; keep other objects in other files"));
        return Err(Complaint::new(node, "apiVersion", format!("unknown apiVersion `{version}`"), help));
    }
    let kind = word(root, "kind")?;
    metadata(root)?;
    // What a controller reports about an object is no part of what people want of it.
    let rest = entries.iter().filter(|e| e.key != "kind" && e.key != "status").cloned().collect();
    let rest = Node { span: root.span.clone(), shape: Shape::Map(rest) };
    let object = match kind {
        "ApprovalPolicy" => serde::Deserialize::deserialize(Reader(&rest)).map(Object::ApprovalPolicy),
        "ClusterApprovalPolicy" => serde::Deserialize::deserialize(Reader(&rest)).map(Object::ClusterApprovalPolicy),
        "ApprovalChain" => serde::Deserialize::deserialize(Reader(&rest)).map(Object::ApprovalChain),
        "ClusterApprovalChain" => serde::Deserialize::deserialize(Reader(&rest)).map(Object::ClusterApprovalChain),
        "ApprovalException" => serde::Deserialize::deserialize(Reader(&rest)).map(Object::ApprovalException),
        _ => {
            let node = root.get("kind").unwrap_or(root);
            let help = suggest::help(kind, &KINDS);
            return Err(Complaint::new(node, "kind", format!("unknown kind `{kind}`"), help));
        }
    };
    object.map_err(|misfit: Misfit| Complaint {
        path: misfit.path(),
        span: misfit.span.unwrap_or_else(|| root.span.clone()),
        message: misfit.message,
        help: misfit.help,
    })
}

fn word<'a>(root: &'a Node, field: &str) -> Result<&'a str, Complaint> {
    let Some(node) = root.get(field) else {
        return Err(Complaint::new(root, "", format!("missing field `{field}`"), None));
    };
    node.text().ok_or_else(|| Complaint::new(node, field, "expected text".to_owned(), None))
}

fn metadata(root: &Node) -> Result<(), Complaint> {
    let Some(Shape::Map(entries)) = root.get("metadata").map(|m| &m.shape) else { return Ok(()) };
    let Some(entry) = entries.iter().find(|e| !METADATA.contains(&e.key.as_str())) else { return Ok(()) };
    Err(Complaint {
        span: entry.key_span.clone(),
        path: "metadata".to_owned(),
        message: format!("unknown field `{}`", entry.key),
        help: suggest::nearest(&entry.key, METADATA).map(|near| format!("did you mean `{near}`?")),
    })
}
