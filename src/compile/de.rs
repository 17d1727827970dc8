//! Marked nodes -> the types of `api`, with the place of whatever does not fit.
//!
//! Stricter than YAML where readers differ: text that another reader takes for a boolean or a number must stand in quotes.

use std::fmt;
use std::ops::Range;

use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use super::node::{Entry, Node, Shape};
use super::suggest;

/// Why a node is not what was wanted.
#[derive(Debug, Default)]
pub(super) struct Misfit {
    /// Where; the innermost node that complained.
    pub(super) span: Option<Range<usize>>,
    /// The steps to it, innermost first: `.name` or `[3]`.
    steps: Vec<String>,
    /// What is wrong.
    pub(super) message: String,
    /// What to do.
    pub(super) help: Option<String>,
}

impl Misfit {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn at(mut self, span: &Range<usize>) -> Self {
        self.span.get_or_insert_with(|| span.clone());
        self
    }

    fn within(mut self, step: String) -> Self {
        self.steps.push(step);
        self
    }

    /// The path of the field, from the root of the object.
    pub(super) fn path(&self) -> String {
        let path: String = self.steps.iter().rev().map(String::as_str).collect();
        path.strip_prefix('.').unwrap_or(&path).to_owned()
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format!("expected {expected}, found {}", found_name(&found)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self { help: suggest::help(variant, expected), ..Self::new(format!("unknown value `{variant}`")) }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self { help: suggest::help(field, expected), ..Self::new(format!("unknown field `{field}`")) }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("missing field `{field}`"))
    }
}

fn found_name(found: &de::Unexpected<'_>) -> &'static str {
    match found {
        de::Unexpected::Bool(_) => "a boolean",
        de::Unexpected::Unsigned(_) | de::Unexpected::Signed(_) | de::Unexpected::Float(_) => "a number",
        de::Unexpected::Str(_) | de::Unexpected::Char(_) => "text",
        de::Unexpected::Seq => "a list",
        de::Unexpected::Map => "a mapping",
        de::Unexpected::Unit | de::Unexpected::Option => "nothing",
        _ => "something else",
    }
}

/// What a text without quotes is.
enum Plain<'a> {
    Nothing,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(&'a str),
    /// Text for one reader, something else for another.
    Doubtful(&'static str),
}

fn plain(text: &str) -> Plain<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Nothing,
        "true" | "True" | "TRUE" => return Plain::Bool(true),
        "false" | "False" | "FALSE" => return Plain::Bool(false),
        _ => {}
    }
    if ["y", "n", "yes", "no", "on", "off"].contains(&text.to_ascii_lowercase().as_str()) {
        return Plain::Doubtful("a boolean");
    }
    if let Ok(number) = text.parse::<u64>() {
        let octal = text.len() > 1 && text.starts_with('0');
        return if octal || text.starts_with('+') { Plain::Doubtful("a number") } else { Plain::Unsigned(number) };
    }
    if let Ok(number) = text.parse::<i64>() {
        return Plain::Signed(number);
    }
    numeric(text)
}

/// Floats, and the spellings of numbers and times that only some readers know.
fn numeric(text: &str) -> Plain<'_> {
    let body = text.trim_start_matches(['+', '-']);
    if [".inf", ".nan"].contains(&body.to_ascii_lowercase().as_str()) {
        return Plain::Doubtful("a number");
    }
    if !body.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Plain::Text(text);
    }
    if text.parse::<f64>().is_ok_and(f64::is_finite) && body.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return text.parse().map_or(Plain::Text(text), Plain::Float);
    }
    let lower = body.to_ascii_lowercase();
    let based = ["0x", "0o", "0b"].iter().any(|p| lower.strip_prefix(p).is_some_and(|d| !d.is_empty() && hex(d)));
    let separated = lower.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'_' | b':' | b'.'))
        && lower.bytes().any(|b| b.is_ascii_digit());
    let clock = separated && lower.split(':').all(|p| !p.is_empty()) && !lower.ends_with('.') && few_dots(&lower);
    let scientific = text.parse::<f64>().is_ok();
    if based || clock || scientific { Plain::Doubtful("a number") } else { Plain::Text(text) }
}

fn few_dots(text: &str) -> bool {
    text.matches('.').count() <= 1
}

fn hex(digits: &str) -> bool {
    digits.bytes().all(|b| b.is_ascii_hexdigit() || b == b'_')
}

/// Reads one node.
pub(super) struct Reader<'a>(pub(super) &'a Node);

