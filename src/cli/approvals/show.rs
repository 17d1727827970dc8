//! `countersign approvals show`: one held query, as the person who decides must see it.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::api::request::{ApprovalRequest, RequestPhase};
use crate::approvals::{Hold, UNTRUSTED, Unseen, View};
use crate::base::Clock;
use crate::cli::console::Tone;
use crate::cli::data_dir::DataDir;
use crate::cli::desk::{Desk, explained};
use crate::cli::{Console, Exit, Output};
use crate::standalone::approval_request;

/// Show one held query: who asked, why it is held, what matched, who has decided.
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    pub(super) data: DataDir,
    /// The hold's id, or enough of its start.
    #[arg(value_name = "ID")]
    pub(super) id: String,
    /// How to write it.
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: Output,
}

pub(super) fn show(arguments: &Show, clock: Arc<dyn Clock>, console: &mut Console) -> anyhow::Result<Exit> {
    let desk = Desk::open(&arguments.data, clock)?;
    let id = desk.wait(desk.store.find(&arguments.id)).map_err(explained)?;
    let hold = desk.timed(desk.wait(desk.store.get(id)).map_err(explained)?);
    let request = approval_request(&hold);
    match arguments.output {
        Output::Json => console.json(&request)?,
        Output::Table => {
            console.text(shown(&hold))?;
            if request.status.phase == RequestPhase::Pending {
                console.note(format!("\n{}", advice(&hold)))?;
            }
        }
    }
    Ok(Exit::Done)
}

/// What the person can do next.
fn advice(hold: &Hold) -> String {
    let id = hold.id();
    let decide = format!("Decide with: countersign approve|deny {id} --reason TEXT");
    if hold.ask().unseen.iter().any(|unseen| matches!(unseen, Unseen::Opaque { .. })) {
        return format!(
            "{decide}\nIt is held for what cannot be shown: only a chain with `allowUnseen` lets that be approved."
        );
    }
    decide
}

/// The hold as text: what a decision depends on, how it stands, and the caller's text last.
pub(in crate::cli) fn shown(hold: &Hold) -> String {
    let (view, request) = (View::of(hold), approval_request(hold));
    let mut out = String::new();
    field(&mut out, "Phase", &format!("{:?}, {}", request.status.phase, request.status.message));
    for (name, value) in view.fields() {
        field(&mut out, name, value);
    }
    if let Some(deadline) = &request.spec.deadline {
        field(&mut out, "Expires", deadline);
    }
    standing(&mut out, &request);
    if request.status.phase == RequestPhase::Pending {
        field(&mut out, "View", &view.digest().to_string());
        let _ = writeln!(out, "\n{}", Tone::Caution.paint(UNTRUSTED));
        out.push_str(&indented(view.excerpt()));
    }
    out
}

fn standing(out: &mut String, request: &ApprovalRequest) {
    let status = &request.status;
    for vote in &status.votes {
        let how = if vote.authenticated_by == "nobody" { "nobody authenticated it" } else { &vote.authenticated_by };
        let said =
            format!("{} by {} in {} at {} ({how}): {}", vote.decision, vote.by, vote.stage, vote.at, vote.reason);
        field(out, "Decision", &said);
    }
    for at in &status.claimed_at {
        field(out, "Released", at);
    }
    if let Some(at) = &status.delivered_at {
        field(out, "Delivered", at);
    }
}

fn field(out: &mut String, name: &str, value: &str) {
    let line = format!("{} {value}", Tone::Dim.paint(&format!("{name:<10}")));
    let _ = writeln!(out, "{}", line.trim_end());
}

fn indented(text: &str) -> String {
    if text.is_empty() {
        return "  (no text is shown)\n".to_owned();
    }
    format!("  {}\n", text.trim_end_matches('\n').replace('\n', "\n  "))
}
