//! Checks an expression before it may run: known names and functions, bounded nesting, no macro inside a macro, patterns
//! as literals.
//!
//! Knows nothing of a single query. Guarantees that what it lets through evaluates in bounded time.

use std::sync::Arc;

use cel::common::ast::operators::{self, NOT_STRICTLY_FALSE};
use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::common::types::CelInt;

use super::super::pattern;
use super::{DEPTH_MAX, MATCHES, Patterns};

/// The fields of each variable. All are always there: an absent text is empty, an absent number 0.
const FIELDS: [(&str, &[&str]); 3] = [
    (
        "query",
        &[
            "operation",
            "model",
            "adapter",
            "stream",
            "tokensEstimate",
            "textBytes",
            "tools",
            "route",
            "choices",
            "tokensMax",
            "roles",
        ],
    ),
    ("caller", &["user", "groups", "authenticated"]),
    ("workload", &["namespace", "name", "labels"]),
];
/// Variables without fields.
const PLAIN: [&str; 1] = ["now"];
/// Functions of the standard library that policies may call.
const FUNCTIONS: [&str; 27] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "type",
    "dyn",
    "duration",
    "timestamp",
    "getFullYear",
    "getMonth",
    "getDayOfYear",
    "getDayOfMonth",
    "getDate",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "min",
    "max",
    NOT_STRICTLY_FALSE,
];

/// Walks an expression: are all names known, is it small, does no macro stand in a macro.
pub(super) struct Checker<'p> {
    /// Names bound by macros.
    bound: Vec<String>,
    patterns: &'p mut Patterns,
    in_macro: bool,
    reads_query: bool,
}

impl<'p> Checker<'p> {
    pub(super) const fn new(patterns: &'p mut Patterns) -> Self {
        Self { bound: Vec::new(), patterns, in_macro: false, reads_query: false }
    }

    /// Whether `query` was named anywhere so far.
    pub(super) const fn reads_query(&self) -> bool {
        self.reads_query
    }

    /// Checks a node and everything below it.
    pub(super) fn check(&mut self, node: &mut IdedExpr, depth: usize) -> Result<(), String> {
        if depth > 2 * DEPTH_MAX {
            return Err(format!("is nested deeper than {DEPTH_MAX}; split the rule"));
        }
        if let Some(replacement) = self.precompiled(&node.expr)? {
            node.expr = replacement;
        }
        let next = depth + 1;
        match &mut node.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => {
                if let Expr::Ident(name) = &select.operand.expr {
                    self.field(name, &select.field)?;
                }
                self.check(&mut select.operand, next)
            }
            Expr::Call(call) => {
                known_function(&call.func_name)?;
                call.target.iter_mut().try_for_each(|target| self.check(target, next))?;
                call.args.iter_mut().try_for_each(|arg| self.check(arg, next))
            }
            Expr::List(list) => list.elements.iter_mut().try_for_each(|element| self.check(element, next)),
            Expr::Map(map) => map.entries.iter_mut().try_for_each(|entry| match &mut entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.check(&mut entry.key, next)?;
                    self.check(&mut entry.value, next)
                }
                EntryExpr::StructField(field) => self.check(&mut field.value, next),
            }),
            Expr::Struct(_) => Err("makes a message, which policies cannot".to_owned()),
            Expr::Comprehension(_) => self.comprehension(node, next),
        }
    }

    fn comprehension(&mut self, node: &mut IdedExpr, depth: usize) -> Result<(), String> {
        let Expr::Comprehension(comprehension) = &mut node.expr else { return Ok(()) };
        self.check(&mut comprehension.iter_range, depth)?;
        if self.in_macro {
            return Err(
                "uses a macro inside a macro, which could take too long; use `in`, or split the rule".to_owned()
            );
        }
        self.in_macro = true;
        let before = self.bound.len();
        self.bound.push(comprehension.iter_var.clone());
        self.bound.push(comprehension.accu_var.clone());
        self.bound.extend(comprehension.iter_var2.clone());
        for inner in [
            &mut comprehension.accu_init,
            &mut comprehension.loop_cond,
            &mut comprehension.loop_step,
            &mut comprehension.result,
        ] {
            self.check(inner, depth)?;
        }
        self.bound.truncate(before);
        self.in_macro = false;
        Ok(())
    }

    fn name(&mut self, name: &str) -> Result<(), String> {
        self.reads_query |= name == "query";
        let variable = FIELDS.iter().any(|(known, _)| *known == name) || PLAIN.contains(&name);
        let a_type = ["bool", "int", "uint", "double", "string", "list", "map"].contains(&name);
        if variable || a_type || name.starts_with('@') || self.bound.iter().any(|bound| bound == name) {
            return Ok(());
        }
        Err(format!("`{name}` is not known; there are `query`, `caller`, `workload` and `now`"))
    }

    fn field(&self, variable: &str, field: &str) -> Result<(), String> {
        if self.bound.iter().any(|bound| bound == variable) {
            return Ok(());
        }
        match FIELDS.iter().find(|(known, _)| *known == variable) {
            Some((_, fields)) if !fields.contains(&field) => {
                Err(format!("`{variable}.{field}` is not known; `{variable}` has {}", fields.join(", ")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// `text.matches('literal')` as a call of a pattern compiled here.
    fn precompiled(&mut self, expr: &Expr) -> Result<Option<Expr>, String> {
        let Expr::Call(call) = expr else { return Ok(None) };
        if call.func_name != "matches" {
            return Ok(None);
        }
        let mut operands: Vec<IdedExpr> = call.target.iter().map(|target| IdedExpr::clone(target)).collect();
        operands.extend(call.args.iter().cloned());
        let [text, source] = operands.as_slice() else { return Err("`matches` takes a text and a pattern".to_owned()) };
        let Expr::Literal(LiteralValue::String(literal)) = &source.expr else {
            return Err("`matches` takes its pattern as a literal, so that it can be checked beforehand".to_owned());
        };
        let compiled = pattern::for_names(literal.inner()).map_err(|why| format!("`matches`: the pattern {why}"))?;
        let number = i64::try_from(self.patterns.0.len()).unwrap_or(i64::MAX);
        Arc::make_mut(&mut self.patterns.0).push(compiled);
        let number = IdedExpr { id: source.id, expr: Expr::Literal(LiteralValue::Int(CelInt::from(number))) };
        let call = cel::common::ast::CallExpr {
            func_name: MATCHES.to_owned(),
            target: None,
            args: vec![text.clone(), number],
        };
        Ok(Some(Expr::Call(call)))
    }
}

fn known_function(name: &str) -> Result<(), String> {
    let operator =
        name.starts_with('_') || name.starts_with('@') || [operators::LOGICAL_NOT, operators::NEGATE].contains(&name);
    if operator || FUNCTIONS.contains(&name) || name == MATCHES {
        return Ok(());
    }
    Err(format!("there is no function `{name}`"))
}
