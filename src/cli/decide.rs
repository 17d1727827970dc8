//! What `countersign approve` and `countersign deny` share, and all of `deny`: one person's decision about held queries.
//!
//! The person is the operating system's user or whoever `--as` names; the record says that nobody authenticated it.
//! Guarantees that either every id given is one hold, or nothing is decided.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::console::Tone;
use super::data_dir::DataDir;
use super::desk::{Desk, explained};
use super::{Console, Exit};
use crate::approvals::{Ballot, Decision, Hold, Lasting, Lines, Person, Phase, Standing, visible};
use crate::base::{Clock, Digest, HoldId, SystemClock};
use crate::compile::duration;
use crate::standalone::{StoreFailure, approval_request};

/// What the record says of how a person was authenticated here.
const NOBODY: &str = "nobody";

/// Decide about held queries.
#[derive(Debug, clap::Args)]
pub(super) struct DecisionArguments {
    #[command(flatten)]
    pub(super) data: DataDir,
    /// The holds' ids, or enough of their starts.
    #[arg(required = true, value_name = "ID")]
    pub(super) ids: Vec<String>,
    /// Why; kept with the decision. Asked for on a terminal when left out.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Who decides, when it is not the user of this session. Nobody checks it, and the record says so.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// A group of that person; may be given several times. Without --as, the session's own groups count too.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// The digest that `approvals show` printed as `View`: refuses if that is not what is held.
    #[arg(long, value_name = "DIGEST")]
    pub(super) view: Option<Digest>,
}

/// Deny held queries.
#[derive(Debug, clap::Args)]
pub(super) struct DenyArguments {
    #[command(flatten)]
    decision: DecisionArguments,
    /// Refuse later queries like it at once for so long, without asking anybody: 1h. Of nobody in particular: all that the
    /// same rules hold for the same words. Everybody who denies must say so.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    mute: Option<Duration>,
}

/// Enters a denial.
pub(super) fn deny(arguments: &DenyArguments, console: &mut Console) -> anyhow::Result<Exit> {
    let by = person(&arguments.decision)?;
    deny_as(&arguments.decision, arguments.mute, by, Arc::new(SystemClock::default()), console)
}

/// A denial needs no view: whoever has seen enough to object has seen enough.
fn deny_as(
    arguments: &DecisionArguments,
    mute: Option<Duration>,
    by: Person,
    clock: Arc<dyn Clock>,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let (desk, ids) = at_desk(arguments, clock)?;
    let reason = reason(arguments, console)?;
    let lasting = mute.map(|lasts| Lasting { lasts, uses: None });
    let ballot = Ballot { by, decision: Decision::Deny, reason, view: arguments.view, lasting };
    let mut exit = Exit::Done;
    for id in ids {
        exit = exit.worse(cast(&desk, id, ballot.clone(), console)?);
    }
    signed(&ballot.by, exit, console)?;
    Ok(exit)
}

/// The desk, and the holds that are meant: all of them, or none.
pub(super) fn at_desk(arguments: &DecisionArguments, clock: Arc<dyn Clock>) -> anyhow::Result<(Desk, Vec<HoldId>)> {
    let desk = Desk::open(&arguments.data, clock)?;
    let found = arguments.ids.iter().map(|text| desk.wait(desk.store.find(text)).map_err(explained));
    let ids = found.collect::<anyhow::Result<_>>()?;
    Ok((desk, ids))
}

/// Why: as given, or as whoever is at the terminal says.
pub(super) fn reason(arguments: &DecisionArguments, console: &mut Console) -> anyhow::Result<String> {
    if let Some(reason) = &arguments.reason {
        return Ok(reason.clone());
    }
    let said = console.ask("Why? It is kept with the decision:")?;
    said.context("a decision needs a reason: say --reason TEXT")
}

/// Enters one decision and says what came of it.
pub(super) fn cast(desk: &Desk, id: HoldId, ballot: Ballot, console: &mut Console) -> anyhow::Result<Exit> {
    let decision = ballot.decision;
    match desk.wait(desk.store.decide(id, ballot)) {
        Ok(step) => {
            console.line(outcome(&step.hold, decision))?;
            if let Some(standing) = desk.wait(desk.store.standing_of(&step.hold)).map_err(explained)? {
                console.line(given(&standing))?;
            }
            Ok(Exit::Done)
        }
        Err(failure) => refused(failure, console),
    }
}

