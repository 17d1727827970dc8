//! `countersign grants` and `countersign mutes`: decisions that stand for later queries, and taking them back.
//!
//! Guarantees that what is taken back counts for no query that comes afterwards. Knows nothing of how they come about.

use std::sync::Arc;

use comfy_table::{Table, presets};

use super::console::Tone;
use super::data_dir::DataDir;
use super::decide::{signed, who};
use super::desk::{Desk, explained};
use super::{Console, Exit, Output};
use crate::api::grant::{ApprovalGrant, GrantPhase};
use crate::approvals::Decision;
use crate::base::{Clock, SystemClock};
use crate::standalone::{StoreFailure, approval_grant};

/// Look at decisions that stand for later queries, and take them back.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    List(List),
    Show(Show),
    Revoke(Revoke),
}

/// List those that count, newest first.
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    data: DataDir,
    /// Show those that ended too, as long as they are kept (7 days).
    #[arg(long)]
    all: bool,
    /// How to write them.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Show one: what it is for, who gave it, how often it was used.
#[derive(Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    data: DataDir,
    /// Its id, or enough of its start.
    #[arg(value_name = "ID")]
    id: String,
    /// How to write it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Take one back: it counts for no query any more, and answers that still run under a grant are cut.
#[derive(Debug, clap::Args)]
struct Revoke {
    #[command(flatten)]
    data: DataDir,
    /// Its id, or enough of its start.
    #[arg(value_name = "ID")]
    id: String,
    /// Why; kept in the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who does it, when it is not the user of this session. Nobody checks it, and the record says so.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
}

pub(super) fn run(arguments: &Arguments, decision: Decision, console: &mut Console) -> anyhow::Result<Exit> {
    let clock = Arc::new(SystemClock::default());
    match &arguments.what {
        What::List(arguments) => list(arguments, decision, clock, console),
        What::Show(arguments) => show(arguments, decision, clock, console),
        What::Revoke(arguments) => revoke(arguments, decision, clock, console),
    }
}

fn list(arguments: &List, decision: Decision, clock: Arc<dyn Clock>, console: &mut Console) -> anyhow::Result<Exit> {
    let desk = Desk::open(&arguments.data, clock)?;
    let all = desk.wait(desk.store.standing(decision)).map_err(explained)?;
    let mut all: Vec<ApprovalGrant> = all.iter().map(|one| approval_grant(one, desk.now())).collect();
    all.retain(|one| arguments.all || one.status.phase == GrantPhase::Active);
    match (arguments.output, decision) {
        (Output::Json, _) => console.json(&all)?,
        (Output::Table, Decision::Approve) if all.is_empty() => console.line("no grant counts")?,
        (Output::Table, Decision::Deny) if all.is_empty() => console.line("no mute counts")?,
        (Output::Table, _) => console.text(table(&all))?,
    }
    Ok(Exit::Done)
}

fn table(all: &[ApprovalGrant]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["ID", "PHASE", "REQUESTER", "RULE", "USES", "UNTIL", "GIVEN BY"]);
    for one in all {
        let rule = match one.spec.reasons.as_slice() {
            [] => String::new(),
            [one] => format!("{}/{}", one.policy, one.rule),
            [one, rest @ ..] => format!("{}/{} +{}", one.policy, one.rule, rest.len()),
        };
        let by: Vec<&str> = one.spec.given_by.iter().map(|person| person.by.as_str()).collect();
        table.add_row([
            one.metadata.name.clone(),
            format!("{:?}", one.status.phase),
            one.spec.requester.clone().unwrap_or_else(|| "anonymous".to_owned()),
            rule,
            uses(one),
            one.spec.until.clone(),
            by.join(", "),
        ]);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim().to_owned()).collect();
    lines.join("\n") + "\n"
}

fn uses(one: &ApprovalGrant) -> String {
    one.spec.uses_max.map_or_else(|| one.status.uses.to_string(), |most| format!("{} of {most}", one.status.uses))
}

fn show(arguments: &Show, decision: Decision, clock: Arc<dyn Clock>, console: &mut Console) -> anyhow::Result<Exit> {
    let desk = Desk::open(&arguments.data, clock)?;
    let found = desk.wait(desk.store.find_standing(&arguments.id, decision)).map_err(explained)?;
    let one = approval_grant(&found, desk.now());
    match arguments.output {
        Output::Json => console.json(&one)?,
        Output::Table => describe(&one, console)?,
    }
    Ok(Exit::Done)
}

fn describe(one: &ApprovalGrant, console: &mut Console) -> anyhow::Result<()> {
    let mut field =
        |name: &str, value: &str| console.line(format!("{} {value}", Tone::Dim.paint(&format!("{name:<10}"))));
    field("Id", &one.metadata.name)?;
    field("Phase", &format!("{:?}", one.status.phase))?;
    field("Hold", &one.spec.hold)?;
    field("Requester", one.spec.requester.as_deref().unwrap_or("anonymous"))?;
    field("Route", &one.spec.route)?;
    field("Model", one.spec.model.as_deref().unwrap_or("not named"))?;
    for reason in &one.spec.reasons {
        field("Rule", &format!("{} / {}: {}", reason.policy, reason.rule, reason.matcher))?;
    }
    field("Given", &one.metadata.creation_timestamp)?;
    field("Until", &one.spec.until)?;
    field("Uses", &uses(one))?;
    for person in &one.spec.given_by {
        field("By", &format!("{} (authenticated by {}): {}", person.by, person.authenticated_by, person.reason))?;
    }
    if let (Some(person), Some(at)) = (&one.status.revoked_by, &one.status.revoked_at) {
        let by = format!("{} (authenticated by {})", person.by, person.authenticated_by);
        field("Revoked", &format!("at {at} by {by}: {}", person.reason))?;
    }
    Ok(())
}

fn revoke(
    arguments: &Revoke,
    decision: Decision,
    clock: Arc<dyn Clock>,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let desk = Desk::open(&arguments.data, clock)?;
    let by = who(arguments.name.as_deref(), &[])?;
    let found = desk.wait(desk.store.find_standing(&arguments.id, decision)).map_err(explained)?;
    match desk.wait(desk.store.revoke(found.terms().id, &by, &arguments.reason)) {
        Ok(revoked) => {
            console.line(format!("{} {}", Tone::Good.paint("revoked"), revoked.terms().id))?;
            signed(&by, Exit::Done, console)?;
            Ok(Exit::Done)
        }
        Err(failure @ StoreFailure::NotRevoked(_)) => {
            console.note(format!("{} {:#}", Tone::Bad.paint("error:"), explained(failure)))?;
            Ok(Exit::Findings)
        }
        Err(failure) => Err(explained(failure)),
    }
}
