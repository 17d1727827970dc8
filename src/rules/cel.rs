//! CEL over the query's plain facts, its caller, its workload and the time; never over its text.
//!
//! The evaluator knows neither types nor a budget. So an expression is checked when the set is built (names, fields, size,
//! nesting, macros, a trial run), lists are capped, and `matches` runs patterns compiled beforehand. Anything that still
//! goes wrong, and any answer but true or false, is an error of the rule.

mod check;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::ast::IdedExpr;
use cel::{Env, ExecutionError, Value};
use jiff::Timestamp;
use regex_automata::meta::Regex;

use super::{Caller, CelExpr, Context, Workload};
use crate::query::Query;
use check::Checker;

/// Longest source. Expressions of policies are a line or two; lists of names belong into groups.
const SOURCE_BYTES_MAX: usize = 4 << 10;
/// Deepest nesting; the evaluator recurses once per level.
const DEPTH_MAX: usize = 48;
/// Longest list of tools, groups or labels that an expression may see; with more the rule errs. A macro walks it, so this
/// bounds an evaluation to about a millisecond.
const LIST_MAX: usize = 1_000;
/// Our own function in place of `matches`, which would compile its pattern again on each call.
const MATCHES: &str = "countersign_matches";

/// Functions and types of the language, the same for all expressions.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

/// A checked expression.
pub(super) struct Expression {
    root: IdedExpr,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Expression")
    }
}

/// Patterns that expressions of one set match against names, by number.
#[derive(Debug, Default, Clone)]
pub(super) struct Patterns(Arc<Vec<Regex>>);

impl Expression {
    /// Reads and checks a source; the patterns of its `matches` go to `patterns`.
    pub(super) fn compile(source: &CelExpr, patterns: &mut Patterns) -> Result<Self, String> {
        let source = source.0.as_str();
        if source.len() > SOURCE_BYTES_MAX {
            return Err(format!("is longer than {SOURCE_BYTES_MAX} bytes; split the rule"));
        }
        if nesting(source) > DEPTH_MAX {
            return Err(format!("is nested deeper than {DEPTH_MAX}; split the rule"));
        }
        let mut root = ENV.parser().parse(source).map_err(|errors| {
            let first = errors.errors.first();
            first.map_or_else(
                || "is not CEL".to_owned(),
                |e| format!("is not CEL: {} at {}:{}", e.msg, e.pos.0, e.pos.1),
            )
        })?;
        Checker::new(patterns).check(&mut root, 0)?;
        let expression = Self { root };
        expression.trial(patterns)?;
        Ok(expression)
    }

    /// Evaluates for a query. An error says what failed, in the words of the evaluator's own kinds, without values.
    pub(super) fn evaluate(&self, variables: &mut Variables<'_>) -> Result<bool, String> {
        let context = variables.context()?;
        match Value::resolve(&self.root, context) {
            Ok(Value::Bool(answer)) => Ok(answer),
            Ok(_) => Err("the expression is neither true nor false".to_owned()),
            Err(error) => Err(describe(&error)),
        }
    }

    /// Runs the expression on made-up facts, to find wrong names and types where the policy is written.
    fn trial(&self, patterns: &Patterns) -> Result<(), String> {
        let facts = Facts {
            texts: [("operation", "chat"), ("model", "model"), ("adapter", ""), ("route", "/v1/chat/completions")],
            ..Facts::default()
        };
        let caller =
            Caller { user: Some("user".to_owned()), groups: vec!["group".to_owned()], rate_key: String::new() };
        let workload = Workload::default();
        let context = build(&facts, &caller, &workload, Timestamp::UNIX_EPOCH, patterns);
        match Value::resolve(&self.root, &context) {
            Ok(Value::Bool(_)) => Ok(()),
            Ok(value) => Err(format!("gives {}, not true or false", value.type_of())),
            Err(error @ (ExecutionError::NoSuchOverload(_) | ExecutionError::UndeclaredReference(_))) => {
                Err(format!("cannot be evaluated: {}", describe(&error)))
            }
            // Others depend on the facts: an index out of bounds, a label that is not there.
            Err(_) => Ok(()),
        }
    }
}

fn describe(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchOverload(overload) => {
            format!("`{}` does not take {}", overload.function(), overload.argument_types().join(", "))
        }
        ExecutionError::UndeclaredReference(name) => format!("`{name}` is not known"),
        ExecutionError::NoSuchKey(_) => "there is no such field or label".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "an index is out of bounds".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".to_owned(),
        ExecutionError::Overflow(..) => "a number overflows".to_owned(),
        _ => "the expression could not be evaluated".to_owned(),
    }
}

/// Deepest nesting of brackets, and most signs of one level in a row, before the parser sees it.
fn nesting(source: &str) -> usize {
    let (mut depth, mut deepest, mut prefixes) = (0usize, 0, 0usize);
    for byte in source.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        prefixes = if matches!(byte, b'!' | b'-') { prefixes + 1 } else { 0 };
        deepest = deepest.max(depth).max(prefixes);
    }
    deepest
}

