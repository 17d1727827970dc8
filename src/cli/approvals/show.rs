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
            console.text(shown(&hold, full.as_deref(), console.columns()))?;
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

/// The hold as text: what a decision depends on, how it stands, and the caller's text last. Lines are broken where the
/// terminal would break them, so that no caller's text ever begins a line.
pub(in crate::cli) fn shown(hold: &Hold, full: Option<&str>, columns: Option<usize>) -> String {
    let (view, request) = (View::of(hold), approval_request(hold));
    let mut out = Sheet { out: String::new(), columns };
    out.field("Phase", &format!("{:?}, {}", request.status.phase, request.status.message));
    let mut before = None;
    for (name, value) in view.fields() {
        // A rule that matches ten times is one reason to a reader.
        if before != Some((name, value)) {
            out.field(name, value);
        }
        before = Some((name, value));
    }
    if let Some(deadline) = &request.spec.deadline {
        out.field("Expires", deadline);
    }
    standing(&mut out, &request);
    if request.status.phase == RequestPhase::Pending {
        let digest = if full.is_some() { view.digest_in_full() } else { view.digest() };
        out.field("View", &digest.to_string());
        out.heading(UNTRUSTED);
        out.quote(view.excerpt());
        if let Some(full) = full {
            out.heading("All of the query, as it would be forwarded, untrusted as well:");
            out.quote(full);
        }
    }
    out.out
}

/// Text for a screen of so many columns; `None` for anything that does not break lines by itself.
struct Sheet {
    out: String,
    columns: Option<usize>,
}

/// Where the values of fields begin.
const FIELD_COLUMNS: usize = 11;

impl Sheet {
    fn field(&mut self, name: &str, value: &str) {
        let lines = broken(value, self.columns.map(|columns| columns.saturating_sub(FIELD_COLUMNS)));
        let value = lines.join(&format!("\n{}", " ".repeat(FIELD_COLUMNS)));
        let line = format!("{} {value}", Tone::Dim.paint(&format!("{name:<10}")));
        let _ = writeln!(self.out, "{}", line.trim_end());
    }

    fn heading(&mut self, text: &str) {
        let _ = writeln!(self.out, "\n{}", Tone::Caution.paint(text));
    }

    /// A caller's text: what is broken goes on behind `|>`, or `=>` where it says what is encoded.
    fn quote(&mut self, text: &str) {
        if text.is_empty() {
            self.out.push_str("  (no text is shown)\n");
        }
        for line in text.trim_end_matches('\n').lines() {
            let on = if line.starts_with("= ") { "\n  =>" } else { "\n  |>" };
            let lines = broken(line, self.columns.map(|columns| columns.saturating_sub(4)));
            let _ = writeln!(self.out, "  {}", lines.join(on));
        }
    }
}

/// A line in pieces of at most so many columns. What is not ASCII counts twice: it may be that wide.
fn broken(line: &str, columns: Option<usize>) -> Vec<&str> {
    let Some(columns) = columns.filter(|columns| *columns >= COLUMNS_MIN) else { return vec![line] };
    let (mut pieces, mut start, mut taken) = (Vec::new(), 0, 0);
    for (at, c) in line.char_indices() {
        let wide = if c.is_ascii() { 1 } else { 2 };
        if taken + wide > columns {
            pieces.push(line.get(start..at).unwrap_or_default());
            (start, taken) = (at, 0);
        }
        taken += wide;
    }
    pieces.push(line.get(start..).unwrap_or_default());
    pieces
}

/// Narrower screens are for nobody to decide on; their lines are left to them.
const COLUMNS_MIN: usize = 8;

fn standing(out: &mut Sheet, request: &ApprovalRequest) {
    let status = &request.status;
    for (name, votes) in [("Lapsed", &status.lapsed), ("Decision", &status.votes)] {
        for vote in votes {
            let nobody = vote.authenticated_by == "nobody";
            let how = if nobody { "nobody authenticated it" } else { &vote.authenticated_by };
            let said =
                format!("{} by {} in {} at {} ({how}): {}", vote.decision, vote.by, vote.stage, vote.at, vote.reason);
            out.field(name, &said);
        }
    }
    for at in &status.claimed_at {
        out.field("Released", at);
    }
    if let Some(at) = &status.delivered_at {
        out.field("Delivered", at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_caller_begins_a_line_of_the_screen() {
        let mut sheet = Sheet { out: String::new(), columns: Some(30) };
        sheet.field("Model", &format!("m{}Phase      Approved", " ".repeat(18)));
        sheet.quote(&format!("place (User):\n| x{}Phase      Approved\n= base64: {}", " ".repeat(23), "日".repeat(20)));
        let lines: Vec<&str> = sheet.out.lines().collect();
        assert!(lines.iter().skip(1).all(|line| line.starts_with("  ")), "{lines:#?}");
        assert!(
            lines.contains(&"           Phase      Approved") && lines.contains(&"  |>Phase      Approved"),
            "{lines:#?}"
        );
        assert!(lines.iter().filter(|line| line.starts_with("  =>")).count() >= 1, "{lines:#?}");
        let wide = |line: &&str| line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum::<usize>() <= 30;
        assert!(lines.iter().skip(1).all(wide), "{lines:#?}");
    }
}
