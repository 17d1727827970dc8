//! `countersign approve`: shows what is to be approved, asks whoever is at a terminal, and enters the approval with the
//! digest of exactly what was shown.
//!
//! Guarantees that no approval is entered whose view was neither written out nor named.

mod edit;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::approvals::{full_text, shown};
use super::decide::{self, at_desk, cast, person, reason, refused, signed};
use super::desk::{Desk, explained};
use super::{Console, Exit};
use crate::approvals::{Ballot, Decision, Event, Lasting, Person, View, advance};
use crate::base::{Clock, HoldId, SystemClock};
use crate::compile::duration;

/// Approve held queries.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    decision: decide::DecisionArguments,
    /// Show all text of the query, which the running gate has, and not the excerpt alone.
    #[arg(long, conflicts_with = "view")]
    full: bool,
    /// Change the query in $VISUAL or $EDITOR first; the rules judge it again, and others must approve it as it is then.
    #[arg(long, conflicts_with_all = ["view", "full"])]
    edit: bool,
    /// The changed query, instead of an editor.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["view", "full", "edit"])]
    edit_with: Option<PathBuf>,
    /// Let later queries like it go as well, for so long: 8h. The same caller, route, model, instructions and tools, held by
    /// the same rules for the same words; anything else may differ. Everybody who approves must say so.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    lasts: Option<Duration>,
    /// With --for: for so many later queries.
    #[arg(long, value_name = "N", requires = "lasts")]
    uses: Option<u32>,
    /// Do not ask for confirmation on a terminal.
    #[arg(short, long)]
    yes: bool,
}

/// Enters approvals.
pub(super) fn run(arguments: &Arguments, console: &mut Console) -> anyhow::Result<Exit> {
    let by = person(&arguments.decision)?;
    approve_as(arguments, by, Arc::new(SystemClock::default()), console)
}

fn approve_as(arguments: &Arguments, by: Person, clock: Arc<dyn Clock>, console: &mut Console) -> anyhow::Result<Exit> {
    let (desk, ids) = at_desk(&arguments.decision, clock)?;
    if let Some(source) = arguments.source() {
        let [id] = *ids else { anyhow::bail!("one query is edited at a time: name one hold") };
        if matches!(source, edit::Source::Editor) && !console.can_ask() {
            anyhow::bail!("there is no terminal for an editor: say --edit-with FILE");
        }
        let wish = edit::Wish { decision: &arguments.decision, source, by: &by, confirm: arguments.confirm() };
        let exit = edit::edit(&desk, id, &wish, console)?;
        signed(&by, exit, console)?;
        return Ok(exit);
    }
    let lasting = arguments.lasts.map(|lasts| Lasting { lasts, uses: arguments.uses });
    let view = arguments.decision.view;
    let mut ballot = Ballot { by, decision: Decision::Approve, reason: String::new(), view, lasting };
    let mut exit = Exit::Done;
    for id in ids {
        exit = exit.worse(one(&desk, id, arguments, &mut ballot, console)?);
    }
    signed(&ballot.by, exit, console)?;
    Ok(exit)
}

/// One hold: shown unless the caller names a view, confirmed on a terminal, entered.
fn one(
    desk: &Desk,
    id: HoldId,
    arguments: &Arguments,
    ballot: &mut Ballot,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    if let Some(said) = &arguments.decision.reason {
        ballot.reason.clone_from(said);
    }
    if arguments.decision.view.is_none() {
        let hold = desk.timed(desk.wait(desk.store.get(id)).map_err(explained)?);
        let full = if arguments.full { Some(full_text(desk, &hold)?) } else { None };
        let view = View::of(&hold);
        ballot.view = Some(if full.is_some() { view.digest_in_full() } else { view.digest() });
        // Whoever may not decide is told so before anything else is asked of them.
        let trial = Ballot { reason: "to be given".to_owned(), ..ballot.clone() };
        if let Err(why) = advance(&hold, Event::Decided(trial), desk.now()) {
            return refused(why.into(), console);
        }
        console.note(shown(&hold, full.as_deref(), console.columns()))?;
    }
    if ballot.reason.is_empty() {
        ballot.reason = reason(&arguments.decision, console)?;
    }
    if !confirmed(arguments.confirm(), &format!("Approve {id}?"), console)? {
        return Ok(Exit::Findings);
    }
    cast(desk, id, ballot.clone(), console)
}

/// Whether somebody at a terminal is asked once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Confirm {
    Ask,
    Skip,
}

/// Where nobody can be asked, whoever wrote the command meant it.
fn confirmed(confirm: Confirm, question: &str, console: &mut Console) -> std::io::Result<bool> {
    if confirm == Confirm::Skip || !console.can_ask() || console.agrees(&format!("{question} [y/N]"), "n")? {
        return Ok(true);
    }
    console.note("nothing was decided")?;
    Ok(false)
}

impl Arguments {
    fn confirm(&self) -> Confirm {
        if self.yes { Confirm::Skip } else { Confirm::Ask }
    }

    fn source(&self) -> Option<edit::Source<'_>> {
        match (&self.edit_with, self.edit) {
            (Some(file), _) => Some(edit::Source::File(file)),
            (None, true) => Some(edit::Source::Editor),
            (None, false) => None,
        }
    }
}

#[cfg(test)]
impl Arguments {
    pub(super) fn of(decision: decide::DecisionArguments) -> Self {
        Self { decision, lasts: None, uses: None, full: false, edit: false, edit_with: None, yes: false }
    }
}

#[cfg(test)]
pub(super) fn approved(
    arguments: &Arguments,
    by: Person,
    clock: Arc<dyn Clock>,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    approve_as(arguments, by, clock, console)
}
