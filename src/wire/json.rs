//! A strict reading of JSON into a flat tape: one pass, one allocation, no values built.
//!
//! # Guarantees
//! * The grammar of RFC 8259 and nothing more; no NaN, no lone surrogates, no control characters, no byte order mark,
//!   nothing after the document.
//! * No object has the same key twice, escapes resolved, so that no second parser can see something else.
//! * Depth and number of values are bounded; reading does not recurse.
//!
//! Knows nothing of queries or formats.

mod escape;
mod keys;
mod scan;

pub(in crate::wire) use escape::{Ranges, unescape};

use crate::base::limits::JSON_DEPTH_MAX;
use scan::Scanner;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) enum Kind {
    Null,
    False,
    True,
    Number,
    String,
    /// A key; the node after it is its value.
    Key,
    List,
    Object,
}

/// One value or key. Strings and keys span what is between the quotes, containers include their brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) struct Node {
    pub(in crate::wire) kind: Kind,
    /// Whether a string or key has escapes to resolve.
    pub(in crate::wire) escaped: bool,
    pub(in crate::wire) start: u32,
    pub(in crate::wire) end: u32,
    /// The node after this one and all inside it.
    pub(in crate::wire) next: u32,
}

/// Why a text is not strict JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::wire) enum Fault {
    /// The grammar.
    Syntax { at: usize, why: &'static str },
    /// The same key twice; `path` leads to the object.
    DuplicateKey { at: usize, path: Vec<Step> },
    /// Deeper than `JSON_DEPTH_MAX`.
    Depth,
    /// More values than allowed.
    Values,
}

/// One step from the document to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::wire) enum Step {
    /// A value of an object, by the span of its key as written.
    Key(std::ops::Range<usize>),
    /// An element of a list.
    Index(usize),
}

/// A document as nodes in document order, with the text it was read from.
#[derive(Debug)]
pub(in crate::wire) struct Tape<'a> {
    text: &'a str,
    nodes: Vec<Node>,
}

/// Names a node on its tape.
pub(in crate::wire) type At = u32;

impl<'a> Tape<'a> {
    /// The node of the document as a whole.
    pub(in crate::wire) const ROOT: At = 0;

    /// How many nodes there are.
    pub(in crate::wire) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// A node; past the end, an empty null.
    pub(in crate::wire) fn node(&self, at: At) -> Node {
        const NOTHING: Node = Node { kind: Kind::Null, escaped: false, start: 0, end: 0, next: u32::MAX };
        self.nodes.get(at as usize).copied().unwrap_or(NOTHING)
    }

    /// The bytes of a node as written.
    pub(in crate::wire) fn raw(&self, node: Node) -> &'a str {
        self.text.get(node.start as usize..node.end as usize).unwrap_or_default()
    }

    /// The text of a string, key or number; `scratch` holds it when escapes had to be resolved.
    pub(in crate::wire) fn resolved<'s>(&self, node: Node, scratch: &'s mut String) -> &'s str
    where
        'a: 's,
    {
        if !node.escaped {
            return self.raw(node);
        }
        scratch.clear();
        unescape(self.raw(node), scratch);
        scratch
    }

    /// The elements of a list, or the keys of an object: their nodes.
    pub(in crate::wire) fn children(&self, at: At) -> Children<'_, 'a> {
        let node = self.node(at);
        Children { tape: self, at: at + 1, end: node.next }
    }
}

/// Iterates over the elements of a list or the keys of an object.
#[derive(Debug, Clone)]
pub(in crate::wire) struct Children<'t, 'a> {
    tape: &'t Tape<'a>,
    at: At,
    end: At,
}

impl Iterator for Children<'_, '_> {
    type Item = At;

    fn next(&mut self) -> Option<At> {
        if self.at >= self.end {
            return None;
        }
        let at = self.at;
        let node = self.tape.node(at);
        self.at = if node.kind == Kind::Key { self.tape.node(at + 1).next } else { node.next };
        Some(at)
    }
}

/// Reads one document of at most `values_max` values.
pub(in crate::wire) fn read(text: &str, values_max: usize) -> Result<Tape<'_>, Fault> {
    let mut reader = Reader {
        scan: Scanner::new(text.as_bytes()),
        // Text-heavy bodies have a value every hundred bytes or so; list-heavy ones grow a few times.
        tape: Tape { text, nodes: Vec::with_capacity(text.len() / 32 + 16) },
        open: Vec::with_capacity(JSON_DEPTH_MAX),
        values_left: values_max,
    };
    reader.document()?;
    Ok(reader.tape)
}

struct Reader<'a> {
    scan: Scanner<'a>,
    tape: Tape<'a>,
    /// Containers that have not ended, outermost first.
    open: Vec<At>,
    values_left: usize,
}

/// Where the reader stands after a value or an opening bracket.
enum Expect {
    Value,
    End,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<(), Fault> {
        loop {
            if let Expect::Value = self.value()? {
                continue;
            }
            loop {
                let Some(&container) = self.open.last() else {
                    return self.scan.finish();
                };
                if let Expect::Value = self.after_value(container)? {
                    break;
                }
            }
        }
    }

