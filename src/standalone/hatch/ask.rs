//! The other end of the hatch: asking the gate, for the command line.

use std::io;
use std::path::Path;

use bytes::Bytes;
use tokio::net::UnixStream;

use super::socket;
use super::words::{Answer, Ask, EditWords, Talk};
use crate::approvals::Hold;
use crate::base::limits::BODY_BYTES_MAX;
use crate::base::{Digest, HoldId};
use crate::sidecar::HeldText;

/// Why the gate does not show what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum HatchFailure {
    /// No gate runs on this data folder, or another user's does.
    #[error("no gate answers on this data folder, and only the gate has the text of a held query")]
    NoGate(#[source] io::Error),
    /// The gate does not have it.
    #[error("the gate no longer has the text of hold `{0}`; it comes back when the client asks again")]
    Gone(HoldId),
    /// What it has is not what the hold is for.
    #[error("what the gate has is not what hold `{0}` is for")]
    OtherBytes(HoldId),
    /// The gate says why not.
    #[error("{0}")]
    Refused(String),
    /// The conversation broke off.
    #[error("the gate did not answer")]
    Broken(#[source] io::Error),
}

/// All text of a held query, compared with what its hold is for.
pub async fn text(folder: &Path, hold: &Hold) -> Result<HeldText, HatchFailure> {
    let (answer, body) = asked(folder, &Ask::Text { hold: hold.id() }, &[], BODY_BYTES_MAX).await?;
    match answer {
        Answer::Text { format } if Digest::of(&body) == hold.ask().digest => {
            Ok(HeldText { body: Bytes::from(body), format })
        }
        Answer::Text { .. } => Err(HatchFailure::OtherBytes(hold.id())),
        other => Err(unasked(other, hold.id())),
    }
}

/// What the rules say of an edit: the hold as it would be, for the editor to look at.
pub async fn try_edit(folder: &Path, words: EditWords, body: &[u8]) -> Result<Hold, HatchFailure> {
    let id = words.hold;
    match asked(folder, &Ask::Try(words), body, 0).await? {
        (Answer::Tried { hold }, _) => Ok(*hold),
        (other, _) => Err(unasked(other, id)),
    }
}

/// Edits a held query: the hold as it is then.
pub async fn edit(folder: &Path, words: EditWords, body: &[u8]) -> Result<Hold, HatchFailure> {
    let id = words.hold;
    match asked(folder, &Ask::Edit(words), body, 0).await? {
        (Answer::Edited { hold }, _) => Ok(*hold),
        (other, _) => Err(unasked(other, id)),
    }
}

fn unasked(answer: Answer, hold: HoldId) -> HatchFailure {
    match answer {
        Answer::Gone => HatchFailure::Gone(hold),
        Answer::Refused { why } => HatchFailure::Refused(why),
        Answer::Text { .. } | Answer::Tried { .. } | Answer::Edited { .. } => {
            HatchFailure::Broken(io::Error::other("it answered something else"))
        }
    }
}

async fn asked(folder: &Path, ask: &Ask, body: &[u8], bytes_max: usize) -> Result<(Answer, Vec<u8>), HatchFailure> {
    let stream = UnixStream::connect(socket(folder)).await.map_err(HatchFailure::NoGate)?;
    let mut talk = Talk::over(stream);
    talk.say(ask, body).await.map_err(HatchFailure::Broken)?;
    talk.hear(bytes_max).await.map_err(HatchFailure::Broken)
}