/// A decision that does not count is a finding; anything else ends the verb.
pub(super) fn refused(failure: StoreFailure, console: &mut Console) -> anyhow::Result<Exit> {
    if !matches!(failure, StoreFailure::Refused(_)) {
        return Err(explained(failure));
    }
    console.note(format!("{} {:#}", Tone::Bad.paint("error:"), explained(failure)))?;
    Ok(Exit::Findings)
}

/// Says under which name decisions were recorded.
pub(super) fn signed(by: &Person, exit: Exit, console: &mut Console) -> std::io::Result<()> {
    if exit != Exit::Done {
        return Ok(());
    }
    let name = visible(&by.name, Lines::Escape);
    console.note(format!("recorded as `{name}`; nobody authenticated that name"))
}

fn given(standing: &Standing) -> String {
    let terms = standing.terms();
    let uses = terms.uses_max.map(|uses| format!(", {uses} times")).unwrap_or_default();
    match terms.decision {
        Decision::Approve => {
            format!("{} {}: queries like it go until {}{uses}", Tone::Good.paint("granted"), terms.id, terms.until)
        }
        Decision::Deny => {
            format!("{} {}: queries like it are refused until {}", Tone::Bad.paint("muted"), terms.id, terms.until)
        }
    }
}

pub(super) fn outcome(hold: &Hold, decision: Decision) -> String {
    let id = hold.id();
    match hold.phase() {
        Phase::Approved => format!("{} {id}: {}", Tone::Good.paint("approved"), approval_request(hold).status.message),
        Phase::Denied => format!("{} {id}: the query is refused", Tone::Bad.paint("denied")),
        Phase::Pending | Phase::Expired | Phase::Cancelled => {
            let message = approval_request(hold).status.message;
            format!("{} {id}: counted, {message}", Tone::Caution.paint(decision.name()))
        }
    }
}

pub(super) fn person(arguments: &DecisionArguments) -> anyhow::Result<Person> {
    who(arguments.name.as_deref(), &arguments.groups)
}

/// Whoever is named, or the user of the session with the groups that the system knows.
pub(super) fn who(name: Option<&str>, groups: &[String]) -> anyhow::Result<Person> {
    let mut groups = groups.to_vec();
    let name = if let Some(name) = name {
        name.to_owned()
    } else {
        groups.extend(ask_system("-Gn")?.split_whitespace().map(str::to_owned));
        ask_system("-un")?.trim().to_owned()
    };
    Ok(Person { name, groups, authenticated_by: NOBODY.to_owned() })
}

/// `id` knows users and groups from wherever the system has them.
pub(super) fn ask_system(what: &str) -> anyhow::Result<String> {
    let unknown = "the system does not say who you are: use --as NAME";
    let answer = Command::new("id").arg(what).output().context(unknown)?;
    anyhow::ensure!(answer.status.success(), unknown);
    String::from_utf8(answer.stdout).context(unknown)
}

#[cfg(test)]
impl DecisionArguments {
    pub(super) fn of(folder: &std::path::Path, ids: &[&str], view: Option<Digest>) -> Self {
        Self {
            data: DataDir::at(folder),
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            reason: Some("checked with the client".to_owned()),
            name: None,
            groups: Vec::new(),
            view,
        }
    }
}

#[cfg(test)]
pub(super) fn denied(
    arguments: &DecisionArguments,
    by: Person,
    clock: Arc<dyn Clock>,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    deny_as(arguments, None, by, clock, console)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_names_nobody_is_the_user_of_the_session_with_its_groups() {
        let mut arguments = DecisionArguments::of(std::path::Path::new("."), &["h-1"], None);
        arguments.groups = vec!["legal".to_owned()];
        let own = person(&arguments).unwrap();
        assert!(!own.name.is_empty() && own.groups.len() > 1, "{own:?}");
        arguments.name = Some("alice".to_owned());
        let named = person(&arguments).unwrap();
        assert_eq!((named.name.as_str(), named.groups), ("alice", vec!["legal".to_owned()]));
        assert_eq!((own.authenticated_by.as_str(), named.authenticated_by.as_str()), (NOBODY, NOBODY));
    }
}
