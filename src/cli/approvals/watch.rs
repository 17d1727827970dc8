//! `countersign approvals watch`: what waits now, then a row for everything that happens, until it is interrupted.
//!
//! Guarantees that a hold that opens and ends between two looks is still told of, and that looking costs the database next
//! to nothing while nothing happens.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::rows::{Cells, clip, similar};
use crate::approvals::{Decision, Edited, Hold, Lines, Phase, visible};
use crate::base::{Clock, HoldId};
use crate::cli::console::Tone;
use crate::cli::data_dir::DataDir;
use crate::cli::desk::{Desk, explained};
use crate::cli::{Console, Exit, Output, interrupted};
use crate::standalone::{StoreFailure, approval_request};

/// How often the database is asked whether anything was written: nobody waits longer for a row than for a page.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How far back each look reaches for holds that have ended: more than one look ever takes.
const REACH: jiff::SignedDuration = jiff::SignedDuration::from_secs(30);
/// How long an ended hold is remembered, so that it is not told of twice.
const REMEMBERED: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);
/// Widths of the columns: rows are written one by one, so they cannot wait for the widest.
const WIDTHS: [usize; 8] = [28, 9, 4, 16, 16, 40, 7, 7];

/// Watch held queries: the ones that wait, then a row for every new one, decision, escalation and ending.
#[derive(Debug, clap::Args)]
pub(super) struct Watch {
    #[command(flatten)]
    pub(super) data: DataDir,
    /// How to write them: rows, or one JSON object a line.
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: Output,
}

pub(super) fn watch(arguments: &Watch, clock: Arc<dyn Clock>, console: &mut Console) -> anyhow::Result<Exit> {
    let desk = Desk::open(&arguments.data, clock)?;
    let mut board = Board::new(arguments.output);
    board.headings(console)?;
    board.look(&desk, console)?;
    desk.within(async {
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let stop = interrupted();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return Ok(Exit::Done),
                _ = every.tick() => board.follow(&desk, console).await?,
            }
        }
    })
}

/// What has been told so far.
pub(super) struct Board {
    output: Output,
    known: HashMap<HoldId, Hold>,
    /// When the first look was: what had ended by then is no news.
    since: Option<Timestamp>,
    /// The database's change counter at the last look.
    seen: Option<i64>,
}

impl Board {
    pub(super) fn new(output: Output) -> Self {
        Self { output, known: HashMap::new(), since: None, seen: None }
    }

    pub(super) fn headings(&self, console: &mut Console) -> std::io::Result<()> {
        if self.output == Output::Json {
            return Ok(());
        }
        let names = ["ID", "PHASE", "AGE", "REQUESTER", "MODEL", "RULE", "SIMILAR", "EXPIRES", "EVENT"];
        console.line(Tone::Strong.paint(&aligned(&names.map(str::to_owned))))
    }

    /// Looks once, whether or not anything was written.
    pub(super) fn look(&mut self, desk: &Desk, console: &mut Console) -> anyhow::Result<()> {
        desk.within(async {
            self.seen = None;
            self.follow(desk, console).await
        })
    }

    async fn follow(&mut self, desk: &Desk, console: &mut Console) -> anyhow::Result<()> {
        let written = desk.store.changes().await.map_err(explained)?;
        let now = desk.now();
        let due = self.known.values().filter_map(Hold::next_timer).any(|at| at <= now);
        if self.seen == Some(written) && !due {
            return Ok(());
        }
        let since = (*self.since.get_or_insert(now)).max(now - REACH);
        let (holds, damaged) = desk.store.recent(since).await.map_err(explained)?;
        let holds: Vec<Hold> = holds.into_iter().map(|hold| desk.timed(hold)).collect();
        for hold in &holds {
            let events = happened(self.known.get(&hold.id()), hold);
            if !events.is_empty() {
                let alike = holds.iter().filter(|other| similar(other, hold)).count();
                self.tell(hold, alike, &events, now, console)?;
            }
        }
        if self.seen.is_none() {
            warn(&damaged, console)?;
        }
        self.seen = Some(written);
        self.known.extend(holds.into_iter().map(|hold| (hold.id(), hold)));
        self.known.retain(|_, hold| hold.ending().is_none_or(|(_, at)| now.duration_since(at) < REMEMBERED));
        Ok(())
    }

    fn tell(
        &self,
        hold: &Hold,
        alike: usize,
        events: &[String],
        now: Timestamp,
        console: &mut Console,
    ) -> anyhow::Result<()> {
        if self.output == Output::Json {
            return console.json_line(&approval_request(hold));
        }
        let cells = Cells::of(hold, now);
        let alike = if alike > 1 { format!("+{}", alike - 1) } else { "-".to_owned() };
        let happened = events.join("; ");
        let (requester, model, rule) = (short(&cells.requester, 3), short(&cells.model, 4), short(&cells.rule, 5));
        let row = [cells.id, cells.phase, cells.age, requester, model, rule, alike, cells.expires, happened];
        Ok(console.line(aligned(&row))?)
    }
}

/// A cell cut to its column, so that the ones behind it stay in theirs.
fn short(cell: &str, column: usize) -> String {
    let width = WIDTHS.get(column).copied().unwrap_or_default();
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    cell.chars().take(width.saturating_sub(3)).chain("...".chars()).collect()
}

fn warn(damaged: &[StoreFailure], console: &mut Console) -> std::io::Result<()> {
    for failure in damaged {
        let words = visible(&failure.to_string(), Lines::Escape);
        console.note(format!("{} {words}", Tone::Caution.paint("warning:")))?;
    }
    Ok(())
}

/// What is new of a hold since it was last told of, in words for a row.
fn happened(before: Option<&Hold>, now: &Hold) -> Vec<String> {
    let Some(before) = before else {
        let waiting = now.phase() == Phase::Pending;
        let who = approval_request(now).status.approvers.unwrap_or_default();
        return vec![if waiting { clip(&format!("waiting for {who}")) } else { ended(now) }];
    };
    let edits = now.edits().get(before.edits().len()..).unwrap_or_default();
    let edited = |edit: &Edited| clip(&visible(&format!("edited by {}", edit.by.name), Lines::Escape));
    let mut events: Vec<String> = edits.iter().map(edited).collect();
    for ((chain, old), (_, new)) in before.tracks().zip(now.tracks()) {
        let votes = new.votes().iter().filter(|vote| !old.votes().contains(vote));
        events.extend(votes.map(|vote| {
            let word = match vote.ballot.decision {
                Decision::Approve => "approved by",
                Decision::Deny => "denied by",
            };
            clip(&visible(&format!("{word} {}", vote.ballot.by.name), Lines::Escape))
        }));
        if new.escalated_at().is_some() && old.escalated_at().is_none() {
            let stage = new.current(chain).map_or("", |stage| stage.name.as_str());
            events.push(clip(&visible(&format!("escalated in {stage}"), Lines::Escape)));
        }
    }
    if before.phase() == Phase::Pending && now.phase() != Phase::Pending {
        events.push(ended(now));
    }
    events
}

fn ended(hold: &Hold) -> String {
    clip(&approval_request(hold).status.message)
}

/// Cells in columns, two spaces apart; the last one as long as it is.
fn aligned(cells: &[String; 9]) -> String {
    let mut out = String::new();
    for (index, cell) in cells.iter().enumerate() {
        out.push_str(cell);
        if let Some(width) = WIDTHS.get(index) {
            let gap = width.saturating_sub(cell.chars().count()) + 2;
            out.extend(std::iter::repeat_n(' ', gap));
        }
    }
    out.trim_end().to_owned()
}
