//! `countersign request`: asks people about a query before it is run.
//!
//! The query is judged as a gate would judge it, by the same policies; where they hold it, a hold is opened that the very
//! same query joins when it comes. Guarantees that nothing is opened for a query that needs nobody, or that is refused.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::json;

use super::console::Tone;
use super::data_dir::DataDir;
use super::decide::ask_system;
use super::desk::{Desk, explained};
use super::question::Question;
use super::trial::Answer;
use super::{Console, Exit, Output};
use crate::approvals::{
    Ahead, Ask, CLAIM_WINDOW, Chain, Hold, Lines, Phase, Requester, excerpt, join_key, reasons, visible,
};
use crate::base::{Clock, Digest, HoldId, QueryId, SystemClock};
use crate::compile::{Compilation, duration, show_duration};
use crate::rules::{Caller, Held, Judgement, Rates, Ruling, Workload};
use crate::standalone::approval_request;

/// Ask for approval of a query ahead of time: the same query, byte by byte, by the same user is then answered without
/// waiting, once.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    question: Question,
    #[command(flatten)]
    data: DataDir,
    /// How long the approval may be used once it is given; at most `validForMax` of every chain that is asked (1h), which
    /// it is when left out.
    #[arg(long, value_name = "DURATION", value_parser = valid)]
    valid_for: Option<Duration>,
    /// How to write what was opened.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

fn valid(text: &str) -> Result<Duration, String> {
    duration(text).map_err(|flaw| flaw.to_string())
}

pub(super) fn run(arguments: &Arguments, console: &mut Console) -> anyhow::Result<Exit> {
    let by = ask_system("-un")?.trim().to_owned();
    request(arguments, by, Arc::new(SystemClock::default()), console)
}

fn request(arguments: &Arguments, by: String, clock: Arc<dyn Clock>, console: &mut Console) -> anyhow::Result<Exit> {
    let question = &arguments.question;
    if question.user.is_none() {
        bail!("say who will ask, with --user NAME: an approval is for one identity, and anonymous callers have none");
    }
    let (workload, caller, rates) = (question.workload(), question.caller(), Rates::default());
    let Some(compilation) = question.compile(&workload, console)? else { return Ok(Exit::Unusable) };
    let trial = question.trial((&caller, &workload, &rates), clock.now())?;
    if trial.body.ends_with(b"\n") {
        console.note(
            "the query ends with a line break, which counts: clients seldom send one (`printf %s` writes none)",
        )?;
    }
    let judgement = match trial.judge(&compilation) {
        Answer::Judged { judgement, .. } => judgement,
        Answer::Passed => return unneeded("Passed", arguments.output, console),
        Answer::Refused { code, why } => return refused(code, &why, console),
    };
    let held = match &judgement.ruling {
        Ruling::Clear(_) => return unneeded(&format!("{:?}", judgement.verdict), arguments.output, console),
        Ruling::Deny(denial) => return refused(denial.code.name(), &denial.message, console),
        Ruling::Hold(held) => held,
    };
    let chains = chains(held, &compilation)?;
    let ahead = Ahead { by, valid_for: valid_for(arguments.valid_for, &chains)? };
    let ask = Asked { judgement: &judgement, held, caller: &caller, workload: &workload, chains, ahead };
    let ask = ask.ask(format!("{} {}", question.route.method, question.route.path), clock.as_ref());
    let desk = Desk::open(&arguments.data, clock)?;
    let id = ask.id;
    let hold = desk.wait(desk.store.request(ask)).map_err(explained)?;
    told(&hold, id, arguments.output, console)
}

struct Asked<'a> {
    judgement: &'a Judgement,
    held: &'a Held,
    caller: &'a Caller,
    workload: &'a Workload,
    chains: Vec<Chain>,
    ahead: Ahead,
}

impl Asked<'_> {
    fn ask(self, route: String, clock: &dyn Clock) -> Ask {
        let now = clock.now();
        let (id, query) = (HoldId::fresh(now), self.held.query());
        let shown = excerpt(query, &self.judgement.findings, self.judgement.retention);
        Ask {
            id,
            query: QueryId::fresh(now),
            join: join_key(self.caller.user.as_deref(), &route, Digest::of(query.body()), id),
            digest: self.held.digest(),
            revision: self.held.revision(),
            requester: Requester { user: self.caller.user.clone(), groups: self.caller.groups.clone() },
            namespace: self.workload.namespace.clone(),
            route,
            model: query.model.clone(),
            chains: self.chains,
            reasons: reasons(&self.judgement.findings),
            excerpt: shown.text,
            unseen: shown.unseen,
            similar: self.held.similar(),
            opened_at: now,
            ahead: Some(self.ahead),
            callback: None,
        }
    }
}

fn chains(held: &Held, compilation: &Compilation) -> anyhow::Result<Vec<Chain>> {
    let find = |name| compilation.chains.get(name).cloned().with_context(|| format!("chain `{name}` does not exist"));
    held.chains().iter().map(find).collect()
}

/// What was asked for, within what every chain allows.
fn valid_for(asked: Option<Duration>, chains: &[Chain]) -> anyhow::Result<Duration> {
    let most = chains.iter().min_by_key(|chain| chain.valid_for_max).context("the query names no chain")?;
    let asked = asked.unwrap_or(most.valid_for_max);
    anyhow::ensure!(
        asked <= most.valid_for_max,
        "--valid-for {}: chain `{}` allows {} at most (`validForMax`)",
        show_duration(asked),
        most.name,
        show_duration(most.valid_for_max)
    );
    Ok(asked)
}

fn unneeded(verdict: &str, output: Output, console: &mut Console) -> anyhow::Result<Exit> {
    match output {
        Output::Json => console.json(&json!({"needed": false, "verdict": verdict}))?,
        Output::Table => console.line(format!("no approval is needed: the verdict is {verdict}"))?,
    }
    Ok(Exit::Done)
}

fn refused(code: &str, why: &str, console: &mut Console) -> anyhow::Result<Exit> {
    let why = visible(why, Lines::Escape);
    console
        .note(format!("{} no approval would help, the query is refused ({code}): {why}", Tone::Bad.paint("error:")))?;
    Ok(Exit::Findings)
}

fn told(hold: &Hold, opened: HoldId, output: Output, console: &mut Console) -> anyhow::Result<Exit> {
    let request = approval_request(hold);
    let joined = hold.id() != opened;
    if joined {
        let valid = hold.ask().ahead.as_ref().map_or(CLAIM_WINDOW, |ahead| ahead.valid_for);
        let valid = show_duration(valid);
        console.note(format!("this query is held already; that approval may be used for {valid} once it is given"))?;
    }
    match output {
        Output::Json => console.json(&request)?,
        Output::Table => {
            let (id, phase, message) = (&request.metadata.name, hold.phase().name(), &request.status.message);
            console.line(format!("{id}  {phase}: {message}"))?;
            if let (Some(ahead), false) = (&hold.ask().ahead, joined) {
                let user = visible(hold.ask().requester.user.as_deref().unwrap_or_default(), Lines::Escape);
                let valid = show_duration(ahead.valid_for);
                console.note(format!(
                    "once it is approved, the same bytes sent by `{user}` within {valid} are answered without waiting, once"
                ))?;
            }
        }
    }
    Ok(if matches!(hold.phase(), Phase::Pending | Phase::Approved) { Exit::Done } else { Exit::Findings })
}
