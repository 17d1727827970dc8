//! YAML text -> trees of marked nodes. The only place that knows the YAML parser.
//!
//! Guarantees: every node knows its bytes; keys are unique; aliases are expanded within a budget; nothing recurses on
//! the shape of the input.

use std::collections::HashMap;
use std::ops::Range;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::limits::{DOCUMENTS_MAX, FILE_BYTES_MAX, NESTING_MAX, NODES_MAX};

/// A piece of YAML with its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Its bytes in the file.
    pub(super) span: Range<usize>,
    /// What it is.
    pub(super) shape: Shape,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// Text without quotes: may be a number, a boolean or nothing.
    Plain(String),
    /// Text in quotes or a block.
    Quoted(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<Entry>),
}

/// One entry of a mapping.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The key.
    pub(super) key: String,
    /// The key's bytes.
    pub(super) key_span: Range<usize>,
    /// Whether the key stands in quotes.
    pub(super) key_quoted: bool,
    /// The value.
    pub(super) value: Node,
}

/// Why a text is not YAML that we read.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Flaw {
    fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Node {
    /// The value under a key, when this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.shape {
            Shape::Map(entries) => entries.iter().find(|e| e.key == key).map(|e| &e.value),
            Shape::Plain(_) | Shape::Quoted(_) | Shape::List(_) => None,
        }
    }

    /// The text, when this is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.shape {
            Shape::Plain(text) | Shape::Quoted(text) => Some(text),
            Shape::List(_) | Shape::Map(_) => None,
        }
    }

    /// How many nodes there are, this one included.
    fn count(&self) -> usize {
        let mut open = vec![self];
        let mut count = 0;
        while let Some(node) = open.pop() {
            count += 1;
            match &node.shape {
                Shape::List(items) => open.extend(items),
                Shape::Map(entries) => open.extend(entries.iter().map(|e| &e.value)),
                Shape::Plain(_) | Shape::Quoted(_) => {}
            }
        }
        count
    }
}

/// Reads all documents of a text; empty ones are left out.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, Flaw> {
    if text.len() > FILE_BYTES_MAX {
        return Err(Flaw::new(0..0, format!("the file is longer than {FILE_BYTES_MAX} bytes"))
            .help("split it into several files"));
    }
    let mut tree = Tree::default();
    let parser = Parser::new_from_str(text);
    for next in parser {
        let (event, span) = next.map_err(|error| syntax(text, &error))?;
        tree.take(event, bytes(span))?;
    }
    Ok(tree.documents)
}

fn bytes(span: Span) -> Range<usize> {
    span.byte_range().unwrap_or(0..0)
}

fn syntax(text: &str, error: &serde_saphyr::granit_parser::ScanError) -> Flaw {
    let at = error.marker().byte_offset().unwrap_or(0).min(text.len());
    let flaw = Flaw::new(at..at, format!("not valid YAML: {}", error.kind()));
    if text.contains("{{") { flaw.help("templates are not read: render the chart first") } else { flaw }
}

/// A collection that is still open.
struct Open {
    span: Range<usize>,
    anchor: usize,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map(Vec<Entry>, Option<(String, Range<usize>, bool)>),
}

#[derive(Default)]
struct Tree {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl Tree {
    fn take(&mut self, event: Event<'_>, span: Range<usize>) -> Result<(), Flaw> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !check_tag(tag.as_deref(), &span)?;
                let text = text.into_owned();
                let shape = if plain { Shape::Plain(text) } else { Shape::Quoted(text) };
                self.close(Node { span, shape }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), &span)?;
                self.open(Open { span, anchor, kind: OpenKind::List(Vec::new()) })
            }
            Event::MappingStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), &span)?;
                self.open(Open { span, anchor, kind: OpenKind::Map(Vec::new(), None) })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&span),
            Event::Alias(id) => self.alias(id, span),
            Event::UnresolvedAlias(_) => Err(Flaw::new(span, "this alias has no anchor")),
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::Anchor(..)
            | Event::Comment(..) => Ok(()),
            _ => Err(Flaw::new(span, "not read here")),
        }
    }

    fn open(&mut self, open: Open) -> Result<(), Flaw> {
        if self.open.len() >= NESTING_MAX {
            return Err(Flaw::new(open.span, format!("nested deeper than {NESTING_MAX} levels")));
        }
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self, span: &Range<usize>) -> Result<(), Flaw> {
        let Some(Open { span: start, anchor, kind }) = self.open.pop() else {
            return Err(Flaw::new(span.clone(), "not valid YAML: a collection ends that never began"));
        };
        let shape = match kind {
            OpenKind::List(items) => Shape::List(items),
            OpenKind::Map(entries, _) => Shape::Map(entries),
        };
        self.close(Node { span: start.start..span.end.max(start.end), shape }, anchor)
    }

    fn alias(&mut self, id: usize, span: Range<usize>) -> Result<(), Flaw> {
        let Some(node) = self.anchors.get(&id) else {
            return Err(Flaw::new(span, "an alias inside its own anchor has no end"));
        };
        self.nodes += node.count();
        if self.nodes > NODES_MAX {
            return Err(Flaw::new(span, format!("aliases expand to more than {NODES_MAX} values")));
        }
        let node = Node { span, shape: node.shape.clone() };
        self.close(node, 0)
    }

    /// A whole node goes where it belongs: into the collection that is open, as its key, or as a document.
    fn close(&mut self, node: Node, anchor: usize) -> Result<(), Flaw> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(Flaw::new(node.span, format!("more than {NODES_MAX} values in one file")));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.document(node)?,
            Some(OpenKind::List(items)) => items.push(node),
            Some(OpenKind::Map(entries, pending)) => match pending.take() {
                None => *pending = Some(key(node, entries)?),
                Some((key, key_span, key_quoted)) => entries.push(Entry { key, key_span, key_quoted, value: node }),
            },
        }
        Ok(())
    }

    fn document(&mut self, node: Node) -> Result<(), Flaw> {
        if matches!(&node.shape, Shape::Plain(text) if text.is_empty() || text == "~" || text == "null") {
            return Ok(());
        }
        if self.documents.len() >= DOCUMENTS_MAX {
            return Err(Flaw::new(node.span, format!("more than {DOCUMENTS_MAX} documents in one file")));
        }
        self.documents.push(node);
        Ok(())
    }
}

fn key(node: Node, entries: &[Entry]) -> Result<(String, Range<usize>, bool), Flaw> {
    let Node { span, shape } = node;
    let (text, quoted) = match shape {
        Shape::Plain(text) => (text, false),
        Shape::Quoted(text) => (text, true),
        Shape::List(_) | Shape::Map(_) => {
            let flaw = Flaw::new(span, "a key must be text");
            return Err(flaw.help("templates such as `{{ .Values.name }}` are not read: render the chart first"));
        }
    };
    if !quoted && text == "<<" {
        return Err(Flaw::new(span, "merge keys are not read").help("write the fields out"));
    }
    if entries.iter().any(|e| e.key == text) {
        return Err(Flaw::new(span, format!("duplicate key `{text}`")).help("readers differ on which one counts"));
    }
    Ok((text, span, quoted))
}

/// Whether a tag makes a plain text a string; tags beyond YAML's own are refused.
fn check_tag(tag: Option<&Tag>, span: &Range<usize>) -> Result<bool, Flaw> {
    match tag.map(|tag| tag.core_suffix()) {
        None | Some(Some("map" | "seq")) => Ok(false),
        Some(Some("str")) => Ok(true),
        Some(_) => Err(Flaw::new(span.clone(), "tags are not read").help("remove the `!` word before the value")),
    }
}
