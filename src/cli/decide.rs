//! `countersign approve` and `countersign deny`: one person's decision about held queries.
//!
//! The person is the operating system's user or whoever `--as` names; the record says that nobody authenticated it.
//! Guarantees that either every id given is one hold, or nothing is decided.

use std::process::Command;
use std::sync::Arc;

use anyhow::Context as _;

use super::console::Tone;
use super::data_dir::DataDir;
use super::desk::{Desk, explained};
use super::{Console, Exit};
use crate::approvals::{Ballot, Decision, Hold, Lines, Person, Phase, visible};
use crate::base::{Clock, Digest, HoldId, SystemClock};
use crate::standalone::{StoreFailure, approval_request};

/// What the record says of how a person was authenticated here.
const NOBODY: &str = "nobody";

/// Decide about held queries.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    data: DataDir,
    /// The holds' ids, or enough of their starts.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Why; kept with the decision.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who decides, when it is not the user of this session. Nobody checks it, and the record says so.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// A group of that person; may be given several times. Without --as, the session's own groups count too.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// The digest that `approvals show` printed as `View`: refuses if that is not what is held.
    #[arg(long, value_name = "DIGEST")]
    view: Option<Digest>,
}

/// Enters the decision.
pub(super) fn run(arguments: &Arguments, decision: Decision, console: &mut Console) -> anyhow::Result<Exit> {
    let by = person(arguments)?;
    enter(arguments, decision, &by, Arc::new(SystemClock::default()), console)
}

fn enter(
    arguments: &Arguments,
    decision: Decision,
    by: &Person,
    clock: Arc<dyn Clock>,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let desk = Desk::open(&arguments.data, clock)?;
    let found = arguments.ids.iter().map(|text| desk.wait(desk.store.find(text)).map_err(explained));
    let ids: Vec<HoldId> = found.collect::<anyhow::Result<_>>()?;
    let mut exit = Exit::Done;
    for id in ids {
        let (by, reason) = (by.clone(), arguments.reason.clone());
        let ballot = Ballot { by, decision, reason, view: arguments.view };
        match desk.wait(desk.store.decide(id, ballot)) {
            Ok(step) => console.line(outcome(&step.hold, decision))?,
            Err(failure @ StoreFailure::Refused(_)) => {
                console.note(format!("{} {:#}", Tone::Bad.paint("error:"), explained(failure)))?;
                exit = Exit::Findings;
            }
            Err(failure) => return Err(explained(failure)),
        }
    }
    if exit == Exit::Done {
        let name = visible(&by.name, Lines::Escape);
        console.note(format!("recorded as `{name}`; nobody authenticated that name"))?;
    }
    Ok(exit)
}

fn outcome(hold: &Hold, decision: Decision) -> String {
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

fn person(arguments: &Arguments) -> anyhow::Result<Person> {
    let mut groups = arguments.groups.clone();
    let name = if let Some(name) = &arguments.name {
        name.clone()
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
impl Arguments {
    pub(super) fn of(folder: &std::path::Path, ids: &[&str], view: Option<Digest>) -> Self {
        Self {
            data: DataDir::at(folder),
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            reason: "checked with the client".to_owned(),
            name: None,
            groups: Vec::new(),
            view,
        }
    }
}

#[cfg(test)]
pub(super) fn decided(
    arguments: &Arguments,
    decision: Decision,
    by: &str,
    groups: &[&str],
    clock: Arc<dyn Clock>,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    let by = Person { name: by.to_owned(), groups, authenticated_by: NOBODY.to_owned() };
    enter(arguments, decision, &by, clock, console)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_names_nobody_is_the_user_of_the_session_with_its_groups() {
        let mut arguments = Arguments::of(std::path::Path::new("."), &["h-1"], None);
        arguments.groups = vec!["legal".to_owned()];
        let own = person(&arguments).unwrap();
        assert!(!own.name.is_empty() && own.groups.len() > 1, "{own:?}");
        arguments.name = Some("alice".to_owned());
        let named = person(&arguments).unwrap();
        assert_eq!((named.name.as_str(), named.groups), ("alice", vec!["legal".to_owned()]));
        assert_eq!((own.authenticated_by.as_str(), named.authenticated_by.as_str()), (NOBODY, NOBODY));
    }
}
