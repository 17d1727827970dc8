//! `countersign approvals show`: one held query, as the person who decides must see it.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::api::request::{ApprovalRequest, RequestPhase};
use anyhow::Context as _;

use crate::approvals::{Hold, UNTRUSTED, Unseen, View, full};
use crate::base::Clock;
use crate::cli::console::Tone;
use crate::cli::data_dir::DataDir;
use crate::cli::desk::{Desk, explained};
use crate::cli::{Console, Exit, Output};
use crate::standalone::approval_request;
use crate::wire;

/// Show one held query: who asked, why it is held, what matched, who has decided.
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    pub(super) data: DataDir,
    /// The hold's id, or enough of its start.
    #[arg(value_name = "ID")]
    pub(super) id: String,
    /// All text of the query as it would be forwarded, which the running gate shows while it has it.
    #[arg(long)]
    pub(super) full: bool,
    /// How to write it.
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: Output,
}

pub(super) fn show(arguments: &Show, clock: Arc<dyn Clock>, console: &mut Console) -> anyhow::Result<Exit> {
    let desk = Desk::open(&arguments.data, clock)?;
    let id = desk.wait(desk.store.find(&arguments.id)).map_err(explained)?;
    let hold = desk.timed(desk.wait(desk.store.get(id)).map_err(explained)?);
    let mut request = approval_request(&hold);
    let pending = request.status.phase == RequestPhase::Pending;
    let full = if arguments.full && pending { Some(full_text(&desk, &hold)?) } else { None };
    match arguments.output {
        Output::Json => {
            if let Some(full) = full {
                request.spec.view = Some(View::of(&hold).digest_in_full().to_string());
                request.spec.full = Some(full);
            }
            console.json(&request)?;
        }
        Output::Table => {
            console.text(shown(&hold, full.as_deref()))?;
            if pending {
                console.note(format!("\n{}", advice(&hold, full.is_some())))?;
            }
        }
    }
    if arguments.full && !pending {
        console.note("the hold has ended, and its text is gone")?;
    }
    Ok(Exit::Done)
}

/// All text of the query, made safe to look at, from the very bytes that an approval releases.
pub(in crate::cli) fn full_text(desk: &Desk, hold: &Hold) -> anyhow::Result<String> {
    let text = desk.text(hold)?;
    let query = wire::decode(text.format, text.body).context("the gate's text cannot be read by this program")?;
    Ok(full(&query))
}

/// What the person can do next.
fn advice(hold: &Hold, in_full: bool) -> String {
    let id = hold.id();
    let how = if in_full { " --full" } else { "" };
    let mut decide = format!("Decide with: countersign approve {id}{how} --reason TEXT, or deny {id} --reason TEXT");
    if !in_full && hold.ask().unseen.iter().any(|unseen| matches!(unseen, Unseen::Text { .. })) {
        decide = format!("See all of it first: countersign approvals show {id} --full\n{decide}");
    }
    if hold.ask().unseen.iter().any(|unseen| matches!(unseen, Unseen::Opaque { .. })) {
        return format!(
            "{decide}\nIt is held for what cannot be shown: only a chain with `allowUnseen` lets that be approved."
        );
    }
    decide
}

/// The hold as text: what a decision depends on, how it stands, and the caller's text last.
pub(in crate::cli) fn shown(hold: &Hold, full: Option<&str>) -> String {
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
        let digest = if full.is_some() { view.digest_in_full() } else { view.digest() };
        field(&mut out, "View", &digest.to_string());
        let _ = writeln!(out, "\n{}", Tone::Caution.paint(UNTRUSTED));
        out.push_str(&indented(view.excerpt()));
        if let Some(full) = full {
            let _ = writeln!(
                out,
                "\n{}",
                Tone::Caution.paint("All of the query, as it would be forwarded, untrusted as well:")
            );
            out.push_str(&indented(full));
        }
    }
    out
}

fn standing(out: &mut String, request: &ApprovalRequest) {
    let status = &request.status;
    for (name, votes) in [("Lapsed", &status.lapsed), ("Decision", &status.votes)] {
        for vote in votes {
            let nobody = vote.authenticated_by == "nobody";
            let how = if nobody { "nobody authenticated it" } else { &vote.authenticated_by };
            let said =
                format!("{} by {} in {} at {} ({how}): {}", vote.decision, vote.by, vote.stage, vote.at, vote.reason);
            field(out, name, &said);
        }
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
