//! The gate's end of the hatch.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use super::socket;
use super::words::{Answer, Ask, EditWords, Talk};
use crate::approvals::{Edit, Phase};
use crate::base::HoldId;
use crate::sidecar::HeldQueries;
use crate::standalone::holds::{EDITED_BYTES_MAX, EditedText, SqliteHolds};

/// Most people who look at once; each costs the gate one query's bytes at most.
const CONNECTIONS_MAX: usize = 4;
/// How often texts whose holds have ended are looked for: they end while no client is there as well.
const SWEEP_EVERY: Duration = Duration::from_secs(2);
/// Pause after a failed accept: out of descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Why there is no hatch; the gate works without one.
#[derive(Debug, thiserror::Error)]
#[error("held queries cannot be shown in full or edited: `{}` cannot be opened", path.display())]
pub(in crate::standalone) struct OpenFailure {
    path: PathBuf,
    source: io::Error,
}

/// An open hatch; closed when dropped.
pub(in crate::standalone) struct Hatch {
    listener: UnixListener,
    path: PathBuf,
    /// Who runs the gate.
    owner: u32,
}

impl Hatch {
    /// Opens the socket in `folder`. One that an earlier gate left is replaced: of two gates with one folder, the record lets
    /// only one run.
    pub(in crate::standalone) fn open(folder: &Path) -> Result<Self, OpenFailure> {
        let path = socket(folder);
        let failed = |source| OpenFailure { path: path.clone(), source };
        let (listener, owner) = bind(folder, &path).map_err(failed)?;
        Ok(Self { listener, path, owner })
    }

    /// Answers until it is dropped.
    pub(in crate::standalone) async fn serve(self, queries: HeldQueries, holds: Arc<SqliteHolds>) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut sweep = interval(SWEEP_EVERY);
        let mut talks = JoinSet::new();
        loop {
            while talks.try_join_next().is_some() {}
            tokio::select! {
                _ = sweep.tick() => forget_ended(&queries, &holds).await,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => self.answer(stream, &slots, (&queries, &holds), &mut talks),
                    Err(_) => sleep(ACCEPT_PAUSE).await,
                },
            }
        }
    }

    fn answer(
        &self,
        stream: UnixStream,
        slots: &Arc<Semaphore>,
        (queries, holds): (&HeldQueries, &Arc<SqliteHolds>),
        talks: &mut JoinSet<()>,
    ) {
        // The file's permissions say the same; root may look, as it may read the gate's memory.
        let known = stream.peer_cred().is_ok_and(|peer| peer.uid() == self.owner || peer.uid() == 0);
        let Ok(slot) = Arc::clone(slots).try_acquire_owned() else { return };
        if !known {
            return;
        }
        let (queries, holds) = (queries.clone(), Arc::clone(holds));
        talks.spawn(async move {
            let _slot = slot;
            // Whoever asked has left or was too slow; there is nobody to tell.
            let _ = converse(stream, &queries, &holds).await;
        });
    }
}

impl Drop for Hatch {
    fn drop(&mut self) {
        // Left behind it does no harm: nobody answers there, and the next gate replaces it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Binds within a folder that nobody else can enter, so that the socket is never reachable with other permissions.
fn bind(folder: &Path, path: &Path) -> io::Result<(UnixListener, u32)> {
    let room = folder.join(".hatch");
    match fs::remove_dir_all(&room) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    fs::DirBuilder::new().mode(0o700).create(&room)?;
    let inside = room.join("s");
    let listener = UnixListener::bind(&inside)?;
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o600))?;
    let owner = fs::metadata(&inside)?.uid();
    fs::rename(&inside, path)?;
    fs::remove_dir(&room)?;
    Ok((listener, owner))
}

async fn converse(stream: UnixStream, queries: &HeldQueries, holds: &SqliteHolds) -> io::Result<()> {
    let mut talk = Talk::over(stream);
    let (ask, body) = talk.hear::<Ask>(EDITED_BYTES_MAX).await?;
    match ask {
        Ask::Text { hold } => match queries.text(hold) {
            Some(text) => talk.say(Answer::Text { format: text.format }, &text.body).await,
            None => talk.say(Answer::Gone, &[]).await,
        },
        Ask::Try(words) => {
            let tried = tried(words, body, queries, holds).await;
            talk.say(tried.unwrap_or_else(|why| Answer::Refused { why }), &[]).await
        }
        Ask::Edit(words) => {
            let edited = edited(words, body, queries, holds).await;
            talk.say(edited.unwrap_or_else(|why| Answer::Refused { why }), &[]).await
        }
    }
}

async fn tried(words: EditWords, body: Vec<u8>, queries: &HeldQueries, holds: &SqliteHolds) -> Result<Answer, String> {
    let (id, edit, _) = judged(words, body, queries).await?;
    let hold = holds.try_edit(id, &edit).await.map_err(|failure| failure.to_string())?;
    Ok(Answer::Tried { hold: Box::new(hold) })
}

async fn edited(words: EditWords, body: Vec<u8>, queries: &HeldQueries, holds: &SqliteHolds) -> Result<Answer, String> {
    let (id, edit, text) = judged(words, body, queries).await?;
    let step = holds.edit(id, edit, &text).await.map_err(|failure| failure.to_string())?;
    Ok(Answer::Edited { hold: Box::new(step.hold) })
}

/// Judged each time it is asked: between the two the rules may have changed.
async fn judged(words: EditWords, body: Vec<u8>, queries: &HeldQueries) -> Result<(HoldId, Edit, EditedText), String> {
    let EditWords { hold, by, reason, view, from } = words;
    let judged = queries.judge(hold, Bytes::from(body)).await.map_err(|failure| failure.to_string())?;
    let text = EditedText { body: judged.body, format: judged.format };
    Ok((hold, Edit { by, reason, view, from, form: judged.form }, text))
}

/// Texts of holds that have ended go; those of which that is not known stay until it is.
async fn forget_ended(queries: &HeldQueries, holds: &SqliteHolds) {
    for id in queries.kept() {
        if holds.phase(id).await.is_some_and(|phase| phase != Phase::Pending) {
            queries.forget(id);
        }
    }
    if let Err(failure) = holds.forget_edited().await {
        tracing::warn!(error = %failure, "edited queries that are over cannot be forgotten");
    }
}
