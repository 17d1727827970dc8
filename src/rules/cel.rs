//! CEL over the query's plain facts, its caller, its workload and the time; never over its text.
//!
//! The evaluator knows neither types nor a budget. So an expression is checked when the set is built (names, fields, size,
//! nesting, macros, a trial run), lists are capped, and `matches` runs patterns compiled beforehand. Anything that still
//! goes wrong, and any answer but true or false, is an error of the rule.

mod check;
mod plain;
mod read;

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
pub(super) use plain::Fact;
use plain::{Plain, Seen};

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
#[derive(Clone)]
pub(super) struct Expression {
    reading: Reading,
    reads_query: bool,
}

/// How an expression is read.
#[derive(Clone)]
enum Reading {
    /// Without the evaluator.
    Plain(Plain),
    Whole(Box<IdedExpr>),
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
        if let Some(plain) = read::read(source) {
            return Ok(Self { reads_query: plain.reads_query(), reading: Reading::Plain(plain) });
        }
        let (root, reads_query) = parsed(source, patterns)?;
        trial(&root, patterns)?;
        let reading = Plain::of(&root).map_or_else(|| Reading::Whole(Box::new(root)), Reading::Plain);
        Ok(Self { reading, reads_query })
    }

    /// Whether the answer depends on the query, not on caller, workload and time alone.
    pub(super) const fn reads_query(&self) -> bool {
        self.reads_query
    }

    /// Evaluates for a query. An error says what failed, in the words of the evaluator's own kinds, without values.
    pub(super) fn evaluate(&self, variables: &mut Variables<'_>) -> Result<bool, String> {
        let root = match &self.reading {
            Reading::Plain(plain) if variables.fits() => return Ok(plain.holds(&variables.seen)),
            Reading::Plain(_) => return Err(too_many()),
            Reading::Whole(root) => root,
        };
        match Value::resolve(root, variables.context()?) {
            Ok(Value::Bool(answer)) => Ok(answer),
            Ok(_) => Err("the expression is neither true nor false".to_owned()),
            Err(error) => Err(describe(&error)),
        }
    }

    /// A fact and the text that it must be for the expression to be true; it cannot fail then but for lists too long.
    pub(super) fn needs(&self) -> Option<(Fact, &str)> {
        match &self.reading {
            Reading::Plain(plain) => plain.needs(),
            Reading::Whole(_) => None,
        }
    }
}

fn too_many() -> String {
    format!("there are more than {LIST_MAX} tools, groups or labels")
}

/// Reads and checks an expression of the whole language, and tells whether it reads the query.
fn parsed(source: &str, patterns: &mut Patterns) -> Result<(IdedExpr, bool), String> {
    let mut root = ENV.parser().parse(source).map_err(|errors| {
        let first = errors.errors.first();
        first.map_or_else(|| "is not CEL".to_owned(), |e| format!("is not CEL: {} at {}:{}", e.msg, e.pos.0, e.pos.1))
    })?;
    let mut checker = Checker::new(patterns);
    checker.check(&mut root, 0)?;
    let reads_query = checker.reads_query();
    Ok((root, reads_query))
}