/// The facts of one query, put together when the first expression asks.
pub(super) struct Variables<'a> {
    query: &'a Query,
    judged_in: &'a Context<'a>,
    patterns: &'a Patterns,
    built: Option<Result<cel::Context<'static, 'static>, String>>,
}

impl<'a> Variables<'a> {
    pub(super) const fn new(query: &'a Query, judged_in: &'a Context<'a>, patterns: &'a Patterns) -> Self {
        Self { query, judged_in, patterns, built: None }
    }

    fn context(&mut self) -> Result<&cel::Context<'static, 'static>, String> {
        let built = self.built.get_or_insert_with(|| {
            let (query, context) = (self.query, self.judged_in);
            let lists = [query.tools.len(), context.caller.groups.len(), context.workload.labels.len()];
            if lists.iter().any(|length| *length > LIST_MAX) {
                return Err(format!("there are more than {LIST_MAX} tools, groups or labels"));
            }
            let facts = Facts::of(query, context);
            Ok(build(&facts, context.caller, context.workload, context.now, self.patterns))
        });
        built.as_ref().map_err(Clone::clone)
    }
}

/// What `query` holds.
#[derive(Default)]
struct Facts<'a> {
    texts: [(&'static str, &'a str); 4],
    numbers: [(&'static str, u64); 4],
    stream: bool,
    tools: &'a [String],
    roles: Vec<&'static str>,
}

impl<'a> Facts<'a> {
    fn of(query: &'a Query, context: &'a Context<'a>) -> Self {
        let spoken = |role: &crate::query::Role| query.parts().iter().any(|part| part.role == *role);
        Self {
            texts: [
                ("operation", query.operation.name()),
                ("model", query.model.as_deref().unwrap_or_default()),
                ("adapter", query.adapter.as_deref().unwrap_or_default()),
                ("route", context.path),
            ],
            numbers: [
                ("tokensEstimate", query.tokens_estimate()),
                ("textBytes", query.text_bytes() as u64),
                ("choices", query.choices),
                ("tokensMax", query.tokens_max.unwrap_or(0)),
            ],
            stream: query.stream,
            tools: &query.tools,
            roles: crate::query::Role::ALL.iter().filter(|role| spoken(role)).map(|role| role.name()).collect(),
        }
    }
}

fn text(text: &str) -> Value {
    Value::String(Arc::new(text.to_owned()))
}

fn list<'t>(items: impl IntoIterator<Item = &'t str>) -> Value {
    Value::List(Arc::new(items.into_iter().map(text).collect()))
}

fn build(
    facts: &Facts<'_>,
    caller: &Caller,
    workload: &Workload,
    now: Timestamp,
    patterns: &Patterns,
) -> cel::Context<'static, 'static> {
    let mut context = cel::Context::with_env(Arc::clone(&ENV));
    let mut query: HashMap<&'static str, Value> = HashMap::new();
    query.extend(facts.texts.iter().map(|(name, value)| (*name, text(value))));
    query.extend(
        facts.numbers.iter().map(|(name, value)| (*name, Value::Int(i64::try_from(*value).unwrap_or(i64::MAX)))),
    );
    query.insert("stream", Value::Bool(facts.stream));
    query.insert("tools", list(facts.tools.iter().map(String::as_str)));
    query.insert("roles", list(facts.roles.iter().copied()));
    context.add_variable_from_value("query", query);
    let caller: HashMap<&'static str, Value> = HashMap::from([
        ("user", text(caller.user.as_deref().unwrap_or_default())),
        ("groups", list(caller.groups.iter().map(String::as_str))),
        ("authenticated", Value::Bool(caller.user.is_some())),
    ]);
    context.add_variable_from_value("caller", caller);
    let labels: HashMap<String, Value> =
        workload.labels.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    let workload: HashMap<&'static str, Value> = HashMap::from([
        ("namespace", text(&workload.namespace)),
        ("name", text(&workload.name)),
        ("labels", Value::from(labels)),
    ]);
    context.add_variable_from_value("workload", workload);
    let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
    if let Some(now) = chrono::DateTime::from_timestamp(now.as_second(), nanos) {
        context.add_variable_from_value("now", Value::Timestamp(now.fixed_offset()));
    }
    let patterns = patterns.clone();
    let matches = move |text: Arc<String>, number: i64| -> Result<bool, ExecutionError> {
        let pattern = usize::try_from(number).ok().and_then(|number| patterns.0.get(number));
        let pattern = pattern.ok_or_else(|| ExecutionError::function_error("matches", "unknown pattern"))?;
        Ok(pattern.is_match(text.as_str()))
    };
    // The name is ours alone; were it not, each call would be an error of its rule.
    let _ = context.add_function(MATCHES, matches);
    context
}
