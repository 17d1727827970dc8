//! CEL (first form follows).
use super::{CelExpr, Context};
use crate::query::Query;
#[derive(Debug)]
pub(super) struct Expression {}
impl Expression {
    pub(super) fn compile(_source: &CelExpr) -> Result<Self, String> {
        Err("not yet".to_owned())
    }
    pub(super) fn evaluate(&self, _variables: &mut Variables<'_>) -> Result<bool, String> {
        Err("not yet".to_owned())
    }
}
pub(super) struct Variables<'a> {
    _query: &'a Query,
}
impl<'a> Variables<'a> {
    pub(super) fn new(query: &'a Query, _context: &'a Context<'a>) -> Self {
        Self { _query: query }
    }
}
