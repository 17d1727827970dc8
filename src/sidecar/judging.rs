//! Where a query is judged: on the serving thread, or beside it when it is large.
//!
//! Judging is bounded, but the bound grows with the text: megabytes of digits take seconds, and every other client of the
//! gate would wait for them. Guarantees that what is judged beside is judged by the same rule set, and that a judge that
//! breaks down refuses.

use std::sync::Arc;

use super::accept::Shared;
use super::rulebook::InForce;
use super::visit::Visit;
use crate::query::Query;
use crate::rules::{self, Caller, Context, Denial, DenialCode, Judgement};
use crate::wire::Format;

/// Bodies from this size on are judged beside: below, handing over costs as much as it saves.
pub(super) const BESIDE_BYTES_MIN: usize = 64 << 10;

/// Most queries judged beside at once. Each holds a multiple of its text, and the cores are for all queries.
pub(super) const BESIDE_MAX: usize = 2;

/// Asks the engine.
pub(super) async fn judge(
    visit: &Visit,
    in_force: &Arc<InForce>,
    format: Format,
    query: Query,
) -> Result<Judgement, Denial> {
    let (method, path) = (visit.head.method.as_str(), visit.head.uri.path());
    if query.body().len() < BESIDE_BYTES_MIN {
        return Ok(decide(&visit.shared, in_force, &visit.caller, (format, method, path), query));
    }
    // The semaphore is never closed; were it, the query would be judged all the same.
    let turn = Arc::clone(&visit.shared.judging).acquire_owned().await.ok();
    let (shared, in_force) = (Arc::clone(&visit.shared), Arc::clone(in_force));
    let (caller, method, path) = (visit.caller.clone(), method.to_owned(), path.to_owned());
    let beside = tokio::task::spawn_blocking(move || {
        let judgement = decide(&shared, &in_force, &caller, (format, &method, &path), query);
        drop(turn);
        judgement
    });
    beside.await.map_err(|_| Denial {
        code: DenialCode::JudgingFailed,
        message: "the query could not be judged".to_owned(),
        policy: None,
        rule: None,
    })
}

fn decide(
    shared: &Shared,
    in_force: &InForce,
    caller: &Caller,
    (format, method, path): (Format, &str, &str),
    query: Query,
) -> Judgement {
    let settings = &shared.settings;
    let context = Context {
        format,
        server: settings.server,
        method,
        path,
        caller,
        workload: in_force.workload(&settings.workload),
        posture: settings.posture,
        now: shared.ports.clock.now(),
        rates: &shared.rates,
    };
    rules::judge(&in_force.rules, query, &context)
}
