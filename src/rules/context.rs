//! What a query is judged in: who asks, what is asked, when, and whether the gate interferes.
//!
//! Plain values, borrowed for one judgement. Knows nothing of HTTP: the gate fills them in.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Rates;
use crate::wire::{Format, Server};

/// Who asks; `caller` in CEL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The user; `None` when anonymous.
    pub user: Option<String>,
    /// The user's groups.
    pub groups: Vec<String>,
    /// What rates are counted by: the user, or the address of an anonymous caller.
    pub rate_key: String,
}

/// What is asked; `workload` in CEL, and what selectors match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workload {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// Whether the gate interferes at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Posture {
    /// It does.
    #[default]
    Enforce,
    /// It records what it would have done.
    Observe,
}

/// What a query is judged in.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The query's format, to read it again after a redaction.
    pub format: Format,
    /// The model server.
    pub server: Server,
    /// `POST`.
    pub method: &'a str,
    /// The path as routed.
    pub path: &'a str,
    /// Who asks.
    pub caller: &'a Caller,
    /// What is asked.
    pub workload: &'a Workload,
    /// Whether to interfere.
    pub posture: Posture,
    /// The time.
    pub now: Timestamp,
    /// The counters.
    pub rates: &'a Rates,
}