    /// Reads a leaf, or the opening bracket of a container (and its first key).
    fn value(&mut self) -> Result<Expect, Fault> {
        self.values_left = self.values_left.checked_sub(1).ok_or(Fault::Values)?;
        let first = self.scan.skip_space();
        let start = self.scan.at();
        match first {
            Some(b'"') => {
                let (span, escaped) = self.scan.string()?;
                self.push(Kind::String, escaped, span);
            }
            Some(b'{') => return self.enter(Kind::Object),
            Some(b'[') => return self.enter(Kind::List),
            Some(b'-' | b'0'..=b'9') => {
                self.scan.number()?;
                self.push(Kind::Number, false, start..self.scan.at());
            }
            Some(b't') => self.word(b"true", Kind::True)?,
            Some(b'f') => self.word(b"false", Kind::False)?,
            Some(b'n') => self.word(b"null", Kind::Null)?,
            Some(_) => return Err(self.scan.fault("expected a value")),
            None => return Err(self.scan.fault("expected a value, found the end")),
        }
        Ok(Expect::End)
    }

    fn word(&mut self, word: &'static [u8], kind: Kind) -> Result<(), Fault> {
        let start = self.scan.at();
        self.scan.word(word)?;
        self.push(kind, false, start..self.scan.at());
        Ok(())
    }

    fn enter(&mut self, kind: Kind) -> Result<Expect, Fault> {
        if self.open.len() >= JSON_DEPTH_MAX {
            return Err(Fault::Depth);
        }
        let start = self.scan.at();
        self.scan.advance();
        self.open.push(self.here());
        self.push(kind, false, start..start);
        let close = if kind == Kind::Object { b'}' } else { b']' };
        if self.scan.skip_space() == Some(close) {
            self.leave()?;
            return Ok(Expect::End);
        }
        if kind == Kind::Object {
            self.key()?;
        }
        Ok(Expect::Value)
    }

    fn after_value(&mut self, container: At) -> Result<Expect, Fault> {
        let object = self.tape.node(container).kind == Kind::Object;
        match (self.scan.skip_space(), object) {
            (Some(b','), true) => {
                self.scan.advance();
                self.scan.skip_space();
                self.key()?;
                Ok(Expect::Value)
            }
            (Some(b','), false) => {
                self.scan.advance();
                Ok(Expect::Value)
            }
            (Some(b'}'), true) | (Some(b']'), false) => {
                self.leave()?;
                Ok(Expect::End)
            }
            (_, true) => Err(self.scan.fault("expected `,` or `}`")),
            (_, false) => Err(self.scan.fault("expected `,` or `]`")),
        }
    }

    fn key(&mut self) -> Result<(), Fault> {
        if self.scan.peek() != Some(b'"') {
            return Err(self.scan.fault("expected a key in double quotes"));
        }
        let (span, escaped) = self.scan.string()?;
        self.push(Kind::Key, escaped, span);
        if self.scan.skip_space() != Some(b':') {
            return Err(self.scan.fault("expected `:`"));
        }
        self.scan.advance();
        Ok(())
    }

    /// Reads a closing bracket.
    fn leave(&mut self) -> Result<(), Fault> {
        self.scan.advance();
        let next = self.here();
        let end = u32::try_from(self.scan.at()).unwrap_or(u32::MAX);
        let Some(at) = self.open.pop() else { return Ok(()) };
        if let Some(node) = self.tape.nodes.get_mut(at as usize) {
            node.next = next;
            node.end = end;
        }
        if self.tape.node(at).kind == Kind::Object
            && let Some(second) = keys::duplicate(&self.tape, at)
        {
            return Err(Fault::DuplicateKey { at: self.tape.node(second).start as usize, path: self.path(at) });
        }
        Ok(())
    }

    fn here(&self) -> At {
        u32::try_from(self.tape.nodes.len()).unwrap_or(u32::MAX)
    }

    fn push(&mut self, kind: Kind, escaped: bool, span: std::ops::Range<usize>) {
        let start = u32::try_from(span.start).unwrap_or(u32::MAX);
        let end = u32::try_from(span.end).unwrap_or(u32::MAX);
        let next = self.here().saturating_add(1);
        self.tape.nodes.push(Node { kind, escaped, start, end, next });
    }

    /// The steps from the document to `object`, which has just ended and stands in all open containers.
    fn path(&self, object: At) -> Vec<Step> {
        let inside = self.open.iter().skip(1).copied().chain([object]);
        let mut steps = Vec::new();
        for (container, child) in self.open.iter().copied().zip(inside) {
            if self.tape.node(container).kind == Kind::Object {
                let key = self.tape.node(child.saturating_sub(1));
                steps.push(Step::Key(key.start as usize..key.end as usize));
            } else {
                let open = Children { tape: &self.tape, at: container + 1, end: child };
                steps.push(Step::Index(open.count()));
            }
        }
        steps
    }
}

#[cfg(test)]
mod tests;
