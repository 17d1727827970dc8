//! The schemas of the resources -> schemas as API servers take them: without references, unions or recursion.
//!
//! What a structural schema cannot say is left to `compile`, and is little: a field that files may have as one text or as
//! a list is a list here, and conditions are spelled out to [`SPELLED_LEVELS`].

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Conditions nest; a structural schema does not. So many levels are spelled out, each three times the size of the one
/// before; what is nested deeper is taken as it comes, and `compile` refuses what it does not know.
const SPELLED_LEVELS: usize = 3;
/// Levels whose fields are described: what stands in the next ones has the same name and means the same.
const DESCRIBED_LEVELS: usize = 2;
/// The type that nests.
const NESTING: &str = "Match";

/// The structural schema of a type.
pub(super) fn schema<T: JsonSchema>() -> Value {
    let mut generator = SchemaGenerator::default();
    let root = generator.root_schema_for::<T>().to_value();
    let definitions = root.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
    Structure { definitions: &definitions, level: 0 }.of(&root)
}

#[derive(Clone, Copy)]
struct Structure<'a> {
    definitions: &'a Map<String, Value>,
    /// How many conditions are around.
    level: usize,
}

impl Structure<'_> {
    fn of(self, schema: &Value) -> Value {
        let Some(fields) = schema.as_object() else { return json!({}) };
        let mut out = self.base(fields);
        for (key, value) in fields {
            let value = match key.as_str() {
                "$ref" | "$defs" | "$schema" | "anyOf" | "default" | "title" => continue,
                "additionalProperties" if !value.is_object() => continue,
                "additionalProperties" | "items" => self.of(value),
                "properties" => Value::Object(each(value, |field| self.of(field))),
                "type" => one_type(value),
                // An API server knows signed numbers only; the limits say the rest.
                "format" if value.as_str().is_some_and(|format| format.starts_with("uint")) => json!("int64"),
                "description" => describe(value, &out),
                "oneOf" if words(value).is_some() => {
                    out.extend(enumerate(value));
                    continue;
                }
                _ => value.clone(),
            };
            out.insert(key.clone(), value);
        }
        if self.level > DESCRIBED_LEVELS {
            out.remove("description");
        }
        Value::Object(out)
    }

    /// What a schema builds on: the type that it refers to, or the one alternative that an API server can have.
    fn base(self, fields: &Map<String, Value>) -> Map<String, Value> {
        let base = match (fields.get("$ref").and_then(Value::as_str), fields.get("anyOf").and_then(Value::as_array)) {
            (Some(name), _) => self.named(name.rsplit('/').next().unwrap_or(name)),
            (None, Some(alternatives)) => {
                let real: Vec<_> =
                    alternatives.iter().filter(|one| one["type"] != "null").map(|o| self.of(o)).collect();
                real.iter().find(|one| one["type"] == "array").or(real.first()).cloned().unwrap_or_default()
            }
            (None, None) => Value::Null,
        };
        base.as_object().cloned().unwrap_or_default()
    }

    fn named(self, name: &str) -> Value {
        let level = self.level + usize::from(name == NESTING);
        if level > SPELLED_LEVELS {
            return json!({"type": "object", "minProperties": 1, "x-kubernetes-preserve-unknown-fields": true});
        }
        self.definitions.get(name).map_or(Value::Null, |definition| Self { level, ..self }.of(definition))
    }
}

/// A field's own description; for a closed set of words also what they mean.
fn describe(own: &Value, base: &Map<String, Value>) -> Value {
    match (own.as_str(), base.get("enum"), base.get("description").and_then(Value::as_str)) {
        (Some(own), Some(_), Some(meanings)) => json!(format!("{own}\n{meanings}")),
        _ => own.clone(),
    }
}

/// A closed set of words, described by what each means.
fn enumerate(alternatives: &Value) -> Map<String, Value> {
    let meaning = |one: &Value| Some(format!("`{}`: {}", one["const"].as_str()?, one["description"].as_str()?));
    let meanings: Vec<_> = alternatives.as_array().into_iter().flatten().filter_map(meaning).collect();
    let mut out = Map::new();
    out.insert("type".to_owned(), json!("string"));
    out.insert("enum".to_owned(), json!(words(alternatives)));
    out.insert("description".to_owned(), json!(meanings.join(" ")));
    out
}

fn each(fields: &Value, of: impl Fn(&Value) -> Value) -> Map<String, Value> {
    fields.as_object().into_iter().flatten().map(|(name, field)| (name.clone(), of(field))).collect()
}

/// The words of a closed set, if that is what these alternatives are.
fn words(alternatives: &Value) -> Option<Vec<&Value>> {
    alternatives.as_array()?.iter().map(|one| one.get("const")).collect()
}

/// Optional fields have two types for JSON Schema; here they are left out or have the one.
fn one_type(types: &Value) -> Value {
    types.as_array().and_then(|types| types.iter().find(|one| **one != "null")).unwrap_or(types).clone()
}
