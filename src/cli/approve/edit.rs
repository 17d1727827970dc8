//! `countersign approve --edit`: an approver changes the query, the gate says what the rules make of it, and the approval is
//! of the changed bytes.
//!
//! Guarantees that exactly the bytes of the edited file go to the gate, that the file is readable by its user only and gone
//! afterwards, and that nothing is entered which the editor was not shown.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::super::approvals::shown;
use super::super::console::Tone;
use super::super::decide::{self, outcome, reason, refused};
use super::super::desk::{Desk, explained, unseen};
use super::super::{Console, Exit};
use super::{Confirm, confirmed};
use crate::approvals::{Ballot, Decision, Event, Hold, Person, Refused, View, advance, full};
use crate::base::{Digest, HoldId};
use crate::sidecar::HeldText;
use crate::standalone::EDITED_BYTES_MAX;
use crate::standalone::hatch::{EditWords, HatchFailure};
use crate::wire;

/// Where the changed query comes from.
pub(super) enum Source<'a> {
    /// The person's editor.
    Editor,
    /// A file.
    File(&'a Path),
}

/// What somebody wants to do.
pub(super) struct Wish<'a> {
    pub(super) decision: &'a decide::DecisionArguments,
    pub(super) source: Source<'a>,
    pub(super) by: &'a Person,
    pub(super) confirm: Confirm,
}

/// Edits one held query and approves it like that.
pub(super) fn edit(desk: &Desk, id: HoldId, wish: &Wish<'_>, console: &mut Console) -> anyhow::Result<Exit> {
    let (by, source) = (wish.by, &wish.source);
    let hold = desk.timed(desk.wait(desk.store.get(id)).map_err(explained)?);
    if let Some(why) = may_not(desk, &hold, by) {
        return refused(why.into(), console);
    }
    let text = desk.text(&hold)?;
    let reason = reason(wish.decision, console)?;
    let mut body = text.body.to_vec();
    let tried = loop {
        body = changed(source, &body)?;
        if body == text.body {
            console.note("nothing was changed, so nothing was decided; to approve it as it is, leave --edit out")?;
            return Ok(Exit::Findings);
        }
        match desk.try_edit(words(&hold, by, &reason, None), &body) {
            Ok(tried) => break tried,
            Err(failure) => {
                let again = matches!((source, &failure), (Source::Editor, HatchFailure::Refused(_)));
                let exit = failed(&failure, console)?;
                if !again || !console.agrees("Edit it again? [Y/n]", "y")? {
                    return Ok(exit);
                }
            }
        }
    };
    console.note(proposal((&hold, &tried), &body, &text, console.columns())?)?;
    if !confirmed(wish.confirm, &format!("Approve {id} as edited?"), console)? {
        return Ok(Exit::Findings);
    }
    let view = Some(View::of(&tried).digest_in_full());
    match desk.edit(words(&hold, by, &reason, view), &body) {
        Ok(entered) => {
            console.line(outcome(&entered, Decision::Approve))?;
            Ok(Exit::Done)
        }
        Err(failure) => failed(&failure, console),
    }
}

/// What the gate refuses is a finding; anything else ends the verb.
fn failed(failure: &HatchFailure, console: &mut Console) -> anyhow::Result<Exit> {
    let said = unseen(failure);
    if !matches!(failure, HatchFailure::Refused(_)) {
        return Err(said);
    }
    console.note(format!("{} {said:#}\nnothing was decided", Tone::Bad.paint("error:")))?;
    Ok(Exit::Findings)
}

/// Why this person cannot edit, as far as that can be said before anything is changed.
fn may_not(desk: &Desk, hold: &Hold, by: &Person) -> Option<Refused> {
    let view = Some(View::of(hold).digest_in_full());
    let trial =
        Ballot { by: by.clone(), decision: Decision::Approve, reason: "to be given".to_owned(), view, lasting: None };
    match advance(hold, Event::Decided(trial), desk.now()) {
        Ok(_) | Err(Refused::AlreadyDecided(_) | Refused::NotShown { .. } | Refused::CannotBeShown { .. }) => None,
        Err(why) => Some(why),
    }
}