/// Runs the expression on made-up facts, to find wrong names and types where the policy is written.
fn trial(root: &IdedExpr, patterns: &Patterns) -> Result<(), String> {
    let facts = Facts {
        texts: [("operation", "chat"), ("model", "model"), ("adapter", ""), ("route", "/v1/chat/completions")],
        ..Facts::default()
    };
    let caller = Caller { user: Some("user".to_owned()), groups: vec!["group".to_owned()], rate_key: String::new() };
    let workload = Workload::default();
    let context = build(&facts, &caller, &workload, Timestamp::UNIX_EPOCH, patterns);
    match Value::resolve(root, &context) {
        Ok(Value::Bool(_)) => Ok(()),
        Ok(value) => Err(format!("gives {}, not true or false", value.type_of())),
        Err(error @ (ExecutionError::NoSuchOverload(_) | ExecutionError::UndeclaredReference(_))) => {
            Err(format!("cannot be evaluated: {}", describe(&error)))
        }
        // Others depend on the facts: an index out of bounds, a label that is not there.
        Err(_) => Ok(()),
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
    seen: Seen<'a>,
    built: Option<Result<cel::Context<'static, 'static>, String>>,
}

impl<'a> Variables<'a> {
    pub(super) fn new(query: &'a Query, context: &'a Context<'a>, patterns: &'a Patterns) -> Self {
        let (tokens, text_bytes) = (query.tokens_estimate(), query.text_bytes() as u64);
        Self { seen: Seen { query, context, patterns, tokens, text_bytes }, built: None }
    }

    /// Whether no list is longer than an expression may see.
    fn fits(&self) -> bool {
        let Seen { query, context, .. } = &self.seen;
        let lists = [query.tools.len(), context.caller.groups.len(), context.workload.labels.len()];
        lists.iter().all(|length| *length <= LIST_MAX)
    }

    /// A fact; `None` when there are lists too long for expressions to see.
    pub(super) fn fact(&self, fact: Fact) -> Option<&str> {
        self.fits().then(|| fact.read(&self.seen))
    }

    fn context(&mut self) -> Result<&cel::Context<'static, 'static>, String> {
        let fits = self.fits();
        let Seen { query, context, patterns, .. } = self.seen;
        let built = self.built.get_or_insert_with(|| {
            if !fits {
                return Err(too_many());
            }
            let facts = Facts::of(query, context);
            Ok(build(&facts, context.caller, context.workload, context.now, patterns))
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::rules::{Posture, Rates};
    use crate::wire::{self, Format, Server};

    const BODIES: [&str; 3] = [
        r#"{"messages":[]}"#,
        r#"{"model":"llama3:8b","messages":[{"role":"user","content":"hello"}],"stream":true,"n":3,"max_tokens":7}"#,
        r#"{"model":"qwen","messages":[],"tools":[{"type":"function","function":{"name":"search"}}]}"#,
    ];

    /// Each is asked both ways; all of them must be plain.
    const EXPRESSIONS: [&str; 20] = [
        "true",
        "!false || query.stream",
        "query.stream && caller.authenticated",
        "query.model == 'qwen'",
        "'qwen' != query.model",
        "query.model.startsWith('llama')",
        "query.model.endsWith(':8b') || caller.user.contains('d')",
        "query.model.contains('')",
        "query.model.matches('^llama[0-9]')",
        "'legal' in caller.groups",
        "!('legal' in caller.groups) && query.operation == 'chat'",
        "query.model in ['qwen', 'mistral']",
        "'search' in query.tools",
        "query.model in []",
        "query.tokensMax > 5",
        "query.tokensMax <= 7 && query.choices >= 3",
        "query.choices == 1 || query.textBytes < 3",
        "query.tokensEstimate != 2",
        "caller.user == '' && query.adapter == ''",
        "workload.namespace == 'models' && workload.name != query.route",
    ];

    #[test]
    fn plain_expressions_answer_as_the_evaluator_does() {
        let groups = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let callers = [
            Caller::default(),
            Caller { user: Some("ada".to_owned()), groups: groups(&["legal", "all"]), rate_key: String::new() },
            Caller { user: Some(String::new()), groups: groups(&["x"; LIST_MAX + 1]), rate_key: String::new() },
        ];
        let workload = Workload { namespace: "models".to_owned(), name: "llama".to_owned(), ..Workload::default() };
        let rates = Rates::default();
        let mut answers = [0, 0, 0];
        for source in EXPRESSIONS {
            let mut patterns = Patterns::default();
            let expression = Expression::compile(&CelExpr(source.to_owned()), &mut patterns).unwrap();
            assert!(matches!(expression.reading, Reading::Plain(_)), "{source} is plain");
            let mut patterns_again = Patterns::default();
            let (root, reads_query) = parsed(source, &mut patterns_again).unwrap();
            assert_eq!(expression.reads_query, reads_query, "{source}");
            let whole = Expression { reading: Reading::Whole(Box::new(root)), reads_query };
            for (body, caller) in BODIES.iter().flat_map(|body| callers.iter().map(move |caller| (body, caller))) {
                let query = wire::decode(Format::OpenaiChat, Bytes::from_static(body.as_bytes())).unwrap();
                let context = Context {
                    format: Format::OpenaiChat,
                    server: Server::Vllm,
                    method: "POST",
                    path: "/v1/chat/completions",
                    caller,
                    workload: &workload,
                    posture: Posture::Enforce,
                    now: Timestamp::UNIX_EPOCH,
                    rates: &rates,
                };
                let quick = expression.evaluate(&mut Variables::new(&query, &context, &patterns));
                let slow = whole.evaluate(&mut Variables::new(&query, &context, &patterns));
                assert_eq!(quick, slow, "{source} of {body} by {:?}", caller.user);
                answers[slow.map_or(2, usize::from)] += 1;
            }
        }
        assert!(answers.iter().all(|count| *count > 20), "{answers:?}");
    }

    #[test]
    fn what_can_fail_is_left_to_the_evaluator() {
        for source in [
            "workload.labels['a'] == 'b'",
            "query.tools.exists(t, t == 'x')",
            "query.tools[0] == 'x'",
            "has(workload.labels.a)",
            "now.getHours() > 3",
            "size(query.model) > 3",
        ] {
            let expression = Expression::compile(&CelExpr(source.to_owned()), &mut Patterns::default()).unwrap();
            assert!(matches!(expression.reading, Reading::Whole(_)), "{source}");
        }
    }
}