impl<'a> Reader<'a> {
    fn fit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.0.shape {
            Shape::Quoted(text) => visitor.visit_borrowed_str(text),
            Shape::Plain(text) => match plain(text) {
                Plain::Nothing => visitor.visit_unit(),
                Plain::Bool(value) => visitor.visit_bool(value),
                Plain::Unsigned(value) => visitor.visit_u64(value),
                Plain::Signed(value) => visitor.visit_i64(value),
                Plain::Float(value) => visitor.visit_f64(value),
                Plain::Text(text) => visitor.visit_borrowed_str(text),
                Plain::Doubtful(what) => Err(doubtful(text, what)),
            },
            Shape::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            Shape::Map(entries) => visitor.visit_map(Fields { entries, value: None }),
        }
    }

    fn unfit(&self, wanted: &str) -> Misfit {
        Misfit::new(format!("expected {wanted}, found {}", kind_of(self.0))).at(&self.0.span)
    }

    fn fit_count<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let span = &self.0.span;
        match &self.0.shape {
            Shape::Plain(text) => match plain(text) {
                Plain::Unsigned(value) => visitor.visit_u64(value).map_err(|e: Misfit| e.at(span)),
                Plain::Doubtful(_) => {
                    let help = "write it as a plain decimal number";
                    Err(Misfit::new(format!("`{text}` is not read as a number")).help(help).at(span))
                }
                Plain::Signed(_) | Plain::Float(_) => {
                    Err(Misfit::new("expected a whole number, not below zero").at(span))
                }
                Plain::Nothing | Plain::Bool(_) | Plain::Text(_) => Err(self.unfit("a whole number")),
            },
            Shape::Quoted(text) if text.parse::<u64>().is_ok() => {
                Err(self.unfit("a whole number").help("write it without quotes"))
            }
            Shape::Quoted(_) | Shape::List(_) | Shape::Map(_) => Err(self.unfit("a whole number")),
        }
    }

    /// Text is wanted: what is not text in every reader's eyes gets a hint.
    fn fit_text<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.0.shape {
            Shape::Plain(text) => match plain(text) {
                Plain::Text(text) => visitor.visit_borrowed_str(text),
                Plain::Nothing => Err(Misfit::new("expected text, found nothing")),
                Plain::Bool(_) => Err(unquoted(text, "a boolean")),
                Plain::Unsigned(_) | Plain::Signed(_) | Plain::Float(_) => Err(unquoted(text, "a number")),
                Plain::Doubtful(what) => Err(doubtful(text, what).help(format!("write it in quotes: \"{text}\""))),
            },
            Shape::Quoted(text) => visitor.visit_borrowed_str(text),
            Shape::List(_) => Err(Misfit::new("expected text, found a list")),
            Shape::Map(_) => Err(Misfit::new("expected text, found a mapping")),
        }
    }
}

fn unquoted(text: &str, what: &str) -> Misfit {
    Misfit::new(format!("expected text, found {what}")).help(format!("write it in quotes: \"{text}\""))
}

fn doubtful(text: &str, what: &str) -> Misfit {
    Misfit::new(format!("`{text}` without quotes is {what} for some readers, kubectl among them"))
        .help(format!("write it in quotes, \"{text}\", or as a plain decimal number, `true` or `false`"))
}

/// How this node is called where it does not fit.
fn kind_of(node: &Node) -> &'static str {
    match &node.shape {
        Shape::Quoted(_) => "text",
        Shape::Plain(text) => match plain(text) {
            Plain::Nothing => "nothing",
            Plain::Bool(_) => "a boolean",
            Plain::Unsigned(_) | Plain::Signed(_) | Plain::Float(_) => "a number",
            Plain::Text(_) => "text",
            Plain::Doubtful(what) => what,
        },
        Shape::List(_) => "a list",
        Shape::Map(_) => "a mapping",
    }
}

impl<'de> de::Deserializer<'de> for Reader<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let span = &self.0.span;
        self.fit(visitor).map_err(|e| e.at(span))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let span = &self.0.span;
        self.fit_text(visitor).map_err(|e| e.at(span))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.0.shape {
            Shape::Plain(text) if matches!(plain(text), Plain::Nothing) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let span = &self.0.span;
        let text = match &self.0.shape {
            Shape::Plain(text) | Shape::Quoted(text) => text.as_str(),
            Shape::List(_) => return Err(Misfit::new("expected one word, found a list").at(span)),
            Shape::Map(_) => return Err(Misfit::new("expected one word, found a mapping").at(span)),
        };
        visitor.visit_enum(text.into_deserializer()).map_err(|e: Misfit| e.at(span))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.0.shape {
            Shape::Map(_) => self.deserialize_any(visitor),
            Shape::Plain(_) | Shape::Quoted(_) | Shape::List(_) => Err(self.unfit("a mapping")),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.0.shape {
            Shape::List(_) => self.deserialize_any(visitor),
            Shape::Map(_) => Err(self.unfit("a list")),
            Shape::Plain(text) | Shape::Quoted(text) => {
                let text = text.clone();
                Err(self.unfit("a list").help(format!("write `[{text}]`")))
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.0.shape {
            Shape::Plain(text) if matches!(plain(text), Plain::Bool(_)) => self.deserialize_any(visitor),
            _ => Err(self.unfit("`true` or `false`")),
        }
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.fit_count(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.fit_count(visitor)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
        ignored_any
    }
}

struct Items<'a> {
    items: &'a [Node],
    next: usize,
}

impl<'a> de::SeqAccess<'a> for Items<'a> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        let Some(item) = self.items.get(self.next) else { return Ok(None) };
        let step = format!("[{}]", self.next);
        self.next += 1;
        seed.deserialize(Reader(item)).map(Some).map_err(|e| e.within(step))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.next.min(self.items.len()))
    }
}

struct Fields<'a> {
    entries: &'a [Entry],
    value: Option<&'a Entry>,
}

impl<'a> de::MapAccess<'a> for Fields<'a> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((entry, rest)) = self.entries.split_first() else { return Ok(None) };
        self.entries = rest;
        self.value = Some(entry);
        let key: de::value::BorrowedStrDeserializer<'a, Misfit> = de::value::BorrowedStrDeserializer::new(&entry.key);
        seed.deserialize(key).map(Some).map_err(|e| e.at(&entry.key_span))
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let Some(entry) = self.value.take() else { return Err(Misfit::new("a value before its key")) };
        let step = super::path::FieldPath::of(&entry.key);
        let dot = if step.as_str().starts_with('[') { "" } else { "." };
        seed.deserialize(Reader(&entry.value)).map_err(|e| e.within(format!("{dot}{}", step.as_str())))
    }
}