fn words(hold: &Hold, by: &Person, reason: &str, view: Option<Digest>) -> EditWords {
    EditWords { hold: hold.id(), by: by.clone(), reason: reason.to_owned(), view, from: hold.ask().digest }
}

/// What the editor is shown before the edit counts.
fn proposal(
    (before, tried): (&Hold, &Hold),
    body: &[u8],
    text: &HeldText,
    columns: Option<usize>,
) -> anyhow::Result<String> {
    let further = tried.ask().chains.get(before.ask().chains.len()..).unwrap_or_default();
    let says = match (tried.ask().reasons.is_empty(), further) {
        (true, _) => "No rule holds the edited query; those who were asked must still approve it.".to_owned(),
        (false, []) => "The edited query is held as well.".to_owned(),
        (false, further) => {
            let names: Vec<String> = further.iter().map(|chain| chain.name.to_string()).collect();
            format!("The edited query is held for further chains, which must approve as well: {}.", names.join(", "))
        }
    };
    // What the rules redact of it is redacted in what is approved: the gate's digest says so.
    let redacted = if Digest::of(body) == tried.ask().digest { "" } else { " The rules redact parts of it." };
    let query =
        wire::decode(text.format, bytes::Bytes::copy_from_slice(body)).context("the edited query cannot be read")?;
    Ok(format!("{}\n{}{redacted}", shown(tried, Some(&full(&query)), columns), Tone::Strong.paint(&says)))
}

/// The edited bytes, as the editor or the file has them.
fn changed(source: &Source<'_>, body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let edited = match source {
        Source::File(path) => read(path)?,
        Source::Editor => {
            let sheet = Sheet::of(body)?;
            run_editor(&sheet.path)?;
            read(&sheet.path)?
        }
    };
    Ok(edited)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let said = || format!("cannot read `{}`", path.display());
    let mut bytes = Vec::new();
    let most = EDITED_BYTES_MAX as u64;
    fs::File::open(path).with_context(said)?.take(most + 1).read_to_end(&mut bytes).with_context(said)?;
    ensure!(bytes.len() <= EDITED_BYTES_MAX, "`{}` is larger than an edited query may be (2 MB)", path.display());
    Ok(bytes)
}

fn run_editor(path: &Path) -> anyhow::Result<()> {
    let named = ["VISUAL", "EDITOR"].iter().filter_map(std::env::var_os).find(|editor| !editor.is_empty());
    let editor = named.unwrap_or_else(|| "vi".into());
    // Editors are named with arguments as well, `code --wait`: the shell takes them apart as it does for git and kubectl.
    let mut script = editor.clone();
    script.push(" \"$1\"");
    let ended = Command::new("sh").arg("-c").arg(script).arg("editor").arg(path).status();
    let ended = ended.with_context(|| format!("cannot run the editor `{}`", editor.display()))?;
    ensure!(
        ended.success(),
        "the editor `{}` failed ({ended}): nothing was decided; set $VISUAL or $EDITOR",
        editor.display()
    );
    Ok(())
}

/// A file for the editor, which its user alone can read and which is removed afterwards.
struct Sheet {
    path: PathBuf,
}

impl Sheet {
    fn of(body: &[u8]) -> anyhow::Result<Self> {
        let folder = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let mut random = [0; 8];
        getrandom::fill(&mut random).context("the operating system gives no randomness")?;
        let path = folder.join(format!("countersign-edit-{}.json", hex::encode(random)));
        let said = || format!("cannot write `{}`", path.display());
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).with_context(said)?;
        let sheet = Self { path: path.clone() };
        file.write_all(body).with_context(said)?;
        Ok(sheet)
    }
}

impl Drop for Sheet {
    fn drop(&mut self) {
        // Nothing better can be done about a file that cannot be removed.
        let _ = fs::remove_file(&self.path);
    }
}
